//! What the records of one phase add up to.

use std::collections::BTreeMap;
use std::sync::Arc;

use loadgen_core::{Nanos, Outcome, RequestRecord};

use super::derived;
use super::errors::{ErrorGroups, Grouped};
use super::samples::{Facts, Samples, Wanted, summaries};
use super::spread;
use crate::column::{Column, Scratch, SpillError};
use crate::config::MetricConfig;
use crate::metric::MetricId;
use crate::registry::id;
use crate::request::{credit_issued, request_end};
use crate::stats::Stats;
use crate::summary::{MetricSummary, OutcomeCounts, Window};
use crate::sweep::{Life, Lives, sweep};
use crate::timeline::{Distribution, GoodputCurve};
use crate::value::{Native, RequestMetrics};

const TTFT: MetricId = id!("time_to_first_token");
pub(super) const ICL: MetricId = id!("inter_chunk_latency");
const CREDIT_TO_START: MetricId = id!("credit_to_start_latency");
const EFFECTIVE_LATENCY: MetricId = id!("effective_latency");

/// The samples of a phase, and what else is known of it.
#[derive(Debug)]
pub(super) struct PhaseTotals {
    pub(super) samples: Samples,
    errors: ErrorGroups,
    in_band_errors: ErrorGroups,
    /// Steps of speculative decoding by how many drafts they accepted.
    acceptance: BTreeMap<u32, u64>,
    pub(super) lives: Lives,
    /// Start of work minus the intended instant, ns.
    schedule_offsets: Column,
    /// TTFT of the requests that meet every objective on other metrics, ns.
    otherwise_good: Column,
}

/// One phase's share of the summary.
pub(super) struct PhaseSummary {
    pub(super) metrics: Vec<MetricSummary>,
    pub(super) distributions: Vec<Distribution>,
    pub(super) goodput_curve: Option<GoodputCurve>,
    pub(super) errors: Grouped,
    pub(super) in_band_errors: Grouped,
    pub(super) acceptance: BTreeMap<u32, u64>,
}

impl PhaseTotals {
    pub(super) fn new(scratch: Option<&Arc<Scratch>>) -> Self {
        Self {
            samples: Samples::new(scratch),
            errors: ErrorGroups::default(),
            in_band_errors: ErrorGroups::default(),
            acceptance: BTreeMap::new(),
            lives: Lives::new(scratch.cloned()),
            schedule_offsets: Column::new(scratch.cloned()),
            otherwise_good: Column::new(scratch.cloned()),
        }
    }

    pub(super) fn counts(&self) -> OutcomeCounts {
        self.samples.counts
    }

    pub(super) fn push(&mut self, record: &RequestRecord, metrics: &RequestMetrics, config: &MetricConfig) {
        if record.outcome.is_reported() {
            if record.outcome.is_error() {
                self.errors.add(record);
            } else if let Some(error) = record.in_band_error() {
                self.in_band_errors.count(error);
            }
            self.push_life(record, metrics);
            self.push_lateness(record);
        }
        if record.outcome == Outcome::Ok {
            self.push_success(record, metrics, config);
        }
        self.samples.push(Facts::of(record), metrics.natives());
    }

    fn push_success(&mut self, record: &RequestRecord, metrics: &RequestMetrics, config: &MetricConfig) {
        if let Some(ttft) = metrics.native(TTFT)
            && config.slos.is_good_apart_from(TTFT, metrics)
        {
            self.otherwise_good.push(ttft);
        }
        let usage = record.tokens.usage.as_ref();
        if let Some(told) = usage.and_then(|usage| usage.speculative.as_ref()) {
            for (accepted, steps) in &told.histogram {
                *self.acceptance.entry(*accepted).or_default() += u64::from(*steps);
            }
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
        self.lives.push(life.with_gaps(self.gaps().len(), gaps.unwrap_or_default()));
    }

    /// Errors count here too: they were late, and took their time, like any other request.
    fn push_lateness(&mut self, record: &RequestRecord) {
        let Some(due) = credit_issued(&record.instants) else { return };
        if let Some(start) = record.instants.request_start {
            self.samples.columns[CREDIT_TO_START.index()].push(start.since(due).max(0) as f64);
        }
        if let Some(end) = request_end(record) {
            self.samples.columns[EFFECTIVE_LATENCY.index()].push(end.since(due) as f64);
        }
    }

    /// The gaps between the chunks of all requests.
    pub(super) fn gaps(&self) -> &Column {
        &self.samples.columns[ICL.index()]
    }

    pub(super) fn own_window(&self) -> Option<Window> {
        self.lives.span().map(|(start, end)| Window { start: Nanos(start), end: Nanos(end) })
    }

    /// The walk and the columns are worked through side by side: neither needs the other.
    pub(super) fn summarize(mut self, wanted: Wanted<'_>) -> Result<PhaseSummary, SpillError> {
        let lives = std::mem::take(&mut self.lives);
        let counts = self.counts();
        let (walked, described) = std::thread::scope(|scope| {
            let walk = || match counts.ok + counts.errors() {
                0 => Ok(Vec::new()),
                _ => sweep(lives, self.gaps(), wanted.window),
            };
            let walking = scope.spawn(walk);
            let described = self.samples.figures(wanted);
            (walking.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), described)
        });
        let (mut figures, distributions) = described?;
        for (id, stats) in walked? {
            figures[id.index()] = Some(stats);
        }
        for (id, figure) in derived::replay_lag(&self.schedule_offsets)? {
            figures[id.index()] = Some(Stats::scalar(figure));
        }
        Ok(PhaseSummary {
            metrics: summaries(figures),
            distributions,
            goodput_curve: spread::goodput_curve(&self.otherwise_good, &counts, &wanted.config.slos)?,
            errors: self.errors.finish(),
            in_band_errors: self.in_band_errors.finish(),
            acceptance: self.acceptance,
        })
    }
}
