//! `spec_decode_acceptance`: how a request's tokens were drafted and verified, as its line of the records
//! tells it beside the metrics.
//!
//! The form is AIPerf's. The histogram is a map, so that numbers that did not occur take no room; steps one by
//! one are there only where the server told them.

use std::collections::BTreeMap;

use loadgen_core::{RequestRecord, SpeculativeDecoding};
use schemars::JsonSchema;
use serde::Serialize;

/// Whose words they are: no other server's are read.
const ENGINE: &str = "vllm";

/// What the server said of one request.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Drafts<'a> {
    /// The server's kind.
    engine: &'static str,
    /// Tokens for each step of verification, the one that is always accepted included.
    mean_acceptance_length: f64,
    /// Accepted drafts by drafts, 0 to 1.
    draft_acceptance_rate: f64,
    /// Steps by how many drafts they accepted.
    acceptance_histogram: BTreeMap<u32, u32>,
    /// Drafts that were accepted.
    num_accepted_draft_tokens: u32,
    /// Drafts.
    num_draft_tokens: u32,
    /// Steps of verification.
    num_spec_steps: u32,
    /// Most drafts a step.
    #[serde(skip_serializing_if = "Option::is_none")]
    num_spec_tokens: Option<u32>,
    /// Tokens of the completion, as the server counted them.
    #[serde(skip_serializing_if = "Option::is_none")]
    completion_tokens: Option<i64>,
    /// Drafts accepted, step by step.
    #[serde(skip_serializing_if = "Option::is_none")]
    per_step_accepted: Option<&'a [u32]>,
    /// Drafts made, step by step.
    #[serde(skip_serializing_if = "Option::is_none")]
    per_step_drafted: Option<&'a [u32]>,
}

impl<'a> Drafts<'a> {
    /// That of a request; `None` where the server said nothing of it, or the request failed.
    pub(crate) fn of(record: &'a RequestRecord) -> Option<Self> {
        let usage = record.tokens.usage.as_ref().filter(|_| record.outcome == loadgen_core::Outcome::Ok)?;
        let told: &SpeculativeDecoding = usage.speculative.as_deref()?;
        Some(Self {
            engine: ENGINE,
            mean_acceptance_length: told.mean_acceptance_length,
            draft_acceptance_rate: told.draft_acceptance_rate,
            acceptance_histogram: told.histogram.iter().copied().collect(),
            num_accepted_draft_tokens: told.accepted_draft_tokens,
            num_draft_tokens: told.draft_tokens,
            num_spec_steps: told.steps,
            num_spec_tokens: told.most_drafts,
            completion_tokens: usage.completion_tokens,
            per_step_accepted: told.accepted_by_step.as_deref(),
            per_step_drafted: told.drafted_by_step.as_deref(),
        })
    }
}
