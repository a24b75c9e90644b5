//! What is wrong with a configuration file, each fault with its place.

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
}

impl Faults {
    /// Notes that the value at `path` is wrong, and what would be right.
    pub(super) fn add(&mut self, at: Mark, path: &str, what: impl Into<String>) {
        self.0.push(Fault { at, path: path.to_owned(), what: what.into() });
    }

    /// Whether nothing is wrong.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The faults, each a line that begins with the file's name.
    pub(super) fn of_file(&self, file: &str) -> String {
        let lines: Vec<String> = self.0.iter().map(|fault| fault.line(Some(file))).collect();
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
