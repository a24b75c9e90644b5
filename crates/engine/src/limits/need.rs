//! How many connections a run needs, from its plan.

use loadgen_schedule::ArrivalProcess;

use super::ports::REST_NS;
use crate::plan::{Load, PhasePlan};
use crate::policy::{ConnectionReuse, Policy};

/// Connections that a run needs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Need {
    /// Open at once, whatever the server does.
    pub least: u64,
    /// Open at once at most, idle ones counted; `None` where nothing bounds them.
    pub most: Option<u64>,
    /// Opened within the time that a used port rests, where none is used again; `None` where nothing says
    /// how many, 0 where connections are reused.
    pub short_lived: Option<u64>,
}

impl Need {
    /// What `phases` need on `targets` targets: the most of any phase, since they follow one another.
    ///
    /// A closed load has all its slots in use as soon as it starts, and so has everything at once. Other
    /// open loads need what the server's latency makes of them: at most their cap, or the number of their
    /// requests. An idle connection to one target serves no other, so that each slot may come to hold one
    /// to every target.
    pub fn of(phases: &[PhasePlan], policy: &Policy, targets: usize) -> Self {
        let per_slot = match policy.connection_reuse {
            ConnectionReuse::Pooled => targets.max(1) as u64,
            ConnectionReuse::Never | ConnectionReuse::StickyUserSessions => 1,
        };
        let is_reused = policy.connection_reuse != ConnectionReuse::Never;
        phases.iter().fold(Self { least: 0, most: Some(0), short_lived: Some(0) }, |need, phase| {
            let (least, slots, requests) = slots_of(&phase.load);
            let most = match (slots.map(|slots| slots.saturating_mul(per_slot)), requests) {
                (Some(slots), Some(requests)) => Some(slots.min(requests)),
                (slots, requests) => slots.or(requests),
            };
            let short_lived = if is_reused { Some(0) } else { in_one_rest(&phase.load, requests) };
            Self {
                least: need.least.max(least),
                most: need.most.zip(most).map(|(one, other)| one.max(other)),
                short_lived: need.short_lived.zip(short_lived).map(|(one, other)| one.max(other)),
            }
        })
    }
}

/// Requests at once at least; requests at once at most, by a cap; requests at all, where that is known.
fn slots_of(load: &Load) -> (u64, Option<u64>, Option<u64>) {
    match load {
        Load::Closed { concurrency, stop } => {
            let slots = u64::from(concurrency.get());
            let slots = stop.sessions.map_or(slots, |sessions| sessions.min(slots));
            (stop.requests.map_or(slots, |requests| requests.min(slots)), Some(slots), stop.requests)
        }
        Load::Open { schedule, cap } => {
            let requests = schedule.total().or(schedule.stop.requests);
            let slots = cap.map(|cap| u64::from(cap.slots.get()));
            let at_once = match schedule.process {
                ArrivalProcess::Burst => [slots, requests].into_iter().flatten().min().unwrap_or(0),
                _ => 0,
            };
            (at_once, slots, requests)
        }
    }
}

/// Requests of a load that leave within the time that a port rests, at its busiest; `None` where nothing
/// says: how fast the slots of a closed load turn over is for the server to say. `requests` are those of
/// the whole load.
fn in_one_rest(load: &Load, requests: Option<u64>) -> Option<u64> {
    let Load::Open { schedule, .. } = load else { return requests };
    let window_ns = schedule.stop.duration_ns.unwrap_or(i64::MAX).clamp(0, REST_NS);
    let sent = match &schedule.process {
        ArrivalProcess::FixedSchedule(offsets) => {
            let offsets = offsets.as_slice();
            let until =
                |first: usize| offsets.partition_point(|at| *at <= offsets[first].saturating_add(REST_NS));
            let most = (0..offsets.len()).map(|first| until(first) - first).max().unwrap_or(0);
            Some(most as u64)
        }
        process => process.rate().map(|rate| (rate.highest() * (window_ns as f64 / 1e9)).ceil() as u64),
    };
    sent.into_iter().chain(requests).min()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::num::NonZeroU32;

    use super::*;
    use crate::plan::{Cap, OnFull};
    use loadgen_core::{Phase, Seed};
    use loadgen_schedule::{FixedOffsets, Rate, Schedule, Sinusoid, StopCondition};

    fn phase(load: Load) -> PhasePlan {
        PhasePlan {
            phase: Phase::Profiling,
            index: 0,
            load,
            first_session: None,
            prefill: None,
            cancellation: None,
        }
    }

    fn closed(slots: u32, stop: StopCondition) -> PhasePlan {
        phase(Load::Closed { concurrency: NonZeroU32::new(slots).unwrap(), stop })
    }

    fn open(process: ArrivalProcess, slots: Option<u32>, stop: StopCondition) -> PhasePlan {
        let cap = slots.and_then(NonZeroU32::new).map(|slots| Cap { slots, on_full: OnFull::Wait });
        phase(Load::Open { schedule: Schedule::new(process, stop, Seed(0)), cap })
    }

    fn need(phases: &[PhasePlan], connection_reuse: ConnectionReuse, targets: usize) -> (u64, Option<u64>) {
        let need = Need::of(phases, &Policy { connection_reuse, ..Policy::default() }, targets);
        (need.least, need.most)
    }

    #[test]
    fn slots_are_needed_at_once_and_rates_as_they_turn_out() {
        let (endless, few) = (StopCondition::default(), StopCondition::after_requests(7));
        let rate = || ArrivalProcess::Poisson(Rate::new(10.0).unwrap().into());
        for (plan, expected) in [
            (closed(100, endless), (100, Some(100))),
            (closed(100, few), (7, Some(7))),
            (open(rate(), None, endless), (0, None)),
            (open(rate(), None, few), (0, Some(7))),
            (open(rate(), Some(50), endless), (0, Some(50))),
            (open(ArrivalProcess::Burst, None, few), (7, Some(7))),
            (open(ArrivalProcess::Burst, Some(3), few), (3, Some(3))),
        ] {
            assert_eq!(need(std::slice::from_ref(&plan), ConnectionReuse::Pooled, 1), expected, "{plan:?}");
        }
    }

    #[test]
    fn the_greatest_phase_counts_and_one_without_bound_has_none() {
        let endless = StopCondition::default();
        let rate = ArrivalProcess::Constant(Rate::new(10.0).unwrap().into());
        let phases = [closed(5, endless), closed(9, endless), closed(2, endless)];
        assert_eq!(need(&phases, ConnectionReuse::Pooled, 1), (9, Some(9)));
        let phases = [closed(5, endless), open(rate, None, endless)];
        assert_eq!(need(&phases, ConnectionReuse::Pooled, 1), (5, None));
    }

    #[test]
    fn idle_connections_to_every_target_count() {
        let phases = [closed(10, StopCondition::default())];
        assert_eq!(need(&phases, ConnectionReuse::Pooled, 3), (10, Some(30)));
        assert_eq!(need(&phases, ConnectionReuse::StickyUserSessions, 3), (10, Some(10)));
    }

    fn short_lived(load: PhasePlan, connection_reuse: ConnectionReuse) -> Option<u64> {
        Need::of(&[load], &Policy { connection_reuse, ..Policy::default() }, 1).short_lived
    }

    #[test]
    fn connections_that_serve_once_are_as_many_as_requests() {
        let phase = closed(10, StopCondition::after_requests(90_000));
        assert_eq!(short_lived(phase.clone(), ConnectionReuse::Never), Some(90_000));
        assert_eq!(short_lived(phase, ConnectionReuse::Pooled), Some(0));
        let endless = closed(10, StopCondition::after_duration(5_000_000_000));
        assert_eq!(short_lived(endless, ConnectionReuse::Never), None, "the server's latency decides");
    }

    #[test]
    fn a_rate_needs_what_it_sends_while_a_port_rests() {
        let rate = |per_second: f64| ArrivalProcess::Poisson(Rate::new(per_second).unwrap().into());
        let seconds = |seconds: i64| StopCondition::after_duration(seconds * 1_000_000_000);
        let never = |process, stop| short_lived(open(process, None, stop), ConnectionReuse::Never);
        assert_eq!(never(rate(500.0), seconds(10)), Some(5_000));
        assert_eq!(never(rate(500.0), seconds(3_600)), Some(30_000), "no more than in a minute");
        assert_eq!(never(rate(500.0), StopCondition::default()), Some(30_000));
        assert_eq!(never(rate(500.0), StopCondition::after_requests(7)), Some(7));
        let wave = Sinusoid::new(0.0, 100.0, 600.0, 0.0).unwrap();
        assert_eq!(never(ArrivalProcess::Constant(wave.into()), seconds(3_600)), Some(6_000), "at its crest");
        let minute = 60_000_000_000;
        let offsets = vec![0, 1, 2, minute, 5 * minute, 5 * minute];
        let fixed = ArrivalProcess::FixedSchedule(FixedOffsets::new(offsets).unwrap());
        assert_eq!(never(fixed, StopCondition::default()), Some(4), "the fullest minute");
    }
}
