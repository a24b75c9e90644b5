//! Token counts as servers report them, under the names that different servers use.
//!
//! Nothing is derived, with one exception that follows AIPerf: where the prompt is counted the way
//! Anthropic and Bedrock do (`input_tokens` or `inputTokens` beside cache counts at the top), cached
//! tokens are not part of it, and are added.
//!
//! A count that no response can have, below zero or beyond [`MOST_TOKENS`], counts as not reported.

use std::borrow::Cow;

use loadgen_core::Usage;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

const PROMPT_DETAILS: &[&str] = &["prompt_tokens_details", "input_tokens_details"];
const COMPLETION_DETAILS: &[&str] = &["completion_tokens_details", "output_tokens_details"];

/// More tokens than any prompt or completion has; sums over a run stay far from what 64 bits hold.
const MOST_TOKENS: i64 = 1 << 32;

/// The envelopes in which some servers wrap their counts: Gemini's, and Cohere's two.
const ENVELOPES: [&str; 3] = ["/usageMetadata", "/meta/tokens", "/tokens"];

/// The usage in `raw`; `None` if it is no object, or an empty one.
pub(super) fn decode(raw: &RawValue) -> Option<Usage> {
    from_fields(&fields(raw)?)
}

/// The fields of the usage in `raw`; `None` if it is no object, or an empty one.
pub(super) fn fields(raw: &RawValue) -> Option<Map<String, Value>> {
    if !raw.get().starts_with('{') {
        return None;
    }
    let fields: Map<String, Value> = serde_json::from_str(raw.get()).ok()?;
    (!fields.is_empty()).then_some(fields)
}

/// The usage in these fields; `None` if there are none.
pub(super) fn from_fields(fields: &Map<String, Value>) -> Option<Usage> {
    if fields.is_empty() {
        return None;
    }
    let fields = &*unwrapped(fields);
    let top = |names: &[&str]| first(fields, names);
    let detail = |groups: &[&str], names: &[&str]| {
        groups
            .iter()
            .filter_map(|group| fields.get(*group)?.as_object())
            .find_map(|group| first(group, names))
    };

    let cache_read = detail(PROMPT_DETAILS, &["cached_tokens"]).or_else(|| {
        top(&[
            "cache_read_input_tokens",
            "prompt_cache_hit_tokens",
            "cachedContentTokenCount",
            "cacheReadInputTokens",
            "cached_tokens",
        ])
    });
    let cache_write = top(&["cache_creation_input_tokens", "cacheWriteInputTokens"]);
    let mut prompt =
        top(&["prompt_tokens", "input_tokens", "promptTokenCount", "inputTokens", "input_token_count"]);
    let counts_apart = !fields.contains_key("prompt_tokens")
        && [
            ("input_tokens", ["cache_read_input_tokens", "cache_creation_input_tokens"]),
            ("inputTokens", ["cacheReadInputTokens", "cacheWriteInputTokens"]),
        ]
        .iter()
        .any(|(count, caches)| {
            fields.contains_key(*count) && caches.iter().any(|key| fields.contains_key(*key))
        });
    if counts_apart {
        prompt = prompt.map(|prompt| prompt + cache_read.unwrap_or(0) + cache_write.unwrap_or(0));
    }
    Some(Usage {
        prompt_tokens: prompt,
        completion_tokens: top(&[
            "completion_tokens",
            "output_tokens",
            "candidatesTokenCount",
            "outputTokens",
            "generated_token_count",
        ]),
        total_tokens: top(&["total_tokens", "totalTokenCount", "totalTokens"]),
        reasoning_tokens: detail(COMPLETION_DETAILS, &["reasoning_tokens"])
            .or_else(|| top(&["thoughtsTokenCount"])),
        prompt_cache_read_tokens: cache_read,
        prompt_cache_write_tokens: cache_write,
        prompt_cache_miss_tokens: top(&["prompt_cache_miss_tokens"]),
        prompt_audio_tokens: detail(PROMPT_DETAILS, &["audio_tokens"]),
        completion_audio_tokens: detail(COMPLETION_DETAILS, &["audio_tokens"]),
        accepted_prediction_tokens: detail(COMPLETION_DETAILS, &["accepted_prediction_tokens"]),
        rejected_prediction_tokens: detail(COMPLETION_DETAILS, &["rejected_prediction_tokens"]),
        first_chunk_tokens: None,
        speculative: None,
        tool_use_prompt_tokens: top(&["toolUsePromptTokenCount"]),
        prompt_audio_seconds: fields.get("prompt_audio_seconds").and_then(Value::as_f64),
    })
}

/// The fields with those of envelopes beside them; a field that is there already stands.
fn unwrapped(fields: &Map<String, Value>) -> Cow<'_, Map<String, Value>> {
    if !["usageMetadata", "meta", "tokens"].iter().any(|name| fields.get(*name).is_some_and(Value::is_object))
    {
        return Cow::Borrowed(fields);
    }
    let mut all = fields.clone();
    let whole = Value::Object(fields.clone());
    for inner in ENVELOPES.iter().filter_map(|path| whole.pointer(path)?.as_object()) {
        for (key, value) in inner {
            all.entry(key.clone()).or_insert_with(|| value.clone());
        }
    }
    Cow::Owned(all)
}

/// The first of these fields that holds a number which counts tokens.
fn first(fields: &Map<String, Value>, names: &[&str]) -> Option<i64> {
    names.iter().find_map(|name| {
        let value = fields.get(*name)?;
        // A number too large for the integers is cut to the largest, and so left out too.
        let count = value.as_i64().or_else(|| value.as_f64().map(|number| number as i64))?;
        (0..=MOST_TOKENS).contains(&count).then_some(count)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn usage(json: &str) -> Option<Usage> {
        decode(serde_json::from_str::<&RawValue>(json).unwrap())
    }

    #[test]
    fn the_first_name_that_holds_a_number_counts() {
        let openai = usage(
            r#"{"prompt_tokens":3,"completion_tokens":5,"total_tokens":8,
                "prompt_tokens_details":{"cached_tokens":2,"audio_tokens":null},
                "completion_tokens_details":{"reasoning_tokens":0,"accepted_prediction_tokens":1}}"#,
        )
        .unwrap();
        assert_eq!(
            (openai.prompt_tokens, openai.completion_tokens, openai.total_tokens),
            (Some(3), Some(5), Some(8))
        );
        assert_eq!((openai.prompt_cache_read_tokens, openai.reasoning_tokens), (Some(2), Some(0)));
        assert_eq!((openai.prompt_audio_tokens, openai.accepted_prediction_tokens), (None, Some(1)));
        let gemini =
            usage(r#"{"promptTokenCount":1,"candidatesTokenCount":2,"thoughtsTokenCount":3}"#).unwrap();
        assert_eq!(
            (gemini.prompt_tokens, gemini.completion_tokens, gemini.reasoning_tokens),
            (Some(1), Some(2), Some(3))
        );
        assert_eq!(gemini.total_tokens, None, "nothing is derived");
    }

    #[test]
    fn caches_that_are_counted_apart_are_added_to_the_prompt() {
        let apart =
            usage(r#"{"input_tokens":1,"cache_read_input_tokens":10,"cache_creation_input_tokens":100}"#);
        assert_eq!(apart.unwrap().prompt_tokens, Some(111));
    }

    #[test]
    fn counts_that_no_response_has_are_not_counted() {
        let absurd = usage(
            r#"{"prompt_tokens":-5,"completion_tokens":1e30,"total_tokens":18446744073709551615,
                "prompt_tokens_details":{"cached_tokens":9223372036854775807},
                "completion_tokens_details":{"reasoning_tokens":-0.0}}"#,
        )
        .unwrap();
        assert_eq!(absurd, Usage { reasoning_tokens: Some(0), ..Usage::default() });
        // Sums of such counts neither overflow nor are taken for counts.
        let apart =
            usage(r#"{"input_tokens":9223372036854775807,"cache_read_input_tokens":9223372036854775807}"#);
        assert_eq!(apart, Some(Usage::default()));
    }

    #[test]
    fn an_empty_usage_is_none() {
        for json in ["{}", "null", "[]", "3"] {
            assert_eq!(usage(json), None, "{json}");
        }
    }
}
