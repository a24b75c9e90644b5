//! All of a run that needs no server and no folder: what would go wrong before the first request goes
//! wrong here, and nothing is sent or written.

use std::sync::Arc;

use loadgen_core::SystemClock;
use loadgen_wire::{Connector, Endpoint};
use loadgen_workload::{Dataset, Origin};

use crate::error::RunError;
use crate::phases::Phases;
use crate::plan::RunPlan;

/// What preparing a run has shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rehearsal {
    /// Conversations of the dataset.
    pub conversations: u64,
    /// Their turns.
    pub turns: u64,
    /// What of the dataset may not be as meant.
    pub warnings: Vec<String>,
}

/// Prepares `plan` as a run would: its tokenizer, its dataset, the first request's body, its phases.
pub fn rehearse(plan: &RunPlan) -> Result<Rehearsal, RunError> {
    let tokenizer = plan.report.load_tokenizer()?;
    let origin = Origin { seed: plan.report.root(), is_given: plan.report.random_seed.is_some() };
    let models: Vec<Arc<str>> = plan.report.models.iter().map(|model| Arc::from(model.as_str())).collect();
    let dataset = Dataset::load(&plan.workload, &tokenizer, origin, &models)?;
    let endpoint = Endpoint::new(plan.endpoint.clone())?;
    Phases::of(plan, &dataset)?;
    Connector::new(plan.connector.clone(), SystemClock::start())?;
    if let Some(first) = dataset.entries().next().and_then(|entry| entry.turns.into_iter().next()) {
        endpoint.body(&first)?;
    }
    Ok(Rehearsal { conversations: dataset.len(), turns: dataset.turns(), warnings: dataset.warnings() })
}
