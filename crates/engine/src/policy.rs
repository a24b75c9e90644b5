//! What a run does beside its load: when the client falls behind, how fast it may go at most, and how
//! long connections live.
//!
//! Everything here is a value, stored with the run's plan; each default leaves the load alone.

use loadgen_schedule::{Rate, Schedule};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Least lateness that counts as having fallen behind, ns.
///
/// A worker that shares its core waits a scheduler's slice or two (3 ms each) for it now and then. That
/// is lateness, and recorded as such, but nothing piles up that would have to be caught up on.
pub const BEHIND_AFTER_NS: i64 = 10_000_000;

/// What holds for all phases of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Policy {
    /// What becomes of arrivals that the client is too late for.
    pub catch_up: CatchUp,
    /// At most so many requests are let go a second, over all workers; `None` sets no ceiling.
    ///
    /// The ceiling delays and never drops: an arrival that has to wait keeps its intended instant, and is
    /// counted as governed. It allows no bursts: releases are at least 1/rate apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_request_rate: Option<Rate>,
    /// At most so many connections are opened a second, over all workers; `None` sets no ceiling. A
    /// request that has to wait for one shows it as time blocked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_connection_rate: Option<Rate>,
    /// How long connections live.
    pub connection_reuse: ConnectionReuse,
}

/// What becomes of arrivals that are overdue because the client fell behind: it was stopped, starved of
/// CPU, or asked for more than it can send.
///
/// An arrival is overdue when it has not left [`BEHIND_AFTER_NS`] (10 ms) after its time, or one mean gap
/// of the schedule after it, whichever is later: at 5 requests a second 0.2 s, at 2,000 a second 10 ms.
/// Waiting for a slot of a cap, or for the ceiling of a rate, is the plan's doing and makes nothing
/// overdue. Later turns of a session that follow one another by themselves, and closed loads, have no
/// schedule to fall behind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CatchUp {
    /// They leave at once, in order; counted as caught up. The server sees a burst that the schedule did
    /// not ask for, and no request is missing.
    #[default]
    Burst,
    /// They do not leave at all; counted as skipped late. An arrival is recorded as not sent; a tick is
    /// lost, and its session is offered again at the next one.
    Skip,
    /// The run ends there, as it does at an interrupt, with [`FellBehind`] in its report.
    Fail,
}

/// How long connections live: AIPerf's `--connection-reuse-strategy`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionReuse {
    /// A request takes any idle connection to its target, and leaves it for others.
    #[default]
    Pooled,
    /// Each request opens a connection of its own, which is closed after it.
    Never,
    /// Each session has a connection of its own through all its turns, which is closed after the last
    /// one. A turn that fails or is given up loses it; the next turn opens another.
    StickyUserSessions,
}

/// The client fell behind its schedule in a run that was told to fail then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error, Serialize, Deserialize)]
#[error(
    "the client fell behind: an arrival was {:.1} ms late, and --catch-up fail allows {:.1} ms; lower the \
     rate, give the client more CPU, or let it catch up (--catch-up burst) or skip (--catch-up skip)",
    *.lateness_ns as f64 / 1e6,
    *.allowed_ns as f64 / 1e6
)]
pub struct FellBehind {
    /// The worker that noticed.
    pub worker: usize,
    /// Intended offset of the arrival that was overdue, ns after the phase's start.
    pub offset_ns: i64,
    /// How late it was, ns.
    pub lateness_ns: i64,
    /// How late it might have been, ns.
    pub allowed_ns: i64,
}

/// How late an arrival of `schedule` at `offset_ns` may leave before it is overdue, ns.
pub(crate) fn allowed_lateness_ns(schedule: &Schedule, offset_ns: i64) -> i64 {
    schedule.mean_gap_ns(offset_ns).map_or(BEHIND_AFTER_NS, |gap_ns| gap_ns.max(BEHIND_AFTER_NS))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use loadgen_core::Seed;
    use loadgen_schedule::{ArrivalProcess, StopCondition};

    fn allowed(process: ArrivalProcess) -> i64 {
        allowed_lateness_ns(&Schedule::new(process, StopCondition::default(), Seed(0)), 0)
    }

    #[test]
    fn an_arrival_may_be_a_mean_gap_late_and_never_less_than_ten_milliseconds() {
        let constant = |rate| ArrivalProcess::Constant(Rate::new(rate).unwrap().into());
        assert_eq!(allowed(constant(5.0)), 200_000_000);
        assert_eq!(allowed(constant(2_000.0)), 10_000_000);
        assert_eq!(allowed(ArrivalProcess::Burst), 10_000_000);
    }

    #[test]
    fn falling_behind_says_how_far_and_what_would_help() {
        let error = FellBehind { worker: 1, offset_ns: 5, lateness_ns: 25_400_000, allowed_ns: 10_000_000 };
        let text = error.to_string();
        assert!(text.contains("25.4 ms late") && text.contains("allows 10.0 ms"), "{text}");
        assert!(text.contains("--catch-up burst"), "{text}");
    }
}
