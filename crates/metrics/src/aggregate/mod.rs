//! Records in, summary out.
//!
//! Values are kept in native units, one column a metric, so that percentiles are exact: 8 bytes for
//! every value, and for every gap between chunks. (Storage can take the columns' place one day: the
//! statistics only ask for one sorted column at a time.)

mod derived;
mod errors;
mod spread;

use loadgen_core::{Nanos, Outcome, Phase, RequestRecord};

use crate::config::MetricConfig;
use crate::metric::{Kind, MetricId};
use crate::registry::{REGISTRY, id};
use crate::request::{credit_issued, request_end};
use crate::stats::Stats;
use crate::summary::{MetricSummary, OutcomeCounts, Summary, Window, Windows};
use crate::sweep::{Life, sweep};
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
#[derive(Debug, Clone)]
pub struct Aggregator {
    config: MetricConfig,
    warmup: PhaseTotals,
    profiling: PhaseTotals,
}

/// What the records of one phase add up to.
#[derive(Debug, Clone)]
struct PhaseTotals {
    /// Samples of each metric, native, by registry position.
    columns: Vec<Vec<f64>>,
    /// Sums of aggregate metrics; `None` until a record has one.
    sums: Vec<Option<i64>>,
    counts: OutcomeCounts,
    context_overflows: u64,
    errors: ErrorGroups,
    lives: Vec<Life>,
    /// Start of work minus the intended instant, ns.
    schedule_offsets: Vec<f64>,
    /// TTFT of the requests that meet every objective on other metrics, ns.
    otherwise_good: Vec<f64>,
    /// First start and last last-token of successes, ns.
    span: Option<(i64, i64)>,
}

impl Aggregator {
    /// An empty one.
    pub fn new(config: MetricConfig) -> Self {
        Self { config, warmup: PhaseTotals::new(), profiling: PhaseTotals::new() }
    }

    /// Takes one record and its metrics, in any order.
    pub fn push(&mut self, record: &RequestRecord, metrics: &RequestMetrics) {
        let totals = match record.identity.phase {
            Phase::Warmup => &mut self.warmup,
            Phase::Profiling => &mut self.profiling,
        };
        totals.push(record, metrics, &self.config);
    }

    /// The summary. Without a window for the warm-up, its records' own span takes its place.
    pub fn finish(self, windows: &Windows) -> Summary {
        let Self { config, warmup, profiling } = self;
        let warmup_counts = warmup.counts;
        let warmup_window = windows.warmup.or_else(|| warmup.own_window());
        let warmup_metrics = match warmup_window {
            Some(window) if warmup_counts.scheduled() > 0 => warmup.summarize(&config, window).metrics,
            _ => Vec::new(),
        };
        let counts = profiling.counts;
        let phase = profiling.summarize(&config, windows.profiling);
        Summary {
            metrics: phase.metrics,
            warmup_metrics,
            error_summary: phase.errors.groups,
            ungrouped_errors: phase.errors.ungrouped,
            counts,
            warmup_counts,
            window: windows.profiling,
            distributions: phase.distributions,
            goodput_curve: phase.goodput_curve,
        }
    }
}

impl PhaseTotals {
    fn new() -> Self {
        Self {
            columns: vec![Vec::new(); REGISTRY.len()],
            sums: vec![None; REGISTRY.len()],
            counts: OutcomeCounts::default(),
            context_overflows: 0,
            errors: ErrorGroups::default(),
            lives: Vec::new(),
            schedule_offsets: Vec::new(),
            otherwise_good: Vec::new(),
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
                    self.columns[id.index()].extend(values.iter().map(|&value| value as f64));
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
            Native::List(values) if *id == ICL => Some(values.len()),
            _ => None,
        });
        self.lives.push(Life {
            start: start.0,
            first_token: metrics.native(TTFT).map(|ttft| start.0 + ttft as i64),
            end: end.0,
            input_tokens: record.tokens.input.unwrap_or(0),
            output_tokens: record.tokens.output_sequence().unwrap_or(0),
            gaps_at: self.columns[ICL.index()].len(),
            gaps: gaps.unwrap_or(0),
        });
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
        let start = self.lives.iter().map(|life| life.start).min()?;
        let end = self.lives.iter().map(|life| life.end).max()?;
        Some(Window { start: Nanos(start), end: Nanos(end) })
    }

    fn summarize(mut self, config: &MetricConfig, window: Window) -> PhaseSummary {
        let mut figures: Vec<Option<Stats>> = vec![None; REGISTRY.len()];
        // The walk needs gaps in the order they came; sorting comes after it.
        if self.counts.ok + self.counts.errors() > 0 {
            for (id, stats) in sweep(&self.lives, &self.columns[ICL.index()], window) {
                figures[id.index()] = Some(stats);
            }
        }
        self.lives = Vec::new();
        for id in MetricId::all() {
            let column = &mut self.columns[id.index()];
            column.sort_unstable_by(f64::total_cmp);
            figures[id.index()] = figures[id.index()].or(Stats::of_sorted(column, id.metric().unit));
        }
        for (plain, adjusted) in ADJUSTED {
            let column = &self.columns[plain.index()];
            figures[adjusted.index()] =
                Stats::with_failures(column, self.counts.errors(), plain.metric().unit);
        }
        for (id, figure) in derived::figures(&self, config, window) {
            figures[id.index()] = Some(Stats::scalar(figure));
        }
        let metrics = MetricId::all()
            .zip(figures)
            .filter_map(|(id, stats)| Some(MetricSummary { metric: id.metric(), stats: stats? }))
            .filter(|summary| summary.stats != Stats::default())
            .collect();
        PhaseSummary {
            metrics,
            distributions: spread::distributions(&self.columns),
            goodput_curve: spread::goodput_curve(&mut self.otherwise_good, &self.counts, &config.slos),
            errors: self.errors.finish(),
        }
    }
}

/// One phase's share of the summary.
struct PhaseSummary {
    metrics: Vec<MetricSummary>,
    distributions: Vec<crate::timeline::Distribution>,
    goodput_curve: Option<crate::timeline::GoodputCurve>,
    errors: errors::Grouped,
}

#[cfg(test)]
mod tests;
