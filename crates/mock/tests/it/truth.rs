//! The truth log against what a client saw.

use std::net::Shutdown;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use sha2::Digest;

use crate::raw::{Client, chat, start_with};

fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Runs `talk` against a mock with a truth log, and gives the log.
fn logged(profile: &str, talk: impl FnOnce(std::net::SocketAddr)) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("truth.jsonl");
    let mock = start_with(profile, |config| config.truth_log = Some(path.clone()));
    talk(mock.addr());
    mock.stop().unwrap();
    lines(&path)
}

fn instants(value: &Value) -> Vec<i64> {
    value.as_array().unwrap().iter().map(|instant| instant.as_i64().unwrap()).collect()
}

#[test]
fn every_instant_is_there_and_in_order() {
    let lines = logged("fixed?ttft=3ms&itl=2ms", |addr| {
        let mut client = Client::connect(addr);
        client.post("/v1/chat/completions", &chat("m", r#","stream":true,"max_tokens":5"#));
        client.post("/v1/chat/completions", &chat("m", r#","max_tokens":5"#));
    });
    assert_eq!(
        (&lines[0]["kind"], &lines[0]["profile"]),
        (&"server".into(), &"fixed?ttft=3ms&itl=2ms".into())
    );
    let entry = &lines[1];
    assert_eq!((&entry["kind"], &entry["finished"]), (&"request".into(), &"complete".into()));
    assert_eq!((&entry["model"], &entry["path"]), (&"m".into(), &"/v1/chat/completions".into()));
    assert!(entry["request_id"].as_str().unwrap().starts_with("id-"));
    assert_eq!((&entry["prompt_tokens"], &entry["status"]), (&3.into(), &200.into()));
    let body = chat("m", r#","stream":true,"max_tokens":5"#);
    assert_eq!(entry["body_sha256"], format!("{:x}", sha2::Sha256::digest(&body)));
    let (begin, end) = (instants(&entry["write_begin_ns"]), instants(&entry["write_end_ns"]));
    assert_eq!((begin.len(), end.len()), (5, 5));
    let mut timeline: Vec<i64> = ["accepted_ns", "head_read_ns", "body_read_ns"]
        .iter()
        .map(|key| entry[key].as_i64().unwrap())
        .collect();
    timeline.extend(begin.iter().zip(&end).flat_map(|(begin, end)| [*begin, *end]));
    timeline.push(entry["end_ns"].as_i64().unwrap());
    assert!(timeline.is_sorted(), "{timeline:?}");
    // Never early: tokens are due 3 ms after the body was read, and then every 2 ms.
    let read = entry["body_read_ns"].as_i64().unwrap();
    for (token, begin) in begin.iter().enumerate() {
        assert!(begin - read >= 3_000_000 + 2_000_000 * token as i64);
    }
    assert_eq!((&lines[2]["connection_request"], &lines[2]["stream"]), (&1.into(), &false.into()));
    assert!(lines[2]["end_ns"].is_i64());
    assert_eq!((lines.len(), &lines[3]["kind"], &lines[3]["complete"]), (4, &"summary".into(), &2.into()));
}

#[test]
fn faults_are_named_with_how_they_ended() {
    let profile = "fixed?ttft=1ms&itl=1ms&fault=500&every=5&offset=0&fault=cut&every=5&offset=1&after=2\
        &fault=close&every=5&offset=2&fault=stall&every=5&offset=3&after=1";
    let lines = logged(profile, |addr| {
        for _ in 0..5 {
            Client::patient(addr, Duration::from_secs(1))
                .post("/v1/chat/completions", &chat("m", r#","stream":true,"max_tokens":4"#));
        }
    });
    let mut requests: Vec<&Value> = lines.iter().filter(|line| line["kind"] == "request").collect();
    requests.sort_by_key(|entry| entry["request"].as_u64());
    let seen: Vec<(&Value, &Value, usize)> = requests
        .iter()
        .map(|entry| (&entry["fault"], &entry["finished"], instants(&entry["write_begin_ns"]).len()))
        .collect();
    assert_eq!(
        seen,
        [
            (&"500".into(), &"complete".into(), 0),
            (&"cut".into(), &"cut".into(), 2),
            (&"close".into(), &"cut".into(), 0),
            (&"stall".into(), &"client_closed".into(), 1),
            (&Value::Null, &"complete".into(), 4),
        ]
    );
    let summary = lines.last().unwrap();
    assert_eq!(summary["faults"], serde_json::json!({"500": 1, "cut": 1, "close": 1, "stall": 1}));
}

#[test]
fn cache_hits_are_logged_for_streams_and_pieces() {
    let lines = logged("default?step=1ms", |addr| {
        let prompt = "word ".repeat(1000);
        for fields in ["", "", r#","stream":true"#] {
            let body = format!(r#"{{"model":"m","prompt":"{prompt}","max_tokens":2{fields}}}"#);
            Client::connect(addr).post("/v1/completions", &body);
        }
    });
    let cached: Vec<&Value> = lines[1..4].iter().map(|entry| &entry["cached_tokens"]).collect();
    assert_eq!(cached, [0, 969, 969]);
}

#[test]
fn refused_connections_have_a_line_of_their_own() {
    let lines = logged("fixed?fault=refuse", |addr| {
        Client::connect(addr).post("/v1/chat/completions", &chat("m", ""));
    });
    assert_eq!(lines[1]["kind"], "refused");
    assert_eq!(lines.last().unwrap()["requests"], 0);
}

/// A piece too large for the buffers of the kernel, and a client that leaves without reading it.
#[test]
fn an_answer_that_was_never_written_out_is_not_complete() {
    let lines = logged("fixed?ttft=1ms&itl=0ms", |addr| {
        let mut client = Client::connect(addr);
        client.send_post("/v1/chat/completions", &chat("leaves", r#","max_tokens":2000000"#));
        client.wait_for(b"\r\n\r\n");
        client.shutdown(Shutdown::Both);
        drop(client);
        // Answered after the other's end has been noticed, or at the server's.
        Client::connect(addr).post("/v1/chat/completions", &chat("stays", ""));
    });
    let entry = lines.iter().find(|line| line["model"] == "leaves").unwrap();
    assert_ne!(entry["finished"], "complete", "{entry}");
    assert_eq!(lines.last().unwrap()["complete"], 1);
}

#[test]
fn whoever_goes_first_is_said() {
    let lines = logged("fixed?ttft=1ms&itl=1s", |addr| {
        let mut leaves = Client::connect(addr);
        leaves.send_post("/v1/chat/completions", &chat("leaves", r#","stream":true"#));
        leaves.wait_for(b" the");
        leaves.shutdown(Shutdown::Both);
        drop(leaves);
        let mut stays = Client::connect(addr);
        stays.send_post("/v1/chat/completions", &chat("stays", r#","stream":true"#));
        // Its answer's first word, by which time the other's end has been noticed.
        stays.wait_for(b" quick");
        std::mem::forget(stays);
    });
    let finished = |model: &str| {
        let entry = lines.iter().find(|line| line["model"] == model).unwrap();
        entry["finished"].as_str().unwrap().to_owned()
    };
    assert_eq!(
        (finished("leaves").as_str(), finished("stays").as_str()),
        ("client_closed", "server_stopped")
    );
}
