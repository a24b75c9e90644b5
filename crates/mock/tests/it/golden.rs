//! The `golden` profile, as AIPerf's reference runs saw it.

use serde_json::json;

use crate::raw::{Client, End, Response, chat, completion, start};

fn ask(model: &str, requests: usize) -> Vec<Response> {
    let mock = start("golden");
    let fields = r#","stream":true,"max_tokens":6,"stream_options":{"include_usage":true}"#;
    (0..requests)
        .map(|_| Client::connect(mock.addr()).post("/v1/chat/completions", &chat(model, fields)))
        .collect()
}

#[test]
fn a_plain_model_streams_its_words() {
    let response = &ask("mock-model", 1)[0];
    assert_eq!(response.contents().concat(), " the quick brown fox jumps over");
    let usage = response.events().iter().rev().find_map(|event| event.get("usage").cloned()).unwrap();
    assert_eq!(usage, json!({"prompt_tokens": 3, "completion_tokens": 6, "total_tokens": 9}));
    assert_eq!(response.events()[7]["choices"][0]["finish_reason"], "stop");
}

#[test]
fn failures_strike_where_they_should() {
    assert!(ask("allfail", 2).iter().all(|response| response.status() == 500));
    for (model, status, text) in [
        ("somefail", 500, "mock internal failure"),
        ("fail429", 429, "slow down"),
        ("badjson", 200, "<html>not json</html>"),
        ("ctxover", 400, "maximum context length"),
    ] {
        let responses = ask(model, 3);
        assert_eq!(responses[1].status(), status, "{model}");
        assert!(responses[1].text().contains(text), "{model}");
        assert!([0, 2].iter().all(|index| responses[*index].contents().len() == 6), "{model}");
    }
    let cut = &ask("cut", 2)[1];
    assert_eq!((cut.contents().len(), cut.end), (3, End::Closed));
    assert!(ask("miderr", 2)[1].text().contains("event: error\n"));
    let data = &ask("midjson", 2)[1];
    assert_eq!(data.contents().len(), 3);
    assert!(data.text().ends_with("[DONE]\n\n"));
}

#[test]
fn names_shape_the_stream() {
    assert!(!ask("norole", 1)[0].text().contains(r#""role""#));
    assert!(!ask("nodone", 1)[0].text().contains("[DONE]"));
    assert!(!ask("nousage", 1)[0].text().contains(r#""usage""#));
    assert_eq!(ask("one", 1)[0].contents().len(), 1);
    let hole = &ask("hole", 1)[0];
    assert_eq!((hole.contents().len(), hole.chunks), (6, 9));
    let empty = &ask("emptystream", 1)[0];
    assert!(empty.contents().is_empty());
    assert!(empty.text().contains(r#""completion_tokens":6"#));
    let reason = &ask("reason", 1)[0];
    assert_eq!(reason.text().matches("reasoning_content").count(), 3);
    assert!(reason.text().contains(r#""reasoning_tokens":3"#));
    assert!(ask("cache", 1)[0].text().contains(r#""cached_tokens":1"#));
}

#[test]
fn completions_have_text_and_there_are_no_metrics() {
    let mock = start("golden");
    let mut client = Client::connect(mock.addr());
    let response = client.post("/v1/completions", &completion("mock-model", r#","stream":true"#));
    assert_eq!(response.contents().len(), 8);
    assert_eq!(client.get("/metrics").status(), 404);
}
