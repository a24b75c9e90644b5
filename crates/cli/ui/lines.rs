//! Progress in a log: a line now and then.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use loadgen_run::{Level, Live, PhaseOutline, Progress};

use super::{Floor, clock, label, of, rate, state};

/// Writes lines to standard error.
pub(super) struct Lines {
    /// How often a running phase gets a line; `None` never.
    interval: Option<Duration>,
    /// Notes below this are not shown.
    floor: Floor,
    last: Mutex<Instant>,
}

impl Lines {
    pub(super) fn new(interval: Option<Duration>, floor: Floor) -> Self {
        Self { interval, floor, last: Mutex::new(Instant::now()) }
    }

    /// Whether a line is due; then the next one is due an interval later.
    fn is_due(&self) -> bool {
        let (Some(interval), Ok(mut last)) = (self.interval, self.last.lock()) else { return false };
        let due = last.elapsed() >= interval;
        if due {
            *last = Instant::now();
        }
        due
    }
}

/// What ends a phase. A fixed schedule ends with its trace, which no number stands for.
fn end(outline: &PhaseOutline) -> String {
    match outline {
        PhaseOutline { requests: Some(requests), .. } => format!("{requests} requests"),
        PhaseOutline { sessions: Some(sessions), .. } => format!("{sessions} sessions"),
        PhaseOutline { duration_ns: Some(duration), .. } => format!("{} min of load", clock(*duration)),
        _ => "until all is sent".to_owned(),
    }
}

impl Progress for Lines {
    fn note(&self, level: Level, message: &str) {
        if self.floor.shows(level) {
            say!("{}: {message}", label(level));
        }
    }

    fn phase_started(&self, outline: &PhaseOutline) {
        if self.interval.is_none() {
            return;
        }
        say!("{}: started, {}", outline.phase.name(), end(outline));
    }

    fn tick(&self, live: &Live) {
        if !self.is_due() {
            return;
        }
        let share =
            live.fraction().map(|fraction| format!("{:.0} %, ", fraction * 100.0)).unwrap_or_default();
        say!(
            "{}: {} {share}{}, {:.1} req/s",
            live.outline.phase.name(),
            clock(live.elapsed_ns),
            state(live),
            rate(live)
        );
    }

    fn phase_ended(&self, live: &Live) {
        if self.interval.is_some() {
            say!("{}: done in {} min, {}", live.outline.phase.name(), clock(live.elapsed_ns), state(live));
        }
    }

    fn finishing(&self, done: u64, total: Option<u64>) {
        if self.is_due() {
            say!("results: {}", of(done, total));
        }
    }

    fn finished(&self) {}
}

#[cfg(test)]
mod tests {
    use loadgen_core::Phase;

    use super::*;

    #[test]
    fn what_ends_a_phase_is_told() {
        let outline = |requests, sessions, duration_ns| PhaseOutline {
            phase: Phase::Profiling,
            index: 0,
            profiling_index: Some(0),
            requests,
            duration_ns,
            sessions,
        };
        assert_eq!(end(&outline(Some(10), Some(2), None)), "10 requests");
        assert_eq!(end(&outline(None, Some(2), None)), "2 sessions");
        assert_eq!(end(&outline(None, None, Some(61_000_000_000))), "1:01 min of load");
        assert_eq!(end(&outline(None, None, None)), "until all is sent");
    }
}
