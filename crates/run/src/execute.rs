//! One run: prepare the folder and the dataset, drive the load, finish.

use std::fs;
use std::io::BufWriter;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use loadgen_core::{Clock, RecordSink, SystemClock};
use loadgen_engine::{
    Company, EngineConfig, EngineError, EngineReport, RunStats, StopSignal, default_workers, limits,
};
use loadgen_metrics::{HostFacts, PacketFacts};
use loadgen_record::{Journal, JournalHeader, PartialFile};
use loadgen_report::InputsJson;
use loadgen_tokens::Tokenizer;
use loadgen_wire::{Body, Connector, Endpoint, PacketStats, PacketTap, TapConfig, Timestamps, redact_body};
use loadgen_workload::{Dataset, Origin, TraceFormat, WorkloadConfig};

use crate::error::RunError;
use crate::finish::{Live, RunResult};
use crate::host::CpuTimes;
use crate::log::RunLog;
use crate::notes::{ENDED, Ended, PROVENANCE};
use crate::observe;
use crate::phases::Phases;
use crate::plan::RunPlan;
use crate::progress::{Both, Level, Progress, Stage};
use crate::provenance::Provenance;
use crate::rehearse::{check_folder, try_first_body};
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
    carry_out(plan, &watchers, &log, stop).inspect_err(|error| lines.note(Level::Warning, &error.to_string()))
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
    if plan.report.apply_chat_template && !tokenizer.has_template() {
        let note = "--apply-chat-template: no chat template lies beside the tokenizer: prompts are counted as their text";
        progress.note(Level::Warning, note);
    }
    for warning in dataset.warnings() {
        progress.note(Level::Warning, &warning);
    }
    let endpoint = Arc::new(Endpoint::new(plan.endpoint.clone())?);
    let phases = Phases::of(plan, &dataset)?;
    // Whatever is wrong with the plan, or with this host for it, shows before anything is written.
    let connector = Connector::new(plan.connector.clone(), clock)?;
    plan.targets.iter().try_for_each(|target| connector.warm_up(target))?;
    let workers = default_workers(plan.workers.and_then(NonZeroUsize::new));
    let config = EngineConfig {
        workers,
        targets: plan.targets.clone(),
        endpoint: Arc::clone(&endpoint),
        connector: plan.connector.clone(),
        request_timeout_ns: plan.request_timeout_ns,
        drain_on_interrupt_ns: plan.drain_on_interrupt_ns,
        capture: plan.report.outputs.capture(),
        policy: plan.policy,
        seed: plan.report.root(),
        // The benchmark id is random: two runs of one seed do not share request ids.
        ids: plan.report.root().child(&format!("ids:{}", plan.report.benchmark_id)),
    };
    for warning in limits::prepare(&config, &phases.plans)? {
        progress.note(Level::Warning, &warning.to_string());
    }
    try_first_body(&dataset, &endpoint)?;
    check_folder(&plan.report.artifacts.dir)?;
    let tap = open_tap(plan, &connector, clock)?;
    // The plan is good: from here on the run is seen to be under way.
    progress.0.stage(Stage::Configuring);
    let beside = Beside::prepare(plan, &connector, clock, progress, stop)?;
    prepare_folder(plan)?;
    beside.start(&connector, clock)?;
    if let Err(error) = log.open(&plan.report.artifacts.log()) {
        progress.note(
            Level::Warning,
            &format!("there is no log: {}: {error}", plan.report.artifacts.log().display()),
        );
    }
    let mut provenance = prepare(plan, &dataset, &endpoint, &connector, clock, stop)?;
    let header = JournalHeader {
        schema_version: NOTES_VERSION,
        loadgen_version: env!("CARGO_PKG_VERSION").to_owned(),
        clock_anchor: clock.anchor(),
        plan: serde_json::to_string(&plan.report).expect("a plan is plain data"),
    };
    let (journal, sinks) = Journal::create(&plan.report.artifacts.journal(), &header, workers.get())?;
    journal.note(PROVENANCE, &provenance.render());
    let counter = tokenizer.clone();
    let live = Live::start(&plan.report.artifacts.dir, journal.follow(), move || Ok(counter));

    let sinks = sinks.into_iter().map(|sink| {
        let sink: Box<dyn RecordSink> = Box::new(sink);
        match &tap {
            Some(tap) => tap.sink(sink),
            None => sink,
        }
    });
    beside.load_begins(stop);
    let before = (CpuTimes::read(), clock.now());
    progress.stage(Stage::Configured { seconds: before.1.since(clock.anchor()) as f64 / 1e9 });
    let unfinished =
        |source| RunError::Unfinished { dir: plan.report.artifacts.dir.clone(), source: Box::new(source) };
    let company = Company {
        stats: Arc::new(RunStats::new(phases.plans.len(), workers.get())),
        stop,
        attendant: &beside,
    };
    let driven =
        drive(config, &phases, sinks.collect(), clock, company, &journal, progress, FailureLimit::of(plan));
    beside.load_ended();
    // Whatever the tap still holds reaches the journal before it is closed, also when the engine failed.
    let packets = tap.map(|tap| packet_facts(&tap.close()));
    let report = match driven {
        // Nothing of the measured load was sent: there is nothing to report, and nothing to mend but the cause.
        Err(RunError::Engine(EngineError::Objection { source, .. })) => {
            return Err(RunError::Objection(source));
        }
        driven => driven.map_err(unfinished)?,
    };
    // The CPU that was used is set against the time in which it was used: recording what was left unsent
    // may take longer than the phases.
    let wall_ns = clock.now().since(before.1);
    let cpu = (before.0, CpuTimes::read());

    observe::after(&mut provenance, &phases, &endpoint, &tokenizer, &report, clock);
    journal.note(PROVENANCE, &provenance.render());
    let ended = Ended { host: host_facts(&report, workers.get(), &cpu, wall_ns), packets, engine: report };
    journal.note(ENDED, &serde_json::to_string(&ended).expect("a report is plain data"));
    let kept = journal.close();
    if let Ok(stats) = &kept {
        let lost = [
            (stats.degraded, "records lost their chunk lists"),
            (stats.bodies_dropped, "records have no payload and no responses in the raw export"),
        ];
        for (count, what) in lost.into_iter().filter(|(count, _)| *count > 0) {
            progress
                .note(Level::Warning, &format!("{count} {what}: a buffer was full, or they were too long"));
        }
    }
    beside.finish(stop);
    // Whatever the journal holds is reported, also when it could not hold everything.
    let result = live.finish(records_of(&ended), progress).map_err(unfinished)?;
    Ok(match kept {
        Ok(_) => result,
        Err(error) => result.with_lost_records(error),
    })
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

/// The tokenizer, and what is sent. Large ones take seconds, and nothing in them listens for an interrupt.
fn load(plan: &RunPlan, stop: &StopSignal) -> Result<(Tokenizer, Dataset), RunError> {
    let (report, workload) = (plan.report.clone(), plan.workload.clone());
    unless_interrupted(stop, move || {
        let tokenizer = report.load_tokenizer()?;
        let origin = Origin { seed: report.root(), is_given: report.random_seed.is_some() };
        let models: Vec<Arc<str>> = report.models.iter().map(|model| Arc::from(model.as_str())).collect();
        let dataset = Dataset::load(&workload, &tokenizer, origin, &models)?;
        Ok((tokenizer, dataset))
    })
}

/// Does what only reads on a thread of its own, and leaves it to itself when the user interrupts.
fn unless_interrupted<T: Send + 'static>(
    stop: &StopSignal,
    work: impl FnOnce() -> Result<T, RunError> + Send + 'static,
) -> Result<T, RunError> {
    /// From one look at the signal to the next.
    const LOOK: Duration = Duration::from_millis(20);
    let (give, given) = mpsc::sync_channel(1);
    // Nobody takes it once the user has interrupted.
    let thread = thread::spawn(move || drop(give.send(work())));
    loop {
        match given.recv_timeout(LOOK) {
            Ok(done) => return done,
            Err(mpsc::RecvTimeoutError::Timeout) if stop.is_interrupted() => {
                return Err(RunError::InterruptedWhilePreparing);
            }
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                let panic = thread.join().expect_err("a thread that gave nothing has panicked");
                std::panic::resume_unwind(panic);
            }
        }
    }
}

/// Writes what is known of the inputs, and asks the servers who they are meanwhile.
fn prepare(
    plan: &RunPlan,
    dataset: &Dataset,
    endpoint: &Endpoint,
    connector: &Connector,
    clock: SystemClock,
    stop: &StopSignal,
) -> Result<Provenance, RunError> {
    thread::scope(|scope| {
        let asked = scope.spawn(|| observe::ask_servers(plan, connector, clock));
        if has_inputs_file(&plan.workload) {
            write_inputs(&plan.report.artifacts.inputs_json(), dataset, endpoint, stop)?;
        }
        let mut provenance = observe::before(plan, dataset, clock)?;
        let told = asked.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        observe::servers(&mut provenance, plan, &told);
        Ok(provenance)
    })
}

/// Makes the folder, and takes away what an earlier run of the same name left there.
fn prepare_folder(plan: &RunPlan) -> Result<(), RunError> {
    let artifacts = &plan.report.artifacts;
    fs::create_dir_all(&artifacts.dir)
        .map_err(|source| RunError::Folder { path: artifacts.dir.clone(), source })?;
    for path in artifacts.all_files() {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(RunError::write(&path)(error));
            }
            _ => {}
        }
    }
    match fs::remove_dir_all(artifacts.phases()) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(RunError::write(artifacts.phases())(error))
        }
        _ => Ok(()),
    }
}

/// Whether the dataset's bodies are written down, as AIPerf does: not those of a trace, nor what is sent
/// as its file has it.
fn has_inputs_file(workload: &WorkloadConfig) -> bool {
    match workload {
        WorkloadConfig::Synthetic(_) => true,
        WorkloadConfig::Trace(file) => match file.format {
            TraceFormat::SingleTurn | TraceFormat::MultiTurn | TraceFormat::RandomPool => true,
            TraceFormat::Mooncake | TraceFormat::RawPayload | TraceFormat::InputsJson => false,
        },
    }
}

/// The request bodies of a dataset, as they would be sent, without history. There is no file where `stop` is
/// given before all of them are made.
fn write_inputs(
    path: &Path,
    dataset: &Dataset,
    endpoint: &Endpoint,
    stop: &StopSignal,
) -> Result<(), RunError> {
    let file = BufWriter::new(PartialFile::create(path)?);
    let mut inputs = InputsJson::new(file).map_err(RunError::write(path))?;
    for entry in dataset.entries() {
        if stop.is_interrupted() {
            return Err(RunError::InterruptedWhilePreparing);
        }
        let bodies: Vec<_> = entry
            .turns
            .iter()
            .map(|turn| Ok(shown_body(&endpoint.body(turn)?)))
            .collect::<Result<_, RunError>>()?;
        let payloads = bodies.iter().map(|body| &body[..]);
        inputs.session(&entry.session_id, payloads).map_err(RunError::write(path))?;
    }
    let file = inputs.finish().map_err(RunError::write(path))?;
    let written = file.into_inner().map_err(std::io::IntoInnerError::into_error);
    Ok(written.map_err(RunError::write(path))?.commit()?)
}

/// A body as a file may hold it.
fn shown_body(body: &Body) -> Vec<u8> {
    let whole = body.to_bytes();
    redact_body(&whole).unwrap_or_else(|| whole.into())
}

/// Runs the engine, and tells how it stands until it is done.
fn drive(
    config: EngineConfig,
    phases: &Phases,
    sinks: Vec<Box<dyn RecordSink>>,
    clock: SystemClock,
    company: Company<'_>,
    journal: &Journal,
    progress: &dyn Progress,
    failures: Option<FailureLimit>,
) -> Result<EngineReport, RunError> {
    let (stats, stop) = (Arc::clone(&company.stats), company.stop);
    // Dropped when the engine is done, which whoever waits on the other end learns at once.
    let (running, done) = mpsc::channel();
    let watch = Watch { plans: &phases.plans, stats: &stats, stop, journal, progress, failures };
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

/// How the host was during the run.
fn host_facts(
    report: &EngineReport,
    workers: usize,
    (before, after): &(CpuTimes, CpuTimes),
    wall_ns: i64,
) -> HostFacts {
    let machine = after.machine_since(before);
    HostFacts {
        wall_seconds: wall_ns as f64 / 1e9,
        cores: thread::available_parallelism().map_or(workers, NonZeroUsize::get) as u32,
        process_cpu_seconds: after.process_since(before).map(|ns| ns as f64 / 1e9),
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use loadgen_core::Seed;
    use loadgen_wire::{EndpointConfig, EndpointKind};
    use loadgen_workload::SyntheticConfig;

    use super::*;

    #[test]
    fn what_takes_long_to_load_is_left_when_the_user_interrupts() {
        let stop = StopSignal::new();
        assert_eq!(unless_interrupted(&stop, || Ok(5)).unwrap(), 5);
        // Loading that never ends, until the test does.
        let (end, never) = mpsc::channel::<()>();
        stop.interrupt();
        let left = unless_interrupted(&stop, move || Ok(never.recv().is_err()));
        assert!(matches!(left, Err(RunError::InterruptedWhilePreparing)), "{left:?}");
        drop(end);
    }

    #[test]
    fn prompts_are_made_no_longer_than_until_an_interrupt() {
        let workload =
            WorkloadConfig::Synthetic(SyntheticConfig { entries: 3, ..SyntheticConfig::default() });
        let origin = Origin { seed: Seed(1), is_given: true };
        let dataset = Dataset::load(&workload, &Tokenizer::builtin(), origin, &["m".into()]).unwrap();
        let endpoint = Endpoint::new(EndpointConfig::new(EndpointKind::Chat, true)).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("inputs.json");
        let stop = StopSignal::new();
        write_inputs(&path, &dataset, &endpoint, &stop).unwrap();
        assert!(path.is_file());
        fs::remove_file(&path).unwrap();

        stop.interrupt();
        let error = write_inputs(&path, &dataset, &endpoint, &stop).unwrap_err();
        assert!(matches!(error, RunError::InterruptedWhilePreparing), "{error}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left half written");
    }
}
