//! `server_metrics_export.{json,csv,jsonl}`: what servers said of themselves during a run, as AIPerf writes it.
//!
//! Figures come summed up ([`ServerMetrics`]); what this does not know is how they were scraped and where they
//! are kept.

mod csv;
mod json;
mod line;
mod phase;

use loadgen_core::Nanos;
use loadgen_metrics::{SeriesName, SeriesStats, Slice};

pub use csv::server_metrics_csv;
pub use json::server_metrics_json;
pub use line::{ScrapeLine, ScrapePhase};
pub use phase::{ScrapedPhase, phase_file, server_metrics_phase};

/// Figures of one series over a window.
#[derive(Debug, Clone, PartialEq)]
pub struct ScrapedSeries {
    /// Where it was read, credentials removed.
    pub url: String,
    /// What it is called.
    pub name: SeriesName,
    /// What it was.
    pub stats: SeriesStats,
    /// The same slice by slice, where slices are wanted.
    pub slices: Vec<Slice>,
}

/// How one endpoint was read.
#[derive(Debug, Clone, PartialEq)]
pub struct ScrapedEndpoint {
    /// Its URL, credentials removed.
    pub url: String,
    /// How often it answered.
    pub fetches: u64,
    /// First and last answer.
    pub fetched: (Nanos, Nanos),
    /// Mean time from question to the end of the answer, ms.
    pub avg_latency_ms: f64,
    /// Answers that were not the one before.
    pub updates: u64,
    /// First and last of those.
    pub updated: (Nanos, Nanos),
    /// The median time between two of them, ms; `None` without two.
    pub median_interval_ms: Option<f64>,
}

impl ScrapedEndpoint {
    fn updated_for_ns(&self) -> i64 {
        self.updated.1.since(self.updated.0)
    }

    fn avg_interval_ms(&self) -> f64 {
        if self.updates > 1 { self.updated_for_ns() as f64 / 1e6 / (self.updates - 1) as f64 } else { 0.0 }
    }
}

/// What servers said during a run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ServerMetrics {
    /// The URLs that were asked.
    pub configured: Vec<String>,
    /// Those that answered at first.
    pub successful: Vec<String>,
    /// How each of these was read, from before the run to its end.
    pub endpoints: Vec<ScrapedEndpoint>,
    /// The measured phase.
    pub profiling: Option<(Nanos, Nanos)>,
    /// The warm-up, to its last reading.
    pub warmup: Option<(Nanos, Nanos)>,
    /// Figures of the measured phase.
    pub metrics: Vec<ScrapedSeries>,
    /// Figures of the warm-up.
    pub warmup_metrics: Vec<ScrapedSeries>,
}

/// The series by family, in the order of every file: by name, then by URL and labels.
fn by_family(series: &[ScrapedSeries]) -> Vec<(&str, Vec<&ScrapedSeries>)> {
    let mut sorted: Vec<&ScrapedSeries> = series.iter().collect();
    sorted.sort_by_cached_key(|series| (series.name.name.clone(), series.url.clone(), labels_text(series)));
    let mut families: Vec<(&str, Vec<&ScrapedSeries>)> = Vec::new();
    for series in sorted {
        match families.last_mut() {
            Some((name, members)) if *name == series.name.name => members.push(series),
            _ => families.push((&series.name.name, vec![series])),
        }
    }
    families
}

/// Labels as Python shows them, which is what AIPerf sorts by.
fn labels_text(series: &ScrapedSeries) -> String {
    if series.name.labels.is_empty() {
        return String::new();
    }
    let labels = series.name.labels.iter().map(|(name, value)| format!("'{name}': '{value}'"));
    format!("{{{}}}", labels.collect::<Vec<_>>().join(", "))
}

/// Where an endpoint of metrics is, as tables name it: host and port, and the path in front of `/metrics`.
pub(crate) fn place_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.split(['?', '#']).next().unwrap_or(rest);
    rest.strip_suffix("/metrics").unwrap_or(rest)
}

#[cfg(test)]
mod tests;
