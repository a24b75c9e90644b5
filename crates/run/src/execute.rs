//! One run: prepare it, drive the load, finish.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, mpsc};
use std::thread;

use loadgen_core::{Clock, Nanos, RecordSink, SystemClock};
use loadgen_engine::{
    Company, EngineConfig, EngineError, EngineReport, RunStats, StopSignal, default_workers, limits,
};
use loadgen_metrics::{HostFacts, PacketFacts};
use loadgen_record::{Journal, JournalHeader, JournalStats};
use loadgen_tokens::Tokenizer;
use loadgen_wire::{Connector, Endpoint, PacketStats, PacketTap, TapConfig, Timestamps};
use loadgen_workload::Dataset;

use crate::error::RunError;
use crate::finish::{Live, RunResult};
use crate::host::CpuTimes;
use crate::log::RunLog;
use crate::notes::{ENDED, Ended, PROVENANCE};
use crate::observe;
use crate::phases::Phases;
use crate::plan::RunPlan;
use crate::prepare::{describe, load, prepare_folder};
use crate::progress::{Both, Level, Progress, Stage};
use crate::rehearse::{check_folders, try_first_body};
use crate::telemetry::Beside;
use crate::watch::{FailureLimit, Watch};

/// Version of what this crate keeps in a journal.
const NOTES_VERSION: u32 = 1;

/// Runs `plan` to its end, or until `stop` is given, and writes its results.
pub fn run(plan: &RunPlan, progress: &dyn Progress, stop: &StopSignal) -> Result<RunResult, RunError> {
    let (log, lines) = RunLog::begin();
    let watchers = Both(progress, &lines);
    // Where a run may end itself, those after it go on.
    let own = FailureLimit::of(plan).map(|_| StopSignal::below(stop));
    let stop = own.as_ref().unwrap_or(stop);
    lines.stage(Stage::Configuring);
    // Whoever watches has seen these.
    plan.remarks.iter().for_each(|(level, text)| lines.note(*level, text));
    let result = carry_out(plan, &watchers, &log, stop)
        .inspect_err(|error| lines.note(Level::Warning, &error.to_string()))?;
    if let Some(share) = result.excess_failures() {
        let says = format!("more requests failed than --failed-request-threshold allows: {share}");
        lines.note(Level::Warning, &says);
    }
    Ok(result)
}

/// Does it, and logs it.
fn carry_out(
    plan: &RunPlan,
    progress: &Both<'_>,
    log: &RunLog,
    stop: &StopSignal,
) -> Result<RunResult, RunError> {
    let clock = SystemClock::start();
    let (tokenizer, dataset) = load(plan, stop)?;
    warn_of_inputs(plan, &tokenizer, &dataset, progress);
    let endpoint = Arc::new(Endpoint::new(plan.endpoint.clone())?);
    let phases = Phases::of(plan, &dataset)?;
    // Whatever is wrong with the plan, or with this host for it, shows before anything is written.
    let connector = Connector::new(plan.connector.clone(), clock)?;
    plan.targets.iter().try_for_each(|target| connector.warm_up(target))?;
    let workers = default_workers(plan.workers.and_then(NonZeroUsize::new));
    let config = engine_config(plan, &endpoint, workers);
    for warning in limits::prepare(&config, &phases.plans)? {
        progress.note(Level::Warning, &warning.to_string());
    }
    try_first_body(&dataset, &endpoint)?;
    check_folders(&plan.report.artifacts)?;
    let tap = open_tap(plan, &connector, clock)?;
    let beside = Beside::once_ready(plan, &connector, clock, progress, stop)?;
    // The plan is good, and the servers are there: from here on the run is seen to be under way.
    progress.0.stage(Stage::Configuring);
    beside.reset_caches()?;
    prepare_folder(plan)?;
    beside.start(&connector, clock)?;
    open_log(log, &plan.report.artifacts.log(), progress);
    let mut provenance = describe(plan, &dataset, &endpoint, &connector, clock, stop)?;
    let (journal, sinks) = create_journal(plan, clock, workers, tap.as_ref())?;
    journal.note(PROVENANCE, &provenance.render());
    let counter = tokenizer.clone();
    let live = Live::start(&plan.report.artifacts.dir, journal.follow(), move || Ok(counter));

    beside.load_begins(stop);
    let meter = Meter::start(clock);
    progress.stage(Stage::Configured { seconds: meter.at.since(clock.anchor()) as f64 / 1e9 });
    let unfinished =
        |source| RunError::Unfinished { dir: plan.report.artifacts.dir.clone(), source: Box::new(source) };
    let stats = Arc::new(RunStats::new(phases.plans.len(), workers.get()));
    let failures = FailureLimit::of(plan);
    let too_many_failed = AtomicBool::new(false);
    let watch = Watch {
        plans: &phases.plans,
        stats: &stats,
        stop,
        journal: &journal,
        progress,
        failures,
        too_many_failed: &too_many_failed,
    };
    let company = Company { stats: Arc::clone(&stats), stop, attendant: &beside };
    let driven = drive(config, &phases, sinks, clock, company, watch);
    beside.load_ended();
    // Whatever the tap still holds reaches the journal before it is closed, also when the engine failed.
    let packets = tap.map(|tap| packet_facts(&tap.close()));
    let report = driven.map_err(|error| match error {
        // Nothing of the measured load was sent: there is nothing to report, and nothing to mend but the cause.
        RunError::Engine(EngineError::Objection { source, .. }) => RunError::Objection(source),
        error => unfinished(error),
    })?;
    let host = meter.host_facts(&report, workers, clock);

    observe::after(&mut provenance, &phases, &endpoint, &tokenizer, &report, clock);
    journal.note(PROVENANCE, &provenance.render());
    let too_many_failed = too_many_failed.into_inner();
    let ended = Ended { host, packets, engine: report, too_many_failed };
    journal.note(ENDED, &serde_json::to_string(&ended).expect("a report is plain data"));
    let kept = journal.close();
    if let Ok(stats) = &kept {
        warn_of_losses(stats, progress);
    }
    beside.finish(stop);
    // Whatever the journal holds is reported, also when it could not hold everything.
    let result = live.finish(records_of(&ended), progress).map_err(unfinished)?;
    Ok(match kept {
        Ok(_) => result,
        Err(error) => result.with_lost_records(error),
    })
}

/// Says what of the prompts may not be as meant.
fn warn_of_inputs(plan: &RunPlan, tokenizer: &Tokenizer, dataset: &Dataset, progress: &dyn Progress) {
    if plan.report.apply_chat_template && !tokenizer.has_template() {
        let note = "--apply-chat-template: no chat template lies beside the tokenizer: prompts are counted as their text";
        progress.note(Level::Warning, note);
    }
    for warning in dataset.warnings() {
        progress.note(Level::Warning, &warning);
    }
}

fn engine_config(plan: &RunPlan, endpoint: &Arc<Endpoint>, workers: NonZeroUsize) -> EngineConfig {
    EngineConfig {
        workers,
        targets: plan.targets.clone(),
        endpoint: Arc::clone(endpoint),
        connector: plan.connector.clone(),
        request_timeout_ns: plan.request_timeout_ns,
        drain_on_interrupt_ns: plan.drain_on_interrupt_ns,
        capture: plan.report.outputs.capture(),
        policy: plan.policy,
        seed: plan.report.root(),
        // The benchmark id is random: two runs of one seed do not share request ids.
        ids: plan.report.root().child(&format!("ids:{}", plan.report.benchmark_id)),
    }
}

/// Goes on with the log in the run's folder. A run without a log is a run all the same.
fn open_log(log: &RunLog, path: &Path, progress: &dyn Progress) {
    if let Err(error) = log.open(path) {
        progress.note(Level::Warning, &format!("there is no log: {}: {error}", path.display()));
    }
}

/// The journal, and a sink for each worker, through the tap where there is one.
fn create_journal(
    plan: &RunPlan,
    clock: SystemClock,
    workers: NonZeroUsize,
    tap: Option<&PacketTap>,
) -> Result<(Journal, Vec<Box<dyn RecordSink>>), RunError> {
    let header = JournalHeader {
        schema_version: NOTES_VERSION,
        loadgen_version: env!("CARGO_PKG_VERSION").to_owned(),
        clock_anchor: clock.anchor(),
        plan: serde_json::to_string(&plan.report).expect("a plan is plain data"),
    };
    let (journal, sinks) = Journal::create(&plan.report.artifacts.journal(), &header, workers.get())?;
    let sinks = sinks.into_iter().map(|sink| {
        let sink: Box<dyn RecordSink> = Box::new(sink);
        match tap {
            Some(tap) => tap.sink(sink),
            None => sink,
        }
    });
    Ok((journal, sinks.collect()))
}

/// Says what the journal could not keep.
fn warn_of_losses(stats: &JournalStats, progress: &dyn Progress) {
    let lost = [
        (stats.degraded, "records lost their chunk lists"),
        (stats.bodies_dropped, "records have no payload and no responses in the raw export"),
    ];
    for (count, what) in lost.into_iter().filter(|(count, _)| *count > 0) {
        let why = "a buffer was full, or they were too long; Measurement quality says what helps";
        progress.note(Level::Warning, &format!("{count} {what}: {why}"));
    }
}

/// The packet tap, where arrivals are to be stamped by packets.
fn open_tap(
    plan: &RunPlan,
    connector: &Connector,
    clock: SystemClock,
) -> Result<Option<PacketTap>, RunError> {
    if plan.connector.timestamps != Timestamps::Packet {
        return Ok(None);
    }
    let ports = plan.targets.iter().map(|target| connector.endpoint_port(target)).collect();
    Ok(Some(PacketTap::open(TapConfig { ports, clock })?))
}

fn packet_facts(stats: &PacketStats) -> PacketFacts {
    PacketFacts {
        packets: stats.packets,
        dropped_by_kernel: stats.dropped_by_kernel,
        flows: stats.flows,
        unanchored_flows: stats.unanchored_flows,
        passed_by: stats.passed_by,
        contradicted: stats.contradicted,
    }
}

/// How many records the journal of a run holds.
fn records_of(ended: &Ended) -> u64 {
    ended.engine.phases.iter().map(|phase| phase.counts.finished()).sum()
}

/// Runs the engine, and tells how it stands until it is done.
fn drive(
    config: EngineConfig,
    phases: &Phases,
    sinks: Vec<Box<dyn RecordSink>>,
    clock: SystemClock,
    company: Company<'_>,
    watch: Watch<'_>,
) -> Result<EngineReport, RunError> {
    let progress = watch.progress;
    // Dropped when the engine is done, which whoever waits on the other end learns at once.
    let (running, done) = mpsc::channel();
    thread::scope(|scope| {
        let watching = thread::Builder::new()
            .name("progress".to_owned())
            .spawn_scoped(scope, move || watch.until(&done))
            .is_ok();
        let source = Arc::clone(&phases.source);
        let report = loadgen_engine::run_attended(config, &phases.plans, source, sinks, clock, company);
        drop(running);
        if !watching {
            progress.note(Level::Debug, "no thread could be had to show progress");
        }
        Ok(report?)
    })
}

/// What the host's CPUs had done when the load began, and when that was.
struct Meter {
    cpu: CpuTimes,
    at: Nanos,
}

impl Meter {
    fn start(clock: SystemClock) -> Self {
        Self { cpu: CpuTimes::read(), at: clock.now() }
    }

    /// How the host was from the start to now. The CPU that was used is set against the time in which it was
    /// used: recording what was left unsent may take longer than the phases.
    fn host_facts(&self, report: &EngineReport, workers: NonZeroUsize, clock: SystemClock) -> HostFacts {
        let wall_ns = clock.now().since(self.at);
        let after = CpuTimes::read();
        let machine = after.machine_since(&self.cpu);
        HostFacts {
            wall_seconds: wall_ns as f64 / 1e9,
            cores: thread::available_parallelism().unwrap_or(workers).get() as u32,
            process_cpu_seconds: after.process_since(&self.cpu).map(|ns| ns as f64 / 1e9),
            machine_busy_share: machine.map(|(busy, _)| busy),
            steal_share: machine.map(|(_, steal)| steal),
            worker_busy_shares: report
                .workers
                .iter()
                // A worker that was given nothing to do has no share.
                .filter(|worker| worker.wall_ns > 0)
                .filter_map(|worker| Some(worker.busy_ns? as f64 / worker.wall_ns as f64))
                .collect(),
            missing_stamps: report.phases.iter().map(|phase| phase.counts.unstamped_reads).sum(),
            clock_steps: report.phases.iter().map(|phase| phase.counts.clock_steps).sum(),
        }
    }
}
