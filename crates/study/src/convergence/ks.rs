//! The two-sample Kolmogorov-Smirnov test.
//!
//! Exact for small samples: of all ways in which m and n samples can be interleaved, the share whose
//! distance stays below the one observed is counted path by path (Hodges 1957). Beyond that Kolmogorov's
//! limit distribution, with Stephens' correction for finite samples.

/// Above this many cells the count of paths gives way to the limit distribution.
const MOST_CELLS: usize = 4_000_000;

/// The probability of a distance as large as between these samples if both were drawn from one
/// distribution. Neither may be empty.
pub fn same_distribution_p(one: &[f64], other: &[f64]) -> f64 {
    let distance = distance(one, other);
    let probability = match one.len().checked_mul(other.len()) {
        Some(cells) if cells <= MOST_CELLS => exact(one.len(), other.len(), distance),
        _ => limit(one.len() as f64, other.len() as f64, distance),
    };
    probability.clamp(0.0, 1.0)
}

/// The greatest distance between the two empirical distribution functions.
fn distance(one: &[f64], other: &[f64]) -> f64 {
    let sorted = |samples: &[f64]| {
        let mut samples = samples.to_vec();
        samples.sort_unstable_by(f64::total_cmp);
        samples
    };
    let (one, other) = (sorted(one), sorted(other));
    let (mut i, mut j, mut greatest) = (0, 0, 0.0_f64);
    while i < one.len() && j < other.len() {
        let at = one[i].min(other[j]);
        while i < one.len() && one[i] <= at {
            i += 1;
        }
        while j < other.len() && other[j] <= at {
            j += 1;
        }
        greatest = greatest.max((i as f64 / one.len() as f64 - j as f64 / other.len() as f64).abs());
    }
    greatest
}

/// A path from (0, 0) to (m, n) takes a step for each sample of the sorted union. `inside[j]` is the
/// share of the paths to (i, j) that never came as far as `distance` from the diagonal; a path to (i, j)
/// comes from (i - 1, j) with probability i / (i + j).
fn exact(m: usize, n: usize, distance: f64) -> f64 {
    let (columns, rows) = (n as f64, m as f64);
    // Distances are multiples of 1 / (m n): half a step of room tells them apart despite rounding.
    let bound = distance - 0.5 / (columns * rows);
    let reaches = |i: usize, j: usize| (i as f64 / rows - j as f64 / columns).abs() > bound;
    let mut inside = vec![0.0_f64; n + 1];
    for i in 0..=m {
        for j in 0..=n {
            let share = match (i, j) {
                (0, 0) => 1.0,
                (0, _) => inside[j - 1],
                (_, 0) => inside[0],
                _ => {
                    let from_below = i as f64 / (i + j) as f64;
                    inside[j] * from_below + inside[j - 1] * (1.0 - from_below)
                }
            };
            inside[j] = if reaches(i, j) { 0.0 } else { share };
        }
    }
    1.0 - inside[n]
}

/// Q(λ) = 2 Σ (-1)^(k-1) exp(-2 k² λ²), with λ = (√e + 0.12 + 0.11 / √e) × distance, e = m n / (m + n).
fn limit(m: f64, n: f64, distance: f64) -> f64 {
    let root = (m * n / (m + n)).sqrt();
    let lambda = (root + 0.12 + 0.11 / root) * distance;
    if lambda < 0.2 {
        return 1.0;
    }
    let term = |k: f64| (-2.0 * k * k * lambda * lambda).exp();
    2.0 * (1..=100).map(|k| if k % 2 == 1 { term(f64::from(k)) } else { -term(f64::from(k)) }).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From scipy.stats.ks_2samp, which AIPerf uses.
    #[test]
    fn p_values_are_those_of_scipy() {
        let one = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let other = [1.5, 2.5, 3.5, 7.0, 8.0, 9.0, 10.0];
        assert!((same_distribution_p(&one, &other) - 0.146_853_146_853_146_85).abs() < 1e-12);
        let x =
            [0.61, 0.29, 0.06, 0.59, -1.73, -0.74, 0.51, -0.56, 0.39, 1.64, 0.05, -0.06, 0.64, -0.82, 0.37];
        let y = [
            -5.13, -2.19, -2.43, -3.83, 0.50, -3.25, 4.32, 1.63, 5.18, -0.43, 7.11, 4.87, -3.10, -5.81, 3.76,
        ];
        assert!((same_distribution_p(&x, &y) - 0.075_464_009_481_327_46).abs() < 1e-12);
        assert!((same_distribution_p(&y, &x) - 0.075_464_009_481_327_46).abs() < 1e-12);
    }

    #[test]
    fn equal_samples_agree_and_separate_ones_do_not() {
        let one: Vec<f64> = (0..20).map(f64::from).collect();
        let far: Vec<f64> = (100..120).map(f64::from).collect();
        assert_eq!(same_distribution_p(&one, &one), 1.0);
        assert!(same_distribution_p(&one, &far) < 1e-9);
    }

    #[test]
    fn the_limit_is_near_the_exact_count_for_many_samples() {
        for distance in [0.05, 0.08, 0.11] {
            let (exact, limit) = (exact(400, 500, distance), limit(400.0, 500.0, distance));
            assert!((exact - limit).abs() < 0.02, "{distance}: {exact} {limit}");
        }
    }
}
