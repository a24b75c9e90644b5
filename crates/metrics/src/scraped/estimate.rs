//! Percentiles of a histogram's observations, which it counted but did not keep: AIPerf's estimates.
//!
//! Each bucket's observations are laid out within its bounds, then moved so that their sum is the histogram's:
//! * scrapes between which all new observations fell into one bucket tell that bucket's mean, and how much it
//!   varies ([`BucketLearning`]); other buckets are taken as uniform;
//! * what lies above the greatest bound is spread evenly, so that its sum is what the others leave of the whole;
//! * percentiles are linear interpolations over all observations that were laid out.

use super::gauge::interpolate;
use crate::stats::PERCENTILES;

/// Observations that are laid out at most; of more, a proportional share.
const MOST_OBSERVATIONS: f64 = 100_000.0;
/// A bucket with this share of all finite observations takes their overall mean.
const DOMINANT_SHARE: f64 = 0.95;
/// Sums that differ by less than this share are left as they are.
const NEGLIGIBLE: f64 = 0.001;
/// The largest move towards the right sum, as a share of a bucket's width.
const MOST_SHIFT: f64 = 0.4;
/// A learned deviation counts from this many means on.
const LEAST_MEANS: u64 = 3;

/// What scrapes told of the observations within one bucket.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct BucketLearning {
    /// Sum of mean times count.
    weighted: f64,
    observations: f64,
    /// Welford's running mean and sum of squared deviations of the means.
    means: u64,
    mean: f64,
    squares: f64,
}

impl BucketLearning {
    /// `count` observations were seen in this bucket alone; `sum` is theirs.
    pub fn learn(&mut self, sum: f64, count: f64) {
        let mean = sum / count;
        let whole = count.trunc();
        self.weighted += mean * whole;
        self.observations += whole;
        self.means += 1;
        let from_mean = mean - self.mean;
        self.mean += from_mean / self.means as f64;
        self.squares += from_mean * (mean - self.mean);
    }

    /// The mean, if it lies strictly within the bucket.
    fn mean_within(&self, low: f64, high: f64) -> Option<f64> {
        let mean = self.weighted / self.observations;
        (self.observations > 0.0 && low < mean && mean < high).then_some(mean)
    }

    /// The variance of the means (divided by n - 1).
    fn variance(&self) -> Option<f64> {
        (self.means >= LEAST_MEANS).then(|| self.squares / (self.means - 1) as f64)
    }
}

/// What a histogram observed over a window.
#[derive(Debug, Clone, Copy)]
pub struct HistogramDelta<'a> {
    /// Upper bounds, ascending, the last one infinite.
    pub bounds: &'a [f64],
    /// How many observations were at or below each bound.
    pub cumulative: &'a [f64],
    /// Sum of the observations.
    pub sum: f64,
    /// What was learned of each bucket.
    pub learned: &'a [BucketLearning],
}

/// One finite bucket.
struct Bucket {
    low: f64,
    high: f64,
    count: f64,
    mean: Option<f64>,
    variance: Option<f64>,
}

impl Bucket {
    fn width(&self) -> f64 {
        self.high - self.low
    }

    fn middle(&self) -> f64 {
        f64::midpoint(self.low, self.high)
    }

    fn clip(&self, value: f64) -> f64 {
        value.clamp(self.low, self.high)
    }

    /// Lays its observations out. `overall` is the mean of all finite ones where this bucket has most.
    fn lay_out(&self, overall: Option<f64>, out: &mut Vec<f64>) {
        let count = self.count as usize;
        let shares = (0..count).map(|index| (index as f64 + 0.5) / count as f64);
        if let (Some(mean), Some(variance)) = (self.mean, self.variance.filter(|variance| *variance > 0.0)) {
            let deviation = variance.sqrt();
            let coverage = 4.0 * deviation / self.width();
            let offset = (mean - self.middle()).abs() / self.width();
            if coverage < 0.01 {
                return self.two_points(mean, variance, count, out);
            }
            let spread = |share: f64| self.spread(mean, deviation, share);
            if coverage < 0.2 && offset < 0.3 {
                let uniform = |share: f64| self.clip(self.low + self.width() * share + mean - self.middle());
                out.extend(shares.map(|share| self.clip(0.5 * uniform(share) + 0.5 * spread(share))));
            } else {
                out.extend(shares.map(spread));
            }
            return;
        }
        let centre = overall.or(self.mean).unwrap_or(self.middle());
        out.extend(shares.map(|share| self.clip(self.low + self.width() * share + centre - self.middle())));
    }

    /// Two points with this mean and variance, one of them the lower bound.
    fn two_points(&self, mean: f64, variance: f64, count: usize, out: &mut Vec<f64>) {
        let above = mean - self.low;
        let share_low = (variance / (variance + above * above)).clamp(0.0, 1.0);
        let at_low = (count as f64 * share_low) as usize;
        let other = self.clip(mean + variance / above);
        out.extend(std::iter::repeat_n(self.low, at_low));
        out.extend(std::iter::repeat_n(other, count - at_low));
    }

    /// A point of a spread around the mean that reaches at most three deviations, and not past a bound.
    fn spread(&self, mean: f64, deviation: f64, share: f64) -> f64 {
        let below = ((mean - self.low) / deviation).min(3.0);
        let above = ((self.high - mean) / deviation).min(3.0);
        self.clip(if share < 0.5 {
            mean - below * deviation * (1.0 - 2.0 * share)
        } else {
            mean + above * deviation * (2.0 * share - 1.0)
        })
    }
}

/// One estimate for each of [`PERCENTILES`]; `None` where nothing can be said: no finite bound, no
/// observation, or a negative sum.
pub fn estimate_percentiles(delta: HistogramDelta<'_>) -> Option<[f64; PERCENTILES.len()]> {
    let HistogramDelta { bounds, cumulative, sum, learned } = delta;
    let finite = bounds.iter().take_while(|bound| bound.is_finite()).count();
    let total = *cumulative.last()?;
    if finite == 0 || total <= 0.0 || sum < 0.0 {
        return None;
    }
    if sum == 0.0 {
        return Some([0.0; PERCENTILES.len()]);
    }
    let scale = (MOST_OBSERVATIONS / total).min(1.0);
    let sum = sum * scale;
    let mut before = 0.0;
    let buckets: Vec<Bucket> = (0..finite)
        .map(|index| {
            let (low, high) = (if index == 0 { 0.0 } else { bounds[index - 1] }, bounds[index]);
            let count = (cumulative[index] - before) * scale;
            before = cumulative[index];
            let told = learned.get(index);
            Bucket {
                low: low.min(high),
                high,
                count,
                mean: told.and_then(|told| told.mean_within(low, high)),
                variance: told.and_then(BucketLearning::variance),
            }
        })
        .collect();
    let beyond = above_all(&buckets, ((total - before) * scale).ceil() as usize, bounds[finite - 1], sum);

    let target = sum - beyond.iter().sum::<f64>();
    let finite_count: f64 = buckets.iter().map(|bucket| bucket.count).sum();
    let dominant = dominant(&buckets, finite_count);
    let mut observations = Vec::new();
    let mut places = Vec::new();
    for (index, bucket) in buckets.iter().enumerate().filter(|(_, bucket)| bucket.count as usize > 0) {
        let start = observations.len();
        let overall = (dominant == Some(index)).then_some(target / finite_count);
        bucket.lay_out(overall.filter(|mean| bucket.low < *mean && *mean < bucket.high), &mut observations);
        places.push((start, bucket));
    }
    move_to(target, &places, &mut observations);
    observations.extend(beyond);
    if observations.is_empty() {
        return None;
    }
    observations.sort_unstable_by(f64::total_cmp);
    Some(PERCENTILES.map(|percent| {
        let rank = f64::from(percent) / 100.0 * (observations.len() - 1) as f64;
        let low = rank as usize;
        let high = (low + 1).min(observations.len() - 1);
        interpolate(observations[low], observations[high], rank - low as f64)
    }))
}

/// `count` observations above the greatest bound: evenly spaced from it, with the mean that the sum leaves.
fn above_all(buckets: &[Bucket], count: usize, greatest: f64, sum: f64) -> Vec<f64> {
    if count == 0 {
        return Vec::new();
    }
    let of_finite: f64 = buckets
        .iter()
        .filter(|bucket| bucket.count > 0.0)
        .map(|bucket| bucket.count * bucket.mean.unwrap_or(bucket.middle()))
        .sum();
    let left = sum - of_finite;
    let mean = left / count as f64;
    let mean = if left <= 0.0 || mean <= greatest { 1.5 * greatest } else { mean };
    if count == 1 {
        return vec![mean];
    }
    let upper = 2.0 * mean - greatest;
    let upper = if upper > greatest { upper } else { 2.0 * greatest };
    (0..count).map(|index| greatest + (upper - greatest) * index as f64 / (count - 1) as f64).collect()
}

/// The first bucket with nearly all of the finite observations.
fn dominant(buckets: &[Bucket], total: f64) -> Option<usize> {
    let most = buckets.iter().map(|bucket| bucket.count).fold(0.0, f64::max);
    (total > 0.0 && most / total >= DOMINANT_SHARE)
        .then(|| buckets.iter().position(|bucket| bucket.count == most))
        .flatten()
}

/// Moves what was laid out towards the sum that it should have, each bucket by its share of the sum.
fn move_to(target: f64, places: &[(usize, &Bucket)], observations: &mut [f64]) {
    let laid_out: f64 = observations.iter().sum();
    let missing = target - laid_out;
    if laid_out <= 0.0 || target <= 0.0 || missing.abs() / target < NEGLIGIBLE {
        return;
    }
    for (start, bucket) in places {
        let place = &mut observations[*start..*start + bucket.count as usize];
        let count = place.len() as f64;
        let most = MOST_SHIFT * bucket.width();
        let shift = (missing * (place.iter().sum::<f64>() / laid_out) / count).clamp(-most, most);
        for value in place {
            *value = bucket.clip(*value + shift);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    const BOUNDS: [f64; 6] = [0.01, 0.05, 0.1, 0.5, 1.0, f64::INFINITY];

    /// What a scripted server had observed at its scrape `k`: three of 0.005 at first, then by turns one of
    /// 0.02, two of 0.07, and 0.3, 0.8 and 2.0.
    fn observed(k: usize) -> (Vec<f64>, f64, f64) {
        let mut all = vec![0.005; 3];
        for scrape in 1..=k {
            match scrape % 3 {
                1 => all.push(0.02),
                2 => all.extend([0.07, 0.07]),
                _ => all.extend([0.3, 0.8, 2.0]),
            }
        }
        let buckets = BOUNDS.iter().map(|bound| all.iter().filter(|x| **x <= *bound).count() as f64);
        (buckets.collect(), all.iter().sum(), all.len() as f64)
    }

    fn estimate(scrapes: &[usize]) -> [f64; 9] {
        let mut learned = [BucketLearning::default(); 6];
        for pair in scrapes.windows(2) {
            let ((before, sum_before, n_before), (after, sum, n)) = (observed(pair[0]), observed(pair[1]));
            let count = n - n_before;
            if count <= 0.0 {
                continue;
            }
            let rises: Vec<f64> = before.iter().zip(&after).map(|(b, a)| (a - b).max(0.0)).collect();
            let hit: Vec<usize> = (0..6)
                .filter(|bucket| rises[*bucket] > if *bucket == 0 { 0.0 } else { rises[bucket - 1] })
                .collect();
            if let [only] = hit[..] {
                learned[only].learn(sum - sum_before, count);
            }
        }
        let (first, last) = (observed(scrapes[0]), observed(*scrapes.last().unwrap()));
        let cumulative: Vec<f64> = first.0.iter().zip(&last.0).map(|(b, a)| a - b).collect();
        let delta = HistogramDelta {
            bounds: &BOUNDS,
            cumulative: &cumulative,
            sum: last.1 - first.1,
            learned: &learned,
        };
        estimate_percentiles(delta).unwrap()
    }

    #[test]
    fn estimates_are_those_of_aiperf_for_the_same_scrapes() {
        // AIPerf 0.13.0 against that server: the 5th scrape came before the 4th, and was the reference.
        let scrapes: Vec<usize> = [5, 4].into_iter().chain(6..=28).collect();
        let expected = [
            0.01,
            0.013_720_606_377_808_092,
            0.024_970_606_377_808_093,
            0.058_295_713_515_134_56,
            0.149_585_031_216_120_3,
            0.764_587_578_040_300_8,
            1.750_000_000_000_000_4,
            2.425_000_000_000_000_7,
            2.965_000_000_000_000_3,
        ];
        for (got, expected) in estimate(&scrapes).iter().zip(expected) {
            assert!((got - expected).abs() < 1e-12, "{got} {expected}");
        }
    }

    #[test]
    fn a_bucket_that_always_has_the_same_mean_is_two_points() {
        // Every third scrape failed here, so only 0.02 was ever seen alone.
        let scrapes: Vec<usize> = (0..=19).filter(|k| k % 3 != 2).skip(1).collect();
        let got = estimate(&scrapes);
        assert!((got[0] - 0.02).abs() < 1e-12 && (got[2] - 0.02).abs() < 1e-12, "{got:?}");
        let expected = [0.063_541_666_666_666_68, 0.115_625, 0.729_166_666_666_666_7];
        for (got, expected) in got[3..6].iter().zip(expected) {
            assert!((got - expected).abs() < 1e-9, "{got} {expected}");
        }
    }

    #[test]
    fn nothing_is_said_of_what_no_bound_holds() {
        let of = |bounds: &[f64], cumulative: &[f64], sum| {
            estimate_percentiles(HistogramDelta { bounds, cumulative, sum, learned: &[] })
        };
        assert_eq!(of(&[f64::INFINITY], &[3.0], 1.0), None);
        assert_eq!(of(&[1.0, f64::INFINITY], &[0.0, 0.0], 0.0), None);
        assert_eq!(of(&[1.0, f64::INFINITY], &[1.0, 1.0], -1.0), None);
        assert_eq!(of(&[1.0, f64::INFINITY], &[1.0, 1.0], 0.0), Some([0.0; 9]));
    }

    proptest! {
        #[test]
        fn estimates_ascend_within_the_bounds(
            counts in prop::collection::vec(0u32..300_000, 4),
            sum in 0.0f64..1e6,
        ) {
            let bounds = [0.5, 1.0, 4.0, f64::INFINITY];
            let cumulative: Vec<f64> = counts.iter().scan(0.0, |so_far, count| {
                *so_far += f64::from(*count);
                Some(*so_far)
            }).collect();
            let delta = HistogramDelta { bounds: &bounds, cumulative: &cumulative, sum, learned: &[] };
            if let Some(estimates) = estimate_percentiles(delta) {
                prop_assert!(estimates.iter().all(|value| value.is_finite() && *value >= 0.0));
                prop_assert!(estimates.windows(2).all(|pair| pair[0] <= pair[1]));
                if counts[3] == 0 {
                    prop_assert!(estimates[8] <= 4.0);
                }
            }
        }
    }
}
