//! The files that are written once all records are in.
//!
//! Each is written beside its place and then put there, so none is ever half written. The ready
//! marker comes last.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use loadgen_metrics::{Quality, QualityInput, RunFacts, ScheduleFacts, Summary};
use loadgen_record::keys;
use loadgen_report::console::{self, Options};
use loadgen_report::{RunInfo, html, summary_csv, summary_json};

use super::pass::Done;
use super::{Collected, RunResult, report};
use crate::artifacts::Artifacts;
use crate::error::RunError;
use crate::notes::Notes;
use crate::plan::ReportPlan;
use crate::provenance::Provenance;

/// Why results of a run that did not end in order are incomplete.
const KILLED: &str = "The run ended before it was done: these are the requests its journal holds.";
/// AIPerf's words for a run that was interrupted.
const INTERRUPTED: &str = "Run cancelled before all records were processed.";

/// Writes them.
pub(super) fn write(done: Done, plan: ReportPlan, artifacts: Artifacts) -> Result<RunResult, RunError> {
    let Collected { summary, quality, timeline, notes } = done.collected;
    let quality = judge(quality, &summary, &notes, &plan);
    let info = run_info(&plan, &notes);
    let fell_behind = notes.ended.as_ref().and_then(|ended| ended.engine.fell_behind);
    let provenance = notes.provenance.unwrap_or_default();
    if let Some(mut parquet) = done.parquet {
        parquet.add_metadata(keys::TIMESTAMP_SOURCE, quality.timestamp_source.name().to_owned());
        parquet.add_metadata(keys::PROVENANCE_SHA256, provenance.sha256());
        parquet.add_metadata(keys::HOST, host_name(&provenance));
        parquet.add_metadata(keys::MEASUREMENT_QUALITY, compact(&quality));
        parquet.finish()?;
    }
    put(&artifacts.measurement_quality(), &(pretty(&quality) + "\n"))?;
    put(&artifacts.provenance(), &provenance.render())?;

    let succeeded = summary.counts.ok > 0;
    let files = files(&plan, &artifacts, succeeded);
    let slos = done.config.slos;
    let view = report(&summary, &info, &slos, &quality, &timeline, &files);
    // As AIPerf: without a single success there is nothing to sum up.
    if succeeded {
        put(&artifacts.summary_json(), &summary_json(&summary, &info))?;
        put(&artifacts.summary_csv(), &summary_csv(&summary, plan.outputs.gpu_sections))?;
        put(&artifacts.console_txt(), &console::blocks(&view, Options::file(false)))?;
    }
    if plan.outputs.html {
        put(&artifacts.html(), &html::page(&view))?;
    }
    if succeeded {
        ready(&artifacts.ready_marker(), info.was_cancelled, info.incomplete_reason.is_some())?;
    }
    Ok(RunResult { summary, quality, artifacts, fell_behind, plan, info, slos, timeline, files })
}

/// The verdict on the client.
fn judge(input: QualityInput, summary: &Summary, notes: &Notes, plan: &ReportPlan) -> Quality {
    let ceiling = plan.ceiling.clone();
    let Some(ended) = &notes.ended else {
        let due = summary.counts.scheduled();
        let schedule = ScheduleFacts { due, ..ScheduleFacts::default() };
        return input.judge(RunFacts { schedule, ceiling, ..RunFacts::default() }, summary);
    };
    let profiling = ended.engine.phases.iter().find(|phase| phase.phase == loadgen_core::Phase::Profiling);
    let counts = profiling.map(|phase| phase.counts).unwrap_or_default();
    // Under a cap arrivals wait by plan, and an interrupt is the user's: neither is the client's.
    let excused = plan.waits_for_slots || ended.engine.was_interrupted;
    let schedule = ScheduleFacts {
        due: counts.scheduled,
        // What was left out as too late is the client's, under a cap too.
        unsent_by_client: if excused { counts.skipped_late.min(counts.not_sent) } else { counts.not_sent },
        skipped_ticks: counts.skipped,
        delayed: counts.delayed,
        retried_stale: counts.retried_stale,
        caught_up: counts.caught_up,
        skipped_late: counts.skipped_late,
        governed: counts.governed,
        waits_for_replies: plan.waits_for_replies,
    };
    let (host, packets) = (ended.host.clone(), ended.packets);
    input.judge(RunFacts { host, schedule, packets, ceiling }, summary)
}

fn run_info(plan: &ReportPlan, notes: &Notes) -> RunInfo {
    let interrupted = notes.ended.as_ref().map(|ended| ended.engine.was_interrupted);
    let fell_behind = notes.ended.as_ref().and_then(|ended| ended.engine.fell_behind);
    let incomplete_reason = match interrupted {
        None => Some(KILLED.to_owned()),
        Some(true) => Some(INTERRUPTED.to_owned()),
        Some(false) => fell_behind.map(|behind| behind.to_string()),
    };
    RunInfo {
        loadgen_version: env!("CARGO_PKG_VERSION").to_owned(),
        benchmark_id: plan.benchmark_id.clone(),
        random_seed: plan.random_seed,
        trial: 0,
        cli_command: plan.command_line.clone(),
        input_config: plan.input_config.as_object().cloned().unwrap_or_default(),
        was_cancelled: interrupted.unwrap_or(true),
        incomplete_reason,
        gpu_telemetry: plan.outputs.gpu_sections,
        facts: facts(plan),
        ..RunInfo::default()
    }
}

/// What was run, for the page's head.
fn facts(plan: &ReportPlan) -> Vec<(String, String)> {
    let mut facts = vec![
        ("Model".to_owned(), plan.models.join(", ")),
        ("Server".to_owned(), plan.urls.join(", ")),
        ("Load".to_owned(), plan.load_in_words.clone()),
        ("Workload".to_owned(), plan.workload_in_words.clone()),
        ("Tokenizer".to_owned(), plan.tokenizer_name.clone()),
        ("Seed".to_owned(), plan.seed.to_string()),
    ];
    if let Some(goodput) = &plan.goodput {
        facts.push(("Goodput".to_owned(), goodput.clone()));
    }
    facts
}

/// The files of a finished run, in AIPerf's order and words, then ours.
fn files(plan: &ReportPlan, artifacts: &Artifacts, succeeded: bool) -> Vec<(String, PathBuf)> {
    [
        (succeeded, "CSV Export", artifacts.summary_csv()),
        (succeeded, "JSON Export", artifacts.summary_json()),
        (plan.outputs.records, "Records", artifacts.records_jsonl()),
        (plan.outputs.parquet, "Parquet", artifacts.parquet()),
        (plan.outputs.html, "Report", artifacts.html()),
        (true, "Measurement Quality", artifacts.measurement_quality()),
        (true, "Provenance", artifacts.provenance()),
    ]
    .into_iter()
    .filter(|(wanted, ..)| *wanted)
    .map(|(_, label, path)| (label.to_owned(), path))
    .collect()
}

fn host_name(provenance: &Provenance) -> String {
    let name =
        provenance.facts.get("host.name").and_then(|fact| fact.value.as_ref()).and_then(|name| name.as_str());
    name.unwrap_or("unknown").to_owned()
}

fn compact(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("plain data serialises")
}

fn pretty(value: &impl serde::Serialize) -> String {
    serde_json::to_string_pretty(value).expect("plain data serialises")
}

/// Where a file is written before it is put in its place.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".partial");
    name.into()
}

/// Writes a file beside its place and puts it there.
pub(crate) fn put(path: &Path, text: &str) -> Result<(), RunError> {
    let partial = beside(path);
    fs::write(&partial, text).map_err(RunError::write(&partial))?;
    fs::rename(&partial, path).map_err(RunError::write(path))
}

/// Says that everything is there. Readable by its owner alone, as AIPerf's.
fn ready(path: &Path, was_cancelled: bool, partial: bool) -> Result<(), RunError> {
    let text = format!(r#"{{"ready":true,"was_cancelled":{was_cancelled},"partial":{partial}}}"#);
    let mut options = fs::OpenOptions::new();
    let opened = options.write(true).create(true).truncate(true).mode(0o600).open(path);
    opened.and_then(|mut file| file.write_all(text.as_bytes())).map_err(RunError::write(path))
}
