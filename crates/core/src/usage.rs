//! Token counts as the server reported them.

use serde::{Deserialize, Serialize};

/// The `usage` of a response: the last non-empty one that came, nothing derived, nothing merged.
/// `None` is what the server did not say.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens of the prompt.
    pub prompt_tokens: Option<i64>,
    /// Tokens of the completion, reasoning included.
    pub completion_tokens: Option<i64>,
    /// Total as reported.
    pub total_tokens: Option<i64>,
    /// Reasoning tokens within the completion.
    pub reasoning_tokens: Option<i64>,
    /// Prompt tokens read from the server's prefix cache.
    pub prompt_cache_read_tokens: Option<i64>,
    /// Prompt tokens written to the cache.
    pub prompt_cache_write_tokens: Option<i64>,
    /// Prompt tokens that missed the cache.
    pub prompt_cache_miss_tokens: Option<i64>,
    /// Audio tokens of the prompt.
    pub prompt_audio_tokens: Option<i64>,
    /// Audio tokens of the completion.
    pub completion_audio_tokens: Option<i64>,
    /// Predicted tokens that were accepted.
    pub accepted_prediction_tokens: Option<i64>,
    /// Predicted tokens that were rejected.
    pub rejected_prediction_tokens: Option<i64>,
    /// Tokens of the completion up to the first content chunk, where the server was asked for its usage with
    /// every chunk.
    pub first_chunk_tokens: Option<i64>,
    /// Tokens of tool declarations in the prompt, where they are counted apart from it.
    #[serde(default)]
    pub tool_use_prompt_tokens: Option<i64>,
    /// Length of the prompt's audio, s.
    #[serde(default)]
    pub prompt_audio_seconds: Option<f64>,
    /// What became of its drafts, where it decodes speculatively and says so.
    pub speculative: Option<Box<SpeculativeDecoding>>,
}

/// How a request's tokens were drafted and verified, as the server reported it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SpeculativeDecoding {
    /// Tokens for each step of verification, the one that is always accepted included.
    pub mean_acceptance_length: f64,
    /// Accepted drafts by drafts, 0 to 1.
    pub draft_acceptance_rate: f64,
    /// (drafts accepted, steps that accepted so many), ascending; numbers that did not occur are left out.
    pub histogram: Vec<(u32, u32)>,
    /// Drafts that were accepted.
    pub accepted_draft_tokens: u32,
    /// Drafts.
    pub draft_tokens: u32,
    /// Steps of verification.
    pub steps: u32,
    /// Most drafts a step.
    pub most_drafts: Option<u32>,
    /// Drafts accepted, step by step, where the server says it in detail.
    pub accepted_by_step: Option<Vec<u32>>,
    /// Drafts made, step by step, where the server says it in detail.
    pub drafted_by_step: Option<Vec<u32>>,
}
