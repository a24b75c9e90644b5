//! `profile_export_aiperf_aggregate.json`.

use loadgen_metrics::{Interval, RepeatedFigure};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{Aggregate, FailedRun};
use crate::keyed::Keyed;
use crate::summary_json::AIPERF_VERSION;

/// The schema of aggregates.
const SCHEMA_VERSION: &str = "1.0";

/// The whole file.
#[derive(Debug, Serialize)]
struct AggregateFile<'a> {
    /// Version of this schema.
    schema_version: &'static str,
    /// The AIPerf version whose format this is.
    aiperf_version: &'static str,
    metadata: Metadata<'a>,
    /// Each statistic of each metric, by `TAG_STATISTIC`.
    metrics: Keyed<IntervalFigures<'a>, &'a str>,
}

/// How the repeats went.
#[derive(Debug, Serialize)]
struct Metadata<'a> {
    /// `confidence`.
    aggregation_type: &'static str,
    /// Runs that were made.
    num_profile_runs: usize,
    /// Runs in which at least one request succeeded.
    num_successful_runs: usize,
    /// The others.
    failed_runs: &'a [FailedRun],
    /// Confidence level of the intervals, between 0 and 1.
    confidence_level: f64,
    /// Labels of the runs that succeeded.
    run_labels: &'a [String],
    /// Set where only one run succeeded: there is no interval then.
    #[serde(skip_serializing_if = "Option::is_none")]
    single_run: Option<bool>,
    /// Rest between runs, s.
    cooldown_seconds: f64,
    /// Which point of a sweep these are repeats of.
    #[serde(skip_serializing_if = "Option::is_none")]
    variation_label: Option<&'a str>,
    /// The values that set it apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    variation_values: Option<&'a Map<String, Value>>,
    /// `repeated` or `independent`.
    #[serde(skip_serializing_if = "Option::is_none")]
    sweep_mode: Option<&'static str>,
    /// The model asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'a str>,
}

/// One figure over the runs.
#[derive(Debug, Clone, Copy, Serialize)]
struct IntervalFigures<'a> {
    mean: f64,
    /// Divided by n - 1.
    std: f64,
    min: f64,
    max: f64,
    /// std / mean; null where the mean is 0.
    cv: Option<f64>,
    /// std / √n.
    se: f64,
    /// mean - t × se.
    ci_low: f64,
    /// mean + t × se.
    ci_high: f64,
    /// Student's t for the confidence level and n - 1; null for a single run.
    t_critical: Option<f64>,
    unit: &'a str,
}

impl<'a> From<&'a RepeatedFigure> for IntervalFigures<'a> {
    fn from(figure: &'a RepeatedFigure) -> Self {
        let Interval { mean, std, min, max, cv, se, ci_low, ci_high, t_critical } = figure.interval;
        Self { mean, std, min, max, cv, se, ci_low, ci_high, t_critical, unit: &figure.unit }
    }
}

/// The file's text: two spaces a level, no newline at its end.
pub fn aggregate_json(aggregate: &Aggregate) -> String {
    let Aggregate { repeats, confidence_level, variation, figures } = aggregate;
    let variation = variation.as_ref();
    let file = AggregateFile {
        schema_version: SCHEMA_VERSION,
        aiperf_version: AIPERF_VERSION,
        metadata: Metadata {
            aggregation_type: "confidence",
            num_profile_runs: repeats.made,
            num_successful_runs: repeats.succeeded.len(),
            failed_runs: &repeats.failed,
            confidence_level: *confidence_level,
            run_labels: &repeats.succeeded,
            single_run: aggregate.is_of_one_run().then_some(true),
            cooldown_seconds: repeats.cooldown_seconds,
            variation_label: variation.map(|variation| variation.label.as_str()),
            variation_values: variation.map(|variation| &variation.values),
            sweep_mode: variation.map(|variation| variation.sweep_mode),
            model: variation.and_then(|variation| variation.model.as_deref()),
        },
        metrics: figures.iter().map(|figure| (figure.key.as_str(), figure.into())).collect(),
    };
    serde_json::to_string_pretty(&file).expect("text keys and finite numbers always serialize")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::aggregate::sample;

    #[test]
    fn keys_stand_as_in_aiperf() {
        let file: Value = serde_json::from_str(&aggregate_json(&sample::aggregate())).unwrap();
        let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
        assert_eq!(keys(&file), "schema_version aiperf_version metadata metrics");
        assert_eq!(
            keys(&file["metadata"]),
            "aggregation_type num_profile_runs num_successful_runs failed_runs confidence_level run_labels cooldown_seconds"
        );
        assert_eq!(
            keys(&file["metrics"]),
            "request_throughput_avg time_to_first_token_avg time_to_first_token_p99 time_to_first_token_std"
        );
        assert_eq!(
            keys(&file["metrics"]["request_throughput_avg"]),
            "mean std min max cv se ci_low ci_high t_critical unit"
        );
        assert_eq!(file["metrics"]["request_throughput_avg"]["mean"], 12.0);
        assert_eq!(file["metrics"]["time_to_first_token_std"]["cv"], Value::Null, "a mean of 0");
        assert_eq!(file["metadata"]["failed_runs"][0]["label"], "run_0003");
    }

    #[test]
    fn a_single_run_of_a_variation_says_so() {
        let file: Value = serde_json::from_str(&aggregate_json(&sample::of_a_variation())).unwrap();
        assert_eq!(file["metadata"]["single_run"], true);
        assert_eq!(file["metadata"]["variation_values"]["phases.profiling.concurrency"], 1);
        assert_eq!(file["metadata"]["model"], "mock-model");
        let figure = &file["metrics"]["time_to_first_token_std"];
        assert_eq!((&figure["t_critical"], &figure["cv"]), (&Value::Null, &Value::from(0.0)));
    }
}
