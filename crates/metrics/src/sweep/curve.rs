//! Statistics of a step function, weighted by time.
//!
//! Exact up to [`EXACT`] segments. Beyond that, values fall into logarithmic bins of 4096 to the
//! octave, and percentiles are at most 0.025 % too small; mean, deviation, least and greatest stay
//! exact. Bins take memory by the octave, 32 KiB for each that occurs.

use crate::stats::Stats;

/// Segments kept one by one before binning begins: 1 MiB.
const EXACT: usize = 1 << 16;
/// Bits of a value's binary form below its sign, exponent and 12 bits of mantissa.
const DROPPED_BITS: u32 = 40;
/// Bins of one octave, as a power of two.
const OCTAVE_BITS: u32 = 12;
/// Values below this fall into the first bin, with zero: far below one request or one token a second.
const LEAST: f64 = 1e-6;

/// A step function that is never negative, as (value, width) segments in any order.
#[derive(Debug, Clone, Default)]
pub(super) struct Curve {
    /// The segment under way: most steps of the walk leave most curves where they are.
    level: f64,
    so_far: i64,
    segments: Vec<(f64, i64)>,
    /// Widths by bin, an octave at a time; empty as long as segments are kept.
    octaves: Vec<Option<Box<[i64]>>>,
    /// Total width, ns.
    width: i64,
    min: Option<f64>,
    max: f64,
    /// The first value, and the weighted sums of the distances from it and of their squares. A value
    /// of the curve itself keeps the sums small, and a constant curve's at zero.
    origin: f64,
    distances: f64,
    squares: f64,
}

impl Curve {
    pub(super) fn add(&mut self, value: f64, width: i64) {
        if self.level != value {
            self.flush();
            self.level = value;
        }
        self.so_far += width;
    }

    /// Takes the segment under way.
    fn flush(&mut self) {
        let (value, width) = (self.level, std::mem::take(&mut self.so_far));
        if width == 0 {
            return;
        }
        if self.width == 0 {
            self.origin = value;
        }
        self.width += width;
        self.min = Some(self.min.map_or(value, |min| min.min(value)));
        self.max = self.max.max(value);
        let distance = value - self.origin;
        self.distances += width as f64 * distance;
        self.squares += width as f64 * distance * distance;
        if !self.octaves.is_empty() {
            self.bin(value, width);
            return;
        }
        self.segments.push((value, width));
        if self.segments.len() > EXACT {
            self.octaves = vec![None; (bin_of(f64::MAX) >> OCTAVE_BITS) + 1];
            for (value, width) in std::mem::take(&mut self.segments) {
                self.bin(value, width);
            }
        }
    }

    fn bin(&mut self, value: f64, width: i64) {
        let bin = bin_of(value);
        let octave = &mut self.octaves[bin >> OCTAVE_BITS];
        let octave = octave.get_or_insert_with(|| vec![0; 1 << OCTAVE_BITS].into_boxed_slice());
        octave[bin & ((1 << OCTAVE_BITS) - 1)] += width;
    }

    /// (bin, width) of every bin that has some, ascending.
    fn bins(&self) -> impl Iterator<Item = (usize, i64)> {
        let octaves = self.octaves.iter().enumerate().filter_map(|(at, bins)| Some((at, bins.as_ref()?)));
        octaves.flat_map(|(octave, bins)| {
            let numbered = bins.iter().enumerate().filter(|(_, width)| **width > 0);
            numbered.map(move |(bin, width)| ((octave << OCTAVE_BITS) + bin, *width))
        })
    }

    /// avg, min, max, p50, p90, p95, p99 and std, as AIPerf gives for these curves; all zero for a
    /// curve without segments.
    pub(super) fn stats(mut self) -> Stats {
        self.flush();
        let mut percentiles = [None; 9];
        for (place, share) in [(4, 0.50), (6, 0.90), (7, 0.95), (8, 0.99)] {
            percentiles[place] = Some(self.percentile(share));
        }
        let over_width = |sum: f64| if self.width > 0 { sum / self.width as f64 } else { 0.0 };
        let distance = over_width(self.distances);
        let variance = over_width(self.squares) - distance * distance;
        Stats {
            avg: Some(self.origin + distance),
            percentiles,
            min: Some(self.min.unwrap_or(0.0)),
            max: Some(self.max),
            std: Some(variance.max(0.0).sqrt()),
            count: None,
            sum: None,
        }
    }

    /// The least value that the curve does not exceed for at least `share` of the time.
    fn percentile(&mut self, share: f64) -> f64 {
        let enough = share * self.width as f64;
        let mut seen = 0_i64;
        if self.octaves.is_empty() {
            self.segments.sort_by(|left, right| left.0.total_cmp(&right.0));
            let reached = self.segments.iter().find(|(_, width)| {
                seen += width;
                seen as f64 >= enough
            });
            return reached.map_or(0.0, |&(value, _)| value);
        }
        let reached = self.bins().find_map(|(bin, width)| {
            seen += width;
            (seen as f64 >= enough).then_some(bin)
        });
        reached.map_or(self.max, value_of).clamp(self.min.unwrap_or(0.0), self.max)
    }
}

/// The bin of a value: its binary form without the low bits of the mantissa, counted from [`LEAST`].
fn bin_of(value: f64) -> usize {
    let value = value.min(1e15);
    let bits = |value: f64| value.to_bits() >> DROPPED_BITS;
    if value < LEAST { 0 } else { (bits(value) - bits(LEAST) + 1) as usize }
}

/// The least value of a bin.
fn value_of(bin: usize) -> f64 {
    if bin == 0 {
        return 0.0;
    }
    f64::from_bits((bin as u64 - 1 + (LEAST.to_bits() >> DROPPED_BITS)) << DROPPED_BITS)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_curve_by_hand() {
        let mut curve = Curve::default();
        for (value, width) in [(2.0, 30), (0.0, 10), (1.0, 60)] {
            curve.add(value, width);
        }
        let stats = curve.stats();
        assert!((stats.avg.unwrap() - 1.2).abs() < 1e-12);
        // 0.1 × 1.2² + 0.6 × 0.2² + 0.3 × 0.8²
        assert!((stats.std.unwrap() - 0.36_f64.sqrt()).abs() < 1e-12);
        assert_eq!((stats.min, stats.max), (Some(0.0), Some(2.0)));
        assert_eq!((stats.percentile(50), stats.percentile(90)), (Some(1.0), Some(2.0)));
        assert_eq!((stats.percentile(25), stats.count, stats.sum), (None, None, None));
    }

    #[test]
    fn a_level_that_lasts_is_one_segment() {
        let (mut split, mut whole) = (Curve::default(), Curve::default());
        for (value, width) in [(2.0, 30), (2.0, 5), (0.0, 10), (2.0, 1), (1.0, 60), (1.0, 4)] {
            split.add(value, width);
        }
        for (value, width) in [(2.0, 35), (0.0, 10), (2.0, 1), (1.0, 64)] {
            whole.add(value, width);
        }
        assert_eq!(split.segments, whole.segments);
        assert_eq!(split.stats(), whole.stats());
    }

    #[test]
    fn an_empty_curve_is_all_zero() {
        let stats = Curve::default().stats();
        assert_eq!(
            (stats.avg, stats.max, stats.percentile(99), stats.std),
            (Some(0.0), Some(0.0), Some(0.0), Some(0.0))
        );
    }

    #[test]
    fn a_long_curve_is_binned_within_its_stated_error() {
        let mut curve = Curve::default();
        let segments = 400_000_i64;
        for segment in 1..=segments {
            curve.add(segment as f64 / 100.0, 10);
        }
        assert!(curve.segments.is_empty());
        let stats = curve.stats();
        for (percent, exact) in [(50, 2000.0), (90, 3600.0), (99, 3960.0)] {
            let ours = stats.percentile(percent).unwrap();
            assert!(ours <= exact && ours >= exact * (1.0 - 1.0 / 4096.0), "p{percent} {ours} {exact}");
        }
        assert!((stats.avg.unwrap() - 2000.005).abs() < 1e-6);
    }

    proptest! {
        #[test]
        fn a_value_lies_in_its_bin(value in 1e-6..1e15_f64) {
            let bin = bin_of(value);
            prop_assert!(value_of(bin) <= value && value_of(bin + 1) > value);
            prop_assert!(value_of(bin + 1) <= value_of(bin).max(LEAST) * (1.0 + 1.0 / 4096.0) + 1e-21);
        }
    }
}
