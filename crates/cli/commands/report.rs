//! `loadgen report DIR…`: rebuild every output of a run from its journal, or those of an
//! experiment from its runs.

use anyhow::{Context, Result};

use crate::args::ReportArgs;
use crate::exit::ExitStatus;
use crate::ui::{Talk, Ui};

/// Runs it.
pub(crate) fn run(args: &ReportArgs) -> Result<ExitStatus> {
    let progress = Ui::Auto.progress(Talk::default());
    let mut worst = ExitStatus::Success;
    for dir in &args.dirs {
        if let Some(status) = super::study::report(dir, progress.as_ref())? {
            worst = worst.min(status);
            continue;
        }
        let result = loadgen_run::finish(dir, progress.as_ref())
            .with_context(|| format!("cannot report {}", dir.display()))?;
        super::profile::show(&result)?;
        worst = worst.min(super::profile::conclude(&result, false));
    }
    Ok(worst)
}
