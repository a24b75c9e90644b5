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
        let target = match (outline.requests, outline.duration_ns) {
            (Some(requests), _) => format!("{requests} requests"),
            (None, Some(duration)) => format!("{} min of load", clock(duration)),
            (None, None) => "until interrupted".to_owned(),
        };
        say!("{}: started, {target}", outline.phase.name());
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
