//! A distribution of lags in bounded memory.
//!
//! Exact up to [`EXACT`] samples. Beyond that, samples fall into log-linear buckets of 2048 to the
//! octave, and a percentile is the upper edge of its bucket: at most 0.05 % too large, never too
//! small, so that the client is never flattered. Count, mean and maximum stay exact.

use super::LagStats;

/// Samples kept one by one before bucketing begins.
const EXACT: usize = 1 << 16;
/// Bits of mantissa that tell buckets apart.
const MANTISSA: u32 = 11;

/// A distribution of lags in ns.
#[derive(Debug, Clone, Default)]
pub(super) struct Lags {
    samples: Vec<i64>,
    buckets: Vec<u64>,
    count: u64,
    sum: i128,
    max: i64,
}

impl Lags {
    /// Takes a lag in ns; a negative one, an artefact of two clocks, counts as none.
    pub(super) fn push(&mut self, lag_ns: i64) {
        let lag_ns = lag_ns.max(0);
        self.count += 1;
        self.sum += i128::from(lag_ns);
        self.max = self.max.max(lag_ns);
        if !self.buckets.is_empty() {
            self.bucket(lag_ns);
            return;
        }
        self.samples.push(lag_ns);
        if self.samples.len() > EXACT {
            self.buckets = vec![0; index_of(i64::MAX) + 1];
            for sample in std::mem::take(&mut self.samples) {
                self.bucket(sample);
            }
        }
    }

    fn bucket(&mut self, lag_ns: i64) {
        self.buckets[index_of(lag_ns)] += 1;
    }

    /// The distribution in ms; `None` without samples.
    pub(super) fn stats(mut self) -> Option<LagStats> {
        if self.count == 0 {
            return None;
        }
        self.samples.sort_unstable();
        let ms = |ns: i64| ns as f64 / 1e6;
        Some(LagStats {
            count: self.count,
            avg_ms: self.sum as f64 / self.count as f64 / 1e6,
            p50_ms: ms(self.quantile(500)),
            p90_ms: ms(self.quantile(900)),
            p99_ms: ms(self.quantile(990)),
            p999_ms: ms(self.quantile(999)),
            max_ms: ms(self.max),
        })
    }

    /// The least sample that at least `per_mille` of all are not above.
    fn quantile(&self, per_mille: u64) -> i64 {
        let rank = (u128::from(self.count) * u128::from(per_mille)).div_ceil(1000).max(1) as u64;
        if self.buckets.is_empty() {
            return self.samples[rank as usize - 1];
        }
        let mut seen = 0;
        for (index, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return upper_edge(index).min(self.max);
            }
        }
        self.max
    }
}

/// The bucket of a lag: exact below 2^12 ns, then 2048 buckets an octave.
fn index_of(lag_ns: i64) -> usize {
    let value = lag_ns as u64;
    let octave = (64 - value.leading_zeros()).saturating_sub(MANTISSA + 1);
    ((u64::from(octave) << MANTISSA) + (value >> octave)) as usize
}

/// The greatest lag of a bucket.
fn upper_edge(index: usize) -> i64 {
    let index = index as u64;
    let octave = (index >> MANTISSA).saturating_sub(1);
    let mantissa = index - (octave << MANTISSA);
    let edge = ((u128::from(mantissa) + 1) << octave) - 1;
    i64::try_from(edge).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn small_sets_are_exact() {
        let mut lags = Lags::default();
        for lag in (1..=1000).rev() {
            lags.push(lag * 1000);
        }
        lags.push(-5);
        let stats = lags.stats().unwrap();
        assert_eq!(stats.count, 1001);
        assert_eq!((stats.p50_ms, stats.p99_ms, stats.max_ms), (0.5, 0.99, 1.0));
        assert_eq!(Lags::default().stats(), None);
    }

    #[test]
    fn large_sets_are_never_too_small_and_at_most_one_part_in_2048_too_large() {
        let mut lags = Lags::default();
        let samples = 200_000_i64;
        for lag in 1..=samples {
            lags.push(lag * 137);
        }
        let stats = lags.stats().unwrap();
        let exact = (samples * 99 / 100 * 137) as f64 / 1e6;
        assert!(stats.p99_ms >= exact && stats.p99_ms <= exact * (1.0 + 1.0 / 2048.0), "{stats:?}");
        assert_eq!(stats.max_ms, (samples * 137) as f64 / 1e6);
    }

    proptest! {
        #[test]
        fn a_lag_lies_in_its_bucket(lag in 0..=i64::MAX) {
            let index = index_of(lag);
            prop_assert!(upper_edge(index) >= lag);
            prop_assert!(index == 0 || upper_edge(index - 1) < lag);
        }
    }
}
