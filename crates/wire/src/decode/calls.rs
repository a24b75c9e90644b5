//! The tool calls of a chat answer, put together for the turns that follow it.
//!
//! A conversation goes on with the whole message of the model: what it said and what it called, each call with
//! its id, not the calls' words as if it had spoken them. AIPerf puts the deltas together like this: an id, a
//! type and a name replace the ones before, arguments are appended; a call without an index is a further one;
//! `function_call`, the older form, becomes a call of the type `function`.
//!
//! What it does not do: decide what counts as output; that is the reader's.

use std::collections::BTreeMap;
use std::ops::Range;

use bytes::Bytes;
use loadgen_core::ReadyMessage;
use serde_json::{Map, Value, json};

/// The calls of one answer so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct ToolCalls {
    calls: BTreeMap<i64, Map<String, Value>>,
    apart: Vec<Apart>,
}

/// A stretch of an answer's text that is words of calls.
#[derive(Debug, Clone)]
struct Apart {
    words: Range<usize>,
    /// What was said beside them, and is not in the text; JSON-escaped.
    prose: Box<str>,
}

impl ToolCalls {
    /// Takes `tool_calls` of a delta, or of a whole message, as JSON.
    pub(super) fn take(&mut self, calls: &str, is_whole: bool) {
        let Ok(calls) = serde_json::from_str::<Vec<Value>>(calls) else { return };
        for call in calls {
            let Value::Object(mut call) = call else { continue };
            let index = call.shift_remove("index").and_then(|index| index.as_i64());
            let index = index.unwrap_or(self.calls.len() as i64);
            if is_whole {
                self.calls.insert(index, call);
            } else {
                merge(self.calls.entry(index).or_default(), &call);
            }
        }
    }

    /// Takes `function_call`, as JSON.
    pub(super) fn take_older(&mut self, call: &str, is_whole: bool) {
        let Ok(Value::Object(call)) = serde_json::from_str(call) else { return };
        let text = |name: &str| call.get(name).and_then(Value::as_str).unwrap_or_default();
        let index = if is_whole { self.calls.len() as i64 } else { 0 };
        let known = self.calls.entry(index).or_default();
        known.entry("type").or_insert_with(|| "function".into());
        if let Value::Object(function) = known.entry("function").or_insert_with(|| json!({})) {
            for name in ["name", "arguments"].into_iter().filter(|name| is_whole || call.contains_key(*name))
            {
                append(function, name, text(name));
            }
        }
    }

    /// Notes that these bytes of the answer's text are words of calls, and what was said beside them.
    pub(super) fn set_apart(&mut self, words: Range<usize>, prose: &str) {
        self.apart.push(Apart { words, prose: prose.into() });
    }

    /// The message, if anything was called. `output` is the answer's text, JSON-escaped.
    pub(crate) fn message(&self, output: &[u8]) -> Option<ReadyMessage> {
        if self.calls.is_empty() {
            return None;
        }
        let said = self.said(output);
        let mut texts = vec![Bytes::from(said.clone())];
        for function in self.calls.values().filter_map(|call| call.get("function")) {
            let words = ["name", "arguments"].into_iter().filter_map(|name| function.get(name)?.as_str());
            texts.extend(words.map(|text| Bytes::from(super::said::escaped(text))));
        }
        texts.retain(|text| !text.is_empty());
        let calls: Vec<&Map<String, Value>> = self.calls.values().collect();
        let calls = serde_json::to_string(&calls).expect("JSON that was read can be written");
        let mut json = Vec::with_capacity(said.len() + calls.len() + 64);
        json.extend_from_slice(br#"{"role":"assistant","content":"#);
        if said.is_empty() {
            json.extend_from_slice(b"null");
        } else {
            json.push(b'"');
            json.extend_from_slice(&said);
            json.push(b'"');
        }
        json.extend_from_slice(br#","tool_calls":"#);
        json.extend_from_slice(calls.as_bytes());
        json.push(b'}');
        Some(ReadyMessage { json: json.into(), texts })
    }

    /// The answer's text without words of calls, and with what was said beside them.
    fn said(&self, output: &[u8]) -> Vec<u8> {
        let mut said = Vec::with_capacity(output.len());
        let mut from = 0;
        for Apart { words, prose } in &self.apart {
            said.extend_from_slice(&output[from..words.start]);
            said.extend_from_slice(prose.as_bytes());
            from = words.end;
        }
        said.extend_from_slice(&output[from..]);
        said
    }
}

/// Adds what a delta says of a call.
fn merge(known: &mut Map<String, Value>, delta: &Map<String, Value>) {
    let is_said = |value: &&Value| value.as_str().is_none_or(|text| !text.is_empty()) && !value.is_null();
    for name in ["id", "type"] {
        if let Some(value) = delta.get(name).filter(is_said) {
            known.insert(name.to_owned(), value.clone());
        }
    }
    let Some(Value::Object(function)) = delta.get("function").filter(|function| **function != json!({}))
    else {
        return;
    };
    if let Value::Object(known) = known.entry("function").or_insert_with(|| json!({})) {
        if let Some(name) = function.get("name").filter(is_said) {
            known.insert("name".to_owned(), name.clone());
        }
        if let Some(arguments) = function.get("arguments") {
            append(known, "arguments", arguments.as_str().unwrap_or_default());
        }
    }
}

fn append(fields: &mut Map<String, Value>, name: &str, text: &str) {
    match fields.get_mut(name) {
        Some(Value::String(known)) => known.push_str(text),
        _ => drop(fields.insert(name.to_owned(), text.into())),
    }
}
