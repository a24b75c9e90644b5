//! Telling how a run stands while it goes on.
//!
//! It reads counters that the workers keep anyway; it never touches a worker, and never holds up the
//! end of a run.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use loadgen_core::Phase;
use loadgen_engine::{Load, PhaseCounts, PhasePlan, RunStats, StopSignal};
use loadgen_record::Journal;

use crate::progress::{Level, Live, PhaseOutline, Progress};

/// How often progress is told.
const TICK: Duration = Duration::from_millis(100);

/// A run, seen from outside.
#[derive(Clone, Copy)]
pub(crate) struct Watch<'a> {
    pub(crate) plans: &'a [PhasePlan],
    pub(crate) stats: &'a RunStats,
    pub(crate) stop: &'a StopSignal,
    pub(crate) journal: &'a Journal,
    pub(crate) progress: &'a dyn Progress,
}

impl Watch<'_> {
    /// Tells how the run stands until the other end of `done` is dropped. The phase that is under way
    /// is the last one that has begun.
    pub(crate) fn until(self, done: &Receiver<()>) {
        let mut is_done = false;
        for (position, plan) in self.plans.iter().enumerate() {
            let outline = outline(plan, self.plans[0].phase);
            let begun = std::time::Instant::now();
            self.progress.phase_started(&outline);
            loop {
                let counts = self.stats.phase(position);
                let next_began = self.stats.phase(position + 1) != PhaseCounts::default();
                let elapsed_ns = begun.elapsed().as_nanos() as i64;
                let stopping = self.stop.is_interrupted();
                let live = Live { outline, elapsed_ns, counts, stopping };
                if is_done || next_began {
                    self.progress.phase_ended(&live);
                    break;
                }
                self.progress.tick(&live);
                if self.journal.has_failed() && !stopping {
                    self.progress.note(Level::Warning, "records can no longer be kept: the run stops here");
                    self.stop.interrupt();
                }
                is_done = matches!(done.recv_timeout(TICK), Err(RecvTimeoutError::Disconnected));
            }
        }
    }
}

fn outline(plan: &PhasePlan, first: Phase) -> PhaseOutline {
    let (requests, duration_ns, sessions) = match &plan.load {
        Load::Open { schedule, .. } => (
            schedule.total().or(schedule.stop.requests),
            schedule.expected_duration_ns(),
            schedule.stop.sessions,
        ),
        Load::Closed { stop, .. } => (stop.requests, stop.duration_ns, stop.sessions),
    };
    let before = i32::from(first == Phase::Warmup);
    let profiling_index = (plan.phase == Phase::Profiling).then_some(plan.index - before);
    PhaseOutline { phase: plan.phase, index: plan.index, profiling_index, requests, duration_ns, sessions }
}
