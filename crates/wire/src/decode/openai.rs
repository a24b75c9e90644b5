//! Chat and completions: the text of the first choice.
//!
//! Only objects of the endpoint's own kind count (`chat.completion`, `chat.completion.chunk`;
//! `text_completion`, `completion`). In a delta, reasoning goes before everything: with it, content counts
//! too, and tool calls do not. Names and arguments of tool calls go before content: **the prose of a delta
//! that has both is no output**, though the delta is content for every time. AIPerf counts so, and figures
//! that are held against each other must be counted alike; servers count both.

use super::event::{Frame, for_each_tool_text, plain_text_of, text_of};
use super::said::Said;
use super::template::{Plain, Slot};
use super::{speculative, usage};
use crate::endpoint::EndpointKind;

pub(super) fn take<'a>(kind: EndpointKind, json: &'a str, said: &mut Said<'_>) -> Option<Plain<'a>> {
    let frame = Frame::decode(json)?;
    said.error(frame.error());
    said.usage(frame.usage.and_then(usage::decode));
    said.drafts(frame.metrics.and_then(speculative::decode));
    let choice = frame.choices.0.as_ref()?;
    let (mut reasoning, mut content) = (None, None);
    match (kind, frame.object()) {
        (EndpointKind::Chat, object @ ("chat.completion.chunk" | "chat.completion")) => {
            let delta = if object == "chat.completion" { &choice.message } else { &choice.delta };
            if let Some(delta) = delta {
                reasoning =
                    delta.reasoning_content.and_then(text_of).or_else(|| delta.reasoning.and_then(text_of));
                if reasoning.is_none()
                    && let Some(calls) = delta.tool_calls
                {
                    for_each_tool_text(calls, |text| said.tool(text));
                }
                let prose = delta.content.and_then(text_of);
                said.calls(delta, object == "chat.completion", prose.unwrap_or_default());
                content = prose.filter(|_| !said.has_tools());
            }
        }
        (EndpointKind::Completions, "text_completion" | "completion") => {
            content = choice.text.and_then(text_of);
        }
        _ => return None,
    }
    said.reasoning(reasoning.unwrap_or_default());
    said.output(content.unwrap_or_default());
    if let Some(reason) = choice.finish_reason.and_then(plain_text_of) {
        said.finish_reason(&reason);
    }
    match (content, reasoning) {
        _ if !said.is_plain() => None,
        (Some(text), None) => Some(Plain { slot: Slot::Output, text }),
        (None, Some(text)) => Some(Plain { slot: Slot::Reasoning, text }),
        _ => None,
    }
}
