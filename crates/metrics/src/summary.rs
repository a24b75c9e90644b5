//! What a run came to: the figures behind every report.

use std::collections::BTreeMap;

use loadgen_core::{ErrorDetail, FailureKind, Nanos, Outcome};

use crate::metric::Metric;
use crate::stats::Stats;
use crate::timeline::{Distribution, GoodputCurve};

/// The figures of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// The measured phase, in registry order; a metric without samples is absent.
    pub metrics: Vec<MetricSummary>,
    /// The warm-up's figures, computed the same way; empty without a warm-up.
    pub warmup_metrics: Vec<MetricSummary>,
    /// The measured phase's errors by (code, type, message), most frequent first.
    pub error_summary: Vec<(ErrorDetail, u64)>,
    /// Errors that found no place in `error_summary`, because too many distinct ones came.
    pub ungrouped_errors: u64,
    /// Errors of the measured phase that a server told of inside responses which still count as successes,
    /// as AIPerf counts them; by (code, type, message), most frequent first.
    pub in_band_errors: Vec<(ErrorDetail, u64)>,
    /// The warm-up's errors, grouped as the measured phase's.
    pub warmup_error_summary: Vec<(ErrorDetail, u64)>,
    /// How many steps of speculative decoding accepted so many drafts, over all successes; empty where the
    /// server said nothing of it.
    pub acceptance_histogram: BTreeMap<u32, u64>,
    /// What became of the measured phase's requests.
    pub counts: OutcomeCounts,
    /// What became of the warm-up's requests.
    pub warmup_counts: OutcomeCounts,
    /// The measured phase, from its start to the end of its last request.
    pub window: Window,
    /// The warm-up; `None` without one.
    pub warmup_window: Option<Window>,
    /// How TTFT, ITL, gaps between chunks and request latency of the measured phase are spread, where
    /// they exist.
    pub distributions: Vec<Distribution>,
    /// Good requests against the bound on TTFT; `None` when no request has one.
    pub goodput_curve: Option<GoodputCurve>,
}

/// One metric of a summary.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MetricSummary {
    /// Which.
    pub metric: &'static Metric,
    /// Its figures, in the display unit.
    pub stats: Stats,
}

/// A phase's span of time: the divisor of every rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// When the phase started.
    pub start: Nanos,
    /// When its last request had ended.
    pub end: Nanos,
}

/// The spans of a run's phases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Windows {
    /// The measured phase.
    pub profiling: Window,
    /// The warm-up, if there was one.
    pub warmup: Option<Window>,
}

impl Window {
    /// Length in seconds; 0 for an empty or inverted window.
    pub fn seconds(self) -> f64 {
        self.nanoseconds() as f64 / 1e9
    }

    /// Length in ns, never negative.
    pub fn nanoseconds(self) -> i64 {
        self.end.since(self.start).max(0)
    }
}

/// What became of requests. `scheduled() = ok + failed() + cancelled + aborted + not_sent`, always.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
pub struct OutcomeCounts {
    /// Complete responses with content.
    pub ok: u64,
    /// Of those, in how many the server told of an error beside the content. AIPerf passes it over.
    #[serde(default)]
    pub in_band_errors: u64,
    /// Statuses outside 200..=299.
    pub http_error: u64,
    /// No connection.
    pub connect_error: u64,
    /// Not finished within the request timeout.
    pub timeout: u64,
    /// Connections or streams that broke.
    pub stream_error: u64,
    /// Responses without readable content.
    pub invalid_response: u64,
    /// Cancelled by plan.
    pub cancelled: u64,
    /// In flight when the run ended.
    pub aborted: u64,
    /// Scheduled, never sent.
    pub not_sent: u64,
}

impl Summary {
    /// The figures of `tag`, if the run has them.
    pub fn get(&self, tag: &str) -> Option<&Stats> {
        find(&self.metrics, tag)
    }

    /// The warm-up's figures of `tag`.
    pub fn warmup(&self, tag: &str) -> Option<&Stats> {
        find(&self.warmup_metrics, tag)
    }
}

fn find<'a>(metrics: &'a [MetricSummary], tag: &str) -> Option<&'a Stats> {
    metrics.iter().find(|summary| summary.metric.tag == tag).map(|summary| &summary.stats)
}

impl OutcomeCounts {
    /// Counts one more request.
    pub fn add(&mut self, outcome: Outcome) {
        let place = match outcome {
            Outcome::Ok => &mut self.ok,
            Outcome::Failed(FailureKind::HttpError) => &mut self.http_error,
            Outcome::Failed(FailureKind::ConnectError) => &mut self.connect_error,
            Outcome::Failed(FailureKind::Timeout) => &mut self.timeout,
            Outcome::Failed(FailureKind::StreamError) => &mut self.stream_error,
            Outcome::Failed(FailureKind::InvalidResponse) => &mut self.invalid_response,
            Outcome::Cancelled => &mut self.cancelled,
            Outcome::Aborted => &mut self.aborted,
            Outcome::NotSent => &mut self.not_sent,
        };
        *place += 1;
    }

    /// Requests that failed in one of the five ways.
    pub fn failed(&self) -> u64 {
        self.http_error + self.connect_error + self.timeout + self.stream_error + self.invalid_response
    }

    /// Errors in AIPerf's sense: failed or cancelled.
    pub fn errors(&self) -> u64 {
        self.failed() + self.cancelled
    }

    /// Complete responses in which the server told of no error: fewer than AIPerf's successes, where there
    /// are others.
    pub fn flawless(&self) -> u64 {
        self.ok.saturating_sub(self.in_band_errors)
    }

    /// All requests.
    pub fn scheduled(&self) -> u64 {
        self.ok + self.failed() + self.cancelled + self.aborted + self.not_sent
    }
}
