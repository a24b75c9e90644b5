//! OpenAI's responses: typed events, or one object.
//!
//! | event | counts as |
//! |---|---|
//! | `response.output_text.delta` | text |
//! | `response.reasoning_text.delta` | reasoning |
//! | `response.function_call_arguments.delta` | a tool call's text |
//! | `response.output_text.done` | text if no delta of that part came, else content without text: the request's latency ends there, as AIPerf has it |
//! | `response.completed`, `response.incomplete` | usage and the reason to stop (AIPerf reads the first alone) |
//! | `response.failed`, `error` | an error that is told beside the outcome (AIPerf passes it over) |
//!
//! Of a whole object, the first of reasoning (with text), text and tool calls that is there counts.

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::event::{InBandError, in_band_error, plain_text_of, text_of};
use super::said::{Said, escaped};
use super::usage;

/// The most parts that are remembered: no answer has so many.
const MOST_PARTS: usize = 4096;

/// What is remembered from one event to the next.
#[derive(Debug, Default)]
pub(super) struct Responses {
    /// The parts whose text came in deltas, by their indices.
    streamed: HashSet<[Option<u64>; 2]>,
    /// The part of the latest delta, which is that of the next one most of the time.
    latest: Option<[Option<u64>; 2]>,
    /// The server was asked to keep the answer.
    keeps_id: bool,
    /// It failed, or broke off: its id stands for nothing.
    has_failed: bool,
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow, default)]
    object: Option<&'a RawValue>,
    #[serde(borrow, default)]
    delta: Option<&'a RawValue>,
    #[serde(borrow, default)]
    text: Option<&'a RawValue>,
    #[serde(borrow, default)]
    output_index: Option<&'a RawValue>,
    #[serde(borrow, default)]
    content_index: Option<&'a RawValue>,
    #[serde(borrow, default)]
    response: Option<&'a RawValue>,
    #[serde(borrow, default)]
    usage: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
    #[serde(borrow, default)]
    output: Option<&'a RawValue>,
    #[serde(borrow, default)]
    item: Option<&'a RawValue>,
}

/// The part of a response that an event at its beginning or its end tells of.
#[derive(Deserialize)]
struct Told<'a> {
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(default)]
    store: Option<bool>,
    #[serde(borrow, default)]
    status: Option<&'a RawValue>,
    #[serde(borrow, default)]
    usage: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
    #[serde(borrow, default)]
    incomplete_details: Option<&'a RawValue>,
    #[serde(borrow, default)]
    output: Option<&'a RawValue>,
}

impl Responses {
    /// A reader of one response, which the server was asked to keep, or not.
    pub(super) fn new(keeps_id: bool) -> Self {
        Self { keeps_id, ..Self::default() }
    }

    pub(super) fn take(&mut self, json: &str, said: &mut Said<'_>) {
        let Ok(event) = serde_json::from_str::<Event<'_>>(json) else { return };
        said.error(in_band_error(event.error));
        let Some(kind) = event.kind.and_then(text_of) else {
            if event.object.and_then(text_of) == Some("response") {
                said.usage(event.usage.and_then(usage::decode));
                whole(json, said);
                if let Some(output) = event.output {
                    said.items().list(output.get());
                }
                if let Ok(told) = serde_json::from_str(json) {
                    self.take_id(&told, said);
                }
            }
            return;
        };
        let delta = event.delta.and_then(text_of);
        match kind {
            "response.output_text.delta" => {
                if let Some(text) = delta {
                    self.note(event.part());
                    said.output(text);
                }
            }
            "response.reasoning_text.delta" => said.reasoning(delta.unwrap_or_default()),
            "response.function_call_arguments.delta" => said.tool(delta.unwrap_or_default()),
            "response.output_text.done" if self.streamed.contains(&event.part()) => said.wordless(),
            "response.output_text.done" => said.output(event.text.and_then(text_of).unwrap_or_default()),
            "response.created" | "response.completed" | "response.incomplete" | "response.failed" => {
                let told = event.response.and_then(|told| serde_json::from_str(told.get()).ok());
                if matches!(kind, "response.incomplete" | "response.failed") {
                    said.items().fail();
                }
                if let Some(told) = told {
                    self.take_id(&told, said);
                    if let Some(output) = told.output.filter(|_| kind == "response.completed") {
                        said.items().list(output.get());
                    }
                    if kind != "response.created" {
                        take_end(kind, &told, said);
                    }
                }
            }
            "response.output_item.done" => {
                if let Some(item) = event.item {
                    said.items().done(item.get());
                }
            }
            "response.error" => said.items().fail(),
            "error" => {
                said.items().fail();
                self.has_failed = true;
                said.response_id(None);
                if event.error.is_none() {
                    said.error(Some(InBandError::from_json(json)));
                }
            }
            _ => {}
        }
    }

    /// Keeps the id where the answer is kept, unless it failed.
    fn take_id(&mut self, told: &Told<'_>, said: &mut Said<'_>) {
        let status = told.status.and_then(text_of);
        self.has_failed |= matches!(status, Some("failed" | "incomplete"));
        if self.keeps_id || told.store == Some(true) {
            let id = told.id.and_then(plain_text_of).filter(|_| !self.has_failed);
            said.response_id(id.as_deref());
        }
    }

    fn note(&mut self, part: [Option<u64>; 2]) {
        if self.latest != Some(part) && self.streamed.len() < MOST_PARTS {
            self.streamed.insert(part);
            self.latest = Some(part);
        }
    }
}

impl Event<'_> {
    /// Which part of the answer it belongs to.
    fn part(&self) -> [Option<u64>; 2] {
        [self.output_index, self.content_index].map(|index| index?.get().parse().ok())
    }
}

fn take_end(kind: &str, end: &Told<'_>, said: &mut Said<'_>) {
    said.usage(end.usage.and_then(usage::decode));
    let error = in_band_error(end.error);
    if kind == "response.failed" && error.is_none() {
        said.error(Some(InBandError { message: "the response failed".to_owned(), ..InBandError::default() }));
    }
    said.error(error);
    let incomplete =
        end.incomplete_details.and_then(|details| serde_json::from_str::<Value>(details.get()).ok());
    let reason = incomplete.as_ref().and_then(|details| details.get("reason")?.as_str());
    if let Some(reason) = reason {
        said.finish_reason(reason);
    } else if let Some(status) = end.status.and_then(plain_text_of) {
        said.finish_reason(&status);
    }
}

/// A response in one object.
fn whole(json: &str, said: &mut Said<'_>) {
    let Ok(response) = serde_json::from_str::<Value>(json) else { return };
    if let Some(status) = response.get("status").and_then(Value::as_str) {
        said.finish_reason(status);
    }
    let items = response.get("output").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let of =
        |kind: &'static str| items.iter().filter(move |item| item.get("type").is_some_and(|is| is == kind));
    let texts = |items: Option<&Value>, kind: &str| -> String {
        let parts = items.and_then(Value::as_array).into_iter().flatten();
        let parts = parts.filter(|part| part.get("type").is_some_and(|is| is == kind));
        parts.filter_map(|part| part.get("text")?.as_str()).collect()
    };
    let reasoning: String = of("reasoning").map(|item| texts(item.get("summary"), "summary_text")).collect();
    let text: String = of("message").map(|item| texts(item.get("content"), "output_text")).collect();
    said.reasoning(&escaped(&reasoning));
    said.output(&escaped(&text));
    if !reasoning.is_empty() || !text.is_empty() {
        return;
    }
    let mut has_calls = false;
    for call in of("function_call") {
        for field in ["name", "arguments"] {
            if let Some(text) = call.get(field).and_then(Value::as_str) {
                has_calls |= !text.is_empty();
                said.tool(&escaped(text));
            }
        }
    }
    if !has_calls && let Some(text) = response.get("output_text").and_then(Value::as_str) {
        said.output(&escaped(text));
    }
}
