//! What is printed at the end of a run, and `profile_export_console.txt`.
//!
//! The tables are AIPerf's, row for row and column for column, under the titles readers know with our
//! name in front (`loadgen | LLM Metrics`); what follows them is ours: latencies by where they count
//! from, the statement of goodput, and the verdict on the client. The text file is [`blocks`] at [`FILE_WIDTH`] columns without colours; a
//! terminal gets [`render`], which adds the footer.

mod figures;
mod footer;
mod gpu;
mod origins;
mod paint;
mod panels;
mod quality;
mod table;
mod verdict;

use paint::Paint;

use crate::info::Report;

pub use figures::grouped;
pub(crate) use figures::{console_rows, figure, figures};
pub(crate) use panels::excerpt;
pub use panels::{CACHE_HINT, hides_its_cache};
pub(crate) use verdict::{goodput_statement, outcome_statement};

/// Columns of `profile_export_console.txt`.
pub const FILE_WIDTH: usize = 140;

/// Fewest columns worth drawing for.
const LEAST_WIDTH: usize = 80;

/// What stands for a figure that does not exist.
pub(crate) const MISSING: &str = "N/A";

/// How to draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Columns of the terminal.
    pub width: usize,
    /// Whether to colour: the caller knows about terminals and `NO_COLOR`.
    pub ansi: bool,
    /// Whether to show the table of HTTP timings.
    pub trace_timing: bool,
}

impl Options {
    /// As the text file wants it.
    pub fn file(trace_timing: bool) -> Self {
        Self { width: FILE_WIDTH, ansi: false, trace_timing }
    }
}

/// Everything: the blocks and the footer.
pub fn render(report: &Report<'_>, options: Options) -> String {
    blocks(report, options) + &footer::footer(report, options.width.max(LEAST_WIDTH))
}

/// The tables, panels and verdicts, without the footer.
pub fn blocks(report: &Report<'_>, options: Options) -> String {
    let width = options.width.max(LEAST_WIDTH);
    let paint = Paint::new(options.ansi);
    let mut parts = vec![String::new()];
    parts.extend(panels::incomplete(report, paint));
    parts.extend(panels::insight(report, width, paint));
    parts.extend(panels::error_summary(report, width, paint));
    parts.extend(figures::tables(report, options.trace_timing, width, paint));
    parts.extend(panels::cache_hint(report, width));
    parts.extend(figures::spec_decode(report, width, paint));
    parts.extend(gpu::blocks(report, width, paint));
    parts.extend(panels::warnings(report, width, paint));
    parts.extend(origins::table(report.summary, &report.info.product, width, paint));
    parts.push(verdict::block(report, width, paint));
    parts.join("\n")
}
