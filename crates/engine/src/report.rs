//! What a run was, once it is over: facts only, no verdict.

use loadgen_core::{Nanos, Phase, PhaseIndex};
use serde::{Deserialize, Serialize};

use crate::policy::FellBehind;
use crate::stats::PhaseCounts;

/// What a run did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EngineReport {
    /// The phases that began, in order.
    pub phases: Vec<PhaseReport>,
    /// The workers, in order.
    pub workers: Vec<WorkerReport>,
    /// Whether the run was told to stop before it was done.
    pub was_interrupted: bool,
    /// How far the client fell behind, in a run that was told to end then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fell_behind: Option<FellBehind>,
}

/// What a phase did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PhaseReport {
    /// Warm-up or measured.
    pub phase: Phase,
    /// Position in the run.
    pub index: PhaseIndex,
    /// The zero of the phase's schedule.
    pub start: Nanos,
    /// From when on nothing more was sent: the deadline or the interrupt, else the release of the
    /// last request.
    pub sending_end: Nanos,
    /// When the last request that was sent had returned, never before `sending_end`.
    pub end: Nanos,
    /// Why sending ended.
    pub ended_by: EndReason,
    /// Final counts.
    pub counts: PhaseCounts,
}

/// Why a phase stopped sending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// Everything there was to send was sent.
    Completed,
    /// Its duration was over.
    Duration,
    /// The run was interrupted.
    Interrupt,
    /// The client fell behind its schedule, and was told to give up then.
    FellBehind,
}

/// What a worker cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerReport {
    /// Position, from 0.
    pub worker: usize,
    /// CPU time of its thread over all phases, ns; `None` where the system does not tell.
    pub busy_ns: Option<i64>,
    /// Time from its first phase's start to its last phase's end, ns.
    pub wall_ns: i64,
}
