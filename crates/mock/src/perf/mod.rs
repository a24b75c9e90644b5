//! When tokens come: performance models as pure state machines over virtual time.
//!
//! A model is told when requests arrive and leave, says when it next has something to do, and, when
//! that time has come, which request gets what. It never reads a clock and never sleeps, so the same
//! code runs behind sockets and in a discrete-event simulation.

mod batch;
#[cfg(test)]
mod demo;
mod fixed;
mod limits;
mod linear;
#[cfg(test)]
mod sim;
mod splitwise;

pub use fixed::FixedConfig;
pub use limits::Limits;
pub use linear::BatchConfig;
pub use splitwise::SplitwiseConfig;

pub(crate) use fixed::Timing;

use loadgen_core::{Nanos, Seed};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::config::MockError;
use crate::prefix_cache::BlockHash;
use crate::profile::PerfProfile;

/// A request, as an engine sees it.
#[derive(Debug, Clone)]
pub(crate) struct Work {
    /// Unique and ascending.
    pub(crate) id: u64,
    /// Tokens of the prompt.
    pub(crate) prompt_tokens: u32,
    /// Tokens of the answer, each an event of its own.
    pub(crate) output_tokens: u32,
    /// The prompt's blocks, for the prefix cache.
    pub(crate) blocks: Vec<BlockHash>,
    /// Tokens that one of these blocks stands for.
    pub(crate) block_tokens: u32,
    /// Times of its own, for the model that takes them.
    pub(crate) timing: Option<Timing>,
}

/// What happens to a request at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Emission {
    /// The engine begins to work on it, with so many prompt tokens found in the prefix cache.
    Admitted {
        /// Prompt tokens that need no computing.
        cached_tokens: u32,
    },
    /// Its next token is there.
    Token,
    /// It is done; nothing more will come.
    Finished,
}

/// What an engine has on its hands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct EngineLoad {
    /// Requests being worked on.
    pub(crate) running: usize,
    /// Requests that queue.
    pub(crate) waiting: usize,
}

/// Decides when tokens come.
pub(crate) trait PerfModel {
    /// A request arrives. Emissions come from [`PerfModel::advance`], at `now` at the earliest.
    fn submit(&mut self, now: Nanos, work: Work);

    /// A request's client has gone; nothing more is emitted for it.
    fn cancel(&mut self, id: u64);

    /// When [`PerfModel::advance`] next has something to do; `None` while there is nothing.
    fn next_due(&self) -> Option<Nanos>;

    /// Does everything due until `now`, in order of time.
    fn advance(&mut self, now: Nanos, emit: &mut dyn FnMut(u64, Emission));

    /// What is running and what waits.
    fn load(&self) -> EngineLoad;

    /// Empties the prefix cache, if there is one.
    fn forget_prefixes(&mut self) {}
}

/// The model that a profile asks for. `replica` keeps the jitter of several server threads apart.
pub(crate) fn build(
    profile: &PerfProfile,
    seed: Seed,
    replica: usize,
) -> Result<Box<dyn PerfModel>, MockError> {
    let jitter = Jitter::new(seed, &format!("jitter:{replica}"));
    Ok(match profile {
        PerfProfile::Default(config) => Box::new(batch::BatchScheduler::new(
            config.limits.clone(),
            linear::LinearCost::from(config),
            config.jitter,
            jitter,
        )),
        PerfProfile::Fixed(config) => Box::new(fixed::FixedModel::new(config.clone(), jitter)),
        PerfProfile::Splitwise(config) => Box::new(batch::BatchScheduler::new(
            config.limits.clone(),
            splitwise::TableCost::load(config).map_err(MockError::Table)?,
            0.0,
            jitter,
        )),
        PerfProfile::Golden => Box::new(fixed::FixedModel::new(FixedConfig::golden(), jitter)),
    })
}

/// Seeded noise on durations, the same on every platform: draws go through `libm`.
#[derive(Debug)]
pub(crate) struct Jitter(ChaCha8Rng);

impl Jitter {
    pub(crate) fn new(seed: Seed, stream: &str) -> Self {
        Self(ChaCha8Rng::from_seed(seed.stream(stream)))
    }

    /// `ns` times `1 + deviation · z`, z standard normal cut at ±3; never below 0.
    pub(crate) fn spread(&mut self, ns: f64, deviation: f64) -> i64 {
        if deviation == 0.0 {
            return ns.round() as i64;
        }
        // Box–Muller; 1 - u keeps the logarithm's argument above 0.
        let radius = libm::sqrt(-2.0 * libm::log(1.0 - self.0.random::<f64>()));
        let normal = radius * libm::cos(std::f64::consts::TAU * self.0.random::<f64>());
        (ns * (1.0 + deviation * normal.clamp(-3.0, 3.0))).max(0.0).round() as i64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_is_seeded_unbiased_and_bounded() {
        let draw = |seed| {
            let mut jitter = Jitter::new(Seed(seed), "test");
            (0..4000).map(|_| jitter.spread(1e6, 0.1)).collect::<Vec<i64>>()
        };
        let first = draw(1);
        assert_eq!(first, draw(1));
        assert_ne!(first, draw(2));
        assert!(first.iter().all(|ns| (700_000..=1_300_000).contains(ns)));
        let mean = first.iter().sum::<i64>() as f64 / 4000.0;
        // The mean's standard deviation is 100,000 / sqrt(4000) = 1581; five of them.
        assert!((mean - 1e6).abs() < 8_000.0, "{mean}");
        let off = first.iter().filter(|ns| (*ns - 1_000_000).abs() > 100_000).count() as f64 / 4000.0;
        // A normal is more than one deviation off with probability 0.317; its deviation here is 0.0074.
        assert!((off - 0.317).abs() < 0.037, "{off}");
    }

    #[test]
    fn no_deviation_draws_nothing() {
        assert_eq!(Jitter::new(Seed(1), "test").spread(12.4, 0.0), 12);
    }
}
