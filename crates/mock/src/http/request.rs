//! A generation request, parsed as far as the mock cares: borrowed from the body, unknown fields
//! passed over.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::reply::Endpoint;
use crate::prompt::PromptJson;

/// Most tokens that can be asked for.
const MAX_TOKENS: u32 = 10_000_000;

#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow, default)]
    model: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    messages: Option<&'a RawValue>,
    #[serde(borrow, default)]
    prompt: Option<&'a RawValue>,
    #[serde(default)]
    stream: Option<bool>,
    #[serde(default)]
    stream_options: Option<StreamOptions>,
    #[serde(default)]
    max_tokens: Option<u32>,
    #[serde(default)]
    max_completion_tokens: Option<u32>,
    #[serde(default)]
    min_tokens: Option<u32>,
    #[serde(default)]
    ignore_eos: Option<bool>,
}

#[derive(Deserialize)]
struct StreamOptions {
    #[serde(default)]
    include_usage: Option<bool>,
}

/// A generation request.
pub(super) struct GenerationRequest<'a> {
    pub(super) model: Cow<'a, str>,
    pub(super) prompt: PromptJson<'a>,
    pub(super) stream: bool,
    pub(super) include_usage: bool,
    /// `max_completion_tokens`, else `max_tokens`.
    pub(super) max_tokens: Option<u32>,
    pub(super) min_tokens: u32,
    pub(super) ignore_eos: bool,
}

impl<'a> GenerationRequest<'a> {
    /// Parses a body. The error is what a 400 says.
    pub(super) fn parse(endpoint: Endpoint, body: &'a [u8]) -> Result<Self, String> {
        let fields: Fields<'a> =
            serde_json::from_slice(body).map_err(|error| format!("the body is not a request: {error}"))?;
        let prompt = match (endpoint, fields.messages, fields.prompt) {
            (Endpoint::Chat, Some(messages), _) => PromptJson::Messages(messages),
            (Endpoint::Completions, _, Some(prompt)) => PromptJson::Text(prompt),
            (Endpoint::Chat, None, _) => return Err("the field messages is missing".to_owned()),
            (Endpoint::Completions, _, None) => return Err("the field prompt is missing".to_owned()),
        };
        let max_tokens = fields.max_completion_tokens.or(fields.max_tokens);
        if max_tokens.is_some_and(|tokens| tokens == 0 || tokens > MAX_TOKENS) {
            return Err(format!("max_tokens must be from 1 to {MAX_TOKENS}"));
        }
        Ok(Self {
            model: fields.model.unwrap_or_default(),
            prompt,
            stream: fields.stream.unwrap_or(false),
            include_usage: fields.stream_options.is_some_and(|options| options.include_usage == Some(true)),
            max_tokens,
            min_tokens: fields.min_tokens.unwrap_or(0),
            ignore_eos: fields.ignore_eos.unwrap_or(false),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn fields_are_found_among_others() {
        let body = br#"{"model":"a\"b","messages":[],"temperature":0.5,"stream":true,"n":1,"max_tokens":5,
            "max_completion_tokens":7,"stream_options":{"include_usage":true},"ignore_eos":true,"min_tokens":3}"#;
        let request = GenerationRequest::parse(Endpoint::Chat, body).unwrap();
        assert_eq!((request.model.as_ref(), request.max_tokens, request.min_tokens), ("a\"b", Some(7), 3));
        assert!(request.stream && request.include_usage && request.ignore_eos);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let said = |endpoint, body: &str| GenerationRequest::parse(endpoint, body.as_bytes()).err().unwrap();
        assert!(said(Endpoint::Chat, "{").contains("not a request"));
        assert!(said(Endpoint::Chat, r#"{"prompt":"x"}"#).contains("messages"));
        assert!(said(Endpoint::Completions, "{}").contains("prompt"));
        assert!(said(Endpoint::Completions, r#"{"prompt":"x","max_tokens":0}"#).contains("max_tokens"));
        assert!(said(Endpoint::Completions, r#"{"prompt":"x","max_tokens":-1}"#).contains("not a request"));
    }
}
