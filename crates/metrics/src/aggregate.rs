//! Records in, summary out.

use loadgen_core::RequestRecord;

use crate::config::MetricConfig;
use crate::summary::{OutcomeCounts, Summary, Windows};
use crate::value::RequestMetrics;

/// Collects the records of a run, in any order, and sums them up.
#[derive(Debug, Clone)]
pub struct Aggregator {
    config: MetricConfig,
}

impl Aggregator {
    /// An empty one.
    pub fn new(config: MetricConfig) -> Self {
        Self { config }
    }

    /// Takes one record and its metrics.
    pub fn push(&mut self, record: &RequestRecord, metrics: &RequestMetrics) {
        let _ = (record, metrics, &self.config);
    }

    /// The summary.
    pub fn finish(self, windows: &Windows) -> Summary {
        Summary {
            metrics: Vec::new(),
            warmup_metrics: Vec::new(),
            error_summary: Vec::new(),
            ungrouped_errors: 0,
            counts: OutcomeCounts::default(),
            warmup_counts: OutcomeCounts::default(),
            window: windows.profiling,
            distributions: Vec::new(),
            goodput_curve: None,
        }
    }
}
