//! Command lines of public scripts, as they stand there: each is understood, most are really run, and what
//! they are not to give away stays unsaid.
//!
//! `data/invocations.jsonl` holds 46 lines of aiperf and genai-perf from public repositories (`from`), their
//! shell variables replaced by plausible values. A line is run as it is, but for what a test cannot have:
//! its servers, files and tokenizers are replaced by the test's own, and its counts are made small.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::{Finished, Mock, Workspace};

const LINES: &str = include_str!("data/invocations.jsonl");

/// Forty characters that no other text has by chance.
const SECRET: &str = "Zq7vT1xKpL0mWc9RbY3nHs5eUj8aGd2FfOi4QtXk";

/// Lines that are refused: what of them, and the reason as it is said.
const REFUSED: &[(&str, &str)] = &[
    // An option of a fork of AIPerf.
    ("--warmup-requests-per-lane", "unexpected argument '--warmup-requests-per-lane'"),
    // Endpoints of other kinds of servers, and of a plugin.
    ("nvidia_rag", "\"nvidia_rag\" is not known"),
    ("image_generation", "image_generation: loadgen measures servers of language models"),
    ("triton", "triton"),
    // What GenAI-Perf itself wants: a model; an endpoint, since it is gRPC to Triton otherwise; no images for
    // an endpoint that takes none.
    ("profile.json", "-m: is missing"),
    ("l3", "--endpoint-type: is missing"),
    ("llava", "takes no images"),
];

/// A line of a script.
#[derive(Debug, Clone)]
struct Line {
    program: String,
    words: Vec<String>,
}

impl Line {
    fn all() -> Vec<Self> {
        let line = |text: &str| {
            let value: Value = serde_json::from_str(text).unwrap();
            let mut words: Vec<String> = serde_json::from_value(value["argv"].clone()).unwrap();
            let program = words.remove(0);
            Self { program, words }
        };
        LINES.lines().map(line).collect()
    }

    /// Why it is to be refused, if it is.
    fn refusal(&self) -> Option<&'static str> {
        let refusal = REFUSED.iter().find(|(what, _)| self.words.iter().any(|word| word == what));
        refusal.map(|(_, reason)| *reason)
    }

    fn shown(&self) -> String {
        format!("{} {}", self.program, self.words.join(" "))
    }

    /// The same with the test's own servers, files and tokenizer, and a key of its own. Options stay where
    /// and how they are: a repeated scalar would be refused.
    fn at_home(&self, workspace: &Workspace, url: &str, results: &str) -> Self {
        let mut words = Vec::new();
        let (mut option, mut has_tokenizer) = (String::new(), false);
        // What follows a bare `--` is for another program.
        let end = self.words.iter().position(|word| word == "--").unwrap_or(self.words.len());
        for word in &self.words[..end] {
            if word.starts_with('-') {
                option.clone_from(word);
                words.push(word.clone());
                continue;
            }
            words.push(match option.as_str() {
                "--tokenizer" => {
                    has_tokenizer = true;
                    "builtin".to_owned()
                }
                "-u" | "--url" => url.to_owned(),
                "--server-metrics" | "--server-metrics-url" | "--gpu-telemetry" => format!("{url}/metrics"),
                "--artifact-dir" | "--output-artifact-dir" => results.to_owned(),
                "--input-file" => stand_in(workspace, self).display().to_string(),
                "--api-key" => SECRET.to_owned(),
                _ => word.clone(),
            });
        }
        for (missing, flag, value) in [
            (!has_tokenizer, "--tokenizer", "builtin"),
            (!self.names(&["-u", "--url"]), "--url", url),
            (!self.names(&["--artifact-dir", "--output-artifact-dir"]), "--artifact-dir", results),
            (!self.names(&["--api-key"]) && self.program == "aiperf", "--api-key", SECRET),
        ] {
            if missing {
                words.extend([flag.to_owned(), value.to_owned()]);
            }
        }
        words.extend_from_slice(&self.words[end..]);
        Self { program: self.program.clone(), words }
    }

    fn names(&self, options: &[&str]) -> bool {
        self.words.iter().any(|word| options.contains(&word.as_str()))
    }

    /// The same with counts, lengths and times that a test can wait for.
    fn made_small(mut self) -> Self {
        let mut option = String::new();
        for word in &mut self.words {
            if word.starts_with('-') {
                option.clone_from(word);
                continue;
            }
            let most = match option.as_str() {
                "--request-count"
                | "--num-requests"
                | "--num-prompts"
                | "--num-dataset-entries"
                | "--concurrency"
                | "--workers-max"
                | "--max-workers"
                | "--isl-stddev"
                | "--synthetic-input-tokens-stddev" => 4,
                "--warmup-request-count" | "--num-prefix-prompts" => 2,
                "--benchmark-duration" | "--warmup-duration" | "--osl-stddev" | "--output-tokens-stddev" => 1,
                "--isl" | "--synthetic-input-tokens-mean" | "--prefix-prompt-length" => 32,
                "--osl" | "--output-tokens-mean" => 5,
                "--image-width-mean" | "--image-height-mean" => 16,
                "--request-rate" => 50,
                _ => continue,
            };
            if let Ok(given) = word.parse::<u64>() {
                *word = if option == "--request-rate" { most } else { given.min(most) }.to_string();
            }
        }
        self
    }

    /// Runs it through a link of its program's name, with more options in front of a bare `--`.
    fn run(&self, workspace: &Workspace, more: &[&str]) -> Finished {
        let link = workspace.path(&self.program);
        if !link.exists() {
            std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_loadgen"), &link).unwrap();
        }
        let plain = workspace.loadgen();
        let mut command = Command::new(&link);
        for (name, value) in plain.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        // No line may reach for the network.
        command.env("HF_HUB_OFFLINE", "1").current_dir(workspace.path(""));
        let end = self.words.iter().position(|word| word == "--").unwrap_or(self.words.len());
        command.args(&self.words[..end]).args(more).args(&self.words[end..]);
        command.stdin(std::process::Stdio::null());
        Finished(command.output().unwrap())
    }
}

/// A file in the format that a line's own input has.
fn stand_in(workspace: &Workspace, line: &Line) -> std::path::PathBuf {
    let names = |word: &str| line.words.iter().any(|given| given == word);
    let row = if names("mooncake_trace") {
        r#"{"timestamp": 0, "input_length": 20, "output_length": 4, "hash_ids": [1]}"#
    } else {
        r#"{"text": "How do you do?"}"#
    };
    let second = row.replace("\"timestamp\": 0", "\"timestamp\": 40");
    let name = if names("mooncake_trace") { "trace.jsonl" } else { "questions.jsonl" };
    workspace.file(name, &format!("{row}\n{second}\n"))
}

#[test]
fn every_line_is_understood_or_refused_for_a_reason_that_is_said() {
    let workspace = Workspace::new();
    let lines = Line::all();
    assert_eq!(lines.len(), 46);
    let mut wrong = Vec::new();
    for line in &lines {
        let told = line.at_home(&workspace, "http://127.0.0.1:9", "out");
        let finished = told.run(&workspace, &["--dry-run"]);
        let (code, stderr) = (finished.code(), finished.stderr());
        let as_told = match line.refusal() {
            Some(reason) => code == 1 && stderr.contains(reason),
            None => code == 0,
        };
        if !as_told {
            wrong.push(format!("{}\n  exit {code}: {}", line.shown(), stderr.trim()));
        }
    }
    assert!(wrong.is_empty(), "{} lines:\n{}", wrong.len(), wrong.join("\n"));
    assert!(!workspace.path("out").exists(), "a dry run writes nothing");
}

#[test]
fn lines_of_aiperf_run_and_give_no_key_away() {
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, "fixed?ttft=1ms&itl=1ms");
    let mut run = 0;
    for (index, line) in Line::all().iter().enumerate() {
        if line.program != "aiperf" || line.refusal().is_some() {
            continue;
        }
        let results = format!("results/{index}");
        let finished = line.at_home(&workspace, &mock.url, &results).made_small().run(&workspace, &[]);
        assert_eq!(finished.code(), 0, "{}\n{}\n{}", line.shown(), finished.stdout(), finished.stderr());
        let folder = workspace.path(&results);
        let summary = summary_of(&folder).unwrap_or_else(|| panic!("no summary: {}", line.shown()));
        assert!(summary["request_count"]["avg"].as_f64().unwrap() >= 1.0, "{}", line.shown());
        for (place, bytes) in [("stdout", finished.0.stdout), ("stderr", finished.0.stderr)]
            .map(|(place, bytes)| (place.to_owned(), bytes))
            .into_iter()
            .chain(
                files_below(&folder)
                    .into_iter()
                    .map(|path| (path.display().to_string(), std::fs::read(path).unwrap())),
            )
        {
            assert!(!contains(&bytes, SECRET.as_bytes()), "the key is in {place}");
        }
        run += 1;
    }
    assert!(run >= 20, "{run} lines were run");
    let asked = mock.truth();
    assert!(asked.len() >= 4 * 15, "{} requests came", asked.len());
}

#[test]
fn warnings_that_scripts_look_for_are_said_where_they_look() {
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, "fixed?ttft=1ms&itl=1ms");
    let run = |more: &[&str]| {
        let words = [
            "profile",
            "-m",
            "demo",
            "--url",
            &mock.url,
            "--tokenizer",
            "builtin",
            "--isl",
            "5",
            "--osl",
            "3",
        ];
        let words = words.iter().chain(&["--request-count", "1", "--artifact-dir", "out"]).chain(more);
        let line = Line { program: "aiperf".to_owned(), words: words.map(|&word| word.to_owned()).collect() };
        line.run(&workspace, &[]).expect_code(0).stdout()
    };
    let warning = "WARNING  Using --osl without ignore_eos or min_tokens in --extra-inputs";
    assert!(run(&[]).contains(warning));
    for idle in ["ignore_eos:false", "ignore_eos:none", "min_tokens:0"] {
        assert!(run(&["--extra-inputs", idle]).contains(warning), "{idle}");
    }
    for pinned in ["ignore_eos:true", "min_tokens:3", r#"{"min_tokens":3}"#] {
        assert!(!run(&["--extra-inputs", pinned]).contains("Using --osl without"), "{pinned}");
    }
}

/// The summary of a run, whatever it is called.
fn summary_of(folder: &Path) -> Option<Value> {
    let files = files_below(folder).into_iter().filter(|path| {
        path.parent() == Some(folder) && path.extension().is_some_and(|extension| extension == "json")
    });
    let mut parsed =
        files.filter_map(|path| serde_json::from_slice::<Value>(&std::fs::read(path).unwrap()).ok());
    parsed.find(|value| value.get("aiperf_version").is_some() && value.get("request_count").is_some())
}

/// Whether a text is anywhere in some bytes.
fn contains(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}

/// Every file below a folder.
fn files_below(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in
            std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files
}
