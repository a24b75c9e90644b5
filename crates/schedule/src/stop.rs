//! When a phase stops sending, and how long it waits for what is still in flight.

use serde::{Deserialize, Serialize};

/// The end of a phase. Whichever of `requests`, `sessions` and `duration_ns` comes first ends the sending;
/// with none of them, sending goes on until it is interrupted or the schedule itself ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StopCondition {
    /// Send this many, then stop.
    pub requests: Option<u64>,
    /// Start this many sessions, and send all their turns. Says nothing about the arrivals of a schedule:
    /// whoever starts sessions on them counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sessions: Option<u64>,
    /// Send nothing that is due later than this after the phase's start, in ns.
    pub duration_ns: Option<i64>,
    /// How long after `duration_ns` replies are awaited before what is in flight is cancelled, in ns.
    /// `None` waits for all of them, and so does a phase without a duration.
    pub grace_ns: Option<i64>,
}

impl StopCondition {
    /// Stops after `requests` arrivals.
    pub fn after_requests(requests: u64) -> Self {
        Self { requests: Some(requests), ..Self::default() }
    }

    /// Stops after the last turn of `sessions` sessions.
    pub fn after_sessions(sessions: u64) -> Self {
        Self { sessions: Some(sessions), ..Self::default() }
    }

    /// Stops `duration_ns` after the start, then waits for replies without limit.
    pub fn after_duration(duration_ns: i64) -> Self {
        Self { duration_ns: Some(duration_ns), ..Self::default() }
    }

    /// The same, with a limit on the wait for replies after the duration.
    pub fn with_grace(self, grace_ns: i64) -> Self {
        Self { grace_ns: Some(grace_ns), ..self }
    }

    /// Whether the arrival numbered `index` (from 0) is still to be sent at `offset_ns`.
    pub fn admits(&self, index: u64, offset_ns: i64) -> bool {
        self.requests.is_none_or(|requests| index < requests)
            && self.duration_ns.is_none_or(|duration| offset_ns <= duration)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whichever_limit_comes_first_stops() {
        let both = StopCondition { requests: Some(2), duration_ns: Some(10), ..StopCondition::default() };
        assert!(both.admits(1, 10));
        assert!(!both.admits(2, 10), "the count is reached");
        assert!(!both.admits(1, 11), "the time is over");
        assert!(StopCondition::default().admits(u64::MAX, i64::MAX));
    }
}
