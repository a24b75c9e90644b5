//! Latencies by where they count from: the start of work on a request (AIPerf), its first byte written,
//! and the time it was intended for. A few rows, the same on the console and on the page.

use loadgen_metrics::Summary;

/// Columns: the metric whose figures they are, and what stands above them.
const LATENCIES: [(&str, [&str; 2]); 2] = [
    ("time_to_first_token", ["TTFT p50", "TTFT p99"]),
    ("request_latency", ["Request Latency p50", "Request Latency p99"]),
];

/// Rows: what is added to the metric's tag, and the origin in words.
const ORIGINS: [(&str, &str); 3] = [
    ("", "Start of work (AIPerf)"),
    ("_from_write", "First byte written"),
    ("_from_schedule", "Intended time"),
];

/// The table, in ms; every row has a figure, or none, for each of `columns`.
#[derive(Debug, PartialEq)]
pub(crate) struct Origins {
    pub(crate) columns: Vec<&'static str>,
    pub(crate) rows: Vec<(&'static str, Vec<Option<f64>>)>,
}

impl Origins {
    /// `None` for a run without latencies, or with AIPerf's alone.
    pub(crate) fn of(summary: &Summary) -> Option<Self> {
        let shown = LATENCIES.iter().filter(|(tag, _)| summary.get(tag).is_some());
        let rows = ORIGINS.map(|(suffix, origin)| {
            let figures = shown.clone().flat_map(|(tag, _)| {
                let stats = summary.get(&format!("{tag}{suffix}"));
                [50, 99].map(|percent| stats.and_then(|stats| stats.percentile(percent)))
            });
            (origin, figures.collect::<Vec<_>>())
        });
        let has_own = rows[1..].iter().any(|(_, figures)| figures.iter().any(Option::is_some));
        has_own.then(|| Self {
            columns: shown.flat_map(|(_, names)| names).copied().collect(),
            rows: rows.into(),
        })
    }
}
