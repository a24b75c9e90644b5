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
        // Whole periods go first, so that a late time costs no precision of ωt.
        let (_, rate) = self.within(t_s % self.given.period_s, self.turn());
        rate.clamp(self.given.min, self.given.max)
    }

    /// Λ(t): arrivals expected in the first `t_s` seconds.
    pub fn expected_by(&self, t_s: f64) -> f64 {
        let periods = (t_s / self.given.period_s).floor();
        let rest = t_s - periods * self.given.period_s;
        periods * self.per_period() + self.within(rest, self.turn()).0
    }

    /// Λ⁻¹: the time, in seconds, by which `expected` arrivals are expected; 0 for anything below 0.
    pub fn time_of(&self, expected: f64) -> f64 {
        let periods = (expected / self.per_period()).floor();
        if !periods.is_finite() {
            return f64::INFINITY;
        }
        if expected <= 0.0 {
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

    /// Λ over a whole period.
    fn per_period(&self) -> f64 {
        self.mean() * self.given.period_s
    }

    /// Sine and cosine of the phase, taken within one turn.
    fn turn(&self) -> (f64, f64) {
        libm::sincos(self.given.phase_rad % TAU)
    }

    /// Λ(t) and rate(t) for a time within the first period, from one sine and one cosine of h = ωt/2:
    /// sin(ωt + φ) − sin φ = 2·sin h·cos(h + φ), which keeps its digits at small t where a difference
    /// would lose them, and cos(ωt + φ) from the double angle.
    fn within(&self, t_s: f64, (sin_phi, cos_phi): (f64, f64)) -> (f64, f64) {
        let (sin, cos) = libm::sincos(self.omega() * t_s / 2.0);
        let swing = 2.0 * sin * (cos * cos_phi - sin * sin_phi);
        let cosine = cos_phi * (cos * cos - sin * sin) - sin_phi * 2.0 * sin * cos;
        let integral = self.mean() * t_s - self.amplitude() / self.omega() * swing;
        (integral, self.mean() - self.amplitude() * cosine)
    }

    /// Where, within the first period, Λ reaches `target`.
    fn root_within(&self, target: f64) -> f64 {
        // From Λ's formula, t = (target + (a/ω)(sin(ωt + φ) − sin φ))/m, and a sine lies within ±1.
        let turn = self.turn();
        let reach = self.amplitude() / self.omega();
        let period = self.given.period_s;
        let mut low = ((target - reach * (1.0 + turn.0)) / self.mean()).clamp(0.0, period);
        let mut high = ((target + reach * (1.0 - turn.0)) / self.mean()).clamp(0.0, period);
        let mut at = (target / self.mean()).clamp(low, high);
        for _ in 0..MAX_STEPS {
            let (integral, rate) = self.within(at, turn);
            (low, high) = if integral > target { (low, at) } else { (at, high) };
            // At a zero rate this is infinite or NaN, the comparison fails, and bisection takes over.
            let newton = at - (integral - target) / rate;
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn sinusoid(text: &str) -> Sinusoid {
        text.parse().unwrap()
    }

    #[test]
    fn it_starts_at_its_minimum_and_peaks_half_a_period_later() {
        let wave = sinusoid("min=5,max=45,period=600");
        for (t_s, rate) in [(0.0, 5.0), (150.0, 25.0), (300.0, 45.0), (600.0, 5.0)] {
            assert!((wave.rate_at(t_s) - rate).abs() < 1e-9, "rate({t_s}) = {}", wave.rate_at(t_s));
        }
        // Each whole period adds mean × period.
        for (t_s, expected) in [(0.0, 0.0), (300.0, 7500.0), (600.0, 15_000.0), (6000.0, 150_000.0)] {
            assert!((wave.expected_by(t_s) - expected).abs() < 1e-8, "Λ({t_s}) = {}", wave.expected_by(t_s));
            assert!((wave.time_of(expected) - t_s).abs() < 1e-9);
        }
    }

    #[test]
    fn a_phase_of_pi_starts_at_the_maximum() {
        let wave = sinusoid("period=10, max=8, phase=3.141592653589793, min=2");
        assert!((wave.rate_at(0.0) - 8.0).abs() < 1e-12);
        assert!((wave.rate_at(5.0) - 2.0).abs() < 1e-12);
    }

    #[test]
    fn faults_say_what_to_write() {
        let faults = [
            ("min=5,max=45", "a sinusoid needs `period`"),
            ("min=5;max=45", "`min=5;max=45` is not `key=number`"),
            ("", "`` is not `key=number`"),
            ("min=5,max=45,period=ten", "`period=ten` is not `key=number`"),
            ("min=5,max=45,period=10,step=1", "its keys are min, max, period and phase"),
            ("min=5,min=6,max=45,period=10", "`min` is given twice"),
            ("min=-1,max=45,period=10", "`min=-1`: the lowest rate must be 0 or more"),
            ("min=5,max=4,period=10", "`max=4`: the highest rate must not be below min"),
            ("min=0,max=0,period=10", "`max=0`: the highest rate must be above 0"),
            ("min=nan,max=1,period=10", "`min=NaN`"),
            ("min=0,max=inf,period=10", "`max=inf`"),
            ("min=0,max=1,period=0", "`period=0`: the period must be a number of seconds"),
            ("min=0,max=1,period=1,phase=inf", "`phase=inf`: the phase must be a finite number"),
        ];
        for (text, says) in faults {
            let error = text.parse::<Sinusoid>().unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
    }

    #[test]
    fn it_is_stored_as_its_parameters_and_checked_when_read() {
        let wave = sinusoid("min=5,max=45,period=600,phase=1.5");
        let stored = serde_json::to_string(&wave).unwrap();
        assert_eq!(stored, r#"{"min":5.0,"max":45.0,"period_s":600.0,"phase_rad":1.5}"#);
        assert_eq!(serde_json::from_str::<Sinusoid>(&stored).unwrap(), wave);
        assert!(serde_json::from_str::<Sinusoid>(r#"{"min":5,"max":4,"period_s":600}"#).is_err());
    }

    prop_compose! {
        fn any_wave()(
            min in prop_oneof![Just(0.0), 0.0..100.0],
            swing in prop_oneof![Just(0.0), 0.001..1000.0],
            period_s in 0.01..100_000.0,
            phase_rad in -50.0..50.0,
        ) -> Sinusoid {
            Sinusoid::new(min, min + swing + 1e-3, period_s, phase_rad).unwrap()
        }
    }

    proptest! {
        #[test]
        fn writing_and_reading_gives_the_same_wave(wave in any_wave()) {
            prop_assert_eq!(wave.to_string().parse::<Sinusoid>().unwrap(), wave);
        }

        #[test]
        fn the_inverse_undoes_the_integral(wave in any_wave(), periods in 0.0..20.0) {
            let expected = periods * wave.mean() * wave.period_s();
            let t_s = wave.time_of(expected);
            // A hundredth of a nanosecond at the highest rate, and the rounding of the sums themselves.
            let tolerance = wave.max() * SETTLED_S + 1e-13 * expected.max(1.0) + wave.max() * t_s * 1e-15;
            prop_assert!((wave.expected_by(t_s) - expected).abs() <= tolerance,
                "Λ({}) = {} for {}", t_s, wave.expected_by(t_s), expected);
        }

        #[test]
        fn the_integral_is_the_sum_of_the_rate(wave in any_wave(), from in 0.0..3.0, width in 0.0..1.5) {
            let start = from * wave.period_s();
            let (steps, end) = (2000, start + width * wave.period_s());
            let step = (end - start) / f64::from(steps);
            let midpoints: f64 =
                (0..steps).map(|i| wave.rate_at(start + (f64::from(i) + 0.5) * step) * step).sum();
            let integral = wave.expected_by(end) - wave.expected_by(start);
            prop_assert!((midpoints - integral).abs() <= 1e-5 * wave.max() * wave.period_s());
        }

        #[test]
        fn later_arrivals_come_later(wave in any_wave(), at in 0.0..1e6, gap in 1e-3..10.0) {
            prop_assert!(wave.time_of(at + gap) > wave.time_of(at));
        }

        #[test]
        fn reading_never_panics(text in ".{0,60}") {
            let _ = text.parse::<Sinusoid>();
        }
    }
}
