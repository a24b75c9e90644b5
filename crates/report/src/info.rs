//! What a report says about a run besides its figures.

use std::path::PathBuf;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use loadgen_core::Nanos;
use loadgen_metrics::{Quality, SloSet, Summary, Thresholds, TimelineData};
use serde::{Deserialize, Serialize};

use crate::gpu::GpuTelemetry;
use crate::html::SliceTable;
use crate::server_metrics::ServerMetrics;

/// Facts of a run that its records do not hold.
///
/// Secrets must be gone from every text before it comes here.
#[derive(Debug, Clone)]
pub struct RunInfo {
    /// Our version.
    pub loadgen_version: String,
    /// 12 hex digits (32 for the children of a multi-run).
    pub benchmark_id: String,
    /// The root seed; absent when the user gave none.
    pub random_seed: Option<u64>,
    /// Which run of an experiment this is; `None` for a run of its own.
    pub experiment: Option<ExperimentRun>,
    /// The command line.
    pub cli_command: String,
    /// The configuration as the user set it.
    pub input_config: serde_json::Map<String, serde_json::Value>,
    /// Whether the user cut the run short.
    pub was_cancelled: bool,
    /// Why the results are not those of the whole run; `None` when they are.
    pub incomplete_reason: Option<String>,
    /// What GPUs said; `None` where their telemetry was turned off. Without any GPU AIPerf writes empty sections.
    pub gpu: Option<GpuTelemetry>,
    /// What tables are headed with: the program's name, or that of the one whose name it was called by.
    pub product: String,
    /// What the tables are of: `LLM Metrics`, or what another kind of endpoint has.
    pub metrics_title: String,
    /// From where on token counts disagree.
    pub thresholds: Thresholds,
    /// Where the results are read: instants are printed in its local time.
    pub time_zone: TimeZone,
    /// What was run, as (name, value) for the page's head: model, target, load, workload and the like.
    pub facts: Vec<(String, String)>,
}

/// One run of an experiment: of repeats, of a sweep, or of both.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExperimentRun {
    /// Identifies the experiment: a UUID.
    pub sweep_id: String,
    /// Number of the repeat, from 0.
    pub trial: u32,
    /// What it is called: `run_0001`.
    pub run_label: String,
    /// What sets its variation apart, in words; `base` where nothing is swept.
    pub variation_label: String,
    /// Number of the variation, from 0.
    pub variation_index: usize,
    /// The values that set it apart, by their path.
    pub variation_values: serde_json::Map<String, serde_json::Value>,
}

impl Default for RunInfo {
    /// A complete run without a name, in the system's time zone.
    fn default() -> Self {
        Self {
            loadgen_version: env!("CARGO_PKG_VERSION").to_owned(),
            benchmark_id: String::new(),
            random_seed: None,
            experiment: None,
            cli_command: String::new(),
            input_config: serde_json::Map::new(),
            was_cancelled: false,
            incomplete_reason: None,
            gpu: Some(GpuTelemetry::default()),
            product: "loadgen".to_owned(),
            metrics_title: "LLM Metrics".to_owned(),
            thresholds: Thresholds::default(),
            time_zone: TimeZone::system(),
            facts: Vec::new(),
        }
    }
}

impl RunInfo {
    /// An instant as naive local time in ISO 8601 with microseconds, as AIPerf writes `start_time`.
    pub fn local_time(&self, at: Nanos) -> String {
        self.format(at, "%Y-%m-%dT%H:%M:%S%.6f")
    }

    /// An instant for people: local time to the second, with its offset from UTC.
    pub fn readable_time(&self, at: Nanos) -> String {
        self.format(at, "%Y-%m-%d %H:%M:%S %:z")
    }

    fn format(&self, at: Nanos, format: &str) -> String {
        local_time(at, &self.time_zone, format)
    }
}

/// An instant in a zone's time, by a `strftime` format.
pub fn local_time(at: Nanos, zone: &TimeZone, format: &str) -> String {
    let timestamp = Timestamp::from_nanosecond(i128::from(at.0))
        .expect("64 bits of nanoseconds lie within the years a timestamp can hold");
    timestamp.to_zoned(zone.clone()).strftime(format).to_string()
}

/// All there is to say about a run: what the console and the page are drawn from.
#[derive(Debug, Clone, Copy)]
pub struct Report<'a> {
    /// Facts of the run.
    pub info: &'a RunInfo,
    /// Its figures.
    pub summary: &'a Summary,
    /// Its objectives; empty without `--goodput`.
    pub slos: &'a SloSet,
    /// The verdict on the client.
    pub quality: Option<&'a Quality>,
    /// Figures over time; without them the page has no plots of it.
    pub timeline: Option<&'a TimelineData>,
    /// What servers said of themselves; the page shows it.
    pub servers: Option<&'a ServerMetrics>,
    /// The run slice by slice, where it was sliced; the page shows it.
    pub slices: Option<&'a SliceTable>,
    /// The files written, as (label, path): `CSV Export`, `JSON Export`, and so on.
    pub files: &'a [(String, PathBuf)],
}

impl Report<'_> {
    /// The figure (or mean) of `tag`, if the run has one.
    pub(crate) fn figure(&self, tag: &str) -> Option<f64> {
        self.summary.get(tag)?.avg.filter(|figure| figure.is_finite())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_local_and_naive_with_six_decimals() {
        let info = RunInfo { time_zone: TimeZone::fixed(jiff::tz::offset(2)), ..RunInfo::default() };
        assert_eq!(info.local_time(Nanos(1_795_303_340_379_926_628)), "2026-11-22T01:22:20.379926");
        assert_eq!(info.local_time(Nanos(0)), "1970-01-01T02:00:00.000000");
        assert_eq!(info.readable_time(Nanos(0)), "1970-01-01 02:00:00 +02:00");
        assert_eq!(info.local_time(Nanos(i64::MIN)).len(), 26);
    }
}
