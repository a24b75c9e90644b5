//! `profile_export_aiperf_collated.json`: each per-request metric over the requests of all runs.

use loadgen_metrics::PooledFigures;
use serde::Serialize;

use super::{FailedRun, Repeats};
use crate::keyed::Keyed;
use crate::summary_json::AIPERF_VERSION;

/// The schema of this file.
const SCHEMA_VERSION: &str = "1.0.0";

/// AIPerf's own words.
const DESCRIPTION: &str = "Collated per-request metrics across all runs. Pools individual request-level values from \
     every run into a single population and computes combined percentiles (p50, p90, p95, p99). Contrast with \
     profile_export_aiperf_aggregate.json, which computes statistics over run-level summary values.";

/// Every per-request metric of some runs.
#[derive(Debug, Clone)]
pub struct Collated {
    /// How the runs went.
    pub repeats: Repeats,
    /// The metrics, in the order in which requests first have them.
    pub metrics: Vec<CollatedMetric>,
}

/// One metric.
#[derive(Debug, Clone)]
pub struct CollatedMetric {
    /// Its tag.
    pub tag: String,
    /// Over the requests of all runs.
    pub combined: PooledFigures,
    /// Each run that has it.
    pub runs: Vec<CollatedRun>,
}

/// One run of a metric.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CollatedRun {
    /// Its label.
    pub label: String,
    /// Mean over its requests.
    pub mean: f64,
    /// How many of its requests have the metric.
    pub count: u64,
}

/// The whole file.
#[derive(Debug, Serialize)]
struct CollatedFile<'a> {
    /// Version of this schema.
    schema_version: &'static str,
    /// The AIPerf version whose format this is.
    aiperf_version: &'static str,
    /// What the file is.
    description: &'static str,
    metadata: Metadata<'a>,
    /// By tag.
    metrics: Keyed<Figures<'a>, &'a str>,
}

/// How the runs went.
#[derive(Debug, Serialize)]
struct Metadata<'a> {
    /// `detailed`.
    aggregation_type: &'static str,
    num_profile_runs: usize,
    num_successful_runs: usize,
    failed_runs: &'a [FailedRun],
    run_labels: &'a [String],
    cooldown_seconds: f64,
}

/// One metric.
#[derive(Debug, Clone, Copy, Serialize)]
struct Figures<'a> {
    combined: Combined,
    per_run: &'a [CollatedRun],
}

/// Over the requests of all runs.
#[derive(Debug, Clone, Copy, Serialize)]
struct Combined {
    mean: f64,
    /// Divided by n - 1.
    std: f64,
    p50: f64,
    p90: f64,
    p95: f64,
    p99: f64,
    count: u64,
}

/// The file's text: two spaces a level, no newline at its end.
pub fn collated_json(collated: &Collated) -> String {
    let Collated { repeats, metrics } = collated;
    let figures = |metric: &CollatedMetric| {
        let PooledFigures { mean, std, p50, p90, p95, p99, count } = metric.combined;
        Combined { mean, std, p50, p90, p95, p99, count }
    };
    let file = CollatedFile {
        schema_version: SCHEMA_VERSION,
        aiperf_version: AIPERF_VERSION,
        description: DESCRIPTION,
        metadata: Metadata {
            aggregation_type: "detailed",
            num_profile_runs: repeats.made,
            num_successful_runs: repeats.succeeded.len(),
            failed_runs: &repeats.failed,
            run_labels: &repeats.succeeded,
            cooldown_seconds: repeats.cooldown_seconds,
        },
        metrics: metrics
            .iter()
            .map(|metric| (metric.tag.as_str(), Figures { combined: figures(metric), per_run: &metric.runs }))
            .collect(),
    };
    serde_json::to_string_pretty(&file).expect("text keys and finite numbers always serialize")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::{Value, json};

    use super::*;
    use crate::aggregate::sample;

    #[test]
    fn each_metric_has_its_population_and_its_runs() {
        let combined =
            PooledFigures { mean: 2.0, std: 1.0, p50: 2.0, p90: 2.8, p95: 2.9, p99: 2.98, count: 3 };
        let runs = vec![CollatedRun { label: "run_0001".to_owned(), mean: 2.0, count: 3 }];
        let collated = Collated {
            repeats: sample::aggregate().repeats,
            metrics: vec![CollatedMetric { tag: "request_latency".to_owned(), combined, runs }],
        };
        let file: Value = serde_json::from_str(&collated_json(&collated)).unwrap();
        assert_eq!(
            file["metrics"]["request_latency"],
            json!({
                "combined": {"mean": 2.0, "std": 1.0, "p50": 2.0, "p90": 2.8, "p95": 2.9, "p99": 2.98, "count": 3},
                "per_run": [{"label": "run_0001", "mean": 2.0, "count": 3}]
            })
        );
        assert_eq!(file["metadata"]["aggregation_type"], "detailed");
        assert_eq!(
            (&file["schema_version"], &file["metadata"]["num_profile_runs"]),
            (&json!("1.0.0"), &json!(4))
        );
    }
}
