//! Planned cancellation: which requests are given up on purpose, and how long after they were sent.
//!
//! Invariant: whether a request is given up depends on the seed and on its place in the run alone, so
//! the same ones are on any number of workers. It does not know when a request was sent, nor how it
//! is given up.

use loadgen_core::{ErrorDetail, PhaseIndex, Seed};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The stream of the seed that decides who is given up: AIPerf's name for it.
const STREAM: &str = "timing.request.cancellation";
/// nginx's status for a client that closed the connection, which AIPerf took over.
const CLIENT_CLOSED_REQUEST: i32 = 499;

/// A share of a phase's requests that is given up on purpose, to see how the server takes it.
///
/// A request is given up `delay_ns` after it was written in full, never before; one that is answered
/// by then is not.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Cancellation {
    /// How many of the requests.
    pub share: Share,
    /// From the last byte of the request written to the connection closed, ns; 0 closes at once.
    pub delay_ns: i64,
}

/// A share of requests: above 0, at most 1.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Share(f64);

/// A share that is no share.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
#[error("a share of requests is above 0 and at most 1, which is 100 percent; got {0}")]
pub struct ShareError(f64);

impl Share {
    /// All requests.
    pub const ALL: Self = Self(1.0);

    /// A share as a fraction of 1.
    pub fn new(fraction: f64) -> Result<Self, ShareError> {
        if fraction > 0.0 && fraction <= 1.0 { Ok(Self(fraction)) } else { Err(ShareError(fraction)) }
    }

    /// A share in percent.
    pub fn of_percent(percent: f64) -> Result<Self, ShareError> {
        Self::new(percent / 100.0)
    }

    /// The share as a fraction of 1.
    pub fn fraction(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Share {
    type Error = ShareError;
    fn try_from(fraction: f64) -> Result<Self, ShareError> {
        Self::new(fraction)
    }
}

impl From<Share> for f64 {
    fn from(share: Share) -> Self {
        share.0
    }
}

/// Decides for each request of a phase whether it is given up. Every worker has one; they agree.
#[derive(Debug, Clone)]
pub(crate) struct Lottery {
    cancellation: Cancellation,
    seed: Seed,
    phase: PhaseIndex,
}

impl Lottery {
    pub(crate) fn new(cancellation: Cancellation, seed: Seed, phase: PhaseIndex) -> Self {
        Self { cancellation, seed: seed.child(STREAM), phase }
    }

    /// How long after it was sent turn `turn_index` of session `ordinal` is given up, ns; `None` for
    /// one that is not.
    pub(crate) fn delay_ns(&self, ordinal: u64, turn_index: i32) -> Option<i64> {
        let draw = self.seed.child(&format!("{}:{ordinal}:{turn_index}", self.phase)).0;
        // The upper 53 bits are a fraction of 1 that a double holds exactly, and never 1 itself.
        let fraction = (draw >> 11) as f64 / (1_u64 << 53) as f64;
        (fraction < self.cancellation.share.fraction()).then_some(self.cancellation.delay_ns.max(0))
    }
}

/// AIPerf's words for a request that was given up by plan.
pub(crate) fn cancellation_error(delay_ns: i64) -> ErrorDetail {
    ErrorDetail {
        code: Some(CLIENT_CLOSED_REQUEST),
        error_type: "RequestCancellationError".to_owned(),
        message: format!("Request cancelled {:.3}s after being sent", delay_ns as f64 / 1e9),
        cause: None,
        cause_chain: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn lottery(fraction: f64, seed: u64, phase: PhaseIndex) -> Lottery {
        Lottery::new(Cancellation { share: Share::new(fraction).unwrap(), delay_ns: 7 }, Seed(seed), phase)
    }

    #[test]
    fn a_share_is_above_nothing_and_at_most_everything() {
        for wrong in [0.0, -0.1, 1.000_1, f64::NAN, f64::INFINITY] {
            assert!(Share::new(wrong).is_err(), "{wrong}");
        }
        assert_eq!(Share::of_percent(100.0), Ok(Share::ALL));
        assert!(Share::of_percent(100.5).unwrap_err().to_string().contains("100 percent"));
    }

    #[test]
    fn the_share_is_met_and_each_phase_and_turn_draws_for_itself() {
        let chosen = |lottery: &Lottery, turn| -> Vec<u64> {
            (0..10_000).filter(|ordinal| lottery.delay_ns(*ordinal, turn).is_some()).collect()
        };
        let first = chosen(&lottery(0.3, 5, 0), 0);
        // The standard deviation is 46.
        assert!((2_800..3_200).contains(&first.len()), "{}", first.len());
        assert_eq!(chosen(&lottery(0.3, 5, 0), 0), first);
        assert_ne!(chosen(&lottery(0.3, 5, 0), 1), first);
        assert_ne!(chosen(&lottery(0.3, 5, 1), 0), first);
        assert_ne!(chosen(&lottery(0.3, 6, 0), 0), first);
    }

    #[test]
    fn the_error_says_the_planned_delay_so_that_equal_ones_group() {
        let error = cancellation_error(700_000_000);
        assert_eq!((error.code, error.error_type.as_str()), (Some(499), "RequestCancellationError"));
        assert_eq!(error.message, "Request cancelled 0.700s after being sent");
        assert_eq!(cancellation_error(0).message, "Request cancelled 0.000s after being sent");
    }

    proptest! {
        #[test]
        fn everything_is_given_up_at_a_share_of_one(seed: u64, ordinal: u64, turn in 0_i32..) {
            prop_assert_eq!(lottery(1.0, seed, 0).delay_ns(ordinal, turn), Some(7));
        }

        #[test]
        fn a_larger_share_gives_up_all_that_a_smaller_one_does(
            seed: u64, ordinal: u64, small in 0.01_f64..1.0, large in 0.01_f64..=1.0,
        ) {
            let (small, large) = (small.min(large), small.max(large));
            if lottery(small, seed, 0).delay_ns(ordinal, 0).is_some() {
                prop_assert_eq!(lottery(large, seed, 0).delay_ns(ordinal, 0), Some(7));
            }
        }
    }
}
