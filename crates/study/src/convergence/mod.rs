//! When repeats agree well enough that no more are needed.
//!
//! Three criteria, AIPerf's: the confidence interval is narrow beside the mean; the runs scatter
//! little; or the last run's samples are distributed as those of all runs before it.

mod ks;

use loadgen_metrics::{Interval, t_critical};
use serde::{Deserialize, Serialize};

pub use ks::same_distribution_p;

/// Fewest runs a criterion is asked about.
pub const LEAST_RUNS: u32 = 2;

/// Fewer runs than this say little.
pub const RECOMMENDED_LEAST_RUNS: u32 = 3;

/// What is watched, and how closely it has to agree.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Criterion {
    /// Tag of the metric.
    pub metric: String,
    /// Which of its statistics; not for [`Mode::Distribution`].
    pub statistic: String,
    /// How runs are compared.
    pub mode: Mode,
    /// What counts as agreement; `None` is the mode's own default.
    pub threshold: Option<f64>,
    /// Fewest successful runs before it can hold.
    pub min_runs: u32,
}

/// How runs are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// The confidence interval's width over the mean is below the threshold (0.10).
    #[default]
    CiWidth,
    /// The standard deviation over the mean is below the threshold (0.05).
    Cv,
    /// A Kolmogorov-Smirnov test of the last run's samples against all earlier ones has a p-value above
    /// the threshold (0.05).
    Distribution,
}

impl Mode {
    /// AIPerf's word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::CiWidth => "ci_width",
            Self::Cv => "cv",
            Self::Distribution => "distribution",
        }
    }

    /// The threshold of a user who gives none.
    pub fn default_threshold(self) -> f64 {
        match self {
            Self::CiWidth => 0.10,
            Self::Cv | Self::Distribution => 0.05,
        }
    }
}

impl Criterion {
    /// The threshold that holds.
    pub fn threshold(&self) -> f64 {
        self.threshold.unwrap_or(self.mode.default_threshold())
    }

    /// Whether these runs agree: `values` are what each successful run has of the statistic, for this
    /// confidence level. Of no use for [`Mode::Distribution`].
    pub fn values_agree(&self, values: &[f64], level: f64) -> bool {
        if values.len() < self.min_runs.max(LEAST_RUNS) as usize {
            return false;
        }
        let Some(spread) = Interval::of(values, level) else { return false };
        if spread.mean == 0.0 {
            return false;
        }
        let share = match self.mode {
            Mode::Cv => spread.std / spread.mean.abs(),
            _ => 2.0 * t_critical(level, values.len() as u32 - 1) * spread.se / spread.mean.abs(),
        };
        share < self.threshold()
    }

    /// Whether the last of these runs is distributed as the others together: the samples of each
    /// successful run, in their order.
    pub fn samples_agree(&self, runs: &[Vec<f64>]) -> bool {
        if runs.len() < self.min_runs.max(LEAST_RUNS) as usize {
            return false;
        }
        let Some((last, earlier)) = runs.split_last() else { return false };
        let earlier: Vec<f64> = earlier.iter().flatten().copied().collect();
        if last.len() < 2 || earlier.len() < 2 {
            return false;
        }
        same_distribution_p(&earlier, last) > self.threshold()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn criterion(mode: Mode, threshold: Option<f64>, min_runs: u32) -> Criterion {
        Criterion { metric: "m".to_owned(), statistic: "avg".to_owned(), mode, threshold, min_runs }
    }

    /// 100, 101, 102: std 1, se 0.5774, t 4.3027; the interval is 2 × 2.484 wide, 4.92 % of the mean.
    #[test]
    fn an_interval_worked_out_by_hand_is_held_against_the_threshold() {
        let values = [100.0, 101.0, 102.0];
        assert!(criterion(Mode::CiWidth, Some(0.0493), 2).values_agree(&values, 0.95));
        assert!(!criterion(Mode::CiWidth, Some(0.0491), 2).values_agree(&values, 0.95));
        assert!(criterion(Mode::CiWidth, None, 2).values_agree(&values, 0.95), "0.10 unless told");
        assert!(!criterion(Mode::CiWidth, None, 4).values_agree(&values, 0.95), "too few runs");
        assert!(
            !criterion(Mode::CiWidth, None, 1).values_agree(&[100.0], 0.95),
            "one run agrees with nothing"
        );
    }

    /// The same: std 1 over mean 101 is 0.99 %.
    #[test]
    fn a_coefficient_of_variation_is_held_against_the_threshold() {
        let values = [100.0, 101.0, 102.0];
        assert!(criterion(Mode::Cv, Some(0.00991), 2).values_agree(&values, 0.95));
        assert!(!criterion(Mode::Cv, Some(0.00989), 2).values_agree(&values, 0.95));
        assert!(!criterion(Mode::Cv, None, 2).values_agree(&[-1.0, 1.0], 0.95), "a mean of 0 says nothing");
    }

    #[test]
    fn the_last_run_is_held_against_all_earlier_ones() {
        let near: Vec<f64> = (0..50).map(f64::from).collect();
        let far: Vec<f64> = (0..50).map(|value| f64::from(value) + 40.0).collect();
        let distribution = criterion(Mode::Distribution, None, 2);
        assert!(distribution.samples_agree(&[near.clone(), near.clone()]));
        assert!(!distribution.samples_agree(&[near.clone(), near.clone(), far]));
        assert!(!distribution.samples_agree(std::slice::from_ref(&near)));
        assert!(!distribution.samples_agree(&[near, vec![1.0]]));
    }
}
