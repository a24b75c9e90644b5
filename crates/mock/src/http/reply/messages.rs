//! Anthropic's messages: a block of text, after a block of thinking where there is some.

use super::{Bytes, Reply, Value, json, typed_event};

pub(super) fn begin(reply: &Reply) -> Bytes {
    let mut message = message(reply, &[]);
    message["usage"] = usage(reply, 0, 1);
    let start = json!({"type": "message_start", "message": message});
    let is_thinking = reply.reasoning_tokens() > 0;
    [typed_event(&start), block_start(0, is_thinking), typed_event(&json!({"type": "ping"}))].concat().into()
}

pub(super) fn write_step(reply: &Reply, step: u32, events: &mut Vec<u8>) {
    let (token, text) = reply.text_of(step);
    let reasoning = reply.reasoning_tokens();
    if reasoning > 0 && token == reasoning && reply.is_token(step) {
        // The text begins.
        events.extend_from_slice(block_stop(0).as_bytes());
        events.extend_from_slice(block_start(1, false).as_bytes());
    }
    let (index, kind, field) = match (reply.is_reasoning(token), reasoning) {
        (true, _) => (0, "thinking_delta", "thinking"),
        (false, 0) => (0, "text_delta", "text"),
        (false, _) => (1, "text_delta", "text"),
    };
    // The words need no escaping.
    let event = format!(
        "event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"index\":{index},\
         \"delta\":{{\"type\":\"{kind}\",\"{field}\":\"{text}\"}}}}\n\n"
    );
    events.extend_from_slice(event.as_bytes());
}

pub(super) fn trailer(reply: &Reply) -> Bytes {
    let reasoning = reply.reasoning_tokens();
    let is_text_open = reasoning > 0 && reply.plan.output_tokens > reasoning;
    let mut end = json!({
        "type": "message_delta",
        "delta": {"stop_reason": stop_reason(reply), "stop_sequence": null},
    });
    if reply.plan.usage {
        end["usage"] = json!({"output_tokens": reply.plan.reported_tokens});
    }
    let stop = typed_event(&json!({"type": "message_stop"}));
    [block_stop(u32::from(is_text_open)), typed_event(&end), stop].concat().into()
}

pub(super) fn whole(reply: &Reply, cached_tokens: u32) -> Value {
    let (thinking, text) = reply.said();
    let mut blocks = vec![json!({"type": "text", "text": text})];
    if !thinking.is_empty() {
        blocks.insert(0, json!({"type": "thinking", "thinking": thinking, "signature": "mock"}));
    }
    let mut whole = message(reply, &blocks);
    whole["stop_reason"] = stop_reason(reply).into();
    if reply.plan.usage {
        whole["usage"] = usage(reply, cached_tokens, reply.plan.reported_tokens);
    }
    whole
}

fn message(reply: &Reply, content: &[Value]) -> Value {
    json!({
        "id": format!("msg_{}", reply.asked.number), "type": "message", "role": "assistant",
        "model": reply.asked.model, "content": content, "stop_reason": null, "stop_sequence": null,
    })
}

/// Cached tokens are counted beside the others, not within them.
fn usage(reply: &Reply, cached_tokens: u32, output: u32) -> Value {
    let prompt = reply.asked.prompt_tokens;
    match reply.cached(cached_tokens) {
        None => json!({"input_tokens": prompt, "output_tokens": output}),
        Some(cached) => json!({
            "input_tokens": prompt.saturating_sub(cached), "cache_read_input_tokens": cached.min(prompt),
            "output_tokens": output,
        }),
    }
}

fn stop_reason(reply: &Reply) -> &'static str {
    if reply.plan.finish_reason == "length" { "max_tokens" } else { "end_turn" }
}

fn block_start(index: u32, is_thinking: bool) -> String {
    let block = if is_thinking {
        json!({"type": "thinking", "thinking": "", "signature": ""})
    } else {
        json!({"type": "text", "text": ""})
    };
    typed_event(&json!({"type": "content_block_start", "index": index, "content_block": block}))
}

fn block_stop(index: u32) -> String {
    typed_event(&json!({"type": "content_block_stop", "index": index}))
}
