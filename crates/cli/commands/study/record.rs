//! `experiment.json`: what an experiment was and how far it came, so that its aggregates can be made
//! again from its folder. Written when it begins and after each run; holds no secret.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use loadgen_study::{Cell, Criterion, Design, Order, Seeds, Variation};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The file's name. It has neither `profile_export` nor `aiperf` in it: scripts take the first match.
const NAME: &str = "experiment.json";

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

    /// Whether `dir` is the folder of an experiment.
    pub(super) fn is_in(dir: &Path) -> bool {
        dir.join(NAME).is_file()
    }

    /// Takes away that of an experiment in `dir`, if there was one.
    pub(super) fn remove(dir: &Path) -> Result<()> {
        super::files::remove(&dir.join(NAME))
    }

    /// Reads that of the experiment in `dir`.
    pub(super) fn read(dir: &Path) -> Result<Self> {
        let path = dir.join(NAME);
        let text = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_slice(&text)
            .with_context(|| format!("{} cannot be read by this version of loadgen", path.display()))
    }

    /// Writes it, whole or not at all.
    pub(super) fn write(&self, dir: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        super::files::put(&dir.join(NAME), &text)
    }
}
