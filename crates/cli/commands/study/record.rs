//! `experiment.json`: what an experiment was and how far it came, so that its aggregates can be made
//! again from its folder. Written when it begins and after each run; holds no secret.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use loadgen_run::Artifacts;
use loadgen_study::{Cell, Criterion, Design, Order, Seeds, Variation};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// An experiment on disk.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Record {
    /// The loadgen that made it.
    pub(super) loadgen_version: String,
    /// Identifies it: a UUID.
    pub(super) sweep_id: String,
    variations: Vec<VariationRecord>,
    repeats: u32,
    order: Order,
    run_cooldown_seconds: f64,
    sweep_cooldown_seconds: f64,
    random_seed: Option<u64>,
    /// When repeats agree, where that is watched.
    pub(super) convergence: Option<Criterion>,
    /// Confidence level of the intervals.
    pub(super) confidence_level: f64,
    /// Bounds that the best points have to meet.
    pub(super) constraints: Vec<String>,
    /// The model asked.
    pub(super) model: Option<String>,
    /// Base name of the exported files, where one was given.
    pub(super) prefix: Option<String>,
    /// The runs that were made, in order.
    pub(super) runs: Vec<RunRecord>,
    /// Numbers of the variations whose repeats agreed, so that no more of them were needed.
    #[serde(default)]
    pub(super) settled: Vec<usize>,
}

/// A variation.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct VariationRecord {
    label: String,
    folder: String,
    values: Map<String, Value>,
}

/// A run that was made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct RunRecord {
    /// Number of its variation, from 0.
    pub(super) variation: usize,
    /// Number of the repeat, from 0.
    pub(super) trial: u32,
    /// Its folder, below the experiment's.
    pub(super) folder: PathBuf,
    /// Why it did not succeed; `None` where it did.
    pub(super) error: Option<String>,
    /// Whether it ended before it was to: interrupted, or killed.
    #[serde(default)]
    pub(super) cut_short: bool,
}

impl RunRecord {
    /// Which run it is.
    pub(super) fn cell(&self) -> Cell {
        Cell { variation: self.variation, trial: self.trial }
    }
}

impl Record {
    /// An experiment that begins.
    pub(super) fn new(
        design: &Design,
        sweep_id: String,
        criterion: Option<Criterion>,
        confidence_level: f64,
        constraints: Vec<String>,
    ) -> Self {
        Self {
            loadgen_version: env!("CARGO_PKG_VERSION").to_owned(),
            sweep_id,
            variations: design
                .variations
                .iter()
                .map(|Variation { label, folder, values, .. }| VariationRecord {
                    label: label.clone(),
                    folder: folder.clone(),
                    values: values.clone(),
                })
                .collect(),
            repeats: design.repeats,
            order: design.order,
            run_cooldown_seconds: design.run_cooldown.as_secs_f64(),
            sweep_cooldown_seconds: design.sweep_cooldown.as_secs_f64(),
            random_seed: design.seeds.base,
            convergence: criterion,
            confidence_level,
            constraints,
            model: None,
            prefix: None,
            runs: Vec::new(),
            settled: Vec::new(),
        }
    }

    /// What the experiment was designed to be, as far as its files depend on it.
    pub(super) fn design(&self) -> Design {
        let variations = self.variations.iter().enumerate().map(|(index, variation)| {
            let VariationRecord { label, folder, values } = variation.clone();
            Variation { index, label, folder, values }
        });
        let seconds = |seconds: f64| Duration::try_from_secs_f64(seconds).unwrap_or_default();
        Design {
            variations: variations.collect(),
            repeats: self.repeats,
            order: self.order,
            run_cooldown: seconds(self.run_cooldown_seconds),
            sweep_cooldown: seconds(self.sweep_cooldown_seconds),
            seeds: Seeds { base: self.random_seed, same_for_variations: false, vary_per_trial: false },
            warm_up_once: true,
        }
    }

    /// How many runs were to be made: fewer than the design has where repeats agreed before the last.
    pub(super) fn planned(&self) -> usize {
        let of = |variation: usize| {
            let made = || self.runs.iter().filter(|run| run.variation == variation).count();
            if self.settled.contains(&variation) { made() } else { self.repeats as usize }
        };
        (0..self.variations.len()).map(of).sum()
    }

    /// Whether a run ended before it was to.
    pub(super) fn is_cut_short(&self, cell: Cell) -> bool {
        self.runs.iter().any(|run| run.cut_short && run.cell() == cell)
    }

    /// Whether `dir` is the folder of an experiment.
    pub(super) fn is_in(dir: &Path) -> bool {
        path(dir).is_file()
    }

    /// Reads that of the experiment in `dir`.
    pub(super) fn read(dir: &Path) -> Result<Self> {
        let path = path(dir);
        let text = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_slice(&text)
            .with_context(|| format!("{} cannot be read by this version of loadgen", path.display()))
    }

    /// Writes it, whole or not at all.
    pub(super) fn write(&self, dir: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        super::files::put(&path(dir), &text)
    }
}

fn path(dir: &Path) -> PathBuf {
    Artifacts::new(dir.to_owned(), None).experiment()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_that_agreed_were_to_be_no_more_than_were_made() {
        let variations = (0..2).map(|index| Variation::named(index, &format!("v{index}"), Map::new()));
        let design = Design {
            variations: variations.collect(),
            repeats: 4,
            order: Order::Independent,
            run_cooldown: Duration::ZERO,
            sweep_cooldown: Duration::ZERO,
            seeds: Seeds { base: None, same_for_variations: false, vary_per_trial: false },
            warm_up_once: true,
        };
        let mut record = Record::new(&design, String::new(), None, 0.95, Vec::new());
        let run = |variation, trial, cut_short| RunRecord {
            variation,
            trial,
            folder: PathBuf::new(),
            error: None,
            cut_short,
        };
        record.runs = vec![run(0, 0, false), run(0, 1, false), run(1, 0, true)];
        assert_eq!(record.planned(), 8);
        record.settled = vec![0];
        assert_eq!(record.planned(), 2 + 4);
        assert!(record.is_cut_short(Cell { variation: 1, trial: 0 }));
        assert!(!record.is_cut_short(Cell { variation: 0, trial: 0 }));
    }
}
