//! `loadgen report DIR…`: rebuild every output of a run from its journal.

use anyhow::{Context, Result};

use crate::args::ReportArgs;
use crate::exit::ExitStatus;
use crate::ui::{Talk, Ui};

/// Runs it.
pub(crate) fn run(args: &ReportArgs) -> Result<ExitStatus> {
    let progress = Ui::Auto.progress(Talk::default());
    let mut worst = ExitStatus::Success;
    for dir in &args.dirs {
        let result = loadgen_run::finish(dir, progress.as_ref())
            .with_context(|| format!("cannot report {}", dir.display()))?;
        super::profile::show(&result)?;
        worst = worst.min(super::profile::conclude(&result, false));
    }
    Ok(worst)
}
