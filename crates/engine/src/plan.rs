//! What a run is asked to do: its phases, their load, and the caps on it.
//!
//! Everything here is a value, stored with the run's plan. It does not know clocks, sockets or
//! threads.

use std::num::NonZeroU32;

use loadgen_core::{Phase, PhaseIndex};
use loadgen_schedule::{ArrivalProcess, Schedule, StopCondition};
use serde::{Deserialize, Serialize};

use crate::cancellation::Cancellation;

/// One phase of a run. Phases run in order; the requests of one have all returned before the next
/// begins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PhasePlan {
    /// Warm-up or measured.
    pub phase: Phase,
    /// Position in the run, from 0.
    pub index: PhaseIndex,
    /// How load is offered.
    pub load: Load,
    /// Number of the session that it starts with; `None` goes on where the phase before it ended. A
    /// schedule whose arrivals belong to certain sessions says where those begin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_session: Option<u64>,
    /// Requests before their first content at once, over all workers; `None` sets no cap.
    ///
    /// A request holds its place from before it is sent until its first content has arrived, or it is over.
    /// What finds none waits, and its instants begin then; a tick of a rate that would start a session is
    /// lost instead, as under [`OnFull::SkipTick`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefill: Option<NonZeroU32>,
    /// Requests given up on purpose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancellation: Option<Cancellation>,
}

impl PhasePlan {
    /// How its requests are handed out.
    pub(crate) fn discipline(&self, single_turn: bool) -> Discipline {
        let discipline = self.load.discipline(single_turn);
        let is_rate = matches!(&self.load, Load::Open { schedule, .. } if schedule.process.rate().is_some());
        if self.prefill.is_some() && is_rate { Discipline::Ticks } else { discipline }
    }
}

/// How load is offered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Load {
    /// On a schedule, whatever the server does.
    Open {
        /// When requests leave.
        schedule: Schedule,
        /// At most so many sessions at once.
        cap: Option<Cap>,
    },
    /// A fixed number of slots, each sending its next request when the one before it has ended.
    Closed {
        /// Sessions in progress at once, over all workers.
        concurrency: NonZeroU32,
        /// When to stop.
        stop: StopCondition,
    },
}

/// A limit on sessions in progress under an open load. A session holds its slot from its first turn
/// to the end of its last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cap {
    /// Sessions in progress at once, over all workers.
    pub slots: NonZeroU32,
    /// What an arrival does that finds no slot free.
    pub on_full: OnFull,
}

/// What an arrival does that finds every slot taken.
///
/// Two loads leave no choice: everything at once waits, having no later tick; and the ticks of a rate
/// that paces sessions of several turns are lost, since one that waited would pace nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFull {
    /// It waits, first come first served; counted as delayed.
    Wait,
    /// The tick is lost, and its session is offered again at the next one; counted as skipped.
    SkipTick,
}

/// How the requests of a phase are handed out, as its load and its source decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Discipline {
    /// Arrival `i` starts session `first + i`; later turns follow as their timing says.
    Arrivals,
    /// Each arrival is a tick that carries a waiting turn, else a new session, else nothing.
    Ticks,
    /// Slots take the next session as they fall free.
    Slots,
}

impl Load {
    /// The stop condition.
    pub fn stop(&self) -> &StopCondition {
        match self {
            Self::Open { schedule, .. } => &schedule.stop,
            Self::Closed { stop, .. } => stop,
        }
    }

    /// Whether the times of all first turns were given in advance.
    pub(crate) fn is_fixed_schedule(&self) -> bool {
        matches!(self, Self::Open { schedule, .. } if matches!(schedule.process, ArrivalProcess::FixedSchedule(_)))
    }

    /// A rate paces requests, not sessions, so turns of running sessions ride on its ticks. A fixed
    /// schedule says when sessions start, and their later turns follow by themselves; so they do when
    /// everything starts at once, which has no ticks to ride on.
    pub(crate) fn discipline(&self, single_turn: bool) -> Discipline {
        let Self::Open { schedule, cap } = self else { return Discipline::Slots };
        let skips = matches!(cap, Some(Cap { on_full: OnFull::SkipTick, .. }));
        match schedule.process {
            ArrivalProcess::Burst => Discipline::Arrivals,
            _ if skips => Discipline::Ticks,
            ArrivalProcess::FixedSchedule(_) => Discipline::Arrivals,
            _ if single_turn => Discipline::Arrivals,
            _ => Discipline::Ticks,
        }
    }
}

/// How many of `slots` belong to worker `worker` of `workers`: as even as it gets, their sum exactly
/// `slots`.
pub(crate) fn share_of_slots(slots: u32, worker: usize, workers: usize) -> u32 {
    let workers = u32::try_from(workers).unwrap_or(u32::MAX).max(1);
    let worker = u32::try_from(worker).unwrap_or(u32::MAX);
    slots / workers + u32::from(worker < slots % workers)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::Discipline::{Arrivals, Slots, Ticks};
    use super::*;
    use loadgen_core::Seed;
    use loadgen_schedule::{FixedOffsets, Rate};
    use proptest::prelude::*;

    fn open(process: ArrivalProcess, on_full: Option<OnFull>) -> Load {
        let schedule = Schedule::new(process, StopCondition::default(), Seed(0));
        let cap = on_full.map(|on_full| Cap { slots: NonZeroU32::MIN, on_full });
        Load::Open { schedule, cap }
    }

    #[test]
    fn what_a_cap_and_sessions_make_of_each_load() {
        let rate = || ArrivalProcess::Constant(Rate::new(1.0).unwrap().into());
        let fixed = || ArrivalProcess::FixedSchedule(FixedOffsets::new(vec![0]).unwrap());
        let burst = || ArrivalProcess::Burst;
        let (wait, skip) = (Some(OnFull::Wait), Some(OnFull::SkipTick));
        let cases = [
            (open(rate(), None), Arrivals, Ticks),
            (open(rate(), wait), Arrivals, Ticks),
            (open(rate(), skip), Ticks, Ticks),
            (open(fixed(), None), Arrivals, Arrivals),
            (open(fixed(), wait), Arrivals, Arrivals),
            (open(fixed(), skip), Ticks, Ticks),
            (open(burst(), wait), Arrivals, Arrivals),
            (open(burst(), skip), Arrivals, Arrivals),
            (Load::Closed { concurrency: NonZeroU32::MIN, stop: StopCondition::default() }, Slots, Slots),
        ];
        for (load, single_turn, several_turns) in cases {
            assert_eq!(load.discipline(true), single_turn, "{load:?}");
            assert_eq!(load.discipline(false), several_turns, "{load:?}");
        }
    }

    proptest! {
        #[test]
        fn slots_are_shared_out_evenly_and_completely(slots in 0_u32..5_000, workers in 1_usize..70) {
            let shares: Vec<u32> = (0..workers).map(|worker| share_of_slots(slots, worker, workers)).collect();
            prop_assert_eq!(shares.iter().sum::<u32>(), slots);
            let spread = shares.iter().max().zip(shares.iter().min()).map(|(most, least)| most - least);
            prop_assert!(spread <= Some(1));
        }
    }
}
