//! Exact statistics of a set of samples, as AIPerf (and numpy) compute them.

use crate::metric::Unit;

/// The percentiles of every summary, ascending.
pub const PERCENTILES: [u8; 9] = [1, 5, 10, 25, 50, 75, 90, 95, 99];

/// A metric's statistics in its display unit. Which of them exist depends on the metric: a scalar has
/// `avg` alone. Never NaN or infinite.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Stats {
    /// Mean, or the figure itself.
    pub avg: Option<f64>,
    /// One for each of [`PERCENTILES`].
    pub percentiles: [Option<f64>; PERCENTILES.len()],
    /// Least.
    pub min: Option<f64>,
    /// Greatest.
    pub max: Option<f64>,
    /// Population standard deviation (divided by n, not n - 1).
    pub std: Option<f64>,
    /// Number of samples.
    pub count: Option<u64>,
    /// Sum of the samples.
    pub sum: Option<f64>,
}

impl Stats {
    /// A figure that is not a distribution. A figure that is not finite is absent.
    pub fn scalar(figure: f64) -> Self {
        Self { avg: Some(figure), ..Self::default() }.finite()
    }

    /// The distribution of native samples, which must be sorted; `None` without any.
    pub(crate) fn of_sorted(samples: &[f64], unit: Unit) -> Option<Self> {
        let (min, max) = (*samples.first()?, *samples.last()?);
        let count = samples.len() as f64;
        let sum = sum(samples.iter().copied());
        let mean = sum / count;
        let squares = self::sum(samples.iter().map(|sample| (sample - mean) * (sample - mean)));
        let native = Self {
            avg: Some(mean),
            percentiles: PERCENTILES.map(|percent| Some(percentile(samples, percent))),
            min: Some(min),
            max: Some(max),
            std: Some((squares / count).sqrt()),
            count: Some(samples.len() as u64),
            sum: Some(sum),
        };
        Some(native.displayed(unit).finite())
    }

    /// The distribution of native samples, which must be sorted, and of `failures` more that are
    /// infinitely large. Percentiles are the nearest sample's; those that fall on a failure are
    /// absent, and so are mean, sum, maximum and deviation. `None` without samples or failures.
    pub(crate) fn with_failures(samples: &[f64], failures: u64, unit: Unit) -> Option<Self> {
        let min = *samples.first()?;
        if failures == 0 {
            return None;
        }
        let count = samples.len() as u64 + failures;
        let native = Self {
            percentiles: PERCENTILES.map(|percent| {
                let rank = nearest_rank(count, percent);
                usize::try_from(rank).ok().and_then(|rank| samples.get(rank)).copied()
            }),
            min: Some(min),
            count: Some(count),
            ..Self::default()
        };
        Some(native.displayed(unit).finite())
    }

    /// Percentile `percent`, one of [`PERCENTILES`].
    pub fn percentile(&self, percent: u8) -> Option<f64> {
        let at = PERCENTILES.iter().position(|&known| known == percent)?;
        self.percentiles[at]
    }

    /// Whether it is a distribution (has percentiles) rather than a figure.
    pub fn is_distribution(&self) -> bool {
        self.percentiles.iter().any(Option::is_some)
    }

    fn displayed(self, unit: Unit) -> Self {
        self.map(|figure| Some(unit.display(figure)))
    }

    fn finite(self) -> Self {
        self.map(|figure| figure.is_finite().then_some(figure))
    }

    fn map(self, change: impl Fn(f64) -> Option<f64>) -> Self {
        Self {
            avg: self.avg.and_then(&change),
            percentiles: self.percentiles.map(|figure| figure.and_then(&change)),
            min: self.min.and_then(&change),
            max: self.max.and_then(&change),
            std: self.std.and_then(&change),
            count: self.count,
            sum: self.sum.and_then(&change),
        }
    }
}

/// Percentile of sorted samples at rank percent/100 × (n - 1), linear between neighbours. The nearer
/// neighbour is the one started from, as in numpy, which keeps the result between the two.
pub(crate) fn percentile(sorted: &[f64], percent: u8) -> f64 {
    quantile(sorted, f64::from(percent) / 100.0)
}

/// As [`percentile`], for a share from 0 to 1. The samples must not be empty.
pub(crate) fn quantile(sorted: &[f64], share: f64) -> f64 {
    let last = sorted.len() - 1;
    let rank = share * last as f64;
    let below = (rank.floor() as usize).min(last);
    let (low, high) = (sorted[below], sorted[(below + 1).min(last)]);
    let part = rank - below as f64;
    if part >= 0.5 { high - (high - low) * (1.0 - part) } else { low + (high - low) * part }
}

/// The rank nearest to percent/100 × (n - 1); of two equally near the even one.
fn nearest_rank(count: u64, percent: u8) -> u64 {
    (f64::from(percent) / 100.0 * (count - 1) as f64).round_ties_even() as u64
}

/// Sum with Neumaier's compensation: as good as exact, whatever the order.
pub(crate) fn sum(figures: impl Iterator<Item = f64>) -> f64 {
    let (mut total, mut lost) = (0.0_f64, 0.0_f64);
    for figure in figures {
        let next = total + figure;
        lost += if total.abs() >= figure.abs() { (total - next) + figure } else { (figure - next) + total };
        total = next;
    }
    total + lost
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn figures_of_four_samples_by_hand() {
        let stats = Stats::of_sorted(&[1.0, 2.0, 3.0, 6.0], Unit::Tokens).unwrap();
        assert_eq!((stats.avg, stats.sum, stats.count), (Some(3.0), Some(12.0), Some(4)));
        assert_eq!((stats.min, stats.max), (Some(1.0), Some(6.0)));
        // ((-2)² + (-1)² + 0² + 3²) / 4 = 3.5
        assert_eq!(stats.std, Some(3.5_f64.sqrt()));
        assert_eq!(stats.percentile(50), Some(2.5));
        // rank 0.9 × 3 = 2.7: 3 + 0.7 × 3
        assert!((stats.percentile(90).unwrap() - 5.1).abs() < 1e-12);
        assert_eq!(stats.percentile(42), None);
    }

    #[test]
    fn one_sample_is_every_percentile() {
        let stats = Stats::of_sorted(&[7.0], Unit::Tokens).unwrap();
        assert_eq!(stats.percentiles, [Some(7.0); 9]);
        assert_eq!(stats.std, Some(0.0));
        assert_eq!(Stats::of_sorted(&[], Unit::Tokens), None);
    }

    #[test]
    fn every_figure_but_the_count_is_converted() {
        let stats = Stats::of_sorted(&[1e6, 3e6], Unit::Milliseconds).unwrap();
        assert_eq!((stats.avg, stats.sum, stats.std), (Some(2.0), Some(4.0), Some(1.0)));
        assert_eq!((stats.min, stats.max, stats.count), (Some(1.0), Some(3.0), Some(2)));
    }

    #[test]
    fn failures_take_the_upper_ranks() {
        let stats = Stats::with_failures(&[1.0, 2.0, 3.0], 1, Unit::Tokens).unwrap();
        // Ranks of 3 × p: p50 is 1.5, a tie, which goes to rank 2; p90 is 2.7, a failure.
        assert_eq!(stats.percentile(25), Some(2.0));
        assert_eq!(stats.percentile(50), Some(3.0));
        assert_eq!(stats.percentile(90), None);
        assert_eq!((stats.min, stats.count), (Some(1.0), Some(4)));
        assert_eq!((stats.avg, stats.max, stats.std, stats.sum), (None, None, None, None));
        assert_eq!(Stats::with_failures(&[], 3, Unit::Tokens), None);
        assert_eq!(Stats::with_failures(&[1.0], 0, Unit::Tokens), None);
    }

    #[test]
    fn what_is_not_finite_is_absent() {
        assert_eq!(Stats::scalar(f64::NAN), Stats::default());
        assert_eq!(Stats::scalar(f64::INFINITY), Stats::default());
        assert_eq!(Stats::scalar(0.0).avg, Some(0.0));
    }

    proptest! {
        #[test]
        fn percentiles_match_the_textbook(mut samples in prop::collection::vec(-1e12..1e12_f64, 1..200), percent in 0_u8..=100) {
            samples.sort_by(f64::total_cmp);
            let rank = (samples.len() - 1) as f64 * f64::from(percent) / 100.0;
            let below = rank.floor() as usize;
            let above = (below + 1).min(samples.len() - 1);
            let naive = samples[below] + (samples[above] - samples[below]) * (rank - below as f64);
            let ours = percentile(&samples, percent);
            prop_assert!((ours - naive).abs() <= 1e-9 * naive.abs().max(1e3), "{ours} {naive}");
        }

        #[test]
        fn figures_are_ordered(mut samples in prop::collection::vec(0.0..1e12_f64, 1..200)) {
            samples.sort_by(f64::total_cmp);
            let stats = Stats::of_sorted(&samples, Unit::Milliseconds).unwrap();
            let mut ladder = vec![stats.min.unwrap()];
            ladder.extend(stats.percentiles.iter().map(|figure| figure.unwrap()));
            ladder.push(stats.max.unwrap());
            prop_assert!(ladder.is_sorted(), "{ladder:?}");
            let slack = 1e-9 * stats.max.unwrap();
            prop_assert!(stats.avg.unwrap() >= stats.min.unwrap() - slack);
            prop_assert!(stats.avg.unwrap() <= stats.max.unwrap() + slack);
            prop_assert!(stats.std.unwrap() <= stats.max.unwrap() - stats.min.unwrap() + slack);
        }

        #[test]
        fn the_sum_does_not_depend_on_the_order(samples in prop::collection::vec(-1e15..1e15_f64, 0..100)) {
            let forth = sum(samples.iter().copied());
            let back = sum(samples.iter().rev().copied());
            prop_assert!((forth - back).abs() <= 1e-3 * forth.abs().max(1.0).sqrt());
        }
    }
}
