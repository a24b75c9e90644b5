//! What is read of servers and GPUs beside the load.
//!
//! One thread of low priority asks every metrics endpoint in turn, each over a connection of its own, so that
//! nothing it does is load or costs a worker anything. As AIPerf: a HEAD and a first GET before the run, a GET
//! when the load begins, then one every [`ScrapeTiming::interval`], one at each boundary of a phase, and a last
//! one when [`ScrapeTiming::flush`] has passed since the load ended. Unlike AIPerf an endpoint is never asked
//! again before it has answered: a slow one is asked less often, not by several at once.
//!
//! What was read goes to files as it comes ([`ScrapeFiles`]). What it does not do: sum anything up.

mod collector;
mod conductor;
mod keep;

use std::cell::Cell;
use std::io;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use loadgen_core::SystemClock;
use loadgen_wire::{Connector, Target};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::gpu::GpuField;
use crate::metrics_url::MetricsUrl;
use crate::rtt::RttProbe;
use crate::tape::TapePhase;

/// How long a run that was interrupted waits for answers that are under way.
const LAST_PATIENCE: Duration = Duration::from_secs(3);
/// How often the end of the thread is looked for.
const LOOK: Duration = Duration::from_millis(20);

/// When an endpoint is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScrapeTiming {
    /// From one question to the next.
    pub interval: Duration,
    /// How long to go on after the load has ended.
    pub flush: Duration,
    /// How long an answer may take.
    pub patience: Duration,
    /// How long the first answer may take: one that does not come is the end of it.
    pub first_patience: Duration,
}

/// Servers whose metrics are read.
#[derive(Debug, Clone)]
pub struct ServerScrape {
    /// Where.
    pub urls: Vec<MetricsUrl>,
    /// When.
    pub timing: ScrapeTiming,
}

/// Exporters whose GPUs are read.
#[derive(Debug, Clone)]
pub struct GpuScrape {
    /// Where.
    pub urls: Vec<MetricsUrl>,
    /// When.
    pub timing: ScrapeTiming,
    /// What.
    pub fields: Vec<GpuField>,
}

/// Servers whose round trips are measured.
#[derive(Debug, Clone)]
pub struct RttScrape {
    /// Which.
    pub targets: Vec<Target>,
    /// When.
    pub probe: RttProbe,
}

/// What is read beside a load.
#[derive(Debug, Clone, Default)]
pub struct ScrapeConfig {
    /// Servers' own metrics.
    pub server: Option<ServerScrape>,
    /// GPUs.
    pub gpu: Option<GpuScrape>,
    /// Round trips.
    pub rtt: Option<RttScrape>,
}

impl ScrapeConfig {
    /// Whether nothing is to be read.
    pub fn is_empty(&self) -> bool {
        self.server.is_none() && self.gpu.is_none() && self.rtt.is_none()
    }
}

/// Where it goes. A file that nothing came for is not made.
#[derive(Debug, Clone)]
pub struct ScrapeFiles {
    /// A [`Tape`](crate::Tape).
    pub server: PathBuf,
    /// Lines of [`GpuLine`](crate::GpuLine).
    pub gpu: PathBuf,
    /// Lines of [`RttSample`](crate::RttSample).
    pub rtt: PathBuf,
}

/// What the load has come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Mark {
    /// It is about to begin.
    Start,
    /// A phase begins.
    PhaseBegins(TapePhase),
    /// The phase that began last ends.
    PhaseEnds,
    /// All of it is over.
    LoadEnds,
    /// Whoever waits for the results waits no longer.
    Hurry,
}

/// Worth a word to the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remark {
    /// Good to know.
    Info(String),
    /// Something may not be as meant.
    Warning(String),
}

/// Which endpoints answered when they were first asked, in the order in which they were given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reached {
    /// Servers' metrics.
    pub server: Vec<(String, bool)>,
    /// GPU exporters.
    pub gpu: Vec<(String, bool)>,
}

/// The thread that reads. Dropped before [`finish`](Self::finish) it stops at once.
#[derive(Debug)]
pub struct Scraper {
    marks: UnboundedSender<Mark>,
    reached: mpsc::Receiver<Reached>,
    remarks: mpsc::Receiver<Remark>,
    thread: JoinHandle<()>,
    is_reached: Cell<bool>,
}

impl Scraper {
    /// Starts the thread, which calls `prepare` first (to lower its priority) and then asks every endpoint once.
    pub fn start(
        config: ScrapeConfig,
        connector: Connector,
        files: ScrapeFiles,
        clock: SystemClock,
        prepare: fn(),
    ) -> io::Result<Self> {
        let (marks, inbox) = unbounded_channel();
        let (reach, reached) = mpsc::channel();
        let (remark, remarks) = mpsc::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new().name("scraper".to_owned()).spawn(move || {
            prepare();
            let stage = conductor::Stage { connector, files, clock, remark };
            let local = tokio::task::LocalSet::new();
            runtime.block_on(local.run_until(conductor::conduct(config, stage, inbox, reach)));
        })?;
        Ok(Self { marks, reached, remarks, thread, is_reached: Cell::new(false) })
    }

    /// Waits until every endpoint was asked once, for so long at most, and as long as `is_over` does not say
    /// that nobody waits any longer; `None` where some endpoint has not answered by then. It is asked all the
    /// same, and read if it answers.
    pub fn reached(&self, patience: Duration, is_over: impl Fn() -> bool) -> Option<Reached> {
        let deadline = Instant::now() + patience;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.reached.recv_timeout(left.min(LOOK)) {
                Ok(reached) => {
                    self.is_reached.set(true);
                    return Some(reached);
                }
                Err(mpsc::RecvTimeoutError::Timeout) if !is_over() && !left.is_zero() => {}
                Err(_) => return None,
            }
        }
    }

    /// The load is about to begin.
    pub fn load_begins(&self) {
        self.mark(Mark::Start);
    }

    /// A phase begins.
    pub fn phase_begins(&self, phase: TapePhase) {
        self.mark(Mark::PhaseBegins(phase));
    }

    /// The phase that began last ends.
    pub fn phase_ends(&self) {
        self.mark(Mark::PhaseEnds);
    }

    /// The load is over: what is still to be read is read from now on, while the caller does something else.
    pub fn load_ends(&self) {
        self.mark(Mark::LoadEnds);
    }

    /// Waits until all is read, or until `is_over` says that nobody waits any longer. An endpoint that has not
    /// answered at all by now is not waited for.
    pub fn finish(self, is_over: impl Fn() -> bool) -> Vec<Remark> {
        self.load_ends();
        let mut remarks = Vec::new();
        if !self.is_reached.get() && self.reached.try_recv().is_err() {
            return self.remarks.try_iter().collect();
        }
        let mut deadline: Option<Instant> = None;
        loop {
            match self.remarks.recv_timeout(LOOK) {
                Ok(remark) => remarks.push(remark),
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    if deadline.is_none() && is_over() {
                        self.mark(Mark::Hurry);
                        deadline = Some(Instant::now() + LAST_PATIENCE);
                    }
                    if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                        // Whatever it still waits for comes too late; its files are whole up to here.
                        return remarks;
                    }
                }
            }
        }
        // A panic there costs what it had not yet read, and nothing else.
        let _ = self.thread.join();
        remarks
    }

    /// What there is to say so far.
    pub fn remarks(&self) -> Vec<Remark> {
        self.remarks.try_iter().collect()
    }

    fn mark(&self, mark: Mark) {
        // A thread that is gone has said why in its remarks.
        let _ = self.marks.send(mark);
    }
}

#[cfg(test)]
mod tests;
