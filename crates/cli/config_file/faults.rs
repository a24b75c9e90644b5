//! What is wrong with a configuration file, each fault with its place; and what is right, but not built yet.

use std::fmt;

use super::yaml::Mark;

/// Faults in the order they were found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Faults(Vec<Fault>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Fault {
    at: Mark,
    path: String,
    what: String,
    is_unbuilt: bool,
}

impl Faults {
    /// Notes that the value at `path` is wrong, and what would be right.
    pub(super) fn add(&mut self, at: Mark, path: &str, what: impl Into<String>) {
        self.0.push(Fault { at, path: path.to_owned(), what: what.into(), is_unbuilt: false });
    }

    /// Notes that the value at `path` is right but cannot be run here yet.
    pub(super) fn unbuilt(&mut self, at: Mark, path: &str, what: impl Into<String>) {
        self.0.push(Fault { at, path: path.to_owned(), what: what.into(), is_unbuilt: true });
    }

    /// Whether the file is right, whether or not it can be run.
    pub(super) fn is_right(&self) -> bool {
        self.wrong() == 0
    }

    /// How many faults make the file wrong.
    pub(super) fn wrong(&self) -> usize {
        self.0.iter().filter(|fault| !fault.is_unbuilt).count()
    }

    /// Whether nothing is wrong.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The faults, each a line that begins with the file's name.
    pub(super) fn of_file(&self, file: &str) -> String {
        let mut lines: Vec<String> = Vec::new();
        for line in self.0.iter().map(|fault| fault.line(Some(file))) {
            // The points of a sweep share most of their faults.
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
        lines.join("\nerror: ")
    }
}

impl Fault {
    fn line(&self, file: Option<&str>) -> String {
        let place = match (file, self.at.line) {
            (Some(file), 0) => format!("{file}: "),
            (None, 0) => String::new(),
            (Some(file), line) => format!("{file}:{line}:{}: ", self.at.column),
            (None, line) => format!("{line}:{}: ", self.at.column),
        };
        let path = if self.path.is_empty() { String::new() } else { format!("{}: ", self.path) };
        format!("{place}{path}{}", self.what)
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.0.iter().map(|fault| fault.line(None)).collect();
        f.write_str(&lines.join("\n"))
    }
}
