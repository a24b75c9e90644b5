//! From flags to load: which shape, how much, for how long.

mod arrivals;
mod warmup;

use loadgen_engine::{Cancellation, Share};
use loadgen_run::{LoadShape, PhaseLoad};
use loadgen_schedule::{ArrivalProcess, RateFunction, StopCondition};

use super::{Faults, nanoseconds};
use crate::args::ProfileArgs;
use crate::args::swept::Swept;
use crate::args::values::{Patience, word};
pub(super) use arrivals::rate_of;
use arrivals::{arrival_process, check_patterns};
use warmup::warmup;

/// Requests sent when nothing says how many.
const DEFAULT_REQUESTS: u64 = 10;
/// How long a run that ends by time waits for what is in flight.
const DEFAULT_GRACE_NS: i64 = 30_000_000_000;

/// The load of a run.
#[derive(Debug)]
pub(super) struct Load {
    pub(super) warmup: Option<PhaseLoad>,
    pub(super) profiling: PhaseLoad,
    pub(super) cancellation: Option<Cancellation>,
}

impl Load {
    /// AIPerf's word for the load in a run's name.
    pub(super) fn stimulus(&self) -> String {
        let cap_of = |cap: Option<u32>| cap.map(|cap| format!("concurrency{cap}-")).unwrap_or_default();
        match &self.profiling.shape {
            LoadShape::FixedSchedule { .. } => "fixed_schedule".to_owned(),
            LoadShape::Closed { concurrency } => format!("concurrency{concurrency}"),
            LoadShape::Rate { process, cap } => match process.rate() {
                Some(RateFunction::Constant(rate)) => {
                    format!("{}request_rate{}", cap_of(*cap), python_float(rate.per_second()))
                }
                Some(RateFunction::Sinusoid(wave)) => {
                    let (min, max) = (python_float(wave.min()), python_float(wave.max()));
                    format!("{}request_rate{min}-{max}", cap_of(*cap))
                }
                None => format!("{}request_rateinf", cap_of(*cap)),
            },
        }
    }

    /// The load, for people.
    pub(super) fn in_words(&self) -> String {
        let given_up = self.cancellation.map(|Cancellation { share, delay_ns }| {
            // Rounded, lest a share of 7 % reads 7.000000000000001.
            let percent = (share.fraction() * 1e6).round() / 1e4;
            format!("; {percent}% cancelled {} s after they were sent", delay_ns as f64 / 1e9)
        });
        self.shape_in_words() + &given_up.unwrap_or_default()
    }

    fn shape_in_words(&self) -> String {
        let cap_of = |cap: Option<u32>| cap.map(|cap| format!(", at most {cap} at once")).unwrap_or_default();
        match &self.profiling.shape {
            LoadShape::FixedSchedule { cap } => format!("at the trace's own times{}", cap_of(*cap)),
            LoadShape::Closed { concurrency } => format!("{concurrency} at a time"),
            LoadShape::Rate { process, cap } => {
                let rate = match process.rate() {
                    Some(RateFunction::Constant(rate)) => format!("{} requests/s", rate.per_second()),
                    Some(RateFunction::Sinusoid(wave)) => {
                        format!("{} to {} requests/s every {} s", wave.min(), wave.max(), wave.period_s())
                    }
                    None => "all at once".to_owned(),
                };
                let pattern = match process {
                    ArrivalProcess::Constant(_) => ", evenly spaced",
                    ArrivalProcess::Poisson(_) => ", Poisson",
                    ArrivalProcess::Gamma { .. } => ", gamma",
                    ArrivalProcess::Burst | ArrivalProcess::FixedSchedule(_) => "",
                };
                format!("{rate}{pattern}{}", cap_of(*cap))
            }
        }
    }
}

/// A float as Python prints it: always with a point.
pub(super) fn python_float(value: f64) -> String {
    format!("{value:?}")
}

/// Resolves the load.
pub(super) fn load(args: &ProfileArgs, faults: &mut Faults) -> Load {
    check_companions(args, faults);
    check_patterns(args, faults);
    let fixed = is_fixed_schedule(args, faults);
    let concurrency = args.load.concurrency.as_ref().map(|slots| few(slots.first()));
    let process = arrival_process(args, faults);
    let shape = match (fixed, process) {
        (true, _) => LoadShape::FixedSchedule { cap: concurrency },
        (false, Some(process)) => LoadShape::Rate { process, cap: concurrency },
        (false, None) => LoadShape::Closed { concurrency: concurrency.unwrap_or(1) },
    };
    let slots = if let LoadShape::Closed { concurrency } = &shape { Some(*concurrency) } else { concurrency };
    let prefill = prefill(args, slots, faults);
    let profiling = PhaseLoad { stop: stop(args, fixed), shape, prefill };
    let warmup = warmup(args, &profiling, faults);
    Load { warmup, profiling, cancellation: cancellation(args, faults) }
}

/// A number of requests at once: more than four billion are as many.
fn few(places: u64) -> u32 {
    u32::try_from(places).unwrap_or(u32::MAX)
}

/// Requests before their first token at once.
fn prefill(args: &ProfileArgs, concurrency: Option<u32>, faults: &mut Faults) -> Option<u32> {
    let places = few(args.load.prefill_concurrency.as_ref()?.first());
    if !args.endpoint.streaming {
        faults.add("--prefill-concurrency", "ends with a stream's first token: give --streaming too");
    }
    if let Some(slots) = concurrency.filter(|slots| places > *slots) {
        faults.add("--prefill-concurrency", format!("{places} is more than --concurrency {slots}: lower it"));
    }
    Some(places)
}

/// Requests given up on purpose.
fn cancellation(args: &ProfileArgs, faults: &mut Faults) -> Option<Cancellation> {
    let percent = args.load.request_cancellation_rate?;
    let share = faults.take("--request-cancellation-rate", Share::of_percent(percent))?;
    let delay_ns = args.load.request_cancellation_delay.map_or(Some(0), nanoseconds);
    let delay_ns =
        faults.take("--request-cancellation-delay", delay_ns.ok_or("expected less than 292 years"))?;
    Some(Cancellation { share, delay_ns })
}

/// A trace whose type is named and that has times is replayed at them, unless told otherwise.
fn is_fixed_schedule(args: &ProfileArgs, faults: &mut Faults) -> bool {
    let schedule = &args.schedule;
    if schedule.no_fixed_schedule && !schedule.fixed_schedule {
        return false;
    }
    let rate = args.load.request_rate.is_some() || args.load.request_rate_sinusoid.is_some();
    if schedule.fixed_schedule {
        if args.input.input_file.is_none() {
            faults.add("--fixed-schedule", "needs a trace with timestamps: give --input-file");
        }
        if rate {
            faults.add(
                "--fixed-schedule",
                "follows the trace's own times: leave out --request-rate and its kin",
            );
        }
        return true;
    }
    let offsets = [
        ("--fixed-schedule-start-offset", schedule.fixed_schedule_start_offset.is_some()),
        ("--fixed-schedule-end-offset", schedule.fixed_schedule_end_offset.is_some()),
        ("--fixed-schedule-auto-offset", schedule.fixed_schedule_auto_offset),
    ];
    let offset = offsets.into_iter().find_map(|(flag, is_given)| is_given.then_some(flag));
    let Some(path) = &args.input.input_file else {
        if let Some(flag) = offset {
            faults.add(flag, "offsets belong to a trace: give --input-file");
        }
        return false;
    };
    // Only what was named a trace is one: other files may have times, and are asked for by --fixed-schedule.
    let is_trace = args.input.custom_dataset_type.as_deref().map(word).as_deref() == Some("mooncake_trace");
    let timed = is_trace && super::workload::first_row_has_timestamp(path);
    if timed && rate {
        faults.add(
            "--request-rate",
            "the trace has times of its own and would be replayed at them: add --no-fixed-schedule to pace it by rate",
        );
    }
    timed || offset.is_some()
}

/// Options that need others, without which AIPerf refuses them too.
fn check_companions(args: &ProfileArgs, faults: &mut Faults) {
    let (load, warmup) = (&args.load, &args.warmup);
    if load.benchmark_grace_period.is_some() && load.benchmark_duration.is_none() {
        faults.add("--benchmark-grace-period", "begins when a duration ends: give --benchmark-duration too");
    }
    if load.request_cancellation_delay.is_some() && load.request_cancellation_rate.is_none() {
        faults.add("--request-cancellation-delay", "delays nothing: give --request-cancellation-rate too");
    }
    if warmup.warmup_grace_period.is_some() && warmup.warmup_duration.is_none() {
        faults.add("--warmup-grace-period", "begins when a duration ends: give --warmup-duration too");
    }
}

/// When the measured load ends. A fixed schedule ends with its dataset, whatever the request count.
fn stop(args: &ProfileArgs, fixed: bool) -> StopCondition {
    let load = &args.load;
    let duration_ns = load.benchmark_duration.as_ref().and_then(|duration| nanoseconds(duration.first()));
    let mut requests = load.request_count.as_ref().map(Swept::first);
    let mut sessions = args.input.num_conversations.as_ref().map(Swept::first);
    if fixed {
        (requests, sessions) = (None, None);
    } else if (requests, sessions, duration_ns) == (None, None, None) {
        requests = Some(DEFAULT_REQUESTS);
    }
    let grace_ns = duration_ns.and(match load.benchmark_grace_period {
        None => Some(DEFAULT_GRACE_NS),
        Some(Patience::Until(grace)) => nanoseconds(grace),
        Some(Patience::Forever) => None,
    });
    StopCondition { requests, sessions, duration_ns, grace_ns }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::ffi::OsString;

    use super::*;
    use crate::args::parse_profile;

    fn faults(options: &str) -> String {
        let head = "loadgen profile -m m --streaming";
        let argv: Vec<OsString> =
            head.split(' ').chain(options.split_whitespace()).map(OsString::from).collect();
        let args = parse_profile(&argv, &[]).map_err(|error| error.to_string()).unwrap();
        let mut faults = Faults::default();
        load(&args, &mut faults);
        faults.into_result(()).map_err(|faults| faults.to_string()).err().unwrap_or_default()
    }

    #[test]
    fn a_pattern_is_checked_once_whether_or_not_it_shapes_anything() {
        for options in ["--arrival-pattern 1", "--arrival-pattern 1 --request-rate 5"] {
            let said = faults(options);
            assert!(said.starts_with("--arrival-pattern: \"1\" is not known"), "{said}");
            assert_eq!(said.lines().count(), 1, "{said}");
        }
        let warmup = "--warmup-arrival-pattern Foo";
        for options in [warmup.to_owned(), format!("{warmup} --request-rate 5 --warmup-request-count 2")] {
            let said = faults(&options);
            assert!(said.starts_with("--warmup-arrival-pattern: \"Foo\" is not known"), "{said}");
        }
        assert_eq!(faults("--arrival-pattern concurrency-burst"), "");
    }

    #[test]
    fn what_aiperf_refuses_beside_the_load_is_refused() {
        for (options, flag) in [
            ("--arrival-smoothness 2", "--arrival-smoothness: "),
            ("--prefill-concurrency 3", "--prefill-concurrency: 3 is more than --concurrency 1"),
            ("--warmup-request-count 2 --warmup-prefill-concurrency 2", "--warmup-prefill-concurrency: 2 is"),
        ] {
            let said = faults(options);
            assert!(said.starts_with(flag) && said.lines().count() == 1, "{options}: {said}");
        }
        let open = "--request-rate 5 --prefill-concurrency 3 --arrival-smoothness 2";
        assert_eq!(faults(open), "", "nothing caps what is in flight");
    }

    #[test]
    fn an_offset_without_a_trace_is_named_as_it_was_given() {
        for flag in ["--fixed-schedule-auto-offset", "--fixed-schedule-end-offset"] {
            let value = if flag.ends_with("end-offset") { " 5" } else { "" };
            let said = faults(&format!("{flag}{value}"));
            assert!(said.starts_with(&format!("{flag}: offsets belong to a trace")), "{said}");
        }
    }
}
