//! What a run of more than one phase leaves of each: a folder with its own summary, and the manifest.

use std::fs;

use loadgen_core::Phase;
use loadgen_metrics::Summary;
use loadgen_report::{PhaseView, RunInfo, phase_csv, phase_json, phase_manifest};

use super::files::Failures;
use super::telemetry::Scraped;
use crate::artifacts::Artifacts;
use crate::error::RunError;

/// Writes them, where there is more than one phase.
pub(super) fn write(
    summary: &Summary,
    info: &RunInfo,
    artifacts: &Artifacts,
    scraped: &Scraped,
    failures: &mut Failures,
) {
    let phases = PhaseView::of(summary);
    if phases.len() < 2 {
        return;
    }
    for view in &phases {
        let own = artifacts.of_phase(view.phase.name());
        failures.note(&own.dir, fs::create_dir_all(&own.dir).map_err(RunError::write(&own.dir)));
        failures.put(&own.summary_json(), &phase_json(view, info));
        failures.put(&own.summary_csv(), &phase_csv(view));
    }
    scraped.write_phases(artifacts, summary, info, failures);
    let files = |phase: Phase| scraped.phase_files(artifacts, phase);
    failures.put(&artifacts.phase_manifest(), &phase_manifest(&phases, info, &artifacts.dir, files));
}
