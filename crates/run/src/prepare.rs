//! What a run does before its load: read what it sends, make its folder, write down its inputs.
//!
//! All of it ends soon after an interrupt. What this does not do: connect anything but what asks the servers who
//! they are.

use std::fs;
use std::io::BufWriter;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use loadgen_core::{SystemClock, Turn};
use loadgen_engine::StopSignal;
use loadgen_record::PartialFile;
use loadgen_report::InputsJson;
use loadgen_tokens::Tokenizer;
use loadgen_wire::{Connector, Endpoint, EndpointError, redact_body};
use loadgen_workload::{Dataset, Origin, TraceFormat, WorkloadConfig};

use crate::error::RunError;
use crate::observe;
use crate::plan::{ReportPlan, RunPlan};
use crate::provenance::Provenance;

/// The tokenizer, and what is sent. Large ones take seconds, and nothing in them listens for an interrupt.
pub(crate) fn load(plan: &RunPlan, stop: &StopSignal) -> Result<(Tokenizer, Dataset), RunError> {
    let (report, workload) = (plan.report.clone(), plan.workload.clone());
    unless_interrupted(stop, move || read(&report, &workload))
}

/// Reads the tokenizer, and makes or reads what is sent.
pub(crate) fn read(report: &ReportPlan, workload: &WorkloadConfig) -> Result<(Tokenizer, Dataset), RunError> {
    let tokenizer = report.load_tokenizer()?;
    let origin = Origin { seed: report.root(), is_given: report.random_seed.is_some() };
    let models: Vec<Arc<str>> = report.models.iter().map(|model| Arc::from(model.as_str())).collect();
    let dataset = Dataset::load(workload, &tokenizer, origin, &models)?.without_secrets(redact_body);
    Ok((tokenizer, dataset))
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
pub(crate) fn describe(
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
pub(crate) fn prepare_folder(plan: &RunPlan) -> Result<(), RunError> {
    let artifacts = &plan.report.artifacts;
    for folder in [artifacts.dir.clone(), artifacts.prefixed_folder()] {
        fs::create_dir_all(&folder).map_err(|source| RunError::Folder { path: folder, source })?;
    }
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
        let bodies = shown_bodies(endpoint, &entry.turns, stop)?;
        let payloads = bodies.iter().map(|body| &body[..]);
        inputs.session(&entry.session_id, payloads).map_err(RunError::write(path))?;
    }
    let file = inputs.finish().map_err(RunError::write(path))?;
    let written = file.into_inner().map_err(std::io::IntoInnerError::into_error);
    Ok(written.map_err(RunError::write(path))?.commit()?)
}

/// The bodies of one conversation. Each may take long, where a template makes it: one looks for an interrupt
/// before each.
fn shown_bodies(endpoint: &Endpoint, turns: &[Turn], stop: &StopSignal) -> Result<Vec<Vec<u8>>, RunError> {
    let body = |turn| {
        if stop.is_interrupted() {
            return Err(RunError::InterruptedWhilePreparing);
        }
        Ok(shown_body(endpoint, turn)?)
    };
    turns.iter().map(body).collect()
}

/// A turn's body as a file may hold it.
fn shown_body(endpoint: &Endpoint, turn: &Turn) -> Result<Vec<u8>, EndpointError> {
    let whole = endpoint.body(turn)?.to_bytes();
    Ok(endpoint.without_secrets(turn, &whole).unwrap_or_else(|| whole.into()))
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
        // Within a conversation too.
        let entry = dataset.entries().next().unwrap();
        let error = shown_bodies(&endpoint, &entry.turns, &stop).unwrap_err();
        assert!(matches!(error, RunError::InterruptedWhilePreparing), "{error}");
    }
}
