//! What a run must say about itself before its records can be turned into numbers.

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
