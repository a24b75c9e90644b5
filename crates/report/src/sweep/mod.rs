//! The files of a sweep: `profile_export_aiperf_sweep.{json,csv}`, and the table that is printed of it.
//!
//! A sweep of single runs has its figures by metric (`request_latency`), one of repeats by metric and
//! statistic (`request_latency_p99`) with its interval: so it is in AIPerf, and readers tell the two
//! apart by it. AIPerf looks for the best points under the latter names alone and finds none in a sweep
//! of single runs; that stays as it is, and ours stand beside it under `loadgen`.

mod csv;
mod json;
mod table;

use loadgen_metrics::{RepeatedFigure, RunFigures};
use serde_json::{Map, Value};

pub use csv::sweep_csv;
pub use json::sweep_json;
pub use table::{best_configurations, sweep_table};

use crate::aggregate::FailedRun;

/// A sweep: what was swept, and what each point came to.
#[derive(Debug, Clone)]
pub struct Sweep {
    /// Runs that were made.
    pub made: usize,
    /// Runs in which at least one request succeeded.
    pub succeeded: usize,
    /// The others, and why.
    pub failed: Vec<FailedRun>,
    /// What was swept, by the name that is shown, and the values it took.
    pub parameters: Vec<(String, Vec<Value>)>,
    /// What each parameter is called in the table, for people: `isl.mean` where the name is `mean`.
    pub heads: Vec<String>,
    /// `repeated` or `independent`.
    pub mode: &'static str,
    /// Confidence level of the intervals, between 0 and 1.
    pub confidence_level: f64,
    /// Most runs that a point has.
    pub trials: usize,
    /// The points that have figures, in the order of the sweep.
    pub points: Vec<SweepPoint>,
    /// What stands out, by the places of points.
    pub standouts: SweepStandouts,
    /// The bounds that points had to meet, in words; empty without any.
    pub constraints: Vec<String>,
}

/// A point of a sweep.
#[derive(Debug, Clone)]
pub struct SweepPoint {
    /// What sets it apart, by the name that is shown.
    pub parameters: Map<String, Value>,
    /// What it came to.
    pub figures: PointFigures,
    /// How many of its runs succeeded.
    pub runs: usize,
    /// Whether one of its runs ended before it was to. Its figures stand beside the others', but do not
    /// compete with them.
    pub is_cut_short: bool,
}

/// What a point came to.
#[derive(Debug, Clone)]
pub enum PointFigures {
    /// A single run was made of it.
    Single(RunFigures),
    /// Several runs were made of it.
    Repeated(Vec<RepeatedFigure>),
}

/// What stands out among points.
#[derive(Debug, Clone, Default)]
pub struct SweepStandouts {
    /// The point of most throughput, and how much.
    pub throughput: Option<Standout>,
    /// The point of least latency (p99), and how much.
    pub latency: Option<Standout>,
    /// Points that no other beats in both.
    pub pareto: Vec<usize>,
    /// How many points meet every bound.
    pub feasible: usize,
}

/// A point that stands out.
#[derive(Debug, Clone, PartialEq)]
pub struct Standout {
    /// Its place.
    pub point: usize,
    /// By what figure.
    pub figure: f64,
    /// The figure's unit.
    pub unit: String,
}

impl PointFigures {
    /// One statistic of a metric, its mean where there are several runs.
    pub fn figure(&self, tag: &str, statistic: &str) -> Option<f64> {
        match self {
            Self::Single(run) => run.figure(tag, statistic),
            Self::Repeated(figures) => Some(repeated(figures, tag, statistic)?.interval.mean),
        }
    }

    /// The unit of a statistic.
    pub fn unit(&self, tag: &str, statistic: &str) -> Option<&str> {
        match self {
            Self::Single(run) => Some(&run.get(tag)?.unit),
            Self::Repeated(figures) => Some(&repeated(figures, tag, statistic)?.unit),
        }
    }
}

fn repeated<'a>(figures: &'a [RepeatedFigure], tag: &str, statistic: &str) -> Option<&'a RepeatedFigure> {
    figures.iter().find(|figure| {
        figure.key.strip_prefix(tag).and_then(|rest| rest.strip_prefix('_')) == Some(statistic)
    })
}

impl Sweep {
    /// Whether points are single runs, under whose names AIPerf looks for no best point.
    fn is_of_single_runs(&self) -> bool {
        self.trials <= 1
    }

    fn parameters_of(&self, point: usize) -> &Map<String, Value> {
        &self.points[point].parameters
    }
}

#[cfg(test)]
mod sample {
    //! Two small sweeps for tests, worked out by hand.
    use loadgen_metrics::over_runs;
    use serde_json::json;

    use super::*;
    use crate::aggregate::sample::run;

    fn point(concurrency: u64, figures: PointFigures, runs: usize) -> SweepPoint {
        let parameters = [("concurrency".to_owned(), json!(concurrency))].into_iter().collect();
        SweepPoint { parameters, figures, runs, is_cut_short: false }
    }

    fn sweep(points: Vec<SweepPoint>, trials: usize) -> Sweep {
        let made = points.len() * trials;
        let standout = |point, figure, unit: &str| Some(Standout { point, figure, unit: unit.to_owned() });
        Sweep {
            made,
            succeeded: made,
            failed: Vec::new(),
            parameters: vec![("concurrency".to_owned(), vec![json!(1), json!(2)])],
            heads: vec!["concurrency".to_owned()],
            mode: "repeated",
            confidence_level: 0.95,
            trials,
            points,
            standouts: SweepStandouts {
                throughput: standout(1, 20.0, "requests/sec"),
                latency: standout(0, 25.0, "ms"),
                pareto: vec![0, 1],
                feasible: 2,
            },
            constraints: Vec::new(),
        }
    }

    pub(super) fn single() -> Sweep {
        let points = vec![
            point(1, PointFigures::Single(run(10.0, 20.0)), 1),
            point(2, PointFigures::Single(run(20.0, 30.0)), 1),
        ];
        sweep(points, 1)
    }

    pub(super) fn repeated() -> Sweep {
        let repeats =
            |a: f64, b: f64| PointFigures::Repeated(over_runs(&[&run(a, 2.0 * a), &run(b, 2.0 * b)], 0.95));
        sweep(vec![point(1, repeats(9.0, 11.0), 2), point(2, repeats(19.0, 21.0), 2)], 2)
    }
}
