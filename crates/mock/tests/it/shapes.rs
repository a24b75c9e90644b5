//! Every endpoint's shape.

use serde_json::json;

use crate::raw::{Client, End, QUICK, chat, completion, start, start_with};

const STREAM: &str = r#","stream":true,"stream_options":{"include_usage":true},"max_tokens":5"#;

#[test]
fn a_chat_stream_has_role_contents_reason_usage_and_mark() {
    let mock = start(QUICK);
    let response = Client::connect(mock.addr()).post("/v1/chat/completions", &chat("m", STREAM));
    assert_eq!((response.status(), response.end), (200, End::Whole));
    assert_eq!(response.header("content-type"), Some("text/event-stream"));
    assert!(response.header("server").unwrap().starts_with("loadgen-mock/"));
    assert!(response.header("x-request-id").unwrap().starts_with("id-"));
    let events = response.events();
    assert_eq!(events[0]["choices"][0]["delta"], json!({"role": "assistant", "content": ""}));
    assert_eq!(response.contents().len(), 5);
    assert_eq!(events[6]["choices"][0]["finish_reason"], "length");
    assert_eq!(events[7]["usage"], json!({"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8}));
    assert_eq!((events.len(), &events[8]), (9, &"[DONE]".into()));
    // The role, each token, and the end leave apart.
    assert_eq!(response.chunks, 7);
    let report = mock.stop().unwrap();
    assert_eq!((report.connections, report.requests, report.complete, report.tokens), (1, 1, 1, 5));
}

#[test]
fn a_completion_stream_starts_with_text() {
    let mock = start(QUICK);
    let response = Client::connect(mock.addr()).post("/v1/completions", &completion("m", STREAM));
    let events = response.events();
    assert_eq!(events[0]["object"], "text_completion");
    assert_eq!(response.contents(), [" the", " quick", " brown", " fox", " jumps"]);
    assert_eq!(events.len(), 8);
}

#[test]
fn without_being_asked_a_stream_has_no_usage() {
    let mock = start(QUICK);
    let response = Client::connect(mock.addr()).post("/v1/chat/completions", &chat("m", r#","stream":true"#));
    assert_eq!(response.contents().len(), 128);
    assert!(response.events().iter().all(|event| event.get("usage").is_none()));
}

#[test]
fn answers_in_one_piece() {
    let mock = start("fixed?ttft=2ms&itl=0ms");
    let mut client = Client::connect(mock.addr());
    let answer =
        client.post("/v1/chat/completions", &chat("m", r#","max_completion_tokens":3,"max_tokens":9"#));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let answer = answer.json();
    assert_eq!(answer["choices"][0]["message"], json!({"role": "assistant", "content": " the quick brown"}));
    assert_eq!(answer["usage"]["total_tokens"], 6);
    // The same connection, kept; the words go on with the request's number.
    let answer = client.post("/openai/v1/completions", &completion("m", r#","max_tokens":2"#)).json();
    assert_eq!(answer["choices"][0]["text"], " quick brown");
    assert_eq!(mock.stop().unwrap().connections, 1);
}

#[test]
fn the_default_profile_reports_what_its_cache_had() {
    let mock = start("default?step=1ms");
    let mut client = Client::connect(mock.addr());
    let body = format!(r#"{{"model":"m","prompt":"{}","max_tokens":2}}"#, "word ".repeat(1000));
    let cached = |client: &mut Client| {
        client.post("/v1/completions", &body).json()["usage"]["prompt_tokens_details"]["cached_tokens"]
            .as_u64()
            .unwrap()
    };
    assert_eq!(cached(&mut client), 0);
    // 5000 bytes are 19 whole blocks of 256, of 51 tokens each.
    assert_eq!(cached(&mut client), 969);
    assert_eq!(client.post("/reset_prefix_cache", "").status(), 200);
    assert_eq!(cached(&mut client), 0);
    let text = client.get("/metrics").text().to_owned();
    let has = |name: &str, value: u64| {
        let line = format!("{name}{{engine=\"0\",model_name=\"mock-model\"}} {value}\n");
        assert!(text.contains(&line), "{line} is not in\n{text}");
    };
    has("mock_requests_total", 3);
    has("vllm:num_requests_running", 0);
    has("vllm:request_success_total", 3);
    has("vllm:generation_tokens_total", 6);
}

#[test]
fn the_other_paths() {
    let mock = start_with("fixed?context=50", |config| config.models = vec!["a".to_owned(), "b".to_owned()]);
    let mut client = Client::connect(mock.addr());
    let models = client.get("/v1/models").json();
    assert_eq!((&models["object"], &models["data"][1]["id"]), (&"list".into(), &"b".into()));
    assert_eq!(models["data"][0]["max_model_len"], 50);
    assert!(client.get("/version").json()["version"].is_string());
    assert_eq!(client.get("/health").text(), "ok");
    assert_eq!(client.get("/nothing").status(), 404);
    let wrong = client.get("/v1/chat/completions");
    assert_eq!((wrong.status(), wrong.header("allow")), (405, Some("POST")));
    assert_eq!(client.post("/v1/models", "").status(), 405);
}

#[test]
fn bad_requests_are_answered_with_what_is_wrong() {
    let mock = start("fixed?context=50");
    let mut client = Client::connect(mock.addr());
    for (body, part) in [
        ("{", "not a request"),
        (r#"{"model":"m"}"#, "messages is missing"),
        (r#"{"messages":[{"role":"user","content":"x"}],"max_tokens":0}"#, "max_tokens"),
        (r#"{"messages":"x"}"#, "prompt is not one"),
        (r#"{"messages":[{"role":"user","content":"x"}],"max_tokens":50}"#, "maximum context length is 50"),
    ] {
        let response = client.post("/v1/chat/completions", body);
        assert_eq!(response.status(), 400, "{body}");
        let said = response.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(said.contains(part), "{said}");
    }
}

#[test]
fn an_exact_count_on_request() {
    let mock = start("fixed?ttft=1ms&itl=0ms&tokenizer=builtin");
    let body = r#"{"model":"m","prompt":"internationalization, <|endoftext|> 1234","max_tokens":1}"#;
    let usage = Client::connect(mock.addr()).post("/v1/completions", body).json()["usage"].clone();
    let tokenizer = loadgen_tokens::Tokenizer::builtin();
    let exact = loadgen_core::CountTokens::count(&tokenizer, "internationalization, <|endoftext|> 1234");
    assert_eq!(usage["prompt_tokens"], exact);
}

#[test]
fn several_threads_share_the_address_and_the_numbers() {
    let mock = start_with(QUICK, |config| config.threads = 3);
    let answers: std::collections::BTreeSet<String> = (0..12)
        .map(|_| {
            let answer =
                Client::connect(mock.addr()).post("/v1/completions", &completion("m", r#","max_tokens":1"#));
            answer.json()["id"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(answers.len(), 12);
    let report = mock.stop().unwrap();
    assert_eq!((report.connections, report.requests, report.complete), (12, 12, 12));
}

#[test]
fn many_streams_at_once() {
    let mock = start("fixed?ttft=20ms&itl=2ms");
    let mut clients: Vec<Client> = (0..200).map(|_| Client::connect(mock.addr())).collect();
    for client in &mut clients {
        client.send_post("/v1/chat/completions", &chat("m", r#","stream":true,"max_tokens":10"#));
    }
    for client in &mut clients {
        let response = client.receive();
        assert_eq!((response.end, response.contents().len()), (End::Whole, 10));
    }
    assert_eq!(mock.stop().unwrap().tokens, 2000);
}
