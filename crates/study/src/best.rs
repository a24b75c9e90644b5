//! Which points of a sweep are best: the one of most throughput, the one of least latency, and those
//! that no other point beats in both.

use std::fmt;
use std::str::FromStr;

/// What is looked at in a point: `time_to_first_token`'s `p99`, say; `None` where it has none.
pub trait Point {
    /// The statistic of a metric.
    fn figure(&self, tag: &str, statistic: &str) -> Option<f64>;
}

/// The metric that throughput is judged by.
pub const THROUGHPUT: (&str, &str) = ("request_throughput", "avg");

/// The metrics that latency is judged by: the first one that every point has. Answers that are not
/// streamed have no first token.
const LATENCIES: [(&str, &str); 2] = [("time_to_first_token", "p99"), ("request_latency", "p99")];

/// What stands out among the points of a sweep, by their places.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Standouts {
    /// The point of most throughput, and how much; `None` where a point has none.
    pub throughput: Option<(usize, f64)>,
    /// The point of least latency, by which metric, and how much.
    pub latency: Option<(usize, (&'static str, &'static str), f64)>,
    /// Points that no other beats: none has at least as much throughput at no more latency, and one of
    /// both is better. Empty where either cannot be judged.
    pub pareto: Vec<usize>,
    /// Points that meet every constraint; all of them without constraints.
    pub feasible: Vec<usize>,
}

impl Standouts {
    /// Of these points, under these constraints. Where no point meets the constraints, the best are
    /// looked for among all, and no point is Pareto-optimal.
    pub fn of(points: &[&dyn Point], constraints: &[Constraint]) -> Self {
        let meets = |point: &dyn Point| constraints.iter().all(|constraint| constraint.holds(point));
        let feasible: Vec<usize> = (0..points.len()).filter(|at| meets(points[*at])).collect();
        let all: Vec<usize> = (0..points.len()).collect();
        let candidates = if feasible.is_empty() { &all } else { &feasible };

        let values = |(tag, statistic): (&str, &str), of: &[usize]| -> Option<Vec<f64>> {
            of.iter().map(|at| points[*at].figure(tag, statistic)).collect()
        };
        let throughput = values(THROUGHPUT, &all).and_then(|values| {
            // The first of equals, as Python's max.
            candidates
                .iter()
                .map(|at| (*at, values[*at]))
                .reduce(|best, next| if next.1 > best.1 { next } else { best })
        });
        let judged_by = LATENCIES.into_iter().find(|metric| values(*metric, &all).is_some());
        let latency = judged_by.and_then(|metric| {
            let values = values(metric, &all)?;
            let best = candidates
                .iter()
                .map(|at| (*at, values[*at]))
                .reduce(|best, next| if next.1 < best.1 { next } else { best })?;
            Some((best.0, metric, best.1))
        });
        let pareto = match (values(THROUGHPUT, &all), judged_by.and_then(|metric| values(metric, &all))) {
            (Some(throughputs), Some(latencies)) => unbeaten(&feasible, &throughputs, &latencies),
            _ => Vec::new(),
        };
        Self { throughput, latency, pareto, feasible }
    }
}

fn unbeaten(of: &[usize], throughputs: &[f64], latencies: &[f64]) -> Vec<usize> {
    let beats = |a: usize, b: usize| {
        throughputs[a] >= throughputs[b]
            && latencies[a] <= latencies[b]
            && (throughputs[a] > throughputs[b] || latencies[a] < latencies[b])
    };
    of.iter().copied().filter(|at| !of.iter().any(|other| beats(*other, *at))).collect()
}

/// A bound that a point of a sweep has to meet: `time_to_first_token:p99:le:200`.
#[derive(Debug, Clone, PartialEq)]
pub struct Constraint {
    /// Tag of the metric.
    pub metric: String,
    /// Which of its statistics.
    pub statistic: String,
    /// How it is held against the threshold.
    pub comparison: Comparison,
    /// In the metric's display unit.
    pub threshold: f64,
}

/// How a figure is held against a threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// Less.
    Lt,
    /// Not more.
    Le,
    /// More.
    Gt,
    /// Not less.
    Ge,
}

impl Constraint {
    fn holds(&self, point: &dyn Point) -> bool {
        // What a point does not have cannot be shown to meet a bound.
        point.figure(&self.metric, &self.statistic).is_some_and(|figure| match self.comparison {
            Comparison::Lt => figure < self.threshold,
            Comparison::Le => figure <= self.threshold,
            Comparison::Gt => figure > self.threshold,
            Comparison::Ge => figure >= self.threshold,
        })
    }
}

impl Comparison {
    /// AIPerf's word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Lt => "lt",
            Self::Le => "le",
            Self::Gt => "gt",
            Self::Ge => "ge",
        }
    }
}

impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}:{}", self.metric, self.statistic, self.comparison.word(), self.threshold)
    }
}

impl FromStr for Constraint {
    type Err = String;

    /// Reads `METRIC:STATISTIC:OPERATOR:THRESHOLD`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let expected = || {
            format!(
                "{text:?}: expected METRIC:STATISTIC:OPERATOR:THRESHOLD, such as time_to_first_token:p99:le:200"
            )
        };
        let parts: Vec<&str> = text.split(':').collect();
        let [metric, statistic, comparison, threshold] = parts[..] else { return Err(expected()) };
        let comparison = match comparison {
            "lt" => Comparison::Lt,
            "le" => Comparison::Le,
            "gt" => Comparison::Gt,
            "ge" => Comparison::Ge,
            other => return Err(format!("{text:?}: {other:?} is no comparison: expected lt, le, gt or ge")),
        };
        if !loadgen_metrics::STATISTICS.contains(&statistic) {
            let known = loadgen_metrics::STATISTICS.join(", ");
            return Err(format!("{text:?}: {statistic:?} is no statistic: expected one of {known}"));
        }
        let threshold: f64 = threshold.parse().map_err(|_| expected())?;
        if metric.is_empty() || !threshold.is_finite() {
            return Err(expected());
        }
        Ok(Self { metric: metric.to_owned(), statistic: statistic.to_owned(), comparison, threshold })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Throughput, p99 of time to first token, p99 of latency.
    struct Given(f64, Option<f64>, f64);

    impl Point for Given {
        fn figure(&self, tag: &str, statistic: &str) -> Option<f64> {
            match (tag, statistic) {
                ("request_throughput", "avg") => Some(self.0),
                ("time_to_first_token", "p99") => self.1,
                ("request_latency", "p99") => Some(self.2),
                _ => None,
            }
        }
    }

    fn standouts(points: &[Given], constraints: &[&str]) -> Standouts {
        let points: Vec<&dyn Point> = points.iter().map(|point| point as &dyn Point).collect();
        let constraints: Vec<Constraint> = constraints.iter().map(|text| text.parse().unwrap()).collect();
        Standouts::of(&points, &constraints)
    }

    #[test]
    fn the_best_and_the_unbeaten_are_found() {
        let points =
            [Given(100.0, Some(50.0), 1.0), Given(150.0, Some(80.0), 1.0), Given(140.0, Some(90.0), 1.0)];
        let found = standouts(&points, &[]);
        assert_eq!(found.throughput, Some((1, 150.0)));
        assert_eq!(found.latency, Some((0, ("time_to_first_token", "p99"), 50.0)));
        assert_eq!(found.pareto, [0, 1], "the third has less throughput at more latency");
        assert_eq!(found.feasible, [0, 1, 2]);
    }

    #[test]
    fn without_first_tokens_latency_is_that_of_the_request() {
        let found = standouts(&[Given(1.0, None, 7.0), Given(2.0, Some(1.0), 9.0)], &[]);
        assert_eq!(found.latency, Some((0, ("request_latency", "p99"), 7.0)));
        assert_eq!(found.pareto, [0, 1]);
    }

    #[test]
    fn constraints_narrow_the_choice_and_fall_back_where_none_meets_them() {
        let points = [Given(100.0, Some(50.0), 1.0), Given(150.0, Some(80.0), 1.0)];
        let found = standouts(&points, &["time_to_first_token:p99:le:60"]);
        assert_eq!((found.throughput, found.pareto, found.feasible), (Some((0, 100.0)), vec![0], vec![0]));
        let found = standouts(&points, &["time_to_first_token:p99:lt:50"]);
        assert_eq!(found.throughput, Some((1, 150.0)), "among all");
        assert!(found.pareto.is_empty() && found.feasible.is_empty());
        assert!(standouts(&points, &["unheard_of:avg:ge:0"]).feasible.is_empty());
    }

    #[test]
    fn equal_points_do_not_beat_each_other() {
        let found = standouts(&[Given(1.0, Some(1.0), 1.0), Given(1.0, Some(1.0), 1.0)], &[]);
        assert_eq!(found.pareto, [0, 1]);
        assert_eq!(found.throughput, Some((0, 1.0)));
    }

    #[test]
    fn a_constraint_reads_as_it_is_written() {
        let text = "time_to_first_token:p95:le:200";
        assert_eq!(text.parse::<Constraint>().unwrap().to_string(), text);
        for wrong in ["a", "a:p95:eq:1", "a:p94:le:1", "a:p95:le:x", ":p95:le:1", "a:p95:le:inf"] {
            assert!(wrong.parse::<Constraint>().is_err(), "{wrong}");
        }
    }
}
