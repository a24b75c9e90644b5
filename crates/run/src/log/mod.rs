//! The run as AIPerf logs it: the lines that scripts look for, in the words and the shape they know.
//!
//! [`LogLines`] writes them anywhere; every run writes them to `logs/aiperf.log` in its folder as well.
//! Secrets are taken out of every line. That a line cannot be written is no reason to end a run.
//!
//! What this does not do: tell of the run's progress. That is the live view's.

mod file;
mod phases;

use std::io::Write;
use std::sync::{Mutex, PoisonError};

use loadgen_core::{Clock as _, Nanos, Phase, SystemClock};
use loadgen_report::{TimeZone, local_time};
use loadgen_wire::redact;

use crate::progress::{Conclusion, Level, Live, PhaseOutline, Progress, Stage};
pub(crate) use file::RunLog;
use phases::{all_is_sent, complete, sent, started};

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogShape {
    /// `23:24:25.006 INFO     message`: what AIPerf prints where there is no terminal.
    Stream,
    /// `2026-11-21 23:24:25.006 - loadgen - INFO - message`: what it writes to its file.
    File,
    /// `2026-11-21 23:24:25,006 - loadgen - INFO - message`: what it says on standard error while it waits for
    /// the servers, before its log is set up.
    Early,
}

/// How much a line matters, as AIPerf names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// For those who asked for more.
    Debug,
    /// Good to know.
    Info,
    /// A step of the run.
    Notice,
    /// Something may not be as meant.
    Warning,
    /// Something failed.
    Error,
}

impl Severity {
    fn name(self) -> &'static str {
        match self {
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Notice => "NOTICE",
            Self::Warning => "WARNING",
            Self::Error => "ERROR",
        }
    }
}

impl From<Level> for Severity {
    fn from(level: Level) -> Self {
        match level {
            Level::Debug => Self::Debug,
            Level::Info => Self::Info,
            Level::Warning => Self::Warning,
        }
    }
}

/// Writes the lines.
///
/// What a stream would say before its run is under way waits for that: of a command that turns out wrong there
/// is nothing on standard output, and its fault is on standard error.
pub struct LogLines {
    shape: LogShape,
    /// Lines below this are left out.
    floor: Severity,
    zone: TimeZone,
    state: Mutex<State>,
}

struct State {
    out: Box<dyn Write + Send>,
    /// The phase under way has told that all is sent.
    told_sent: bool,
    /// Where the wait for the servers is told; with everything else without it.
    early: Option<Box<dyn Write + Send>>,
    /// Lines that wait for the run; `None` once there is nothing to wait for.
    waiting: Option<Vec<(Severity, String)>>,
}

impl LogLines {
    /// Lines of this shape to `out`, those below `floor` left out.
    pub fn new(shape: LogShape, floor: Severity, out: Box<dyn Write + Send>) -> Self {
        let waiting = (shape == LogShape::Stream).then(Vec::new);
        let state = Mutex::new(State { out, told_sent: false, early: None, waiting });
        Self { shape, floor, zone: TimeZone::system(), state }
    }

    /// The same lines, but for those of the wait for the servers: they go to `early` at once.
    pub fn with_early(mut self, early: Box<dyn Write + Send>) -> Self {
        self.state.get_mut().unwrap_or_else(PoisonError::into_inner).early = Some(early);
        self
    }

    fn line(&self, level: Severity, message: &str) {
        if level < self.floor {
            return;
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut state.waiting {
            Some(waiting) => waiting.push((level, message.to_owned())),
            None => self.write(&mut state, level, message),
        }
    }

    fn write(&self, state: &mut State, level: Severity, message: &str) {
        put(&mut state.out, &self.rendered(self.shape, level, message));
    }

    fn rendered(&self, shape: LogShape, level: Severity, message: &str) -> String {
        render(shape, SystemClock::start().now(), &self.zone, level, message)
    }

    /// Nothing waits any more. What did comes behind what tells that the run is under way.
    fn begin(&self) {
        const UNDER_WAY: [&str; 2] = ["Starting AIPerf System", "AIPerf System is CONFIGURING"];
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = state.waiting.take().unwrap_or_default();
        let told = UNDER_WAY.map(|line| (Severity::Info, line.to_owned()));
        for (level, message) in told.into_iter().filter(|(level, _)| *level >= self.floor).chain(waiting) {
            self.write(&mut state, level, &message);
        }
    }

    /// Whether it is the first time in this phase that this is asked.
    fn is_first_sent(&self) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        !std::mem::replace(&mut state.told_sent, true)
    }

    fn tell_sent(&self, live: &Live) {
        if self.is_first_sent() {
            self.line(Severity::Notice, &sent(live));
        }
    }
}

impl Progress for LogLines {
    fn note(&self, level: Level, message: &str) {
        self.line(level.into(), message);
    }

    fn waiting(&self, message: &str) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut state.early {
            Some(early) if Severity::Info >= self.floor => {
                put(early, &self.rendered(LogShape::Early, Severity::Info, message));
            }
            Some(_) => {}
            None => {
                drop(state);
                self.line(Severity::Info, message);
            }
        }
    }

    fn stage(&self, stage: Stage) {
        match stage {
            Stage::Configuring => self.begin(),
            Stage::Configured { seconds } => {
                self.line(Severity::Info, &format!("All services configured in {seconds:.2} seconds"));
                self.line(Severity::Info, "AIPerf System is CONFIGURED");
                self.line(Severity::Info, "AIPerf System is PROFILING");
            }
        }
    }

    fn phase_started(&self, outline: &PhaseOutline) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).told_sent = false;
        self.line(Severity::Notice, &started(outline));
    }

    fn tick(&self, live: &Live) {
        if all_is_sent(live) {
            self.tell_sent(live);
        }
    }

    fn phase_ended(&self, live: &Live) {
        self.tell_sent(live);
        self.line(Severity::Notice, &complete(live));
        if live.outline.phase == Phase::Profiling {
            self.line(Severity::Notice, "All credits completed");
        }
    }

    fn finishing(&self, _done: u64, _total: Option<u64>) {}

    fn concluded(&self, conclusion: Conclusion) {
        let Conclusion { ok, errors } = conclusion;
        let total = ok + errors;
        self.line(
            Severity::Info,
            &format!("Processed {ok} valid requests and {errors} errors ({total} total)."),
        );
        if ok == 0 {
            let says = "inference request(s) failed; no successful responses were collected.";
            self.line(Severity::Error, &format!("All {errors} {says}"));
        }
    }

    fn finished(&self) {}
}

fn put(out: &mut dyn Write, line: &str) {
    let _ = out.write_all(line.as_bytes()).and_then(|()| out.flush());
}

fn render(shape: LogShape, at: Nanos, zone: &TimeZone, level: Severity, message: &str) -> String {
    let (level, message) = (level.name(), redact(message));
    let at = |format| local_time(at, zone, format);
    match shape {
        LogShape::Stream => format!("{} {level:<8} {message}\n", at("%H:%M:%S%.3f")),
        LogShape::File => format!("{} - loadgen - {level} - {message}\n", at("%Y-%m-%d %H:%M:%S%.3f")),
        LogShape::Early => format!("{} - loadgen - {level} - {message}\n", at("%Y-%m-%d %H:%M:%S,%3f")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;

    use super::file::Place;
    use super::phases::samples::{OUTLINE, live};
    use super::*;

    /// What is written, without its times.
    fn messages(tell: impl FnOnce(&LogLines)) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("logs/aiperf.log");
        let (log, lines) = RunLog::begin();
        lines.note(Level::Info, "before the folder");
        log.open(&path).unwrap();
        tell(&lines);
        let text = fs::read_to_string(path).unwrap();
        text.lines().map(|line| line.split_once(" - ").unwrap().1.to_owned()).collect()
    }

    #[test]
    fn that_all_is_sent_is_told_once_and_before_the_end() {
        let told = messages(|log| {
            log.phase_started(&OUTLINE);
            log.tick(&live(5, 0, 0, 0));
            log.tick(&live(1200, 1000, 0, 0));
            log.tick(&live(1200, 1100, 0, 0));
            log.phase_ended(&live(1200, 1200, 0, 0));
            log.concluded(Conclusion { ok: 0, errors: 3 });
        });
        assert_eq!(told[0], "loadgen - INFO - before the folder");
        let sent: Vec<_> = told.iter().filter(|line| line.contains("sending complete")).collect();
        assert_eq!(sent.len(), 1);
        assert!(sent[0].ends_with("in_flight=200 | sessions: sent=1,200, completed=1,000"), "{sent:?}");
        assert!(told.iter().any(|line| line.contains("Processed 0 valid requests and 3 errors (3 total).")));
        assert!(told.last().unwrap().contains("ERROR - All 3 inference request(s) failed"));
    }

    #[test]
    fn a_stream_says_nothing_of_a_run_that_never_begins() {
        let (log, _) = RunLog::begin();
        let stream = LogLines::new(LogShape::Stream, Severity::Info, Box::new(log.clone()));
        let said = || match &*log.0.lock().unwrap() {
            Place::Memory(lines) => String::from_utf8(lines.clone()).unwrap(),
            _ => panic!("there is no folder"),
        };
        stream.note(Level::Warning, "may not be as meant");
        assert_eq!(said(), "");
        stream.stage(Stage::Configuring);
        stream.note(Level::Info, "later");
        let said = said();
        let messages: Vec<&str> = said.lines().map(|line| line[22..].trim()).collect();
        let begun =
            ["Starting AIPerf System", "AIPerf System is CONFIGURING", "may not be as meant", "later"];
        assert_eq!(messages, begun);
    }

    #[test]
    fn the_wait_for_the_servers_is_told_beside_the_stream_and_at_once() {
        let ((log, _), (beside, _)) = (RunLog::begin(), RunLog::begin());
        let stream = LogLines::new(LogShape::Stream, Severity::Info, Box::new(log.clone()));
        let stream = stream.with_early(Box::new(beside.clone()));
        let said = |log: &RunLog| match &*log.0.lock().unwrap() {
            Place::Memory(lines) => String::from_utf8(lines.clone()).unwrap(),
            _ => panic!("there is no folder"),
        };
        stream.waiting("for the servers");
        assert_eq!(said(&log), "");
        assert!(said(&beside).ends_with(" - loadgen - INFO - for the servers\n"), "{}", said(&beside));
        stream.stage(Stage::Configuring);
        assert!(!said(&log).contains("for the servers"));
    }

    #[test]
    fn lines_have_aiperfs_shapes_and_no_secret() {
        let zone = TimeZone::UTC;
        let at = Nanos(1_795_303_465_006_000_000);
        let line =
            |shape| render(shape, at, &zone, Severity::Info, "asked http://u:p@h/ with Bearer abcdef123456");
        assert_eq!(
            line(LogShape::Stream),
            "23:24:25.006 INFO     asked http://<redacted>@h/ with Bearer <redacted>\n"
        );
        assert!(line(LogShape::File).starts_with("2026-11-21 23:24:25.006 - loadgen - INFO - asked"));
        assert!(line(LogShape::Early).starts_with("2026-11-21 23:24:25,006 - loadgen - INFO - asked"));
    }
}
