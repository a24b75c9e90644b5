//! Rates: how many arrivals a second, and how that changes with time.
//!
//! A [`RateFunction`] offers three views of one curve: the rate, its integral Λ, and the inverse of
//! the integral. It holds no state and draws nothing.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{ScheduleError, Sinusoid};

/// Arrivals per second: above 0, at most one a nanosecond.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Rate(f64);

impl Rate {
    /// The largest rate that offsets in whole nanoseconds can express.
    pub const MAX_PER_SECOND: f64 = 1e9;

    /// A rate of `per_second` arrivals a second.
    pub fn new(per_second: f64) -> Result<Self, ScheduleError> {
        if per_second > 0.0 && per_second <= Self::MAX_PER_SECOND {
            Ok(Self(per_second))
        } else {
            Err(ScheduleError::Rate(per_second.to_string()))
        }
    }

    /// Arrivals per second.
    pub fn per_second(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Rate {
    type Error = ScheduleError;
    fn try_from(per_second: f64) -> Result<Self, ScheduleError> {
        Self::new(per_second)
    }
}

impl From<Rate> for f64 {
    fn from(rate: Rate) -> Self {
        rate.0
    }
}

impl FromStr for Rate {
    type Err = ScheduleError;
    fn from_str(text: &str) -> Result<Self, ScheduleError> {
        let number = text.trim().parse().map_err(|_| ScheduleError::Rate(text.to_owned()))?;
        Self::new(number).map_err(|_| ScheduleError::Rate(text.to_owned()))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The rate as a function of the time since the phase began.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RateFunction {
    /// The same rate throughout.
    Constant(Rate),
    /// A rate that swings between two values.
    Sinusoid(Sinusoid),
}

impl RateFunction {
    /// The rate at `t_s` seconds, per second.
    pub fn rate_at(&self, t_s: f64) -> f64 {
        match self {
            Self::Constant(rate) => rate.0,
            Self::Sinusoid(sinusoid) => sinusoid.rate_at(t_s),
        }
    }

    /// The highest rate that there ever is, per second.
    pub fn highest(&self) -> f64 {
        match self {
            Self::Constant(rate) => rate.0,
            Self::Sinusoid(sinusoid) => sinusoid.max(),
        }
    }

    /// Λ(t): the number of arrivals expected in the first `t_s` seconds.
    pub fn expected_by(&self, t_s: f64) -> f64 {
        match self {
            Self::Constant(rate) => rate.0 * t_s,
            Self::Sinusoid(sinusoid) => sinusoid.expected_by(t_s),
        }
    }

    /// Λ⁻¹: the time, in seconds, by which `expected` arrivals are expected.
    pub fn time_of(&self, expected: f64) -> f64 {
        match self {
            Self::Constant(rate) => expected / rate.0,
            Self::Sinusoid(sinusoid) => sinusoid.time_of(expected),
        }
    }

    /// Λ⁻¹ as an offset: rounded to the nanosecond, and held at the largest offset there is.
    pub(crate) fn offset_ns_of(&self, expected: f64) -> i64 {
        (self.time_of(expected) * 1e9).round() as i64
    }
}

impl From<Rate> for RateFunction {
    fn from(rate: Rate) -> Self {
        Self::Constant(rate)
    }
}

impl From<Sinusoid> for RateFunction {
    fn from(sinusoid: Sinusoid) -> Self {
        Self::Sinusoid(sinusoid)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_rate_is_above_zero_and_within_reach_of_nanoseconds() {
        for good in ["10", " 0.5 ", "1e9", "1e-6"] {
            assert_eq!(good.parse::<Rate>().unwrap().per_second(), good.trim().parse::<f64>().unwrap());
        }
        for bad in ["0", "-1", "nan", "inf", "1.1e9", "fast", ""] {
            let error = bad.parse::<Rate>().unwrap_err().to_string();
            assert!(error.contains("above 0") && error.contains(&format!("`{bad}`")), "{error}");
        }
    }

    #[test]
    fn a_stored_rate_is_checked_again() {
        let rate = Rate::new(2.5).unwrap();
        let stored = serde_json::to_string(&rate).unwrap();
        assert_eq!(stored, "2.5");
        assert_eq!(serde_json::from_str::<Rate>(&stored).unwrap(), rate);
        assert!(serde_json::from_str::<Rate>("-1").is_err());
    }
}
