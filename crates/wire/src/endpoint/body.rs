//! Request bodies: compact JSON around the prompt's shared pieces.
//!
//! A body is an ordered map. The endpoint's own fields come first (`messages` or `prompt`, `model`,
//! `stream`, `tools`, the token limit), then the extra inputs, then the turn's own extra fields; a
//! later layer replaces a value where it stands. At the end, if the merged `stream` is true in
//! Python's sense, `stream_options.include_usage` is set unless it is there already.
//!
//! Invariant: the prompt's pieces are passed on as they are, never copied and never unescaped.

use bytes::{BufMut, Bytes, BytesMut};
use loadgen_core::{Message, Prompt, Rope, Turn};
use serde_json::{Map, Value};

use super::{EndpointConfig, EndpointError, EndpointKind};
use crate::request::Body;

const MODEL: &str = "model";
const STREAM: &str = "stream";
const STREAM_OPTIONS: &str = "stream_options";
const TOOLS: &str = "tools";

/// What the bodies of one endpoint share.
#[derive(Debug)]
pub(super) struct BodyPlan {
    kind: EndpointKind,
    streaming: bool,
    max_tokens: &'static str,
    per_chunk_usage: bool,
    /// Extra inputs, each already as JSON.
    extras: Vec<(String, Bytes)>,
}

/// A field's value before it is written.
#[derive(Clone)]
enum Field<'a> {
    Prompt,
    Model(&'a str),
    Flag(bool),
    Limit(u32),
    Json(Bytes),
}

impl BodyPlan {
    pub(super) fn new(config: &EndpointConfig) -> Self {
        let legacy = config.use_legacy_max_tokens || config.kind == EndpointKind::Completions;
        Self {
            kind: config.kind,
            streaming: config.streaming,
            max_tokens: if legacy { "max_tokens" } else { "max_completion_tokens" },
            per_chunk_usage: config.per_chunk_usage && config.kind == EndpointKind::Chat,
            extras: config.extra_inputs.iter().map(|(key, value)| (key.clone(), json(value))).collect(),
        }
    }

    pub(super) fn render(&self, turn: &Turn) -> Result<Body, EndpointError> {
        let tools = match &turn.prompt {
            Prompt::Payload(payload) => return Ok(Body::new(vec![payload.clone()])),
            Prompt::RawMessages { tools, .. } => tools.as_ref(),
            Prompt::Messages(_) | Prompt::Ranking { .. } => None,
        };
        let turn_extras = turn_extras(turn)?;

        let mut fields: Vec<(&str, Field<'_>)> =
            Vec::with_capacity(8 + self.extras.len() + turn_extras.len());
        let prompt = match self.kind {
            EndpointKind::Chat => "messages",
            EndpointKind::Completions => "prompt",
        };
        fields.push((prompt, Field::Prompt));
        fields.push((MODEL, Field::Model(&turn.model)));
        fields.push((STREAM, Field::Flag(self.streaming)));
        if let Some(tools) = tools {
            fields.push((TOOLS, Field::Json(tools.clone())));
        }
        if let Some(limit) = turn.max_output_tokens {
            fields.push((self.max_tokens, Field::Limit(limit)));
        }
        for (key, value) in self.extras.iter().chain(&turn_extras) {
            set(&mut fields, key, Field::Json(value.clone()));
        }
        self.ask_for_usage(&mut fields);

        let mut writer = Writer::default();
        writer.put(b"{");
        for (index, (key, field)) in fields.iter().enumerate() {
            if index > 0 {
                writer.put(b",");
            }
            writer.string(key);
            writer.put(b":");
            match field {
                Field::Prompt => self.put_prompt(turn, &mut writer)?,
                Field::Model(name) => writer.string(name),
                Field::Flag(flag) => writer.put(if *flag { b"true" } else { b"false" }),
                Field::Limit(limit) => writer.put(limit.to_string().as_bytes()),
                Field::Json(value) => writer.share(value),
            }
        }
        writer.put(b"}");
        Ok(writer.finish())
    }

    /// Streams are asked to end with their usage; what the user said about it stands.
    fn ask_for_usage<'a>(&self, fields: &mut Vec<(&'a str, Field<'a>)>) {
        let find = |name: &str| fields.iter().find(|(key, _)| *key == name).map(|(_, field)| field);
        if !find(STREAM).is_some_and(is_truthy) {
            return;
        }
        let mut options = match find(STREAM_OPTIONS) {
            Some(Field::Json(given)) => match serde_json::from_slice(given) {
                Ok(Value::Object(options)) => options,
                Ok(Value::Null) => Map::new(),
                // Not an object: whatever it is meant to be, the server shall see it.
                _ => return,
            },
            _ => Map::new(),
        };
        options.entry("include_usage").or_insert(Value::Bool(true));
        if self.per_chunk_usage {
            options.entry("continuous_usage_stats").or_insert(Value::Bool(true));
        }
        set(fields, STREAM_OPTIONS, Field::Json(json(&Value::Object(options))));
    }

    fn put_prompt(&self, turn: &Turn, writer: &mut Writer) -> Result<(), EndpointError> {
        match (self.kind, &turn.prompt) {
            (EndpointKind::Chat, Prompt::Messages(messages)) => {
                writer.put(b"[");
                for (index, message) in messages.iter().enumerate() {
                    writer.put(if index > 0 { b",{\"role\":" } else { b"{\"role\":" });
                    writer.string(message.role.name());
                    writer.put(b",\"content\":");
                    writer.rope(&message.text);
                    writer.put(b"}");
                }
                writer.put(b"]");
                Ok(())
            }
            (EndpointKind::Chat, Prompt::RawMessages { messages, .. }) => {
                writer.share(messages);
                Ok(())
            }
            (EndpointKind::Completions, Prompt::Messages(messages)) => {
                let [Message { text, .. }] = messages.as_slice() else {
                    return Err(EndpointError::NotOnePrompt {
                        found: format!("{} messages", messages.len()),
                    });
                };
                if text.is_empty() {
                    // AIPerf sends the list of non-empty texts where there is not exactly one.
                    writer.put(b"[]");
                } else {
                    writer.rope(text);
                }
                Ok(())
            }
            (EndpointKind::Completions, Prompt::RawMessages { .. }) => {
                Err(EndpointError::NotOnePrompt { found: "a ready messages array".to_owned() })
            }
            (_, Prompt::Ranking { .. }) => {
                Err(EndpointError::NotOnePrompt { found: "a query and passages to rank".to_owned() })
            }
            (_, Prompt::Payload(_)) => unreachable!("a ready body has no fields"),
        }
    }
}

fn set<'a>(fields: &mut Vec<(&'a str, Field<'a>)>, key: &'a str, field: Field<'a>) {
    match fields.iter_mut().find(|(known, _)| *known == key) {
        Some((_, old)) => *old = field,
        None => fields.push((key, field)),
    }
}

fn json(value: &Value) -> Bytes {
    value.to_string().into()
}

fn turn_extras(turn: &Turn) -> Result<Vec<(String, Bytes)>, EndpointError> {
    let Some(extra) = turn.extra.as_deref().filter(|extra| !extra.trim().is_empty()) else {
        return Ok(Vec::new());
    };
    let fields: Map<String, Value> = serde_json::from_str(&format!("{{{extra}}}")).map_err(|error| {
        EndpointError::Extra { session_id: turn.session_id.to_string(), reason: error.to_string() }
    })?;
    Ok(fields.into_iter().map(|(key, value)| (key, json(&value))).collect())
}

/// Whether Python would take the value for true.
fn is_truthy(field: &Field<'_>) -> bool {
    match field {
        Field::Flag(flag) => *flag,
        Field::Json(value) => {
            !matches!(&value[..], b"false" | b"null" | b"0" | b"0.0" | b"\"\"" | b"[]" | b"{}")
        }
        Field::Prompt | Field::Model(_) | Field::Limit(_) => true,
    }
}

/// Gathers a body: written bytes are collected, shared pieces are kept as they are.
#[derive(Default)]
struct Writer {
    done: Vec<Bytes>,
    open: BytesMut,
}

impl Writer {
    /// Shared pieces shorter than this are cheaper to copy than to send as a piece of their own.
    const COPIED_BYTES: usize = 64;

    fn put(&mut self, bytes: &[u8]) {
        self.open.put_slice(bytes);
    }

    /// Writes `text` as a JSON string.
    fn string(&mut self, text: &str) {
        serde_json::to_writer((&mut self.open).writer(), text).expect("writing to memory cannot fail");
    }

    fn share(&mut self, piece: &Bytes) {
        if piece.len() < Self::COPIED_BYTES {
            self.put(piece);
            return;
        }
        self.close();
        self.done.push(piece.clone());
    }

    /// Writes already escaped text as a JSON string.
    fn rope(&mut self, text: &Rope) {
        self.put(b"\"");
        text.pieces().iter().for_each(|piece| self.share(piece));
        self.put(b"\"");
    }

    fn close(&mut self) {
        if !self.open.is_empty() {
            self.done.push(self.open.split().freeze());
        }
    }

    fn finish(mut self) -> Body {
        self.close();
        Body::new(self.done)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use loadgen_core::{InputTokens, Role, TurnTiming};
    use serde_json::json;

    use super::*;

    fn turn(prompt: Prompt, limit: Option<u32>, extra: Option<&str>) -> Turn {
        Turn {
            prompt,
            input_tokens: InputTokens::Unknown,
            max_output_tokens: limit,
            model: "m".into(),
            session_id: "s".into(),
            turn_index: 0,
            is_last: true,
            timing: TurnTiming::Immediately,
            extra: extra.map(Arc::from),
            source_row: None,
            hash_ids: None,
            labels: Vec::new(),
        }
    }

    fn says(role: Role, pieces: &[&'static str]) -> Message {
        let text = pieces.iter().map(|piece| Bytes::from_static(piece.as_bytes())).collect();
        Message::new(role, text)
    }

    fn hello() -> Prompt {
        Prompt::Messages(vec![says(Role::User, &["hel", "lo"])])
    }

    fn body(kind: EndpointKind, streaming: bool, extras: &Value, turn: &Turn) -> String {
        let mut config = EndpointConfig::new(kind, streaming);
        config.extra_inputs = extras.as_object().unwrap().clone();
        let body = BodyPlan::new(&config).render(turn).unwrap();
        assert_eq!(body.len(), body.to_bytes().len());
        String::from_utf8(body.to_bytes().to_vec()).unwrap()
    }

    #[test]
    fn chat_fields_come_in_the_known_order() {
        let prompt = Prompt::Messages(vec![says(Role::System, &["be"]), says(Role::User, &["a", "b"])]);
        assert_eq!(
            body(EndpointKind::Chat, true, &json!({"ignore_eos": true}), &turn(prompt, Some(7), None)),
            r#"{"messages":[{"role":"system","content":"be"},{"role":"user","content":"ab"}],"model":"m","stream":true,"max_completion_tokens":7,"ignore_eos":true,"stream_options":{"include_usage":true}}"#
        );
        assert_eq!(
            body(EndpointKind::Chat, false, &json!({}), &turn(hello(), None, None)),
            r#"{"messages":[{"role":"user","content":"hello"}],"model":"m","stream":false}"#
        );
    }

    #[test]
    fn later_layers_replace_values_where_they_stand() {
        let extras = json!({"model": "n", "max_completion_tokens": 0, "temperature": 0.5});
        let turn = turn(hello(), Some(7), Some(r#""temperature":1,"stream":false,"x":[1]"#));
        assert_eq!(
            body(EndpointKind::Chat, true, &extras, &turn),
            r#"{"messages":[{"role":"user","content":"hello"}],"model":"n","stream":false,"max_completion_tokens":0,"temperature":1,"x":[1]}"#
        );
    }

    #[test]
    fn usage_is_asked_for_unless_the_user_said_otherwise() {
        let ends = |extras: &Value, end: &str| {
            let body = body(EndpointKind::Chat, true, extras, &turn(hello(), None, None));
            assert!(body.ends_with(end), "{body}");
        };
        ends(
            &json!({"stream_options": {"include_usage": false}}),
            r#""stream_options":{"include_usage":false}}"#,
        );
        ends(
            &json!({"stream_options": {"a": 1}, "b": 2}),
            r#""stream_options":{"a":1,"include_usage":true},"b":2}"#,
        );
        ends(&json!({"stream_options": null}), r#""stream_options":{"include_usage":true}}"#);
        ends(&json!({"stream": 0}), r#""stream":0}"#);
        let mut config = EndpointConfig::new(EndpointKind::Chat, true);
        config.per_chunk_usage = true;
        let body = BodyPlan::new(&config).render(&turn(hello(), None, None)).unwrap().to_bytes();
        assert!(body.ends_with(br#""stream_options":{"include_usage":true,"continuous_usage_stats":true}}"#));
    }

    #[test]
    fn completions_send_one_prompt() {
        assert_eq!(
            body(EndpointKind::Completions, true, &json!({}), &turn(hello(), Some(3), None)),
            r#"{"prompt":"hello","model":"m","stream":true,"max_tokens":3,"stream_options":{"include_usage":true}}"#
        );
        let two = Prompt::Messages(vec![says(Role::User, &["a"]), says(Role::Assistant, &["b"])]);
        let plan = BodyPlan::new(&EndpointConfig::new(EndpointKind::Completions, true));
        let error = plan.render(&turn(two, None, None)).unwrap_err().to_string();
        assert!(error.contains("2 messages"), "{error}");
    }

    #[test]
    fn ready_messages_and_ready_bodies_go_out_as_they_are() {
        let prompt = Prompt::RawMessages {
            messages: Bytes::from_static(br#"[{"role":"user","content":[]}]"#),
            tools: Some(Bytes::from_static(b"[{}]")),
        };
        assert_eq!(
            body(EndpointKind::Chat, false, &json!({}), &turn(prompt, None, None)),
            r#"{"messages":[{"role":"user","content":[]}],"model":"m","stream":false,"tools":[{}]}"#
        );
        let payload = Prompt::Payload(Bytes::from_static(b"{ }"));
        assert_eq!(body(EndpointKind::Chat, true, &json!({"a": 1}), &turn(payload, Some(1), None)), "{ }");
    }

    #[test]
    fn long_pieces_are_shared_and_not_copied() {
        let block = Bytes::from(vec![b'x'; 4096]);
        let text: Rope = [block.clone(), block.clone()].into_iter().collect();
        let prompt = Prompt::Messages(vec![Message::new(Role::User, text)]);
        let plan = BodyPlan::new(&EndpointConfig::new(EndpointKind::Chat, true));
        let body = plan.render(&turn(prompt, None, None)).unwrap();
        assert_eq!(body.pieces().iter().filter(|piece| piece.as_ptr() == block.as_ptr()).count(), 2);
        assert_eq!(body.pieces().len(), 4);
    }

    #[test]
    fn extra_fields_that_are_no_json_name_their_session() {
        let plan = BodyPlan::new(&EndpointConfig::new(EndpointKind::Chat, true));
        let error = plan.render(&turn(hello(), None, Some("x:1"))).unwrap_err().to_string();
        assert!(error.starts_with("the extra fields of session s are not"), "{error}");
    }
}
