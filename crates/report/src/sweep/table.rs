//! What is printed of a sweep: a row a point, and which stand out.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthStr;

use super::{Standout, Sweep};
use crate::python::python_text;

/// The figures shown: the column's head, its two lines, and where the figure is found.
const SHOWN: [(&str, &str, &str, &str); 6] = [
    ("Requests", "per s", "request_throughput", "avg"),
    ("Output", "tokens/s", "output_token_throughput", "avg"),
    ("TTFT p99", "ms", "time_to_first_token", "p99"),
    ("ITL p99", "ms", "inter_token_latency", "p99"),
    ("Latency p95", "ms", "request_latency", "p95"),
    ("Goodput", "per s", "goodput", "avg"),
];

/// The table: points, their figures (means over their runs), and a star beside those that no other
/// point beats in throughput and latency, a dagger beside those that were cut short. Figures that no point has are left out.
pub fn sweep_table(sweep: &Sweep) -> String {
    let shown: Vec<_> = SHOWN
        .into_iter()
        .filter(|(_, _, tag, statistic)| {
            sweep.points.iter().any(|point| point.figures.figure(tag, statistic).is_some())
        })
        .collect();
    let mut rows: Vec<Vec<String>> = Vec::new();
    let heads = |line: usize| {
        let parameters = sweep.heads.iter().map(|head| if line == 0 { head.clone() } else { String::new() });
        let figures = shown.iter().map(|(head, unit, ..)| if line == 0 { *head } else { *unit }.to_owned());
        let runs = if line == 0 { "Runs" } else { "" };
        parameters.chain(figures).chain([runs.to_owned(), String::new()]).collect::<Vec<_>>()
    };
    rows.push(heads(0));
    rows.push(heads(1));
    for (place, point) in sweep.points.iter().enumerate() {
        let parameters = sweep
            .parameters
            .iter()
            .map(|(name, _)| point.parameters.get(name).map_or_else(String::new, python_text));
        let figures = shown.iter().map(|(_, _, tag, statistic)| {
            point
                .figures
                .figure(tag, statistic)
                .map_or_else(|| "N/A".to_owned(), |figure| format!("{figure:.2}"))
        });
        let mark = match (point.is_cut_short, sweep.standouts.pareto.contains(&place)) {
            (true, _) => "†",
            (false, true) => "*",
            (false, false) => "",
        };
        rows.push(parameters.chain(figures).chain([point.runs.to_string(), mark.to_owned()]).collect());
    }
    let width = |column: usize| rows.iter().map(|row| row[column].width()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..rows[0].len()).map(width).collect();
    let mut text = String::from("\nSweep\n");
    for (number, row) in rows.iter().enumerate() {
        let cells = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{}{cell}", " ".repeat(width - cell.width())));
        let line = cells.collect::<Vec<_>>().join("  ");
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}", line.trim_end());
        if number == 1 {
            let _ = writeln!(text, "{}", "─".repeat(widths.iter().sum::<usize>() + 2 * (widths.len() - 1)));
        }
    }
    if !sweep.standouts.pareto.is_empty() {
        text.push_str("* no other point has at least as much throughput at no more latency (p99)\n");
    }
    if sweep.points.iter().any(|point| point.is_cut_short) {
        text.push_str(
            "† cut short: these are the figures of the part that was made, and are compared with no others\n",
        );
    }
    text
}

/// The best points in words, as AIPerf says them; empty where there are none.
pub fn best_configurations(sweep: &Sweep) -> String {
    let standouts = &sweep.standouts;
    let mut lines = Vec::new();
    for (name, standout) in [("throughput", &standouts.throughput), ("latency (p99)", &standouts.latency)] {
        let Some(Standout { point, figure, unit }) = standout else { continue };
        lines.push(format!("  Best {name}: {} ({figure:.2} {unit})", in_words(sweep, *point)));
    }
    if lines.is_empty() {
        return String::new();
    }
    if !standouts.pareto.is_empty() {
        let points: Vec<String> =
            standouts.pareto.iter().map(|point| format!("{{{}}}", in_words(sweep, *point))).collect();
        lines.push(format!("  Pareto optimal points: {}", points.join(" ")));
    }
    if !sweep.constraints.is_empty() {
        lines.push(format!(
            "  {} of {} points meet {}",
            standouts.feasible,
            sweep.points.len(),
            sweep.constraints.join(" and ")
        ));
    }
    format!("\nBest Configurations:\n{}\n", lines.join("\n"))
}

fn in_words(sweep: &Sweep, point: usize) -> String {
    let values = sweep.parameters_of(point).iter();
    values.map(|(name, value)| format!("{name}={}", python_text(value))).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn the_table_has_a_row_a_point_and_stars_the_unbeaten() {
        let mut sweep = sample::repeated();
        sweep.standouts.pareto = vec![1];
        assert_eq!(
            sweep_table(&sweep),
            "\nSweep\n\
             concurrency  Requests  TTFT p99  Runs\n\
             \x20               per s        ms\n\
             ────────────────────────────────────────\n\
             \x20         1     10.00     25.00     2\n\
             \x20         2     20.00     45.00     2  *\n\
             * no other point has at least as much throughput at no more latency (p99)\n"
        );
    }

    #[test]
    fn a_point_that_was_cut_short_is_marked() {
        let mut sweep = sample::repeated();
        sweep.standouts.pareto = vec![0];
        assert!(!sweep_table(&sweep).contains('†'));
        sweep.points[1].is_cut_short = true;
        let table = sweep_table(&sweep);
        assert!(table.contains("45.00     2  †\n") && table.contains("25.00     2  *\n"), "{table}");
        assert!(table.contains("\n† cut short: "), "{table}");
    }

    #[test]
    fn the_best_points_are_said_as_aiperf_says_them() {
        let mut sweep = sample::repeated();
        assert_eq!(
            best_configurations(&sweep),
            "\nBest Configurations:\n  Best throughput: concurrency=2 (20.00 requests/sec)\n  \
             Best latency (p99): concurrency=1 (25.00 ms)\n  \
             Pareto optimal points: {concurrency=1} {concurrency=2}\n"
        );
        sweep.constraints = vec!["time_to_first_token:p99:le:30".to_owned()];
        assert!(best_configurations(&sweep).contains("2 of 2 points meet time_to_first_token:p99:le:30"));
        sweep.standouts = super::super::SweepStandouts::default();
        assert_eq!(best_configurations(&sweep), "");
    }
}
