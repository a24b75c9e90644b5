//! The run slice by slice: the page's table of time slices.

use std::fmt::Write as _;

use loadgen_core::Nanos;
use loadgen_metrics::SliceSummary;

use super::sheet::{Sheet, folded};
use crate::console::figure;
use crate::info::Report;

/// Slices that the page shows; what lies beyond is in the files.
const MOST: usize = 240;
/// More than these are folded away.
const OPEN: usize = 30;

/// What is shown of a slice: its head, the metric, and which of its percentiles; none stands for its figure.
const COLUMNS: [(&str, &str, Option<u8>); 10] = [
    ("requests", "request_count", None),
    ("errors", "error_request_count", None),
    ("requests/s", "request_throughput", None),
    ("good/s", "goodput", None),
    ("tokens/s", "output_token_throughput", None),
    ("TTFT p50", "time_to_first_token", Some(50)),
    ("TTFT p99", "time_to_first_token", Some(99)),
    ("ITL p50", "inter_token_latency", Some(50)),
    ("latency p50", "request_latency", Some(50)),
    ("latency p99", "request_latency", Some(99)),
];

/// The slices that the page shows, few figures of each; holds no more of them however long the run is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SliceTable {
    rows: Vec<Row>,
    left_out: usize,
}

#[derive(Debug, Clone, PartialEq)]
struct Row {
    span: (Nanos, Nanos),
    is_complete: bool,
    figures: [Option<f64>; COLUMNS.len()],
}

impl SliceTable {
    /// Takes the next slice.
    pub fn push(&mut self, slice: &SliceSummary) {
        if self.rows.len() == MOST {
            self.left_out += 1;
            return;
        }
        let figures = COLUMNS.map(|(_, tag, percent)| {
            let stats = &slice.metrics.iter().find(|metric| metric.metric.tag == tag)?.stats;
            percent.map_or(stats.avg, |percent| stats.percentile(percent))
        });
        let span = (slice.window.start, slice.window.end);
        self.rows.push(Row { span, is_complete: slice.is_complete, figures });
    }
}

/// The section; empty where the run was not sliced.
pub(super) fn slices(report: &Report<'_>) -> String {
    let Some(table) = report.slices.filter(|table| !table.rows.is_empty()) else { return String::new() };
    // What no slice has needs no column.
    let shown: Vec<usize> = (0..COLUMNS.len())
        .filter(|column| table.rows.iter().any(|row| row.figures[*column].is_some()))
        .collect();
    let mut sheet =
        Sheet::new("From – to", "s; latencies in ms", shown.iter().map(|column| COLUMNS[*column].0));
    let start = table.rows[0].span.0;
    for row in &table.rows {
        let [from, to] = [row.span.0, row.span.1].map(|at| at.since(start) as f64 / 1e9);
        let cut = if row.is_complete { "" } else { "cut short" };
        sheet.row(
            &format!("{from:.1} – {to:.1}"),
            cut,
            shown.iter().map(|column| figure(row.figures[*column])),
        );
    }
    let mut body = sheet.end();
    if table.left_out > 0 {
        // Writing to a string cannot fail.
        let _ = writeln!(body, "<p>{} more slices are in the files of time slices.</p>", table.left_out);
    }
    if table.rows.len() > OPEN { folded(&format!("{} slices", table.rows.len()), &body) } else { body }
}
