//! From flags to arrivals: a rate, and how they scatter around it.

use loadgen_schedule::{ArrivalProcess, Rate, RateFunction, Sinusoid, Smoothness};

use crate::args::ProfileArgs;
use crate::args::values::word;
use crate::plan::Faults;

/// How arrivals can scatter.
const PATTERNS: [&str; 4] = ["poisson", "constant", "gamma", "concurrency_burst"];

/// The slowest rate that makes sense: one request a day. Whoever asks for less has mistaken the unit, and
/// would wait for the second request for as long as they care to.
const ONE_A_DAY: f64 = 1.0 / 86_400.0;

/// The measured load's arrivals; `None` for a closed load, and where a fault says why.
pub(super) fn arrival_process(args: &ProfileArgs, faults: &mut Faults) -> Option<ArrivalProcess> {
    let load = &args.load;
    let rate: Option<RateFunction> = match (&load.request_rate, &load.request_rate_sinusoid) {
        // An infinite rate sends all at once, whatever the pattern.
        (Some(rate), _) if rate.first().is_infinite() => return Some(ArrivalProcess::Burst),
        (Some(rate), _) => rate_of("--request-rate", rate.first(), faults).map(RateFunction::from),
        (None, Some(spec)) => {
            faults.take("--request-rate-sinusoid", spec.parse::<Sinusoid>()).map(RateFunction::Sinusoid)
        }
        (None, None) => {
            if load.arrival_smoothness.is_some() {
                faults
                    .add("--arrival-smoothness", "shapes gamma arrivals at a rate: give --request-rate too");
            }
            return None;
        }
    };
    let pattern = pattern(args);
    if load.arrival_smoothness.is_some() && pattern != "gamma" {
        faults.add(
            "--arrival-smoothness",
            format!("has no meaning with --arrival-pattern {pattern}: use gamma"),
        );
    }
    scattered(rate?, &pattern, load.arrival_smoothness, faults)
}

/// The pattern of arrivals, where one is given or follows from the smoothness; else `poisson`.
fn pattern(args: &ProfileArgs) -> String {
    let implied = if args.load.arrival_smoothness.is_some() { "gamma" } else { "poisson" };
    args.load.arrival_pattern.as_deref().map_or(implied.to_owned(), word)
}

/// A rate, if at that rate a run gets anywhere.
pub(in crate::plan) fn rate_of(flag: &str, per_second: f64, faults: &mut Faults) -> Option<Rate> {
    if per_second < ONE_A_DAY {
        faults.add(
            flag,
            format!("{per_second} requests a second is less than one a day: give at least {ONE_A_DAY:.7}"),
        );
        return None;
    }
    faults.take(flag, Rate::new(per_second))
}

/// Whether the patterns that are named are some, whether or not anything comes of them.
pub(super) fn check_patterns(args: &ProfileArgs, faults: &mut Faults) {
    for (flag, named) in [
        ("--arrival-pattern", &args.load.arrival_pattern),
        ("--warmup-arrival-pattern", &args.warmup.warmup_arrival_pattern),
    ] {
        if let Some(named) = named
            && !PATTERNS.contains(&word(named).as_str())
        {
            faults.add(
                flag,
                format!("{named:?} is not known: expected poisson, constant, gamma or concurrency_burst"),
            );
        }
    }
}

/// Arrivals that scatter around a rate in a pattern; `None` for one that is not known, which
/// [`check_patterns`] has said.
pub(super) fn scattered(
    rate: RateFunction,
    pattern: &str,
    smoothness: Option<f64>,
    faults: &mut Faults,
) -> Option<ArrivalProcess> {
    match pattern {
        // Beside a rate AIPerf takes a burst for Poisson arrivals; without one it is no rate at all.
        "poisson" | "concurrency_burst" => Some(ArrivalProcess::Poisson(rate)),
        "constant" => Some(ArrivalProcess::Constant(rate)),
        "gamma" => {
            let smoothness = Smoothness::new(smoothness.unwrap_or(1.0));
            let smoothness = faults.take("--arrival-smoothness", smoothness)?;
            Some(ArrivalProcess::Gamma { rate, smoothness })
        }
        _ => None,
    }
}
