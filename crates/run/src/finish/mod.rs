//! From a journal to every output of a run.
//!
//! The end of a run and `loadgen report DIR` are this one function over the same bytes, so a run
//! that was killed reports exactly what it had. One pass over the journal, in bounded memory but for
//! the metric values that exact percentiles need.

mod derive;
mod outputs;
mod pass;

use std::path::{Path, PathBuf};

use loadgen_metrics::{Quality, QualityInput, SloSet, Summary, TimelineData};
use loadgen_record::{Damage, JournalReader};
use loadgen_report::console::{self, Options};
use loadgen_report::{Report, RunInfo};
use loadgen_tokens::Tokenizer;

use crate::artifacts::Artifacts;
use crate::error::RunError;
use crate::notes::Notes;
use crate::plan::ReportPlan;
use crate::progress::{Level, Progress};
use pass::Pass;

/// A finished run: its figures, and where its files are.
#[derive(Debug)]
pub struct RunResult {
    /// Its figures.
    pub summary: Summary,
    /// The verdict on the client.
    pub quality: Quality,
    /// Where its files are.
    pub artifacts: Artifacts,
    plan: ReportPlan,
    info: RunInfo,
    slos: SloSet,
    timeline: TimelineData,
    files: Vec<(String, PathBuf)>,
}

/// Makes every output of the run in `dir` from its journal.
pub fn finish(dir: &Path, progress: &dyn Progress) -> Result<RunResult, RunError> {
    finish_known(dir, None, progress)
}

/// What whoever has just run a plan knows already.
#[derive(Clone, Copy)]
pub(crate) struct Known<'a> {
    /// How many records the journal holds.
    pub(crate) records: u64,
    /// The plan's tokenizer.
    pub(crate) tokenizer: &'a Tokenizer,
}

/// As [`finish`], with what is known already.
pub(crate) fn finish_known(
    dir: &Path,
    known: Option<Known<'_>>,
    progress: &dyn Progress,
) -> Result<RunResult, RunError> {
    let journal = Artifacts::new(dir.to_owned(), None).journal();
    if !journal.is_dir() {
        return Err(RunError::NoJournal { dir: dir.to_owned() });
    }
    let mut reader = JournalReader::open(&journal)?;
    let header = reader.header().cloned().ok_or_else(|| RunError::NoHeader { journal: journal.clone() })?;
    let plan: ReportPlan = serde_json::from_str(&header.plan)
        .map_err(|source| RunError::Plan { journal: journal.clone(), source })?;
    let dir = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
    let artifacts = plan.artifacts.in_dir(&dir);

    let tokenizer = match known {
        Some(known) => known.tokenizer.clone(),
        None => Tokenizer::load(&plan.tokenizer())?,
    };
    let records = known.map(|known| known.records);
    let done_so_far = |done| progress.finishing(done, records);
    let pass = Pass::over(&mut reader, &header, &plan, &tokenizer, &artifacts, &done_so_far)?;
    report_damage(reader.damage(), progress);
    let result = outputs::write(pass, plan, artifacts)?;
    progress.finished();
    Ok(result)
}

fn report_damage(damage: &[Damage], progress: &dyn Progress) {
    for damage in damage {
        progress
            .note(Level::Warning, &format!("the journal is damaged, what could be read was kept: {damage}"));
    }
}

impl RunResult {
    /// What is printed at the end of a run.
    pub fn console(&self, width: usize, colour: bool) -> String {
        console::render(&self.report(), Options { width, ansi: colour, trace_timing: false })
    }

    /// Whether not a single request succeeded.
    pub fn nothing_succeeded(&self) -> bool {
        self.summary.counts.ok == 0
    }

    /// Whether more requests failed than the user allows. Those that were given up by plan did not
    /// fail, though they stand among AIPerf's errors.
    pub fn too_many_failed(&self) -> bool {
        let counts = &self.summary.counts;
        let done = (counts.ok + counts.errors()).max(1);
        self.plan.failed_request_threshold.is_some_and(|most| counts.failed() as f64 / done as f64 > most)
    }

    /// Whether the client, not the server, shaped the results.
    pub fn client_limited(&self) -> bool {
        self.quality.client_limited
    }

    fn report(&self) -> Report<'_> {
        report(&self.summary, &self.info, &self.slos, &self.quality, &self.timeline, &self.files)
    }
}

fn report<'a>(
    summary: &'a Summary,
    info: &'a RunInfo,
    slos: &'a SloSet,
    quality: &'a Quality,
    timeline: &'a TimelineData,
    files: &'a [(String, PathBuf)],
) -> Report<'a> {
    Report { info, summary, slos, quality: Some(quality), timeline: Some(timeline), files }
}

/// What the pass hands to the outputs.
struct Collected {
    summary: Summary,
    quality: QualityInput,
    timeline: TimelineData,
    notes: Notes,
}
