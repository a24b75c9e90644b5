//! The conduct of an experiment: one run after the other, rests between them, and an end before time
//! where runs agree or the user has had enough.
//!
//! Invariant: what was measured is kept, whatever comes after it. What a run is, how one rests and who
//! interrupts is the [`Bench`]'s; so is where results are stored.

use std::time::Duration;

use loadgen_metrics::RunFigures;

use crate::convergence::{Criterion, Mode};
use crate::design::{Cell, Design, Order};

/// Makes the runs.
pub trait Bench {
    /// Makes one run, the `number`th (from 1), and says what it came to, or why it did not succeed.
    fn run(&mut self, cell: Cell, number: usize) -> Result<RunFigures, Failure>;

    /// The samples of one metric of a run that succeeded, one for each request that did.
    fn samples(&mut self, cell: Cell, metric: &str) -> Vec<f64>;

    /// Rests for so long, or until interrupted.
    fn rest(&mut self, rest: Duration);

    /// Whether the user wants the experiment to end.
    fn is_interrupted(&self) -> bool;

    /// Says that the repeats of a run's variation agree: `needed` is set when no more of them are made.
    fn agreed(&mut self, cell: Cell, no_more_needed: bool);
}

/// Why a run did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// In words.
    pub error: String,
    /// Whether no other run could succeed either, so that the experiment ends here.
    pub is_fatal: bool,
}

/// A run that was made.
#[derive(Debug, Clone, PartialEq)]
pub struct Made {
    /// Which.
    pub cell: Cell,
    /// What it came to, or why it did not succeed.
    pub outcome: Result<RunFigures, String>,
}

/// Makes the runs of `design` and says what came of them, in the order in which they were made.
///
/// AIPerf stops early by `criterion` only where a sweep's repeats are made variation by variation; in
/// every other order all runs are made, and so they are here. That the runs agree is said all the same.
pub fn conduct(design: &Design, criterion: Option<(&Criterion, f64)>, bench: &mut impl Bench) -> Vec<Made> {
    let stops_early = design.is_sweep() && design.order == Order::Independent;
    let mut made: Vec<Made> = Vec::new();
    let mut settled = vec![false; design.variations.len()];
    let mut number = 0;
    for cell in design.cells() {
        if settled[cell.variation] && stops_early {
            continue;
        }
        if let Some(before) = made.last() {
            let rest = design.rest(before.cell, cell);
            if !rest.is_zero() && !bench.is_interrupted() {
                bench.rest(rest);
            }
        }
        if bench.is_interrupted() {
            break;
        }
        number += 1;
        let outcome = bench.run(cell, number);
        let is_fatal = matches!(&outcome, Err(failure) if failure.is_fatal);
        made.push(Made { cell, outcome: outcome.map_err(|failure| failure.error) });
        if is_fatal {
            break;
        }
        if let Some((criterion, level)) = criterion
            && !settled[cell.variation]
            && agree(criterion, level, &made, cell, bench)
        {
            settled[cell.variation] = true;
            bench.agreed(cell, stops_early);
        }
    }
    made
}

/// Whether the repeats of a run's variation agree.
fn agree(criterion: &Criterion, level: f64, made: &[Made], cell: Cell, bench: &mut impl Bench) -> bool {
    let runs = made.iter().filter(|run| run.cell.variation == cell.variation);
    let succeeded = runs.filter_map(|run| Some((run.cell, run.outcome.as_ref().ok()?)));
    if criterion.mode == Mode::Distribution {
        let cells: Vec<Cell> = succeeded.map(|(cell, _)| cell).collect();
        if cells.len() < criterion.min_runs as usize {
            return false;
        }
        let samples: Vec<Vec<f64>> =
            cells.into_iter().map(|cell| bench.samples(cell, &criterion.metric)).collect();
        return criterion.samples_agree(&samples);
    }
    let values: Vec<f64> = succeeded
        .filter_map(|(_, figures)| figures.figure(&criterion.metric, &criterion.statistic))
        .collect();
    criterion.values_agree(&values, level)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use loadgen_metrics::MetricFigures;
    use serde_json::json;

    use super::*;
    use crate::design::Seeds;
    use crate::sweep::{Axis, Pairing, Variation, expand};

    /// Runs whose figure is given, or that fail; interrupts itself after so many.
    #[derive(Default)]
    struct Script {
        values: Vec<Option<f64>>,
        fatal: bool,
        interrupted_after: Option<usize>,
        log: Vec<String>,
        runs: usize,
    }

    impl Bench for Script {
        fn run(&mut self, cell: Cell, number: usize) -> Result<RunFigures, Failure> {
            self.log.push(format!("{number}:v{}t{}", cell.variation, cell.trial));
            self.runs += 1;
            let value = self.values.get(number - 1).copied().unwrap_or(Some(1.0));
            let value = value.ok_or(Failure { error: "no".to_owned(), is_fatal: self.fatal })?;
            let metric = MetricFigures {
                tag: "m".to_owned(),
                unit: "ms".to_owned(),
                statistics: vec![("avg", value)],
                count: None,
            };
            Ok(RunFigures { metrics: vec![metric] })
        }

        fn samples(&mut self, cell: Cell, _metric: &str) -> Vec<f64> {
            (0..20).map(|sample| f64::from(sample) + 100.0 * f64::from(u8::from(cell.trial == 1))).collect()
        }

        fn rest(&mut self, rest: Duration) {
            self.log.push(format!("rest {}", rest.as_secs()));
        }

        fn is_interrupted(&self) -> bool {
            self.interrupted_after.is_some_and(|runs| self.runs >= runs)
        }

        fn agreed(&mut self, cell: Cell, no_more_needed: bool) {
            self.log.push(format!(
                "v{} agrees{}",
                cell.variation,
                if no_more_needed { ", next" } else { "" }
            ));
        }
    }

    fn design(values: usize, repeats: u32, order: Order) -> Design {
        let variations = if values == 1 {
            vec![Variation::base()]
        } else {
            let values = (1..=values).map(|value| json!(value)).collect();
            expand(vec![Axis { path: "a.b".into(), values }], Pairing::Grid).unwrap()
        };
        Design {
            variations,
            repeats,
            order,
            run_cooldown: Duration::ZERO,
            sweep_cooldown: Duration::ZERO,
            seeds: Seeds { base: None, same_for_variations: false, vary_per_trial: false },
            warm_up_once: true,
        }
    }

    fn criterion(mode: Mode) -> Criterion {
        Criterion { metric: "m".into(), statistic: "avg".into(), mode, threshold: None, min_runs: 2 }
    }

    #[test]
    fn runs_follow_each_other_with_rests_between() {
        let mut rested = design(2, 2, Order::Repeated);
        (rested.run_cooldown, rested.sweep_cooldown) = (Duration::from_secs(5), Duration::from_secs(3));
        let mut script = Script { values: vec![Some(1.0), None], ..Script::default() };
        let made = conduct(&rested, None, &mut script);
        assert_eq!(script.log, ["1:v0t0", "rest 3", "2:v1t0", "rest 5", "3:v0t1", "rest 3", "4:v1t1"]);
        assert_eq!(made[1].outcome, Err("no".to_owned()), "a run that fails does not end the others");
        assert_eq!(made.len(), 4);
    }

    #[test]
    fn an_interrupt_ends_the_experiment_and_keeps_what_was_measured() {
        let mut script = Script { interrupted_after: Some(2), ..Script::default() };
        assert_eq!(conduct(&design(1, 6, Order::Repeated), None, &mut script).len(), 2);
    }

    #[test]
    fn what_would_befall_every_run_ends_the_experiment() {
        let mut script = Script { values: vec![None], fatal: true, ..Script::default() };
        assert_eq!(conduct(&design(1, 6, Order::Repeated), None, &mut script).len(), 1);
    }

    #[test]
    fn repeats_of_a_variation_end_once_they_agree() {
        let mut script =
            Script { values: vec![Some(1.0), Some(9.0), Some(4.0), Some(4.0)], ..Script::default() };
        let criterion = criterion(Mode::Cv);
        let made = conduct(&design(2, 4, Order::Independent), Some((&criterion, 0.95)), &mut script);
        assert_eq!(
            script.log,
            ["1:v0t0", "2:v0t1", "3:v0t2", "4:v0t3", "5:v1t0", "6:v1t1", "v1 agrees, next"],
            "the first variation scatters and gets all its runs"
        );
        assert_eq!(made.len(), 6);
    }

    #[test]
    fn without_a_sweep_all_runs_are_made_as_aiperf_makes_them() {
        for order in [Order::Repeated, Order::Independent] {
            let mut script = Script::default();
            let criterion = criterion(Mode::CiWidth);
            assert_eq!(conduct(&design(1, 4, order), Some((&criterion, 0.95)), &mut script).len(), 4);
            assert_eq!(script.log[2], "v0 agrees", "said once, after the second run");
            assert_eq!(script.log.len(), 5);
        }
    }

    #[test]
    fn distributions_are_compared_by_their_samples() {
        let mut script = Script::default();
        let criterion = criterion(Mode::Distribution);
        let made = conduct(&design(2, 4, Order::Independent), Some((&criterion, 0.95)), &mut script);
        // The second run of each is far from the first; later ones lie within what came before.
        assert!(!script.log.contains(&"2:v0t1, next".to_owned()));
        assert!(made.len() > 4);
    }
}
