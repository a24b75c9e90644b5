//! The output items of a responses answer, for the turns that follow it.
//!
//! The API takes as input what it gave as output, so a conversation goes on with the items as they came: messages,
//! calls, reasoning. As AIPerf has it, they are those of the response's own list and, behind them, those that an
//! event told of and the list lacks; one id is one item. An answer that failed or broke off is only its text.
//!
//! What it does not do: read anything before somebody wants to go on.

use std::collections::HashSet;

use bytes::Bytes;
use loadgen_core::ReadyMessage;
use serde_json::Value;

use super::said::escaped;

/// The items of one answer so far, as JSON.
#[derive(Debug, Clone, Default)]
pub(crate) struct OutputItems {
    /// Lists of items.
    listed: Vec<Box<str>>,
    /// Single ones.
    done: Vec<Box<str>>,
    has_failed: bool,
}

impl OutputItems {
    pub(super) fn list(&mut self, items: &str) {
        self.listed.push(items.into());
    }

    pub(super) fn done(&mut self, item: &str) {
        self.done.push(item.into());
    }

    pub(super) fn fail(&mut self) {
        self.has_failed = true;
    }

    /// The items, one behind the other, if there are any.
    pub(crate) fn message(&self) -> Option<ReadyMessage> {
        if self.has_failed {
            return None;
        }
        let listed = self.listed.iter().filter_map(|items| serde_json::from_str::<Vec<Value>>(items).ok());
        let done = self.done.iter().filter_map(|item| serde_json::from_str::<Value>(item).ok());
        let mut known = HashSet::new();
        let items: Vec<Value> =
            listed.flatten().chain(done).filter(|item| item.is_object() && known.insert(key(item))).collect();
        if items.is_empty() {
            return None;
        }
        let json: Vec<String> = items.iter().map(Value::to_string).collect();
        let texts = items.iter().flat_map(texts).map(|text| Bytes::from(escaped(text))).collect();
        Some(ReadyMessage { json: json.join(",").into(), texts })
    }
}

/// What tells an item apart: an id that it has, else all of it.
fn key(item: &Value) -> String {
    let named = ["id", "call_id", "item_id"].into_iter().filter_map(|name| item.get(name)?.as_str());
    named.filter(|id| !id.is_empty()).map(str::to_owned).next().unwrap_or_else(|| item.to_string())
}

/// The texts of an item that a server counts.
fn texts(item: &Value) -> Vec<&str> {
    let field = |name: &str| item.get(name).and_then(Value::as_str);
    let mut texts: Vec<&str> = field("content").into_iter().collect();
    for part in item.get("content").and_then(Value::as_array).into_iter().flatten() {
        if matches!(part["type"].as_str(), Some("input_text" | "output_text")) {
            texts.extend(part["text"].as_str());
        }
    }
    match field("type") {
        Some("function_call") => texts.extend([field("name"), field("arguments")].into_iter().flatten()),
        Some("function_call_output") => texts.extend(field("output")),
        _ => {}
    }
    texts.retain(|text| !text.is_empty());
    texts
}
