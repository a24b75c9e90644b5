//! A distribution of lags in bounded memory.
//!
//! Exact up to [`EXACT`] samples. Beyond that, samples fall into log-linear buckets of 1024 to the octave,
//! and a percentile is the upper edge of its bucket: at most 1/1024 too large, never too small, so that the
//! client is never flattered. Count, mean and maximum stay exact. Half a megabyte, whatever the count.

use super::LagStats;

/// Samples kept one by one before bucketing begins.
const EXACT: usize = 1 << 16;
/// Bits of mantissa that tell buckets apart.
const MANTISSA: u32 = 10;
/// Lags above this, 52 days, share the last bucket.
const GREATEST: i64 = (1 << 52) - 1;

/// A distribution of lags in ns.
#[derive(Debug, Clone, Default)]
pub(super) struct Lags {
    samples: Vec<i64>,
    /// Empty while samples are kept one by one.
    buckets: Vec<u64>,
    count: u64,
    sum: i128,
    max: i64,
}

impl Lags {
    /// Takes a lag in ns; a negative one, an artefact of two clocks, counts as none.
    pub(super) fn push(&mut self, lag_ns: i64) {
        self.extend(&[lag_ns]);
    }

    /// Takes many: a few ns each.
    pub(super) fn extend(&mut self, lags_ns: &[i64]) {
        if self.buckets.is_empty() && self.samples.len() + lags_ns.len() > EXACT {
            self.bucket_all();
        }
        if self.buckets.is_empty() {
            self.samples.extend(lags_ns.iter().map(|&lag| lag.max(0)));
        } else {
            for &lag in lags_ns {
                self.buckets[index_of(lag)] += 1;
            }
        }
        self.count += lags_ns.len() as u64;
        for &lag in lags_ns {
            self.sum += i128::from(lag.max(0));
            self.max = self.max.max(lag);
        }
    }

    /// Takes another distribution's samples. Which of the two takes the other makes no difference.
    pub(super) fn merge(&mut self, other: &Self) {
        if !other.buckets.is_empty() && self.buckets.is_empty() {
            self.bucket_all();
        }
        if other.buckets.is_empty() {
            // Count, sum and maximum come with the samples.
            self.extend(&other.samples);
            return;
        }
        for (mine, theirs) in self.buckets.iter_mut().zip(&other.buckets) {
            *mine += theirs;
        }
        self.count += other.count;
        self.sum += other.sum;
        self.max = self.max.max(other.max);
    }

    fn bucket_all(&mut self) {
        self.buckets = vec![0; index_of(GREATEST) + 1];
        for sample in std::mem::take(&mut self.samples) {
            self.buckets[index_of(sample)] += 1;
        }
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
            percentile_error: if self.buckets.is_empty() { 0.0 } else { 1.0 / f64::from(1 << MANTISSA) },
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

/// The bucket of a lag: exact below 2^11 ns, then 1024 buckets an octave.
fn index_of(lag_ns: i64) -> usize {
    let value = lag_ns.clamp(0, GREATEST) as u64;
    let octave = (64 - value.leading_zeros()).saturating_sub(MANTISSA + 1);
    ((u64::from(octave) << MANTISSA) + (value >> octave)) as usize
}

/// The greatest lag of a bucket.
fn upper_edge(index: usize) -> i64 {
    let index = index as u64;
    let octave = (index >> MANTISSA).saturating_sub(1);
    let mantissa = index - (octave << MANTISSA);
    (((mantissa + 1) << octave) - 1) as i64
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    fn of(samples: impl IntoIterator<Item = i64>) -> Lags {
        let mut lags = Lags::default();
        samples.into_iter().for_each(|lag| lags.push(lag));
        lags
    }

    #[test]
    fn small_sets_are_exact() {
        let stats = of((1..=1000).rev().map(|lag| lag * 1000).chain([-5])).stats().unwrap();
        assert_eq!(stats.count, 1001);
        assert_eq!((stats.p50_ms, stats.p99_ms, stats.max_ms), (0.5, 0.99, 1.0));
        assert_eq!((stats.avg_ms, stats.percentile_error), (500.5 / 1001.0, 0.0));
        assert_eq!(Lags::default().stats(), None);
    }

    #[test]
    fn large_sets_are_never_too_small_and_at_most_one_part_in_1024_too_large() {
        let samples = 200_000_i64;
        let stats = of((1..=samples).map(|lag| lag * 137)).stats().unwrap();
        let exact = (samples * 99 / 100 * 137) as f64 / 1e6;
        assert_eq!(stats.percentile_error, 1.0 / 1024.0);
        assert!(stats.p99_ms >= exact && stats.p99_ms <= exact * (1.0 + stats.percentile_error), "{stats:?}");
        assert_eq!(stats.max_ms, (samples * 137) as f64 / 1e6);
        assert_eq!(stats.avg_ms, (samples + 1) as f64 / 2.0 * 137.0 / 1e6);
    }

    #[test]
    fn memory_does_not_grow_with_the_count() {
        let mut lags = of(0..=EXACT as i64);
        let size = lags.buckets.len() * size_of::<u64>();
        assert!(size < 512 * 1024, "{size}");
        lags.extend(&[i64::MIN, i64::MAX]);
        assert_eq!((lags.samples.capacity(), lags.buckets.len() * size_of::<u64>()), (0, size));
        let stats = lags.stats().unwrap();
        assert_eq!((stats.count, stats.max_ms), (EXACT as u64 + 3, i64::MAX as f64 / 1e6));
    }

    proptest! {
        #[test]
        fn a_lag_lies_in_its_bucket(lag in 0..=GREATEST) {
            let index = index_of(lag);
            let edge = upper_edge(index);
            prop_assert!(edge >= lag && edge - lag <= lag / 1024);
            prop_assert!(index == 0 || upper_edge(index - 1) < lag);
        }

        #[test]
        fn merging_equals_taking_all(
            left in prop::collection::vec(-10..i64::MAX, 0..50),
            right in prop::collection::vec(-10..i64::MAX, 0..50),
            many in prop::bits::u8::between(0, 2),
        ) {
            let bulk: Vec<i64> = (0..=EXACT as i64).collect();
            let one = |samples: &[i64], with_bulk: bool| {
                let mut lags = of(samples.iter().copied());
                lags.extend(if with_bulk { &bulk } else { &[] });
                lags
            };
            let mut forth = one(&left, many & 1 > 0);
            forth.merge(&one(&right, many & 2 > 0));
            let mut back = one(&right, many & 2 > 0);
            back.merge(&one(&left, many & 1 > 0));
            let mut all = one(&left, many & 1 > 0);
            all.extend(&right);
            all.extend(if many & 2 > 0 { &bulk } else { &[] });
            prop_assert_eq!(forth.clone().stats(), all.stats());
            prop_assert_eq!(forth.stats(), back.stats());
        }
    }
}
