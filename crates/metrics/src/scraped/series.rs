//! One series over one window.

use loadgen_core::Nanos;

use super::estimate::{BucketLearning, HistogramDelta, estimate_percentiles};
use super::gauge::{GaugeStats, GaugeValues};
use super::slices::{Slice, SliceFigures, Slices};
use super::{Reading, SeriesKind};
use crate::stats::PERCENTILES;

/// What a counter did over a window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CounterStats {
    /// What it grew by since the reference; 0 where a restart left it lower.
    pub total: f64,
    /// The same a second, over the time from the reference to the last sample; `None` without any time.
    pub rate: Option<f64>,
    /// Mean, least, greatest and sample deviation of the rates of whole slices, where there are slices.
    pub slice_rates: Option<(f64, f64, f64, f64)>,
    /// How often it went back.
    pub resets: u64,
}

/// What a histogram observed over a window.
#[derive(Debug, Clone, PartialEq)]
pub struct HistogramStats {
    /// Number of observations.
    pub count: i64,
    /// Sum of the observations.
    pub sum: f64,
    /// Observations a second; `None` without any time.
    pub count_rate: Option<f64>,
    /// Their sum a second.
    pub sum_rate: Option<f64>,
    /// Estimates, one for each of [`PERCENTILES`], where they can be made.
    pub percentiles: Option<[f64; PERCENTILES.len()]>,
    /// Observations at or below each bound; `None` after a restart.
    pub buckets: Option<Vec<i64>>,
}

impl HistogramStats {
    /// Mean of the observations; `None` without any.
    pub fn avg(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }
}

/// What a series was over a window.
#[derive(Debug, Clone, PartialEq)]
pub enum SeriesStats {
    /// A gauge, or an unknown.
    Gauge(GaugeStats),
    /// A counter.
    Counter(CounterStats),
    /// A histogram.
    Histogram(HistogramStats),
}

/// Takes one series sample by sample, in the order of time, and sums a window of it up.
#[derive(Debug, Clone)]
pub struct SeriesAccumulator {
    kind: SeriesKind,
    bounds: Vec<f64>,
    /// The last sample before the window; without one, the first within it.
    reference: Option<(Nanos, Reading)>,
    last: Option<(Nanos, Reading)>,
    gauge: GaugeValues,
    learned: Vec<BucketLearning>,
    resets: u64,
    taken: u64,
    slices: Option<Slices>,
}

impl SeriesAccumulator {
    /// A series of this kind; `bounds` are a histogram's.
    pub fn new(kind: SeriesKind, bounds: &[String]) -> Self {
        let bounds = if kind == SeriesKind::Histogram { bounds } else { &[] };
        Self {
            kind,
            learned: vec![BucketLearning::default(); bounds.len()],
            bounds: bounds.iter().map(|bound| bound_of(bound)).collect(),
            reference: None,
            last: None,
            gauge: GaugeValues::default(),
            resets: 0,
            taken: 0,
            slices: None,
        }
    }

    /// Cuts the window, which lasts from `start` to `end`, into slices so long.
    pub fn sliced(mut self, start: Nanos, end: Nanos, length_ns: i64) -> Self {
        self.slices = Some(Slices::new(start, end, length_ns));
        self
    }

    /// Takes a sample that came before the window.
    pub fn before(&mut self, at: Nanos, reading: &Reading) {
        self.reference = Some((at, reading.clone()));
    }

    /// Takes a sample of the window.
    pub fn take(&mut self, at: Nanos, reading: &Reading) {
        self.taken += 1;
        if let (SeriesKind::Gauge | SeriesKind::Unknown, Reading::Scalar(value)) = (self.kind, reading) {
            self.gauge.push(*value);
        } else {
            if self.reference.is_none() {
                self.reference = Some((at, reading.clone()));
            }
            let previous = self.last.as_ref().or(self.reference.as_ref());
            match (previous.map(|(_, reading)| reading), reading) {
                (Some(Reading::Scalar(before)), Reading::Scalar(now)) if now < before => self.resets += 1,
                (Some(before @ Reading::Histogram { .. }), Reading::Histogram { .. }) => {
                    learn(&mut self.learned, before, reading);
                }
                _ => {}
            }
            self.last = Some((at, reading.clone()));
        }
        if let Some(slices) = &mut self.slices {
            slices.take(at, reading);
        }
    }

    /// The window's figures, and its slices; `None` where it had no sample.
    pub fn finish(self) -> Option<(SeriesStats, Vec<Slice>)> {
        if self.taken == 0 {
            return None;
        }
        let slices = self.slices.as_ref().map_or_else(Vec::new, |slices| {
            slices.finish(self.kind, self.reference.as_ref().map(|(_, reading)| reading))
        });
        let stats = match self.kind {
            SeriesKind::Gauge | SeriesKind::Unknown => SeriesStats::Gauge(self.gauge.stats()?),
            SeriesKind::Counter => SeriesStats::Counter(self.counter(&slices)?),
            SeriesKind::Histogram => SeriesStats::Histogram(self.histogram()?),
        };
        Some((stats, slices))
    }

    fn counter(&self, slices: &[Slice]) -> Option<CounterStats> {
        let (from, to) = (self.reference.as_ref()?, self.last.as_ref()?);
        let (Reading::Scalar(before), Reading::Scalar(after)) = (&from.1, &to.1) else { return None };
        let total = (after - before).max(0.0);
        let mut rates = GaugeValues::default();
        for slice in slices.iter().filter(|slice| slice.is_complete) {
            if let SliceFigures::Counter { rate, .. } = slice.figures {
                rates.push(rate);
            }
        }
        let slice_rates = rates.stats().map(|stats| (stats.avg, stats.min, stats.max, stats.std));
        Some(CounterStats { total, rate: per_second(total, from.0, to.0), slice_rates, resets: self.resets })
    }

    fn histogram(&self) -> Option<HistogramStats> {
        let (from, to) = (self.reference.as_ref()?, self.last.as_ref()?);
        let (delta, sum, count) = difference(&from.1, &to.1)?;
        let whole = delta.iter().all(|bucket| *bucket >= 0.0);
        let buckets = || delta.iter().map(|bucket| *bucket as i64).collect();
        if count <= 0.0 {
            return Some(HistogramStats {
                count: 0,
                sum: 0.0,
                count_rate: None,
                sum_rate: None,
                percentiles: None,
                buckets: whole.then(buckets),
            });
        }
        let told = HistogramDelta { bounds: &self.bounds, cumulative: &delta, sum, learned: &self.learned };
        Some(HistogramStats {
            count: count as i64,
            sum,
            count_rate: per_second(count, from.0, to.0),
            sum_rate: per_second(sum, from.0, to.0),
            percentiles: whole.then(|| estimate_percentiles(told)).flatten(),
            buckets: whole.then(buckets),
        })
    }
}

/// A bound as a number; what is none is infinite.
fn bound_of(text: &str) -> f64 {
    text.parse().unwrap_or(f64::INFINITY)
}

pub(super) fn per_second(total: f64, from: Nanos, to: Nanos) -> Option<f64> {
    let elapsed = to.since(from);
    (elapsed > 0).then(|| total / (elapsed as f64 / 1e9))
}

/// Buckets, sum and count of what a histogram observed between two readings.
pub(super) fn difference(from: &Reading, to: &Reading) -> Option<(Vec<f64>, f64, f64)> {
    let (
        Reading::Histogram { buckets: b0, sum: s0, count: n0 },
        Reading::Histogram { buckets: b1, sum: s1, count: n1 },
    ) = (from, to)
    else {
        return None;
    };
    (b0.len() == b1.len())
        .then(|| (b1.iter().zip(b0).map(|(to, from)| to - from).collect(), s1 - s0, n1 - n0))
}

/// Learns of a bucket from two readings between which it alone took observations.
fn learn(learned: &mut [BucketLearning], from: &Reading, to: &Reading) {
    let Some((delta, sum, count)) = difference(from, to) else { return };
    if count <= 0.0 {
        return;
    }
    let mut below = 0.0;
    let mut hit = None;
    for (index, rise) in delta.iter().map(|rise| rise.max(0.0)).enumerate() {
        if rise > below && hit.replace(index).is_some() {
            return;
        }
        below = rise;
    }
    if let Some(bucket) = hit.and_then(|index| learned.get_mut(index)) {
        bucket.learn(sum, count);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    fn at(second: i64) -> Nanos {
        Nanos(1_000 * SECOND + second * SECOND)
    }

    fn scalars(kind: SeriesKind, before: &[f64], within: &[f64]) -> SeriesStats {
        let mut series = SeriesAccumulator::new(kind, &[]);
        let mut second = 0;
        for value in before {
            series.before(at(second), &Reading::Scalar(*value));
            second += 1;
        }
        for value in within {
            series.take(at(second), &Reading::Scalar(*value));
            second += 1;
        }
        series.finish().unwrap().0
    }

    #[test]
    fn a_counter_is_what_it_grew_by_since_the_last_sample_before_the_window() {
        let SeriesStats::Counter(stats) =
            scalars(SeriesKind::Counter, &[1e6, 1e6 + 10.0], &[1e6 + 20.0, 1e6 + 30.0])
        else {
            panic!("a counter")
        };
        assert_eq!((stats.total, stats.rate, stats.resets), (20.0, Some(10.0), 0));
        let SeriesStats::Counter(stats) = scalars(SeriesKind::Counter, &[], &[5.0, 9.0]) else {
            panic!("a counter")
        };
        assert_eq!((stats.total, stats.rate), (4.0, Some(4.0)));
        let SeriesStats::Counter(stats) = scalars(SeriesKind::Counter, &[50.0], &[60.0, 3.0]) else {
            panic!("a counter")
        };
        assert_eq!((stats.total, stats.rate, stats.resets), (0.0, Some(0.0), 1));
    }

    #[test]
    fn one_sample_without_a_reference_has_no_rate() {
        let SeriesStats::Counter(stats) = scalars(SeriesKind::Counter, &[], &[5.0]) else {
            panic!("a counter")
        };
        assert_eq!((stats.total, stats.rate), (0.0, None));
    }

    #[test]
    fn a_gauge_knows_no_reference_and_a_window_without_samples_no_figures() {
        let SeriesStats::Gauge(stats) = scalars(SeriesKind::Gauge, &[100.0], &[1.0, 3.0]) else {
            panic!("a gauge")
        };
        assert_eq!((stats.avg, stats.count), (2.0, 2));
        let mut series = SeriesAccumulator::new(SeriesKind::Gauge, &[]);
        series.before(at(0), &Reading::Scalar(1.0));
        assert_eq!(series.finish(), None);
    }

    fn histogram(buckets: [f64; 3], sum: f64) -> Reading {
        Reading::Histogram { buckets: buckets.to_vec(), sum, count: buckets[2] }
    }

    #[test]
    fn a_histogram_is_the_difference_and_a_restart_leaves_no_buckets() {
        let bounds: Vec<String> = ["0.1", "1.0", "+Inf"].map(str::to_owned).to_vec();
        let of = |first: Reading, last: Reading| {
            let mut series = SeriesAccumulator::new(SeriesKind::Histogram, &bounds);
            series.before(at(0), &first);
            series.take(at(2), &last);
            let Some((SeriesStats::Histogram(stats), _)) = series.finish() else { panic!("a histogram") };
            stats
        };
        let stats = of(histogram([3.0, 3.0, 3.0], 0.015), histogram([3.0, 7.0, 7.0], 2.015));
        assert_eq!((stats.count, stats.buckets.clone()), (4, Some(vec![0, 4, 4])));
        assert_eq!((stats.count_rate, stats.avg()), (Some(2.0), Some(0.5)));
        assert!(stats.percentiles.unwrap().iter().all(|value| (0.1..=1.0).contains(value)));
        let idle = of(histogram([3.0; 3], 1.0), histogram([3.0; 3], 1.0));
        assert_eq!((idle.count, idle.avg(), idle.buckets), (0, None, Some(vec![0; 3])));
        let restarted = of(histogram([5.0, 5.0, 6.0], 1.0), histogram([1.0, 9.0, 9.0], 4.0));
        assert_eq!((restarted.count, restarted.buckets, restarted.percentiles), (3, None, None));
    }

    #[test]
    fn slices_take_the_last_sample_at_each_boundary_and_the_last_one_is_cut() {
        let kind = SeriesKind::Counter;
        let mut series = SeriesAccumulator::new(kind, &[]).sliced(at(1), at(6), 2 * SECOND);
        series.before(at(0), &Reading::Scalar(10.0));
        for (second, value) in [(1, 12.0), (2, 14.0), (4, 20.0), (6, 21.0)] {
            series.take(at(second), &Reading::Scalar(value));
        }
        let (stats, slices) = series.finish().unwrap();
        let totals: Vec<_> = slices
            .iter()
            .map(|slice| match slice.figures {
                SliceFigures::Counter { total, rate } => (total, rate, slice.is_complete),
                _ => panic!("a counter"),
            })
            .collect();
        assert_eq!(totals, [(4.0, 2.0, true), (6.0, 3.0, true), (1.0, 1.0, false)]);
        let SeriesStats::Counter(stats) = stats else { panic!("a counter") };
        let (avg, min, max, std) = stats.slice_rates.unwrap();
        assert_eq!((stats.total, avg, min, max), (11.0, 2.5, 2.0, 3.0));
        assert!((std - 0.5_f64.sqrt()).abs() < 1e-12);
    }
}
