//! `phases/<name>/profile_export_aiperf.json` and `phase_manifest.json`: what AIPerf writes of a run that has
//! more than one phase.

use std::path::{Path, PathBuf};

use loadgen_core::{ErrorDetail, Phase};
use loadgen_metrics::{MetricSummary, OutcomeCounts, Summary, Window};
use serde::Serialize;

use crate::info::RunInfo;

/// One phase of a run.
#[derive(Debug, Clone, Copy)]
pub struct PhaseView<'a> {
    /// Which.
    pub phase: Phase,
    /// Its figures.
    pub metrics: &'a [MetricSummary],
    /// Its errors by (code, type, message).
    pub errors: &'a [(ErrorDetail, u64)],
    /// What became of its requests.
    pub counts: OutcomeCounts,
    /// Its span of time.
    pub window: Window,
}

impl<'a> PhaseView<'a> {
    /// The phases of a run in order: the warm-up, if there was one, and the measured one.
    pub fn of(summary: &'a Summary) -> Vec<Self> {
        let warmup = summary.warmup_window.map(|window| Self {
            phase: Phase::Warmup,
            metrics: &summary.warmup_metrics,
            errors: &summary.warmup_error_summary,
            counts: summary.warmup_counts,
            window,
        });
        let profiling = Self {
            phase: Phase::Profiling,
            metrics: &summary.metrics,
            errors: &summary.error_summary,
            counts: summary.counts,
            window: summary.window,
        };
        warmup.into_iter().chain([profiling]).collect()
    }
}

/// The manifest. Keys are sorted, as AIPerf sorts them.
#[derive(Serialize)]
struct Manifest<'a> {
    phases: Vec<Entry<'a>>,
    schema_version: u32,
}

#[derive(Serialize)]
struct Entry<'a> {
    end_ns: i64,
    error_request_count: u64,
    error_summary: Vec<Failures<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gpu_telemetry_json: Option<PathBuf>,
    metrics_csv: PathBuf,
    metrics_json: PathBuf,
    phase_index: usize,
    phase_kind: &'static str,
    phase_name: &'static str,
    /// Position among the measured phases; null for a warm-up.
    profiling_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    server_metrics_json: Option<PathBuf>,
    start_ns: i64,
    successful_request_count: u64,
    total_request_count: u64,
    was_cancelled: bool,
}

/// Equal errors and how often they came. Here, other than in the summary, what is not there is null.
#[derive(Serialize)]
struct Failures<'a> {
    count: u64,
    error_details: Facts<'a>,
}

#[derive(Serialize)]
struct Facts<'a> {
    cause: Option<&'a str>,
    cause_chain: Option<&'a [String]>,
    code: Option<i32>,
    /// Nothing of ours has any.
    details: Option<&'a str>,
    message: &'a str,
    #[serde(rename = "type")]
    error_type: &'a str,
}

impl<'a> Failures<'a> {
    fn of((error, count): &'a (ErrorDetail, u64)) -> Self {
        let chain = error.cause_chain.as_slice();
        let error_details = Facts {
            cause: error.cause.as_deref(),
            cause_chain: (!chain.is_empty()).then_some(chain),
            code: error.code,
            details: None,
            message: &error.message,
            error_type: &error.error_type,
        };
        Self { count: *count, error_details }
    }
}

/// The files of one phase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhaseFiles {
    /// Its summary, as JSON.
    pub summary_json: PathBuf,
    /// Its summary, as CSV.
    pub summary_csv: PathBuf,
    /// What GPUs said during it.
    pub gpu_telemetry: Option<PathBuf>,
    /// What servers said during it.
    pub server_metrics: Option<PathBuf>,
}

/// The text of `phase_manifest.json`. `files` gives the files of a phase; they are named from `dir`, the
/// run's folder.
pub fn phase_manifest(
    phases: &[PhaseView<'_>],
    info: &RunInfo,
    dir: &Path,
    files: impl Fn(Phase) -> PhaseFiles,
) -> String {
    let mut measured = 0..;
    let from_dir = |path: PathBuf| path.strip_prefix(dir).map_or(path.clone(), Path::to_owned);
    let entries = phases.iter().enumerate().map(|(phase_index, view)| {
        let files = files(view.phase);
        let is_measured = view.phase == Phase::Profiling;
        let (ok, errors) = (view.counts.ok, view.counts.errors());
        Entry {
            end_ns: view.window.end.0,
            error_request_count: errors,
            error_summary: view.errors.iter().map(Failures::of).collect(),
            gpu_telemetry_json: files.gpu_telemetry.map(from_dir),
            metrics_csv: from_dir(files.summary_csv),
            metrics_json: from_dir(files.summary_json),
            phase_index,
            phase_kind: view.phase.name(),
            phase_name: view.phase.name(),
            profiling_index: is_measured.then(|| measured.next()).flatten(),
            server_metrics_json: files.server_metrics.map(from_dir),
            start_ns: view.window.start.0,
            successful_request_count: ok,
            total_request_count: ok + errors,
            was_cancelled: info.was_cancelled && is_measured,
        }
    });
    let manifest = Manifest { phases: entries.collect(), schema_version: 1 };
    let text = serde_json::to_string_pretty(&manifest).expect("text keys and numbers always serialize");
    text + "\n"
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use loadgen_core::Nanos;

    use super::*;

    #[test]
    fn each_phase_has_its_place_and_its_files() {
        let error = ErrorDetail {
            code: Some(500),
            error_type: "Internal Server Error".to_owned(),
            message: "no".to_owned(),
            cause: None,
            cause_chain: Vec::new(),
        };
        let errors = [(error, 2)];
        let view = |phase, ok, errors| PhaseView {
            phase,
            metrics: &[],
            errors,
            counts: OutcomeCounts {
                ok,
                http_error: errors.len() as u64 * 2,
                aborted: 1,
                ..Default::default()
            },
            window: Window { start: Nanos(5), end: Nanos(9) },
        };
        let phases = [view(Phase::Warmup, 2, &[][..]), view(Phase::Profiling, 8, &errors[..])];
        let info = RunInfo { was_cancelled: true, ..RunInfo::default() };
        let text = phase_manifest(&phases, &info, Path::new("/run"), |phase| {
            let dir = Path::new("/run/phases").join(phase.name());
            PhaseFiles {
                summary_json: dir.join("p.json"),
                summary_csv: dir.join("p.csv"),
                gpu_telemetry: Some(dir.join("gpu.json")),
                server_metrics: None,
            }
        });
        assert!(text.ends_with("}\n"));
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["schema_version"], 1);
        let (warmup, profiling) = (&value["phases"][0], &value["phases"][1]);
        assert_eq!(warmup["metrics_json"], "phases/warmup/p.json");
        assert_eq!(warmup["gpu_telemetry_json"], "phases/warmup/gpu.json");
        assert!(warmup.get("server_metrics_json").is_none());
        let told = serde_json::json!([{ "count": 2, "error_details": {
            "cause": null, "cause_chain": null, "code": 500, "details": null, "message": "no",
            "type": "Internal Server Error",
        } }]);
        assert_eq!(
            profiling["error_summary"].to_string(),
            told.to_string(),
            "keys are sorted, and none is left out"
        );
        assert_eq!((&warmup["profiling_index"], &profiling["profiling_index"]), (&().into(), &0.into()));
        assert_eq!((&warmup["was_cancelled"], &profiling["was_cancelled"]), (&false.into(), &true.into()));
        assert_eq!(profiling["error_summary"][0]["count"], 2);
        assert_eq!(
            (&profiling["successful_request_count"], &profiling["total_request_count"]),
            (&8.into(), &10.into())
        );
        let keys: Vec<_> = text.lines().filter_map(|line| line.split('"').nth(1)).collect();
        let of_a_phase = &keys[1..14];
        assert!(of_a_phase.is_sorted(), "{of_a_phase:?}");
    }
}
