//! From flags to the warm-up, and what it takes from the measured load.

use loadgen_run::{LoadShape, PhaseLoad};
use loadgen_schedule::{ArrivalProcess, RateFunction, StopCondition};

use super::arrivals::{rate_of, scattered};
use super::few;
use crate::args::ProfileArgs;
use crate::args::swept::Swept;
use crate::args::values::{Patience, word};
use crate::plan::{Faults, nanoseconds};

/// The warm-up takes from the measured load what its own options leave open, as in AIPerf: rate, pattern, and
/// the concurrency that is given, unless it is swept. A fixed schedule's warms up in a closed loop, and one that
/// is a phase of a file takes nothing.
pub(super) fn warmup(args: &ProfileArgs, profiling: &PhaseLoad, faults: &mut Faults) -> Option<PhaseLoad> {
    let warmup = &args.warmup;
    if !warmup.is_wanted() {
        return None;
    }
    let inherits = !args.origin.own_warmup;
    let measured = args.load.concurrency.as_ref().filter(|_| inherits && !args.origin.sweeps_concurrency);
    let concurrency = warmup.warmup_concurrency.or(measured.map(Swept::first)).map(few);
    let process = match &profiling.shape {
        LoadShape::Rate { process, .. } if inherits => Some(process),
        _ => None,
    };
    let shape = if warmup.warmup_request_rate.is_some() || process.is_some() {
        LoadShape::Rate { process: warmup_process(args, process, faults)?, cap: concurrency }
    } else {
        LoadShape::Closed { concurrency: concurrency.unwrap_or(1) }
    };
    let duration_ns = warmup.warmup_duration.and_then(nanoseconds);
    let grace_ns = warmup.warmup_grace_period.and_then(|grace| match grace {
        Patience::Until(grace) => nanoseconds(grace),
        Patience::Forever => None,
    });
    let stop = StopCondition {
        requests: warmup.requests(),
        sessions: warmup.num_warmup_sessions,
        duration_ns,
        grace_ns: duration_ns.and(grace_ns),
    };
    let own = warmup.warmup_prefill_concurrency.map(few);
    if let (Some(places), LoadShape::Closed { concurrency }) = (own, &shape)
        && places > *concurrency
    {
        let said = format!("{places} is more than the warm-up's concurrency {concurrency}: lower it");
        faults.add("--warmup-prefill-concurrency", said);
    }
    Some(PhaseLoad { shape, stop, prefill: own.or(profiling.prefill.filter(|_| inherits)) })
}

/// The warm-up's arrivals: its own rate or the measured one, in its own pattern or the one that is given. A
/// pattern that only follows from the smoothness is the measured load's alone, as in AIPerf.
fn warmup_process(
    args: &ProfileArgs,
    measured: Option<&ArrivalProcess>,
    faults: &mut Faults,
) -> Option<ArrivalProcess> {
    let rate = match (args.warmup.warmup_request_rate, measured) {
        (Some(rate), _) => rate_of("--warmup-request-rate", rate, faults).map(RateFunction::from)?,
        (None, Some(process)) => match process.rate() {
            Some(rate) => *rate,
            // All at once has neither rate nor pattern.
            None => return Some(process.clone()),
        },
        (None, None) => return None,
    };
    let inherits = !args.origin.own_warmup;
    let given = args.load.arrival_pattern.as_deref().filter(|_| inherits);
    let pattern = args.warmup.warmup_arrival_pattern.as_deref().or(given).map_or("poisson".to_owned(), word);
    scattered(rate, &pattern, args.load.arrival_smoothness.filter(|_| inherits), faults)
}
