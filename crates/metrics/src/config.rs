//! What a run must say about itself before its records can be turned into numbers.

use serde::{Deserialize, Serialize};

use crate::metric::Metric;
use crate::slo::SloSet;

/// Which metrics apply to a run.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricConfig {
    /// Responses are asked for as streams.
    pub streaming: bool,
    /// The endpoint produces tokens (chat and completions do, embeddings do not).
    pub produces_tokens: bool,
    /// The endpoint's input is tokenized.
    pub tokenizes_input: bool,
    /// The server's token counts are used as ours (`--use-server-token-count`).
    pub server_token_counts: bool,
    /// The run replays a fixed schedule.
    pub fixed_schedule: bool,
    /// The service level objectives; empty without `--goodput`.
    pub slos: SloSet,
    /// From where on token counts disagree.
    pub thresholds: Thresholds,
}

/// From where on a request counts as one whose token counts disagree.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Thresholds {
    /// The server's count differs from ours by more than this many percent of ours.
    pub usage_diff_pct: f64,
    /// The output is longer or shorter than asked for by more than this many percent of that,
    pub osl_mismatch_pct: f64,
    /// or by more than this many tokens, whichever is less.
    pub osl_mismatch_tokens: f64,
}

impl Default for Thresholds {
    /// AIPerf's.
    fn default() -> Self {
        Self { usage_diff_pct: 10.0, osl_mismatch_pct: 5.0, osl_mismatch_tokens: 50.0 }
    }
}

impl Default for MetricConfig {
    /// Streaming chat without SLOs.
    fn default() -> Self {
        Self {
            streaming: true,
            produces_tokens: true,
            tokenizes_input: true,
            server_token_counts: false,
            fixed_schedule: false,
            slos: SloSet::default(),
            thresholds: Thresholds::default(),
        }
    }
}

impl MetricConfig {
    /// Whether this run can have `metric` at all.
    pub fn applies(&self, metric: &Metric) -> bool {
        (self.streaming || !metric.streaming_only)
            && (self.produces_tokens || !metric.needs_output_tokens)
            && (self.tokenizes_input || !metric.needs_input_tokens)
            && (!self.server_token_counts || !metric.usage_diff)
            && (self.fixed_schedule || !metric.fixed_schedule_only)
            && (!self.slos.is_empty() || !metric.goodput_only)
    }
}
