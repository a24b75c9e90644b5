//! What the user sees while a run goes on: a bar on a terminal, a line now and then in a log, or
//! nothing. It goes to standard error; results go to standard output.

/// Says something on standard error. That it cannot be said is no reason to end a run: whoever
/// listened may be gone (`2>&1 | head`), and results do not go there.
macro_rules! say {
    ($($words:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr().lock(), $($words)*);
    }};
}
pub(crate) use say;

mod bar;
mod lines;

use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use crate::args::values::word;
use loadgen_run::{Level, Live, LogLines, LogShape, Progress, Severity};

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ui {
    /// A bar on a terminal, else lines.
    Auto,
    /// Nothing but warnings.
    None,
}

/// How much is said while a run goes on, and how often; nothing given is the usual.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Talk {
    /// The least that is said.
    pub(crate) floor: Option<Floor>,
    /// From one line of a log to the next; none when it is zero.
    pub(crate) interval: Option<Duration>,
    /// Called by AIPerf's name: without a terminal its log lines go to standard output, where scripts
    /// look for them, but for the wait for the servers.
    pub(crate) as_aiperf: bool,
}

/// The least that is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Floor {
    /// Notes of this level and above.
    At(Level),
    /// No note at all: errors end the run, and say so.
    Nothing,
}

impl Floor {
    fn shows(self, level: Level) -> bool {
        matches!(self, Self::At(floor) if level >= floor)
    }
}

/// How often a log gets a line.
const LINE_INTERVAL: Duration = Duration::from_secs(5);

impl Ui {
    /// The one of this name; without a name, and for AIPerf's dashboard, what fits where it is shown.
    pub(crate) fn named(name: Option<&str>) -> Result<Self, String> {
        match name.map(word).as_deref() {
            None | Some("simple" | "dashboard") => Ok(Self::Auto),
            Some("none") => Ok(Self::None),
            Some(_) => Err(format!(
                "{:?} is not known: expected dashboard, simple or none",
                name.unwrap_or_default()
            )),
        }
    }

    /// The watcher for this choice, here.
    pub(crate) fn progress(self, talk: Talk) -> Arc<dyn Progress> {
        let floor = talk.floor.unwrap_or(match self {
            Self::Auto => Floor::At(Level::Info),
            Self::None => Floor::At(Level::Warning),
        });
        if talk.as_aiperf && !std::io::stdout().is_terminal() {
            let floor = match talk.floor {
                None | Some(Floor::At(Level::Info)) => Severity::Info,
                Some(Floor::At(Level::Debug)) => Severity::Debug,
                Some(Floor::At(Level::Warning)) => Severity::Warning,
                Some(Floor::Nothing) => Severity::Error,
            };
            let lines = LogLines::new(LogShape::Stream, floor, Box::new(std::io::stdout()));
            return Arc::new(lines.with_early(Box::new(std::io::stderr())));
        }
        let interval = talk.interval.unwrap_or(LINE_INTERVAL);
        match self {
            Self::Auto if std::io::stderr().is_terminal() => Arc::new(bar::Bar::new(floor)),
            Self::Auto => Arc::new(lines::Lines::new((!interval.is_zero()).then_some(interval), floor)),
            Self::None => Arc::new(lines::Lines::new(None, floor)),
        }
    }
}

/// Prints an error and its causes: one line each, no backtrace, nothing twice.
pub(crate) fn error(error: &(dyn std::error::Error + 'static)) {
    let mut told = error.to_string();
    say!("error: {told}");
    let mut next = error.source();
    while let Some(cause) = next {
        let says = cause.to_string();
        if !told.contains(&says) {
            say!("  because: {says}");
            told = says;
        }
        next = cause.source();
    }
}

fn label(level: Level) -> &'static str {
    match level {
        Level::Debug => "debug",
        Level::Info => "note",
        Level::Warning => "warning",
    }
}

/// `12 ok, 1 failed, 3 in flight`, and what else there is to say.
fn state(live: &Live) -> String {
    let counts = &live.counts;
    let mut parts = vec![format!("{} ok", counts.ok)];
    let mut add = |count: u64, what: &str| {
        if count > 0 {
            parts.push(format!("{count} {what}"));
        }
    };
    add(counts.failed, "failed");
    add(counts.cancelled, "cancelled");
    add(counts.aborted, "aborted");
    add(counts.in_flight(), "in flight");
    add(counts.skipped, "ticks skipped");
    if live.stopping {
        parts.push("stopping".to_owned());
    }
    parts.join(", ")
}

/// `12 of 100 records`.
fn of(done: u64, total: Option<u64>) -> String {
    total.map_or_else(|| format!("{done} records"), |total| format!("{done} of {total} records"))
}

/// Requests finished per second so far.
fn rate(live: &Live) -> f64 {
    live.counts.finished() as f64 * 1e9 / live.elapsed_ns.max(1) as f64
}

/// `m:ss`.
fn clock(nanoseconds: i64) -> String {
    let seconds = nanoseconds.max(0) / 1_000_000_000;
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use loadgen_core::Phase;
    use loadgen_engine::PhaseCounts;
    use loadgen_run::PhaseOutline;

    use super::*;

    #[test]
    fn a_state_names_only_what_there_is() {
        let outline = PhaseOutline {
            phase: Phase::Profiling,
            index: 0,
            profiling_index: Some(0),
            requests: Some(10),
            duration_ns: None,
            sessions: None,
        };
        let counts = PhaseCounts { sent: 5, ok: 2, failed: 1, ..PhaseCounts::default() };
        let live = Live { outline, elapsed_ns: 61_000_000_000, counts, stopping: false };
        assert_eq!(state(&live), "2 ok, 1 failed, 2 in flight");
        assert_eq!(clock(live.elapsed_ns), "1:01");
        assert!((live.fraction().unwrap_or_default() - 0.3).abs() < 1e-12);
    }
}
