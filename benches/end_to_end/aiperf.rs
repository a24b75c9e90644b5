//! AIPerf under the same load, where a virtual environment that has it is given.
//!
//! Its per-request file tells what it measured, the mock server's log what was true. Its CPU time is that of
//! its whole tree of processes, as far as they waited for one another.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::lab::{Bench, Folder};
use crate::mock::Mock;
use crate::process::{Job, Running, Usage};
use crate::timing::{Errors, Seen};
use crate::truth::Truth;

/// AIPerf's run of a load.
pub(crate) struct Run {
    /// What it took.
    pub(crate) usage: Usage,
    results: PathBuf,
}

/// Runs AIPerf on `mock` with the same `flags` as loadgen; `None` where it was not given,
/// and where it failed.
pub(crate) fn run(bench: &Bench, folder: &Folder, mock: &Mock, flags: &str) -> Result<Option<Run>> {
    let Some(environment) = &bench.aiperf else { return Ok(None) };
    let results = folder.file("aiperf");
    let fixed = "profile --model demo --endpoint-type chat --ui none --tokenizer builtin --random-seed 1 \
                 --no-gpu-telemetry --no-server-metrics";
    let mut arguments: Vec<String> =
        fixed.split_whitespace().chain(flags.split_whitespace()).map(str::to_owned).collect();
    arguments.extend(["--url".to_owned(), mock.url.clone()]);
    arguments.extend(["--artifact-dir".to_owned(), results.to_string_lossy().into_owned()]);
    let job = Job {
        program: environment.join("bin/aiperf"),
        arguments,
        folder: folder.path().to_owned(),
        output: folder.file("aiperf.out"),
        open_files: None,
        cores: Vec::new(),
        limit_seconds: 300,
    };
    match Running::start(&job)?.succeed() {
        Ok(usage) => Ok(Some(Run { usage, results })),
        // A peer that does not run leaves its column empty; what we measured of ourselves stands.
        Err(error) => {
            eprintln!("aiperf: {error:#}");
            Ok(None)
        }
    }
}

impl Run {
    /// Its per-request file.
    pub(crate) fn lines(&self) -> PathBuf {
        self.results.join("profile_export.jsonl")
    }

    /// Its lines, held against the server's log. Chunks are known by their gaps alone, and nothing is said
    /// of which are exact.
    pub(crate) fn errors_against(&self, truth: &Truth) -> Result<Errors> {
        let path = self.lines();
        let text = fs::read_to_string(&path).with_context(|| format!("no {}", path.display()))?;
        let mut errors = Errors::default();
        for line in text.lines() {
            let line: Value = serde_json::from_str(line)?;
            let Some(id) = line["metadata"]["x_request_id"].as_str() else { continue };
            let (Some(seen), Some(written)) = (seen(&line), truth.by_id.get(id)) else { continue };
            // A response whose chunks it joined or dropped cannot be compared token by token.
            let _ = errors.add(&seen, written);
        }
        Ok(errors)
    }
}

/// A line of its per-request file, on the timeline that begins with the request's start.
fn seen(line: &Value) -> Option<Seen> {
    let request_start = line["metadata"]["request_start_ns"].as_i64()?;
    let metrics = &line["metrics"];
    let ns = |value: &Value| Some((value.as_f64()? * 1e6).round() as i64);
    let mut arrivals = vec![request_start + ns(&metrics["time_to_first_token"]["value"])?];
    for gap in metrics["inter_chunk_latency"]["value"].as_array()? {
        arrivals.push(arrivals.last()? + ns(gap)?);
    }
    Some(Seen { request_start, uncertainty: vec![0; arrivals.len()], arrivals })
}

#[cfg(test)]
#[allow(dead_code, unused_imports, reason = "a bench is built with cfg(test) and without its tests")]
mod tests {
    use super::*;

    #[test]
    fn arrivals_follow_from_the_first_token_and_the_gaps() {
        let line = serde_json::json!({
            "metadata": {"request_start_ns": 1_000_000_000, "x_request_id": "a"},
            "metrics": {
                "time_to_first_token": {"value": 50.0, "unit": "ms"},
                "inter_chunk_latency": {"value": [20.0, 1.5], "unit": "ms"},
            },
        });
        let seen = seen(&line).expect("a line with all that is needed");
        assert_eq!(seen.arrivals, [1_050_000_000, 1_070_000_000, 1_071_500_000]);
        assert_eq!(seen.uncertainty.len(), 3);
    }
}
