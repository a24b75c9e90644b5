//! Figures of a whole set of requests: sums, and sums over the window.
//!
//! The window, not the span of the successes, divides every rate: what the client waited for counts.

use super::samples::Samples;
use crate::column::{Column, SpillError, quantile_ranks};
use crate::config::MetricConfig;
use crate::metric::{Kind, MetricId};
use crate::registry::id;
use crate::summary::Window;

/// A replay whose p99 lag exceeds this has not kept its schedule, ns.
const DEGRADED_LAG_NS: f64 = 500e6;

/// Totals that are plain sums of a per-request metric.
const SUMS: [(MetricId, MetricId); 21] = [
    (id!("total_isl"), id!("input_sequence_length")),
    (id!("total_osl"), id!("output_sequence_length")),
    (id!("total_output_tokens"), id!("output_token_count")),
    (id!("total_reasoning_tokens"), id!("reasoning_token_count")),
    (id!("total_error_isl"), id!("error_isl")),
    (id!("total_spec_decode_steps"), id!("spec_decode_steps")),
    (id!("total_accepted_draft_tokens"), id!("spec_decode_accepted_draft_tokens")),
    (id!("total_draft_tokens"), id!("spec_decode_draft_tokens")),
    (id!("total_usage_prompt_tokens"), id!("usage_prompt_tokens")),
    (id!("total_usage_prompt_cache_read_tokens"), id!("usage_prompt_cache_read_tokens")),
    (id!("total_usage_prompt_cache_write_tokens"), id!("usage_prompt_cache_write_tokens")),
    (id!("total_usage_prompt_cache_miss_tokens"), id!("usage_prompt_cache_miss_tokens")),
    (id!("total_usage_prompt_audio_tokens"), id!("usage_prompt_audio_tokens")),
    (id!("total_usage_tool_use_prompt_tokens"), id!("usage_tool_use_prompt_tokens")),
    (id!("total_usage_prompt_audio_seconds"), id!("usage_prompt_audio_seconds")),
    (id!("total_usage_completion_tokens"), id!("usage_completion_tokens")),
    (id!("total_usage_reasoning_tokens"), id!("usage_reasoning_tokens")),
    (id!("total_usage_completion_audio_tokens"), id!("usage_completion_audio_tokens")),
    (id!("total_usage_accepted_prediction_tokens"), id!("usage_accepted_prediction_tokens")),
    (id!("total_usage_rejected_prediction_tokens"), id!("usage_rejected_prediction_tokens")),
    (id!("total_usage_total_tokens"), id!("usage_total_tokens")),
];

/// Every figure that exists, in display units. Lag behind a schedule is the run's alone: [`replay_lag`].
pub(super) fn figures(samples: &Samples, config: &MetricConfig, window: Window) -> Vec<(MetricId, f64)> {
    let mut figures = Vec::new();
    counts(&mut figures, samples);
    sums(&mut figures, samples);
    drafts(&mut figures, samples);
    rates(&mut figures, samples, window);
    if !config.slos.is_empty() {
        goodput(&mut figures, samples, window);
    }
    figures.retain(|(id, _)| config.applies(id.metric()));
    figures
}

fn counts(figures: &mut Vec<(MetricId, f64)>, samples: &Samples) {
    let (ok, errors) = (samples.counts.ok, samples.counts.errors());
    let completed = ok + errors;
    figures.push((id!("request_count"), ok as f64));
    figures.push((id!("completed_request_count"), completed as f64));
    let rate = if completed == 0 { 0.0 } else { 100.0 * errors as f64 / completed as f64 };
    figures.push((id!("request_error_rate"), rate));
    if errors > 0 {
        figures.push((id!("error_request_count"), errors as f64));
        figures.push((id!("context_overflow_count"), samples.context_overflows as f64));
    }
    // What AIPerf counts nowhere, or among the successes.
    let counts = &samples.counts;
    for (id, count) in [
        (id!("in_band_error_count"), counts.in_band_errors),
        (id!("aborted_request_count"), counts.aborted),
        (id!("not_sent_request_count"), counts.not_sent),
    ] {
        if count > 0 {
            figures.push((id, count as f64));
        }
    }
    if let Some((first, last)) = samples.span {
        let id = id!("benchmark_duration");
        figures.push((id, id.metric().unit.display((last - first) as f64)));
    }
}

fn sums(figures: &mut Vec<(MetricId, f64)>, samples: &Samples) {
    let aggregates = MetricId::all().filter(|id| id.metric().kind == Kind::Aggregate);
    figures.extend(aggregates.filter_map(|id| Some((id, samples.sums[id.index()]? as f64))));
    figures.extend(SUMS.iter().filter_map(|&(total, each)| Some((total, column_sum(samples, each)?))));
    let read = column_sum(samples, id!("usage_prompt_cache_read_tokens"));
    let prompt = column_sum(samples, id!("usage_prompt_tokens")).filter(|&prompt| prompt > 0.0);
    if let (Some(read), Some(prompt)) = (read, prompt) {
        figures.push((id!("overall_usage_prompt_cache_read_pct"), read / prompt * 100.0));
    }
}

/// Over all drafts of the run, whatever request they were of.
fn drafts(figures: &mut Vec<(MetricId, f64)>, samples: &Samples) {
    let sum = |id| column_sum(samples, id).filter(|sum| *sum > 0.0);
    let accepted = column_sum(samples, id!("spec_decode_accepted_draft_tokens"));
    if let (Some(accepted), Some(steps)) = (accepted, sum(id!("spec_decode_steps"))) {
        figures.push((id!("spec_decode_token_weighted_acceptance_length"), 1.0 + accepted / steps));
    }
    if let (Some(accepted), Some(drafts)) = (accepted, sum(id!("spec_decode_draft_tokens"))) {
        figures.push((id!("spec_decode_overall_draft_acceptance_rate"), accepted / drafts * 100.0));
    }
}

fn rates(figures: &mut Vec<(MetricId, f64)>, samples: &Samples, window: Window) {
    let Some(per_second) = Rate::over(window) else { return };
    figures.push((id!("request_throughput"), per_second.of(samples.counts.ok as f64)));
    let input = column_sum(samples, id!("input_sequence_length"));
    let output = column_sum(samples, id!("output_sequence_length"));
    if let Some(input) = input {
        figures.push((id!("input_token_throughput"), per_second.of(input)));
    }
    if let Some(output) = output {
        figures.push((id!("output_token_throughput"), per_second.of(output)));
    }
    if let (Some(input), Some(output)) = (input, output) {
        figures.push((id!("total_token_throughput"), per_second.of(input + output)));
    }
}

fn goodput(figures: &mut Vec<(MetricId, f64)>, samples: &Samples, window: Window) {
    let good = samples.sums[id!("good_request_count").index()].unwrap_or(0) as f64;
    let completed = samples.counts.ok + samples.counts.errors();
    figures.push((id!("good_request_count"), good));
    let fraction = if completed == 0 { 0.0 } else { good / completed as f64 };
    figures.push((id!("good_request_fraction"), fraction));
    if let Some(per_second) = Rate::over(window) {
        figures.push((id!("goodput"), per_second.of(good)));
    }
}

/// Lag behind a fixed schedule, of requests that started so many ns after their time. AIPerf's is against
/// the least lag of the run: what is constant is not drift to it. Ours, beside it, is against the schedule.
pub(super) fn replay_lag(offsets: &Column) -> Result<Vec<(MetricId, f64)>, SpillError> {
    const SHARES: [(MetricId, MetricId, f64); 3] = [
        (id!("replay_sched_lag_p50"), id!("replay_sched_lag_absolute_p50"), 0.50),
        (id!("replay_sched_lag_p90"), id!("replay_sched_lag_absolute_p90"), 0.90),
        (id!("replay_sched_lag_p99"), id!("replay_sched_lag_absolute_p99"), 0.99),
    ];
    let Some(least) = offsets.least() else { return Ok(Vec::new()) };
    let ranks = SHARES.iter().flat_map(|(.., share)| quantile_ranks(offsets.len(), *share));
    let order = offsets.order(ranks.collect())?;
    let offset = |share: f64| order.quantile(share).unwrap_or(least);
    let mut figures = Vec::new();
    for (relative, absolute, share) in SHARES {
        figures.push((relative, relative.metric().unit.display(offset(share) - least)));
        figures.push((absolute, absolute.metric().unit.display(offset(share).max(0.0))));
    }
    let is_degraded = offset(0.99) - least > DEGRADED_LAG_NS;
    figures.push((id!("replay_sched_degraded"), f64::from(u8::from(is_degraded))));
    Ok(figures)
}

/// The sum of a metric's samples; `None` without any.
fn column_sum(samples: &Samples, id: MetricId) -> Option<f64> {
    let column = &samples.columns[id.index()];
    (!column.is_empty()).then(|| column.sum())
}

/// Division by the window's length.
struct Rate {
    seconds: f64,
}

impl Rate {
    /// `None` for an empty window.
    fn over(window: Window) -> Option<Self> {
        let seconds = window.seconds();
        (seconds > 0.0).then_some(Self { seconds })
    }

    fn of(&self, amount: f64) -> f64 {
        amount / self.seconds
    }
}
