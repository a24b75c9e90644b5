//! Figures over time and their distributions, as plots need them: data only, nothing drawn.
//!
//! Memory is bounded: at most [`BUCKETS`] buckets, whose width doubles when the run outgrows them.

use loadgen_core::{Nanos, Outcome, Phase, RequestRecord};
use tdigest::TDigest;

use crate::metric::{Metric, MetricId};
use crate::registry::id;
use crate::request::request_end;
use crate::value::RequestMetrics;

const TTFT: MetricId = id!("time_to_first_token");
/// Centroids kept for each bucket and metric.
const CENTROIDS: usize = 50;

/// Most buckets ever kept.
const BUCKETS: usize = 240;
/// Width of a bucket to begin with, ns.
const FIRST_WIDTH_NS: i64 = 100_000_000;

/// Collects a run's figures over time.
#[derive(Debug, Clone)]
pub struct Timeline {
    start: Nanos,
    width_ns: i64,
    buckets: Vec<Bucket>,
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

/// What happened within one bucket of time. Quantiles are t-digest's: approximate. Rates and averages are
/// over the whole bucket, the last one too: over the little of it that the run may have reached, a
/// single request would look like a burst.
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
    /// An empty one that starts at `start`, the start of the measured phase. Records may come in any
    /// order; one that started earlier moves the start back.
    pub fn new(start: Nanos) -> Self {
        Self { start, width_ns: FIRST_WIDTH_NS, buckets: Vec::new() }
    }

    /// Takes one record and its metrics; those of the warm-up are passed over.
    pub fn push(&mut self, record: &RequestRecord, metrics: &RequestMetrics) {
        let (Phase::Profiling, Some(start)) = (record.identity.phase, record.instants.request_start) else {
            return;
        };
        let end = request_end(record).unwrap_or(start);
        self.make_room_before(start);
        self.make_room_until(end);
        let first = self.index(start);
        self.buckets[first].started += 1;
        if let Some(ttft) = metrics.native(TTFT) {
            self.buckets[first].ttft.push(TTFT.metric().unit.display(ttft));
        }
        self.push_flight(start, end);
        let last = self.index(end);
        let has_failed = record.outcome.is_error() || record.in_band_error().is_some();
        self.buckets[last].completed += u64::from(record.outcome == Outcome::Ok && !has_failed);
        self.buckets[last].failed += u64::from(has_failed);
        if record.outcome == Outcome::Ok {
            self.push_chunks(start, record);
        }
    }

    fn push_chunks(&mut self, start: Nanos, record: &RequestRecord) {
        let chunks = &record.chunks;
        let mut before = None;
        for (at, tokens) in chunks.offset_ns.iter().zip(&chunks.tokens) {
            let index = self.index(start + *at);
            let bucket = &mut self.buckets[index];
            bucket.tokens += u64::try_from(*tokens).unwrap_or(0);
            if let Some(before) = before.replace(*at) {
                bucket.gaps.push((at - before) as f64 / 1e6);
            }
        }
    }

    /// Spreads the time that a request was in flight over the buckets that it spans.
    fn push_flight(&mut self, start: Nanos, end: Nanos) {
        for index in self.index(start)..=self.index(end) {
            let from = self.start + index as i64 * self.width_ns;
            let overlap = end.min(from + self.width_ns).since(start.max(from));
            self.buckets[index].flight_ns += overlap.max(0);
        }
    }

    /// The bucket of an instant; what lies outside the buckets counts in the nearest one.
    fn index(&self, at: Nanos) -> usize {
        let number = at.since(self.start).max(0) / self.width_ns;
        usize::try_from(number).unwrap_or(0).min(self.buckets.len().saturating_sub(1))
    }

    /// Adds buckets in front until none of them starts after `at`.
    fn make_room_before(&mut self, at: Nanos) {
        loop {
            let missing = (self.start.since(at).max(0) as u64).div_ceil(self.width_ns as u64) as usize;
            if missing == 0 {
                return;
            }
            if missing + self.buckets.len() <= BUCKETS {
                self.start = self.start - missing as i64 * self.width_ns;
                self.buckets.splice(0..0, std::iter::repeat_with(Bucket::default).take(missing));
                return;
            }
            self.double();
        }
    }

    /// Adds buckets until `at` has one.
    fn make_room_until(&mut self, at: Nanos) {
        loop {
            let needed = (at.since(self.start).max(0) / self.width_ns) as usize + 1;
            if needed <= BUCKETS {
                let needed = needed.max(self.buckets.len());
                self.buckets.resize_with(needed, Bucket::default);
                return;
            }
            self.double();
        }
    }

    /// Doubles the width, joining buckets two by two.
    fn double(&mut self) {
        self.width_ns *= 2;
        let mut halves = std::mem::take(&mut self.buckets).into_iter();
        while let Some(bucket) = halves.next() {
            self.buckets.push(match halves.next() {
                Some(later) => bucket.merged(later),
                None => bucket,
            });
        }
    }

    /// The data.
    pub fn finish(self) -> TimelineData {
        let Self { start, width_ns, buckets } = self;
        let bucket_seconds = width_ns as f64 / 1e9;
        let buckets = buckets.into_iter().enumerate();
        let buckets =
            buckets.map(|(index, bucket)| bucket.shown(index as i64 * width_ns, bucket_seconds)).collect();
        TimelineData { start, bucket_seconds, buckets }
    }
}

/// What happened within one bucket.
#[derive(Debug, Clone)]
struct Bucket {
    ttft: TDigest,
    gaps: TDigest,
    started: u64,
    completed: u64,
    failed: u64,
    tokens: u64,
    /// Time in flight within the bucket, summed over requests, ns.
    flight_ns: i64,
}

impl Default for Bucket {
    fn default() -> Self {
        let digest = || TDigest::new_with_size(CENTROIDS);
        Self { ttft: digest(), gaps: digest(), started: 0, completed: 0, failed: 0, tokens: 0, flight_ns: 0 }
    }
}

impl Bucket {
    fn merged(self, later: Self) -> Self {
        Self {
            ttft: merged(self.ttft, later.ttft),
            gaps: merged(self.gaps, later.gaps),
            started: self.started + later.started,
            completed: self.completed + later.completed,
            failed: self.failed + later.failed,
            tokens: self.tokens + later.tokens,
            flight_ns: self.flight_ns + later.flight_ns,
        }
    }

    fn shown(mut self, from_ns: i64, seconds: f64) -> TimelineBucket {
        TimelineBucket {
            at_seconds: from_ns as f64 / 1e9,
            time_to_first_token_ms: median_and_p99(&mut self.ttft),
            inter_chunk_latency_ms: median_and_p99(&mut self.gaps),
            started: self.started,
            completed: self.completed,
            failed: self.failed,
            tokens: self.tokens,
            tokens_per_second: self.tokens as f64 / seconds,
            requests_per_second: self.completed as f64 / seconds,
            in_flight: self.flight_ns as f64 / 1e9 / seconds,
        }
    }
}

fn merged(mut left: TDigest, mut right: TDigest) -> TDigest {
    left.flush();
    right.flush();
    TDigest::merge_digests(vec![left, right])
}

fn median_and_p99(digest: &mut TDigest) -> Option<(f64, f64)> {
    digest.flush();
    Some((digest.estimate_quantile(0.5)?, digest.estimate_quantile(0.99)?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;
    use crate::config::MetricConfig;
    use crate::fixture::{self, shifted};
    use crate::request::request_metrics;

    fn collect(records: &[RequestRecord]) -> TimelineData {
        collect_from(fixture::START, records)
    }

    fn collect_from(start: Nanos, records: &[RequestRecord]) -> TimelineData {
        let mut timeline = Timeline::new(start);
        for record in records {
            timeline.push(record, &request_metrics(record, &MetricConfig::default()));
        }
        timeline.finish()
    }

    #[test]
    fn one_request_by_hand() {
        // Starts at 50 ms, chunks at 90, 102 and 112 ms, ends at 113 ms: two buckets of 100 ms.
        let data = collect(&[shifted(fixture::ok(&[40, 52, 62]), 50)]);
        assert_eq!((data.bucket_seconds, data.buckets.len()), (0.1, 2));
        let [first, second] = data.buckets[..] else { panic!("two buckets") };
        assert_eq!((first.started, first.completed, first.tokens), (1, 0, 2));
        assert_eq!((second.started, second.completed, second.tokens), (0, 1, 4));
        assert_eq!(first.time_to_first_token_ms, Some((40.0, 40.0)));
        assert_eq!((first.inter_chunk_latency_ms, second.time_to_first_token_ms), (None, None));
        assert_eq!(second.inter_chunk_latency_ms, Some((11.0, 12.0)));
        assert!((first.in_flight - 0.5).abs() < 1e-12);
        // The run ends 13 ms into the last bucket, whose figures are of the whole of it.
        assert!((second.in_flight - 0.13).abs() < 1e-12);
        assert!((second.tokens_per_second - 40.0).abs() < 1e-9);
        assert!((second.requests_per_second - 10.0).abs() < 1e-9);
    }

    #[test]
    fn failures_and_the_cut_off_are_told_apart() {
        let mut failed = fixture::ok(&[]);
        failed.outcome = Outcome::Cancelled;
        let mut aborted = fixture::ok(&[40]);
        aborted.outcome = Outcome::Aborted;
        let data = collect(&[failed, aborted]);
        let bucket = data.buckets[0];
        assert_eq!((bucket.started, bucket.completed, bucket.failed, bucket.tokens), (2, 0, 1, 0));
    }

    proptest! {
        #[test]
        fn nothing_is_lost_however_long_the_run(starts_ms in prop::collection::vec(0_i64..5_000_000, 1..60)) {
            let records: Vec<_> =
                starts_ms.iter().map(|&ms| shifted(fixture::ok(&[40, 52, 62]), ms)).collect();
            // The first record to come is seldom the first to have started.
            let data = collect_from(records[0].instants.request_start.unwrap(), &records);
            let requests = records.len() as u64;
            prop_assert!(data.buckets.len() <= BUCKETS);
            prop_assert_eq!(data.buckets.iter().map(|bucket| bucket.started).sum::<u64>(), requests);
            prop_assert_eq!(data.buckets.iter().map(|bucket| bucket.completed).sum::<u64>(), requests);
            prop_assert_eq!(data.buckets.iter().map(|bucket| bucket.tokens).sum::<u64>(), 6 * requests);
            let flight: f64 = data.buckets.iter().map(|bucket| bucket.in_flight * data.bucket_seconds).sum();
            prop_assert!((flight - 0.063 * requests as f64).abs() < 1e-6, "{}", flight);
        }
    }
}
