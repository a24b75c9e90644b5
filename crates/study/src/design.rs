//! The design of an experiment: which runs there are, in which order, under which seeds, and where
//! each leaves its files.
//!
//! An experiment is variations × repeats. *Repeated* goes through all variations, then through all of
//! them again; *independent* makes all repeats of a variation before the next. The folders are AIPerf's:
//!
//! | | runs | aggregates |
//! |---|---|---|
//! | repeats alone | `profile_runs/run_0001` | `aggregate` |
//! | a sweep alone | `VARIATION` | `aggregate/VARIATION` (independent: `VARIATION/aggregate`), `sweep_aggregate` |
//! | repeated sweep | `profile_runs/trial_0001/VARIATION` | `aggregate/VARIATION`, `aggregate/sweep_aggregate` |
//! | independent sweep | `VARIATION/profile_runs/trial_0001` | `VARIATION/aggregate`, `sweep_aggregate` |
//!
//! Everything here is a pure function of the design. What it does not know: how a run is made.

use std::path::PathBuf;
use std::time::Duration;

use loadgen_core::Seed;
use serde::{Deserialize, Serialize};

use crate::sweep::Variation;

/// The seed of an experiment whose user gave none: AIPerf's.
pub const DEFAULT_SEED: u64 = 42;

/// Which of variations and repeats is the inner loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// All variations, then all of them again.
    #[default]
    Repeated,
    /// All repeats of a variation, then those of the next.
    Independent,
}

/// An experiment, resolved.
#[derive(Debug, Clone)]
pub struct Design {
    /// What is tried; at least one.
    pub variations: Vec<Variation>,
    /// How often each is run; at least once.
    pub repeats: u32,
    /// Which is the inner loop.
    pub order: Order,
    /// Rest between repeats.
    pub run_cooldown: Duration,
    /// Rest between variations.
    pub sweep_cooldown: Duration,
    /// Which seed a run has.
    pub seeds: Seeds,
    /// Whether only the first repeat of a variation warms the server up.
    pub warm_up_once: bool,
}

/// Which seed a run has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seeds {
    /// The root of all of them; `None` leaves each run to chance.
    pub base: Option<u64>,
    /// Whether all variations have the same.
    pub same_for_variations: bool,
    /// Whether each repeat has its own.
    pub vary_per_trial: bool,
}

/// One run of an experiment: a variation and the number of its repeat, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell {
    /// Index of the variation.
    pub variation: usize,
    /// Number of the repeat, from 0.
    pub trial: u32,
}

impl Order {
    /// AIPerf's word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Repeated => "repeated",
            Self::Independent => "independent",
        }
    }
}

impl Seeds {
    /// The seed of one run: the base, plus the variation's number unless all have the same. With a seed
    /// for each repeat, the first eight bytes, big-endian, of SHA-256 of
    /// `"{base}:variation:{label}:trial:{trial}"`, so that no two runs collide.
    pub fn of(&self, variation: &Variation, trial: u32, is_sweep: bool) -> Option<u64> {
        let base = self.base?;
        if self.vary_per_trial {
            return Some(Seed(base).child(&format!("variation:{}:trial:{trial}", variation.label)).0);
        }
        if self.same_for_variations || !is_sweep {
            return Some(base);
        }
        Some(base.wrapping_add(variation.index as u64))
    }
}

impl Design {
    /// Whether variations are compared; else one thing is repeated.
    pub fn is_sweep(&self) -> bool {
        self.variations.len() > 1
    }

    /// Whether there is more than one run.
    pub fn is_experiment(&self) -> bool {
        self.is_sweep() || self.repeats > 1
    }

    /// How many runs there are at most.
    pub fn runs(&self) -> usize {
        self.variations.len() * self.repeats as usize
    }

    /// All runs, in their order.
    pub fn cells(&self) -> Vec<Cell> {
        let (variations, repeats) = (self.variations.len(), self.repeats);
        match self.order {
            Order::Repeated => (0..repeats)
                .flat_map(|trial| (0..variations).map(move |variation| Cell { variation, trial }))
                .collect(),
            Order::Independent => (0..variations)
                .flat_map(|variation| (0..repeats).map(move |trial| Cell { variation, trial }))
                .collect(),
        }
    }

    /// The variation of a run.
    pub fn variation(&self, cell: Cell) -> &Variation {
        &self.variations[cell.variation]
    }

    /// The seed of a run.
    pub fn seed(&self, cell: Cell) -> Option<u64> {
        self.seeds.of(self.variation(cell), cell.trial, self.is_sweep())
    }

    /// Whether a run warms the server up, where there is a warm-up.
    pub fn warms_up(&self, cell: Cell) -> bool {
        cell.trial == 0 || !self.warm_up_once
    }

    /// How long to rest between two runs that follow each other.
    pub fn rest(&self, before: Cell, next: Cell) -> Duration {
        let inner_goes_on = match self.order {
            Order::Repeated => before.trial == next.trial,
            Order::Independent => before.variation == next.variation,
        };
        let is_between_repeats = inner_goes_on == (self.order == Order::Independent);
        if is_between_repeats { self.run_cooldown } else { self.sweep_cooldown }
    }

    /// Where a run's files go, below the experiment's folder.
    pub fn run_folder(&self, cell: Cell) -> PathBuf {
        let runs = PathBuf::from("profile_runs");
        if !self.is_sweep() {
            return runs.join(run_label(cell.trial));
        }
        let variation = &self.variation(cell).folder;
        let trial = format!("trial_{:04}", cell.trial + 1);
        match (self.repeats, self.order) {
            (1, _) => PathBuf::from(variation),
            (_, Order::Repeated) => runs.join(trial).join(variation),
            (_, Order::Independent) => PathBuf::from(variation).join(runs).join(trial),
        }
    }

    /// Where the aggregate of a variation's runs goes.
    pub fn aggregate_folder(&self, variation: &Variation) -> PathBuf {
        let aggregate = PathBuf::from("aggregate");
        match (self.is_sweep(), self.order) {
            (false, _) => aggregate,
            (true, Order::Repeated) => aggregate.join(&variation.folder),
            (true, Order::Independent) => PathBuf::from(&variation.folder).join(aggregate),
        }
    }

    /// Where the aggregate over all variations goes.
    pub fn sweep_folder(&self) -> PathBuf {
        let sweep = PathBuf::from("sweep_aggregate");
        if self.repeats > 1 && self.order == Order::Repeated {
            PathBuf::from("aggregate").join(sweep)
        } else {
            sweep
        }
    }
}

/// What a run is called among the repeats of its variation: `run_0001`.
pub fn run_label(trial: u32) -> String {
    format!("run_{:04}", trial + 1)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::HashSet;

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::sweep::{Axis, Pairing, expand};

    fn design(values: usize, repeats: u32, order: Order) -> Design {
        let variations = if values == 1 {
            vec![Variation::base()]
        } else {
            let values = (1..=values).map(|value| json!(value)).collect();
            expand(vec![Axis { path: "phases.profiling.concurrency".into(), values }], Pairing::Grid).unwrap()
        };
        Design {
            variations,
            repeats,
            order,
            run_cooldown: Duration::from_secs(1),
            sweep_cooldown: Duration::from_secs(2),
            seeds: Seeds { base: Some(7), same_for_variations: false, vary_per_trial: false },
            warm_up_once: true,
        }
    }

    fn folders(design: &Design) -> Vec<String> {
        design.cells().iter().map(|cell| design.run_folder(*cell).display().to_string()).collect()
    }

    #[test]
    fn folders_are_those_of_aiperf() {
        let repeats = design(1, 2, Order::Repeated);
        assert_eq!(folders(&repeats), ["profile_runs/run_0001", "profile_runs/run_0002"]);
        assert_eq!(repeats.aggregate_folder(&repeats.variations[0]), PathBuf::from("aggregate"));

        let sweep = design(2, 1, Order::Repeated);
        assert_eq!(folders(&sweep), ["concurrency_1", "concurrency_2"]);
        assert_eq!(sweep.aggregate_folder(&sweep.variations[1]), PathBuf::from("aggregate/concurrency_2"));
        assert_eq!(sweep.sweep_folder(), PathBuf::from("sweep_aggregate"));

        let repeated = design(2, 2, Order::Repeated);
        assert_eq!(
            folders(&repeated),
            [
                "profile_runs/trial_0001/concurrency_1",
                "profile_runs/trial_0001/concurrency_2",
                "profile_runs/trial_0002/concurrency_1",
                "profile_runs/trial_0002/concurrency_2"
            ]
        );
        assert_eq!(repeated.sweep_folder(), PathBuf::from("aggregate/sweep_aggregate"));

        let independent = design(2, 2, Order::Independent);
        assert_eq!(
            folders(&independent),
            [
                "concurrency_1/profile_runs/trial_0001",
                "concurrency_1/profile_runs/trial_0002",
                "concurrency_2/profile_runs/trial_0001",
                "concurrency_2/profile_runs/trial_0002"
            ]
        );
        assert_eq!(
            independent.aggregate_folder(&independent.variations[0]),
            PathBuf::from("concurrency_1/aggregate")
        );
        assert_eq!(independent.sweep_folder(), PathBuf::from("sweep_aggregate"));
    }

    #[test]
    fn seeds_follow_the_variation_or_the_trial() {
        let mut sweep = design(2, 2, Order::Repeated);
        let seeds = |design: &Design| {
            design.cells().iter().map(|cell| design.seed(*cell).unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(seeds(&sweep), [7, 8, 7, 8], "base plus the variation's number");
        sweep.seeds.same_for_variations = true;
        assert_eq!(seeds(&sweep), [7, 7, 7, 7]);
        sweep.seeds.vary_per_trial = true;
        let own: HashSet<u64> = seeds(&sweep).into_iter().collect();
        assert_eq!(own.len(), 4, "each run has its own");
        assert_eq!(seeds(&design(1, 2, Order::Repeated)), [7, 7]);
        sweep.seeds.base = None;
        assert_eq!(sweep.seed(Cell { variation: 0, trial: 0 }), None);
    }

    /// The first eight bytes of `sha256("42:variation:base:trial:1")`.
    #[test]
    fn a_seed_for_each_trial_is_that_of_aiperf() {
        let seeds = Seeds { base: Some(42), same_for_variations: false, vary_per_trial: true };
        assert_eq!(seeds.of(&Variation::base(), 1, false), Some(SHA256_HEAD));
    }

    const SHA256_HEAD: u64 = 0x3c30_f62c_6ba8_b008;

    #[test]
    fn rests_differ_between_repeats_and_between_variations() {
        let cell = |variation, trial| Cell { variation, trial };
        let repeated = design(2, 2, Order::Repeated);
        assert_eq!(repeated.rest(cell(0, 0), cell(1, 0)), Duration::from_secs(2));
        assert_eq!(repeated.rest(cell(1, 0), cell(0, 1)), Duration::from_secs(1));
        let independent = design(2, 2, Order::Independent);
        assert_eq!(independent.rest(cell(0, 0), cell(0, 1)), Duration::from_secs(1));
        assert_eq!(independent.rest(cell(0, 1), cell(1, 0)), Duration::from_secs(2));
        let repeats = design(1, 2, Order::Repeated);
        assert_eq!(repeats.rest(cell(0, 0), cell(0, 1)), Duration::from_secs(1));
    }

    #[test]
    fn only_the_first_repeat_warms_up_unless_all_are_to() {
        let mut repeats = design(1, 2, Order::Repeated);
        let warms =
            |design: &Design| design.cells().iter().map(|cell| design.warms_up(*cell)).collect::<Vec<_>>();
        assert_eq!(warms(&repeats), [true, false]);
        repeats.warm_up_once = false;
        assert_eq!(warms(&repeats), [true, true]);
    }

    proptest! {
        #[test]
        fn every_run_comes_once_and_has_its_own_folder(
            values in 1_usize..5, repeats in 1_u32..5, independent in any::<bool>()
        ) {
            let order = if independent { Order::Independent } else { Order::Repeated };
            let design = design(values, repeats, order);
            let all = folders(&design);
            prop_assert_eq!(all.len(), design.runs());
            let own: HashSet<&String> = all.iter().collect();
            prop_assert_eq!(own.len(), all.len());
        }
    }
}
