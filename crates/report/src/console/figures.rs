//! The tables of metrics.

use std::cmp::Reverse;
use std::fmt::Write as _;

use loadgen_metrics::{ConsoleGroup, MetricSummary, Stats, Summary};

use super::MISSING;
use super::paint::Paint;
use super::table::{Align, Table};
use crate::info::{Report, RunInfo};

/// A header longer than this puts its unit on a second line, as AIPerf does.
const LONGEST_HEADER: usize = 30;

const COLUMNS: [(&str, Align); 8] = [
    ("Metric", Align::Right),
    ("avg", Align::Right),
    ("min", Align::Right),
    ("max", Align::Right),
    ("p99", Align::Right),
    ("p90", Align::Right),
    ("p50", Align::Right),
    ("std", Align::Right),
];

/// What a narrow terminal does without, the first of them first.
pub(super) const SPARE: [&str; 3] = ["std", "p90", "min"];

/// One table for each group that has metrics, the main one last.
pub(super) fn tables(report: &Report<'_>, trace_timing: bool, width: usize, paint: Paint) -> Vec<String> {
    let RunInfo { product, metrics_title, .. } = report.info;
    let title = |group| match group {
        ConsoleGroup::HttpTrace => format!("{product} | HTTP Trace Timing"),
        ConsoleGroup::Effective => format!("{product} | {metrics_title}: Effective"),
        ConsoleGroup::Active => format!("{product} | {metrics_title}: Active"),
        ConsoleGroup::Usage => format!("{product} | {metrics_title}: Usage"),
        _ => format!("{product} | {metrics_title}"),
    };
    let groups = [
        ConsoleGroup::HttpTrace,
        ConsoleGroup::Effective,
        ConsoleGroup::Active,
        ConsoleGroup::Usage,
        ConsoleGroup::Main,
    ];
    let wanted = groups.into_iter().filter(|group| trace_timing || *group != ConsoleGroup::HttpTrace);
    wanted.filter_map(|group| table(report.summary, group, &title(group), width, paint)).collect()
}

/// The table of drafts and their acceptance, and how many drafts the steps accepted.
pub(super) fn spec_decode(report: &Report<'_>, width: usize, paint: Paint) -> Option<String> {
    /// Numbers of drafts shown one by one; what lies above is summed up.
    const SHOWN: u32 = 8;
    let RunInfo { product, metrics_title, .. } = report.info;
    let title = format!("{product} | {metrics_title}: Spec Decode");
    let mut text = table(report.summary, ConsoleGroup::SpecDecode, &title, width, paint)?;
    let histogram = &report.summary.acceptance_histogram;
    let all: u64 = histogram.values().sum();
    let share = |steps: u64| format!("{:.0}%", 100.0 * steps as f64 / all as f64);
    let most = histogram.keys().next_back().copied().unwrap_or(0);
    let mut parts: Vec<String> = (0..=most.min(SHOWN - 1))
        .map(|accepted| format!("{accepted}: {}", share(histogram.get(&accepted).copied().unwrap_or(0))))
        .collect();
    if most >= SHOWN {
        let beyond = histogram.range(SHOWN..).map(|(_, steps)| steps).sum();
        parts.push(format!(">={SHOWN}: {}", share(beyond)));
    }
    if all > 0 {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  Accepted drafts per step (% of steps):  {}", parts.join("   "));
    }
    Some(text)
}

fn table(summary: &Summary, group: ConsoleGroup, title: &str, width: usize, paint: Paint) -> Option<String> {
    let rows = console_rows(summary, group);
    if rows.is_empty() {
        return None;
    }
    let mut table = Table::new(title, COLUMNS).sparing(&SPARE);
    for m in rows {
        let mut cells = vec![label(m)];
        cells.extend(figures(&m.stats).map(figure));
        table.row(cells);
    }
    Some(table.draw(width, paint))
}

/// The group's metrics in display order; those without a position follow in registry order.
pub(crate) fn console_rows(summary: &Summary, group: ConsoleGroup) -> Vec<&MetricSummary> {
    let shown = |m: &&MetricSummary| m.metric.console == Some(group) && !m.metric.error_only;
    let mut rows: Vec<&MetricSummary> = summary.metrics.iter().filter(shown).collect();
    // `Some` before `None`, each ascending; the sort is stable.
    rows.sort_by_key(|m| (Reverse(m.metric.order.is_some()), m.metric.order));
    rows
}

/// avg, min, max, p99, p90, p50, std.
pub(crate) fn figures(stats: &Stats) -> [Option<f64>; 7] {
    let p = |percent| stats.percentile(percent);
    [stats.avg, stats.min, stats.max, p(99), p(90), p(50), stats.std]
}

fn label(m: &MetricSummary) -> String {
    let (header, unit) = (m.metric.header, m.metric.unit.label());
    let between = if header.chars().count() > LONGEST_HEADER { '\n' } else { ' ' };
    format!("{header}{between}({unit})")
}

/// Two decimals, thousands parted by commas.
pub(crate) fn figure(value: Option<f64>) -> String {
    let Some(value) = value.filter(|v| v.is_finite()) else { return MISSING.to_owned() };
    let plain = format!("{value:.2}");
    let (sign, digits) = plain.strip_prefix('-').map_or(("", plain.as_str()), |rest| ("-", rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "00"));
    format!("{sign}{}.{fraction}", grouped(whole))
}

/// Digits with a comma before every third one from the right.
pub fn grouped(digits: &str) -> String {
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_as_pythons_format_writes_them() {
        assert_eq!(figure(Some(1_234_567.891)), "1,234,567.89");
        assert_eq!(figure(Some(-1234.5)), "-1,234.50");
        assert_eq!(figure(Some(999.995)), "1,000.00");
        assert_eq!(figure(Some(0.125)), "0.12");
        assert_eq!(figure(Some(100.0)), "100.00");
        assert_eq!(figure(None), "N/A");
        assert_eq!(figure(Some(f64::NAN)), "N/A");
    }
}
