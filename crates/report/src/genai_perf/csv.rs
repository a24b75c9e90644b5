//! `<stem>_genai_perf.csv`: two tables parted by a blank line, percentiles from high to low, two decimals and
//! thousands parted by commas, lines ended by CRLF; a third table of GPUs where they were asked.

use loadgen_metrics::{Stats, Summary};

use super::{GenaiPerfView, REQUEST_ROWS, Row, SYSTEM_ROWS, telemetry};
use crate::console::figure;
use crate::rows::csv_table;

const STATISTICS: [&str; 13] =
    ["Metric", "avg", "min", "max", "p99", "p95", "p90", "p75", "p50", "p25", "p10", "p5", "p1"];

const READINGS: [&str; 11] = ["Metric", "GPU", "avg", "min", "max", "p99", "p95", "p90", "p75", "p50", "p25"];

/// The file's text.
pub fn genai_perf_csv(summary: &Summary, view: GenaiPerfView<'_>) -> String {
    let requests = REQUEST_ROWS.iter().filter_map(|row| {
        let Stats { avg, percentiles, min, max, .. } = row.stats(summary, view)?;
        let figures = [avg, min, max].into_iter().chain(percentiles.into_iter().rev()).map(figure);
        Some(std::iter::once(label(row)).chain(figures).collect())
    });
    let system =
        SYSTEM_ROWS.iter().filter_map(|row| Some(vec![label(row), figure(row.stats(summary, view)?.avg)]));
    let requests = csv_table(&STATISTICS, requests);
    let system = csv_table(&["Metric", "Value"], system);
    let gpus = view.gpu.map(telemetry::rows).unwrap_or_default();
    if gpus.is_empty() {
        return format!("{requests}\r\n{system}");
    }
    let gpus = csv_table(&READINGS, gpus);
    format!("{requests}\r\n{system}\r\n{gpus}")
}

/// `Time To First Token (ms)`.
fn label(row: &Row) -> String {
    let mut words = String::new();
    for word in row.name.split('_') {
        let (first, rest) = word.split_at(1.min(word.len()));
        words.push_str(&first.to_ascii_uppercase());
        words.push_str(rest);
        words.push(' ');
    }
    format!("{words}({})", row.csv_unit)
}
