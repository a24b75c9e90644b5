//! What a run tells whoever watches it.

use loadgen_core::Phase;
use loadgen_engine::PhaseCounts;

/// Watches a run. Every call must return quickly; none comes from a worker's thread.
pub trait Progress: Send + Sync {
    /// Something worth knowing.
    fn note(&self, level: Level, message: &str);

    /// How the wait for the servers goes, before the run is under way.
    fn waiting(&self, message: &str) {
        self.note(Level::Info, message);
    }

    /// The run has come to another stage.
    fn stage(&self, _stage: Stage) {}

    /// A phase has begun.
    fn phase_started(&self, outline: &PhaseOutline);

    /// How the phase stands, several times a second.
    fn tick(&self, live: &Live);

    /// A phase has ended.
    fn phase_ended(&self, live: &Live);

    /// The load is over; results are being computed: so many records are done, of so many where
    /// that is known.
    fn finishing(&self, done: u64, total: Option<u64>);

    /// What came of the measured requests.
    fn concluded(&self, _conclusion: Conclusion) {}

    /// Everything is written.
    fn finished(&self);
}

/// How much a note matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For those who asked for more.
    Debug,
    /// Good to know.
    Info,
    /// Something may not be as meant.
    Warning,
}

/// Where a run stands before its phases.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Stage {
    /// The dataset and the folder are made ready.
    Configuring,
    /// Everything is ready: the phases begin.
    Configured {
        /// How long that took.
        seconds: f64,
    },
}

/// What came of the measured requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conclusion {
    /// Successes.
    pub ok: u64,
    /// Failures, those that were given up by plan included.
    pub errors: u64,
}

/// What a phase will do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PhaseOutline {
    /// Which.
    pub phase: Phase,
    /// Its position in the run, from 0.
    pub index: i32,
    /// Its position among the measured ones, from 0.
    pub profiling_index: Option<i32>,
    /// How many requests, where that is known beforehand.
    pub requests: Option<u64>,
    /// How long it sends, ns, where that is known beforehand.
    pub duration_ns: Option<i64>,
    /// How many sessions, where that ends it.
    pub sessions: Option<u64>,
}

/// A phase as it stands.
#[derive(Debug, Clone, Copy)]
pub struct Live {
    /// What it will do.
    pub outline: PhaseOutline,
    /// Since its start, ns.
    pub elapsed_ns: i64,
    /// Its counters.
    pub counts: PhaseCounts,
    /// Whether it was interrupted.
    pub stopping: bool,
}

impl Live {
    /// How far the phase is, 0 to 1: by requests where their number is known, else by time.
    pub fn fraction(&self) -> Option<f64> {
        let by_count = self.outline.requests.map(|total| self.counts.finished() as f64 / total.max(1) as f64);
        let by_time = self.outline.duration_ns.map(|total| self.elapsed_ns as f64 / total.max(1) as f64);
        Some(by_count.or(by_time)?.clamp(0.0, 1.0))
    }
}

/// Two who watch one run.
pub(crate) struct Both<'a>(pub(crate) &'a dyn Progress, pub(crate) &'a dyn Progress);

impl Progress for Both<'_> {
    fn note(&self, level: Level, message: &str) {
        self.0.note(level, message);
        self.1.note(level, message);
    }

    fn waiting(&self, message: &str) {
        self.0.waiting(message);
        self.1.waiting(message);
    }

    fn stage(&self, stage: Stage) {
        self.0.stage(stage);
        self.1.stage(stage);
    }

    fn phase_started(&self, outline: &PhaseOutline) {
        self.0.phase_started(outline);
        self.1.phase_started(outline);
    }

    fn tick(&self, live: &Live) {
        self.0.tick(live);
        self.1.tick(live);
    }

    fn phase_ended(&self, live: &Live) {
        self.0.phase_ended(live);
        self.1.phase_ended(live);
    }

    fn finishing(&self, done: u64, total: Option<u64>) {
        self.0.finishing(done, total);
        self.1.finishing(done, total);
    }

    fn concluded(&self, conclusion: Conclusion) {
        self.0.concluded(conclusion);
        self.1.concluded(conclusion);
    }

    fn finished(&self) {
        self.0.finished();
        self.1.finished();
    }
}
