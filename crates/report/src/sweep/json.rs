//! `profile_export_aiperf_sweep.json`.

use loadgen_metrics::{Interval, MetricFigures};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{PointFigures, Standout, Sweep, SweepPoint};
use crate::aggregate::FailedRun;
use crate::keyed::Keyed;

/// The whole file.
#[derive(Debug, Serialize)]
struct SweepFile<'a> {
    aggregation_type: &'static str,
    num_profile_runs: usize,
    num_successful_runs: usize,
    failed_runs: &'a [FailedRun],
    metadata: Metadata<'a>,
    per_combination_metrics: Vec<Combination<'a>>,
    best_configurations: Keyed<Best<'a>>,
    pareto_optimal: Vec<&'a Map<String, Value>>,
    /// Ours: the best points also of a sweep of single runs.
    loadgen: Standouts<'a>,
}

#[derive(Debug, Serialize)]
struct Metadata<'a> {
    sweep_parameters: Vec<Parameter<'a>>,
    num_combinations: usize,
    sweep_mode: &'static str,
    confidence_level: f64,
    num_trials_per_value: usize,
    aggregation_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sla_constraints: Option<Constraints<'a>>,
}

#[derive(Debug, Serialize)]
struct Parameter<'a> {
    name: &'a str,
    values: &'a [Value],
}

#[derive(Debug, Serialize)]
struct Constraints<'a> {
    active_filters: &'a [String],
    feasible_count: usize,
    infeasible_count: usize,
}

#[derive(Debug, Serialize)]
struct Combination<'a> {
    parameters: &'a Map<String, Value>,
    metrics: Keyed<PointMetric<'a>, &'a str>,
}

/// A figure of a point: of a single run, or over several.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum PointMetric<'a> {
    Single(Keyed<Value>),
    Repeated(RepeatedMetric<'a>),
}

#[derive(Debug, Serialize)]
struct RepeatedMetric<'a> {
    mean: f64,
    std: f64,
    min: f64,
    max: f64,
    cv: Option<f64>,
    ci_low: f64,
    ci_high: f64,
    unit: &'a str,
}

#[derive(Debug, Serialize)]
struct Best<'a> {
    parameters: &'a Map<String, Value>,
    metric: f64,
    unit: &'a str,
}

#[derive(Debug, Serialize)]
struct Standouts<'a> {
    best_configurations: Keyed<Best<'a>>,
    pareto_optimal: Vec<&'a Map<String, Value>>,
    /// Points of which a run ended before it was to: they are not among the best.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cut_short: Vec<&'a Map<String, Value>>,
}

/// The file's text: two spaces a level, no newline at its end.
pub fn sweep_json(sweep: &Sweep) -> String {
    let single = sweep.is_of_single_runs();
    let file = SweepFile {
        aggregation_type: "sweep",
        num_profile_runs: sweep.made,
        num_successful_runs: sweep.succeeded,
        failed_runs: &sweep.failed,
        metadata: Metadata {
            sweep_parameters: sweep
                .parameters
                .iter()
                .map(|(name, values)| Parameter { name, values })
                .collect(),
            num_combinations: sweep.points.len(),
            sweep_mode: sweep.mode,
            confidence_level: sweep.confidence_level,
            num_trials_per_value: sweep.trials,
            aggregation_type: "sweep",
            sla_constraints: (!sweep.constraints.is_empty()).then(|| Constraints {
                active_filters: &sweep.constraints,
                feasible_count: sweep.standouts.feasible,
                infeasible_count: sweep.points.len() - sweep.standouts.feasible,
            }),
        },
        per_combination_metrics: sweep.points.iter().map(combination).collect(),
        best_configurations: if single { Keyed::from_iter([]) } else { best(sweep) },
        pareto_optimal: if single { Vec::new() } else { pareto(sweep) },
        loadgen: Standouts {
            best_configurations: best(sweep),
            pareto_optimal: pareto(sweep),
            cut_short: sweep
                .points
                .iter()
                .filter(|point| point.is_cut_short)
                .map(|point| &point.parameters)
                .collect(),
        },
    };
    serde_json::to_string_pretty(&file).expect("text keys and finite numbers always serialize")
}

fn combination(point: &SweepPoint) -> Combination<'_> {
    let metrics = match &point.figures {
        PointFigures::Single(run) => run
            .metrics
            .iter()
            .map(|metric| (metric.tag.as_str(), PointMetric::Single(single(metric))))
            .collect(),
        PointFigures::Repeated(figures) => figures
            .iter()
            .map(|figure| {
                let Interval { mean, std, min, max, cv, ci_low, ci_high, .. } = figure.interval;
                let metric = RepeatedMetric { mean, std, min, max, cv, ci_low, ci_high, unit: &figure.unit };
                (figure.key.as_str(), PointMetric::Repeated(metric))
            })
            .collect(),
    };
    Combination { parameters: &point.parameters, metrics }
}

/// A metric of a single run: a point without spread, least and greatest being the run's own.
fn single(metric: &MetricFigures) -> Keyed<Value> {
    let avg = metric.statistic("avg").unwrap_or(0.0);
    let or_avg = |name| metric.statistic(name).unwrap_or(avg);
    let mut figures: Vec<(&'static str, Value)> = vec![
        ("mean", avg.into()),
        ("avg", avg.into()),
        ("std", 0.0.into()),
        ("min", or_avg("min").into()),
        ("max", or_avg("max").into()),
        ("cv", 0.0.into()),
        ("ci_low", avg.into()),
        ("ci_high", avg.into()),
        ("unit", metric.unit.as_str().into()),
    ];
    let percentiles = metric.statistics.iter().filter(|(name, _)| name.starts_with('p'));
    figures.extend(percentiles.map(|(name, value)| (*name, (*value).into())));
    figures.extend(metric.count.map(|count| ("count", count.into())));
    figures.extend(metric.statistic("sum").map(|sum| ("sum", sum.into())));
    figures.into_iter().collect()
}

fn best(sweep: &Sweep) -> Keyed<Best<'_>> {
    let standouts = &sweep.standouts;
    [("best_throughput", &standouts.throughput), ("best_latency_p99", &standouts.latency)]
        .into_iter()
        .filter_map(|(name, standout)| {
            let Standout { point, figure, unit } = standout.as_ref()?;
            Some((name, Best { parameters: sweep.parameters_of(*point), metric: *figure, unit }))
        })
        .collect()
}

fn pareto(sweep: &Sweep) -> Vec<&Map<String, Value>> {
    sweep.standouts.pareto.iter().map(|point| sweep.parameters_of(*point)).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::super::sample;
    use super::*;

    fn keys(value: &Value) -> String {
        value.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_sweep_of_single_runs_has_its_figures_by_metric() {
        let file: Value = serde_json::from_str(&sweep_json(&sample::single())).unwrap();
        assert_eq!(
            keys(&file),
            "aggregation_type num_profile_runs num_successful_runs failed_runs metadata per_combination_metrics \
             best_configurations pareto_optimal loadgen"
        );
        let metrics = &file["per_combination_metrics"][1]["metrics"];
        assert_eq!(keys(metrics), "request_throughput time_to_first_token");
        assert_eq!(
            metrics["time_to_first_token"],
            json!({"mean": 30.0, "avg": 30.0, "std": 0.0, "min": 30.0, "max": 30.0, "cv": 0.0,
                   "ci_low": 30.0, "ci_high": 30.0, "unit": "ms", "p99": 35.0, "count": 10})
        );
        assert_eq!((&file["best_configurations"], &file["pareto_optimal"]), (&json!({}), &json!([])));
        assert_eq!(
            file["loadgen"]["best_configurations"]["best_throughput"]["parameters"],
            json!({"concurrency": 2})
        );
    }

    #[test]
    fn a_sweep_of_repeats_has_its_figures_by_statistic_and_names_the_best() {
        let file: Value = serde_json::from_str(&sweep_json(&sample::repeated())).unwrap();
        assert_eq!(
            file["metadata"],
            json!({"sweep_parameters": [{"name": "concurrency", "values": [1, 2]}], "num_combinations": 2,
                   "sweep_mode": "repeated", "confidence_level": 0.95, "num_trials_per_value": 2,
                   "aggregation_type": "sweep"})
        );
        let figure = &file["per_combination_metrics"][0]["metrics"]["request_throughput_avg"];
        assert_eq!(keys(figure), "mean std min max cv ci_low ci_high unit");
        assert_eq!(figure["mean"], 10.0);
        assert_eq!(
            file["best_configurations"],
            json!({"best_throughput": {"parameters": {"concurrency": 2}, "metric": 20.0, "unit": "requests/sec"},
                   "best_latency_p99": {"parameters": {"concurrency": 1}, "metric": 25.0, "unit": "ms"}})
        );
        assert_eq!(file["pareto_optimal"], json!([{"concurrency": 1}, {"concurrency": 2}]));
        assert!(file["metadata"].get("sla_constraints").is_none());
    }

    #[test]
    fn bounds_are_told_with_how_many_points_meet_them() {
        let mut sweep = sample::repeated();
        sweep.constraints = vec!["time_to_first_token:p99:le:30".to_owned()];
        sweep.standouts.feasible = 1;
        let file: Value = serde_json::from_str(&sweep_json(&sweep)).unwrap();
        assert_eq!(
            file["metadata"]["sla_constraints"],
            json!({"active_filters": ["time_to_first_token:p99:le:30"], "feasible_count": 1, "infeasible_count": 1})
        );
    }
}
