//! Anthropic's messages: typed events, or one message.
//!
//! | event | counts as |
//! |---|---|
//! | `content_block_delta` | text, reasoning (`thinking`), a tool call's text (`partial_json`) |
//! | `message_start`, `message_delta` | usage |
//! | `error` | an error that is told beside the outcome, unless the event's own name is `error` too: a failure |
//!
//! A stream tells its usage in two events, and the second may leave out what the first said: a field that
//! the latest one lacks is taken from the first that had it. Of a whole message, reasoning goes before
//! everything (with it, text counts too), tool calls before text, as in chat.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::event::{in_band_error, plain_text_of, text_of};
use super::said::{Said, escaped};
use super::template::{Plain, Slot};
use super::usage;

/// What is remembered from one event to the next.
#[derive(Debug, Default)]
pub(super) struct Messages {
    /// The usage so far, each field as it came first.
    usage: Map<String, Value>,
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow, default)]
    delta: Option<&'a RawValue>,
    #[serde(borrow, default)]
    message: Option<&'a RawValue>,
    #[serde(borrow, default)]
    usage: Option<&'a RawValue>,
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    content_block: Option<&'a RawValue>,
    #[serde(borrow, default)]
    stop_reason: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow, default)]
    text: Option<&'a RawValue>,
    #[serde(borrow, default)]
    thinking: Option<&'a RawValue>,
    #[serde(borrow, default)]
    partial_json: Option<&'a RawValue>,
    #[serde(borrow, default)]
    signature: Option<&'a RawValue>,
    #[serde(borrow, default)]
    stop_reason: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Begun<'a> {
    #[serde(borrow, default)]
    usage: Option<&'a RawValue>,
}

impl Messages {
    pub(super) fn take<'a>(&mut self, json: &'a str, said: &mut Said<'_>) -> Option<Plain<'a>> {
        let event = serde_json::from_str::<Event<'a>>(json).ok()?;
        said.error(in_band_error(event.error));
        match event.kind.and_then(text_of)? {
            "content_block_delta" => return take_delta(event.delta?, said),
            "content_block_start" => said.block(event.content_block?.get(), false),
            "message_start" => {
                let begun = serde_json::from_str::<Begun<'_>>(event.message?.get()).ok()?;
                self.take_usage(begun.usage, said);
            }
            "message_delta" => {
                self.take_usage(event.usage, said);
                let delta = serde_json::from_str::<Delta<'_>>(event.delta?.get()).ok()?;
                if let Some(reason) = delta.stop_reason.and_then(plain_text_of) {
                    said.finish_reason(&reason);
                }
            }
            "message" => {
                self.take_usage(event.usage, said);
                if let Some(reason) = event.stop_reason.and_then(plain_text_of) {
                    said.finish_reason(&reason);
                }
                let content = event.content?.get();
                for block in serde_json::from_str::<Vec<&RawValue>>(content).unwrap_or_default() {
                    said.block(block.get(), true);
                }
                take_content(&serde_json::from_str(content).ok()?, said);
            }
            _ => {}
        }
        None
    }

    fn take_usage(&mut self, raw: Option<&RawValue>, said: &mut Said<'_>) {
        let Some(mut fields) = raw.and_then(usage::fields) else { return };
        for (key, value) in &self.usage {
            if !fields.contains_key(key) {
                fields.insert(key.clone(), value.clone());
            }
        }
        said.usage(usage::from_fields(&fields));
        for (key, value) in fields {
            self.usage.entry(key).or_insert(value);
        }
    }
}

fn take_delta<'a>(raw: &'a RawValue, said: &mut Said<'_>) -> Option<Plain<'a>> {
    let delta = serde_json::from_str::<Delta<'a>>(raw.get()).ok()?;
    let (slot, text) = match delta.kind.and_then(text_of)? {
        "text_delta" => (Slot::Output, delta.text.and_then(text_of)?),
        "thinking_delta" => (Slot::Reasoning, delta.thinking.and_then(text_of)?),
        "input_json_delta" => {
            said.tool(delta.partial_json.and_then(text_of)?);
            return None;
        }
        "signature_delta" => {
            said.sign(&delta.signature.and_then(plain_text_of)?);
            return None;
        }
        _ => return None,
    };
    match slot {
        Slot::Output => said.output(text),
        Slot::Reasoning => said.reasoning(text),
    }
    said.is_plain().then_some(Plain { slot, text })
}

/// The blocks of a whole message.
fn take_content(blocks: &Value, said: &mut Said<'_>) {
    let (mut text, mut thinking, mut calls) = (String::new(), String::new(), String::new());
    for block in blocks.as_array().into_iter().flatten() {
        let field = |name: &str| block.get(name).and_then(Value::as_str).unwrap_or_default();
        match field("type") {
            "text" => text.push_str(field("text")),
            "thinking" => thinking.push_str(field("thinking")),
            "tool_use" => {
                calls.push_str(field("name"));
                let is_empty =
                    |input: &Value| input.is_null() || input.as_object().is_some_and(Map::is_empty);
                if let Some(input) = block.get("input").filter(|input| !is_empty(input)) {
                    calls.push_str(&input.to_string());
                }
            }
            _ => {}
        }
    }
    if !thinking.is_empty() {
        said.reasoning(&escaped(&thinking));
        said.output(&escaped(&text));
    } else if !calls.is_empty() {
        said.tool(&escaped(&calls));
    } else {
        said.output(&escaped(&text));
    }
}
