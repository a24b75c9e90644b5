//! A table of figures on the page.

use std::fmt::Write as _;

use crate::console::MISSING;
use crate::escape::Escaped;

/// A table that is written row by row: a name, and figures under their heads.
pub(super) struct Sheet {
    out: String,
}

impl Sheet {
    /// An empty one; `first` heads the names, `unit` stands behind it where all rows have the same.
    pub(super) fn new<'a>(first: &str, unit: &str, heads: impl IntoIterator<Item = &'a str>) -> Self {
        let mut out = String::from("<div class=\"sheet\"><table><thead><tr><th>");
        name(&mut out, first, unit);
        out.push_str("</th>");
        for head in heads {
            // Writing to a string cannot fail.
            let _ = write!(out, "<th>{}</th>", Escaped(head));
        }
        out.push_str("</tr></thead><tbody>");
        Self { out }
    }

    /// A row; what is missing shows as a dash.
    pub(super) fn row(&mut self, label: &str, unit: &str, cells: impl IntoIterator<Item = String>) {
        self.out.push_str("<tr><th scope=\"row\">");
        name(&mut self.out, label, unit);
        self.out.push_str("</th>");
        for text in cells {
            if text == MISSING {
                self.out.push_str("<td class=\"none\">–</td>");
            } else {
                let _ = write!(self.out, "<td>{}</td>", Escaped(&text));
            }
        }
        self.out.push_str("</tr>");
    }

    /// The whole.
    pub(super) fn end(mut self) -> String {
        self.out.push_str("</tbody></table></div>\n");
        self.out
    }
}

fn name(out: &mut String, text: &str, unit: &str) {
    let _ = write!(out, "{}", Escaped(text));
    if !unit.is_empty() {
        let _ = write!(out, " <span class=\"unit\">{}</span>", Escaped(unit));
    }
}

/// What is not to be read at once, folded under a title.
pub(super) fn folded(title: &str, body: &str) -> String {
    format!("<details><summary>{}</summary>{body}</details>\n", Escaped(title))
}

/// Three significant digits, also of what is far below one; thousands parted.
pub(super) fn significant(value: f64) -> String {
    let size = value.abs();
    if !value.is_finite() || size == 0.0 || size >= 1.0 {
        return crate::quality_words::brief(value);
    }
    // Below a billionth nothing is worth telling from nothing.
    let decimals = (2.0 - size.log10().floor()).min(11.0) as usize;
    let text = format!("{value:.decimals$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_figures_keep_three_digits() {
        for (value, text) in [
            (0.0, "0"),
            (0.001_234, "0.00123"),
            (0.05, "0.05"),
            (0.5, "0.5"),
            (-0.000_123_456, "-0.000123"),
            (1.0, "1.00"),
            (12_345.6, "12,346"),
            (f64::NAN, MISSING),
        ] {
            assert_eq!(significant(value), text);
        }
    }

    #[test]
    fn what_is_missing_shows_as_a_dash_and_text_stays_text() {
        let mut sheet = Sheet::new("Metric", "", ["avg", "<p99>"]);
        sheet.row("a<b", "ms", ["1.00".to_owned(), MISSING.to_owned()]);
        assert_eq!(
            sheet.end(),
            "<div class=\"sheet\"><table><thead><tr><th>Metric</th><th>avg</th><th>&lt;p99&gt;</th></tr></thead><tbody>\
             <tr><th scope=\"row\">a&lt;b <span class=\"unit\">ms</span></th><td>1.00</td>\
             <td class=\"none\">–</td></tr></tbody></table></div>\n"
        );
    }
}
