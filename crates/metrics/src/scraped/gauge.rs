//! The distribution of a gauge's samples.

use crate::stats::PERCENTILES;

/// A gauge's samples, kept as runs of equal ones: most gauges seldom change from one scrape to the next.
#[derive(Debug, Clone, Default)]
pub struct GaugeValues {
    runs: Vec<(f64, u64)>,
    count: u64,
    last: f64,
}

/// What a gauge was over a window. Not weighted by time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GaugeStats {
    /// Mean.
    pub avg: f64,
    /// Least.
    pub min: f64,
    /// Greatest.
    pub max: f64,
    /// Sample standard deviation (divided by n - 1); 0 for one sample.
    pub std: f64,
    /// One for each of [`PERCENTILES`], by linear interpolation between ranks.
    pub percentiles: [f64; PERCENTILES.len()],
    /// Number of samples.
    pub count: u64,
    /// Sum of the samples.
    pub sum: f64,
}

impl GaugeValues {
    /// Takes one more sample, which is finite.
    pub fn push(&mut self, value: f64) {
        self.count += 1;
        self.last = value;
        match self.runs.last_mut() {
            Some((run, times)) if *run == value => *times += 1,
            _ => self.runs.push((value, 1)),
        }
    }

    /// How many there are.
    pub fn len(&self) -> u64 {
        self.count
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The latest sample.
    pub fn last(&self) -> Option<f64> {
        (self.count > 0).then_some(self.last)
    }

    /// Their distribution; `None` without any.
    pub fn stats(mut self) -> Option<GaugeStats> {
        if self.count == 0 {
            return None;
        }
        self.runs.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let count = self.count as f64;
        let sum: f64 = self.runs.iter().map(|(value, times)| value * *times as f64).sum();
        let (min, max) = (self.runs[0].0, self.runs[self.runs.len() - 1].0);
        // Rounding must not put a mean outside what it is the mean of.
        let avg = (sum / count).clamp(min, max);
        let squares: f64 = self.runs.iter().map(|(value, times)| (value - avg).powi(2) * *times as f64).sum();
        let std = if self.count > 1 { (squares / (count - 1.0)).sqrt() } else { 0.0 };
        let percentiles =
            PERCENTILES.map(|percent| self.interpolated(f64::from(percent) / 100.0 * (count - 1.0)));
        Some(GaugeStats { avg, min, max, std, percentiles, count: self.count, sum })
    }

    /// The value at a rank between samples; the runs are sorted.
    fn interpolated(&self, rank: f64) -> f64 {
        let below = rank.floor();
        interpolate(self.at(below as u64), self.at(below as u64 + 1), rank - below)
    }

    fn at(&self, rank: u64) -> f64 {
        let mut before = 0;
        for (value, times) in &self.runs {
            before += times;
            if rank < before {
                return *value;
            }
        }
        self.runs[self.runs.len() - 1].0
    }
}

/// Between two neighbours, as numpy does it: from the nearer one.
pub(super) fn interpolate(low: f64, high: f64, share: f64) -> f64 {
    let gap = high - low;
    if share >= 0.5 { high - gap * (1.0 - share) } else { low + gap * share }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn stats(values: &[f64]) -> GaugeStats {
        let mut gauge = GaugeValues::default();
        for value in values {
            gauge.push(*value);
        }
        gauge.stats().unwrap()
    }

    #[test]
    fn the_figures_are_those_that_aiperf_gave_for_these_samples() {
        // Scrapes 4 to 28, less the 5th, of a gauge that goes 0 1 2 4 8 4 2 1: a run of AIPerf 0.13.0.
        const WAVE: [f64; 8] = [0.0, 1.0, 2.0, 4.0, 8.0, 4.0, 2.0, 1.0];
        let values: Vec<f64> = (4..=28).filter(|k| *k != 5).map(|k| WAVE[k % 8]).collect();
        let stats = stats(&values);
        assert_eq!(stats.count, 24);
        assert!((stats.avg - 2.916_666_666_666_666_5).abs() < 1e-12);
        assert!((stats.std - 2.652_589_656_177_142_7).abs() < 1e-12);
        let expected = [0.0, 0.0, 0.3, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0];
        for (got, expected) in stats.percentiles.iter().zip(expected) {
            assert!((got - expected).abs() < 1e-12, "{got} {expected}");
        }
    }

    #[test]
    fn one_sample_deviates_by_nothing_and_equal_ones_have_their_own_mean() {
        assert_eq!(stats(&[5.0]).std, 0.0);
        let equal = stats(&[0.2; 16]);
        assert_eq!((equal.avg, equal.min, equal.max, equal.std), (0.2, 0.2, 0.2, 0.0));
        assert!(GaugeValues::default().stats().is_none());
    }
}
