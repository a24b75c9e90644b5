//! Exact statistics of a set of samples, as AIPerf (and numpy) compute them.

use crate::column::{Column, Order, SpillError, quantile_ranks};
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

    /// A figure that stands for a whole distribution, as AIPerf writes the network's round trip: every
    /// statistic is the figure itself.
    pub(crate) fn of_one(figure: f64) -> Self {
        let all = Some(figure);
        let percentiles = [all; PERCENTILES.len()];
        let one = Self { avg: all, percentiles, min: all, max: all, std: Some(0.0), count: None, sum: all };
        one.finite()
    }

    /// The distribution of a column of native samples, whose `order` knows [`percentile_ranks`]; `None`
    /// without any.
    pub(crate) fn of(column: &Column, order: &Order, unit: Unit) -> Result<Option<Self>, SpillError> {
        let native = Self {
            avg: (!column.is_empty()).then(|| column.sum() / column.len() as f64),
            percentiles: PERCENTILES.map(|percent| order.quantile(share(percent))),
            min: column.least(),
            max: column.greatest(),
            std: column.deviation()?,
            count: Some(column.len()),
            sum: Some(column.sum()),
        };
        Ok((!column.is_empty()).then(|| native.displayed(unit).finite()))
    }

    /// The distribution of a column of native samples, whose `order` knows [`nearest_ranks`], and of
    /// `failures` more that are infinitely large. Percentiles are the nearest sample's; those that fall
    /// on a failure are absent, and so are mean, sum, maximum and deviation. `None` without samples or
    /// failures.
    pub(crate) fn with_failures(column: &Column, order: &Order, failures: u64, unit: Unit) -> Option<Self> {
        let min = column.least()?;
        if failures == 0 {
            return None;
        }
        let count = column.len() + failures;
        let native = Self {
            percentiles: PERCENTILES
                .map(|percent| order.at(nearest_rank(count, percent)).map(|ranked| ranked.sample)),
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

/// The ranks that [`Stats::of`] needs of `count` samples.
pub(crate) fn percentile_ranks(count: u64) -> impl Iterator<Item = u64> {
    let percents = PERCENTILES.into_iter().filter(move |_| count > 0);
    percents.flat_map(move |percent| quantile_ranks(count, share(percent)))
}

/// The ranks that [`Stats::with_failures`] needs of `count` samples.
pub(crate) fn nearest_ranks(count: u64, failures: u64) -> impl Iterator<Item = u64> {
    let percents = PERCENTILES.into_iter().filter(move |_| count > 0);
    percents.map(move |percent| nearest_rank(count + failures, percent)).filter(move |rank| *rank < count)
}

/// The rank nearest to percent/100 × (n - 1); of two equally near the even one.
fn nearest_rank(count: u64, percent: u8) -> u64 {
    (share(percent) * (count - 1) as f64).round_ties_even() as u64
}

fn share(percent: u8) -> f64 {
    f64::from(percent) / 100.0
}

/// A sum with Neumaier's compensation: as good as exact, whatever the order.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sum {
    total: f64,
    lost: f64,
}

impl Sum {
    pub(crate) fn add(&mut self, figure: f64) {
        let next = self.total + figure;
        self.lost += if self.total.abs() >= figure.abs() {
            (self.total - next) + figure
        } else {
            (figure - next) + self.total
        };
        self.total = next;
    }

    pub(crate) fn total(self) -> f64 {
        self.total + self.lost
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    fn column(samples: &[f64]) -> Column {
        let mut column = Column::default();
        for sample in samples {
            column.push(*sample);
        }
        column
    }

    fn stats_of(samples: &[f64], unit: Unit) -> Option<Stats> {
        let column = column(samples);
        let order = column.order(percentile_ranks(column.len()).collect()).unwrap();
        Stats::of(&column, &order, unit).unwrap()
    }

    fn with_failures(samples: &[f64], failures: u64) -> Option<Stats> {
        let column = column(samples);
        let order = column.order(nearest_ranks(column.len(), failures).collect()).unwrap();
        Stats::with_failures(&column, &order, failures, Unit::Tokens)
    }

    #[test]
    fn figures_of_four_samples_by_hand() {
        let stats = stats_of(&[1.0, 2.0, 6.0, 3.0], Unit::Tokens).unwrap();
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
        let stats = stats_of(&[7.0], Unit::Tokens).unwrap();
        assert_eq!(stats.percentiles, [Some(7.0); 9]);
        assert_eq!(stats.std, Some(0.0));
        assert_eq!(stats_of(&[], Unit::Tokens), None);
    }

    #[test]
    fn every_figure_but_the_count_is_converted() {
        let stats = stats_of(&[1e6, 3e6], Unit::Milliseconds).unwrap();
        assert_eq!((stats.avg, stats.sum, stats.std), (Some(2.0), Some(4.0), Some(1.0)));
        assert_eq!((stats.min, stats.max, stats.count), (Some(1.0), Some(3.0), Some(2)));
    }

    #[test]
    fn failures_take_the_upper_ranks() {
        let stats = with_failures(&[1.0, 2.0, 3.0], 1).unwrap();
        // Ranks of 3 × p: p50 is 1.5, a tie, which goes to rank 2; p90 is 2.7, a failure.
        assert_eq!(stats.percentile(25), Some(2.0));
        assert_eq!(stats.percentile(50), Some(3.0));
        assert_eq!(stats.percentile(90), None);
        assert_eq!((stats.min, stats.count), (Some(1.0), Some(4)));
        assert_eq!((stats.avg, stats.max, stats.std, stats.sum), (None, None, None, None));
        assert_eq!(with_failures(&[], 3), None);
        assert_eq!(with_failures(&[1.0], 0), None);
    }

    #[test]
    fn what_is_not_finite_is_absent() {
        assert_eq!(Stats::scalar(f64::NAN), Stats::default());
        assert_eq!(Stats::scalar(f64::INFINITY), Stats::default());
        assert_eq!(Stats::scalar(0.0).avg, Some(0.0));
    }

    proptest! {
        #[test]
        fn figures_are_ordered(samples in prop::collection::vec(0.0..1e12_f64, 1..200)) {
            let stats = stats_of(&samples, Unit::Milliseconds).unwrap();
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
            let (mut forth, mut back) = (Sum::default(), Sum::default());
            for (first, last) in samples.iter().zip(samples.iter().rev()) {
                forth.add(*first);
                back.add(*last);
            }
            let (forth, back) = (forth.total(), back.total());
            prop_assert!((forth - back).abs() <= 1e-3 * forth.abs().max(1.0).sqrt());
        }
    }
}
