//! What a conversation goes on with after an answer that called tools. The messages are those that AIPerf 0.13
//! makes of the same deltas.

use super::{chat, decode, delta, text};
use crate::endpoint::EndpointKind;

fn whole(message: &str) -> crate::Observation {
    let body =
        format!("{{\"object\":\"chat.completion\",\"choices\":[{{\"index\":0,\"message\":{message}}}]}}");
    decode(EndpointKind::Chat, "application/json", &[body.as_bytes()])
}

fn message(observation: &crate::Observation) -> String {
    text(&observation.reply().message.unwrap().json).to_owned()
}

#[test]
fn deltas_of_calls_become_one_message() {
    let seen = chat(&[
        &delta(r#""role":"assistant","content":"""#),
        &delta(r#""content":"Let me \"look\". ""#),
        &delta(
            r#""content":"Now.","tool_calls":[{"index":1,"id":"b","type":"function","function":{"name":"two","arguments":""}}]"#,
        ),
        &delta(
            r#""tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"one","arguments":"{\"x\":"}}]"#,
        ),
        &delta(
            r#""tool_calls":[{"index":0,"id":"","function":{"name":null,"arguments":"1}"}},{"function":{"name":"three"}}]"#,
        ),
        &delta(r#""content":" Done.""#),
    ]);
    assert_eq!(
        message(&seen),
        r#"{"role":"assistant","content":"Let me \"look\". Now. Done.","tool_calls":[{"id":"a","type":"function","function":{"name":"one","arguments":"{\"x\":1}"}},{"id":"b","type":"function","function":{"name":"two","arguments":""}},{"function":{"name":"three"}}]}"#
    );
    let texts: Vec<String> =
        seen.reply().message.unwrap().texts.iter().map(|bytes| text(bytes).to_owned()).collect();
    assert_eq!(texts, [r#"Let me \"look\". Now. Done."#, "one", r#"{\"x\":1}"#, "two", "three"]);
}

#[test]
fn a_whole_message_keeps_its_calls_as_they_are() {
    let call = r#"{"index":3,"id":"z","type":"function","x":1,"function":{"name":"n","arguments":"{}"}}"#;
    let seen = whole(&format!("{{\"content\":null,\"tool_calls\":[{call}]}}"));
    assert_eq!(
        message(&seen),
        r#"{"role":"assistant","content":null,"tool_calls":[{"id":"z","type":"function","x":1,"function":{"name":"n","arguments":"{}"}}]}"#
    );
}

#[test]
fn the_older_form_of_a_call_becomes_the_newer_one() {
    let seen = chat(&[
        &delta(r#""function_call":{"name":"f","arguments":"{"}"#),
        &delta(r#""function_call":{"arguments":"}"}"#),
    ]);
    assert_eq!(
        message(&seen),
        r#"{"role":"assistant","content":null,"tool_calls":[{"type":"function","function":{"name":"f","arguments":"{}"}}]}"#
    );
    let seen = whole(r#"{"content":"hm","function_call":{"name":"n"}}"#);
    assert_eq!(
        message(&seen),
        r#"{"role":"assistant","content":"hm","tool_calls":[{"type":"function","function":{"name":"n","arguments":""}}]}"#
    );
}

fn events(kind: EndpointKind, events: &[&str]) -> crate::Observation {
    let events: Vec<String> = events.iter().map(|event| format!("data: {event}\n\n")).collect();
    let pieces: Vec<&[u8]> = events.iter().map(String::as_bytes).collect();
    decode(kind, "text/event-stream", &pieces)
}

const CALL: &str =
    r#"{"type":"function_call","id":"fc","call_id":"c","name":"look","arguments":"{\"q\":1}"}"#;
const SAID: &str =
    r#"{"type":"message","id":"m","role":"assistant","content":[{"type":"output_text","text":"Hi."}]}"#;

#[test]
fn the_items_of_a_response_go_in_as_they_came() {
    let ended =
        format!(r#"{{"type":"response.completed","response":{{"status":"completed","output":[{SAID}]}}}}"#);
    let seen = events(
        EndpointKind::Responses,
        &[
            r#"{"type":"response.output_text.delta","delta":"Hi."}"#,
            &format!(r#"{{"type":"response.output_item.done","item":{CALL}}}"#),
            &format!(r#"{{"type":"response.output_item.done","item":{SAID}}}"#),
            &ended,
        ],
    );
    assert_eq!(message(&seen), format!("{SAID},{CALL}"), "the list first, and each item once");
    let texts = seen.reply().message.unwrap().texts;
    assert_eq!(texts.iter().map(|bytes| text(bytes)).collect::<Vec<_>>(), ["Hi.", "look", r#"{\"q\":1}"#]);
    let body = format!(r#"{{"object":"response","status":"completed","output":[{CALL}]}}"#);
    let seen = decode(EndpointKind::Responses, "application/json", &[body.as_bytes()]);
    assert_eq!(message(&seen), CALL);
}

#[test]
fn a_response_that_broke_off_is_its_text() {
    let seen = events(
        EndpointKind::Responses,
        &[
            r#"{"type":"response.output_text.delta","delta":"Hi."}"#,
            &format!(r#"{{"type":"response.output_item.done","item":{SAID}}}"#),
            r#"{"type":"response.incomplete","response":{"status":"incomplete"}}"#,
        ],
    );
    let reply = seen.reply();
    assert_eq!((&reply.text[..], reply.message), (&b"Hi."[..], None));
}

#[test]
fn thoughts_with_their_signature_and_calls_go_in_as_blocks() {
    let seen = events(
        EndpointKind::Messages,
        &[
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Hm \"a\""}}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":", so"}}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"S1"}}"#,
            r#"{"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}"#,
            r#"{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"Let me"}}"#,
            r#"{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":" look."}}"#,
            r#"{"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"t1","name":"look","input":{}}}"#,
            r#"{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":""}}"#,
            r#"{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"q\": \"a"}}"#,
            r#"{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"b\"}"}}"#,
            r#"{"type":"content_block_start","index":3,"content_block":{"type":"tool_use","id":"t2","name":"go","input":{}}}"#,
        ],
    );
    assert_eq!(
        message(&seen),
        r#"{"role":"assistant","content":[{"type":"thinking","thinking":"Hm \"a\", so","signature":"S1"},{"type":"text","text":"Let me look."},{"type":"tool_use","id":"t1","name":"look","input":{"q":"ab"}},{"type":"tool_use","id":"t2","name":"go","input":{}}]}"#
    );
    let texts = seen.reply().message.unwrap().texts;
    let texts: Vec<&str> = texts.iter().map(|bytes| text(bytes)).collect();
    assert_eq!(
        texts,
        ["Let me look.", "look", r#"{\"q\":\"ab\"}"#, "go", "{}"],
        "what was thought is not counted"
    );
    let content = r#"[{"type":"tool_use","id":"t","name":"n","input":{"a":1.5}},{"type":"text","text":"x"},{"type":"thinking","thinking":"h","signature":"s"}]"#;
    let body = format!(r#"{{"type":"message","content":{content}}}"#);
    let seen = decode(EndpointKind::Messages, "application/json", &[body.as_bytes()]);
    assert_eq!(
        message(&seen),
        r#"{"role":"assistant","content":[{"type":"thinking","thinking":"h","signature":"s"},{"type":"text","text":"x"},{"type":"tool_use","id":"t","name":"n","input":{"a":1.5}}]}"#
    );
}

#[test]
fn blocks_of_text_alone_are_a_text() {
    let seen = events(
        EndpointKind::Messages,
        &[
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi."}}"#,
        ],
    );
    let reply = seen.reply();
    assert_eq!((&reply.text[..], reply.message), (&b"Hi."[..], None));
}

#[test]
fn an_answer_without_calls_is_its_text() {
    let seen = chat(&[&delta(r#""content":"plain","tool_calls":[],"function_call":null"#)]);
    let reply = seen.reply();
    assert_eq!((&reply.text[..], reply.message), (&b"plain"[..], None));
}
