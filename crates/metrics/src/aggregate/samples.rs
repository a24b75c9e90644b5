//! The samples of a set of requests, and the figures that follow from them: a phase's, or a slice's.
//!
//! What needs more than the samples (curves over time, errors by what they say) is the phase's.

use std::sync::Arc;

use loadgen_core::{Outcome, RequestRecord};

use super::derived;
use super::errors::is_context_overflow;
use super::spread;
use crate::column::{Column, Order, Scratch, SpillError};
use crate::config::MetricConfig;
use crate::metric::{Kind, MetricId};
use crate::registry::{REGISTRY, id};
use crate::stats::{Stats, nearest_ranks, percentile_ranks};
use crate::summary::{MetricSummary, OutcomeCounts, Window};
use crate::timeline::Distribution;
use crate::value::Native;

const LATENCY: MetricId = id!("request_latency");
const RTT: MetricId = id!("network_rtt");

/// The metrics whose percentiles are also given with every failure counted as infinitely slow.
const ADJUSTED: [(MetricId, MetricId); 4] = [
    (id!("time_to_first_token"), id!("adj_time_to_first_token")),
    (LATENCY, id!("adj_request_latency")),
    (id!("inter_token_latency"), id!("adj_inter_token_latency")),
    (id!("decode_duration"), id!("adj_decode_duration")),
];

/// The latencies that hold one round trip of the network, and what they are without it. Gaps between
/// chunks hold none.
const WITHOUT_NETWORK: [(MetricId, MetricId); 3] = [
    (id!("time_to_first_token"), id!("network_adjusted_time_to_first_token")),
    (id!("time_to_first_output_token"), id!("network_adjusted_time_to_first_output_token")),
    (LATENCY, id!("network_adjusted_request_latency")),
];

/// What counts of a request beside its metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) outcome: Outcome,
    /// Start of work on it, ns.
    pub(super) start: Option<i64>,
    /// Failed, because its prompt was longer than the model can read.
    pub(super) is_context_overflow: bool,
    /// The server reported an error within a response that had content.
    pub(super) is_in_band_error: bool,
}

impl Facts {
    pub(super) fn of(record: &RequestRecord) -> Self {
        Self {
            outcome: record.outcome,
            start: record.instants.request_start.map(|start| start.0),
            is_context_overflow: record.outcome.is_error() && is_context_overflow(record),
            is_in_band_error: record.in_band_error().is_some(),
        }
    }
}

/// All samples.
#[derive(Debug)]
pub(super) struct Samples {
    scratch: Option<Arc<Scratch>>,
    /// Those of each metric, native, by registry position.
    pub(super) columns: Vec<Column>,
    /// Sums of aggregate metrics; `None` until a record has one.
    pub(super) sums: Vec<Option<i64>>,
    pub(super) counts: OutcomeCounts,
    pub(super) context_overflows: u64,
    /// First start and last last-token of successes, ns.
    pub(super) span: Option<(i64, i64)>,
}

/// Figures by registry position.
pub(super) type Figures = Vec<Option<Stats>>;

/// What is asked of the samples beside their own figures.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) config: &'a MetricConfig,
    /// What divides rates.
    pub(super) window: Window,
    /// The mean round trip of the network, ns; `None` when it was not measured.
    pub(super) network_rtt_ns: Option<f64>,
    /// Whether to say how the metrics that are drawn are spread.
    pub(super) distributions: bool,
}

impl Samples {
    pub(super) fn new(scratch: Option<&Arc<Scratch>>) -> Self {
        let column = || Column::new(scratch.cloned());
        Self {
            scratch: scratch.cloned(),
            columns: std::iter::repeat_with(column).take(REGISTRY.len()).collect(),
            sums: vec![None; REGISTRY.len()],
            counts: OutcomeCounts::default(),
            context_overflows: 0,
            span: None,
        }
    }

    pub(super) fn push(&mut self, facts: Facts, values: &[(MetricId, Native)]) {
        self.counts.add(facts.outcome);
        if !facts.outcome.is_reported() {
            return;
        }
        self.counts.in_band_errors += u64::from(facts.is_in_band_error);
        self.context_overflows += u64::from(facts.is_context_overflow);
        for (id, native) in values {
            self.push_value(*id, native);
            if *id == LATENCY
                && let (Native::Int(latency), Some(start)) = (native, facts.start)
            {
                self.stretch_span(start, start + latency);
            }
        }
    }

    fn push_value(&mut self, id: MetricId, native: &Native) {
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

    fn stretch_span(&mut self, start: i64, end: i64) {
        self.span = Some(match self.span {
            Some((first, last)) => (first.min(start), last.max(end)),
            None => (start, end),
        });
    }

    /// The statistics of every column, sums and rates; and how those that are drawn are spread.
    pub(super) fn figures(&self, wanted: Wanted<'_>) -> Result<(Figures, Vec<Distribution>), SpillError> {
        let mut figures = vec![None; REGISTRY.len()];
        let mut distributions = Vec::new();
        let failures = self.counts.errors();
        for id in MetricId::all() {
            let column = &self.columns[id.index()];
            if column.is_empty() {
                continue;
            }
            let unit = id.metric().unit;
            let adjusted = ADJUSTED.iter().find(|(plain, _)| *plain == id).map(|(_, adjusted)| *adjusted);
            let order = self.order(id, adjusted.is_some(), wanted.distributions)?;
            figures[id.index()] = Stats::of(column, &order, unit)?;
            if let Some(adjusted) = adjusted {
                figures[adjusted.index()] = Stats::with_failures(column, &order, failures, unit);
            }
            if wanted.distributions {
                distributions.extend(spread::distribution(id, column, &order)?);
            }
        }
        if let Some(rtt_ns) = wanted.network_rtt_ns.filter(|rtt_ns| *rtt_ns > 0.0) {
            self.without_network(rtt_ns, &mut figures)?;
        }
        for (id, figure) in derived::figures(self, wanted.config, wanted.window) {
            figures[id.index()] = Some(Stats::scalar(figure));
        }
        distributions.sort_by_key(spread::place);
        Ok((figures, distributions))
    }

    /// What stands at every rank of a column that anything asks for, found at one go.
    fn order(&self, id: MetricId, is_adjusted: bool, is_drawn: bool) -> Result<Order, SpillError> {
        let column = &self.columns[id.index()];
        let mut ranks: Vec<u64> = percentile_ranks(column.len()).collect();
        if is_adjusted {
            ranks.extend(nearest_ranks(column.len(), self.counts.errors()));
        }
        if is_drawn {
            ranks.extend(spread::ranks(id, column.len()));
        }
        column.order(ranks)
    }

    /// Latencies less one round trip, and not below zero: `max(latency - rtt, 0)` for each request.
    fn without_network(&self, rtt_ns: f64, figures: &mut Figures) -> Result<(), SpillError> {
        for (plain, adjusted) in WITHOUT_NETWORK {
            let mut column = Column::new(self.scratch.clone());
            self.columns[plain.index()].scan(|samples| {
                for sample in samples {
                    column.push((sample - rtt_ns).max(0.0));
                }
            })?;
            let order = column.order(percentile_ranks(column.len()).collect())?;
            let stats = Stats::of(&column, &order, adjusted.metric().unit)?;
            // AIPerf writes no count for these.
            figures[adjusted.index()] = stats.map(|stats| Stats { count: None, ..stats });
        }
        figures[RTT.index()] = Some(Stats::of_one(RTT.metric().unit.display(rtt_ns)));
        Ok(())
    }
}

/// The figures that exist, in registry order.
pub(super) fn summaries(figures: Figures) -> Vec<MetricSummary> {
    MetricId::all()
        .zip(figures)
        .filter_map(|(id, stats)| Some(MetricSummary { metric: id.metric(), stats: stats? }))
        .filter(|summary| summary.stats != Stats::default())
        .collect()
}
