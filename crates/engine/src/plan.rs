//! What a run is asked to do: its phases, their load, and the caps on it.
//!
//! Everything here is a value, stored with the run's plan. It does not know clocks, sockets or
//! threads.

use std::num::NonZeroU32;

use loadgen_core::{Phase, PhaseIndex};
use loadgen_schedule::{ArrivalProcess, Schedule, StopCondition};
use serde::{Deserialize, Serialize};

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

    /// A rate paces requests, not sessions, so turns of running sessions ride on its ticks; a fixed
    /// schedule says when sessions start, and their later turns follow by themselves.
    pub(crate) fn discipline(&self, single_turn: bool) -> Discipline {
        match self {
            Self::Closed { .. } => Discipline::Slots,
            Self::Open { cap: Some(Cap { on_full: OnFull::SkipTick, .. }), .. } => Discipline::Ticks,
            Self::Open { .. } if single_turn || self.is_fixed_schedule() => Discipline::Arrivals,
            Self::Open { .. } => Discipline::Ticks,
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
    use super::*;
    use proptest::prelude::*;

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
