//! One figure over several runs: mean, spread, and where the true mean is likely to lie.

use super::student::t_critical;

/// A figure over several runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Mean of the runs.
    pub mean: f64,
    /// Sample standard deviation (divided by n - 1); 0 for a single run.
    pub std: f64,
    /// Least of the runs.
    pub min: f64,
    /// Greatest of the runs.
    pub max: f64,
    /// Coefficient of variation, std / mean; `None` where the mean is 0 and nothing can be said.
    pub cv: Option<f64>,
    /// Standard error of the mean, std / √n.
    pub se: f64,
    /// Lower end of the confidence interval: mean - t × se.
    pub ci_low: f64,
    /// Its upper end.
    pub ci_high: f64,
    /// The critical value of Student's t for n - 1 degrees of freedom; `None` for a single run, which has
    /// no interval.
    pub t_critical: Option<f64>,
}

impl Interval {
    /// Over these values, for this confidence level (between 0 and 1). Values that are not finite are
    /// left out; `None` where nothing is left.
    pub fn of(values: &[f64], level: f64) -> Option<Self> {
        let values: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
        let &first = values.first()?;
        if values.len() == 1 {
            return Some(Self::single(first));
        }
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
        let std = (squares / (count - 1.0)).sqrt();
        let se = std / count.sqrt();
        let t = t_critical(level, values.len() as u32 - 1);
        Some(Self {
            mean,
            std,
            min: values.iter().copied().fold(first, f64::min),
            max: values.iter().copied().fold(first, f64::max),
            cv: (mean != 0.0).then(|| std / mean),
            se,
            ci_low: mean - t * se,
            ci_high: mean + t * se,
            t_critical: Some(t),
        })
    }

    /// What a single run says: a point, and nothing about its spread.
    pub fn single(value: f64) -> Self {
        Self {
            mean: value,
            std: 0.0,
            min: value,
            max: value,
            cv: Some(0.0),
            se: 0.0,
            ci_low: value,
            ci_high: value,
            t_critical: None,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() <= 1e-9 * b.abs().max(1.0)
    }

    /// Worked out by hand: 10, 12 and 14 have mean 12, std 2, se 2/√3; t for 2 degrees is 4.30265.
    #[test]
    fn three_runs_worked_out_by_hand() {
        let interval = Interval::of(&[10.0, 12.0, 14.0], 0.95).unwrap();
        assert_eq!((interval.mean, interval.std, interval.min, interval.max), (12.0, 2.0, 10.0, 14.0));
        assert!(close(interval.se, 2.0 / 3_f64.sqrt()));
        assert!(close(interval.cv.unwrap(), 1.0 / 6.0));
        assert!(close(interval.ci_low, 12.0 - 4.302_652_729_749_462 * 2.0 / 3_f64.sqrt()));
        assert!(close(interval.ci_high, 12.0 + 4.302_652_729_749_462 * 2.0 / 3_f64.sqrt()));
    }

    /// AIPerf's own figures over two runs (http_req_waiting_p75 of one of its aggregates).
    #[test]
    fn two_runs_as_aiperf_aggregates_them() {
        let interval = Interval::of(&[2.088_985_25, 2.127_888_25], 0.95).unwrap();
        assert!(close(interval.mean, 2.108_436_75));
        assert!(close(interval.std, 0.027_508_575_108_500_195));
        assert!(close(interval.cv.unwrap(), 0.013_046_905_537_242_316));
        assert!(close(interval.ci_low, 1.861_282_008_574_298_7));
        assert!(close(interval.ci_high, 2.355_591_491_425_701_5));
    }

    #[test]
    fn a_mean_of_zero_has_no_coefficient_and_one_run_no_interval() {
        assert_eq!(Interval::of(&[0.0, 0.0], 0.95).unwrap().cv, None);
        let single = Interval::of(&[3.0, f64::NAN], 0.95).unwrap();
        assert_eq!(single, Interval::single(3.0));
        assert_eq!((single.t_critical, single.ci_low, single.cv), (None, 3.0, Some(0.0)));
        assert_eq!(Interval::of(&[f64::INFINITY], 0.95), None);
    }
}
