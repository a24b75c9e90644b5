//! A generation request, parsed as far as the mock cares: borrowed from the body, unknown fields
//! passed over.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::endpoint::Endpoint;
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
    #[serde(borrow, default)]
    input: Option<&'a RawValue>,
    #[serde(borrow, default)]
    inputs: Option<&'a RawValue>,
    #[serde(borrow, default)]
    query: Option<&'a RawValue>,
    #[serde(borrow, default)]
    passages: Option<&'a RawValue>,
    #[serde(borrow, default)]
    documents: Option<&'a RawValue>,
    #[serde(borrow, default)]
    texts: Option<&'a RawValue>,
    #[serde(borrow, default)]
    inference_model: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    tools: Option<&'a RawValue>,
    #[serde(borrow, default)]
    tool_choice: Option<&'a RawValue>,
    #[serde(default)]
    parameters: Option<Parameters>,
    #[serde(default)]
    max_output_tokens: Option<u32>,
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

#[derive(Default, Deserialize)]
struct StreamOptions {
    #[serde(default)]
    include_usage: Option<bool>,
    #[serde(default)]
    continuous_usage_stats: Option<bool>,
}

/// What TGI's requests say of their answer.
#[derive(Default, Deserialize)]
struct Parameters {
    #[serde(default)]
    max_new_tokens: Option<u32>,
}

/// A generation request.
pub(super) struct GenerationRequest<'a> {
    pub(super) model: Cow<'a, str>,
    pub(super) prompt: PromptJson<'a>,
    pub(super) stream: bool,
    pub(super) include_usage: bool,
    /// Whether each chunk is to have the usage so far.
    pub(super) chunk_usage: bool,
    /// The function that must be called.
    pub(super) tool: Option<String>,
    /// Texts to embed, or passages to rank.
    pub(super) items: u32,
    /// `max_completion_tokens`, else `max_tokens`, or what the endpoint calls it.
    pub(super) max_tokens: Option<u32>,
    pub(super) min_tokens: u32,
    pub(super) ignore_eos: bool,
}

impl<'a> GenerationRequest<'a> {
    /// Parses a body. The error is what a 400 says. `wants_events` is whether the client accepts a stream,
    /// where the body does not say.
    pub(super) fn parse(endpoint: Endpoint, body: &'a [u8], wants_events: bool) -> Result<Self, String> {
        let fields: Fields<'a> =
            serde_json::from_slice(body).map_err(|error| format!("the body is not a request: {error}"))?;
        let needed = |name: &str, value: Option<&'a RawValue>| {
            value.ok_or_else(|| format!("the field {name} is missing"))
        };
        let text = |name: &str, value| needed(name, value).map(PromptJson::Text);
        let prompt = match endpoint {
            Endpoint::Chat | Endpoint::Messages => PromptJson::Messages(needed("messages", fields.messages)?),
            Endpoint::Completions => text("prompt", fields.prompt)?,
            Endpoint::Responses => {
                let input = needed("input", fields.input)?;
                if input.get().starts_with('[') {
                    PromptJson::Messages(input)
                } else {
                    PromptJson::Text(input)
                }
            }
            Endpoint::Generate | Endpoint::GenerateStream => text("inputs", fields.inputs)?,
            Endpoint::Solido => text("query", fields.query)?,
            // Chats are embedded too.
            Endpoint::Embeddings => match fields.messages {
                Some(messages) => PromptJson::Messages(messages),
                None => text("input", fields.input)?,
            },
            Endpoint::NimRanking | Endpoint::CohereRerank | Endpoint::TeiRerank => {
                needed("query", fields.query)?;
                match endpoint {
                    Endpoint::NimRanking => text("passages", fields.passages)?,
                    Endpoint::CohereRerank => text("documents", fields.documents)?,
                    _ => text("texts", fields.texts)?,
                }
            }
        };
        let asked = fields.max_completion_tokens.or(fields.max_tokens).or(fields.max_output_tokens);
        let max_tokens = asked.or(fields.parameters.unwrap_or_default().max_new_tokens);
        if max_tokens.is_some_and(|tokens| tokens == 0 || tokens > MAX_TOKENS) {
            return Err(format!("max_tokens must be from 1 to {MAX_TOKENS}"));
        }
        let options = fields.stream_options.unwrap_or_default();
        let include_usage = options.include_usage == Some(true);
        Ok(Self {
            model: fields.model.or(fields.inference_model).unwrap_or_default(),
            prompt,
            stream: match endpoint {
                Endpoint::GenerateStream => true,
                Endpoint::Solido => wants_events,
                _ => endpoint.generates() && endpoint != Endpoint::Generate && fields.stream.unwrap_or(false),
            },
            include_usage,
            chunk_usage: include_usage && options.continuous_usage_stats == Some(true),
            tool: fields
                .tools
                .filter(|_| endpoint == Endpoint::Chat && fields.tool_choice.is_some_and(is_forced))
                .and_then(first_tool),
            items: items(prompt),
            max_tokens,
            min_tokens: fields.min_tokens.unwrap_or(0),
            ignore_eos: fields.ignore_eos.unwrap_or(false),
        })
    }
}

/// Whether a tool must be called: `required`, or one that is named.
fn is_forced(choice: &RawValue) -> bool {
    choice.get() == "\"required\"" || choice.get().starts_with('{')
}

/// The name of the first tool.
fn first_tool(tools: &RawValue) -> Option<String> {
    let tools: serde_json::Value = serde_json::from_str(tools.get()).ok()?;
    tools.get(0)?.get("function")?.get("name")?.as_str().map(str::to_owned)
}

/// How many texts a list has; anything else is one.
fn items(prompt: PromptJson<'_>) -> u32 {
    let PromptJson::Text(list) = prompt else { return 1 };
    let items = serde_json::from_str::<Vec<&RawValue>>(list.get()).unwrap_or_default();
    // A list of numbers is one text in tokens.
    let is_tokens = items.iter().all(|item| item.get().starts_with(|c: char| c.is_ascii_digit()));
    if is_tokens { 1 } else { u32::try_from(items.len()).unwrap_or(u32::MAX) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn fields_are_found_among_others() {
        let body = br#"{"model":"a\"b","messages":[],"temperature":0.5,"stream":true,"n":1,"max_tokens":5,
            "max_completion_tokens":7,"stream_options":{"include_usage":true},"ignore_eos":true,"min_tokens":3}"#;
        let request = GenerationRequest::parse(Endpoint::Chat, body, false).unwrap();
        assert_eq!((request.model.as_ref(), request.max_tokens, request.min_tokens), ("a\"b", Some(7), 3));
        assert!(request.stream && request.include_usage && request.ignore_eos);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let said =
            |endpoint, body: &str| GenerationRequest::parse(endpoint, body.as_bytes(), false).err().unwrap();
        assert!(said(Endpoint::Chat, "{").contains("not a request"));
        assert!(said(Endpoint::Chat, r#"{"prompt":"x"}"#).contains("messages"));
        assert!(said(Endpoint::Completions, "{}").contains("prompt"));
        assert!(said(Endpoint::Completions, r#"{"prompt":"x","max_tokens":0}"#).contains("max_tokens"));
        assert!(said(Endpoint::Completions, r#"{"prompt":"x","max_tokens":-1}"#).contains("not a request"));
    }

    #[test]
    fn each_endpoint_has_words_of_its_own() {
        let parsed =
            |endpoint, body: &'static str| GenerationRequest::parse(endpoint, body.as_bytes(), true).unwrap();
        let of = parsed(
            Endpoint::Responses,
            r#"{"input":[{"role":"user","content":"a b"}],"max_output_tokens":4}"#,
        );
        assert_eq!((of.max_tokens, of.stream), (Some(4), false));
        let of = parsed(Endpoint::GenerateStream, r#"{"inputs":"a","parameters":{"max_new_tokens":5}}"#);
        assert_eq!((of.max_tokens, of.stream), (Some(5), true));
        let of = parsed(Endpoint::Embeddings, r#"{"model":"m","input":["a","b","c"],"stream":true}"#);
        assert_eq!((of.items, of.stream), (3, false));
        assert_eq!(parsed(Endpoint::Embeddings, r#"{"input":[1,2]}"#).items, 1);
        let of = parsed(
            Endpoint::NimRanking,
            r#"{"query":{"text":"q"},"passages":[{"text":"a b"},{"text":"c"}]}"#,
        );
        assert_eq!((of.items, of.prompt.tokens(&mut crate::prompt::Counter::Words).unwrap()), (2, 3));
        assert!(parsed(Endpoint::Solido, r#"{"query":["a"],"inference_model":"m"}"#).stream);
        let error = GenerationRequest::parse(Endpoint::TeiRerank, br#"{"query":"q"}"#, false).err().unwrap();
        assert_eq!(error, "the field texts is missing");
    }
}
