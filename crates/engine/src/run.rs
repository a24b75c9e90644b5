//! Conducts a run: starts the workers, calls the phases one by one, gathers the reports.
//!
//! Invariant: a phase starts only when every worker is ready for it, and is over only when every
//! worker has finished it. It sends nothing itself.

use std::any::Any;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};

use loadgen_core::{Clock, Nanos, RecordSink, RequestSource, SystemClock};
use loadgen_schedule::{ArrivalProcess, Rate};
use loadgen_wire::Connector;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::attendant::{Company, Unattended};
use crate::ceiling::Ceiling;
use crate::config::EngineConfig;
use crate::error::EngineError;
use crate::phase::PhaseShared;
use crate::plan::{Load, PhasePlan};
use crate::report::{EndReason, EngineReport, PhaseReport, WorkerReport};
use crate::stats::RunStats;
use crate::stop::StopSignal;
use crate::worker::{Answer, Command, RunShared, run_worker};

/// From telling the workers to start to the phase's zero, ns: enough for all of them to be awake
/// when the first request is due.
const START_LEAD_NS: i64 = 500_000;

/// Carries out `phases` in order and returns when the last request has come back. Blocks the calling
/// thread; each worker has its own, and its own one of `sinks`.
///
/// Every request whose time came is recorded exactly once, whatever became of it. Sessions are
/// numbered through all phases, unless a phase says where its own begin.
pub fn run(
    config: EngineConfig,
    phases: &[PhasePlan],
    source: Arc<dyn RequestSource>,
    sinks: Vec<Box<dyn RecordSink>>,
    clock: SystemClock,
    stats: Arc<RunStats>,
    stop: &StopSignal,
) -> Result<EngineReport, EngineError> {
    run_attended(config, phases, source, sinks, clock, Company { stats, stop, attendant: &Unattended })
}

/// As [`run`], with somebody who is told of every phase, and may object to it.
pub fn run_attended(
    config: EngineConfig,
    phases: &[PhasePlan],
    source: Arc<dyn RequestSource>,
    sinks: Vec<Box<dyn RecordSink>>,
    clock: SystemClock,
    company: Company<'_>,
) -> Result<EngineReport, EngineError> {
    let Company { stats, stop, attendant } = company;
    let workers = config.workers.get();
    check(&config, phases, sinks.len(), &stats)?;
    let is_single_turn = source.is_single_turn();
    let connector = Connector::new(config.connector.clone(), clock)?;
    config.targets.iter().try_for_each(|target| connector.warm_up(target))?;
    let ceiling = |rate: Option<Rate>| rate.map(|rate| Ceiling::new(rate, clock));
    let shared = Arc::new(RunShared {
        request_ceiling: ceiling(config.policy.max_request_rate),
        connection_ceiling: ceiling(config.policy.max_connection_rate),
        config,
        connector,
        source,
        clock,
        stats,
    });
    let crew: Vec<Hand> = sinks
        .into_iter()
        .enumerate()
        .map(|(id, sink)| Hand::hire(id, &shared, sink, stop))
        .collect::<Result<_, _>>()?;

    let mut reports = Vec::with_capacity(phases.len());
    let mut next_session = 0;
    let mut fell_behind = None;
    let mut objection = None;
    let mut was_interrupted = false;
    for (position, plan) in phases.iter().enumerate() {
        if stop.is_interrupted() {
            was_interrupted = true;
            break;
        }
        if let Err(source) = attendant.before(plan) {
            objection = Some(EngineError::Objection { index: plan.index, source });
            break;
        }
        let phase = Arc::new(PhaseShared::new(plan.clone(), position, workers, next_session, is_single_turn));
        let Some(start) = conduct(&crew, &phase, &clock) else { break };
        next_session = next_session.max(phase.issuer.next_session());
        let ended = report(&phase, start, &shared.stats);
        // Whoever interrupts what follows the last phase cuts no load short.
        was_interrupted = stop.is_interrupted();
        attendant.after(&ended);
        reports.push(ended);
        fell_behind = phase.fell_behind().map(|(behind, _)| behind);
        if fell_behind.is_some() {
            break;
        }
    }

    let workers = dismiss(crew)?;
    if let Some(objection) = objection {
        return Err(objection);
    }
    Ok(EngineReport { phases: reports, workers, was_interrupted, fell_behind })
}

/// One worker, as the conductor holds it.
struct Hand {
    id: usize,
    commands: UnboundedSender<Command>,
    answers: Receiver<Answer>,
    thread: JoinHandle<std::io::Result<WorkerReport>>,
}

impl Hand {
    fn hire(
        id: usize,
        shared: &Arc<RunShared>,
        sink: Box<dyn RecordSink>,
        stop: &StopSignal,
    ) -> Result<Self, EngineError> {
        let (commands, inbox) = unbounded_channel();
        let (outbox, answers) = mpsc::channel();
        let (shared, stop) = (Arc::clone(shared), stop.listen());
        let thread = thread::Builder::new()
            .name(format!("worker-{id}"))
            .spawn(move || run_worker(id, shared, sink, stop, inbox, outbox))
            .map_err(|source| EngineError::Worker { worker: id, source })?;
        Ok(Self { id, commands, answers, thread })
    }

    /// Gives a command; a worker that is gone shows when it does not answer.
    fn command(&self, command: Command) {
        let _ = self.commands.send(command);
    }
}

/// Carries out one phase and gives its zero; `None` when a worker was lost. The others have finished
/// the phase even then.
fn conduct(crew: &[Hand], phase: &Arc<PhaseShared>, clock: &SystemClock) -> Option<Nanos> {
    for hand in crew {
        hand.command(Command::Prepare(Arc::clone(phase)));
    }
    if !all_answer(crew) {
        return None;
    }
    let start = clock.now() + START_LEAD_NS;
    for hand in crew {
        hand.command(Command::Start(start));
    }
    all_answer(crew).then_some(start)
}

/// Waits for every worker's answer; whether all of them gave one.
fn all_answer(crew: &[Hand]) -> bool {
    let lost = crew.iter().filter(|hand| hand.answers.recv().is_err()).count();
    lost == 0
}

/// Hangs up on the workers and waits for them. The first one's failure is the run's, after all have
/// gone.
fn dismiss(crew: Vec<Hand>) -> Result<Vec<WorkerReport>, EngineError> {
    let leaving: Vec<_> = crew.into_iter().map(|Hand { id, thread, .. }| (id, thread)).collect();
    let results: Vec<_> = leaving.into_iter().map(|(id, thread)| (id, thread.join())).collect();
    results
        .into_iter()
        .map(|(worker, result)| match result {
            Ok(Ok(report)) => Ok(report),
            Ok(Err(source)) => Err(EngineError::Worker { worker, source }),
            Err(panic) => Err(EngineError::WorkerPanicked { worker, message: message_of(&*panic) }),
        })
        .collect()
}

fn report(phase: &PhaseShared, start: Nanos, stats: &RunStats) -> PhaseReport {
    let last_release = phase.last_release.get().map_or(start, Nanos);
    let last_return = phase.last_return.get().map_or(start, Nanos);
    let (ended_by, sending_end) = phase.ended_early().unwrap_or((EndReason::Completed, last_release));
    // An interrupt may come before the phase's zero.
    let sending_end = sending_end.max(start);
    PhaseReport {
        phase: phase.plan.phase,
        index: phase.plan.index,
        start,
        sending_end,
        end: last_return.max(sending_end),
        ended_by,
        counts: stats.phase(phase.position),
    }
}

fn check(
    config: &EngineConfig,
    phases: &[PhasePlan],
    sinks: usize,
    stats: &RunStats,
) -> Result<(), EngineError> {
    let workers = config.workers.get();
    if config.targets.is_empty() {
        return Err(EngineError::NoTarget);
    }
    if sinks != workers {
        return Err(EngineError::Sinks { sinks, workers });
    }
    if !stats.fits(phases.len(), workers) {
        return Err(EngineError::Stats { phases: phases.len(), workers });
    }
    let endless = phases.iter().find(|plan| match &plan.load {
        Load::Open { schedule, cap: None } => {
            schedule.process == ArrivalProcess::Burst
                && schedule.stop.requests.is_none()
                && schedule.stop.sessions.is_none()
        }
        _ => false,
    });
    endless.map_or(Ok(()), |plan| Err(EngineError::UnboundedBurst { index: plan.index }))
}

fn message_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message").to_owned()
}
