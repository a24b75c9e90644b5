//! The bytes of an answer: its events as a stream, or its whole as one object.
//!
//! What comes when is not known here.

use std::fmt::Write;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::plan::{Details, Plan};
use crate::text::{word, words};

/// Which of the two endpoints answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// `/v1/chat/completions`.
    Chat,
    /// `/v1/completions`.
    Completions,
}

/// An answer, before it is sent.
#[derive(Debug)]
pub(super) struct Reply {
    endpoint: Endpoint,
    id: String,
    created: i64,
    model: String,
    prompt_tokens: u32,
    usage_wanted: bool,
    plan: Plan,
    /// Every event up to the opening of its choices.
    event_head: String,
}

/// Who asked, and for what.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) endpoint: Endpoint,
    pub(super) number: u64,
    pub(super) created_s: i64,
    pub(super) model: String,
    pub(super) prompt_tokens: u32,
    /// Whether a stream is to end with usage.
    pub(super) usage_wanted: bool,
}

const DONE: &str = "data: [DONE]\n\n";

impl Reply {
    pub(super) fn new(asked: Asked, plan: Plan) -> Self {
        let Asked { endpoint, number, created_s: created, model, prompt_tokens, usage_wanted } = asked;
        let (id, object) = match endpoint {
            Endpoint::Chat => (format!("chatcmpl-{number}"), "chat.completion.chunk"),
            Endpoint::Completions => (format!("cmpl-{number}"), "text_completion"),
        };
        let event_head = format!(
            r#"data: {{"id":"{id}","object":"{object}","created":{created},"model":{},"choices":["#,
            Value::from(model.as_str())
        );
        Self { endpoint, id, created, model, prompt_tokens, usage_wanted, plan, event_head }
    }

    /// Events that are paced: the tokens, and the hole where there is one.
    pub(super) fn steps(&self) -> u32 {
        self.plan.output_tokens + u32::from(self.plan.hole.is_some())
    }

    /// Whether the stream begins with [`Self::role_event`].
    pub(super) fn has_role_event(&self) -> bool {
        self.endpoint == Endpoint::Chat && self.plan.role
    }

    /// The chunk that only names the role.
    pub(super) fn role_event(&self) -> Bytes {
        self.event(r#"{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}"#)
    }

    /// Whether a step brings a token.
    pub(super) fn is_token(&self, step: u32) -> bool {
        self.plan.hole != Some(step)
    }

    /// Appends the event of a step.
    pub(super) fn write_step(&self, step: u32, events: &mut Vec<u8>) {
        let token = step - u32::from(self.plan.hole.is_some_and(|hole| step > hole));
        let text = if self.is_token(step) { word(self.plan.first_word, token) } else { "" };
        // The words need no escaping.
        let (open, close) = match self.endpoint {
            Endpoint::Chat if token < self.plan.reasoning_tokens => {
                (r#"{"index":0,"delta":{"reasoning_content":""#, r#""},"finish_reason":null}]}"#)
            }
            Endpoint::Chat => (r#"{"index":0,"delta":{"content":""#, r#""},"finish_reason":null}]}"#),
            Endpoint::Completions => (r#"{"index":0,"text":""#, r#"","finish_reason":null}]}"#),
        };
        for part in [self.event_head.as_str(), open, text, close, "\n\n"] {
            events.extend_from_slice(part.as_bytes());
        }
    }

    /// What follows the last token: the reason, usage if it was asked for, the end mark.
    pub(super) fn trailer(&self, cached_tokens: u32) -> Bytes {
        let reason = self.plan.finish_reason;
        let choice = match self.endpoint {
            Endpoint::Chat => format!(r#"{{"index":0,"delta":{{}},"finish_reason":"{reason}"}}"#),
            Endpoint::Completions => format!(r#"{{"index":0,"text":"","finish_reason":"{reason}"}}"#),
        };
        let mut text = format!("{}{choice}]}}\n\n", self.event_head);
        if self.usage_wanted && self.plan.usage {
            // Writing to a String cannot fail.
            let _ = write!(text, "{}],\"usage\":{}}}\n\n", self.event_head, self.usage(cached_tokens));
        }
        if self.plan.done {
            text.push_str(DONE);
        }
        Bytes::from(text)
    }

    /// The whole answer as one object.
    pub(super) fn whole(&self, cached_tokens: u32) -> Bytes {
        let said = |from, to| words(self.plan.first_word, from, to);
        let (reasoning, all) =
            (self.plan.reasoning_tokens.min(self.plan.output_tokens), self.plan.output_tokens);
        let reason = self.plan.finish_reason;
        let (object, choice) = match self.endpoint {
            Endpoint::Chat => {
                let mut message = json!({"role": "assistant", "content": said(reasoning, all)});
                if reasoning > 0 {
                    message["reasoning_content"] = said(0, reasoning).into();
                }
                ("chat.completion", json!({"index": 0, "message": message, "finish_reason": reason}))
            }
            Endpoint::Completions => {
                ("text_completion", json!({"index": 0, "text": said(0, all), "finish_reason": reason}))
            }
        };
        let mut whole = json!({
            "id": self.id, "object": object, "created": self.created, "model": self.model, "choices": [choice],
        });
        if self.plan.usage {
            whole["usage"] = self.usage(cached_tokens);
        }
        Bytes::from(whole.to_string())
    }

    fn usage(&self, cached_tokens: u32) -> Value {
        let (prompt, completion) = (self.prompt_tokens, self.plan.reported_tokens);
        let mut usage = json!({
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": u64::from(prompt) + u64::from(completion),
        });
        match self.plan.details {
            Details::None => {}
            Details::Cached => usage["prompt_tokens_details"] = json!({"cached_tokens": cached_tokens}),
            Details::HalfCached => {
                usage["prompt_tokens_details"] = json!({"cached_tokens": prompt / 2});
                usage["completion_tokens_details"] = json!({"reasoning_tokens": self.plan.reasoning_tokens});
            }
        }
        usage
    }

    fn event(&self, choice: &str) -> Bytes {
        Bytes::from([self.event_head.as_str(), choice, "]}\n\n"].concat())
    }
}

/// `data: {"error":…}`, and the end mark all the same.
pub(super) fn error_data(error: &Value) -> Bytes {
    Bytes::from(format!("data: {error}\n\n{DONE}"))
}

/// An event of the type `error`.
pub(super) fn error_event(error: &Value) -> Bytes {
    Bytes::from(format!("event: error\ndata: {error}\n\n"))
}

/// Bytes that are neither events nor JSON nor text.
pub(super) fn garbage() -> Bytes {
    Bytes::from_static(
        b"data: {\"id\":\"chatcm\xff\xfe\x00, \"choices\": [{]\n\n\x80\x81\x82:::\r\ndata: <html>\n\nevent\n\n",
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn reply(endpoint: Endpoint, profile: &str, model: &str) -> Reply {
        let profile = profile.parse().unwrap();
        let asked = crate::plan::LengthAsked { max_tokens: Some(4), min_tokens: 0, ignore_eos: false };
        let plan = if model.is_empty() {
            Plan::usual(&profile, loadgen_core::Seed(0), 0, asked, None)
        } else {
            crate::golden::plan(0, model, Some(4), true)
        };
        let model = model.to_owned() + "\"quoted\"";
        let asked = Asked { endpoint, number: 7, created_s: 5, model, prompt_tokens: 10, usage_wanted: true };
        Reply::new(asked, plan)
    }

    impl Reply {
        fn step_event(&self, step: u32) -> Bytes {
            let mut event = Vec::new();
            self.write_step(step, &mut event);
            event.into()
        }
    }

    fn events(bytes: &Bytes) -> Vec<Value> {
        let text = std::str::from_utf8(bytes).unwrap();
        assert!(text.ends_with("\n\n"));
        let data = text.split_terminator("\n\n").map(|event| event.strip_prefix("data: ").unwrap());
        data.map(|data| serde_json::from_str(data).unwrap_or_else(|_| data.into())).collect()
    }

    #[test]
    fn chat_events_are_chunks() {
        let reply = reply(Endpoint::Chat, "", "");
        let role = &events(&reply.role_event())[0];
        assert_eq!(role["choices"][0]["delta"], json!({"role": "assistant", "content": ""}));
        assert_eq!(
            (&role["model"], &role["object"]),
            (&"\"quoted\"".into(), &"chat.completion.chunk".into())
        );
        assert_eq!(events(&reply.step_event(1))[0]["choices"][0]["delta"], json!({"content": " quick"}));
        let trailer = events(&reply.trailer(3));
        assert_eq!(trailer[0]["choices"][0]["finish_reason"], "length");
        assert_eq!(trailer[1]["choices"], json!([]));
        assert_eq!(
            trailer[1]["usage"],
            json!({"prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 14,
                "prompt_tokens_details": {"cached_tokens": 3}})
        );
        assert_eq!(trailer[2], "[DONE]");
    }

    #[test]
    fn completion_events_carry_text() {
        let reply = reply(Endpoint::Completions, "fixed", "");
        assert!(!reply.has_role_event());
        let event = &events(&reply.step_event(0))[0];
        assert_eq!(
            (&event["choices"][0]["text"], &event["object"]),
            (&" the".into(), &"text_completion".into())
        );
        assert_eq!(events(&reply.trailer(0))[0]["choices"][0]["text"], "");
        let whole: Value = serde_json::from_slice(&reply.whole(0)).unwrap();
        assert_eq!(whole["choices"][0]["text"], " the quick brown fox");
        assert_eq!(whole["usage"]["completion_tokens"], 4);
    }

    #[test]
    fn reasoning_comes_first_and_only_in_chat() {
        let chat = reply(Endpoint::Chat, "golden", "reason");
        let delta = |step| events(&chat.step_event(step))[0]["choices"][0]["delta"].clone();
        assert_eq!(delta(1), json!({"reasoning_content": " quick"}));
        assert_eq!(delta(2), json!({"content": " brown"}));
        let whole: Value = serde_json::from_slice(&chat.whole(0)).unwrap();
        assert_eq!(
            whole["choices"][0]["message"],
            json!({"role": "assistant", "content": " brown fox", "reasoning_content": " the quick"})
        );
        assert_eq!(whole["usage"]["completion_tokens_details"], json!({"reasoning_tokens": 2}));
        let text = reply(Endpoint::Completions, "golden", "reason");
        assert_eq!(events(&text.step_event(0))[0]["choices"][0]["text"], " the");
    }

    #[test]
    fn a_hole_is_an_empty_chunk_between_two_tokens() {
        let reply = reply(Endpoint::Chat, "golden", "hole");
        assert_eq!(reply.steps(), 5);
        let said: Vec<String> = (0..5)
            .map(|step| {
                events(&reply.step_event(step))[0]["choices"][0]["delta"]["content"]
                    .as_str()
                    .unwrap()
                    .to_owned()
            })
            .collect();
        assert_eq!(said, [" the", " quick", "", " brown", " fox"]);
        assert!(!reply.is_token(2));
    }
}
