//! The runs of a calibration: command lines of `profile`, against a mock server in its own process.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use clap::Parser;
use loadgen_engine::StopSignal;
use loadgen_record::RecordReader;
use loadgen_run::{Progress, RunResult};
use loadgen_study::calibration::{Axis, Observed, Rig, Seen, TimingError, Trial, timing_error};

use super::table;
use crate::args::{CalibrateArgs, Cli, Command};
use crate::mock_child::MockChild;
use crate::plan::{self, Environment, Servers};
use crate::ui::{Talk, Ui, say};

/// Token events a second of one stream in a search for token events.
const TOKENS_OF_A_STREAM: u64 = 100;

/// Where runs are made.
pub(super) struct Bench {
    scratch: Scratch,
    quick: bool,
    timestamps: String,
    stop: StopSignal,
    progress: Arc<dyn Progress>,
}

/// A short run: how the server behaves, and the load.
#[derive(Debug, PartialEq, Eq)]
struct Recipe {
    profile: String,
    load: String,
}

impl Recipe {
    /// The recipe for this load. Streams open one after the other and live long enough that for a while
    /// all are open: opening them at once would measure the opening.
    fn of(axis: Axis, load: u64, quick: bool) -> Self {
        let seconds = if quick { 0.5 } else { 1.0 };
        let over = |streams: u64, ramp: f64| {
            let rate = streams as f64 / ramp;
            format!("--request-rate {rate} --arrival-pattern constant --request-count {streams}")
        };
        match axis {
            // Nothing but requests: each is answered at once by one token.
            Axis::Requests => Self {
                profile: "fixed?ttft=0ms&itl=0ms".to_owned(),
                load: format!("{} --osl 1", over((load as f64 * 2.0 * seconds) as u64, 2.0 * seconds)),
            },
            // Few requests, many tokens.
            Axis::TokenEvents => {
                let streams = (load / TOKENS_OF_A_STREAM).max(1);
                let tokens = 2.0 * seconds * TOKENS_OF_A_STREAM as f64;
                Self {
                    profile: "fixed?ttft=10ms&itl=10ms".to_owned(),
                    load: format!("{} --osl {tokens}", over(streams, seconds)),
                }
            }
            // Many requests, two tokens a second.
            Axis::OpenStreams => {
                let (ramp, alive) = (2.0 * seconds, 3.0 * seconds);
                Self {
                    profile: "fixed?ttft=500ms&itl=500ms".to_owned(),
                    load: format!("{} --osl {}", over(load, ramp), 2.0 * alive),
                }
            }
        }
    }

    /// A moderate load: 64 streams of 50 tokens a second each, for two seconds or more.
    fn moderate(quick: bool) -> Self {
        let requests = if quick { 64 } else { 128 };
        Self {
            profile: "fixed?ttft=50ms&itl=20ms".to_owned(),
            load: format!(
                "--request-rate 32 --arrival-pattern constant --request-count {requests} --osl 100"
            ),
        }
    }
}

impl Bench {
    pub(super) fn new(args: &CalibrateArgs, stop: StopSignal) -> Result<Self> {
        Ok(Self {
            scratch: Scratch::new()?,
            quick: args.quick,
            timestamps: args.timestamps.clone(),
            stop,
            progress: Ui::None.progress(Talk::default()),
        })
    }

    /// Makes a run; `truth_log`: where the server logs what it did.
    fn run(&self, recipe: &Recipe, truth_log: Option<&Path>) -> Result<RunResult> {
        let server = MockChild::start(&recipe.profile, 0, truth_log)?;
        let records = if truth_log.is_some() { "" } else { "--no-parquet" };
        // Tokens are taken as the server counts them: counting them here would only take time.
        let line = format!(
            "loadgen profile -m calibration --url {} --streaming --tokenizer builtin --use-server-token-count \
             --isl 16 --random-seed 0 --num-dataset-entries 16 --timestamps {} --calibration none --no-html \
             --export-level summary {records} {}",
            server.url(),
            self.timestamps,
            recipe.load
        );
        let mut argv: Vec<std::ffi::OsString> = line.split_whitespace().map(Into::into).collect();
        argv.extend(["--artifact-dir".into(), self.scratch.results().into_os_string()]);
        let Command::Profile(args) = Cli::try_parse_from(&argv)?.command else {
            unreachable!("the command line says profile")
        };
        let servers = Servers { urls: vec![server.url().to_owned()], mock: true };
        let planned = plan::resolve(&args, &argv, &Environment::default(), &servers)?;
        let result = loadgen_run::run(&planned.run, self.progress.as_ref(), &self.stop)?;
        if self.stop.is_interrupted() {
            bail!("interrupted: nothing is kept");
        }
        Ok(result)
    }
}

impl Rig for Bench {
    type Error = anyhow::Error;

    fn trial(&mut self, axis: Axis, load: u64) -> Result<Observed> {
        let result = self.run(&Recipe::of(axis, load, self.quick), None)?;
        Ok(Observed::of(axis, &result))
    }

    fn timing_error(&mut self) -> Result<TimingError> {
        say!("timing: 64 streams of 50 tokens/s, held against the server's log");
        let log = self.scratch.0.join("truth.jsonl");
        let result = self.run(&Recipe::moderate(self.quick), Some(&log))?;
        let mut seen = Vec::new();
        for row in RecordReader::open(&result.artifacts.parquet())? {
            seen.extend(Seen::of(&row?.record));
        }
        let log = fs::read_to_string(&log).with_context(|| format!("cannot read {}", log.display()))?;
        Ok(timing_error(seen, &log)?)
    }

    fn tried(&mut self, axis: Axis, trial: &Trial) {
        let outcome = trial.failed_by.as_deref().unwrap_or("passed");
        say!("{}: {} asked for, {outcome}", table::name(axis), table::whole(trial.asked as f64));
    }
}

/// A folder for what the runs write, gone with this value.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Self> {
        let path = std::env::temp_dir().join(format!("loadgen-calibrate-{}", std::process::id()));
        fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self(path))
    }

    fn results(&self) -> PathBuf {
        self.0.join("run")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What stays behind is the system's to clear.
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recipes_ask_for_the_load() {
        let requests = Recipe::of(Axis::Requests, 4000, false);
        assert!(requests.load.contains("--request-rate 4000 ") && requests.load.ends_with("--osl 1"));
        assert!(requests.load.contains("--request-count 8000 "));
        let tokens = Recipe::of(Axis::TokenEvents, 10_000, true);
        // 100 streams of 100 tokens/s open over half a second and live a whole one.
        assert!(tokens.load.contains("--request-rate 200 ") && tokens.load.ends_with("--osl 100"));
        assert!(tokens.load.contains("--request-count 100 "));
        let streams = Recipe::of(Axis::OpenStreams, 512, false);
        assert!(
            streams.load.contains("--request-rate 256 ") && streams.load.contains("--request-count 512 ")
        );
        // 6 tokens, one each half second: 3 s, of which the last begins when all are open.
        assert!(streams.load.ends_with("--osl 6"), "{}", streams.load);
    }
}
