//! Telling how a run stands while it goes on.
//!
//! It reads counters that the workers keep anyway; it never touches a worker, and never holds up the
//! end of a run.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use loadgen_core::Phase;
use loadgen_engine::{Load, PhaseCounts, PhasePlan, RunStats, StopSignal};
use loadgen_record::Journal;
use loadgen_schedule::{ArrivalProcess, StopCondition};

use crate::plan::{LoadShape, RunPlan};
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
    /// How many of the measured requests may fail.
    pub(crate) failures: Option<FailureLimit>,
    /// Set once more of them have failed, and the run is stopped for it.
    pub(crate) too_many_failed: &'a AtomicBool,
}

/// How many requests may fail before the rest is not sent any more: AIPerf's `--failed-request-threshold`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct FailureLimit {
    /// The share that may fail.
    most: f64,
    /// As long as fewer than these have ended, a few failures are no reason to stop.
    floor: u64,
}

impl FailureLimit {
    /// Requests whose end is always awaited.
    const FLOOR: u64 = 10;

    /// That of a plan, if it has one.
    pub(crate) fn of(plan: &RunPlan) -> Option<Self> {
        let concurrency = match &plan.profiling.shape {
            LoadShape::Closed { concurrency } => Some(*concurrency),
            LoadShape::FixedSchedule { cap } | LoadShape::Rate { cap, .. } => *cap,
        };
        let floor = Self::FLOOR.max(concurrency.map_or(0, u64::from));
        plan.report.failed_request_threshold.map(|most| Self { most, floor })
    }

    /// What to say of a phase in which too many have failed.
    fn exceeded(self, counts: &PhaseCounts) -> Option<String> {
        let Self { most, floor } = self;
        let (failed, ended) = (counts.failed, counts.ok + counts.failed + counts.cancelled);
        let share = failed as f64 / ended.max(1) as f64;
        (ended >= floor && share > most).then(|| {
            format!(
                "--failed-request-threshold exceeded: {failed}/{ended} = {share:.3} > {most:.3} (grace floor \
                 {floor}): the run stops here"
            )
        })
    }
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
                if let Some(text) = self.failures.and_then(|limit| limit.exceeded(&counts))
                    && plan.phase == Phase::Profiling
                    && !stopping
                {
                    self.progress.note(Level::Warning, &text);
                    self.too_many_failed.store(true, Ordering::Relaxed);
                    self.stop.interrupt();
                }
                is_done = matches!(done.recv_timeout(TICK), Err(RecvTimeoutError::Disconnected));
            }
        }
    }
}

/// What a phase will do, by the limits it was given: how long its requests are expected to take is none.
fn outline(plan: &PhasePlan, first: Phase) -> PhaseOutline {
    let (requests, stop) = match &plan.load {
        Load::Open { schedule, .. } if matches!(schedule.process, ArrivalProcess::FixedSchedule(_)) => {
            (schedule.total(), schedule.stop)
        }
        Load::Open { schedule, .. } => (schedule.stop.requests, schedule.stop),
        Load::Closed { stop, .. } => (stop.requests, *stop),
    };
    let StopCondition { duration_ns, sessions, .. } = stop;
    let before = i32::from(first == Phase::Warmup);
    let profiling_index = (plan.phase == Phase::Profiling).then_some(plan.index - before);
    PhaseOutline { phase: plan.phase, index: plan.index, profiling_index, requests, duration_ns, sessions }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_failures_end_a_run_once_enough_requests_have_ended() {
        let limit = FailureLimit { most: 0.2, floor: 10 };
        let counts = |ok, failed, cancelled| PhaseCounts { ok, failed, cancelled, ..PhaseCounts::default() };
        assert_eq!(limit.exceeded(&counts(0, 9, 0)), None, "nine are too few to judge by");
        assert_eq!(limit.exceeded(&counts(8, 2, 0)), None, "the share itself is allowed");
        assert_eq!(limit.exceeded(&counts(7, 2, 1)), None, "those given up by plan did not fail");
        let said = limit.exceeded(&counts(7, 3, 0)).unwrap_or_default();
        assert!(said.starts_with("--failed-request-threshold exceeded: 3/10 = 0.300 > 0.200"), "{said}");
    }
}
