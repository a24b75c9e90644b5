//! Whether to believe the run: the verdict, and the few figures it rests on.

use loadgen_metrics::Quality;
use unicode_width::UnicodeWidthStr as _;

use super::paint::{Paint, Style};
use super::table::wrap;
use crate::quality_words::{facts, headline, is_unmeasured, lags};

/// What stands before the lines under the verdict.
const INDENT: &str = "  ";
/// Columns of a figure.
const FIGURE: usize = 11;

/// The verdict, why, and what there is to know; each line ended by a newline.
pub(super) fn block(quality: &Quality, width: usize, paint: Paint) -> String {
    let style = if quality.client_limited {
        Style::Bad
    } else if is_unmeasured(quality) {
        Style::Plain
    } else {
        Style::Good
    };
    let mut lines = Lines { out: String::new(), width, paint };
    lines.hang("", &format!("Measurement quality: {}", headline(quality)), style);
    for (index, reason) in quality.reasons.iter().enumerate() {
        let number = format!("{INDENT}{}. ", index + 1);
        lines.hang(&number, &reason.message, style);
        lines.hang(&format!("{INDENT}   → "), &reason.remedy, Style::Plain);
    }
    if is_unmeasured(quality) {
        return lines.out;
    }
    lines.lags(quality);
    let facts = facts(quality);
    // A long name, which few runs have, must not push all values to the right.
    let longest = lags(quality).iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, value) in facts {
        lines.hang(&format!("{INDENT}{name:<longest$} "), &value, Style::Plain);
    }
    for remark in &quality.remarks {
        lines.hang(&format!("{INDENT}Note: "), &remark.message, Style::Warn);
    }
    lines.out
}

struct Lines {
    out: String,
    width: usize,
    paint: Paint,
}

impl Lines {
    /// A text behind a head; its further lines stand under its first.
    fn hang(&mut self, head: &str, text: &str, style: Style) {
        /// Narrower than this a column of text cannot be read.
        const LEAST: usize = 40;
        let indent = head.width();
        let room = self.width.saturating_sub(indent).max(LEAST);
        for (number, line) in wrap(text, room).into_iter().enumerate() {
            let before = if number == 0 { head.to_owned() } else { " ".repeat(indent) };
            self.push(&format!("{before}{line}"), style);
        }
    }

    fn lags(&mut self, quality: &Quality) {
        let lags = lags(quality);
        let Some(longest) = lags.iter().map(|(name, _)| name.len()).max() else { return };
        let figure = |value: f64| format!("{value:>FIGURE$.3}");
        let head = ["p50", "p99", "max"].map(|name| format!("{name:>FIGURE$}")).concat();
        self.push(&format!("{INDENT}{:<longest$}{head}", "Lag of the client (ms)"), Style::Faint);
        for (name, stats) in lags {
            let figures = [stats.p50_ms, stats.p99_ms, stats.max_ms].map(figure).concat();
            self.push(&format!("{INDENT}{name:<longest$}{figures}"), Style::Plain);
        }
    }

    fn push(&mut self, line: &str, style: Style) {
        self.out.push_str(&self.paint.apply(style, line.trim_end()));
        self.out.push('\n');
    }
}
