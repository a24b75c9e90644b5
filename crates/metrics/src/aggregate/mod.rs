//! Records in, summary out.
//!
//! Values are kept in native units, one column a metric, so that percentiles are exact. A column keeps
//! a few thousand values in memory and the rest on disk, where a folder was given for it (see
//! [`Column`]): memory does not grow with the run.

mod derived;
mod errors;
mod spread;

use std::path::Path;
use std::sync::Arc;

use loadgen_core::{Nanos, Outcome, Phase, RequestRecord};

use crate::column::{Column, Order, Scratch, SpillError};
use crate::config::MetricConfig;
use crate::metric::{Kind, MetricId};
use crate::registry::{REGISTRY, id};
use crate::request::{credit_issued, request_end};
use crate::stats::{Stats, nearest_ranks, percentile_ranks};
use crate::summary::{MetricSummary, OutcomeCounts, Summary, Window, Windows};
use crate::sweep::{Life, Lives, sweep};
use crate::timeline::{Distribution, GoodputCurve};
use crate::value::{Native, RequestMetrics};
use errors::{ErrorGroups, is_context_overflow};

const TTFT: MetricId = id!("time_to_first_token");
const LATENCY: MetricId = id!("request_latency");
const ICL: MetricId = id!("inter_chunk_latency");
const CREDIT_TO_START: MetricId = id!("credit_to_start_latency");
const EFFECTIVE_LATENCY: MetricId = id!("effective_latency");

/// The metrics whose percentiles are also given with every failure counted as infinitely slow.
const ADJUSTED: [(MetricId, MetricId); 4] = [
    (TTFT, id!("adj_time_to_first_token")),
    (LATENCY, id!("adj_request_latency")),
    (id!("inter_token_latency"), id!("adj_inter_token_latency")),
    (id!("decode_duration"), id!("adj_decode_duration")),
];

/// Collects the records of a run and sums them up.
#[derive(Debug)]
pub struct Aggregator {
    config: MetricConfig,
    warmup: PhaseTotals,
    profiling: PhaseTotals,
}

/// What the records of one phase add up to.
#[derive(Debug)]
struct PhaseTotals {
    /// Samples of each metric, native, by registry position.
    columns: Vec<Column>,
    /// Sums of aggregate metrics; `None` until a record has one.
    sums: Vec<Option<i64>>,
    counts: OutcomeCounts,
    context_overflows: u64,
    errors: ErrorGroups,
    lives: Lives,
    /// Start of work minus the intended instant, ns.
    schedule_offsets: Column,
    /// TTFT of the requests that meet every objective on other metrics, ns.
    otherwise_good: Column,
    /// First start and last last-token of successes, ns.
    span: Option<(i64, i64)>,
}

impl Aggregator {
    /// An empty one that keeps everything in memory.
    pub fn new(config: MetricConfig) -> Self {
        Self::with_scratch(config, None)
    }

    /// An empty one that puts aside in `folder` what would not fit in a few MiB: in a file without a
    /// name, which is gone with this process. Where the folder cannot take it, memory does.
    pub fn spilling(config: MetricConfig, folder: &Path) -> Self {
        Self::with_scratch(config, Some(&Arc::new(Scratch::new(folder))))
    }

    fn with_scratch(config: MetricConfig, scratch: Option<&Arc<Scratch>>) -> Self {
        Self { config, warmup: PhaseTotals::new(scratch), profiling: PhaseTotals::new(scratch) }
    }

    /// Takes one record and its metrics, in any order.
    pub fn push(&mut self, record: &RequestRecord, metrics: &RequestMetrics) {
        let totals = match record.identity.phase {
            Phase::Warmup => &mut self.warmup,
            Phase::Profiling => &mut self.profiling,
        };
        totals.push(record, metrics, &self.config);
    }

    /// The summary of one that keeps everything in memory.
    pub fn finish(self, windows: &Windows) -> Summary {
        self.try_finish(windows).expect("what is in memory can be read")
    }

    /// The summary. Without a window for the warm-up, its records' own span takes its place.
    pub fn try_finish(self, windows: &Windows) -> Result<Summary, SpillError> {
        let Self { config, warmup, profiling } = self;
        let warmup_counts = warmup.counts;
        let warmup_window = windows.warmup.or_else(|| warmup.own_window());
        let warmup_metrics = match warmup_window {
            Some(window) if warmup_counts.scheduled() > 0 => warmup.summarize(&config, window)?.metrics,
            _ => Vec::new(),
        };
        let counts = profiling.counts;
        let phase = profiling.summarize(&config, windows.profiling)?;
        Ok(Summary {
            metrics: phase.metrics,
            warmup_metrics,
            error_summary: phase.errors.groups,
            ungrouped_errors: phase.errors.ungrouped,
            counts,
            warmup_counts,
            window: windows.profiling,
            distributions: phase.distributions,
            goodput_curve: phase.goodput_curve,
        })
    }
}

impl PhaseTotals {
    fn new(scratch: Option<&Arc<Scratch>>) -> Self {
        let column = || Column::new(scratch.cloned());
        Self {
            columns: std::iter::repeat_with(column).take(REGISTRY.len()).collect(),
            sums: vec![None; REGISTRY.len()],
            counts: OutcomeCounts::default(),
            context_overflows: 0,
            errors: ErrorGroups::default(),
            lives: Lives::new(scratch.cloned()),
            schedule_offsets: column(),
            otherwise_good: column(),
            span: None,
        }
    }

    fn push(&mut self, record: &RequestRecord, metrics: &RequestMetrics, config: &MetricConfig) {
        self.counts.add(record.outcome);
        if !record.outcome.is_reported() {
            return;
        }
        if record.outcome.is_error() {
            self.errors.add(record);
            self.context_overflows += u64::from(is_context_overflow(record));
        }
        self.push_life(record, metrics);
        self.push_lateness(record);
        self.push_values(metrics);
        if record.outcome == Outcome::Ok {
            self.push_success(record, metrics, config);
        }
    }

    fn push_values(&mut self, metrics: &RequestMetrics) {
        for (id, native) in metrics.natives() {
            match (id.metric().kind, native) {
                (Kind::Aggregate, Native::Int(value)) => {
                    *self.sums[id.index()].get_or_insert(0) += value;
                }
                (_, Native::Int(value)) => self.columns[id.index()].push(*value as f64),
                (_, Native::Float(value)) => self.columns[id.index()].push(*value),
                (_, Native::List(values)) => {
                    let column = &mut self.columns[id.index()];
                    for &value in values {
                        column.push(value as f64);
                    }
                }
            }
        }
    }

    fn push_success(&mut self, record: &RequestRecord, metrics: &RequestMetrics, config: &MetricConfig) {
        let start = record.instants.request_start.map(|start| start.0);
        if let (Some(start), Some(latency)) = (start, metrics.native(LATENCY)) {
            let end = start + latency as i64;
            self.span = Some(match self.span {
                Some((first, last)) => (first.min(start), last.max(end)),
                None => (start, end),
            });
        }
        if let Some(ttft) = metrics.native(TTFT)
            && config.slos.is_good_apart_from(TTFT, metrics)
        {
            self.otherwise_good.push(ttft);
        }
        let instants = &record.instants;
        if config.fixed_schedule
            && let (Some(start), Some(scheduled)) = (instants.request_start, instants.scheduled)
        {
            self.schedule_offsets.push(start.since(scheduled) as f64);
        }
    }

    /// Notes when the request was under way. Must come before its values: its gaps are those that the
    /// next values bring.
    fn push_life(&mut self, record: &RequestRecord, metrics: &RequestMetrics) {
        let (Some(start), Some(end)) = (record.instants.request_start, request_end(record)) else { return };
        let gaps = metrics.natives().iter().find_map(|(id, native)| match native {
            Native::List(values) if *id == ICL => Some(&values[..]),
            _ => None,
        });
        let life = Life {
            start: start.0,
            first_token: metrics.native(TTFT).map(|ttft| start.0 + ttft as i64),
            end: end.0,
            input_tokens: record.tokens.input.unwrap_or(0),
            output_tokens: record.tokens.output_sequence().unwrap_or(0),
            ..Life::default()
        };
        self.lives.push(life.with_gaps(self.columns[ICL.index()].len(), gaps.unwrap_or_default()));
    }

    /// Errors count here too: they were late, and took their time, like any other request.
    fn push_lateness(&mut self, record: &RequestRecord) {
        let Some(due) = credit_issued(&record.instants) else { return };
        if let Some(start) = record.instants.request_start {
            self.columns[CREDIT_TO_START.index()].push(start.since(due).max(0) as f64);
        }
        if let Some(end) = request_end(record) {
            self.columns[EFFECTIVE_LATENCY.index()].push(end.since(due) as f64);
        }
    }

    fn own_window(&self) -> Option<Window> {
        self.lives.span().map(|(start, end)| Window { start: Nanos(start), end: Nanos(end) })
    }

    /// The walk and the columns are worked through side by side: neither needs the other.
    fn summarize(mut self, config: &MetricConfig, window: Window) -> Result<PhaseSummary, SpillError> {
        let lives = std::mem::take(&mut self.lives);
        let gaps = &self.columns[ICL.index()];
        let (walked, described) = std::thread::scope(|scope| {
            let walk = || match self.counts.ok + self.counts.errors() {
                0 => Ok(Vec::new()),
                _ => sweep(lives, gaps, window),
            };
            let walking = scope.spawn(walk);
            let described = self.describe();
            (walking.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), described)
        });
        let Described { mut figures, distributions } = described?;
        for (id, stats) in walked? {
            figures[id.index()] = Some(stats);
        }
        for (id, figure) in derived::figures(&self, config, window)? {
            figures[id.index()] = Some(Stats::scalar(figure));
        }
        let metrics = MetricId::all()
            .zip(figures)
            .filter_map(|(id, stats)| Some(MetricSummary { metric: id.metric(), stats: stats? }))
            .filter(|summary| summary.stats != Stats::default())
            .collect();
        Ok(PhaseSummary {
            metrics,
            distributions,
            goodput_curve: spread::goodput_curve(&self.otherwise_good, &self.counts, &config.slos)?,
            errors: self.errors.finish(),
        })
    }

    /// The statistics of every column, and how those that are drawn are spread.
    fn describe(&self) -> Result<Described, SpillError> {
        let mut figures: Vec<Option<Stats>> = vec![None; REGISTRY.len()];
        let mut distributions = Vec::new();
        let failures = self.counts.errors();
        for id in MetricId::all() {
            let column = &self.columns[id.index()];
            if column.is_empty() {
                continue;
            }
            let unit = id.metric().unit;
            let adjusted = ADJUSTED.iter().find(|(plain, _)| *plain == id).map(|(_, adjusted)| *adjusted);
            let order = self.order(id, adjusted.is_some())?;
            figures[id.index()] = Stats::of(column, &order, unit)?;
            if let Some(adjusted) = adjusted {
                figures[adjusted.index()] = Stats::with_failures(column, &order, failures, unit);
            }
            distributions.extend(spread::distribution(id, column, &order)?);
        }
        distributions.sort_by_key(spread::place);
        Ok(Described { figures, distributions })
    }

    /// What stands at every rank of a column that anything asks for, found at one go.
    fn order(&self, id: MetricId, is_adjusted: bool) -> Result<Order, SpillError> {
        let column = &self.columns[id.index()];
        let mut ranks: Vec<u64> = percentile_ranks(column.len()).collect();
        if is_adjusted {
            ranks.extend(nearest_ranks(column.len(), self.counts.errors()));
        }
        ranks.extend(spread::ranks(id, column.len()));
        column.order(ranks)
    }
}

/// What the columns tell: figures by registry position.
struct Described {
    figures: Vec<Option<Stats>>,
    distributions: Vec<Distribution>,
}

/// One phase's share of the summary.
struct PhaseSummary {
    metrics: Vec<MetricSummary>,
    distributions: Vec<Distribution>,
    goodput_curve: Option<GoodputCurve>,
    errors: errors::Grouped,
}

#[cfg(test)]
mod tests;
