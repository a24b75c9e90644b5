//! The pass over a journal: batches of records are worked out one by one, then go in order to the files
//! that are written row by row and to the collectors.
//!
//! While a load runs, one thread does all of it ([`Pass::take`]); once it is over, every core helps
//! ([`Pass::drain`]). Either way the same batches give the same files: how a journal is cut into batches
//! depends on its content alone.

use std::io::BufWriter;
use std::path::Path;

use loadgen_core::{
    ConnectionFacts, Instants, Nanos, Outcome, Phase, RequestRecord, StampCounts, Started, TokenCounts,
};
use loadgen_metrics::{
    Aggregator, Metric, MetricConfig, QualityInput, SliceSummary, SpillError, Timeline, Window, Windows,
    request_end,
};
use loadgen_record::{
    Batch, BatchLimit, Damage, JournalHeader, JournalReader, MetricColumn, ParquetSink, PartialFile,
    RecordError, ShapedRows, keys,
};
use loadgen_report::{RawLines, RecordLines};
use loadgen_tokens::Tokenizer;

use super::Collected;
use super::derive::{Derive, Derived};
use super::files::{Failures, Growing};
use super::genai_perf::{self, Export};
use super::parallel::in_parallel;
use super::slices::SliceFiles;
use super::sorted::Sorter;
use crate::artifacts::Artifacts;
use crate::error::RunError;
use crate::notes::Notes;
use crate::plan::ReportPlan;
use crate::telemetry::mean_rtt_ns;

/// Records worked out at a time: enough to make the hand-over cheap, few enough that some batches for
/// each core take little memory.
pub(super) const BATCH: BatchLimit = BatchLimit { records: 128, bytes: 256 << 10 };

/// Bytes of lines that are written at a time.
const JSONL_BUFFER: usize = 256 << 10;

/// A pass that is done, and the Parquet file that still lacks its metadata.
pub(super) struct Done {
    pub(super) slices: SliceFiles,
    pub(super) collected: Collected,
    pub(super) parquet: Growing<ParquetSink>,
    /// The answers, to be written where there was a success.
    pub(super) answers: Growing<Sorter>,
    pub(super) config: MetricConfig,
    /// Files that could not be written.
    pub(super) failures: Failures,
    /// What could not be read, in the order of the journal.
    pub(super) damage: Vec<Damage>,
}

/// A pass under way.
pub(super) struct Pass {
    slices: SliceFiles,
    derive: Derive,
    collectors: Collectors,
    parquet: Growing<ParquetSink>,
    notes: Notes,
    artifacts: Artifacts,
    /// A round trip that the user gave, ns.
    rtt_ns: Option<f64>,
}

/// Where records go in order, the Parquet file aside.
struct Collectors {
    aggregator: Aggregator,
    quality: QualityInput,
    timeline: Option<Timeline>,
    jsonl: Growing<BufWriter<PartialFile>>,
    raw: Growing<BufWriter<PartialFile>>,
    answers: Growing<Sorter>,
    export: Growing<Export>,
    spans: Spans,
    damage: Vec<Damage>,
    done: u64,
}

impl Pass {
    /// Begins the files that are written row by row.
    pub(super) fn begin(
        header: &JournalHeader,
        plan: &ReportPlan,
        artifacts: &Artifacts,
        tokenizer: Option<Tokenizer>,
    ) -> Result<Self, RunError> {
        let config = plan.metric_config()?;
        let outputs = plan.outputs;
        let jsonl = Growing::begin(artifacts.records_jsonl(), outputs.records, lines_of);
        let parquet = Growing::begin(artifacts.parquet(), outputs.parquet, |path| {
            Ok(ParquetSink::create(path, &metric_columns(), metadata(header, plan))?)
        });
        let raw = Growing::begin(artifacts.raw_jsonl(), outputs.raw, lines_of);
        let answers = Growing::begin(artifacts.outputs_json(), outputs.answers, |_| {
            Ok(Sorter::new(&artifacts.journal()))
        });
        let lines = RecordLines::new(&plan.benchmark_id, i32::from(plan.has_warmup));
        let raw_lines = RawLines::new(lines.clone(), header.clock_anchor);
        let derive = Derive {
            config: config.clone(),
            tokenizer,
            lines: jsonl.file().is_some().then_some(lines),
            traces: outputs.http_trace,
            raw: raw.file().is_some().then_some(raw_lines),
            answers: answers.file().is_some(),
            shaper: parquet.file().map(ParquetSink::shaper),
        };
        let mut aggregator = Aggregator::spilling(config, &artifacts.journal());
        if let Some(width_ns) = plan.slice_duration_ns {
            aggregator = aggregator.sliced(width_ns);
        }
        let slices = SliceFiles::begin(artifacts, plan.slice_duration_ns.is_some());
        let collectors = Collectors {
            aggregator,
            quality: QualityInput::new(plan.waits_for_slots),
            timeline: None,
            jsonl,
            raw,
            answers,
            export: genai_perf::begin(plan, artifacts),
            spans: Spans::default(),
            damage: Vec::new(),
            done: 0,
        };
        Ok(Self {
            slices,
            derive,
            collectors,
            parquet,
            notes: Notes::default(),
            artifacts: artifacts.clone(),
            rtt_ns: plan.network_latency_mean_ms.map(|ms| ms * 1e6),
        })
    }

    /// Whether a file was given up so far.
    pub(super) fn has_given_up(&self) -> bool {
        let Collectors { jsonl, raw, answers, export, .. } = &self.collectors;
        let lines = jsonl.is_given_up() || raw.is_given_up();
        lines
            || answers.is_given_up()
            || export.is_given_up()
            || self.parquet.is_given_up()
            || self.slices.has_given_up()
    }

    /// Takes a batch, on this thread alone.
    pub(super) fn take(&mut self, batch: &Batch) {
        self.take_notes(batch);
        let derived = self.derive.batch(batch);
        self.push(derived);
    }

    /// Takes all that the reader still has, `batch` first, which may be full in part; on every core.
    pub(super) fn drain(
        &mut self,
        reader: &mut JournalReader,
        mut batch: Batch,
        done_so_far: &(dyn Fn(u64) + Sync),
    ) {
        let Self { derive, collectors, parquet, notes, .. } = self;
        let mut is_last = false;
        let batches = std::iter::from_fn(|| {
            if is_last {
                return None;
            }
            is_last = !reader.fill(&mut batch, BATCH);
            take_notes(notes, &batch);
            Some(std::mem::take(&mut batch))
        });
        let work = |batch: Batch| {
            let derived = derive.batch(&batch);
            let rows = derive.rows(&derived);
            (derived, rows)
        };
        let collect = |derived: Derived| {
            collectors.push(derived);
            done_so_far(collectors.done);
        };
        let write = |rows: ShapedResult| write_rows(parquet, rows);
        in_parallel(batches, work, collect, write);
    }

    /// Ends the pass; the reader has nothing more.
    pub(super) fn end(mut self, reader: &JournalReader) -> Result<Done, RunError> {
        let lost = self.derive.records(reader.unfinished().into_iter().map(lost));
        self.push(lost);
        self.parquet.write(|parquet| Ok(parquet.end_rows()?));
        let Collectors {
            mut aggregator,
            quality,
            timeline,
            jsonl,
            raw,
            answers,
            export,
            spans,
            mut damage,
            ..
        } = self.collectors;
        let mut failures = Failures::default();
        failures.end(jsonl, complete);
        failures.end(raw, complete);
        genai_perf::end(export, &self.artifacts, &mut failures);
        let windows = spans.windows(&self.notes);
        let timeline = timeline.unwrap_or_else(|| Timeline::new(windows.profiling.start)).finish();
        let mut slices = self.slices;
        let mut write_slice = |slice: &SliceSummary| -> Result<(), SpillError> {
            slices.slice(slice);
            Ok(())
        };
        aggregator.set_network_rtt_ns(self.rtt_ns.or_else(|| mean_rtt_ns(&self.artifacts)));
        let summary = aggregator
            .try_finish_slices(&windows, &mut write_slice)
            .map_err(|error| RunError::read(&self.artifacts.journal())(std::io::Error::other(error)))?;
        damage.extend(reader.damage().iter().cloned());
        damage.sort_by_key(|damage| (damage.segment, damage.offset));
        let collected = Collected { summary, quality, timeline, notes: self.notes };
        Ok(Done {
            slices,
            collected,
            parquet: self.parquet,
            answers,
            config: self.derive.config,
            failures,
            damage,
        })
    }

    fn push(&mut self, derived: Derived) {
        write_rows(&mut self.parquet, self.derive.rows(&derived));
        self.collectors.push(derived);
    }

    fn take_notes(&mut self, batch: &Batch) {
        take_notes(&mut self.notes, batch);
    }
}

/// Rows, where they are wanted and can be made.
type ShapedResult = Result<Option<ShapedRows>, RecordError>;

fn write_rows(parquet: &mut Growing<ParquetSink>, rows: ShapedResult) {
    parquet.write(|parquet| match rows? {
        Some(rows) => Ok(parquet.write(&rows)?),
        None => Ok(()),
    });
}

/// Begins a file of lines.
fn lines_of(path: &Path) -> Result<BufWriter<PartialFile>, RunError> {
    Ok(BufWriter::with_capacity(JSONL_BUFFER, PartialFile::create(path)?))
}

/// Writes what a file of lines still holds back, and gives it its name.
pub(super) fn complete(lines: BufWriter<PartialFile>) -> Result<(), RunError> {
    let path = lines.get_ref().path().to_owned();
    let written = lines.into_inner().map_err(std::io::IntoInnerError::into_error);
    Ok(written.map_err(RunError::write(path))?.commit()?)
}

fn take_notes(notes: &mut Notes, batch: &Batch) {
    for (kind, json) in batch.notes() {
        notes.take(kind, json);
    }
}

impl Collectors {
    fn push(&mut self, derived: Derived) {
        self.done += derived.records.len() as u64;
        self.damage.extend(derived.damage);
        self.quality.push_dropped_bodies(derived.bodies_dropped);
        for (record, metrics) in &derived.records {
            self.spans.take(record);
            self.aggregator.push(record, metrics);
            self.quality.push(record);
            genai_perf::push(&mut self.export, record);
            let start = record.instants.scheduled.or(record.instants.request_start);
            if let (Phase::Profiling, Some(start)) = (record.identity.phase, start) {
                self.timeline.get_or_insert_with(|| Timeline::new(start)).push(record, metrics);
            }
        }
        self.jsonl.append(&derived.lines);
        self.raw.append(&derived.raw);
        let path = self.answers.path().to_owned();
        self.answers.write(|sorter| {
            let mut answers = derived.answers.into_iter();
            answers.try_for_each(|(key, entry)| sorter.push(key, entry)).map_err(RunError::write(path))
        });
    }
}

/// A request that was in flight when the run was killed.
fn lost(started: Started) -> RequestRecord {
    RequestRecord {
        identity: started.identity,
        instants: Instants {
            scheduled: Some(started.scheduled),
            request_start: Some(started.request_start),
            ..Instants::default()
        },
        connection: ConnectionFacts::default(),
        status: None,
        outcome: Outcome::Aborted,
        error: None,
        finish_reason: None,
        tokens: TokenCounts::default(),
        stamps: StampCounts::default(),
        chunks: loadgen_core::Chunks::default(),
        good: None,
        degraded: false,
        cancelled_at: None,
        images: 0,
        audio_ns: None,
    }
}

fn metric_columns() -> Vec<MetricColumn> {
    Metric::columns()
        .map(|metric| MetricColumn { name: metric.tag.to_owned(), unit: metric.unit.label().to_owned() })
        .collect()
}

fn metadata(header: &JournalHeader, plan: &ReportPlan) -> Vec<(String, String)> {
    [
        (keys::LOADGEN_VERSION, header.loadgen_version.clone()),
        (keys::COMMAND_LINE, plan.command_line.clone()),
        (keys::SEED, plan.seed.to_string()),
        (keys::CLOCK_ANCHOR, header.clock_anchor.0.to_string()),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into()
}

/// When the phases were, as the records tell it: what there is of a run that was killed.
#[derive(Debug, Default)]
struct Spans {
    profiling: Option<Window>,
    warmup: Option<Window>,
    requests: u64,
}

impl Spans {
    fn take(&mut self, record: &RequestRecord) {
        self.requests += 1;
        let instants = &record.instants;
        let Some(start) = instants.request_start.or(instants.scheduled) else { return };
        let end = request_end(record).unwrap_or(start);
        let span = match record.identity.phase {
            Phase::Profiling => &mut self.profiling,
            Phase::Warmup => &mut self.warmup,
        };
        let span = span.get_or_insert(Window { start, end });
        span.start = span.start.min(start);
        span.end = span.end.max(end);
    }

    /// The engine knows best, where it lived to tell.
    fn windows(&self, notes: &Notes) -> Windows {
        let told = |phase: Phase| {
            let report = notes.ended.as_ref()?.engine.phases.iter().find(|report| report.phase == phase)?;
            Some(Window { start: report.start, end: report.end })
        };
        let nothing = Window { start: Nanos(0), end: Nanos(0) };
        Windows {
            profiling: told(Phase::Profiling).or(self.profiling).unwrap_or(nothing),
            warmup: told(Phase::Warmup).or(self.warmup),
        }
    }
}
