//! GenAI-Perf's files: the summary as JSON and CSV, and perf_analyzer's export of every request.
//!
//! They are drawn from the same figures as AIPerf's. What GenAI-Perf calls otherwise has its name and unit here
//! (`Row`); what it does not have is left out.

mod csv;
mod export;
mod json;
mod telemetry;
#[cfg(test)]
mod tests;

use loadgen_metrics::{Stats, Summary};

use crate::gpu::GpuTelemetry;

pub use csv::genai_perf_csv;
pub use export::ProfileExport;
pub use json::genai_perf_json;

/// What the files have to know of a run beside its figures.
#[derive(Debug, Clone, Copy)]
pub struct GenaiPerfView<'a> {
    /// Whether responses came as streams: without, there are no times of tokens.
    pub streaming: bool,
    /// Whether the endpoint answers with tokens: without, there are requests alone.
    pub produces_tokens: bool,
    /// What GPUs said, where they were asked.
    pub gpu: Option<&'a GpuTelemetry>,
}

/// A metric under GenAI-Perf's name.
#[derive(Debug, Clone, Copy)]
struct Row {
    /// Its name there, from which its label in the CSV file is made.
    name: &'static str,
    /// Its name here.
    tag: &'static str,
    /// Its unit in the JSON file.
    unit: &'static str,
    /// Its unit in the CSV file.
    csv_unit: &'static str,
    /// Of tokens as they stream in.
    needs_streams: bool,
    /// Of tokens.
    needs_tokens: bool,
}

/// Metrics of single requests, in the order of the CSV file.
const REQUEST_ROWS: [Row; 7] = [
    row("time_to_first_token", "ms", true, true),
    row("time_to_second_token", "ms", true, true),
    row("request_latency", "ms", false, false),
    row("inter_token_latency", "ms", true, true),
    row("output_token_throughput_per_user", "tokens/sec/user", true, true),
    row("output_sequence_length", "tokens", false, true),
    row("input_sequence_length", "tokens", false, true),
];

/// Metrics of the whole run, in the order of the CSV file.
const SYSTEM_ROWS: [Row; 4] = [
    row("output_token_throughput", "tokens/sec", false, true),
    Row { csv_unit: "per sec", ..row("request_throughput", "requests/sec", false, false) },
    Row { csv_unit: "per sec", tag: "goodput", ..row("request_goodput", "requests/sec", false, false) },
    row("request_count", "count", false, false),
];

/// The order of the JSON file.
const JSON_ORDER: [&str; 11] = [
    "request_throughput",
    "request_latency",
    "request_count",
    "time_to_first_token",
    "time_to_second_token",
    "inter_token_latency",
    "output_token_throughput",
    "output_token_throughput_per_user",
    "output_sequence_length",
    "input_sequence_length",
    "request_goodput",
];

const fn row(name: &'static str, unit: &'static str, needs_streams: bool, needs_tokens: bool) -> Row {
    Row { name, tag: name, unit, csv_unit: unit, needs_streams, needs_tokens }
}

impl Row {
    /// Its figures, if the run has them and GenAI-Perf shows them of such a run.
    fn stats(&self, summary: &Summary, view: GenaiPerfView<'_>) -> Option<Stats> {
        let is_shown =
            (view.streaming || !self.needs_streams) && (view.produces_tokens || !self.needs_tokens);
        let metric = summary.metrics.iter().find(|metric| metric.metric.tag == self.tag)?;
        (is_shown && metric.stats.avg.is_some_and(f64::is_finite)).then_some(metric.stats)
    }
}
