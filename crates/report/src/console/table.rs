//! Tables and panels drawn with box characters.
//!
//! A table is as wide as its content. One that would not fit is narrowed by wrapping its widest
//! columns of text; where that would leave them too narrow to read, columns that a table can spare are left
//! out, and it says which. Figures are never cut. Widths count columns of a terminal, not bytes.

use std::borrow::Cow;
use std::cmp::Reverse;

use unicode_width::UnicodeWidthStr;

use super::paint::{Paint, Style};

/// The widest column is narrowed to no less than this.
const LEAST_WIDTH: usize = 12;

/// The others to no less than this, which holds every figure.
const WIDEST_FIGURE: usize = 24;

/// Before the widest column is narrower than this, a table does without columns that it can spare: it holds the
/// longest unit, `(tokens/sec/user)`.
const READABLE: usize = 17;

/// Which side a column's text leans to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Right,
}

/// A table with a heavy head: the form that readers of AIPerf's output know.
#[derive(Debug, Clone)]
pub(super) struct Table {
    title: String,
    head: Vec<(String, Align)>,
    /// Cells may have several lines.
    rows: Vec<Vec<String>>,
    /// Columns that may be left out for want of room, the first of them first.
    spare: &'static [&'static str],
}

impl Table {
    pub(super) fn new(
        title: impl Into<String>,
        head: impl IntoIterator<Item = (&'static str, Align)>,
    ) -> Self {
        let head = head.into_iter().map(|(name, align)| (name.to_owned(), align)).collect();
        Self { title: title.into(), head, rows: Vec::new(), spare: &[] }
    }

    /// Names the columns that may be left out for want of room, the first of them first.
    pub(super) fn sparing(mut self, spare: &'static [&'static str]) -> Self {
        self.spare = spare;
        self
    }

    /// Adds a row; it must have as many cells as the head.
    pub(super) fn row(&mut self, cells: Vec<String>) {
        debug_assert_eq!(cells.len(), self.head.len(), "a cell for each column");
        self.rows.push(cells);
    }

    /// The title centred above the table, each line ended by a newline; at most `width` wide as far
    /// as wrapping can achieve that.
    pub(super) fn draw(&self, width: usize, paint: Paint) -> String {
        let (shown, left_out) = self.shown(width);
        let mut out = shown.draw_whole(width, paint);
        if !left_out.is_empty() {
            let text = format!("for want of room without {}: the CSV file has all", left_out.join(", "));
            for line in wrap(&text, width) {
                out.push_str(&paint.apply(Style::Faint, &line));
                out.push('\n');
            }
        }
        out
    }

    /// The table as far as it fits, and the columns that it does without.
    fn shown(&self, limit: usize) -> (Cow<'_, Self>, Vec<&'static str>) {
        let mut shown = Cow::Borrowed(self);
        let mut left_out = Vec::new();
        for name in self.spare {
            let least = shown.least_widths(READABLE);
            if total(&least) <= limit {
                break;
            }
            if let Some(column) = shown.head.iter().position(|(head, _)| head == name) {
                let table = shown.to_mut();
                table.head.remove(column);
                table.rows.iter_mut().for_each(|row| drop(row.remove(column)));
                left_out.push(*name);
            }
        }
        (shown, left_out)
    }

    fn draw_whole(&self, width: usize, paint: Paint) -> String {
        let widths = self.widths(width);
        let mut out = String::new();
        out.push_str(&paint.apply(Style::Title, &centred(&self.title, total(&widths))));
        out.push('\n');
        out.push_str(&edge(&widths, ["┏", "━", "┳", "┓"], paint));
        let head: Vec<String> = self.head.iter().map(|(name, _)| name.clone()).collect();
        self.lines(&mut out, &head, &widths, ("┃", Style::Head), paint);
        out.push_str(&edge(&widths, ["┡", "━", "╇", "┩"], paint));
        for row in &self.rows {
            self.lines(&mut out, row, &widths, ("│", Style::Plain), paint);
        }
        out.push_str(&edge(&widths, ["└", "─", "┴", "┘"], paint));
        out
    }

    /// Each column as wide as its widest line.
    fn natural_widths(&self) -> Vec<usize> {
        let widest = |column: usize| widest_line(&self.head[column].0).max(self.widest_cell(column));
        (0..self.head.len()).map(widest).collect()
    }

    /// Each column as narrow as it may be: the widest to `text`, the others to their figures and the longest
    /// word above them.
    fn least_widths(&self, text: usize) -> Vec<usize> {
        let natural = self.natural_widths();
        let widest = (0..natural.len()).max_by_key(|column| (natural[*column], Reverse(*column)));
        let least = |(column, width): (usize, &usize)| {
            if Some(column) == widest {
                return text.min(*width);
            }
            let word = self.head[column].0.split(' ').map(UnicodeWidthStr::width).max().unwrap_or(0);
            self.widest_cell(column).min(WIDEST_FIGURE).max(word).min(*width)
        };
        natural.iter().enumerate().map(least).collect()
    }

    fn widest_cell(&self, column: usize) -> usize {
        self.rows.iter().map(|row| widest_line(&row[column])).max().unwrap_or(0)
    }

    fn widths(&self, limit: usize) -> Vec<usize> {
        let (mut widths, least) = (self.natural_widths(), self.least_widths(LEAST_WIDTH));
        let mut by_width: Vec<usize> = (0..widths.len()).collect();
        by_width.sort_by_key(|column| Reverse(widths[*column]));
        for column in by_width {
            let excess = total(&widths).saturating_sub(limit);
            widths[column] = widths[column].saturating_sub(excess).max(least[column]);
        }
        widths
    }

    fn lines(
        &self,
        out: &mut String,
        cells: &[String],
        widths: &[usize],
        (bar, style): (&str, Style),
        paint: Paint,
    ) {
        let wrapped: Vec<Vec<String>> =
            cells.iter().zip(widths).map(|(cell, width)| wrap(cell, *width)).collect();
        let height = wrapped.iter().map(Vec::len).max().unwrap_or(0);
        let bar = paint.apply(Style::Rule, bar);
        for line in 0..height {
            for ((cell, width), (_, align)) in wrapped.iter().zip(widths).zip(&self.head) {
                let text = cell.get(line).map_or("", String::as_str);
                let padded = match align {
                    Align::Left => format!("{text}{}", blank(width - text.width())),
                    Align::Right => format!("{}{text}", blank(width - text.width())),
                };
                let style = if text == super::MISSING { Style::Faint } else { style };
                out.push_str(&bar);
                out.push(' ');
                out.push_str(&paint.apply(style, &padded));
                out.push(' ');
            }
            out.push_str(&bar);
            out.push('\n');
        }
    }
}

/// A framed text with a title in its upper edge.
pub(super) fn panel(title: &str, body: &str, width: usize, paint: Paint) -> String {
    let room = width.saturating_sub(6).max(20);
    let lines: Vec<String> = body.lines().flat_map(|line| wrap(line, room)).collect();
    let inner = lines.iter().map(|l| l.width()).max().unwrap_or(0).max(title.width()) + 4;
    let dashes = inner - title.width() - 2;
    let (left, right) = (dashes / 2, dashes - dashes / 2);
    let rule = |text: String| paint.apply(Style::Warn, &text);
    let mut out = rule(format!("╭{} {title} {}╮", "─".repeat(left), "─".repeat(right)));
    out.push('\n');
    for line in lines {
        let gap = blank(inner - 2 - line.width());
        out.push_str(&rule("│".to_owned()));
        out.push_str("  ");
        out.push_str(&line);
        out.push_str(&gap);
        out.push_str(&rule("│".to_owned()));
        out.push('\n');
    }
    out.push_str(&rule(format!("╰{}╯", "─".repeat(inner))));
    out.push('\n');
    out
}

/// Breaks text at spaces into lines of at most `width` columns; a word that is longer is cut.
/// Indentation is kept as far as it fits. Control characters, which would break a frame, become
/// spaces.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        for piece in paragraph.split_inclusive(' ') {
            if line.width() + piece.trim_end().width() > width && !line.trim().is_empty() {
                lines.push(line.trim_end().to_owned());
                line.clear();
            }
            for c in piece.chars().map(|c| if c.is_control() { ' ' } else { c }) {
                line.push(c);
                // Measured as a whole: a selector or a joiner changes the width of what it follows.
                if line.width() > width {
                    line.pop();
                    if c != ' ' {
                        lines.push(std::mem::replace(&mut line, String::from(c)));
                    }
                }
            }
        }
        lines.push(line.trim_end().to_owned());
    }
    if lines.is_empty() {
        lines.push(String::new());
    }
    lines
}

fn widest_line(text: &str) -> usize {
    text.lines().map(UnicodeWidthStr::width).max().unwrap_or(0)
}

/// The width of a table of columns so wide, frame included.
fn total(widths: &[usize]) -> usize {
    widths.iter().sum::<usize>() + 3 * widths.len() + 1
}

fn edge(widths: &[usize], [left, fill, middle, right]: [&str; 4], paint: Paint) -> String {
    let spans: Vec<String> = widths.iter().map(|width| fill.repeat(width + 2)).collect();
    paint.apply(Style::Rule, &format!("{left}{}{right}", spans.join(middle))) + "\n"
}

fn centred(text: &str, width: usize) -> String {
    let spare = width.saturating_sub(text.width());
    format!("{}{text}", blank(spare / 2))
}

fn blank(width: usize) -> String {
    " ".repeat(width)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_frame_holds_whatever_the_text() {
        let mut table = Table::new("a title", [("Code", Align::Right), ("Message", Align::Left)]);
        table.row(vec!["500".into(), "宽字符 wide\tand a_very_long_word_that_nothing_can_break ".repeat(3)]);
        table.row(vec!["N/A".into(), String::new()]);
        let text = table.draw(60, Paint::none());
        for line in text.lines().skip(1) {
            assert_eq!(line.width(), 60, "{line}");
        }
    }

    #[test]
    fn the_frame_holds_whatever_a_server_says() {
        // A tab, an emoji made wide by its selector, or blanks, just where a line is full.
        for at_the_edge in ["\t", "\u{1b}", "\u{2764}\u{fe0f}", "\u{1f469}\u{200d}\u{1f680}", "   x", "宽"] {
            for length in 0..80 {
                let word = "a".repeat(length);
                for message in [
                    format!("{word}{at_the_edge}{word}"),
                    format!("{} {at_the_edge}{word}", " ".repeat(length)),
                ] {
                    let mut table = Table::new("t", [("Code", Align::Right), ("Message", Align::Left)]);
                    table.row(vec!["500".into(), message.clone()]);
                    for width in [30, 40, 60] {
                        let text = table.draw(width, Paint::none());
                        assert!(text.lines().skip(1).all(|line| line.width() <= width), "{message:?} {text}");
                    }
                    let text = panel("t", &message, 40, Paint::none());
                    assert!(text.lines().all(|line| line.width() <= 40), "{message:?} {text}");
                }
            }
        }
    }

    #[test]
    fn several_long_texts_are_narrowed_and_figures_are_not() {
        let mut table =
            Table::new("t", [("Count", Align::Right), ("Type", Align::Right), ("Message", Align::Left)]);
        let figure = "11,724,896,123,456.00";
        table.row(vec![figure.into(), "a long reason ".repeat(9), "a longer message ".repeat(9)]);
        let text = table.draw(80, Paint::none());
        assert!(text.lines().skip(1).all(|line| line.width() == 80), "{text}");
        assert!(text.contains(figure));
        // What cannot be narrowed further stays readable.
        let text = table.draw(20, Paint::none());
        assert!(text.contains(figure) && text.contains("a longer"), "{text}");
    }

    #[test]
    fn columns_that_can_be_spared_are_left_out_one_by_one_and_it_says_so() {
        let columns = ["Metric", "avg", "max", "std"].map(|name| (name, Align::Right));
        let mut table = Table::new("t", columns).sparing(&["std", "max"]);
        let label = "Active Decode Throughput Per User (tokens/sec/user)";
        table.row(vec![label.into(), "1,234.00".into(), "5,678.00".into(), "9,012.00".into()]);
        let drawn = |width: usize| {
            let text = table.draw(width, Paint::none());
            assert!(text.lines().all(|line| line.width() <= width), "{width}\n{text}");
            text
        };
        let whole = drawn(100);
        assert!(whole.contains("9,012.00") && !whole.contains("want of room"), "{whole}");
        // 17 for the label, 8 for each figure, and the frame.
        let narrow = drawn(17 + 3 * 8 + 13);
        assert!(narrow.contains("(tokens/sec/user)") && narrow.contains("9,012.00"), "{narrow}");
        let without = drawn(17 + 3 * 8 + 12);
        assert!(without.contains("5,678.00") && !without.contains("9,012.00"), "{without}");
        assert!(without.contains("for want of room without std: the CSV file has"), "{without}");
        let only = drawn(40);
        assert!(only.contains("1,234.00") && !only.contains("5,678.00"), "{only}");
        assert!(only.replace('\n', " ").contains("without std, max:"), "{only}");
    }

    #[test]
    fn a_long_head_over_short_figures_wraps() {
        let mut table =
            Table::new("t", [("Counted from", Align::Right), ("Request Latency p50", Align::Right)]);
        table.row(vec!["Start of work".into(), "139.91".into()]);
        let text = table.draw(32, Paint::none());
        assert!(text.lines().all(|line| line.width() <= 32), "{text}");
        assert!(text.contains("Latency") && text.contains("139.91"), "{text}");
    }

    #[test]
    fn text_wraps_at_spaces_and_cuts_only_what_must_be_cut() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("abcdefghij", 4), ["abcd", "efgh", "ij"]);
        assert_eq!(wrap("", 4), [""]);
        assert_eq!(wrap("  indented", 20), ["  indented"]);
    }

    #[test]
    fn a_panel_is_as_wide_as_it_needs() {
        let text = panel("Title", "short\na line that is somewhat longer", 80, Paint::none());
        insta::assert_snapshot!(text, @"
        ╭───────────── Title ──────────────╮
        │  short                           │
        │  a line that is somewhat longer  │
        ╰──────────────────────────────────╯
        ");
    }
}
