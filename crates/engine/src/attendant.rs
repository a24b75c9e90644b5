//! Whoever has something to do between the phases of a run: a server's profiler to start, a mark to set.

use std::error::Error;
use std::sync::Arc;

use crate::plan::PhasePlan;
use crate::report::PhaseReport;
use crate::stats::RunStats;
use crate::stop::StopSignal;

/// Why a phase is not to begin.
pub type Objection = Box<dyn Error + Send + Sync>;

/// Is told of the phases of a run, while no request is under way. The next phase waits until it returns.
pub trait Attendant: Sync {
    /// A phase is about to begin. An objection ends the run before it.
    fn before(&self, plan: &PhasePlan) -> Result<(), Objection> {
        let _ = plan;
        Ok(())
    }

    /// A phase has ended: its last request has come back.
    fn after(&self, report: &PhaseReport) {
        let _ = report;
    }
}

/// Nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unattended;

impl Attendant for Unattended {}

/// Who looks on at a run, and who may end it.
#[derive(Clone)]
pub struct Company<'a> {
    /// Counters, for whoever shows how the run stands.
    pub stats: Arc<RunStats>,
    /// Ends the run.
    pub stop: &'a StopSignal,
    /// Is told of its phases.
    pub attendant: &'a dyn Attendant,
}
