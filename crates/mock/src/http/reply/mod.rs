//! The bytes of an answer: its events as a stream, or its whole as one object.
//!
//! Each family of endpoints has a file; here is what they share. What comes when is not known here.

mod generate;
mod messages;
mod openai;
mod responses;
mod vectors;

use std::fmt::Write;

use bytes::Bytes;
use serde_json::{Value, json};

use super::endpoint::Endpoint;
use crate::plan::{Details, Plan};
use crate::text::{word, words};

/// An answer, before it is sent.
#[derive(Debug)]
pub(super) struct Reply {
    asked: Asked,
    plan: Plan,
    /// Every event up to where its text stands, where that is the same for all.
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
    /// Texts to embed, or passages to rank.
    pub(super) items: u32,
    /// Whether a stream is to end with usage.
    pub(super) usage_wanted: bool,
    /// Whether each of its chunks is to have the usage so far.
    pub(super) chunk_usage_wanted: bool,
}

const DONE: &str = "data: [DONE]\n\n";

impl Reply {
    pub(super) fn new(asked: Asked, plan: Plan) -> Self {
        let event_head = match asked.endpoint {
            Endpoint::Chat | Endpoint::Completions => openai::event_head(&asked),
            _ => String::new(),
        };
        Self { asked, plan, event_head }
    }

    /// Events that are paced: the tokens, and the hole where there is one.
    pub(super) fn steps(&self) -> u32 {
        self.plan.output_tokens + u32::from(self.plan.hole.is_some())
    }

    /// Whether the stream begins with [`Self::role_event`].
    pub(super) fn has_role_event(&self) -> bool {
        match self.asked.endpoint {
            Endpoint::Chat => self.plan.role,
            Endpoint::Responses | Endpoint::Messages => true,
            _ => false,
        }
    }

    /// What comes before any content: the chunk that only names the role, or the events that open the
    /// answer.
    pub(super) fn role_event(&self) -> Bytes {
        match self.asked.endpoint {
            Endpoint::Responses => responses::begin(self),
            Endpoint::Messages => messages::begin(self),
            _ => openai::role_event(self),
        }
    }

    /// Whether a step brings a token.
    pub(super) fn is_token(&self, step: u32) -> bool {
        self.plan.hole != Some(step)
    }

    /// Appends the event of a step.
    pub(super) fn write_step(&self, step: u32, events: &mut Vec<u8>) {
        match self.asked.endpoint {
            Endpoint::Responses => responses::write_step(self, step, events),
            Endpoint::Messages => messages::write_step(self, step, events),
            Endpoint::Generate | Endpoint::GenerateStream | Endpoint::Solido => {
                generate::write_step(self, step, events);
            }
            _ => openai::write_step(self, step, events),
        }
    }

    /// What follows the last token: the reason, usage if it was asked for, the end mark.
    pub(super) fn trailer(&self, cached_tokens: u32) -> Bytes {
        match self.asked.endpoint {
            Endpoint::Responses => responses::trailer(self, cached_tokens),
            Endpoint::Messages => messages::trailer(self),
            Endpoint::Generate | Endpoint::GenerateStream | Endpoint::Solido => Bytes::new(),
            _ => openai::trailer(self, cached_tokens),
        }
    }

    /// The whole answer as one object.
    pub(super) fn whole(&self, cached_tokens: u32) -> Bytes {
        let whole = match self.asked.endpoint {
            Endpoint::Chat | Endpoint::Completions => openai::whole(self, cached_tokens),
            Endpoint::Responses => responses::whole(self, cached_tokens),
            Endpoint::Messages => messages::whole(self, cached_tokens),
            Endpoint::Generate | Endpoint::GenerateStream | Endpoint::Solido => generate::whole(self),
            Endpoint::Embeddings | Endpoint::NimRanking | Endpoint::CohereRerank | Endpoint::TeiRerank => {
                vectors::whole(self)
            }
        };
        Bytes::from(whole.to_string())
    }

    /// The token that a step brings, and its text; a hole brings the empty text.
    fn text_of(&self, step: u32) -> (u32, &'static str) {
        let token = step - u32::from(self.plan.hole.is_some_and(|hole| step > hole));
        (token, if self.is_token(step) { word(self.plan.first_word, token) } else { "" })
    }

    /// Whether a token is reasoning.
    fn is_reasoning(&self, token: u32) -> bool {
        token < self.reasoning_tokens()
    }

    fn reasoning_tokens(&self) -> u32 {
        if self.asked.endpoint.reasons() {
            self.plan.reasoning_tokens.min(self.plan.output_tokens)
        } else {
            0
        }
    }

    /// The reasoning of the whole answer, and the rest of it.
    fn said(&self) -> (String, String) {
        let reasoning = self.reasoning_tokens();
        let said = |from, to| words(self.plan.first_word, from, to);
        (said(0, reasoning), said(reasoning, self.plan.output_tokens))
    }

    /// The usage in OpenAI's shape.
    fn usage(&self, cached_tokens: u32) -> Value {
        let (prompt, completion) = (self.asked.prompt_tokens, self.plan.reported_tokens);
        let mut usage = json!({
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": u64::from(prompt) + u64::from(completion),
        });
        if let Some(cached) = self.cached(cached_tokens) {
            usage["prompt_tokens_details"] = json!({"cached_tokens": cached});
        }
        if self.plan.details == Details::HalfCached || self.reasoning_tokens() > 0 {
            usage["completion_tokens_details"] = json!({"reasoning_tokens": self.plan.reasoning_tokens});
        }
        usage
    }

    /// Prompt tokens that usage says were cached.
    fn cached(&self, cached_tokens: u32) -> Option<u32> {
        match self.plan.details {
            Details::None => None,
            Details::Cached => Some(cached_tokens),
            Details::HalfCached => Some(self.asked.prompt_tokens / 2),
        }
    }
}

/// An event of a type, in the way of OpenAI's responses and Anthropic's messages.
fn typed_event(data: &Value) -> String {
    format!("event: {}\ndata: {data}\n\n", data["type"].as_str().unwrap_or_default())
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
mod tests;
