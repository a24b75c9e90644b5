//! A rate that swings between a minimum and a maximum.
//!
//! ```text
//! rate(t) = m + a·sin(ωt − π/2 + φ) = m − a·cos(ωt + φ)      m = (min + max)/2,  a = (max − min)/2,  ω = 2π/period
//! Λ(t)    = m·t − (a/ω)·(sin(ωt + φ) − sin φ)
//! ```
//!
//! With φ = 0 it starts at its minimum and peaks half a period later. Λ⁻¹ has no closed form: whole
//! periods are taken off (each adds exactly m·period to Λ), and the rest is a root inside one period,
//! found by Newton's method inside a bracket that bisection shrinks when Newton would leave it.

use std::f64::consts::TAU;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Rate, ScheduleError};

/// The root of Λ(t) = y is settled when a step moves it by no more than this: a hundredth of a nanosecond.
const SETTLED_S: f64 = 1e-11;
/// Newton settles in a handful of steps, bisection alone in about 60; the rest is slack for a root at
/// a zero rate, where Newton slows to a third a step.
const MAX_STEPS: u32 = 160;

/// A sinusoidal rate. Reads and writes itself as `min=5,max=45,period=600` (with `,phase=…` in radians
/// when it is not 0).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Parameters", into = "Parameters")]
pub struct Sinusoid {
    given: Parameters,
}

/// The parameters as they are written and stored, not yet checked.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Parameters {
    min: f64,
    max: f64,
    period_s: f64,
    #[serde(default)]
    phase_rad: f64,
}

impl Sinusoid {
    /// A rate between `min` and `max` per second (0 ≤ min ≤ max, 0 < max ≤ 1e9) over `period_s` seconds
    /// (from a millisecond to 1e9), shifted by `phase_rad` radians.
    pub fn new(min: f64, max: f64, period_s: f64, phase_rad: f64) -> Result<Self, ScheduleError> {
        let fault = |key, value, rule| Err(ScheduleError::SinusoidValue { key, value, rule });
        if !(min >= 0.0 && min.is_finite()) {
            return fault("min", min, "the lowest rate must be 0 or more requests per second");
        }
        if !(max > 0.0 && max <= Rate::MAX_PER_SECOND) {
            return fault("max", max, "the highest rate must be above 0 and at most 1e9 requests per second");
        }
        if max < min {
            return fault("max", max, "the highest rate must not be below min; swap the two");
        }
        if !(1e-3..=1e9).contains(&period_s) {
            return fault("period", period_s, "the period must be a number of seconds from 0.001 to 1e9");
        }
        if !phase_rad.is_finite() {
            return fault("phase", phase_rad, "the phase must be a finite number of radians");
        }
        Ok(Self { given: Parameters { min, max, period_s, phase_rad } })
    }

    /// The lowest rate, per second.
    pub fn min(&self) -> f64 {
        self.given.min
    }

    /// The highest rate, per second.
    pub fn max(&self) -> f64 {
        self.given.max
    }

    /// The period, in seconds.
    pub fn period_s(&self) -> f64 {
        self.given.period_s
    }

    /// The phase, in radians: 0 starts at the minimum, π at the maximum.
    pub fn phase_rad(&self) -> f64 {
        self.given.phase_rad
    }

    /// The rate averaged over a period, per second.
    pub fn mean(&self) -> f64 {
        f64::midpoint(self.given.min, self.given.max)
    }

    /// The rate at `t_s` seconds, per second.
    pub fn rate_at(&self, t_s: f64) -> f64 {
        self.mean() - self.amplitude() * libm::cos(self.omega() * t_s + self.phi())
    }

    /// Λ(t): arrivals expected in the first `t_s` seconds.
    pub fn expected_by(&self, t_s: f64) -> f64 {
        let periods = (t_s / self.given.period_s).floor();
        let rest = t_s - periods * self.given.period_s;
        periods * self.per_period() + self.within(rest)
    }

    /// Λ⁻¹: the time, in seconds, by which `expected` arrivals are expected; 0 for anything below 0.
    pub fn time_of(&self, expected: f64) -> f64 {
        let periods = (expected / self.per_period()).floor();
        if !periods.is_finite() {
            return f64::INFINITY;
        }
        if periods < 0.0 {
            return 0.0;
        }
        let rest = (expected - periods * self.per_period()).clamp(0.0, self.per_period());
        periods * self.given.period_s + self.root_within(rest)
    }

    fn amplitude(&self) -> f64 {
        (self.given.max - self.given.min) / 2.0
    }

    fn omega(&self) -> f64 {
        TAU / self.given.period_s
    }

    /// The phase within one turn, so that a large one costs no precision of ωt.
    fn phi(&self) -> f64 {
        self.given.phase_rad % TAU
    }

    /// Λ over a whole period.
    fn per_period(&self) -> f64 {
        self.mean() * self.given.period_s
    }

    /// Λ(t) for a time within the first period. The difference of sines is taken as a product,
    /// sin(x + φ) − sin φ = 2·cos(φ + x/2)·sin(x/2), which keeps its digits at small x.
    fn within(&self, t_s: f64) -> f64 {
        let half = self.omega() * t_s / 2.0;
        let swing = 2.0 * libm::cos(self.phi() + half) * libm::sin(half);
        self.mean() * t_s - self.amplitude() / self.omega() * swing
    }

    /// Where, within the first period, Λ reaches `target`.
    fn root_within(&self, target: f64) -> f64 {
        // From Λ's formula, t = (target + (a/ω)(sin(ωt + φ) − sin φ))/m, and a sine lies within ±1.
        let reach = self.amplitude() / self.omega();
        let sin_phi = libm::sin(self.phi());
        let period = self.given.period_s;
        let mut low = ((target - reach * (1.0 + sin_phi)) / self.mean()).clamp(0.0, period);
        let mut high = ((target + reach * (1.0 - sin_phi)) / self.mean()).clamp(0.0, period);
        let mut at = (target / self.mean()).clamp(low, high);
        for _ in 0..MAX_STEPS {
            let excess = self.within(at) - target;
            if excess > 0.0 {
                high = at
            } else {
                low = at
            }
            // At a zero rate this is infinite or NaN, the comparison fails, and bisection takes over.
            let newton = at - excess / self.rate_at(at);
            let next = if newton > low && newton < high { newton } else { f64::midpoint(low, high) };
            if (next - at).abs() <= SETTLED_S {
                return next;
            }
            at = next;
        }
        at
    }
}

impl TryFrom<Parameters> for Sinusoid {
    type Error = ScheduleError;
    fn try_from(given: Parameters) -> Result<Self, ScheduleError> {
        Self::new(given.min, given.max, given.period_s, given.phase_rad)
    }
}

impl From<Sinusoid> for Parameters {
    fn from(sinusoid: Sinusoid) -> Self {
        sinusoid.given
    }
}

impl FromStr for Sinusoid {
    type Err = ScheduleError;

    /// Reads `min=5,max=45,period=600[,phase=…]`, the keys in any order.
    fn from_str(text: &str) -> Result<Self, ScheduleError> {
        let keys = ["min", "max", "period", "phase"];
        let mut values = [None; 4];
        for part in text.split(',') {
            let malformed = || ScheduleError::SinusoidPart(part.trim().to_owned());
            let (key, value) = part.split_once('=').ok_or_else(malformed)?;
            let Some(slot) = keys.iter().position(|known| *known == key.trim()) else {
                return Err(ScheduleError::SinusoidKey(key.trim().to_owned()));
            };
            let number: f64 = value.trim().parse().map_err(|_| malformed())?;
            if values[slot].replace(number).is_some() {
                return Err(ScheduleError::SinusoidRepeated(keys[slot]));
            }
        }
        let needed = |slot: usize| values[slot].ok_or(ScheduleError::SinusoidMissing(keys[slot]));
        Self::new(needed(0)?, needed(1)?, needed(2)?, values[3].unwrap_or(0.0))
    }
}

impl fmt::Display for Sinusoid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Parameters { min, max, period_s, phase_rad } = self.given;
        write!(f, "min={min},max={max},period={period_s}")?;
        if phase_rad != 0.0 {
            write!(f, ",phase={phase_rad}")?;
        }
        Ok(())
    }
}
