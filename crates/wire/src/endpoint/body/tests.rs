#![allow(clippy::unwrap_used)]
use std::sync::Arc;

use loadgen_core::{InputTokens, Rope, TurnTiming};
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
    let body = BodyPlan::new(&config).unwrap().render(turn).unwrap();
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
    let body = BodyPlan::new(&config).unwrap().render(&turn(hello(), None, None)).unwrap().to_bytes();
    assert!(body.ends_with(br#""stream_options":{"include_usage":true,"continuous_usage_stats":true}}"#));
}

#[test]
fn completions_send_one_prompt() {
    assert_eq!(
        body(EndpointKind::Completions, true, &json!({}), &turn(hello(), Some(3), None)),
        r#"{"prompt":"hello","model":"m","stream":true,"max_tokens":3,"stream_options":{"include_usage":true}}"#
    );
    let two = Prompt::Messages(vec![says(Role::User, &["a"]), says(Role::Assistant, &["b"])]);
    let plan = BodyPlan::new(&EndpointConfig::new(EndpointKind::Completions, true)).unwrap();
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
    let plan = BodyPlan::new(&EndpointConfig::new(EndpointKind::Chat, true)).unwrap();
    let body = plan.render(&turn(prompt, None, None)).unwrap();
    assert_eq!(body.pieces().iter().filter(|piece| piece.as_ptr() == block.as_ptr()).count(), 2);
    assert_eq!(body.pieces().len(), 4);
}

#[test]
fn extra_fields_that_are_no_json_name_their_session() {
    let plan = BodyPlan::new(&EndpointConfig::new(EndpointKind::Chat, true)).unwrap();
    let error = plan.render(&turn(hello(), None, Some("x:1"))).unwrap_err().to_string();
    assert!(error.starts_with("the extra fields of session s are not"), "{error}");
}
