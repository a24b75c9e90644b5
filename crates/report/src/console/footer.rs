//! The lines below the tables: what was run, for how long, and where the results are.

use std::fmt::Write as _;

use super::table::wrap;
use crate::info::Report;

pub(super) fn footer(report: &Report<'_>, width: usize) -> String {
    let (info, summary) = (report.info, report.summary);
    let mut out = String::from("\n");
    for line in wrap(&format!("CLI Command: {}", info.cli_command), width) {
        out.push_str(&line);
        out.push('\n');
    }
    // Scripts read this line. It is the metric's figure, not the longer window that rates divide by.
    let seconds = report.figure("benchmark_duration").unwrap_or_else(|| summary.window.seconds());
    let early = if info.was_cancelled { " (cancelled early)" } else { "" };
    // Writing to a string cannot fail.
    let _ = writeln!(out, "Benchmark Duration: {seconds:.2} sec{early}");
    for (label, path) in report.files {
        let _ = writeln!(out, "{label}: {}", path.display());
    }
    if info.was_cancelled {
        out.push_str("The profile run was cancelled early. Results shown may be incomplete or inaccurate.\n");
    }
    out
}
