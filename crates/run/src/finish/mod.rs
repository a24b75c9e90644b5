//! From a journal to every output of a run.
//!
//! The end of a run and `loadgen report DIR` are this one code over the same bytes, so a run that was
//! killed reports exactly what it had. One pass over the journal: while the run goes on in the
//! background ([`Live`]), or afterwards ([`finish`]). Memory is bounded, whatever the length of the run.

mod derive;
mod files;
mod genai_perf;
mod live;
mod outputs;
mod parallel;
mod pass;
mod phases;
mod slices;
mod sorted;
mod telemetry;
mod warnings;

use std::fs;
use std::path::{Path, PathBuf};

use loadgen_engine::FellBehind;
use loadgen_metrics::{Quality, QualityInput, SloSet, Summary, TimelineData};
use loadgen_record::{Batch, Damage, JournalHeader, JournalReader, RecordError};
use loadgen_report::console::{self, Options};
use loadgen_report::{Report, RunInfo};
use loadgen_tokens::Tokenizer;

use crate::artifacts::Artifacts;
use crate::error::RunError;
use crate::notes::Notes;
use crate::plan::ReportPlan;
use crate::progress::{Conclusion, Level, Progress};
pub(crate) use live::Live;
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
    /// How far behind its schedule the client fell, where the run was to end at that.
    pub fell_behind: Option<FellBehind>,
    /// What kept some of its files from being written, or some of its records from being kept.
    unwritten: Option<RunError>,
    plan: ReportPlan,
    info: RunInfo,
    slos: SloSet,
    timeline: TimelineData,
    files: Vec<(String, PathBuf)>,
}

/// Makes every output of the run in `dir` from its journal.
pub fn finish(dir: &Path, progress: &dyn Progress) -> Result<RunResult, RunError> {
    let journal = Artifacts::new(dir.to_owned(), None).journal();
    if !journal.is_dir() {
        return Err(RunError::NoJournal { dir: dir.to_owned() });
    }
    let mut reader = JournalReader::open(&journal)?;
    let told = Told::of(&reader, dir)?;
    let tokenizer = told.tokenizer(|plan| Ok(plan.load_tokenizer()?))?;
    let mut pass = told.begin(tokenizer)?;
    pass.drain(&mut reader, Batch::default(), &|done| progress.finishing(done, None));
    told.end(pass, &reader, progress)
}

/// What a journal's header tells.
struct Told {
    header: JournalHeader,
    plan: ReportPlan,
    artifacts: Artifacts,
}

impl Told {
    /// What the journal tells that `reader` reads, of the run in `dir`.
    fn of(reader: &JournalReader, dir: &Path) -> Result<Self, RunError> {
        let journal = Artifacts::new(dir.to_owned(), None).journal();
        let header =
            reader.header().cloned().ok_or_else(|| RunError::NoHeader { journal: journal.clone() })?;
        let plan: ReportPlan =
            serde_json::from_str(&header.plan).map_err(|source| RunError::Plan { journal, source })?;
        let dir = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
        let artifacts = plan.artifacts.in_dir(&dir);
        Ok(Self { header, plan, artifacts })
    }

    /// The tokenizer that `load` gives; `None` where the server's counts are used.
    fn tokenizer(
        &self,
        load: impl FnOnce(&ReportPlan) -> Result<Tokenizer, RunError>,
    ) -> Result<Option<Tokenizer>, RunError> {
        if self.plan.server_token_counts { Ok(None) } else { load(&self.plan).map(Some) }
    }

    fn begin(&self, tokenizer: Option<Tokenizer>) -> Result<Pass, RunError> {
        // A folder that was copied may lack those of the prefix.
        let folder = self.artifacts.prefixed_folder();
        fs::create_dir_all(&folder).map_err(RunError::write(&folder))?;
        Pass::begin(&self.header, &self.plan, &self.artifacts, tokenizer)
    }

    fn end(self, pass: Pass, reader: &JournalReader, progress: &dyn Progress) -> Result<RunResult, RunError> {
        let done = pass.end(reader)?;
        report_damage(&done.damage, progress);
        let result = outputs::write(done, self.plan, self.artifacts, progress);
        let counts = &result.summary.counts;
        progress.concluded(Conclusion { ok: counts.ok, errors: counts.errors() });
        progress.finished();
        Ok(result)
    }
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
        console::render(
            &self.report(),
            Options { width, ansi: colour, trace_timing: self.plan.outputs.trace_timing },
        )
    }

    /// Whether not a single request succeeded. A response that tells of an error is no success here, though
    /// AIPerf's files count it as one.
    pub fn nothing_succeeded(&self) -> bool {
        self.summary.counts.flawless() == 0
    }

    /// Whether it ended before it was to: interrupted, or killed.
    pub fn was_cut_short(&self) -> bool {
        self.info.was_cancelled
    }

    /// Whether more requests failed than the user allows. Those that were given up by plan did not
    /// fail, though they stand among AIPerf's errors; those in which the server told of an error did.
    pub fn too_many_failed(&self) -> bool {
        self.excess_failures().is_some()
    }

    /// How many failed, where more did than the user allows: `20/30 = 0.667 > 0.200`.
    pub fn excess_failures(&self) -> Option<String> {
        let counts = &self.summary.counts;
        let done = counts.ok + counts.errors();
        let failed = counts.failed() + counts.in_band_errors;
        let share = failed as f64 / done.max(1) as f64;
        let most = self.plan.failed_request_threshold.filter(|most| share > *most)?;
        Some(format!("{failed}/{done} = {share:.3} > {most:.3}"))
    }

    /// Whether the client, not the server, shaped the results.
    pub fn client_limited(&self) -> bool {
        self.quality.client_limited
    }

    /// Why the results are not all there, if they are not: the run has failed then, though the figures
    /// here are what was measured.
    pub fn failure(&self) -> Option<&RunError> {
        self.unwritten.as_ref()
    }

    /// The same result of a run whose journal could not take all records.
    pub(crate) fn with_lost_records(mut self, source: RecordError) -> Self {
        let beside = match self.unwritten.take() {
            Some(RunError::Unwritten { names, .. }) => format!("; not written at all: {names}"),
            _ => String::new(),
        };
        self.unwritten =
            Some(RunError::RecordsLost { dir: self.artifacts.dir.clone(), beside, source: Box::new(source) });
        self
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
    let (quality, timeline) = (Some(quality), Some(timeline));
    Report { info, summary, slos, quality, timeline, servers: None, slices: None, files }
}

/// What the pass hands to the outputs.
struct Collected {
    summary: Summary,
    quality: QualityInput,
    timeline: TimelineData,
    notes: Notes,
}
