//! The result folder: its name, and the names of the files in it.

use std::path::{Component, Path, PathBuf};

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

/// The formats in which the servers' metrics are written.
const SERVER_METRICS_FORMATS: [&str; 4] = ["json", "csv", "jsonl", "parquet"];

/// Where a run's files are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifacts {
    /// The folder.
    pub dir: PathBuf,
    /// What the names of the exported files begin with, when the user gave it. It may begin with folders: below
    /// `dir`, or, as with AIPerf, anywhere.
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
        self.suffixed("profile_export_aiperf", ".json")
    }

    /// The summary, as CSV.
    pub fn summary_csv(&self) -> PathBuf {
        self.suffixed("profile_export_aiperf", ".csv")
    }

    /// The records, a line each.
    pub fn records_jsonl(&self) -> PathBuf {
        self.suffixed("profile_export", ".jsonl")
    }

    /// The records with every chunk.
    pub fn parquet(&self) -> PathBuf {
        self.suffixed("profile_export", ".parquet")
    }

    /// The console's tables.
    pub fn console_txt(&self) -> PathBuf {
        self.suffixed("profile_export", "_console.txt")
    }

    /// What went over the wire, a line a request.
    pub fn raw_jsonl(&self) -> PathBuf {
        self.suffixed("profile_export", "_raw.jsonl")
    }

    /// The metrics of each slice of time, as JSON.
    pub fn timeslices_json(&self) -> PathBuf {
        self.suffixed("profile_export_aiperf", "_timeslices.json")
    }

    /// The metrics of each slice of time, as CSV.
    pub fn timeslices_csv(&self) -> PathBuf {
        self.suffixed("profile_export_aiperf", "_timeslices.csv")
    }

    /// The round trips that were measured to tell the network's share.
    pub fn network_latency_jsonl(&self) -> PathBuf {
        self.suffixed("profile_export", "_network_latency.jsonl")
    }

    /// What the graphics cards said.
    pub fn gpu_telemetry_jsonl(&self) -> PathBuf {
        match &self.prefix {
            Some(prefix) => self.dir.join(format!("{prefix}_gpu_telemetry.jsonl")),
            None => self.dir.join("gpu_telemetry_export.jsonl"),
        }
    }

    /// What the servers' metrics were; `extension` without its dot: `json`, `csv`, `jsonl`, `parquet`.
    pub fn server_metrics(&self, extension: &str) -> PathBuf {
        match &self.prefix {
            Some(prefix) => self.dir.join(format!("{prefix}_server_metrics.{extension}")),
            None => self.dir.join(format!("server_metrics_export.{extension}")),
        }
    }

    /// What the server answered, request by request. No prefix changes its name.
    pub fn outputs_json(&self) -> PathBuf {
        self.dir.join("outputs.json")
    }

    /// What the phases were, where there is more than one.
    pub fn phase_manifest(&self) -> PathBuf {
        self.dir.join("phase_manifest.json")
    }

    /// The folder of the phases' own summaries.
    pub fn phases(&self) -> PathBuf {
        self.dir.join("phases")
    }

    /// The summaries of one phase: the same file names in a folder of its own, without the prefix's folders.
    pub fn of_phase(&self, name: &str) -> Self {
        let stem = |prefix: &String| prefix.rsplit('/').next().unwrap_or_default().to_owned();
        Self { dir: self.phases().join(name), prefix: self.prefix.as_ref().map(stem) }
    }

    /// The folder of the files that the prefix names: `dir`, unless it has folders of its own.
    pub fn prefixed_folder(&self) -> PathBuf {
        let folder = self.prefix.as_deref().and_then(|prefix| prefix.rsplit_once('/'));
        folder.map_or_else(|| self.dir.clone(), |(folder, _)| self.dir.join(format!("{folder}/")))
    }

    /// Whether the prefix leads out of `dir`, so that runs in other folders would write the same files.
    pub fn leaves_folder(&self) -> bool {
        let parts = self.prefix.as_deref().map(|prefix| Path::new(prefix).components());
        parts.is_some_and(|mut parts| {
            parts.any(|part| matches!(part, Component::RootDir | Component::ParentDir))
        })
    }

    /// GenAI-Perf's summary, as JSON.
    pub fn genai_perf_json(&self) -> PathBuf {
        self.suffixed("profile_export", "_genai_perf.json")
    }

    /// GenAI-Perf's summary, as CSV.
    pub fn genai_perf_csv(&self) -> PathBuf {
        self.suffixed("profile_export", "_genai_perf.csv")
    }

    /// Every request with its instants, as perf_analyzer exports them.
    pub fn genai_perf_export(&self) -> PathBuf {
        self.suffixed("profile_export", ".json")
    }

    /// What happened, line by line.
    pub fn log(&self) -> PathBuf {
        self.dir.join("logs").join("aiperf.log")
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

    /// What an experiment was whose runs lie in folders below this one. A run of its own in the same folder
    /// replaces it. The name has neither `profile_export` nor `aiperf` in it: scripts take the first match.
    pub fn experiment(&self) -> PathBuf {
        self.dir.join("experiment.json")
    }

    /// Written last, when everything else is there.
    pub fn ready_marker(&self) -> PathBuf {
        self.dir.join(".aiperf_results_ready.json")
    }

    /// All files that a run may leave, whichever it is asked for: what an earlier run of the same name
    /// left of them would be taken for this one's. The journal's and attached files are not among them;
    /// nor is what several runs share, but for the record that makes the folder that of an experiment.
    pub fn all_files(&self) -> Vec<PathBuf> {
        let mut files = vec![
            // First: whoever waits for it must not find it once anything else is gone.
            self.ready_marker(),
            self.summary_json(),
            self.summary_csv(),
            self.genai_perf_json(),
            self.genai_perf_csv(),
            self.genai_perf_export(),
            self.records_jsonl(),
            self.raw_jsonl(),
            self.parquet(),
            self.console_txt(),
            self.timeslices_json(),
            self.timeslices_csv(),
            self.network_latency_jsonl(),
            self.gpu_telemetry_jsonl(),
            self.outputs_json(),
            self.phase_manifest(),
            self.inputs_json(),
            self.measurement_quality(),
            self.provenance(),
            self.html(),
            self.log(),
            self.experiment(),
        ];
        files.extend(SERVER_METRICS_FORMATS.map(|format| self.server_metrics(format)));
        files
    }

    /// Those of them that say what a run came to: without a single success there are none.
    pub fn of_success(&self) -> Vec<PathBuf> {
        vec![
            self.ready_marker(),
            self.summary_json(),
            self.summary_csv(),
            self.genai_perf_json(),
            self.genai_perf_csv(),
            self.console_txt(),
            self.timeslices_json(),
            self.timeslices_csv(),
            self.outputs_json(),
            self.phase_manifest(),
        ]
    }

    fn suffixed(&self, default: &str, suffix: &str) -> PathBuf {
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
    fn a_prefix_takes_the_place_of_every_name_that_aiperf_lets_it_replace() {
        let named = |artifacts: &Artifacts| -> Vec<String> {
            let files = artifacts.all_files().into_iter();
            files.map(|path| path.strip_prefix("o").unwrap_or(&path).display().to_string()).collect()
        };
        let prefixed = named(&Artifacts::new("o".into(), Some("p_raw.jsonl")));
        for name in [
            "p_raw.jsonl",
            "p_timeslices.csv",
            "p_gpu_telemetry.jsonl",
            "p_server_metrics.parquet",
            "p_network_latency.jsonl",
            "outputs.json",
            "phase_manifest.json",
            "logs/aiperf.log",
        ] {
            assert!(prefixed.iter().any(|path| path == name), "{name}: {prefixed:?}");
        }
        let plain = named(&Artifacts::new("o".into(), None));
        for name in [
            "profile_export_raw.jsonl",
            "profile_export_aiperf_timeslices.json",
            "gpu_telemetry_export.jsonl",
            "server_metrics_export.csv",
            "profile_export_network_latency.jsonl",
            ".aiperf_results_ready.json",
        ] {
            assert!(plain.iter().any(|path| path == name), "{name}: {plain:?}");
        }
        for prefix in ["p", "sub/p", "../p", "/elsewhere/p"] {
            let warmup = Artifacts::new("o".into(), Some(prefix)).of_phase("warmup");
            assert_eq!(warmup.summary_csv(), Path::new("o/phases/warmup/p.csv"));
        }
    }

    #[test]
    fn a_prefix_may_begin_with_folders() {
        for (prefix, file, folder, leaves) in [
            ("p.csv", "o/p.json", "o", false),
            ("./p", "o/p.json", "o", false),
            ("sub/p", "o/sub/p.json", "o/sub", false),
            ("../p", "o/../p.json", "o/..", true),
            ("/p", "/p.json", "/", true),
            ("/elsewhere/p.csv", "/elsewhere/p.json", "/elsewhere", true),
        ] {
            let artifacts = Artifacts::new("o".into(), Some(prefix));
            assert_eq!(artifacts.summary_json(), Path::new(file), "{prefix}");
            assert_eq!(artifacts.prefixed_folder(), Path::new(folder), "{prefix}");
            assert_eq!(artifacts.leaves_folder(), leaves, "{prefix}");
            assert_eq!(artifacts.inputs_json(), Path::new("o/inputs.json"), "{prefix}");
        }
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
