//! A worker: one thread, one current-thread runtime, its own connections and its own sink.
//!
//! Invariant: nothing of a worker is shared with another but the phase's counters, its issuer and
//! its slots. Whatever happens to one worker, the others finish theirs.

mod carry;
mod dispatch;
mod feed;
mod release;
mod request;
mod session;
mod tasks;

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc;

use loadgen_core::{Clock, Nanos, RecordSink, RequestSource, SystemClock};
use loadgen_wire::{Connection, Connector};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::ceiling::Ceiling;
use crate::config::EngineConfig;
use crate::ids::Ids;
use crate::pacer::{Pacer, thread_cpu_ns};
use crate::phase::PhaseShared;
use crate::pool::Pool;
use crate::prepare::Preparer;
use crate::report::WorkerReport;
use crate::stats::RunStats;
use crate::stop::StopListener;
use dispatch::Dispatcher;
use session::PhaseRun;

/// What all workers of a run have in common.
pub(crate) struct RunShared {
    pub(crate) config: EngineConfig,
    pub(crate) connector: Connector,
    pub(crate) source: Arc<dyn RequestSource>,
    pub(crate) clock: SystemClock,
    pub(crate) stats: Arc<RunStats>,
    /// On releases, if the policy sets one.
    pub(crate) request_ceiling: Option<Ceiling>,
    /// On opening connections, if the policy sets one.
    pub(crate) connection_ceiling: Option<Ceiling>,
}

/// What the conductor tells a worker.
pub(crate) enum Command {
    /// Make the first requests of a phase ready.
    Prepare(Arc<PhaseShared>),
    /// Begin the prepared phase: its zero is this instant.
    Start(Nanos),
}

/// What a worker answers, once to each command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The phase is prepared.
    Ready,
    /// All its requests of the phase have returned.
    Done,
}

/// One worker's own things, alive through all phases.
struct Worker {
    id: usize,
    shared: Arc<RunShared>,
    pool: RefCell<Pool<Connection>>,
    sink: RefCell<Box<dyn RecordSink>>,
    pacer: Pacer,
}

/// Runs a worker on the calling thread until the conductor hangs up.
pub(crate) fn run_worker(
    id: usize,
    shared: Arc<RunShared>,
    sink: Box<dyn RecordSink>,
    stop: StopListener,
    commands: UnboundedReceiver<Command>,
    answers: mpsc::Sender<Answer>,
) -> io::Result<WorkerReport> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(tokio::runtime::LocalOptions::default())?;
    runtime.block_on(async move {
        let worker = Rc::new(Worker {
            id,
            pool: RefCell::new(Pool::new(shared.config.targets.len())),
            sink: RefCell::new(sink),
            pacer: Pacer::new(shared.clock)?,
            shared,
        });
        Ok(serve(&worker, stop, commands, &answers).await)
    })
}

/// Carries out phases as the conductor calls them.
async fn serve(
    worker: &Rc<Worker>,
    mut stop: StopListener,
    mut commands: UnboundedReceiver<Command>,
    answers: &mpsc::Sender<Answer>,
) -> WorkerReport {
    let clock = worker.shared.clock;
    let busy_before = thread_cpu_ns();
    let mut began = None;
    let mut ended = None;
    while let Some(Command::Prepare(phase)) = commands.recv().await {
        let mut dispatcher = Dispatcher::new(PhaseRun::new(Rc::clone(worker), phase));
        dispatcher.prepare_first();
        if answers.send(Answer::Ready).is_err() {
            break;
        }
        let Some(Command::Start(start)) = commands.recv().await else { break };
        began.get_or_insert(start);
        dispatcher.drive(start, &mut stop).await;
        ended = Some(clock.now());
        if answers.send(Answer::Done).is_err() {
            break;
        }
    }
    WorkerReport {
        worker: worker.id,
        busy_ns: thread_cpu_ns().zip(busy_before).map(|(after, before)| after - before),
        wall_ns: ended.zip(began).map_or(0, |(ended, began)| ended.since(began)),
    }
}

impl Worker {
    fn now(&self) -> Nanos {
        self.shared.clock.now()
    }

    /// Whoever makes requests ready for `phase`.
    fn preparer(&self, phase: &PhaseShared) -> Preparer {
        let config = &self.shared.config;
        let ids = Ids::new(config.ids, phase.plan.index, phase.plan.load.is_fixed_schedule());
        Preparer::new(
            Arc::clone(&self.shared.source),
            Arc::clone(&config.endpoint),
            ids,
            config.targets.len(),
        )
    }
}
