//! The same figures for each slice of time.
//!
//! The grid starts with the first request and ends with the last; a request belongs to the slice in which
//! work on it began. Requests come in the order of their ends, so their values are put aside and read back
//! by their starts, one slice at a time ([`rows`]); the curves over time are walked once, and cut at the
//! slices' edges. Memory is that of the largest slice, whatever the length of the run.

mod rows;

use std::sync::Arc;

use loadgen_core::Nanos;

use super::phase::PhaseTotals;
use super::samples::{Facts, Samples, Wanted, summaries};
use crate::column::{Scratch, SpillError};
use crate::summary::{MetricSummary, Window};
use crate::sweep::{Grid, sweep_slices};
use crate::value::RequestMetrics;
use rows::{InOrder, Rows};

/// The figures of one slice of the measured phase.
#[derive(Debug, Clone, PartialEq)]
pub struct SliceSummary {
    /// Its span of time, which divides its rates.
    pub window: Window,
    /// Whether it is as long as was asked for; the last one ends with the last request.
    pub is_complete: bool,
    /// Its figures, in registry order.
    pub metrics: Vec<MetricSummary>,
}

/// Collects what the slices of a phase need.
#[derive(Debug)]
pub(super) struct Slices {
    width_ns: i64,
    rows: Rows,
    scratch: Option<Arc<Scratch>>,
}

impl Slices {
    /// Slices of `width_ns`, which is above zero.
    pub(super) fn new(width_ns: i64, scratch: Option<Arc<Scratch>>) -> Self {
        Self { width_ns: width_ns.max(1), rows: Rows::new(scratch.clone()), scratch }
    }

    pub(super) fn push(&mut self, facts: Facts, metrics: &RequestMetrics) {
        if let Some(start) = facts.start.filter(|_| facts.outcome.is_reported()) {
            self.rows.push(start, facts, metrics.natives());
        }
    }

    /// Hands every slice in which a request began to `each`, in order. `phase` is the phase whose requests
    /// they are; the window of `wanted` is passed over.
    pub(super) fn summarize<E: From<SpillError>>(
        self,
        phase: &PhaseTotals,
        wanted: Wanted<'_>,
        each: &mut dyn FnMut(&SliceSummary) -> Result<(), E>,
    ) -> Result<(), E> {
        let Some((first, last)) = phase.lives.span() else { return Ok(()) };
        let grid = Grid { start: first, width: self.width_ns, end: last };
        let mut requests = self.rows.in_order()?;
        let scratch = self.scratch;
        sweep_slices(phase.lives.clone(), phase.gaps(), grid, &mut |number, curves| {
            let Some(samples) = samples_of(&mut requests, grid.window(number), scratch.as_ref())? else {
                return Ok(());
            };
            let window = grid.window(number);
            let (mut figures, _) = samples.figures(Wanted { window, distributions: false, ..wanted })?;
            for (id, stats) in curves {
                figures[id.index()] = Some(stats);
            }
            each(&SliceSummary { window, is_complete: grid.is_complete(number), metrics: summaries(figures) })
        })
    }
}

/// The requests that began before the end of `window`, of those that are left; `None` for none. The last
/// window of a grid takes all: one request may begin at the very instant at which the run ended.
fn samples_of(
    requests: &mut InOrder,
    window: Window,
    scratch: Option<&Arc<Scratch>>,
) -> Result<Option<Samples>, SpillError> {
    let mut samples: Option<Samples> = None;
    while let Some(start) = requests.next_start() {
        if Nanos(start) >= window.end && window.end > window.start {
            break;
        }
        let Some(row) = requests.next()? else { break };
        samples.get_or_insert_with(|| Samples::new(scratch)).push(row.facts, &row.values);
    }
    Ok(samples)
}
