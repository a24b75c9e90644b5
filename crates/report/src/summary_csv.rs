//! `profile_export_aiperf.csv`: the summary as AIPerf writes it.
//!
//! Two tables parted by a blank line: metrics with percentiles, then single figures; rows sorted by
//! tag, two decimals, lines ended by CRLF, an empty cell for what does not exist. The table of GPUs
//! follows after two blank lines, unless telemetry was turned off.

use loadgen_metrics::{MetricSummary, Stats, Summary, Unit};

use crate::gpu::{GpuTelemetry, gpu_csv};
use crate::phases::PhaseView;
use crate::rows::{cell, csv_table};

const STATISTICS: [&str; 15] = [
    "Metric", "avg", "min", "max", "sum", "p1", "p5", "p10", "p25", "p50", "p75", "p90", "p95", "p99", "std",
];

/// The file's text. `gpu` adds the table of GPUs, of which nothing but the head is left without any.
pub fn summary_csv(summary: &Summary, gpu: Option<&GpuTelemetry>) -> String {
    let mut text = tables(&summary.metrics);
    if let Some(gpu) = gpu {
        text.push_str("\r\n\r\n");
        text.push_str(&gpu_csv(gpu));
    }
    text
}

/// The text of one phase's own file.
pub fn phase_csv(phase: &PhaseView<'_>) -> String {
    tables(phase.metrics)
}

fn tables(metrics: &[MetricSummary]) -> String {
    let mut sorted: Vec<&MetricSummary> = metrics.iter().collect();
    sorted.sort_by_key(|m| m.metric.tag);
    let (distributions, figures): (Vec<_>, Vec<_>) =
        sorted.into_iter().partition(|m| m.stats.is_distribution());

    let mut tables = Vec::new();
    if !distributions.is_empty() {
        tables.push(csv_table(&STATISTICS, distributions.into_iter().map(distribution_row)));
    }
    if !figures.is_empty() {
        let rows = figures.into_iter().map(|m| vec![label(m), cell(m.stats.avg, 2)]);
        tables.push(csv_table(&["Metric", "Value"], rows));
    }
    tables.join("\r\n")
}

fn distribution_row(m: &MetricSummary) -> Vec<String> {
    let Stats { avg, percentiles, min, max, std, sum, .. } = m.stats;
    let figures = [avg, min, max, sum].into_iter().chain(percentiles).chain([std]);
    std::iter::once(label(m)).chain(figures.map(|figure| cell(figure, 2))).collect()
}

/// The row's name: the unit is left out where the header says it.
fn label(m: &MetricSummary) -> String {
    match m.metric.unit {
        Unit::Count | Unit::Requests => m.metric.header.to_owned(),
        _ => m.metric.label(),
    }
}
