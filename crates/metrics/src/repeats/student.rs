//! Student's t distribution, as far as confidence intervals need it.
//!
//! For whole degrees of freedom ν the probability that |T| stays below t is a finite sum in
//! θ = atan(t / √ν) (Abramowitz and Stegun 26.7.3 and 26.7.4), which rises with θ. The critical value is
//! found by halving the interval in which θ lies until its ends are neighbours.

use std::f64::consts::{FRAC_PI_2, PI};

/// The t that |T| exceeds with probability 1 - `level`, for `df` degrees of freedom (at least 1).
/// `level` lies between 0 and 1.
pub fn t_critical(level: f64, df: u32) -> f64 {
    let (mut below, mut above) = (0.0_f64, FRAC_PI_2);
    loop {
        let middle = below + (above - below) / 2.0;
        if middle <= below || middle >= above {
            return f64::from(df).sqrt() * below.tan();
        }
        if within(middle, df) < level {
            below = middle;
        } else {
            above = middle;
        }
    }
}

/// The probability that |T| is less than √ν tan `angle`.
fn within(angle: f64, df: u32) -> f64 {
    let (sine, cosine) = angle.sin_cos();
    let square = cosine * cosine;
    if df % 2 == 1 {
        // θ + sin θ (cos θ + 2/3 cos³ θ + … + (2·4·…·(ν-3)) / (3·5·…·(ν-2)) cos^(ν-2) θ)
        let (mut sum, mut term) = (0.0, cosine);
        for power in (1..df).step_by(2) {
            sum += term;
            term *= square * f64::from(power + 1) / f64::from(power + 2);
        }
        return 2.0 / PI * (angle + sine * sum);
    }
    // sin θ (1 + 1/2 cos² θ + … + (1·3·…·(ν-3)) / (2·4·…·(ν-2)) cos^(ν-2) θ)
    let (mut sum, mut term) = (0.0, 1.0);
    for power in (0..df).step_by(2) {
        sum += term;
        term *= square * f64::from(power + 1) / f64::from(power + 2);
    }
    sine * sum
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// From scipy.stats.t.ppf((1 + level) / 2, df), which AIPerf uses.
    #[test]
    fn critical_values_are_those_of_the_tables() {
        for (level, df, expected) in [
            (0.95, 1, 12.706_204_736_174_694),
            (0.95, 2, 4.302_652_729_749_462),
            (0.95, 5, 2.570_581_835_636_314),
            (0.95, 9, 2.262_157_162_798_203_6),
            (0.90, 1, 6.313_751_514_675_041),
            (0.99, 4, 4.604_094_871_349_993),
            (0.50, 30, 0.682_755_693_321_292_7),
        ] {
            let found = t_critical(level, df);
            assert!((found / expected - 1.0).abs() < 1e-11, "{level} {df}: {found} {expected}");
        }
    }

    proptest! {
        #[test]
        fn a_critical_value_leaves_what_it_should_outside(level in 0.01..0.999_f64, df in 1_u32..60) {
            let t = t_critical(level, df);
            let angle = (t / f64::from(df).sqrt()).atan();
            prop_assert!((within(angle, df) - level).abs() < 1e-9);
            prop_assert!(t_critical(level, df + 1) < t, "more runs say more");
        }
    }
}
