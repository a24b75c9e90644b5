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
}
