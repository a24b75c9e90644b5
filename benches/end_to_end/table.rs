//! The one table: on a terminal, as Markdown, and as JSON.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::figure::{Goal, Measured, Standing};

/// All runs of a case.
#[derive(Debug)]
pub(crate) struct Section {
    /// The case's name.
    pub(crate) case: &'static str,
    /// What it does.
    pub(crate) about: &'static str,
    /// Its figures.
    pub(crate) figures: Vec<Measured>,
    /// The most of the machine that others took during a run that was kept, in percent.
    pub(crate) steal: f64,
    /// Runs that were thrown away because others took more than they may.
    pub(crate) repeated: u32,
    /// Why it could not be run to its end.
    pub(crate) failure: Option<String>,
}

/// Facts that the table stands under.
#[derive(Debug)]
pub(crate) struct Setting {
    /// The machine.
    pub(crate) host: String,
    /// Load average before the first case: a busy machine measures itself.
    pub(crate) load_before: Option<f64>,
    /// Version of loadgen.
    pub(crate) loadgen: &'static str,
    /// Whether cases ran at full size.
    pub(crate) full: bool,
}

const HEADINGS: [&str; 9] = ["case", "figure", "median", "worst", "floor", "aim", "", "wrk", "AIPerf"];

/// The table as rows of cells, headings first.
fn cells(sections: &[Section]) -> Vec<[String; 9]> {
    let mut rows = vec![HEADINGS.map(str::to_owned)];
    for section in sections {
        let mut case = section.case.to_owned();
        for measured in &section.figures {
            let show =
                |value: Option<f64>| value.map_or_else(String::new, |value| measured.figure.unit.show(value));
            let bound = |value: Option<f64>| {
                let sign = if measured.figure.goal.wants_less() { "≤" } else { "≥" };
                value.map_or_else(String::new, |value| format!("{sign} {}", measured.figure.unit.show(value)))
            };
            let goal: Goal = measured.figure.goal;
            rows.push([
                std::mem::take(&mut case),
                measured.figure.label.to_owned(),
                show(measured.median()),
                show(measured.worst()),
                bound(goal.floor()),
                bound(goal.aim()),
                mark(measured.standing()).to_owned(),
                show(measured.wrk),
                show(measured.aiperf),
            ]);
        }
    }
    rows
}

/// One sign for how a figure stands.
fn mark(standing: Standing) -> &'static str {
    match standing {
        Standing::Free => "",
        Standing::Missing => "?",
        Standing::Broken => "✗",
        Standing::MedianHolds => "≈",
        Standing::Holds => "✓",
        Standing::Aimed => "✓✓",
    }
}

/// What the signs mean.
const LEGEND: &str = "✓✓ every run keeps to the floor, the median to the aim · ✓ every run keeps to the floor · \
                      ≈ the median does, the worst run does not · ✗ not even the median · ? not measured";

/// The table, in columns.
pub(crate) fn plain(setting: &Setting, sections: &[Section]) -> String {
    let rows = cells(sections);
    let widths: Vec<usize> = (0..HEADINGS.len())
        .map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0))
        .collect();
    let mut text = format!("{}\n\n", headline(setting));
    for (index, row) in rows.iter().enumerate() {
        let line: Vec<String> = row
            .iter()
            .zip(&widths)
            .enumerate()
            .map(|(column, (cell, width))| {
                let padding = " ".repeat(width - cell.chars().count());
                // Names stand at the left, figures at the right.
                if column < 2 { format!("{cell}{padding}") } else { format!("{padding}{cell}") }
            })
            .collect();
        text += line.join("  ").trim_end();
        text.push('\n');
        if index == 0 {
            text += &"─".repeat(widths.iter().sum::<usize>() + 2 * (widths.len() - 1));
            text.push('\n');
        }
    }
    text.push('\n');
    text += LEGEND;
    text.push('\n');
    text + &notes(sections)
}

/// The table, as Markdown.
pub(crate) fn markdown(setting: &Setting, sections: &[Section]) -> String {
    let mut text = format!("{}\n\n", headline(setting));
    for (index, row) in cells(sections).iter().enumerate() {
        text.extend(["| ", &row.join(" | "), " |\n"]);
        if index == 0 {
            text += "|---|---|--:|--:|--:|--:|:-:|--:|--:|\n";
        }
    }
    text + "\n" + LEGEND + "\n" + &notes(sections)
}

fn headline(setting: &Setting) -> String {
    let load = setting.load_before.map_or_else(String::new, |load| format!(", load {load:.1} before"));
    let size = if setting.full { ", full size" } else { "" };
    format!("loadgen {} on {}{load}{size}", setting.loadgen, setting.host)
}

/// What stands under the table: failures, and what the machine did.
fn notes(sections: &[Section]) -> String {
    let mut notes = Vec::new();
    for section in sections {
        let case = section.case;
        if let Some(failure) = &section.failure {
            notes.push(format!("{case}: failed: {failure}\n"));
        }
        if section.repeated > 0 {
            notes.push(format!("{case}: {} runs repeated for steal\n", section.repeated));
        }
        if section.steal > crate::STEAL_LIMIT_PERCENT {
            notes.push(format!(
                "{case}: others took up to {:.1} % of the machine during runs that count: do not trust its times\n",
                section.steal
            ));
        }
    }
    notes.concat()
}

fn to_json(setting: &Setting, sections: &[Section]) -> Value {
    let cases: Vec<Value> = sections
        .iter()
        .map(|section| {
            json!({
                "case": section.case,
                "about": section.about,
                "figures": section.figures.iter().map(Measured::to_json).collect::<Vec<_>>(),
                "steal_percent": section.steal,
                "repeated": section.repeated,
                "failure": section.failure,
            })
        })
        .collect();
    json!({
        "loadgen": setting.loadgen,
        "host": setting.host,
        "load_before": setting.load_before,
        "full": setting.full,
        "cases": cases,
    })
}

/// Keeps the table in `folder`, as `end_to_end.json` and `end_to_end.md`.
pub(crate) fn keep(folder: &Path, setting: &Setting, sections: &[Section]) -> Result<()> {
    let write = |name: &str, text: String| {
        let path = folder.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    };
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    write("end_to_end.json", serde_json::to_string_pretty(&to_json(setting, sections))? + "\n")?;
    write("end_to_end.md", markdown(setting, sections))
}

#[cfg(test)]
#[allow(dead_code, unused_imports, reason = "a bench is built with cfg(test) and without its tests")]
mod tests {
    use super::*;
    use crate::figure::{Figure, Samples, Unit, Who};

    fn section() -> Section {
        let figure = Figure::at_most("gap", "gap error p99", Unit::Ms, 1.0, 0.2);
        let mut samples = Samples::default();
        samples.put("gap", 0.5);
        samples.put_peer("gap", Who::Aiperf, 65.0);
        Section {
            case: "calm",
            about: "streams in peace",
            figures: vec![Measured::gather(figure, &[samples])],
            steal: 3.0,
            repeated: 2,
            failure: None,
        }
    }

    fn setting() -> Setting {
        Setting { host: "a host".to_owned(), load_before: Some(0.5), loadgen: "0.0.0", full: false }
    }

    #[test]
    fn a_row_says_what_was_measured_what_was_asked_and_what_peers_do() {
        let text = markdown(&setting(), &[section()]);
        let row =
            "| calm | gap error p99 | 0.500 ms | 0.500 ms | ≤ 1.000 ms | ≤ 0.200 ms | ✓ |  | 65.000 ms |";
        assert!(text.contains(row), "{text}");
        assert!(text.contains("2 runs repeated for steal") && text.contains("3.0 %"), "{text}");
    }

    #[test]
    fn columns_line_up() {
        let text = plain(&setting(), &[section()]);
        let lines: Vec<&str> = text.lines().skip(2).take(3).collect();
        let at = |line: &str, what: &str| line.find(what).map(|byte| line[..byte].chars().count());
        assert_eq!(
            at(lines[0], "AIPerf").map(|start| start + "AIPerf".len()),
            at(lines[2], "65.000 ms").map(|start| start + "65.000 ms".len())
        );
        assert_eq!(to_json(&setting(), &[section()])["cases"][0]["figures"][0]["standing"], "Holds");
    }
}
