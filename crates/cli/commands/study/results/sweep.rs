//! The points of a sweep: what each came to, what they are called, and which stand out.

use loadgen_metrics::{RunFigures, over_runs};
use loadgen_report::sweep::{PointFigures, Standout, Sweep, SweepPoint, SweepStandouts};
use loadgen_study::{Constraint, Point, Standouts, THROUGHPUT, Variation, shown_names};
use serde_json::{Map, Value};

use super::{Results, repeats};

impl Results<'_> {
    /// What the sweep's points came to.
    pub(super) fn sweep(&self) -> Sweep {
        let tried: Vec<Variation> = self
            .design
            .variations
            .iter()
            .filter(|variation| self.of(variation).next().is_some())
            .cloned()
            .collect();
        let shown = shown_names(&tried);
        let points: Vec<SweepPoint> =
            tried.iter().filter_map(|variation| self.point(variation, &shown)).collect();
        let repeats = repeats(self.made.iter(), self.design);
        let parameters = parameters(tried.iter().map(|variation| shown_values(variation, &shown)));
        Sweep {
            made: repeats.made,
            succeeded: repeats.succeeded.len(),
            failed: repeats.failed,
            heads: parameters.iter().map(|(name, _)| head(name, &shown)).collect(),
            parameters,
            mode: self.design.order.word(),
            confidence_level: self.record.confidence_level,
            trials: tried.iter().map(|variation| self.of(variation).count()).max().unwrap_or(0),
            standouts: standouts(&points, &self.record.constraints),
            constraints: self.record.constraints.clone(),
            points,
        }
    }

    /// A point of the sweep; `None` where no run of it succeeded.
    fn point(&self, variation: &Variation, shown: &[(String, String)]) -> Option<SweepPoint> {
        let succeeded: Vec<&RunFigures> =
            self.of(variation).filter_map(|run| run.outcome.as_ref().ok()).collect();
        let first = *succeeded.first()?;
        let figures = if self.of(variation).count() == 1 {
            PointFigures::Single(first.clone())
        } else {
            PointFigures::Repeated(over_runs(&succeeded, self.record.confidence_level))
        };
        Some(SweepPoint {
            parameters: shown_values(variation, shown),
            figures,
            runs: succeeded.len(),
            is_cut_short: self.of(variation).any(|run| self.record.is_cut_short(run.cell)),
        })
    }
}

/// The values of a variation under the names that are shown; a scenario without values has its name.
fn shown_values(variation: &Variation, shown: &[(String, String)]) -> Map<String, Value> {
    if variation.values.is_empty() {
        return [("scenario".to_owned(), Value::from(variation.label.clone()))].into_iter().collect();
    }
    let name = |path: &String| {
        shown.iter().find(|(known, _)| known == path).map_or_else(|| path.clone(), |(_, name)| name.clone())
    };
    variation.values.iter().map(|(path, value)| (name(path), value.clone())).collect()
}

/// What a parameter is called in the table: by the last two parts of its path where the last alone says
/// nothing, as in `isl.mean`.
fn head(name: &str, shown: &[(String, String)]) -> String {
    let path = shown.iter().find(|(_, known)| known == name).map_or(name, |(path, _)| path);
    let mut parts = path.rsplit('.');
    match (parts.next(), parts.next()) {
        (Some(last @ ("mean" | "stddev" | "value")), Some(before)) => format!("{before}.{last}"),
        (last, _) => last.unwrap_or(name).to_owned(),
    }
}

/// Each parameter and the values it takes, in the order in which they first come.
fn parameters(points: impl Iterator<Item = Map<String, Value>>) -> Vec<(String, Vec<Value>)> {
    let mut parameters: Vec<(String, Vec<Value>)> = Vec::new();
    for (name, value) in points.flatten() {
        match parameters.iter_mut().find(|(known, _)| *known == name) {
            Some((_, values)) if values.contains(&value) => {}
            Some((_, values)) => values.push(value),
            None => parameters.push((name, vec![value])),
        }
    }
    parameters
}

/// A point as the study looks at it.
struct Figures<'a>(&'a PointFigures);

impl Point for Figures<'_> {
    fn figure(&self, tag: &str, statistic: &str) -> Option<f64> {
        self.0.figure(tag, statistic)
    }
}

fn standouts(points: &[SweepPoint], constraints: &[String]) -> SweepStandouts {
    // What is no constraint was refused when the experiment began.
    let constraints: Vec<Constraint> = constraints.iter().filter_map(|text| text.parse().ok()).collect();
    // Half a run is no match for a whole one.
    let (places, figures): (Vec<usize>, Vec<Figures<'_>>) = points
        .iter()
        .enumerate()
        .filter(|(_, point)| !point.is_cut_short)
        .map(|(place, point)| (place, Figures(&point.figures)))
        .unzip();
    let looked_at: Vec<&dyn Point> = figures.iter().map(|point| point as &dyn Point).collect();
    let found = Standouts::of(&looked_at, &constraints);
    let standout = |point: usize, (tag, statistic): (&str, &str), figure: f64| {
        let point = places[point];
        let unit = points[point].figures.unit(tag, statistic).unwrap_or_default().to_owned();
        Standout { point, figure, unit }
    };
    let mut pareto: Vec<usize> = found.pareto.into_iter().map(|point| places[point]).collect();
    pareto.sort_by(|a, b| by_values(&points[*a].parameters, &points[*b].parameters));
    SweepStandouts {
        throughput: found.throughput.map(|(point, figure)| standout(point, THROUGHPUT, figure)),
        latency: found.latency.map(|(point, metric, figure)| standout(point, metric, figure)),
        pareto,
        feasible: found.feasible.len(),
    }
}

/// Orders points by their values: numbers by size, all else by its text.
fn by_values(a: &Map<String, Value>, b: &Map<String, Value>) -> std::cmp::Ordering {
    let mut names: Vec<&String> = a.keys().collect();
    names.sort();
    names.into_iter().map(|name| (&a[name], b.get(name).unwrap_or(&Value::Null))).fold(
        std::cmp::Ordering::Equal,
        |so_far, (a, b)| {
            so_far.then_with(|| match (a.as_f64(), b.as_f64()) {
                (Some(a), Some(b)) => a.total_cmp(&b),
                _ => a.to_string().cmp(&b.to_string()),
            })
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_says_what_is_swept() {
        let shown: Vec<(String, String)> = [
            ("datasets.main.prompts.isl.mean", "mean"),
            ("phases.profiling.concurrency", "concurrency"),
            ("datasets.main.prompts.osl.mean", "datasets.main.prompts.osl.mean"),
        ]
        .map(|(path, name)| (path.to_owned(), name.to_owned()))
        .to_vec();
        let heads: Vec<String> = shown.iter().map(|(_, name)| head(name, &shown)).collect();
        assert_eq!(heads, ["isl.mean", "concurrency", "osl.mean"]);
        assert_eq!(head("scenario", &shown), "scenario");
    }

    #[test]
    fn half_a_run_is_no_match_for_a_whole_one() {
        let point = |throughput: f64, is_cut_short| SweepPoint {
            parameters: Map::new(),
            figures: PointFigures::Single(RunFigures {
                metrics: vec![loadgen_metrics::MetricFigures {
                    tag: THROUGHPUT.0.to_owned(),
                    unit: "requests/sec".to_owned(),
                    statistics: vec![(THROUGHPUT.1, throughput)],
                    count: None,
                }],
            }),
            runs: 1,
            is_cut_short,
        };
        let best = |points: &[SweepPoint]| {
            standouts(points, &[]).throughput.map(|best| (best.point, best.figure.to_bits()))
        };
        let points = [point(9.0, true), point(2.0, false), point(3.0, false)];
        assert_eq!(best(&points), Some((2, 3.0_f64.to_bits())));
        assert_eq!(best(&points[..1]), None);
    }

    #[test]
    fn points_are_ordered_by_size_and_not_by_spelling() {
        let point = |value: Value| [("concurrency".to_owned(), value)].into_iter().collect::<Map<_, _>>();
        assert!(by_values(&point(9.into()), &point(10.into())).is_lt());
        assert!(by_values(&point("a".into()), &point("b".into())).is_lt());
        assert!(by_values(&point(2.into()), &point(2.0.into())).is_eq());
    }
}
