//! Records in, summary out.
//!
//! Values are kept in native units, one column a metric, so that percentiles are exact. A column keeps
//! a few thousand values in memory and the rest on disk, where a folder was given for it (see
//! [`Column`](crate::column::Column)): memory does not grow with the run. The figures of slices of time, where
//! they are wanted, come one slice after the other ([`slices`]).

mod derived;
mod errors;
mod phase;
mod samples;
mod slices;
mod spread;

use std::path::Path;
use std::sync::Arc;

use loadgen_core::{Phase, RequestRecord};

use crate::column::{Scratch, SpillError};
use crate::config::MetricConfig;
use crate::summary::{Summary, Windows};
use crate::value::RequestMetrics;
use phase::PhaseTotals;
use samples::{Facts, Wanted};
pub use slices::SliceSummary;
use slices::Slices;

/// Collects the records of a run and sums them up.
#[derive(Debug)]
pub struct Aggregator {
    config: MetricConfig,
    scratch: Option<Arc<Scratch>>,
    warmup: PhaseTotals,
    profiling: PhaseTotals,
    slices: Option<Slices>,
    network_rtt_ns: Option<f64>,
}

impl Aggregator {
    /// An empty one that keeps everything in memory.
    pub fn new(config: MetricConfig) -> Self {
        Self::with_scratch(config, None)
    }

    /// An empty one that puts aside in `folder` what would not fit in a few MiB: in a file without a
    /// name, which is gone with this process. Where the folder cannot take it, memory does.
    pub fn spilling(config: MetricConfig, folder: &Path) -> Self {
        Self::with_scratch(config, Some(Arc::new(Scratch::new(folder))))
    }

    fn with_scratch(config: MetricConfig, scratch: Option<Arc<Scratch>>) -> Self {
        let (warmup, profiling) = (PhaseTotals::new(scratch.as_ref()), PhaseTotals::new(scratch.as_ref()));
        Self { config, scratch, warmup, profiling, slices: None, network_rtt_ns: None }
    }

    /// The same, with the figures of each `width_ns` of the measured phase, for
    /// [`Self::try_finish_slices`]. Must be said before the first record.
    #[must_use]
    pub fn sliced(mut self, width_ns: i64) -> Self {
        self.slices = Some(Slices::new(width_ns, self.scratch.clone()));
        self
    }

    /// The mean round trip of the network, ns, which the `network_adjusted_*` latencies leave out; without
    /// one there are none. May be said at any time before the end.
    pub fn set_network_rtt_ns(&mut self, rtt_ns: Option<f64>) {
        self.network_rtt_ns = rtt_ns;
    }

    /// Takes one record and its metrics, in any order.
    pub fn push(&mut self, record: &RequestRecord, metrics: &RequestMetrics) {
        let totals = match record.identity.phase {
            Phase::Warmup => &mut self.warmup,
            Phase::Profiling => {
                if let Some(slices) = &mut self.slices {
                    slices.push(Facts::of(record), metrics);
                }
                &mut self.profiling
            }
        };
        totals.push(record, metrics, &self.config);
    }

    /// The summary of one that keeps everything in memory.
    pub fn finish(self, windows: &Windows) -> Summary {
        self.try_finish(windows).expect("what is in memory can be read")
    }

    /// The summary. Without a window for the warm-up, its records' own span takes its place.
    pub fn try_finish(self, windows: &Windows) -> Result<Summary, SpillError> {
        self.try_finish_slices(windows, &mut |_| Ok(()))
    }

    /// The same; hands every slice of time in which a request began to `each` before, in order.
    pub fn try_finish_slices<E: From<SpillError>>(
        self,
        windows: &Windows,
        each: &mut dyn FnMut(&SliceSummary) -> Result<(), E>,
    ) -> Result<Summary, E> {
        let Self { config, warmup, profiling, slices, network_rtt_ns, .. } = self;
        let wanted = |window| Wanted { config: &config, window, network_rtt_ns, distributions: true };
        if let Some(slices) = slices {
            slices.summarize(&profiling, wanted(windows.profiling), each)?;
        }
        let warmup_counts = warmup.counts();
        let warmup_window =
            windows.warmup.or_else(|| warmup.own_window()).filter(|_| warmup_counts.scheduled() > 0);
        let warmup =
            warmup_window.map(|window| warmup.summarize(Wanted { distributions: false, ..wanted(window) }));
        let (warmup_metrics, warmup_errors) =
            warmup.transpose()?.map(|warmup| (warmup.metrics, warmup.errors.groups)).unwrap_or_default();
        let counts = profiling.counts();
        let phase = profiling.summarize(wanted(windows.profiling))?;
        Ok(Summary {
            metrics: phase.metrics,
            warmup_metrics,
            error_summary: phase.errors.groups,
            ungrouped_errors: phase.errors.ungrouped,
            in_band_errors: phase.in_band_errors.groups,
            warmup_error_summary: warmup_errors,
            acceptance_histogram: phase.acceptance,
            counts,
            warmup_counts,
            window: windows.profiling,
            warmup_window,
            distributions: phase.distributions,
            goodput_curve: phase.goodput_curve,
        })
    }
}

#[cfg(test)]
mod tests;
