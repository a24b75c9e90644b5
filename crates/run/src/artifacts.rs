//! The result folder: its name, and the names of the files in it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Suffixes that AIPerf strips from a given prefix, longest first, so that a file name given as a
/// prefix does what was meant.
const KNOWN_SUFFIXES: [&str; 14] = [
    "_server_metrics.parquet",
    "_server_metrics.jsonl",
    "_server_metrics.json",
    "_network_latency.jsonl",
    "_server_metrics.csv",
    "_gpu_telemetry.jsonl",
    "_timeslices.json",
    "_timeslices.csv",
    "_console.txt",
    "_raw.jsonl",
    ".parquet",
    ".jsonl",
    ".json",
    ".csv",
];

/// Where a run's files are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifacts {
    /// The folder.
    pub dir: PathBuf,
    /// The base name of the exported files, when the user gave one.
    pub prefix: Option<String>,
}

impl Artifacts {
    /// The files of `dir`; known suffixes are taken off the prefix.
    pub fn new(dir: PathBuf, prefix: Option<&str>) -> Self {
        let stripped = prefix.map(|prefix| {
            let suffix = KNOWN_SUFFIXES.iter().find(|suffix| prefix.ends_with(**suffix));
            prefix.strip_suffix(suffix.copied().unwrap_or("")).unwrap_or(prefix).to_owned()
        });
        Self { dir, prefix: stripped.filter(|prefix| !prefix.is_empty()) }
    }

    /// The same files, looked for in another folder: a run's folder may have been moved.
    pub fn in_dir(&self, dir: &Path) -> Self {
        Self { dir: dir.to_owned(), prefix: self.prefix.clone() }
    }

    /// The summary, as JSON.
    pub fn summary_json(&self) -> PathBuf {
        self.named("profile_export_aiperf", ".json")
    }

    /// The summary, as CSV.
    pub fn summary_csv(&self) -> PathBuf {
        self.named("profile_export_aiperf", ".csv")
    }

    /// The records, a line each.
    pub fn records_jsonl(&self) -> PathBuf {
        self.named("profile_export", ".jsonl")
    }

    /// The records with every chunk.
    pub fn parquet(&self) -> PathBuf {
        self.named("profile_export", ".parquet")
    }

    /// The console's tables.
    pub fn console_txt(&self) -> PathBuf {
        match &self.prefix {
            Some(prefix) => self.dir.join(format!("{prefix}_console.txt")),
            None => self.dir.join("profile_export_console.txt"),
        }
    }

    /// The dataset's request bodies.
    pub fn inputs_json(&self) -> PathBuf {
        self.dir.join("inputs.json")
    }

    /// The verdict on the client.
    pub fn measurement_quality(&self) -> PathBuf {
        self.dir.join("measurement_quality.json")
    }

    /// What was measured, with what, where.
    pub fn provenance(&self) -> PathBuf {
        self.dir.join("provenance.json")
    }

    /// The page.
    pub fn html(&self) -> PathBuf {
        self.dir.join("report.html")
    }

    /// The journal's folder.
    pub fn journal(&self) -> PathBuf {
        self.dir.join("journal")
    }

    /// Copies of attached files.
    pub fn attachments(&self) -> PathBuf {
        self.dir.join("attachments")
    }

    /// Written last, when everything else is there.
    pub fn ready_marker(&self) -> PathBuf {
        self.dir.join(".aiperf_results_ready.json")
    }

    fn named(&self, default: &str, suffix: &str) -> PathBuf {
        let base = self.prefix.as_deref().unwrap_or(default);
        self.dir.join(format!("{base}{suffix}"))
    }
}

/// The name of a run's folder when the user gives none: AIPerf's
/// `<model>-openai-<endpoint>-<stimulus>`.
pub fn run_name(models: &[String], endpoint: &str, stimulus: &str) -> String {
    let mut model = models.first().cloned().unwrap_or_default();
    if models.len() > 1 {
        model.push_str("_multi");
    }
    format!("{}-openai-{endpoint}-{stimulus}", model.replace('/', "_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_given_as_prefix_loses_its_suffix() {
        let artifacts = Artifacts::new("out".into(), Some("my_run.json"));
        assert_eq!(artifacts.summary_json(), Path::new("out/my_run.json"));
        assert_eq!(artifacts.records_jsonl(), Path::new("out/my_run.jsonl"));
        assert_eq!(artifacts.console_txt(), Path::new("out/my_run_console.txt"));
        assert_eq!(artifacts.inputs_json(), Path::new("out/inputs.json"));
        assert_eq!(Artifacts::new("o".into(), Some("p_timeslices.csv")).prefix.as_deref(), Some("p"));
    }

    #[test]
    fn default_names_are_those_that_scripts_look_for() {
        let artifacts = Artifacts::new("out".into(), None);
        assert_eq!(artifacts.summary_json(), Path::new("out/profile_export_aiperf.json"));
        assert_eq!(artifacts.parquet(), Path::new("out/profile_export.parquet"));
    }

    #[test]
    fn folders_are_named_as_aiperf_names_them() {
        assert_eq!(run_name(&["m".into()], "chat", "concurrency2"), "m-openai-chat-concurrency2");
        assert_eq!(
            run_name(&["a/b".into(), "c".into()], "chat", "request_rate20.0"),
            "a_b_multi-openai-chat-request_rate20.0"
        );
    }
}
