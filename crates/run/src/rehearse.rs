//! All of a run that needs no server and no folder: what would go wrong before the first request goes
//! wrong here, and nothing is sent or written.

use std::io;
use std::path::Path;

use loadgen_core::SystemClock;
use loadgen_wire::{Connector, Endpoint, EndpointError};
use loadgen_workload::Dataset;

use crate::artifacts::Artifacts;
use crate::error::RunError;
use crate::phases::Phases;
use crate::plan::RunPlan;
use crate::prepare::read;

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

/// Makes the first request's body: an endpoint that cannot say what the dataset asks shows there, or in that it
/// has no place for what was said before.
pub(crate) fn try_first_body(dataset: &Dataset, endpoint: &Endpoint) -> Result<(), RunError> {
    let facts = endpoint.kind().facts();
    if let Some(session) = dataset.remembering().filter(|_| !facts.takes_history) {
        let found = format!("others before it that belong to it (session {session})");
        return Err(EndpointError::NotOnePrompt { kind: facts.name, found }.into());
    }
    if let Some(first) = dataset.entries().next().and_then(|entry| entry.turns.into_iter().next()) {
        endpoint.body(&first)?;
    }
    Ok(())
}

/// Whether the folders of the results are some or can become some, without making them.
pub(crate) fn check_folders(artifacts: &Artifacts) -> Result<(), RunError> {
    check_folder(&artifacts.dir)?;
    check_folder(&artifacts.prefixed_folder())
}

/// Whether the result folder is one or can become one, without making it.
fn check_folder(dir: &Path) -> Result<(), RunError> {
    let Some(nearest) = dir.ancestors().find(|path| path.exists()) else { return Ok(()) };
    if nearest.is_dir() {
        return Ok(());
    }
    let source = io::Error::new(
        io::ErrorKind::NotADirectory,
        format!("{} is there, and is no folder", nearest.display()),
    );
    Err(RunError::Folder { path: dir.to_owned(), source })
}

/// Prepares `plan` as a run would: its tokenizer, its dataset, the first request's body, its phases.
pub fn rehearse(plan: &RunPlan) -> Result<Rehearsal, RunError> {
    let (_, dataset) = read(&plan.report, &plan.workload)?;
    let endpoint = Endpoint::new(plan.endpoint.clone())?;
    Phases::of(plan, &dataset)?;
    Connector::new(plan.connector.clone(), SystemClock::start())?;
    try_first_body(&dataset, &endpoint)?;
    check_folders(&plan.report.artifacts)?;
    Ok(Rehearsal { conversations: dataset.len(), turns: dataset.turns(), warnings: dataset.warnings() })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_folder_can_be_made_below_folders_only() {
        let place = tempfile::tempdir().unwrap();
        assert!(check_folder(place.path()).is_ok() && check_folder(&place.path().join("a/b")).is_ok());
        assert!(!place.path().join("a").exists(), "nothing is made");
        std::fs::write(place.path().join("file"), "x").unwrap();
        for wrong in ["file", "file/below"] {
            let refused = check_folder(&place.path().join(wrong)).unwrap_err();
            assert!(refused.to_string().contains("--artifact-dir"), "{refused}");
        }
    }
}
