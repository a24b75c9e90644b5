//! What the runs of an experiment came to together: the aggregates on disk, and what is printed of them.
//!
//! Everything here is a function of the runs' own files and of the experiment's record, so that
//! `loadgen report` makes it again.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use loadgen_metrics::{Pool, RunFigures, over_runs};
use loadgen_report::aggregate::{
    Aggregate, Collated, CollatedMetric, CollatedRun, FailedRun, Repeats, VariationFacts, aggregate_console,
    aggregate_csv, aggregate_json, collated_json,
};
use loadgen_report::sweep::{
    PointFigures, Standout, Sweep, SweepPoint, SweepStandouts, best_configurations, sweep_csv, sweep_json,
    sweep_table,
};
use loadgen_run::Artifacts;
use loadgen_study::{
    Constraint, Design, Made, Point, Standouts, THROUGHPUT, Variation, run_label, shown_names,
};
use serde_json::{Map, Value};

use super::files::{put, remove};
use super::record::Record;

/// AIPerf's names of the aggregates.
const AGGREGATE: &str = "profile_export_aiperf_aggregate";
const COLLATED: &str = "profile_export_aiperf_collated";
const SWEEP: &str = "profile_export_aiperf_sweep";

/// Fewest runs that have to succeed for there to be anything to aggregate.
const LEAST_SUCCESSES: usize = 2;

/// The runs of an experiment and where they are.
pub(super) struct Results<'a> {
    /// The experiment's folder.
    pub(super) dir: &'a Path,
    pub(super) record: &'a Record,
    pub(super) design: &'a Design,
    /// The runs that were made.
    pub(super) made: &'a [Made],
}

impl Results<'_> {
    /// How many runs succeeded.
    pub(super) fn succeeded(&self) -> usize {
        self.made.iter().filter(|run| run.outcome.is_ok()).count()
    }

    /// How far the experiment came, in a line: AIPerf's where all runs were made whole.
    pub(super) fn how_far(&self) -> String {
        let (made, planned, succeeded) = (self.made.len(), self.record.planned(), self.succeeded());
        let cut = self.made.iter().filter(|run| self.record.is_cut_short(run.cell));
        let cut: Vec<String> =
            cut.map(|run| self.design.run_folder(run.cell).display().to_string()).collect();
        if made >= planned && cut.is_empty() {
            return format!("All runs complete: {succeeded}/{made} successful");
        }
        let cut = match cut.len() {
            0 => String::new(),
            count => format!(", {count} cut short ({})", cut.join(", ")),
        };
        format!("Incomplete: {made} of {planned} planned runs made{cut}: {succeeded}/{made} successful")
    }

    /// Whether there is enough to aggregate.
    pub(super) fn are_enough(&self) -> bool {
        self.succeeded() >= LEAST_SUCCESSES
    }

    /// Takes away the aggregates of an earlier experiment in the same folder.
    pub(super) fn clear(dir: &Path, design: &Design) -> Result<()> {
        for variation in &design.variations {
            let folder = dir.join(design.aggregate_folder(variation));
            for name in [format!("{AGGREGATE}.json"), format!("{AGGREGATE}.csv"), format!("{COLLATED}.json")]
            {
                remove(&folder.join(name))?;
            }
        }
        let folder = dir.join(design.sweep_folder());
        remove(&folder.join(format!("{SWEEP}.json")))?;
        remove(&folder.join(format!("{SWEEP}.csv")))
    }

    /// Writes every aggregate and says what is to be printed. `table`: whether a sweep's is wanted.
    pub(super) fn write(&self, table: bool) -> Result<String> {
        if self.design.is_sweep() { self.write_sweep(table) } else { self.write_repeats() }
    }

    fn write_repeats(&self) -> Result<String> {
        let variation = &self.design.variations[0];
        let folder = self.dir.join(self.design.aggregate_folder(variation));
        let aggregate = self.aggregate(variation, None);
        let mut files = put_aggregate(&folder, &aggregate)?;
        if self.record.convergence.is_some()
            && let Some(collated) = self.collated(&aggregate.repeats)?
        {
            let path = folder.join(format!("{COLLATED}.json"));
            put(&path, &collated_json(&collated))?;
            files.push(("Collated JSON", path));
        }
        Ok(aggregate_console(&aggregate) + &listed(&files))
    }

    fn write_sweep(&self, table: bool) -> Result<String> {
        for variation in &self.design.variations {
            let facts = VariationFacts {
                label: variation.label.clone(),
                values: variation.values.clone(),
                sweep_mode: self.design.order.word(),
                model: self.record.model.clone(),
            };
            let aggregate = self.aggregate(variation, Some(facts));
            if !aggregate.repeats.succeeded.is_empty() {
                put_aggregate(&self.dir.join(self.design.aggregate_folder(variation)), &aggregate)?;
            }
        }
        let sweep = self.sweep();
        let folder = self.dir.join(self.design.sweep_folder());
        let (json, csv) = (folder.join(format!("{SWEEP}.json")), folder.join(format!("{SWEEP}.csv")));
        put(&json, &sweep_json(&sweep))?;
        put(&csv, &sweep_csv(&sweep))?;
        let mut text = if table { sweep_table(&sweep) } else { String::new() };
        text.push_str(&best_configurations(&sweep));
        Ok(text + &listed(&[("Sweep CSV", csv), ("Sweep JSON", json)]))
    }

    /// The runs of a variation.
    fn of(&self, variation: &Variation) -> impl Iterator<Item = &Made> {
        let index = variation.index;
        self.made.iter().filter(move |run| run.cell.variation == index)
    }

    fn aggregate(&self, variation: &Variation, facts: Option<VariationFacts>) -> Aggregate {
        let succeeded: Vec<&RunFigures> =
            self.of(variation).filter_map(|run| run.outcome.as_ref().ok()).collect();
        Aggregate {
            repeats: repeats(self.of(variation), self.design),
            confidence_level: self.record.confidence_level,
            variation: facts,
            figures: over_runs(&succeeded, self.record.confidence_level),
        }
    }

    fn sweep(&self) -> Sweep {
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

    /// The requests of all runs, metric by metric; `None` where no run exported them.
    fn collated(&self, repeats: &Repeats) -> Result<Option<Collated>> {
        let mut pools = Pool::in_folder(self.dir);
        let mut metrics: Vec<(String, Pool, Vec<CollatedRun>)> = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        for run in self.made.iter().filter(|run| run.outcome.is_ok()) {
            let mut of_run: HashMap<usize, (f64, u64)> = HashMap::new();
            read_samples(&self.records(run), |tag, sample| {
                let place = *places.entry(tag.to_owned()).or_insert_with(|| {
                    metrics.push((tag.to_owned(), pools.next().unwrap_or_default(), Vec::new()));
                    metrics.len() - 1
                });
                metrics[place].1.push(sample);
                let (sum, count) = of_run.entry(place).or_default();
                *sum += sample;
                *count += 1;
            })?;
            for (place, (sum, count)) in of_run {
                let label = run_label(run.cell.trial);
                metrics[place].2.push(CollatedRun { label, mean: sum / count as f64, count });
            }
        }
        let mut collated = Vec::new();
        for (tag, pool, runs) in metrics {
            if let Some(combined) = pool.figures()? {
                collated.push(CollatedMetric { tag, combined, runs });
            }
        }
        Ok((!collated.is_empty()).then(|| Collated { repeats: repeats.clone(), metrics: collated }))
    }

    fn records(&self, run: &Made) -> PathBuf {
        let folder = self.dir.join(self.design.run_folder(run.cell));
        Artifacts::new(folder, self.record.prefix.as_deref()).records_jsonl()
    }
}

fn put_aggregate(folder: &Path, aggregate: &Aggregate) -> Result<Vec<(&'static str, PathBuf)>> {
    let (json, csv) = (folder.join(format!("{AGGREGATE}.json")), folder.join(format!("{AGGREGATE}.csv")));
    put(&json, &aggregate_json(aggregate))?;
    put(&csv, &aggregate_csv(aggregate))?;
    Ok(vec![("Aggregate CSV", csv), ("Aggregate JSON", json)])
}

fn repeats<'a>(runs: impl Iterator<Item = &'a Made>, design: &Design) -> Repeats {
    let mut repeats = Repeats {
        made: 0,
        succeeded: Vec::new(),
        failed: Vec::new(),
        cooldown_seconds: design.run_cooldown.as_secs_f64(),
    };
    for run in runs {
        repeats.made += 1;
        let label = run_label(run.cell.trial);
        match &run.outcome {
            Ok(_) => repeats.succeeded.push(label),
            Err(error) => repeats.failed.push(FailedRun { label, error: error.clone() }),
        }
    }
    repeats
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

/// Hands every single figure of every measured request that succeeded to `take`. A file that is not
/// there has none.
pub(super) fn read_samples(records: &Path, mut take: impl FnMut(&str, f64)) -> Result<()> {
    let file = match File::open(records) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", records.display())),
    };
    for line in BufReader::new(file).lines() {
        let line = line.with_context(|| format!("cannot read {}", records.display()))?;
        let record: Value = serde_json::from_str(&line)
            .with_context(|| format!("{} holds a damaged line", records.display()))?;
        if record["metadata"]["benchmark_phase"] != "profiling" || record.get("error").is_some() {
            continue;
        }
        for (tag, metric) in record["metrics"].as_object().into_iter().flatten() {
            if let Some(sample) = metric["value"].as_f64() {
                take(tag, sample);
            }
        }
    }
    Ok(())
}

/// Where files are, a line each.
fn listed(files: &[(&str, PathBuf)]) -> String {
    files
        .iter()
        .fold("\n".to_owned(), |text, (name, path)| text + name + ": " + &path.display().to_string() + "\n")
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
