//! The files of repeats: `profile_export_aiperf_aggregate.{json,csv}`, `profile_export_aiperf_collated.json`
//! and what is printed of them.
//!
//! * [`aggregate_json`] and [`aggregate_csv`] give each statistic of each metric over the runs, with its
//!   confidence interval;
//! * [`collated_json`] gives each per-request metric over the requests of all runs;
//! * [`aggregate_console`] is AIPerf's summary of the four metrics that matter most.
//!
//! Key for key as AIPerf writes them. Nothing that is not finite is written: a coefficient of variation
//! whose mean is 0 is `null`, and `inf` in the CSV, as AIPerf's.

mod collated;
mod console;
mod csv;
mod json;

use loadgen_metrics::RepeatedFigure;
use serde_json::{Map, Value};

pub use collated::{Collated, CollatedMetric, CollatedRun, collated_json};
pub use console::aggregate_console;
pub use csv::aggregate_csv;
pub use json::aggregate_json;

/// Repeats of one thing: how they went, and what they came to.
#[derive(Debug, Clone)]
pub struct Aggregate {
    /// How they went.
    pub repeats: Repeats,
    /// Confidence level of the intervals, between 0 and 1.
    pub confidence_level: f64,
    /// Which point of a sweep these are repeats of; `None` without one.
    pub variation: Option<VariationFacts>,
    /// Each statistic of each metric over the runs that succeeded.
    pub figures: Vec<RepeatedFigure>,
}

/// How repeats went.
#[derive(Debug, Clone)]
pub struct Repeats {
    /// Runs that were made.
    pub made: usize,
    /// Labels of those that succeeded, in order.
    pub succeeded: Vec<String>,
    /// Those that did not, and why.
    pub failed: Vec<FailedRun>,
    /// Rest between them, s.
    pub cooldown_seconds: f64,
}

/// A run that did not succeed.
#[derive(Debug, Clone, serde::Serialize)]
pub struct FailedRun {
    /// Its label: `run_0002`.
    pub label: String,
    /// Why.
    pub error: String,
}

/// A point of a sweep.
#[derive(Debug, Clone)]
pub struct VariationFacts {
    /// What it is called.
    pub label: String,
    /// The values that set it apart, by their path.
    pub values: Map<String, Value>,
    /// `repeated` or `independent`.
    pub sweep_mode: &'static str,
    /// The model asked.
    pub model: Option<String>,
}

impl Aggregate {
    /// Whether only one run succeeded, which says nothing about how runs scatter.
    fn is_of_one_run(&self) -> bool {
        self.repeats.succeeded.len() == 1
    }

    /// The figure of this key.
    fn figure(&self, key: &str) -> Option<&RepeatedFigure> {
        self.figures.iter().find(|figure| figure.key == key)
    }
}

#[cfg(test)]
pub(crate) mod sample {
    //! A small aggregate for tests, worked out by hand.
    use loadgen_metrics::{MetricFigures, RunFigures, over_runs};
    use serde_json::json;

    use super::*;

    pub(crate) fn run(throughput: f64, ttft: f64) -> RunFigures {
        let metric = |tag: &str, unit: &str, statistics: &[(&'static str, f64)]| MetricFigures {
            tag: tag.to_owned(),
            unit: unit.to_owned(),
            statistics: statistics.to_vec(),
            count: (statistics.len() > 1).then_some(10),
        };
        RunFigures {
            metrics: vec![
                metric("request_throughput", "requests/sec", &[("avg", throughput)]),
                metric("time_to_first_token", "ms", &[("avg", ttft), ("p99", ttft + 5.0), ("std", 0.0)]),
            ],
        }
    }

    pub(crate) fn aggregate() -> Aggregate {
        let runs = [run(10.0, 20.0), run(12.0, 24.0), run(14.0, 22.0)];
        Aggregate {
            repeats: Repeats {
                made: 4,
                succeeded: ["run_0001", "run_0002", "run_0004"].map(str::to_owned).to_vec(),
                failed: vec![FailedRun {
                    label: "run_0003".to_owned(),
                    error: "all 8 requests failed".to_owned(),
                }],
                cooldown_seconds: 0.0,
            },
            confidence_level: 0.95,
            variation: None,
            figures: over_runs(&runs.iter().collect::<Vec<_>>(), 0.95),
        }
    }

    pub(crate) fn of_a_variation() -> Aggregate {
        let run = run(10.0, 20.0);
        Aggregate {
            repeats: Repeats {
                made: 1,
                succeeded: vec!["run_0001".to_owned()],
                failed: Vec::new(),
                cooldown_seconds: 1.5,
            },
            confidence_level: 0.9,
            variation: Some(VariationFacts {
                label: "phases.profiling.concurrency=1".to_owned(),
                values: [("phases.profiling.concurrency".to_owned(), json!(1))].into_iter().collect(),
                sweep_mode: "repeated",
                model: Some("mock-model".to_owned()),
            }),
            figures: over_runs(&[&run], 0.9),
        }
    }
}
