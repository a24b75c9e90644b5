//! The files that are written once all records are in.
//!
//! Each is written beside its place and then put there, so none is ever half written, and each on its
//! own: see [`files`](super::files). The ready marker comes last.

use std::fs;
use std::io::{BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use loadgen_metrics::{Quality, QualityInput, RunFacts, ScheduleFacts, Summary};
use loadgen_record::{PartialFile, keys};
use loadgen_report::console::{self, Options};
use loadgen_report::{Report, RunInfo, html, outputs_json, summary_csv, summary_json};

use super::files::put;
use super::pass::Done;
use super::sorted::Sorter;
use super::telemetry::Scraped;
use super::{Collected, RunResult, report};
use super::{genai_perf, phases, warnings};
use crate::artifacts::Artifacts;
use crate::error::RunError;
use crate::notes::Notes;
use crate::plan::ReportPlan;
use crate::progress::Progress;
use crate::provenance::Provenance;

/// Why results of a run that did not end in order are incomplete.
const KILLED: &str = "The run ended before it was done: these are the requests its journal holds.";
/// AIPerf's words for a run that was interrupted.
const INTERRUPTED: &str = "Run cancelled before all records were processed.";

/// Writes them, and says what became of them all.
pub(super) fn write(
    done: Done,
    plan: ReportPlan,
    artifacts: Artifacts,
    progress: &dyn Progress,
) -> RunResult {
    let Collected { mut summary, quality, timeline, notes } = done.collected;
    let mut failures = done.failures;
    let mut slices = done.slices;
    let slice_table = std::mem::take(&mut slices.table);
    let quality = judge(quality, &summary, &notes, &plan);
    let mut info = run_info(&plan, &notes);
    let is_killed = notes.ended.is_none();
    // As AIPerf's, the marker tells of an interrupt from outside; the summary of every early end.
    let stopped_itself = notes.ended.as_ref().is_some_and(|ended| ended.too_many_failed);
    let fell_behind = notes.ended.as_ref().and_then(|ended| ended.engine.fell_behind);
    let provenance = notes.provenance.unwrap_or_default();
    failures.end(done.parquet, |mut parquet| {
        parquet.add_metadata(keys::TIMESTAMP_SOURCE, quality.timestamp_source.name().to_owned());
        parquet.add_metadata(keys::PROVENANCE_SHA256, provenance.sha256());
        parquet.add_metadata(keys::HOST, host_name(&provenance));
        parquet.add_metadata(keys::MEASUREMENT_QUALITY, compact(&quality));
        Ok(parquet.finish()?)
    });
    warnings::say(&summary, &plan, info.product != "loadgen", progress);
    failures.put(&artifacts.measurement_quality(), &(pretty(&quality) + "\n"));
    failures.put(&artifacts.provenance(), &provenance.render());

    let succeeded = summary.counts.ok > 0;
    // Phases have no figures of GPUs, so theirs are taken first.
    let of_phases = summary.clone();
    let scraped = Scraped::take_in(&plan, &artifacts, &mut summary, &mut info, &mut failures, progress);
    scraped.write(&plan, &artifacts, &info, &host_name(&provenance), &mut failures);
    let mut files = files(&plan, &artifacts, succeeded);
    files.splice(files.len().min(2)..files.len().min(2), scraped.named_files(&plan, &artifacts));
    let slos = done.config.slos;
    let view = Report {
        servers: scraped.servers(),
        slices: Some(&slice_table),
        ..report(&summary, &info, &slos, &quality, &timeline, &files)
    };
    // As AIPerf: without a single success there is nothing to sum up. What an earlier report of a journal
    // that held more has left would be taken for this one's.
    if !succeeded {
        let files = artifacts.of_success();
        for path in &files {
            failures.note(path, gone(path, fs::remove_file(path)));
        }
        failures.note(&artifacts.phases(), gone(&artifacts.phases(), fs::remove_dir_all(artifacts.phases())));
    }
    if succeeded {
        if let Some(config) = &plan.genai_perf {
            genai_perf::write(&plan, config, &summary, &info, &artifacts, &mut failures);
        } else {
            failures.put(&artifacts.summary_json(), &summary_json(&summary, &info));
            failures.put(&artifacts.summary_csv(), &summary_csv(&summary, info.gpu.as_ref()));
            phases::write(&of_phases, &info, &artifacts, &scraped, &mut failures);
        }
        slices.end(&mut failures, &info.input_config);
        failures
            .put(&artifacts.console_txt(), &console::blocks(&view, Options::file(plan.outputs.trace_timing)));
    }
    // So it does with the answers; the raw lines say why there was none.
    if succeeded {
        let path = artifacts.outputs_json();
        failures.end(done.answers, |sorter| write_answers(&path, sorter));
    }
    if plan.outputs.html {
        failures.put(&artifacts.html(), &html::page(&view));
    }
    if succeeded {
        let marker = artifacts.ready_marker();
        let is_partial = is_killed || !failures.is_empty();
        failures.note(&marker, ready(&marker, info.was_cancelled && !stopped_itself, is_partial));
    }
    files.retain(|(_, path)| !failures.has(path));
    let unwritten = failures.into_error(&artifacts.dir);
    RunResult { summary, quality, artifacts, fell_behind, unwritten, plan, info, slos, timeline, files }
}

/// Writes the file of answers, in order.
fn write_answers(path: &Path, sorter: Sorter) -> Result<(), RunError> {
    let mut file = BufWriter::new(PartialFile::create(path)?);
    let mut is_first = true;
    let put_together = |entry: &[u8]| {
        let before = if std::mem::take(&mut is_first) { outputs_json::HEAD } else { outputs_json::BETWEEN };
        file.write_all(before.as_bytes())?;
        file.write_all(entry)
    };
    sorter.finish(put_together).map_err(RunError::write(path))?;
    let end = if is_first { outputs_json::EMPTY } else { outputs_json::TAIL };
    file.write_all(end.as_bytes()).map_err(RunError::write(path))?;
    let written = file.into_inner().map_err(std::io::IntoInnerError::into_error);
    Ok(written.map_err(RunError::write(path))?.commit()?)
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
        experiment: plan.experiment.clone(),
        cli_command: plan.command_line.clone(),
        input_config: plan.input_config.as_object().cloned().unwrap_or_default(),
        was_cancelled: interrupted.unwrap_or(true),
        incomplete_reason,
        product: product(&plan.command_line).to_owned(),
        metrics_title: plan.endpoint.facts().title.to_owned(),
        thresholds: plan.thresholds,
        facts: facts(plan),
        ..RunInfo::default()
    }
}

/// What tables are headed with: whoever calls the program by another's name looks for that one's tables.
fn product(command_line: &str) -> &'static str {
    match command_line.split_whitespace().next() {
        Some("aiperf") => "NVIDIA AIPerf",
        Some("genai-perf") => "NVIDIA GenAI-Perf",
        _ => "loadgen",
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
    let (csv, json) = match plan.genai_perf {
        Some(_) => (artifacts.genai_perf_csv(), artifacts.genai_perf_json()),
        None => (artifacts.summary_csv(), artifacts.summary_json()),
    };
    [
        (succeeded, "CSV Export", csv),
        (succeeded, "JSON Export", json),
        (plan.outputs.raw, "Raw Records", artifacts.raw_jsonl()),
        (succeeded && plan.slice_duration_ns.is_some(), "Timeslice CSV Export", artifacts.timeslices_csv()),
        (succeeded && plan.slice_duration_ns.is_some(), "Timeslice JSON Export", artifacts.timeslices_json()),
        (succeeded && plan.outputs.answers, "Outputs JSON", artifacts.outputs_json()),
        (true, "Log File", artifacts.log()),
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

/// What came of taking something away: that there was nothing is no fault.
fn gone(path: &Path, removed: std::io::Result<()>) -> Result<(), RunError> {
    match removed {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(RunError::write(path)(error)),
        _ => Ok(()),
    }
}

/// Says that nothing more will come, and whether something is missing. Readable by its owner alone, as
/// AIPerf's.
fn ready(path: &Path, was_cancelled: bool, partial: bool) -> Result<(), RunError> {
    let text = format!(r#"{{"ready":true,"was_cancelled":{was_cancelled},"partial":{partial}}}"#);
    put(path, &text)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(RunError::write(path))
}
