//! What an experiment tells of itself: to whoever watches, and to `logs/aiperf.log` in its own folder.
//!
//! The steps have AIPerf's words in the log, and on the screen of those who called AIPerf by its name. What
//! each run did stands in the log of its own folder and not here, as with AIPerf.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use loadgen_run::{Artifacts, Level, LogLines, LogShape, Progress, Severity};
use loadgen_study::{Cell, Criterion, Design, run_label};

use super::design::Experiment;

/// A rule above and below what stands out, as long as AIPerf's.
const RULE: usize = 80;

/// Tells of an experiment.
pub(super) struct Chronicle {
    progress: Arc<dyn Progress>,
    log: LogLines,
    /// Whether the screen, too, has AIPerf's words.
    as_aiperf: bool,
}

impl Chronicle {
    /// For the experiment in `dir`; an earlier one's log is replaced.
    pub(super) fn begin(dir: &Path, progress: Arc<dyn Progress>, as_aiperf: bool) -> Result<Self> {
        let path = Artifacts::new(dir.to_owned(), None).log();
        let opened = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| File::create(&path));
        let file = opened.with_context(|| {
            format!("cannot write {}: give another folder with --artifact-dir", path.display())
        })?;
        let log = LogLines::new(LogShape::File, Severity::Debug, Box::new(file));
        Ok(Self { progress, log, as_aiperf })
    }

    /// Who watches.
    pub(super) fn progress(&self) -> &dyn Progress {
        self.progress.as_ref()
    }

    /// Something worth knowing.
    pub(super) fn note(&self, level: Level, text: &str) {
        self.progress.note(level, text);
        self.log.note(level, text);
    }

    /// What is to be done. `in_words`: in a line of ours.
    pub(super) fn plan(&self, experiment: &Experiment, in_words: &str) {
        let banner = banner(experiment);
        self.step(in_words, &banner);
    }

    /// A run begins. `in_words`: which, in ours.
    pub(super) fn run(&self, cell: Cell, in_words: &str) {
        let label = run_label(cell.trial);
        self.step(in_words, &[format!("[v{} t{}] Executing {label}...", cell.variation, cell.trial)]);
    }

    /// What came of it all, which is printed elsewhere: each line of it to the log.
    pub(super) fn came_to(&self, text: &str) {
        text.lines().for_each(|line| self.log.note(Level::Info, line));
    }

    /// Why there is nothing that the runs came to together, which is said elsewhere.
    pub(super) fn came_to_nothing(&self, why: &str) {
        self.log.note(Level::Warning, why);
    }

    fn step(&self, ours: &str, theirs: &[String]) {
        for line in theirs {
            self.log.note(Level::Info, line);
        }
        if self.as_aiperf {
            for line in theirs {
                self.progress.note(Level::Info, line);
            }
        } else {
            self.progress.note(Level::Info, ours);
        }
    }
}

/// AIPerf's lines at the beginning of an experiment.
fn banner(experiment: &Experiment) -> Vec<String> {
    let Design { variations, repeats, order, run_cooldown, .. } = &experiment.design;
    let rule = "=".repeat(RULE);
    let mut lines = vec![
        rule.clone(),
        "Starting Multi-Run Benchmark".to_owned(),
        format!("  Configurations: {}", variations.len()),
        format!("  Trials per config: {repeats}"),
        format!("  Total runs: {}", experiment.design.runs()),
        format!("  Confidence level: {:.0}%", experiment.confidence_level * 100.0),
        format!("  Cooldown between runs: {:?}s", run_cooldown.as_secs_f64()),
    ];
    if let Some(criterion) = &experiment.criterion {
        let Criterion { metric, mode, .. } = criterion;
        lines.push(format!("  Convergence mode: {}", mode.word()));
        lines.push(format!("  Convergence metric: {metric}"));
        lines.push(format!("  Convergence threshold: {:?}", criterion.threshold()));
    }
    lines.push(rule);
    lines.push(format!(
        "Starting multi-run benchmark ({}): {repeats} trials x {} variations",
        order.word(),
        variations.len()
    ));
    lines
}
