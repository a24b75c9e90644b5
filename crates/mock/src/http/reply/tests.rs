//! Answers of every endpoint, read back.

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
    let data = text.split_terminator("\n\n").map(|event| event.split_once("data:").unwrap().1.trim_start());
    data.map(|data| serde_json::from_str(data).unwrap_or_else(|_| data.into())).collect()
}

#[test]
fn chat_events_are_chunks() {
    let reply = reply(Endpoint::Chat, "", "");
    let role = &events(&reply.role_event())[0];
    assert_eq!(role["choices"][0]["delta"], json!({"role": "assistant", "content": ""}));
    assert_eq!((&role["model"], &role["object"]), (&"\"quoted\"".into(), &"chat.completion.chunk".into()));
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
    assert_eq!((&event["choices"][0]["text"], &event["object"]), (&" the".into(), &"text_completion".into()));
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
            events(&reply.step_event(step))[0]["choices"][0]["delta"]["content"].as_str().unwrap().to_owned()
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
    let arguments: String =
        said.iter().filter_map(|event| function(event)["arguments"].as_str().map(str::to_owned)).collect();
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
    let deltas: Vec<_> = said.iter().filter(|event| event["type"] == "response.output_text.delta").collect();
    assert_eq!(deltas.iter().map(|event| event["delta"].as_str().unwrap()).collect::<String>(), " brown fox");
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
    assert!(embeddings["data"][1]["embedding"][0].is_f64() && embeddings["data"][1]["object"] == "embedding");
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
