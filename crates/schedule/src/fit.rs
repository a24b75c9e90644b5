//! Goodness of fit: do arrival counts follow the rate they were meant to follow?
//!
//! Pearson's statistic X² = Σ (observed − expected)² / expected over windows of time. For an exact
//! Poisson process each count is Poisson with the integral of the rate over its window as mean,
//! independent of the others, so X² follows the chi-square distribution with as many degrees of freedom
//! as there are windows (nothing was fitted to the data, the total included, so none is taken off).
//! Evenly spaced arrivals give an X² near 0: [`ChiSquare::upper_tail`] asks only whether counts lie too
//! far from the rate.
//!
//! It serves this crate's tests, those of whoever makes arrivals from a rate, and users who want to
//! check a schedule; no schedule depends on it.

use crate::RateFunction;

/// Windows that expect fewer arrivals than this are joined with the next (Cochran's rule), because the
/// chi-square distribution describes only counts that are not too small.
const LEAST_EXPECTED: f64 = 5.0;

/// Pearson's statistic and its degrees of freedom.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChiSquare {
    /// X².
    pub statistic: f64,
    /// Number of windows compared.
    pub degrees_of_freedom: u32,
}

impl ChiSquare {
    /// Compares counts with their expectations, window by window; of two lengths, the shorter decides.
    /// A remainder at the end that expects too few joins the last window.
    pub fn of_counts(observed: &[u64], expected: &[f64]) -> Self {
        let mut cells: Vec<(f64, f64)> = Vec::new();
        let (mut seen, mut due) = (0.0, 0.0);
        for (count, expectation) in observed.iter().zip(expected) {
            seen += *count as f64;
            due += expectation;
            if due >= LEAST_EXPECTED {
                cells.push((seen, due));
                (seen, due) = (0.0, 0.0);
            }
        }
        match cells.last_mut() {
            Some(last) => *last = (last.0 + seen, last.1 + due),
            None if due > 0.0 => cells.push((seen, due)),
            None => {}
        }
        let statistic = cells.iter().map(|(seen, due)| (seen - due) * (seen - due) / due).sum();
        Self { statistic, degrees_of_freedom: u32::try_from(cells.len()).unwrap_or(u32::MAX) }
    }

    /// Compares arrivals in the first `windows` windows of `window_s` seconds with the integral of
    /// `rate`; later arrivals are left out.
    pub fn of_arrivals(
        offsets_ns: impl IntoIterator<Item = i64>,
        rate: &RateFunction,
        window_s: f64,
        windows: usize,
    ) -> Self {
        Self::of_counts(
            &counts_per_window(offsets_ns, window_s, windows),
            &expected_per_window(rate, window_s, windows),
        )
    }

    /// The probability that counts which follow the rate give a statistic at least this large.
    pub fn upper_tail(&self) -> f64 {
        upper_gamma(f64::from(self.degrees_of_freedom) / 2.0, self.statistic / 2.0)
    }

    /// Whether the statistic stays below the critical value of significance `alpha`.
    pub fn fits(&self, alpha: f64) -> bool {
        self.statistic < critical_value(self.degrees_of_freedom, alpha)
    }
}

/// The value that a chi-square variable with `degrees_of_freedom` exceeds with probability `alpha`.
pub fn critical_value(degrees_of_freedom: u32, alpha: f64) -> f64 {
    let tail = |statistic| ChiSquare { statistic, degrees_of_freedom }.upper_tail();
    let (mut low, mut high) = (0.0, f64::from(degrees_of_freedom.max(1)));
    while tail(high) > alpha && high < 1e12 {
        high *= 2.0;
    }
    // Each step halves the bracket; 80 leave nothing of it.
    for _ in 0..80 {
        let middle = f64::midpoint(low, high);
        (low, high) = if tail(middle) > alpha { (middle, high) } else { (low, middle) };
    }
    high
}

/// Arrivals in each of the first `windows` windows of `window_s` seconds, each window with its end and
/// without its start, as a schedule's duration counts them.
pub fn counts_per_window(
    offsets_ns: impl IntoIterator<Item = i64>,
    window_s: f64,
    windows: usize,
) -> Vec<u64> {
    let mut counts = vec![0; windows];
    for offset_ns in offsets_ns {
        let window = (offset_ns as f64 / 1e9 / window_s).ceil() - 1.0;
        if let Some(count) = counts.get_mut(window.max(0.0) as usize) {
            *count += 1;
        }
    }
    counts
}

/// The integral of `rate` over each of the first `windows` windows of `window_s` seconds.
pub fn expected_per_window(rate: &RateFunction, window_s: f64, windows: usize) -> Vec<f64> {
    (0..windows)
        .map(|window| {
            let start = window as f64 * window_s;
            rate.expected_by(start + window_s) - rate.expected_by(start)
        })
        .collect()
}

/// The regularised upper incomplete gamma function Q(a, x): by its series below a + 1, by Lentz's
/// continued fraction above (Press et al., "Numerical Recipes", 6.2). Q(ν/2, x/2) is the upper tail
/// of the chi-square distribution.
fn upper_gamma(a: f64, x: f64) -> f64 {
    if x <= 0.0 || a <= 0.0 {
        return 1.0;
    }
    // x^a · e^(−x) / Γ(a), in logarithms because each factor overflows on its own.
    let scale = libm::exp(a * libm::log(x) - x - libm::lgamma(a));
    let tail = if x < a + 1.0 { 1.0 - scale * lower_series(a, x) } else { scale * upper_fraction(a, x) };
    tail.clamp(0.0, 1.0)
}

/// Both expansions converge within a few times √a terms; statistics of a hundred million windows stay
/// within this.
const TERMS: u32 = 200_000;

/// Σ xⁿ / (a(a+1)…(a+n)).
fn lower_series(a: f64, x: f64) -> f64 {
    let mut term = 1.0 / a;
    let mut sum = term;
    for n in 1..TERMS {
        term *= x / (a + f64::from(n));
        sum += term;
        if term < sum * f64::EPSILON {
            break;
        }
    }
    sum
}

/// 1/(x+1−a − 1(1−a)/(x+3−a − 2(2−a)/(x+5−a − …))), by the modified Lentz method.
fn upper_fraction(a: f64, x: f64) -> f64 {
    let away_from_zero = |value: f64| if value.abs() < 1e-290 { 1e-290 } else { value };
    let mut partial = x + 1.0 - a;
    let mut above = 1e290;
    let mut below = 1.0 / partial;
    let mut fraction = below;
    for n in 1..TERMS {
        let n = f64::from(n);
        let numerator = -n * (n - a);
        partial += 2.0;
        below = 1.0 / away_from_zero(numerator * below + partial);
        above = away_from_zero(partial + numerator / above);
        fraction *= below * above;
        if (below * above - 1.0).abs() < f64::EPSILON {
            break;
        }
    }
    fraction
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn critical_values_are_those_of_the_tables() {
        for (degrees, alpha, value) in [
            (1, 0.05, 3.841),
            (2, 0.01, 9.210),
            (10, 0.05, 18.307),
            (100, 0.001, 149.449),
            (100, 0.95, 77.929),
            (1000, 0.01, 1106.969),
        ] {
            let found = critical_value(degrees, alpha);
            assert!((found - value).abs() < 1e-3, "χ²({degrees}, {alpha}) = {found}, not {value}");
        }
    }

    #[test]
    fn the_statistic_is_pearsons() {
        let fit = ChiSquare::of_counts(&[8, 12, 25], &[10.0, 10.0, 20.0]);
        assert_eq!(fit, ChiSquare { statistic: 0.4 + 0.4 + 1.25, degrees_of_freedom: 3 });
    }

    #[test]
    fn windows_that_expect_too_few_are_joined() {
        let joined = ChiSquare::of_counts(&[1, 2, 4, 9, 1], &[2.0, 2.0, 2.0, 10.0, 1.0]);
        let by_hand = ChiSquare::of_counts(&[7, 10], &[6.0, 11.0]);
        assert_eq!(joined, by_hand);
        assert_eq!(ChiSquare::of_counts(&[1], &[2.0]).degrees_of_freedom, 1);
        assert_eq!(ChiSquare::of_counts(&[], &[]).degrees_of_freedom, 0);
    }

    #[test]
    fn an_arrival_on_a_border_belongs_to_the_window_it_ends() {
        assert_eq!(counts_per_window([0, 1, 1_000_000_000, 1_000_000_001, 9_000_000_000], 1.0, 2), [3, 1]);
    }
}
