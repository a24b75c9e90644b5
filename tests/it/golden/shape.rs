//! The shape of a run's folder: what neither time nor a random draw can change.
//!
//! Which files there are; of JSON its keys, units and kinds of values; of a CSV its sections, columns and row
//! names; of lines their keys and units and how many there are; and the few figures that are the same in every
//! run of one command. The same code takes the shape of AIPerf's folders (kept in `cases/`) and of ours.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Metrics whose average is the same in every run of one command.
const STEADY: [&str; 10] = [
    "request_count",
    "error_request_count",
    "output_sequence_length",
    "output_token_count",
    "reasoning_token_count",
    "total_osl",
    "total_output_tokens",
    "request_error_rate",
    "usage_completion_tokens",
    "completed_request_count",
];

/// A folder: its files by their names below it.
pub(crate) type Folder = BTreeMap<String, File>;

/// One file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum File {
    /// Only that it is there.
    Present,
    /// A JSON document.
    Json(Node),
    /// A CSV: whether its lines end with CRLF, and its sections.
    Csv { crlf: bool, sections: Vec<Section> },
    /// A JSON document a line: how many, and each key that any of them has, with its unit.
    Lines { count: usize, keys: BTreeMap<String, Option<String>> },
}

/// A block of a CSV between empty lines.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Section {
    pub(crate) columns: Vec<String>,
    /// First cells of its rows.
    pub(crate) rows: Vec<String>,
}

/// A JSON value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Node {
    /// `number`, `text`, `bool`, `null` or `list`; a metric is `metric UNIT: KEYS`, with its average if steady.
    Leaf(String),
    Object(BTreeMap<String, Node>),
}

/// Takes the shape of a folder. Logs and what is not text are left out. `plain` is given the text of each file
/// first, and may take from it what differs from host to host.
pub(crate) fn of(folder: &Path, plain: impl Fn(&str) -> String) -> Folder {
    let mut found = Folder::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(at) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&at) else { continue };
        for path in entries.map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                // Our journal is no file of AIPerf's, and its logs are not the same twice.
                if !matches!(name_of(&path).as_str(), "logs" | "journal") {
                    folders.push(path);
                }
                continue;
            }
            let name = path.strip_prefix(folder).unwrap().to_string_lossy().into_owned();
            found.insert(name, file(&path, &plain));
        }
    }
    found
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn file(path: &PathBuf, plain: &dyn Fn(&str) -> String) -> File {
    let name = name_of(path);
    let bytes = std::fs::read(path).unwrap();
    let text = plain(&String::from_utf8_lossy(&bytes));
    let extension = path.extension().and_then(OsStr::to_str).unwrap_or_default();
    match extension {
        "jsonl" => return lines(&text),
        "csv" => return File::Csv { crlf: text.contains("\r\n"), sections: sections(&text) },
        _ => {}
    }
    // A hand-over between AIPerf's own processes, and a file of bodies.
    let is_opaque = name.starts_with('.') || matches!(name.as_str(), "inputs.json" | "run_config.json");
    if extension == "json" && !is_opaque {
        return File::Json(node("", &serde_json::from_str(&text).unwrap()));
    }
    File::Present
}

fn node(key: &str, value: &Value) -> Node {
    let leaf = |text: &str| Node::Leaf(text.to_owned());
    match value {
        Value::Null => leaf("null"),
        Value::Bool(_) => leaf("bool"),
        Value::Number(_) => leaf("number"),
        Value::String(_) => leaf("text"),
        Value::Array(_) => leaf("list"),
        Value::Object(object) => match metric(key, value) {
            Some(metric) => Node::Leaf(metric),
            // Only what the user set stands there, in a form that is AIPerf's own.
            None if key == "input_config" => Node::Object(BTreeMap::new()),
            None => Node::Object(object.iter().map(|(key, value)| (key.clone(), node(key, value))).collect()),
        },
    }
}

/// An object that is a unit and figures; a figure may be null (there is no t for a single run).
fn metric(key: &str, value: &Value) -> Option<String> {
    let object = value.as_object()?;
    let unit = object.get("unit")?.as_str()?;
    let mut keys = Vec::new();
    for (key, value) in object.iter().filter(|(key, _)| *key != "unit") {
        if !value.is_number() && !value.is_null() {
            return None;
        }
        keys.push(key.as_str());
    }
    keys.sort_unstable();
    let steady = match object.get("avg") {
        Some(average) if STEADY.contains(&key) => format!(" = {average}"),
        _ => String::new(),
    };
    Some(format!("metric {unit}: {}{steady}", keys.join(" ")))
}

fn lines(text: &str) -> File {
    let mut keys = BTreeMap::new();
    let mut count = 0;
    for line in text.lines() {
        count += 1;
        let value: Value = serde_json::from_str(line).unwrap();
        for (key, value) in value.as_object().unwrap() {
            match (key.as_str(), value.as_object()) {
                ("metadata" | "metrics", Some(inner)) => {
                    for (name, value) in inner {
                        let unit = value.get("unit").and_then(Value::as_str).map(str::to_owned);
                        keys.insert(format!("{key}.{name}"), unit);
                    }
                }
                _ => {
                    keys.insert(key.clone(), None);
                }
            }
        }
    }
    File::Lines { count, keys }
}

fn sections(text: &str) -> Vec<Section> {
    let mut sections = Vec::new();
    let mut block: Vec<Vec<String>> = Vec::new();
    // Comments at the head say which run it was.
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    for row in lines.map(cells).chain([Vec::new()]) {
        if row.iter().any(|cell| !cell.is_empty()) {
            block.push(row);
            continue;
        }
        if let Some((columns, rows)) = std::mem::take(&mut block).split_first() {
            // A row that begins with a number is named by what was measured.
            let rows = rows.iter().map(|row| &row[0]).filter(|name| name.parse::<f64>().is_err());
            let mut rows: Vec<String> = rows.cloned().collect();
            rows.dedup();
            sections.push(Section { columns: columns.clone(), rows });
        }
    }
    sections
}

/// Cells of one line; a quoted cell may hold commas, and no CSV of ours or AIPerf's has a line break in a cell.
fn cells(line: &str) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut is_quoted = false;
    for letter in line.trim_end_matches('\r').chars() {
        match letter {
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => cells.push(String::new()),
            other => cells.last_mut().unwrap().push(other),
        }
    }
    if line.is_empty() { Vec::new() } else { cells }
}
