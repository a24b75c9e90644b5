//! The pass over a journal: records are counted on every core, then go in order to the files that
//! are written row by row and to the collectors.

use std::fs::{self, File};
use std::io::{BufWriter, Write};

use loadgen_core::{
    ConnectionFacts, Instants, Nanos, Outcome, Phase, RawRecord, RequestRecord, StampCounts, Started,
    TokenCounts,
};
use loadgen_metrics::{
    Aggregator, Metric, MetricConfig, QualityInput, Timeline, Window, Windows, request_end,
};
use loadgen_record::{Entry, JournalHeader, JournalReader, MetricColumn, ParquetSink, keys};
use loadgen_report::RecordLines;
use loadgen_tokens::Tokenizer;

use super::Collected;
use super::derive::{Derive, Row, on_all_cores};
use super::outputs::beside;
use crate::artifacts::Artifacts;
use crate::counting::{TokenPolicy, count};
use crate::error::RunError;
use crate::notes::Notes;
use crate::plan::ReportPlan;

/// Records counted at a time: enough to keep every core busy, few enough to hold in memory.
const BATCH: usize = 1024;

/// A pass that is done, and the Parquet file that still lacks its metadata.
pub(super) struct Pass {
    pub(super) collected: Collected,
    pub(super) parquet: Option<ParquetSink>,
    pub(super) config: MetricConfig,
}

/// Where records go.
struct Sinks {
    derive: Derive,
    aggregator: Aggregator,
    quality: QualityInput,
    timeline: Option<Timeline>,
    jsonl: Option<BufWriter<File>>,
    parquet: Option<ParquetSink>,
    spans: Spans,
    artifacts: Artifacts,
}

impl Pass {
    /// Reads the whole journal.
    pub(super) fn over(
        reader: &mut JournalReader,
        header: &JournalHeader,
        plan: &ReportPlan,
        tokenizer: &Tokenizer,
        artifacts: &Artifacts,
        done_so_far: &dyn Fn(u64),
    ) -> Result<Self, RunError> {
        let config = plan.metric_config()?;
        let policy =
            if plan.server_token_counts { TokenPolicy::Server } else { TokenPolicy::Client(tokenizer) };
        let mut sinks = Sinks::open(header, plan, artifacts, config.clone())?;
        let mut notes = Notes::default();
        let mut batch = Vec::with_capacity(BATCH);
        let mut done = 0;
        for entry in reader.by_ref() {
            match entry {
                Entry::Finished(record) => batch.push(*record),
                Entry::Note { kind, json } => notes.take(&kind, &json),
                Entry::Started(_) => {}
            }
            if batch.len() == BATCH {
                done += BATCH as u64;
                sinks.take(&mut batch, &policy)?;
                done_so_far(done);
            }
        }
        sinks.take(&mut batch, &policy)?;
        for started in reader.unfinished() {
            let row = sinks.derive.row(lost(started));
            sinks.push(row)?;
        }
        sinks.close(notes)
    }
}

impl Sinks {
    fn open(
        header: &JournalHeader,
        plan: &ReportPlan,
        artifacts: &Artifacts,
        config: MetricConfig,
    ) -> Result<Self, RunError> {
        let jsonl = if plan.outputs.records {
            let path = artifacts.records_jsonl();
            Some(BufWriter::new(File::create(beside(&path)).map_err(RunError::write(&path))?))
        } else {
            None
        };
        let parquet = if plan.outputs.parquet {
            Some(ParquetSink::create(&artifacts.parquet(), &metric_columns(), metadata(header, plan))?)
        } else {
            None
        };
        let lines = RecordLines::new(&plan.benchmark_id, i32::from(plan.has_warmup));
        let derive = Derive { lines: jsonl.is_some().then_some(lines), config: config.clone() };
        Ok(Self {
            aggregator: Aggregator::new(config),
            quality: QualityInput::new(plan.waits_for_slots),
            timeline: None,
            jsonl,
            parquet,
            spans: Spans::default(),
            artifacts: artifacts.clone(),
            derive,
        })
    }

    /// Counts a batch on every core and takes it in order.
    fn take(&mut self, batch: &mut Vec<RawRecord>, policy: &TokenPolicy<'_>) -> Result<(), RunError> {
        let derive = &self.derive;
        let rows = on_all_cores(std::mem::take(batch), |raw| derive.row(count(raw, policy)));
        rows.into_iter().try_for_each(|row| self.push(row))
    }

    fn push(&mut self, Row { record, metrics, line }: Row) -> Result<(), RunError> {
        self.spans.take(&record);
        self.aggregator.push(&record, &metrics);
        self.quality.push(&record);
        let start = record.instants.scheduled.or(record.instants.request_start);
        if let (Phase::Profiling, Some(start)) = (record.identity.phase, start) {
            self.timeline.get_or_insert_with(|| Timeline::new(start)).push(&record, &metrics);
        }
        if let Some(jsonl) = &mut self.jsonl
            && let Some(line) = line
        {
            jsonl.write_all(line.as_bytes()).map_err(RunError::write(self.artifacts.records_jsonl()))?;
        }
        if let Some(parquet) = &mut self.parquet {
            parquet.push(&record, &metrics.columns())?;
        }
        Ok(())
    }

    fn close(mut self, notes: Notes) -> Result<Pass, RunError> {
        if let Some(jsonl) = &mut self.jsonl {
            let path = self.artifacts.records_jsonl();
            jsonl.flush().and_then(|()| fs::rename(beside(&path), &path)).map_err(RunError::write(path))?;
        }
        let windows = self.spans.windows(&notes);
        let timeline = self.timeline.unwrap_or_else(|| Timeline::new(windows.profiling.start)).finish();
        let collected =
            Collected { summary: self.aggregator.finish(&windows), quality: self.quality, timeline, notes };
        Ok(Pass { collected, parquet: self.parquet, config: self.derive.config })
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
