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

use crate::plan::{Details, Plan};
use crate::text::{word, words};

/// Which endpoint answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// `/v1/chat/completions`.
    Chat,
    /// `/v1/completions`.
    Completions,
    /// `/v1/responses`.
    Responses,
    /// `/v1/messages`.
    Messages,
    /// `/generate`, as Hugging Face TGI has it.
    Generate,
    /// `/generate_stream`.
    GenerateStream,
    /// `/rag/api/prompt`, as Solido has it.
    Solido,
    /// `/v1/embeddings`.
    Embeddings,
    /// `/v1/ranking`, as NIM has it.
    NimRanking,
    /// `/v2/rerank`, as Cohere has it.
    CohereRerank,
    /// `/rerank`, as Hugging Face TEI has it.
    TeiRerank,
}

impl Endpoint {
    /// The endpoint at a path; servers put a prefix before these, such as /openai.
    pub(crate) fn at(path: &str) -> Option<Self> {
        // The longer one of two that fit comes first.
        let known = [
            ("/chat/completions", Self::Chat),
            ("/completions", Self::Completions),
            ("/responses", Self::Responses),
            ("/messages", Self::Messages),
            ("/generate_stream", Self::GenerateStream),
            ("/generate", Self::Generate),
            ("/rag/api/prompt", Self::Solido),
            ("/embeddings", Self::Embeddings),
            ("/ranking", Self::NimRanking),
            ("/v2/rerank", Self::CohereRerank),
            ("/rerank", Self::TeiRerank),
        ];
        known.into_iter().find(|(end, _)| path.ends_with(end)).map(|(_, endpoint)| endpoint)
    }

    /// Whether it answers with tokens.
    pub(crate) fn generates(self) -> bool {
        !matches!(self, Self::Embeddings | Self::NimRanking | Self::CohereRerank | Self::TeiRerank)
    }

    /// Whether its answers can begin with reasoning.
    fn reasons(self) -> bool {
        matches!(self, Self::Chat | Self::Responses | Self::Messages)
    }
}

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
        let asked = Asked {
            endpoint,
            number: 7,
            created_s: 5,
            model,
            prompt_tokens: 10,
            items: 2,
            usage_wanted: true,
            chunk_usage_wanted: false,
        };
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
        let data =
            text.split_terminator("\n\n").map(|event| event.split_once("data:").unwrap().1.trim_start());
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

    #[test]
    fn a_forced_call_has_its_arguments_in_pieces() {
        let mut called = reply(Endpoint::Chat, "fixed", "");
        called.plan.tool = Some("look_up".to_owned());
        let said = stream(&called);
        let function = |event: &Value| event["choices"][0]["delta"]["tool_calls"][0]["function"].clone();
        assert_eq!(function(&said[1])["name"], "look_up");
        let arguments: String = said
            .iter()
            .filter_map(|event| function(event)["arguments"].as_str().map(str::to_owned))
            .collect();
        assert_eq!(arguments, r#"{"text":" the quick brown fox"}"#);
        let whole: Value = serde_json::from_slice(&called.whole(0)).unwrap();
        let message = &whole["choices"][0]["message"];
        assert_eq!(
            (&message["content"], &message["tool_calls"][0]["function"]["arguments"]),
            (&Value::Null, &arguments.into())
        );
    }

    /// What a client reads of a stream, step by step.
    fn stream(reply: &Reply) -> Vec<Value> {
        let begin = if reply.has_role_event() { events(&reply.role_event()) } else { Vec::new() };
        let steps = (0..reply.steps()).flat_map(|step| events(&reply.step_event(step)));
        let trailer = reply.trailer(3);
        let trailer = if trailer.is_empty() { Vec::new() } else { events(&trailer) };
        begin.into_iter().chain(steps).chain(trailer).collect()
    }

    #[test]
    fn responses_are_typed_events() {
        let said = stream(&reply(Endpoint::Responses, "golden", "reason"));
        let types: Vec<_> = said.iter().map(|event| event["type"].as_str().unwrap()).collect();
        assert_eq!(types[..3], ["response.created", "response.in_progress", "response.reasoning_text.delta"]);
        assert_eq!(types[types.len() - 2..], ["response.output_item.done", "response.completed"]);
        let deltas: Vec<_> =
            said.iter().filter(|event| event["type"] == "response.output_text.delta").collect();
        assert_eq!(
            deltas.iter().map(|event| event["delta"].as_str().unwrap()).collect::<String>(),
            " brown fox"
        );
        let numbers: Vec<_> = said.iter().map(|event| event["sequence_number"].as_u64().unwrap()).collect();
        assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "{numbers:?}");
        let usage = &said.last().unwrap()["response"]["usage"];
        assert_eq!((&usage["input_tokens"], &usage["output_tokens"]), (&json!(10), &json!(4)));
        assert_eq!(usage["output_tokens_details"]["reasoning_tokens"], 2);
        let whole: Value = serde_json::from_slice(&reply(Endpoint::Responses, "fixed", "").whole(0)).unwrap();
        assert_eq!((&whole["object"], &whole["status"]), (&json!("response"), &json!("incomplete")));
        assert_eq!(whole["output"][0]["content"][0]["text"], " the quick brown fox");
    }

    #[test]
    fn messages_are_blocks() {
        let said = stream(&reply(Endpoint::Messages, "golden", "reason"));
        let types: Vec<_> = said.iter().map(|event| event["type"].as_str().unwrap()).collect();
        assert_eq!(
            types,
            [
                "message_start",
                "content_block_start",
                "ping",
                "content_block_delta",
                "content_block_delta",
                "content_block_stop",
                "content_block_start",
                "content_block_delta",
                "content_block_delta",
                "content_block_stop",
                "message_delta",
                "message_stop"
            ]
        );
        assert_eq!(said[3]["delta"], json!({"type": "thinking_delta", "thinking": " the"}));
        assert_eq!(said[7]["delta"], json!({"type": "text_delta", "text": " brown"}));
        assert_eq!((&said[7]["index"], &said[0]["message"]["usage"]["input_tokens"]), (&json!(1), &json!(5)));
        assert_eq!(said[10]["usage"]["output_tokens"], 4);
        let whole: Value = serde_json::from_slice(&reply(Endpoint::Messages, "fixed", "").whole(0)).unwrap();
        assert_eq!(
            (&whole["content"][0]["text"], &whole["stop_reason"]),
            (&json!(" the quick brown fox"), &json!("max_tokens"))
        );
    }

    #[test]
    fn generated_text_stands_in_the_last_event() {
        let said = stream(&reply(Endpoint::GenerateStream, "fixed", ""));
        assert_eq!((said.len(), &said[1]["token"]["text"]), (4, &json!(" quick")));
        assert_eq!(
            (&said[0]["generated_text"], &said[3]["generated_text"]),
            (&Value::Null, &json!(" the quick brown fox"))
        );
        assert_eq!(stream(&reply(Endpoint::Solido, "fixed", ""))[0]["content"], " the");
        let whole: Value = serde_json::from_slice(&reply(Endpoint::Generate, "fixed", "").whole(0)).unwrap();
        assert_eq!(whole["generated_text"], " the quick brown fox");
    }

    #[test]
    fn vectors_and_scores_are_as_many_as_the_items() {
        let of = |endpoint| serde_json::from_slice::<Value>(&reply(endpoint, "fixed", "").whole(0)).unwrap();
        let embeddings = of(Endpoint::Embeddings);
        assert_eq!(embeddings["data"].as_array().unwrap().len(), 2);
        assert!(
            embeddings["data"][1]["embedding"][0].is_f64() && embeddings["data"][1]["object"] == "embedding"
        );
        for (endpoint, list, score) in [
            (Endpoint::NimRanking, "/rankings", "logit"),
            (Endpoint::CohereRerank, "/results", "relevance_score"),
            (Endpoint::TeiRerank, "", "score"),
        ] {
            let ranked = of(endpoint);
            let ranked = ranked.pointer(list).unwrap().as_array().unwrap();
            assert_eq!(ranked.len(), 2);
            assert!(ranked[0][score].as_f64() > ranked[1][score].as_f64(), "the best comes first");
        }
    }

    #[test]
    fn a_path_is_taken_for_the_endpoint_that_it_ends_with() {
        assert_eq!(Endpoint::at("/openai/v1/chat/completions"), Some(Endpoint::Chat));
        assert_eq!(Endpoint::at("/v1/completions"), Some(Endpoint::Completions));
        assert_eq!(
            (Endpoint::at("/v2/rerank"), Endpoint::at("/rerank")),
            (Some(Endpoint::CohereRerank), Some(Endpoint::TeiRerank))
        );
        assert_eq!(Endpoint::at("/generate_stream"), Some(Endpoint::GenerateStream));
        assert_eq!(Endpoint::at("/v1/models"), None);
    }
}
