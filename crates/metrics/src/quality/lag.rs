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

/// What a verdict goes by: more than one sample in a hundred was late, and at least three were.
///
/// The 99th percentile of twenty samples is the greatest of them, which a single hiccup of the host sets;
/// it tells nothing of one in a hundred. So up to two hundred samples the third greatest counts, which at
/// two hundred is the 99th percentile. Of fewer than three, all must be late.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Tail {
    /// So late, or later, was one in a hundred, or three of fewer than two hundred.
    pub(super) lag_ms: f64,
    /// Of how many.
    pub(super) samples: u64,
}

impl Tail {
    /// Fewer late ones limit nothing.
    pub(super) const LEAST_LATE: u64 = 3;
    /// As many samples a verdict by the 99th percentile needs: from here on three of them lie at it or above.
    pub(super) const PERCENTILE_NEEDS: u64 = 200;

    /// The subject of a sentence on the late ones: `one request in a hundred`, `3 of 20 requests`.
    pub(super) fn subject(&self, one: &str) -> String {
        let many = one.strip_suffix('y').map_or_else(|| format!("{one}s"), |stem| format!("{stem}ies"));
        match self.samples {
            1 => format!("the only {one}"),
            2 => format!("both {many}"),
            few if few < Self::PERCENTILE_NEEDS => format!("{} of {few} {many}", Self::LEAST_LATE),
            _ => format!("one {one} in a hundred"),
        }
    }

    /// The word that agrees with the subject.
    pub(super) fn number<'a>(&self, singular: &'a str, plural: &'a str) -> &'a str {
        if (2..Self::PERCENTILE_NEEDS).contains(&self.samples) { plural } else { singular }
    }
}

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

    /// What a verdict goes by; `None` without samples.
    pub(super) fn tail(&self) -> Option<Tail> {
        let mut sorted = self.clone();
        sorted.samples.sort_unstable();
        let lag_ns = match self.count {
            0 => return None,
            few if few < Tail::PERCENTILE_NEEDS => {
                sorted.samples[few.saturating_sub(Tail::LEAST_LATE) as usize]
            }
            _ => sorted.quantile(990),
        };
        Some(Tail { lag_ms: lag_ns as f64 / 1e6, samples: self.count })
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
    fn a_verdict_goes_by_the_99th_percentile_or_by_the_third_greatest_of_few() {
        let tail = |samples: i64| of((1..=samples).map(|lag| lag * 1_000_000)).tail().map(|tail| tail.lag_ms);
        assert_eq!((tail(0), tail(1), tail(2), tail(3)), (None, Some(1.0), Some(1.0), Some(1.0)));
        assert_eq!((tail(20), tail(150)), (Some(18.0), Some(148.0)));
        // No jump where the one gives way to the other.
        assert_eq!((tail(199), tail(200), tail(201)), (Some(197.0), Some(198.0), Some(199.0)));
        assert_eq!(tail(1000), Some(990.0));
        let subject = |samples| Tail { lag_ms: 1.0, samples }.subject("request");
        assert_eq!((subject(1), subject(2)), ("the only request".to_owned(), "both requests".to_owned()));
        assert_eq!(subject(199), "3 of 199 requests");
        assert_eq!(Tail { lag_ms: 1.0, samples: 9 }.subject("reply"), "3 of 9 replies");
        assert_eq!(subject(200), "one request in a hundred");
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
