//! `loadgen report DIR…`: rebuild every output of a run from its journal, or those of an
//! experiment from its runs.

use std::path::Path;

use anyhow::{Context, Result};
use loadgen_run::Progress;

use crate::args::ReportArgs;
use crate::exit::ExitStatus;
use crate::ui::{Talk, Ui};

/// Runs it. A folder that cannot be reported is named, and does not keep the others from it.
pub(crate) fn run(args: &ReportArgs) -> ExitStatus {
    let progress = Ui::Auto.progress(Talk::default());
    let mut worst = ExitStatus::Success;
    for dir in &args.dirs {
        let status = report(dir, progress.as_ref()).unwrap_or_else(|error| {
            crate::ui::error(error.as_ref());
            ExitStatus::Failure
        });
        worst = worst.min(status);
    }
    worst
}

fn report(dir: &Path, progress: &dyn Progress) -> Result<ExitStatus> {
    if let Some(status) = super::study::report(dir, progress)? {
        return Ok(status);
    }
    let result =
        loadgen_run::finish(dir, progress).with_context(|| format!("cannot report {}", dir.display()))?;
    super::profile::show(&result)?;
    Ok(super::profile::conclude(&result, false))
}
