//! Token counts as the server reported them, and how far they are from ours.

use loadgen_core::{RequestRecord, SpeculativeDecoding};

use super::Values;
use crate::metric::MetricId;
use crate::registry::id;

const PROMPT_DIFF: MetricId = id!("usage_prompt_tokens_diff_pct");
const COMPLETION_DIFF: MetricId = id!("usage_completion_tokens_diff_pct");
const REASONING_DIFF: MetricId = id!("usage_reasoning_tokens_diff_pct");
const DISCREPANCY: MetricId = id!("usage_discrepancy_count");

pub(super) fn push(values: &mut Values<'_>, record: &RequestRecord) {
    let Some(usage) = &record.tokens.usage else { return };
    let tokens = &record.tokens;
    for (id, count) in [
        (id!("usage_prompt_tokens"), usage.prompt_tokens),
        (id!("usage_prompt_cache_read_tokens"), usage.prompt_cache_read_tokens),
        (id!("usage_prompt_cache_write_tokens"), usage.prompt_cache_write_tokens),
        (id!("usage_prompt_cache_miss_tokens"), usage.prompt_cache_miss_tokens),
        (id!("usage_prompt_audio_tokens"), usage.prompt_audio_tokens),
        (id!("usage_tool_use_prompt_tokens"), usage.tool_use_prompt_tokens),
        (id!("usage_completion_tokens"), usage.completion_tokens),
        (id!("usage_reasoning_tokens"), usage.reasoning_tokens),
        (id!("usage_completion_audio_tokens"), usage.completion_audio_tokens),
        (id!("usage_accepted_prediction_tokens"), usage.accepted_prediction_tokens),
        (id!("usage_rejected_prediction_tokens"), usage.rejected_prediction_tokens),
        (id!("usage_total_tokens"), usage.total_tokens),
    ] {
        values.int(id, count);
    }

    values.float(id!("usage_prompt_audio_seconds"), usage.prompt_audio_seconds);

    if let Some(told) = &usage.speculative {
        speculative(values, told);
    }

    let prompt = difference(usage.prompt_tokens, tokens.input);
    let completion = difference(usage.completion_tokens, tokens.output_sequence());
    let reasoning = difference(usage.reasoning_tokens, tokens.reasoning);
    values.float(PROMPT_DIFF, prompt);
    values.float(COMPLETION_DIFF, completion);
    values.float(REASONING_DIFF, reasoning);
    if let (Some(prompt), Some(completion)) = (prompt, completion) {
        let worst = prompt.max(completion).max(reasoning.unwrap_or(0.0));
        values.int(DISCREPANCY, i64::from(worst > values.config.thresholds.usage_diff_pct));
    }
}

fn speculative(values: &mut Values<'_>, told: &SpeculativeDecoding) {
    let [steps, drafts, accepted] =
        [told.steps, told.draft_tokens, told.accepted_draft_tokens].map(f64::from);
    values.float(id!("spec_decode_acceptance_length"), told.mean_acceptance_length);
    values.float(id!("spec_decode_draft_acceptance_rate"), 100.0 * told.draft_acceptance_rate);
    // Each step yields one token beside the drafts: not finite without any step, and then absent.
    values.float(id!("spec_decode_accepted_per_verified"), (accepted + steps) / (drafts + steps));
    values.int(id!("spec_decode_steps"), i64::from(told.steps));
    values.int(id!("spec_decode_accepted_draft_tokens"), i64::from(told.accepted_draft_tokens));
    values.int(id!("spec_decode_draft_tokens"), i64::from(told.draft_tokens));
}

/// By how many percent of our count the server's differs; `None` without both, or when ours is zero.
fn difference(reported: Option<i64>, ours: Option<i64>) -> Option<f64> {
    let ours = ours.filter(|&ours| ours != 0)? as f64;
    // In the order in which AIPerf reckons: its files say the same to the last bit.
    Some((reported? as f64 - ours).abs() / ours * 100.0)
}
