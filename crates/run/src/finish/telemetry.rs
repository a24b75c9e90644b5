//! The files of what was scraped beside a load, and the figures that follow from it.

use std::fs;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use loadgen_core::{Nanos, Phase};
use loadgen_metrics::{Summary, Window, energy_metrics};
use loadgen_record::PartialFile;
use loadgen_report::gpu::{GpuTelemetry, gpu_phase};
use loadgen_report::server_metrics::{
    ScrapedPhase, ServerMetrics, server_metrics_csv, server_metrics_json, server_metrics_phase,
};
use loadgen_report::{AIPERF_VERSION, PhaseFiles, RunInfo, TimeZone, local_time, python_text};
use serde_json::{Map, Value};

use super::files::Failures;
use crate::artifacts::Artifacts;
use crate::error::RunError;
use crate::plan::ReportPlan;
use crate::progress::{Level, Progress};
use crate::telemetry::{ScrapedServers, gpu_lines, gpus, resets, rtt_lines, server_tape};

/// What was scraped beside a run.
pub(super) struct Scraped {
    servers: Option<(ScrapedServers, ServerMetrics)>,
    gpu_phases: Vec<(Phase, GpuTelemetry)>,
}

fn span(window: Window) -> (Nanos, Nanos) {
    (window.start, window.end)
}

impl Scraped {
    /// Plays what was scraped, and adds what follows from it to the run's figures.
    pub(super) fn take_in(
        plan: &ReportPlan,
        artifacts: &Artifacts,
        summary: &mut Summary,
        info: &mut RunInfo,
        failures: &mut Failures,
        progress: &dyn Progress,
    ) -> Self {
        let mut gpu_phases = Vec::new();
        if plan.outputs.gpu_sections {
            let path = gpu_lines(artifacts);
            let of = |window: Window, grace| gpus(&path, &plan.telemetry, window.start, window.end, grace);
            let scraped = of(summary.window, plan.telemetry.gpu_grace_ns);
            summary.metrics.extend(energy_metrics(summary, scraped.energy));
            if scraped.is_any {
                let warmup = summary.warmup_window.map(|window| (Phase::Warmup, of(window, 0).telemetry));
                gpu_phases.extend(warmup);
                gpu_phases.push((Phase::Profiling, of(summary.window, 0).telemetry));
            }
            info.gpu = Some(scraped.telemetry);
        } else {
            info.gpu = None;
        }
        let servers = ScrapedServers::survey(server_tape(artifacts)).and_then(|servers| {
            let warmup = summary.warmup_window.map(span);
            match servers.metrics(span(summary.window), warmup, plan.slice_duration_ns) {
                Ok(metrics) => {
                    say_resets(&metrics, progress);
                    Some((servers, metrics))
                }
                Err(error) => {
                    let path = server_tape(artifacts);
                    failures.note(&path, Err(RunError::read(&path)(error)));
                    None
                }
            }
        });
        Self { servers, gpu_phases }
    }

    /// What servers said, if any was read.
    pub(super) fn servers(&self) -> Option<&ServerMetrics> {
        self.servers.as_ref().map(|(_, metrics)| metrics)
    }

    /// Writes the files of it. `host`: the name of the host that made the load.
    pub(super) fn write(
        &self,
        plan: &ReportPlan,
        artifacts: &Artifacts,
        info: &RunInfo,
        host: &str,
        failures: &mut Failures,
    ) {
        for (kept, shown) in [
            (gpu_lines(artifacts), artifacts.gpu_telemetry_jsonl()),
            (rtt_lines(artifacts), artifacts.network_latency_jsonl()),
        ] {
            if kept.is_file() {
                failures.note(&shown, copy(&kept, &shown));
            }
        }
        let Some((servers, metrics)) = &self.servers else { return };
        let formats = plan.telemetry.formats;
        if formats.json {
            failures.put(&artifacts.server_metrics("json"), &server_metrics_json(metrics, info));
        }
        if formats.csv {
            failures.put(&artifacts.server_metrics("csv"), &server_metrics_csv(metrics, info));
        }
        if formats.jsonl {
            let path = artifacts.server_metrics("jsonl");
            failures.note(&path, write_lines(servers, &path));
        }
        if formats.parquet {
            let path = artifacts.server_metrics("parquet");
            let written = servers.write_samples(&path, sampled(metrics), facts(plan, metrics, info, host));
            failures
                .note(&path, written.map_err(|error| RunError::write(&path)(std::io::Error::other(error))));
        }
    }

    /// Writes what belongs into the folders of the phases, which are there.
    pub(super) fn write_phases(
        &self,
        artifacts: &Artifacts,
        summary: &Summary,
        info: &RunInfo,
        failures: &mut Failures,
    ) {
        let phases = summary.warmup_window.map(|window| (Phase::Warmup, window));
        let phases = phases.into_iter().chain([(Phase::Profiling, summary.window)]);
        for (index, (phase, window)) in phases.enumerate() {
            let is_measured = phase == Phase::Profiling;
            let scraped = ScrapedPhase {
                name: phase.name(),
                index: index as i32,
                profiling_index: is_measured.then_some(0),
                start: window.start,
                end: window.end,
                was_cancelled: info.was_cancelled && is_measured,
            };
            let files = self.phase_files(artifacts, phase);
            if let (Some(path), Some((servers, metrics))) = (&files.server_metrics, &self.servers) {
                let series = if is_measured { &metrics.metrics } else { &metrics.warmup_metrics };
                let endpoints = servers.endpoints_during(phase);
                failures.put(path, &server_metrics_phase(scraped, &info.benchmark_id, &endpoints, series));
            }
            let gpu = self.gpu_phases.iter().find(|(of, _)| *of == phase);
            if let (Some(path), Some((_, gpu))) = (&files.gpu_telemetry, gpu) {
                failures.put(path, &gpu_phase(scraped, gpu, info));
            }
        }
    }

    /// The files of a phase, those that are written here among them.
    pub(super) fn phase_files(&self, artifacts: &Artifacts, phase: Phase) -> PhaseFiles {
        let own = artifacts.of_phase(phase.name());
        PhaseFiles {
            summary_json: own.summary_json(),
            summary_csv: own.summary_csv(),
            gpu_telemetry: (!self.gpu_phases.is_empty()).then(|| own.dir.join("gpu_telemetry.json")),
            server_metrics: self.servers.is_some().then(|| own.dir.join("server_metrics.json")),
        }
    }

    /// The files that the end of the console names: what they are called there, and where they are.
    pub(super) fn named_files(&self, plan: &ReportPlan, artifacts: &Artifacts) -> Vec<(String, PathBuf)> {
        let formats = plan.telemetry.formats;
        let named = [
            (formats.csv, "Server Metrics CSV Export", "csv"),
            (formats.json, "Server Metrics JSON Export", "json"),
        ];
        let wanted = named.into_iter().filter(|(is_wanted, ..)| *is_wanted && self.servers.is_some());
        wanted.map(|(_, label, format)| (label.to_owned(), artifacts.server_metrics(format))).collect()
    }
}

/// Says which counters went back: what they grew by is then not to be known.
fn say_resets(metrics: &ServerMetrics, progress: &dyn Progress) {
    for (name, times) in resets(metrics) {
        let text = format!(
            "the server's counter {name} went back {times} time(s) during the measured phase: it was restarted, or \
             several answer at one address; its growth here is no more than a lower bound"
        );
        progress.note(Level::Warning, &text);
    }
}

fn copy(kept: &PathBuf, shown: &PathBuf) -> Result<(), RunError> {
    let mut from = fs::File::open(kept).map_err(RunError::read(kept))?;
    let mut to = BufWriter::new(PartialFile::create(shown)?);
    std::io::copy(&mut from, &mut to).map_err(RunError::write(shown))?;
    commit(to, shown)
}

fn write_lines(servers: &ScrapedServers, path: &PathBuf) -> Result<(), RunError> {
    let mut file = BufWriter::new(PartialFile::create(path)?);
    servers.write_lines(&mut file).map_err(RunError::write(path))?;
    commit(file, path)
}

fn commit(mut file: BufWriter<PartialFile>, path: &PathBuf) -> Result<(), RunError> {
    file.flush().map_err(RunError::write(path))?;
    let file = file.into_inner().map_err(|error| RunError::write(path)(error.into_error()))?;
    Ok(file.commit()?)
}

/// What stands in the place of versions of programs that have no part in this.
const NO_PART: &str = "none";

/// The metadata of the Parquet file, under AIPerf's keys less `aiperf.`. Its time is that of the last reading, so
/// that the file is the same whenever it is made again.
fn facts(plan: &ReportPlan, metrics: &ServerMetrics, info: &RunInfo, host: &str) -> Vec<(String, String)> {
    let models = serde_json::to_string(&plan.models).expect("text always serialises");
    let config = serde_json::to_string(&info.input_config).expect("a configuration is plain data");
    let mut facts = vec![
        ("schema_version", "1.0".to_owned()),
        ("version", AIPERF_VERSION.to_owned()),
        ("benchmark_id", info.benchmark_id.clone()),
        ("exporter", format!("loadgen {}", info.loadgen_version)),
        ("hostname", host.to_owned()),
        ("python_version", NO_PART.to_owned()),
        ("pyarrow_version", NO_PART.to_owned()),
        ("input_config", config),
        ("model_names", models),
        ("concurrency", plan.telemetry.concurrency.map_or("None".to_owned(), |slots| slots.to_string())),
        (
            "schema_note",
            "Label columns vary by endpoint/model. Use union_by_name=true for cross-file queries.".to_owned(),
        ),
    ];
    if let Some(rate) = request_rate(&info.input_config) {
        facts.push(("request_rate", rate));
    }
    if metrics.profiling.is_some() {
        let (start, last) = sampled(metrics);
        let duration = last.since(start);
        let read = metrics.endpoints.iter().map(|endpoint| endpoint.fetched.1).max().unwrap_or(last);
        facts.extend([
            ("export_timestamp_utc", local_time(read, &TimeZone::UTC, "%Y-%m-%dT%H:%M:%S%.6f+00:00")),
            ("time_filter_start_ns", start.0.to_string()),
            ("time_filter_end_ns", last.0.to_string()),
            ("profiling_duration_ns", duration.to_string()),
            ("profiling_duration_seconds", (duration as f64 / 1e9).to_string()),
        ]);
    }
    facts.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// The span of the Parquet file's samples: the measured phase, and on to the last reading that differed from the one
/// before it.
fn sampled(metrics: &ServerMetrics) -> (Nanos, Nanos) {
    let (start, end) = metrics.profiling.unwrap_or_default();
    let updated = metrics.endpoints.iter().map(|endpoint| endpoint.updated.1).max();
    (start, updated.unwrap_or(end).max(end))
}

/// The rate of the first measured phase that has one, as Python writes it.
fn request_rate(config: &Map<String, Value>) -> Option<String> {
    let phases = config.get("phases")?.as_array()?;
    let is_measured = |phase: &&Value| phase["exclude_from_results"] != true;
    phases.iter().find(is_measured)?.get("rate").map(python_text)
}
