//! Streams as they leave: one write a token, or several tokens a write, also where the client is slow.

use std::time::Duration;

use serde_json::Value;

use crate::raw::{Client, End, QUICK, chat, completion, start, start_with};

/// The words of `tokens` tokens, in their order, whichever way they were sent.
fn assert_whole(response: &crate::raw::Response, tokens: usize) {
    assert_eq!(response.end, End::Whole);
    let contents: Vec<String> =
        response.contents().into_iter().filter(|content| !content.is_empty()).collect();
    assert_eq!(contents.len(), tokens);
    for pair in contents.windows(2) {
        assert_ne!(pair[0], pair[1], "each word differs from its neighbour");
    }
}

#[test]
fn each_token_is_a_chunk_of_its_own() {
    let mock = start(QUICK);
    let mut client = Client::connect(mock.addr());
    for _ in 0..3 {
        let response = client.post("/v1/chat/completions", &chat("m", r#","stream":true,"max_tokens":20"#));
        assert_whole(&response, 20);
        assert_eq!(response.chunks, 1 + 20 + 1, "the role, the tokens, the end");
    }
}

#[test]
fn a_burst_brings_its_tokens_together_and_the_last_one_what_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("truth.jsonl");
    let mock = start_with("fixed?ttft=2ms&itl=1ms&burst=4", |config| config.truth_log = Some(path.clone()));
    let response = Client::connect(mock.addr())
        .post("/v1/chat/completions", &chat("m", r#","stream":true,"max_tokens":10"#));
    assert_whole(&response, 10);
    assert_eq!(response.chunks, 1 + 3 + 1);
    mock.stop().unwrap();
    let log = std::fs::read_to_string(path).unwrap();
    let entry: Value = log
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .find(|line| line["kind"] == "request")
        .unwrap();
    for key in ["write_begin_ns", "write_end_ns"] {
        let instants: Vec<i64> =
            entry[key].as_array().unwrap().iter().map(|at| at.as_i64().unwrap()).collect();
        assert_eq!(instants.len(), 10);
        assert!(instants.is_sorted());
        for burst in instants.chunks(4) {
            assert!(burst.iter().all(|at| *at == burst[0]), "{key}: {instants:?}");
        }
    }
}

#[test]
fn a_fault_inside_a_burst_strikes_after_its_token() {
    let mock = start("fixed?ttft=1ms&itl=1ms&burst=4&fault=cut&after=6");
    let response = Client::connect(mock.addr())
        .post("/v1/completions", &completion("m", r#","stream":true,"max_tokens":10"#));
    assert_eq!(response.end, End::Closed);
    assert_eq!(response.events().len(), 6);
}

#[test]
fn a_client_that_does_not_read_gets_everything_once_it_does() {
    // Far more than the kernel's buffers hold, made all at once.
    let mock = start("fixed?ttft=0ms&itl=0ms");
    let mut client = Client::connect(mock.addr());
    let body = completion("m", r#","stream":true,"max_tokens":60000"#);
    client.send_post("/v1/completions", &body);
    std::thread::sleep(Duration::from_millis(300));
    // Meanwhile others are served.
    let other = Client::connect(mock.addr())
        .post("/v1/completions", &completion("m", r#","stream":true,"max_tokens":3"#));
    assert_eq!(other.events().len(), 3 + 1 + 1);
    let response = client.receive();
    assert_eq!(response.end, End::Whole);
    assert_eq!(response.events().len(), 60_000 + 1 + 1, "the tokens, the reason, the mark of the end");
    // The connection is as good as new.
    let response = client.post("/v1/completions", &completion("m", r#","stream":true,"max_tokens":3"#));
    assert_eq!(response.events().len(), 3 + 1 + 1);
}

#[test]
fn a_client_of_http_1_0_gets_no_chunks() {
    let mock = start(QUICK);
    let mut client = Client::connect(mock.addr());
    let body = completion("m", r#","stream":true,"max_tokens":8"#);
    let head = format!("POST /v1/completions HTTP/1.0\r\nContent-Length: {}\r\n\r\n", body.len());
    client.send(head.as_bytes());
    client.send(body.as_bytes());
    let (head, rest) = client.read_to_end();
    assert!(head.starts_with("HTTP/1.0 200") && !head.to_ascii_lowercase().contains("chunked"), "{head}");
    assert!(rest.starts_with("data: ") && rest.ends_with("data: [DONE]\n\n"), "{rest}");
    assert_eq!(rest.matches("data: ").count(), 8 + 1 + 1);
}
