//! The limit of open files.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::{LimitError, Need, Warning};

/// Files a worker has open beside its connections: its poller, its waker, its timer, and what a name
/// lookup opens for a moment.
const FILES_PER_WORKER: u64 = 8;
/// Files the rest of the process has open: standard streams, journal segments, result files, a tokenizer,
/// scrapes.
const OTHER_FILES: u64 = 64;

/// The limits of open files of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenFiles {
    /// What holds now.
    pub soft: u64,
    /// What a process without privileges may raise it to.
    pub hard: u64,
}

impl OpenFiles {
    /// As the system has them; `None` where it does not tell.
    pub fn read() -> Option<Self> {
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
        Some(Self { soft, hard })
    }

    /// The soft limit to set for `need` on `workers` workers: no lower than it is, no higher than is of
    /// use. A run whose need has no bound gets all there is.
    pub fn plan(&self, need: &Need, workers: usize) -> Result<(u64, Option<Warning>), LimitError> {
        let least = required_files(need.least, workers);
        if least > self.hard {
            return Err(LimitError::OpenFiles { connections: need.least, needed: least, hard: self.hard });
        }
        let Some(most) = need.most.map(|most| required_files(most, workers)) else {
            return Ok((self.hard.max(self.soft), None));
        };
        let warning = (most > self.hard).then_some(Warning::OpenFiles { needed: most, hard: self.hard });
        Ok((most.min(self.hard).max(self.soft), warning))
    }
}

/// Open files that are enough for `connections` connections at once on `workers` workers.
pub fn required_files(connections: u64, workers: usize) -> u64 {
    let workers = (workers as u64).saturating_mul(FILES_PER_WORKER);
    connections.saturating_add(workers).saturating_add(OTHER_FILES)
}

/// Raises the limit of open files to what `need` asks for, if it is lower. Warns where the most that may
/// be needed is out of reach.
pub fn ensure_open_files(need: &Need, workers: usize) -> Result<Option<Warning>, LimitError> {
    let Some(limits) = OpenFiles::read() else { return Ok(None) };
    let (soft, warning) = limits.plan(need, workers)?;
    if soft == limits.soft {
        return Ok(warning);
    }
    match setrlimit(Resource::RLIMIT_NOFILE, soft, limits.hard) {
        Ok(()) => Ok(warning),
        // The run has enough for what it surely needs; more would have been better.
        Err(_) if required_files(need.least, workers) <= limits.soft => Ok(warning),
        Err(errno) => Err(LimitError::NotRaised {
            needed: required_files(need.least, workers),
            soft: limits.soft,
            reason: errno.desc().to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn need(least: u64, most: Option<u64>) -> Need {
        Need { least, most, short_lived: Some(0) }
    }

    #[test]
    fn the_limit_is_raised_to_what_the_run_needs() {
        let limits = OpenFiles { soft: 256, hard: 4_096 };
        // 1,000 connections, 2 workers of 8 files each, and 64 more.
        assert_eq!(limits.plan(&need(1_000, Some(1_000)), 2), Ok((1_080, None)));
        assert_eq!(limits.plan(&need(10, Some(10)), 2), Ok((256, None)), "never lowered");
        assert_eq!(limits.plan(&need(10, None), 2), Ok((4_096, None)), "no bound: all there is");
    }

    #[test]
    fn what_is_out_of_reach_is_refused_if_needed_and_warned_of_if_not() {
        let limits = OpenFiles { soft: 256, hard: 4_096 };
        let refused = LimitError::OpenFiles { connections: 5_000, needed: 5_080, hard: 4_096 };
        assert_eq!(limits.plan(&need(5_000, Some(5_000)), 2), Err(refused));
        let (soft, warning) = limits.plan(&need(100, Some(5_000)), 2).unwrap();
        assert_eq!((soft, warning), (4_096, Some(Warning::OpenFiles { needed: 5_080, hard: 4_096 })));
    }

    proptest! {
        #[test]
        fn the_limit_stays_between_what_it_was_and_what_is_allowed(
            soft in 0_u64..100_000, more in 0_u64..100_000,
            least in 0_u64..200_000, extra in proptest::option::of(0_u64..200_000), workers in 1_usize..200,
        ) {
            let limits = OpenFiles { soft, hard: soft + more };
            if let Ok((set, _)) = limits.plan(&need(least, extra.map(|extra| least + extra)), workers) {
                prop_assert!(set >= soft && set <= limits.hard);
                prop_assert!(set >= required_files(least, workers));
            }
        }
    }
}
