//! Chat and completions.

use super::{Asked, Bytes, DONE, Endpoint, Reply, Value, Write, json};

/// Every event up to the opening of its choices.
pub(super) fn event_head(asked: &Asked) -> String {
    let object = if asked.endpoint == Endpoint::Chat { "chat.completion.chunk" } else { "text_completion" };
    format!(
        r#"data: {{"id":"{}","object":"{object}","created":{},"model":{},"choices":["#,
        id(asked),
        asked.created_s,
        Value::from(asked.model.as_str())
    )
}

fn id(asked: &Asked) -> String {
    let kind = if asked.endpoint == Endpoint::Chat { "chatcmpl" } else { "cmpl" };
    format!("{kind}-{}", asked.number)
}

/// The chunk that only names the role.
pub(super) fn role_event(reply: &Reply) -> Bytes {
    let choice = r#"{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}"#;
    let mut event = [reply.event_head.as_bytes(), choice.as_bytes()].concat();
    end_chunk(reply, 0, &mut event);
    event.into()
}

pub(super) fn write_step(reply: &Reply, step: u32, events: &mut Vec<u8>) {
    let (token, text) = reply.text_of(step);
    if let Some(tool) = &reply.plan.tool {
        write_call(reply, tool, step, events);
        return;
    }
    // The words need no escaping.
    let (open, close) = match reply.asked.endpoint {
        Endpoint::Chat if reply.is_reasoning(token) => {
            (r#"{"index":0,"delta":{"reasoning_content":""#, r#""},"finish_reason":null}"#)
        }
        Endpoint::Chat => (r#"{"index":0,"delta":{"content":""#, r#""},"finish_reason":null}"#),
        _ => (r#"{"index":0,"text":""#, r#"","finish_reason":null}"#),
    };
    for part in [reply.event_head.as_str(), open, text, close] {
        events.extend_from_slice(part.as_bytes());
    }
    end_chunk(reply, token + u32::from(reply.is_token(step)), events);
}

/// A piece of a call's arguments: the first one brings the function's name too.
fn write_call(reply: &Reply, tool: &str, step: u32, events: &mut Vec<u8>) {
    let (token, text) = reply.text_of(step);
    let is_last = step + 1 == reply.steps();
    let piece =
        [if step == 0 { "{\"text\":\"" } else { "" }, text, if is_last { "\"}" } else { "" }].concat();
    let call = if step == 0 {
        let function = json!({"name": tool, "arguments": piece});
        json!({"index": 0, "id": format!("call_{}", reply.asked.number), "type": "function", "function": function})
    } else {
        json!({"index": 0, "function": {"arguments": piece}})
    };
    let choice = json!({"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": null});
    events.extend_from_slice(reply.event_head.as_bytes());
    events.extend_from_slice(choice.to_string().as_bytes());
    end_chunk(reply, token + u32::from(reply.is_token(step)), events);
}

/// The end of a chunk after so many tokens: with the usage so far, if it was asked for.
fn end_chunk(reply: &Reply, tokens: u32, event: &mut Vec<u8>) {
    if reply.asked.chunk_usage_wanted && reply.plan.usage {
        let prompt = reply.asked.prompt_tokens;
        let usage = format!(
            r#"],"usage":{{"prompt_tokens":{prompt},"completion_tokens":{tokens},"total_tokens":{}}}}}"#,
            u64::from(prompt) + u64::from(tokens)
        );
        event.extend_from_slice(usage.as_bytes());
    } else {
        event.extend_from_slice(b"]}");
    }
    event.extend_from_slice(b"\n\n");
}

pub(super) fn trailer(reply: &Reply, cached_tokens: u32) -> Bytes {
    let reason = reply.plan.finish_reason;
    let choice = match reply.asked.endpoint {
        Endpoint::Chat => format!(r#"{{"index":0,"delta":{{}},"finish_reason":"{reason}"}}"#),
        _ => format!(r#"{{"index":0,"text":"","finish_reason":"{reason}"}}"#),
    };
    let head = &reply.event_head;
    let mut text = format!("{head}{choice}]}}\n\n");
    if reply.asked.usage_wanted && reply.plan.usage {
        // Writing to a String cannot fail.
        let _ = write!(text, "{head}],\"usage\":{}}}\n\n", reply.usage(cached_tokens));
    }
    if reply.plan.done {
        text.push_str(DONE);
    }
    Bytes::from(text)
}

pub(super) fn whole(reply: &Reply, cached_tokens: u32) -> Value {
    let (reasoning, said) = reply.said();
    let reason = reply.plan.finish_reason;
    let (object, choice) = if reply.asked.endpoint == Endpoint::Chat {
        let mut message = json!({"role": "assistant", "content": said});
        if !reasoning.is_empty() {
            message["reasoning_content"] = reasoning.into();
        }
        if let Some(tool) = &reply.plan.tool {
            let function = json!({"name": tool, "arguments": format!("{{\"text\":\"{}\"}}", message["content"].as_str().unwrap_or_default())});
            message["content"] = Value::Null;
            message["tool_calls"] = json!([{
                "id": format!("call_{}", reply.asked.number), "type": "function", "function": function,
            }]);
        }
        ("chat.completion", json!({"index": 0, "message": message, "finish_reason": reason}))
    } else {
        ("text_completion", json!({"index": 0, "text": said, "finish_reason": reason}))
    };
    let mut whole = json!({
        "id": id(&reply.asked), "object": object, "created": reply.asked.created_s, "model": reply.asked.model,
        "choices": [choice],
    });
    if reply.plan.usage {
        whole["usage"] = reply.usage(cached_tokens);
    }
    whole
}
