//! `loadgen docs`: the pages of documentation that are made from loadgen's own tables.

use anyhow::Result;

use super::schemas::write_or_check;
use crate::args::DocsArgs;
use crate::exit::ExitStatus;

/// Writes the pages, or checks that the written ones are current.
pub(crate) fn run(args: &DocsArgs) -> Result<ExitStatus> {
    let pages = [("compat.md", crate::compat::compat_page()), ("metrics.md", loadgen_report::metrics_page())];
    let files = pages.into_iter().map(|(name, text)| (args.dir.join(name), text));
    write_or_check(files, args.check, "docs")
}
