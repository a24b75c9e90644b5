//! Observing what a result depends on: the client, the host, the inputs, the network, the server.

use std::collections::BTreeMap;
use std::fs;

use loadgen_core::{Clock, RequestSource, SystemClock};
use loadgen_engine::EngineReport;
use loadgen_telemetry::{ServerFacts, observe_servers};
use loadgen_tokens::Tokenizer;
use loadgen_wire::{Connector, Endpoint, REDACTED, Timestamps, is_secret_name, redact};
use loadgen_workload::Dataset;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::error::RunError;
use crate::host::Host;
use crate::phases::Phases;
use crate::plan::RunPlan;
use crate::provenance::Provenance;
use crate::redact_file::without_secrets;

/// Bodies are hashed after the run as long as they are no more than this, so that results never wait
/// long for it: a second at most where the processor has no instructions for SHA-256.
const HASHED_BYTES_AT_MOST: u64 = 256 << 20;

/// Everything that is known before the first request, but for the servers.
pub(crate) fn before(plan: &RunPlan, dataset: &Dataset, clock: SystemClock) -> Result<Provenance, RunError> {
    let mut provenance = Provenance::default();
    provenance.observe("loadgen.version", Some(env!("CARGO_PKG_VERSION")));
    provenance
        .observe("loadgen.target", Some(format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS)));
    provenance.observe("run.command_line", Some(plan.report.command_line.clone()));
    provenance.observe("run.plan", Some(resolved_plan(plan)));
    provenance.observe("run.seed", Some(plan.report.seed));
    provenance.observe("run.started", Some(clock.now().0));
    provenance.observe("run.timestamp_source", Some(timestamps(plan)));
    provenance.observe("inputs.tokenizer", Some(plan.report.tokenizer_name.clone()));
    provenance.observe("inputs.trace_file", dataset.file().map(|file| file.path.display().to_string()));
    provenance.observe("inputs.trace_sha256", dataset.sha256());
    provenance.observe("server.urls", Some(plan.report.urls.clone()));
    provenance.observe("server.kind", plan.server_kind.clone());
    observe_host(&mut provenance);
    for (name, value) in &plan.declarations {
        let shown = if is_secret_name(name) { REDACTED.into() } else { redact(value) };
        provenance.declare(name, shown.into_owned());
    }
    attach(&mut provenance, plan)?;
    Ok(provenance)
}

/// What only the run itself could tell.
pub(crate) fn after(
    provenance: &mut Provenance,
    phases: &Phases,
    endpoint: &Endpoint,
    tokenizer: &Tokenizer,
    report: &EngineReport,
    clock: SystemClock,
) {
    provenance.observe("run.ended", Some(clock.now().0));
    provenance.observe("run.workers", Some(report.workers.len()));
    let sent: u64 = report.phases.iter().map(|phase| phase.counts.sent).sum();
    let bytes: u64 = report.phases.iter().map(|phase| phase.counts.request_bytes).sum();
    if bytes <= HASHED_BYTES_AT_MOST {
        provenance.observe("inputs.bodies_sha256", bodies_hash(phases.source.as_ref(), endpoint, sent));
    }
    provenance.observe("inputs.tokenizer_sha256", Some(tokenizer.fingerprint()));
}

fn timestamps(plan: &RunPlan) -> &'static str {
    match plan.connector.timestamps {
        Timestamps::Packet => "packet",
        Timestamps::Kernel => "kernel",
        Timestamps::User => "user",
    }
}

/// The plan as resolved: what is stored for reports, the workload, and the load.
fn resolved_plan(plan: &RunPlan) -> Value {
    let load = |phase: &crate::plan::PhaseLoad| {
        let shape = match &phase.shape {
            crate::plan::LoadShape::FixedSchedule { cap } => json!({ "fixed_schedule": { "cap": cap } }),
            crate::plan::LoadShape::Rate { process, cap } => {
                json!({ "rate": { "process": process, "cap": cap } })
            }
            crate::plan::LoadShape::Closed { concurrency } => {
                json!({ "closed": { "concurrency": concurrency } })
            }
        };
        json!({ "shape": shape, "stop": phase.stop, "prefill": phase.prefill })
    };
    json!({
        "report": plan.report,
        "endpoint": plan.endpoint,
        "connector": plan.connector,
        "workload": plan.workload,
        "warmup": plan.warmup.as_ref().map(load),
        "profiling": load(&plan.profiling),
        "cancellation": plan.cancellation,
        "policy": plan.policy,
        "workers": plan.workers,
        "request_timeout_ns": plan.request_timeout_ns,
        "drain_on_interrupt_ns": plan.drain_on_interrupt_ns,
    })
}

fn observe_host(provenance: &mut Provenance) {
    let host = Host::read();
    provenance.observe("host.name", host.name);
    provenance.observe("host.kernel", host.kernel);
    provenance.observe("host.cpu", host.cpu);
    provenance.observe("host.cores", host.cores);
    provenance.observe("host.open_files_limit", host.open_files_limit);
    provenance.observe("host.clock_source", host.clock_source);
}

/// Asks each server who it is. It takes round trips, so it is asked while other work is done.
pub(crate) fn ask_servers(plan: &RunPlan, connector: &Connector, clock: SystemClock) -> Vec<ServerFacts> {
    observe_servers(&plan.targets, connector, &plan.endpoint, clock)
}

/// Notes what the servers told. One that did not answer leaves its facts unknown.
pub(crate) fn servers(provenance: &mut Provenance, plan: &RunPlan, facts: &[ServerFacts]) {
    let urls = || plan.report.urls.iter().cloned();
    let secrets = plan.endpoint.secrets();
    let round_trips: BTreeMap<String, f64> =
        urls().zip(facts).filter_map(|(url, facts)| Some((url, facts.round_trip_ns? as f64 / 1e6))).collect();
    provenance.observe("network.round_trip_ms", (!round_trips.is_empty()).then(|| json!(round_trips)));
    let mut told = |name: &str, of: fn(&ServerFacts) -> Option<Value>| {
        let told: BTreeMap<String, Value> = urls()
            .zip(facts)
            .filter_map(|(url, facts)| Some((url, without_secrets_told(of(facts)?, &secrets))))
            .collect();
        provenance.observe(name, (!told.is_empty()).then(|| json!(told)));
    };
    told("network.http_version", |facts| facts.http_version.clone().map(Value::from));
    told("network.tls_version", |facts| facts.tls_version.clone().map(Value::from));
    told("server.header", |facts| facts.server_header.clone().map(Value::from));
    told("server.version", |facts| facts.version.clone());
    told("server.models", |facts| facts.models.clone());
}

/// What a server told, less what it repeated of the secrets that it was sent: those as they are, and whatever
/// looks like one.
fn without_secrets_told(told: Value, secrets: &[String]) -> Value {
    match told {
        Value::String(text) => {
            let text = secrets.iter().fold(text, |text, secret| text.replace(secret, REDACTED));
            Value::from(redact(&text).into_owned())
        }
        Value::Array(items) => items.into_iter().map(|item| without_secrets_told(item, secrets)).collect(),
        Value::Object(fields) => {
            fields.into_iter().map(|(name, value)| (name, without_secrets_told(value, secrets))).collect()
        }
        other => other,
    }
}

/// Copies attached files beside the results, secrets removed, and notes their hashes.
fn attach(provenance: &mut Provenance, plan: &RunPlan) -> Result<(), RunError> {
    let folder = plan.report.artifacts.attachments();
    for path in &plan.attachments {
        let bytes = fs::read(path).map_err(RunError::read(path))?;
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        fs::create_dir_all(&folder).map_err(RunError::write(&folder))?;
        let copy = folder.join(&name);
        fs::write(&copy, without_secrets(&bytes)).map_err(RunError::write(&copy))?;
        let facts = json!({ "sha256": format!("{:x}", Sha256::digest(&bytes)), "copy": format!("attachments/{name}") });
        provenance.declare(&format!("attachment.{name}"), facts);
    }
    Ok(())
}

/// SHA-256, in hex, over the first turns of the first `sessions` sessions in order: of each its
/// number (8 bytes, big-endian), the length of its body (likewise) and its body. `None` when a body
/// cannot be made.
pub(crate) fn bodies_hash(source: &dyn RequestSource, endpoint: &Endpoint, sessions: u64) -> Option<String> {
    let mut hash = Sha256::new();
    for ordinal in 0..sessions {
        let Some(turn) = source.session(ordinal).and_then(|mut session| session.next_turn(None)) else {
            break;
        };
        let body = endpoint.body(&turn).ok()?;
        hash.update(ordinal.to_be_bytes());
        hash.update((body.len() as u64).to_be_bytes());
        body.pieces().iter().for_each(|piece| hash.update(piece));
    }
    Some(format!("{:x}", hash.finalize()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_key_that_a_server_repeats_is_not_kept() {
        let secrets = ["hunter2".to_owned()];
        let told = json!({ "version": "1 (hunter2)", "ids": ["demo", "Bearer abcdef123456"], "build": 7 });
        let kept = without_secrets_told(told, &secrets);
        assert_eq!(kept["version"], format!("1 ({REDACTED})"));
        assert!(!kept.to_string().contains("abcdef123456"), "{kept}");
        assert_eq!((&kept["ids"][0], &kept["build"]), (&json!("demo"), &json!(7)));
        assert_eq!(without_secrets_told(json!("vllm"), &[]), "vllm");
    }
}
