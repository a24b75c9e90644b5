//! Counts per second follow the integral of the rate, and a rate held over steps does not pass for it.
//!
//! Seeds are fixed, so nothing here is left to chance when it runs. At a significance of 0.001 a right
//! process would fail one seed in a thousand; the seeds are the first ones, not chosen ones.

#![allow(clippy::unwrap_used)]

use loadgen_core::Seed;
use loadgen_schedule::fit::{ChiSquare, critical_value};
use loadgen_schedule::{ArrivalProcess, Rate, RateFunction, Schedule, Sinusoid, StopCondition};

const ALPHA: f64 = 0.001;

fn wave(text: &str) -> RateFunction {
    text.parse::<Sinusoid>().unwrap().into()
}

fn offsets(process: ArrivalProcess, seconds: usize, seed: u64) -> Vec<i64> {
    let stop = StopCondition::after_duration(seconds as i64 * 1_000_000_000);
    Schedule::new(process, stop, Seed(seed)).arrivals().map(|arrival| arrival.offset_ns).collect()
}

/// The same wave with its rate held over each step of `step_s`: what a generator does that looks the
/// rate up on a tick. Within a step it is as Poisson as can be; only the holding differs.
fn step_held(rate: &RateFunction, step_s: f64, seconds: usize, seed: u64) -> Vec<i64> {
    let unit = ArrivalProcess::Poisson(Rate::new(1.0).unwrap().into());
    let operational = Schedule::new(unit, StopCondition::default(), Seed(seed));
    let mut arrivals = operational.arrivals().map(|arrival| arrival.offset_ns as f64 / 1e9).peekable();
    let mut offsets = Vec::new();
    let mut expected = 0.0;
    for step in 0..(seconds as f64 / step_s).round() as u64 {
        let start = step as f64 * step_s;
        let held = rate.rate_at(start);
        while let Some(at) = arrivals.next_if(|at| *at <= expected + held * step_s) {
            offsets.push(((start + (at - expected) / held) * 1e9).round() as i64);
        }
        expected += held * step_s;
    }
    offsets
}

#[test]
fn the_poisson_sinusoid_fits_the_integral() {
    // The second wave touches zero, the third starts at its peak.
    for text in [
        "min=5,max=45,period=600",
        "min=0,max=40,period=10",
        "min=5,max=45,period=60,phase=3.14159",
        "min=500,max=4500,period=10",
    ] {
        let rate = wave(text);
        let seconds = if rate.rate_at(0.0) > 100.0 { 200 } else { 1800 };
        for seed in 0..3 {
            let fit = ChiSquare::of_arrivals(
                offsets(ArrivalProcess::Poisson(rate), seconds, seed),
                &rate,
                1.0,
                seconds,
            );
            // Neither too far from the rate nor, which would be as wrong, too near to it.
            assert!(fit.fits(ALPHA), "{text}, seed {seed}: {fit:?}");
            assert!(fit.upper_tail() < 1.0 - ALPHA, "{text}, seed {seed}: {fit:?}");
        }
    }
}

#[test]
fn the_evenly_spaced_sinusoid_fits_the_integral_closely() {
    let rate = wave("min=5,max=45,period=600");
    let fit = ChiSquare::of_arrivals(offsets(ArrivalProcess::Constant(rate), 1800, 0), &rate, 1.0, 1800);
    assert!(fit.fits(ALPHA));
    // No second is more than one arrival off: X² ≤ Σ 1/expected, against about 1800 at random.
    assert!(fit.statistic < 180.0, "{fit:?}");
}

#[test]
fn a_rate_held_over_steps_fails_the_same_test() {
    for (text, step_s, seconds) in
        [("min=5,max=45,period=10", 1.0, 1800), ("min=500,max=4500,period=10", 0.1, 200)]
    {
        let rate = wave(text);
        for seed in 0..3 {
            let exact = ChiSquare::of_arrivals(
                offsets(ArrivalProcess::Poisson(rate), seconds, seed),
                &rate,
                1.0,
                seconds,
            );
            let held = ChiSquare::of_arrivals(step_held(&rate, step_s, seconds, seed), &rate, 1.0, seconds);
            assert_eq!(exact.degrees_of_freedom, held.degrees_of_freedom);
            assert!(exact.fits(ALPHA), "{text}, seed {seed}: {exact:?}");
            assert!(!held.fits(ALPHA), "{text}, seed {seed}: {held:?}");
        }
    }
}

/// The step form differs from the exact one by its steps alone: with steps too short to matter it fits.
#[test]
fn the_step_form_of_this_test_is_otherwise_sound() {
    let rate = wave("min=5,max=45,period=10");
    let fit = ChiSquare::of_arrivals(step_held(&rate, 1e-3, 1800, 0), &rate, 1.0, 1800);
    assert!(fit.statistic < critical_value(1800, ALPHA), "{fit:?}");
}
