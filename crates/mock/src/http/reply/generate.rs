//! Answers of plain text: Hugging Face TGI's, and Solido's.

use super::{Endpoint, Reply, Value, json};

pub(super) fn write_step(reply: &Reply, step: u32, events: &mut Vec<u8>) {
    let (token, text) = reply.text_of(step);
    if reply.asked.endpoint == Endpoint::Solido {
        events.extend_from_slice(format!("data: {{\"content\":\"{text}\"}}\n\n").as_bytes());
        return;
    }
    let is_last = step + 1 == reply.steps();
    let (all, details) = if is_last {
        let (_, all) = reply.said();
        (Value::from(all), details(reply))
    } else {
        (Value::Null, Value::Null)
    };
    // The words need no escaping.
    let event = format!(
        "data:{{\"index\":{},\"token\":{{\"id\":{},\"text\":\"{text}\",\"logprob\":-0.5,\"special\":false}},\
         \"generated_text\":{all},\"details\":{details}}}\n\n",
        step + 1,
        token + 1,
    );
    events.extend_from_slice(event.as_bytes());
}

pub(super) fn whole(reply: &Reply) -> Value {
    let (_, said) = reply.said();
    if reply.asked.endpoint == Endpoint::Solido {
        return json!({"content": said, "sources": ["mock"]});
    }
    json!({"generated_text": said, "details": details(reply)})
}

fn details(reply: &Reply) -> Value {
    let reason = if reply.plan.finish_reason == "length" { "length" } else { "eos_token" };
    json!({"finish_reason": reason, "generated_tokens": reply.plan.reported_tokens, "seed": null})
}
