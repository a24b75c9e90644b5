//! The phases of a run: from a plan's load and a dataset's times to what the engine carries out.

use std::num::NonZeroU32;
use std::sync::Arc;

use loadgen_core::{Phase, RequestSource};
use loadgen_engine::{Cap, Load, OnFull, PhasePlan};
use loadgen_schedule::{ArrivalProcess, FixedOffsets, Schedule, StopCondition};
use loadgen_workload::Dataset;

use crate::error::RunError;
use crate::plan::{LoadShape, PhaseLoad, RunPlan};

/// Sessions that a warm-up ended by the clock is taken to have at most. A multiple of any usual number of
/// servers, so that those still take turns from the first.
const SESSIONS_BEYOND_COUNTING: u64 = 5040 << 28;

/// The phases of a run, ready to be driven.
pub(crate) struct Phases {
    pub(crate) plans: Vec<PhasePlan>,
    pub(crate) source: Arc<dyn RequestSource>,
}

impl Phases {
    pub(crate) fn of(plan: &RunPlan, dataset: &Dataset) -> Result<Self, RunError> {
        let warmup_sessions = plan.warmup.as_ref().map_or(0, |warmup| {
            // Without a count, more than any run can start.
            let StopCondition { requests, sessions, .. } = warmup.stop;
            requests.into_iter().chain(sessions).min().unwrap_or(SESSIONS_BEYOND_COUNTING)
        });
        let mut plans = Vec::new();
        if let Some(warmup) = &plan.warmup {
            let load = open_or_closed(warmup, plan, dataset);
            // A warm-up is there to make the server ready: none of it is given up.
            plans.push(PhasePlan {
                phase: Phase::Warmup,
                index: 0,
                load,
                first_session: None,
                prefill: warmup.prefill.and_then(NonZeroU32::new),
                cancellation: None,
            });
        }
        let index = plans.len() as i32;
        let (load, first_session, source) = match &plan.profiling.shape {
            LoadShape::FixedSchedule { cap } => {
                if !dataset.has_times() {
                    return Err(RunError::NoTimestamps);
                }
                let timetable = dataset.timetable(warmup_sessions)?;
                let offsets = FixedOffsets::new(timetable.offsets_ns).expect("a timetable is in order");
                let schedule = Schedule::new(
                    ArrivalProcess::FixedSchedule(offsets),
                    StopCondition { requests: None, sessions: None, ..plan.profiling.stop },
                    plan.report.root(),
                );
                let cap = slots(*cap, OnFull::Wait);
                // A warm-up takes at most a session a request; the timetable's begin behind them.
                (Load::Open { schedule, cap }, Some(warmup_sessions), timetable.source)
            }
            _ => (open_or_closed(&plan.profiling, plan, dataset), None, dataset.source()),
        };
        plans.push(PhasePlan {
            phase: Phase::Profiling,
            index,
            load,
            first_session,
            prefill: plan.profiling.prefill.and_then(NonZeroU32::new),
            cancellation: plan.cancellation,
        });
        Ok(Self { plans, source })
    }
}

/// The engine's load for a shape that does not need the dataset's times. Where each session has one turn,
/// sessions are counted as the requests that they are.
fn open_or_closed(load: &PhaseLoad, plan: &RunPlan, dataset: &Dataset) -> Load {
    let mut stop = load.stop;
    if dataset.turns() == dataset.len() {
        stop.requests = stop.requests.into_iter().chain(stop.sessions.take()).min();
    }
    match &load.shape {
        LoadShape::Rate { process, cap } => Load::Open {
            schedule: Schedule::new(process.clone(), stop, plan.report.root()),
            cap: slots(*cap, OnFull::SkipTick),
        },
        LoadShape::Closed { concurrency } | LoadShape::FixedSchedule { cap: Some(concurrency) } => {
            Load::Closed { concurrency: NonZeroU32::new(*concurrency).unwrap_or(NonZeroU32::MIN), stop }
        }
        LoadShape::FixedSchedule { cap: None } => Load::Closed { concurrency: NonZeroU32::MIN, stop },
    }
}

fn slots(cap: Option<u32>, on_full: OnFull) -> Option<Cap> {
    cap.and_then(NonZeroU32::new).map(|slots| Cap { slots, on_full })
}
