//! What the runs of an experiment came to together: the aggregates on disk, and what is printed of them.
//!
//! Everything here is a function of the runs' own files and of the experiment's record, so that
//! `loadgen report` makes it again.

mod samples;
mod sweep;

use std::path::{Path, PathBuf};

use anyhow::Result;
use loadgen_metrics::{RunFigures, over_runs};
use loadgen_report::aggregate::{
    Aggregate, FailedRun, Repeats, VariationFacts, aggregate_console, aggregate_csv, aggregate_json,
    collated_json,
};
use loadgen_report::sweep::{best_configurations, sweep_csv, sweep_json, sweep_table};
use loadgen_study::{Design, Made, Variation, run_label};

use super::files::{put, remove};
use super::record::Record;
pub(super) use samples::read_samples;

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

/// Where files are, a line each.
fn listed(files: &[(&str, PathBuf)]) -> String {
    files
        .iter()
        .fold("\n".to_owned(), |text, (name, path)| text + name + ": " + &path.display().to_string() + "\n")
}
