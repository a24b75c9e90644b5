//! The content blocks of an Anthropic answer, for the turns that follow it.
//!
//! An answer that thought or called tools goes on as the blocks that it was: the thinking with its signature,
//! without which the API does not take it back, then the text, then the calls with their inputs. This is AIPerf's
//! order, whatever that of the answer was.
//!
//! Texts are not kept twice: a block knows where in the answer's text its own begins, and ends where the next one
//! begins. So blocks that are streamed at the same time, which the API does not do, would be mixed up.

use bytes::Bytes;
use loadgen_core::{RawChunks, ReadyMessage};
use serde_json::{Map, Value, json};

use super::said::escaped;

/// The blocks of one answer so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Blocks(Vec<Block>);

#[derive(Debug, Clone)]
struct Block {
    kind: Kind,
    /// What it began with, without its type.
    fields: Map<String, Value>,
    /// Where its reasoning and its output begin, if they come in deltas.
    begins: Option<(usize, usize)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Thinking,
    ToolUse,
}

impl Blocks {
    /// Takes a block as JSON, whole or only its beginning. `chunks` is what came before it.
    pub(super) fn begin(&mut self, block: &str, is_whole: bool, chunks: &RawChunks) {
        let Ok(Value::Object(mut fields)) = serde_json::from_str(block) else { return };
        let kind = match fields.shift_remove("type").as_ref().and_then(Value::as_str) {
            Some("thinking") => Kind::Thinking,
            Some("tool_use") => Kind::ToolUse,
            _ => Kind::Text,
        };
        if kind == Kind::Thinking && !is_whole {
            for name in ["thinking", "signature"] {
                fields.entry(name).or_insert_with(|| "".into());
            }
        }
        let begins = (!is_whole).then_some((chunks.reasoning.len(), chunks.output.len()));
        self.0.push(Block { kind, fields, begins });
    }

    /// Takes a part of the latest block's signature.
    pub(super) fn sign(&mut self, part: &str) {
        let block = self.0.last_mut().filter(|block| block.kind == Kind::Thinking);
        if let Some(Value::String(signature)) = block.and_then(|block| block.fields.get_mut("signature")) {
            signature.push_str(part);
        }
    }

    /// The message, if it is more than a text.
    pub(crate) fn message(&self, chunks: &RawChunks) -> Option<ReadyMessage> {
        if self.0.iter().all(|block| block.kind == Kind::Text) {
            return None;
        }
        let ends = self.0.iter().skip(1).map(|block| block.begins);
        let ends = ends.chain([Some((chunks.reasoning.len(), chunks.output.len()))]);
        let (mut thoughts, mut calls, mut said) = (Vec::new(), Vec::new(), String::new());
        for (block, end) in self.0.iter().zip(ends) {
            let streamed = block.begins.zip(end);
            let reasoning = streamed.and_then(|(from, to)| unescaped(chunks.reasoning.get(from.0..to.0)?));
            let output = streamed.and_then(|(from, to)| unescaped(chunks.output.get(from.1..to.1)?));
            match block.kind {
                Kind::Text => {
                    said.push_str(block.fields.get("text").and_then(Value::as_str).unwrap_or_default());
                    said.push_str(&output.unwrap_or_default());
                }
                Kind::Thinking => {
                    thoughts.push(block.closed("thinking", |fields| {
                        if let Some(Value::String(thinking)) = fields.get_mut("thinking") {
                            thinking.push_str(&reasoning.unwrap_or_default());
                        }
                    }));
                }
                Kind::ToolUse => {
                    calls.push(block.closed(
                        "tool_use",
                        |fields| match output.filter(|text| !text.is_empty()) {
                            Some(text) => {
                                let input = serde_json::from_str(&text).unwrap_or(Value::String(text));
                                fields.insert("input".to_owned(), input);
                            }
                            None if block.begins.is_some() => {
                                fields.entry("input").or_insert_with(|| json!({}));
                            }
                            None => {}
                        },
                    ));
                }
            }
        }
        // What was thought is not counted, as in AIPerf.
        let mut texts = vec![said.clone()];
        for call in &calls {
            texts.extend(call.get("name").and_then(Value::as_str).map(str::to_owned));
            texts.extend(call.get("input").filter(|input| input.is_object()).map(Value::to_string));
        }
        texts.retain(|text| !text.is_empty());
        let texts = texts.iter().map(|text| Bytes::from(escaped(text))).collect();
        let text = (!said.is_empty()).then(|| json!({ "type": "text", "text": said }));
        let content: Vec<Value> = thoughts.into_iter().chain(text).chain(calls).collect();
        let json = json!({ "role": "assistant", "content": content }).to_string().into();
        Some(ReadyMessage { json, texts })
    }
}

impl Block {
    /// The block as it goes in: its type, then what it began with, finished.
    fn closed(&self, kind: &str, finish: impl FnOnce(&mut Map<String, Value>)) -> Value {
        let mut fields = self.fields.clone();
        finish(&mut fields);
        let own = fields.into_iter().filter(|(_, value)| !value.is_null());
        Value::Object([("type".to_owned(), kind.into())].into_iter().chain(own).collect())
    }
}

/// The inside of a JSON string as plain text.
fn unescaped(inside: &[u8]) -> Option<String> {
    let quoted = [b"\"", inside, b"\""].concat();
    serde_json::from_slice(&quoted).ok()
}
