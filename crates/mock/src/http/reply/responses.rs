//! OpenAI's responses: one message, after one item of reasoning where there is some.

use super::{Bytes, Reply, Value, json, typed_event};

/// Events before the first step: `created` and `in_progress`.
const BEGINNING: u32 = 2;

pub(super) fn begin(reply: &Reply) -> Bytes {
    let response = response(reply, "in_progress");
    let events = ["response.created", "response.in_progress"];
    let events = events.iter().zip(0..).map(|(kind, number)| {
        typed_event(&json!({"type": kind, "sequence_number": number, "response": response}))
    });
    events.collect::<String>().into()
}

pub(super) fn write_step(reply: &Reply, step: u32, events: &mut Vec<u8>) {
    let (token, text) = reply.text_of(step);
    let is_reasoning = reply.is_reasoning(token);
    let kind = if is_reasoning { "response.reasoning_text.delta" } else { "response.output_text.delta" };
    let index = u32::from(!is_reasoning && reply.reasoning_tokens() > 0);
    let item = item_id(reply, is_reasoning);
    // The words need no escaping.
    let event = format!(
        "event: {kind}\ndata: {{\"type\":\"{kind}\",\"sequence_number\":{},\"item_id\":\"{item}\",\
         \"output_index\":{index},\"content_index\":0,\"delta\":\"{text}\"}}\n\n",
        BEGINNING + step,
    );
    events.extend_from_slice(event.as_bytes());
}

pub(super) fn trailer(reply: &Reply, cached_tokens: u32) -> Bytes {
    let (_, said) = reply.said();
    let (item, index) = (item_id(reply, false), u32::from(reply.reasoning_tokens() > 0));
    let number = BEGINNING + reply.steps();
    let done = json!({
        "type": "response.output_text.done", "sequence_number": number, "item_id": item, "output_index": index,
        "content_index": 0, "text": said,
    });
    let message = json!({
        "type": "response.output_item.done", "sequence_number": number + 1, "output_index": index,
        "item": message(reply),
    });
    let whole = whole(reply, cached_tokens);
    let kind = if whole["status"] == "completed" { "response.completed" } else { "response.incomplete" };
    let end = json!({"type": kind, "sequence_number": number + 2, "response": whole});
    let done = if said.is_empty() { String::new() } else { typed_event(&done) };
    [done, typed_event(&message), typed_event(&end)].concat().into()
}

pub(super) fn whole(reply: &Reply, cached_tokens: u32) -> Value {
    let is_cut = reply.plan.finish_reason == "length";
    let mut whole = response(reply, if is_cut { "incomplete" } else { "completed" });
    if is_cut {
        whole["incomplete_details"] = json!({"reason": "max_output_tokens"});
    }
    let (reasoning, _) = reply.said();
    let mut output = vec![message(reply)];
    if !reasoning.is_empty() {
        let summary = json!([{"type": "summary_text", "text": reasoning}]);
        output.insert(0, json!({"type": "reasoning", "id": item_id(reply, true), "summary": summary}));
    }
    whole["output"] = output.into();
    if reply.plan.usage {
        let (input, output) = (reply.asked.prompt_tokens, reply.plan.reported_tokens);
        whole["usage"] = json!({
            "input_tokens": input,
            "input_tokens_details": {"cached_tokens": reply.cached(cached_tokens).unwrap_or(0)},
            "output_tokens": output,
            "output_tokens_details": {"reasoning_tokens": reply.reasoning_tokens()},
            "total_tokens": u64::from(input) + u64::from(output),
        });
    }
    whole
}

fn response(reply: &Reply, status: &str) -> Value {
    json!({
        "id": format!("resp_{}", reply.asked.number), "object": "response",
        "created_at": reply.asked.created_s, "status": status, "error": null, "incomplete_details": null,
        "model": reply.asked.model, "output": [], "usage": null,
    })
}

fn message(reply: &Reply) -> Value {
    let (_, said) = reply.said();
    json!({
        "type": "message", "id": item_id(reply, false), "status": "completed", "role": "assistant",
        "content": [{"type": "output_text", "text": said, "annotations": []}],
    })
}

fn item_id(reply: &Reply, is_reasoning: bool) -> String {
    format!("{}_{}", if is_reasoning { "rs" } else { "msg" }, reply.asked.number)
}
