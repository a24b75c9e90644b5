//! The bench on which an experiment's runs are made: in this process, one after the other.

use std::collections::HashSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use loadgen_engine::StopSignal;
use loadgen_metrics::RunFigures;
use loadgen_report::ExperimentRun;
use loadgen_run::{Artifacts, Level, RunError, RunPlan};
use loadgen_study::{Bench, Cell, Design, Failure, read_summary, run_label, succeeded};
use serde_json::{Value, json};

use super::chronicle::Chronicle;
use super::design::Experiment;
use super::record::{Record, RunRecord};
use super::results::read_samples;
use super::{echo, files};
use crate::args::ProfileArgs;
use crate::commands::profile::{INTERRUPTED_FIRST, conclude, interrupted_before_any_success, show};
use crate::exit::ExitStatus;
use crate::mock_child::SCHEME;
use crate::plan::{self, Environment, Faults, Notice, Planned, Servers};

/// How often a rest looks for an interrupt.
const LOOK: Duration = Duration::from_millis(50);

/// What the runs are made of, and what is known of them so far.
pub(super) struct Lab<'a> {
    pub(super) experiment: &'a Experiment,
    /// The options of the command itself.
    pub(super) base: &'a ProfileArgs,
    pub(super) argv: &'a [OsString],
    pub(super) environment: &'a Environment,
    pub(super) servers: &'a Servers,
    /// Whom it is told to.
    pub(super) chronicle: Chronicle,
    pub(super) stop: StopSignal,
    /// The experiment's folder.
    pub(super) dir: PathBuf,
    pub(super) record: Record,
    /// The worst that a run ended with.
    pub(super) worst: ExitStatus,
    /// Whether the run that was made last ended before it was to.
    pub(super) was_cut_short: bool,
    /// Notices that were given: each is given once.
    pub(super) said: HashSet<String>,
}

impl Lab<'_> {
    fn design(&self) -> &Design {
        &self.experiment.design
    }

    /// Gives notices that have not been given yet.
    pub(super) fn note(&mut self, notices: &[Notice]) {
        for notice in notices {
            let (level, text) = notice.remark();
            if self.said.insert(text.clone()) {
                self.chronicle.note(level, &text);
            }
        }
    }

    /// The plan of one run, in its own folder, under its own seed.
    fn plan(&mut self, cell: Cell) -> Result<RunPlan> {
        let args = &self.experiment.args[cell.variation];
        let servers = servers_of(args, self.base, self.servers)?;
        let Planned { run, notices, .. } = plan::resolve(args, self.argv, self.environment, &servers)?;
        self.note(&notices);
        let mut run = placed(run, self.design(), cell, &self.dir, &self.record.sweep_id);
        // The server is waited for once: after the first run it is there.
        if !self.record.runs.is_empty() {
            run.telemetry.readiness = None;
        }
        Ok(run)
    }

    /// Makes a run and says what it came to.
    fn make(&mut self, cell: Cell) -> Result<RunFigures> {
        let plan = self.plan(cell)?;
        files::put(
            &plan.report.artifacts.dir.join("run_config.json"),
            &echo::run_config(&plan.report, &self.dir),
        )?;
        let result = loadgen_run::run(&plan, self.chronicle.progress(), &self.stop)?;
        show(&result)?;
        self.was_cut_short = result.was_cut_short();
        let status = conclude(&result, self.experiment.args[cell.variation].output.fail_if_client_limited);
        if status == ExitStatus::Failure {
            anyhow::ensure!(!interrupted_before_any_success(&result), "{INTERRUPTED_FIRST}");
            let counts = &result.summary.counts;
            let why =
                result.summary.error_summary.first().map(|(error, _)| format!(": {}", error.in_words()));
            anyhow::bail!(
                "{} of {} requests failed{}",
                counts.errors(),
                counts.scheduled(),
                why.unwrap_or_default()
            );
        }
        self.worst = self.worst.min(status);
        figures(&plan.report.artifacts)
    }

    fn keep(&mut self, cell: Cell, error: Option<String>) {
        let folder = self.design().run_folder(cell);
        let cut_short = std::mem::take(&mut self.was_cut_short);
        self.record.runs.push(RunRecord {
            variation: cell.variation,
            trial: cell.trial,
            folder,
            error,
            cut_short,
        });
        self.write_record();
    }

    fn write_record(&self) {
        if let Err(error) = self.record.write(&self.dir) {
            self.chronicle.note(Level::Warning, &format!("{error:#}"));
        }
    }
}

/// The servers of a variation: the command's own, unless the variation has others.
pub(super) fn servers_of(
    args: &ProfileArgs,
    base: &ProfileArgs,
    servers: &Servers,
) -> Result<Servers, Faults> {
    let mut faults = Faults::default();
    if args.endpoint.urls == base.endpoint.urls {
        return Ok(Servers { urls: servers.urls.clone(), mock: servers.mock });
    }
    if args.endpoint.urls.iter().any(|url| url.starts_with(SCHEME)) {
        faults.add("--url", "built-in mock servers cannot be swept: start them with `loadgen mock-server`");
    }
    faults.into_result(Servers { urls: args.endpoint.urls.clone(), mock: false })
}

/// What a run came to, from its summary.
pub(super) fn figures(artifacts: &Artifacts) -> Result<RunFigures> {
    let path = artifacts.summary_json();
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let figures = read_summary(&text).with_context(|| format!("cannot read {}", path.display()))?;
    anyhow::ensure!(succeeded(&figures), "no request of it succeeded");
    Ok(figures)
}

/// A plan as one run of an experiment.
pub(super) fn placed(mut run: RunPlan, design: &Design, cell: Cell, dir: &Path, sweep_id: &str) -> RunPlan {
    let variation = design.variation(cell);
    let report = &mut run.report;
    report.artifacts = report.artifacts.in_dir(&dir.join(design.run_folder(cell)));
    report.benchmark_id = uuid::Uuid::new_v4().simple().to_string();
    if let Some(seed) = design.seed(cell) {
        report.random_seed = Some(seed);
        report.seed = seed;
    }
    report.experiment = Some(ExperimentRun {
        sweep_id: sweep_id.to_owned(),
        trial: cell.trial,
        run_label: run_label(cell.trial),
        variation_label: variation.label.clone(),
        variation_index: variation.index,
        variation_values: variation.values.clone(),
    });
    let warms_up = design.warms_up(cell);
    if !warms_up {
        run.warmup = None;
        report.has_warmup = false;
        if let Some(phases) = report.input_config.get_mut("phases").and_then(Value::as_array_mut) {
            phases.retain(|phase| phase["exclude_from_results"] != true);
        }
    }
    report.input_config = echo::with_defaults(&report.input_config);
    if let Some(artifacts) = report.input_config.get_mut("artifacts").and_then(Value::as_object_mut) {
        artifacts.insert("dir".to_owned(), json!(report.artifacts.dir));
    }
    run
}

impl Bench for Lab<'_> {
    fn run(&mut self, cell: Cell, number: usize) -> Result<RunFigures, Failure> {
        let design = self.design();
        let place = match (design.is_sweep(), design.repeats) {
            (false, _) => String::new(),
            (true, 1) => format!(": {}", design.variation(cell).label),
            (true, repeats) => {
                format!(": {}, repeat {} of {repeats}", design.variation(cell).label, cell.trial + 1)
            }
        };
        let place = format!("run {number} of {}{place}", design.runs());
        let is_sweep = design.is_sweep();
        self.chronicle.run(cell, &place);
        let made = self.make(cell);
        let error = made.as_ref().err().map(|error| format!("{error:#}"));
        if let Some(error) = &error {
            self.chronicle.note(Level::Warning, &format!("{place} did not succeed: {error}"));
        }
        self.keep(cell, error.clone());
        // Repeats of what cannot even begin would all end alike; another point of a sweep may be possible.
        let could_not_begin =
            made.as_ref().err().is_some_and(|error| error.is::<RunError>() || error.is::<Faults>());
        made.map_err(|_| Failure {
            error: error.unwrap_or_default(),
            is_fatal: could_not_begin && !is_sweep && number == 1,
        })
    }

    fn samples(&mut self, cell: Cell, metric: &str) -> Vec<f64> {
        let folder = self.dir.join(self.design().run_folder(cell));
        let records = Artifacts::new(folder, self.record.prefix.as_deref()).records_jsonl();
        let mut samples = Vec::new();
        let read = read_samples(&records, |tag, sample| {
            if tag == metric {
                samples.push(sample);
            }
        });
        if let Err(error) = read {
            self.chronicle.note(Level::Warning, &format!("repeats are not compared: {error:#}"));
        }
        samples
    }

    fn rest(&mut self, rest: Duration) {
        self.chronicle.note(Level::Info, &format!("resting for {} s", rest.as_secs_f64()));
        let start = Instant::now();
        while !self.is_interrupted() {
            let left = rest.saturating_sub(start.elapsed());
            if left.is_zero() {
                return;
            }
            thread::sleep(left.min(LOOK));
        }
    }

    fn is_interrupted(&self) -> bool {
        self.stop.is_interrupted()
    }

    fn agreed(&mut self, cell: Cell, no_more_needed: bool) {
        if no_more_needed {
            self.record.settled.push(cell.variation);
            self.write_record();
        }
        let what =
            self.record.convergence.as_ref().map(|criterion| criterion.metric.clone()).unwrap_or_default();
        let variation = &self.design().variation(cell).label;
        let made = cell.trial + 1;
        let text = if no_more_needed {
            format!("{variation}: {made} repeats agree in {what}: no more of them are made")
        } else {
            format!("{made} repeats agree in {what}")
        };
        self.chronicle.note(Level::Info, &text);
    }
}
