//! What options make of a request: its body, its headers, and how its answer is read.

use std::io::Write;
use std::process::Stdio;
use std::time::Duration;

use loadgen_core::CountTokens;
use loadgen_tokens::Tokenizer;
use serde_json::{Value, json};

use crate::support::scripted::{Answer, Asked, Scripted, chat};
use crate::support::{Finished, Held, Mock, Workspace, words};

/// Runs one request, and gives it and its results.
fn one(arguments: &[&str]) -> (Asked, Value) {
    let server = Scripted::start(|asked| match asked.path.as_str() {
        "/v1/messages" => {
            let content = json!([{ "type": "text", "text": "a" }]);
            Answer::json(200, &json!({ "type": "message", "role": "assistant", "content": content }))
        }
        "/v1/completions" => {
            Answer::json(200, &json!({ "object": "text_completion", "choices": [{ "text": "a" }] }))
        }
        "/v1/chat/completions" => chat(asked, &[" one", " two"]),
        _ => Answer::json(404, &json!({ "error": "not found" })),
    });
    let workspace = Workspace::new();
    let mut command = workspace.profiling(&server.url());
    command.args(words("--ui none --request-count 1 --isl 10 --no-server-metrics --no-gpu-telemetry"));
    Finished(command.args(arguments).output().unwrap()).expect_code(0);
    let asked = server.asked().into_iter().find(Asked::is_load).unwrap();
    (asked, workspace.results("out").summary())
}

fn keys(asked: &Asked) -> Vec<String> {
    asked.json().as_object().unwrap().keys().cloned().collect()
}

#[test]
fn a_stream_among_the_extra_inputs_changes_the_body_alone() {
    let (asked, summary) = one(&words("--extra-inputs stream:true"));
    assert_eq!(keys(&asked), words("messages model stream stream_options"));
    let body = asked.json();
    assert_eq!((&body["stream"], &body["stream_options"]), (&json!(true), &json!({ "include_usage": true })));
    assert_eq!(asked.header("accept"), Some("application/json"));
    // What is told apart is what was asked for by --streaming.
    assert_eq!(summary["output_sequence_length"]["avg"], 2.0, "the stream that came is read");
    for streaming in ["time_to_first_token", "inter_token_latency", "inter_chunk_latency"] {
        assert_eq!(summary.get(streaming), None);
    }

    let (asked, summary) = one(&words("--streaming --extra-inputs stream:false"));
    assert_eq!(keys(&asked), words("messages model stream"), "no usage is asked for without a stream");
    assert_eq!(asked.header("accept"), Some("text/event-stream"));
    assert!(summary.get("time_to_first_token").is_some(), "as AIPerf has it for an answer in one piece");
}

#[test]
fn headers_say_what_aiperfs_say_whatever_the_user_says_of_the_transports() {
    let headers = ["-H", "Accept: */*", "-H", "content-type: text/plain", "-H", "X-Mine: 1,2"];
    let (asked, _) = one(&headers);
    let of = |name: &str| asked.header(name).unwrap_or_default().to_owned();
    assert_eq!((of("accept"), of("content-type")), ("application/json".into(), "application/json".into()));
    assert_eq!((of("user-agent"), of("x-mine")), ("aiperf/0.13.0".into(), "1,2".into()));
    assert_eq!(of("x-session-affinity"), of("x-correlation-id"), "sent unless it is turned off");
    assert_eq!((of("x-correlation-id").len(), of("x-request-id").len()), (36, 36), "two ids of their own");
    assert_ne!(of("x-correlation-id"), of("x-request-id"));
    assert_eq!(asked.header("accept-encoding"), None);
    let (asked, _) = one(&words("--streaming"));
    assert_eq!(asked.header("accept"), Some("text/event-stream"));
}

#[test]
fn a_prompt_alone_is_text_and_a_message_has_its_own_limit() {
    let (asked, _) = one(&words("--endpoint-type completions --osl 3"));
    assert_eq!(keys(&asked), words("prompt model stream max_tokens"));
    assert!(asked.json()["prompt"].is_string(), "no list of one: {}", asked.body);
    let (asked, _) = one(&words("--endpoint-type completions --prompt-batch-size 2"));
    let texts = &asked.json()["prompt"];
    assert_eq!(texts.as_array().map(Vec::len), Some(2), "two texts are a list: {texts}");

    let (asked, _) = one(&words("--endpoint-type messages"));
    assert_eq!(keys(&asked), words("model messages max_tokens"), "no word of streams where there is none");
    assert_eq!(asked.json()["max_tokens"], 1024);

    let (asked, _) = one(&words("--osl 7 --extra-inputs max_tokens:5 --extra-inputs min_tokens:5"));
    assert_eq!(keys(&asked), words("messages model stream max_completion_tokens max_tokens min_tokens"));
    let (asked, _) = one(&words("--osl 7 --use-legacy-max-tokens"));
    assert_eq!(keys(&asked), words("messages model stream max_tokens"));
}

#[test]
fn a_template_is_counted_by_what_it_renders_where_servers_look_for_text() {
    let tokens = |template: &str| {
        let template = format!("payload_template:{template}");
        let arguments = ["--endpoint-type", "template", "--endpoint", "/v1/completions", "--extra-inputs"];
        let (asked, summary) = one(&[&arguments[..], &[&template]].concat());
        (asked, summary["input_sequence_length"]["avg"].clone())
    };
    let (asked, counted) = tokens(r#"{"prompt": "Answer me this: {{ text }}"}"#);
    let prompt = asked.json()["prompt"].as_str().unwrap().to_owned();
    assert!(prompt.starts_with("Answer me this: "), "{prompt}");
    assert_eq!(counted, Tokenizer::builtin().count(&prompt) as f64);
    let (asked, counted) = tokens(r#"{"question": {{ text|tojson }}}"#);
    assert_eq!(
        (keys(&asked), counted),
        (vec!["question".to_owned()], Value::Null),
        "as AIPerf knows no such field"
    );
}

#[test]
fn tokens_are_counted_and_not_the_events_that_bring_them() {
    let server = Scripted::chats(|asked| chat(asked, &[" one two three four"; 3]));
    let workspace = Workspace::new();
    let mut command = workspace.profiling(&server.url());
    command.args(words("--ui none --streaming --request-count 3 --isl 10"));
    Finished(command.output().unwrap()).expect_code(0);
    for record in workspace.results("out").records() {
        let of = |tag: &str| record["metrics"][tag]["value"].clone();
        assert_eq!(of("output_sequence_length"), 12);
        assert_eq!(
            of("inter_chunk_latency").as_array().map(Vec::len),
            Some(2),
            "three events of four tokens"
        );
        let number = |tag: &str| of(tag).as_f64().unwrap();
        let between = (number("request_latency") - number("time_to_first_token")) / 11.0;
        assert!((number("inter_token_latency") - between).abs() < 1e-9, "shared by all tokens but one");
    }
}

#[test]
fn the_second_interrupt_ends_it_at_once() {
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, "fixed?ttft=60s&itl=1ms");
    let mut command = workspace.profiling(&mock.url);
    command.args(words("--streaming --concurrency 2 --request-count 4 --isl 10"));
    // A pipe that takes no byte more: what the run has to say at its end holds it up.
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(&vec![b'.'; 1 << 16]).unwrap();
    let held = Held::start_into(Stdio::from(writer), command);
    let (is_over, over) = std::sync::mpsc::channel::<()>();
    std::thread::spawn(move || {
        // Were it not to end, it would once nobody reads it.
        let _ = over.recv_timeout(Duration::from_secs(20));
        drop(reader);
    });
    held.interrupt();
    // One that comes at the same moment is the same press, sent to the whole group.
    std::thread::sleep(Duration::from_millis(800));
    held.interrupt();
    let finished = held.finish().expect_code(130);
    drop(is_over);
    assert!(finished.stderr().contains("once more to leave at once"), "{}", finished.stderr());
}

#[test]
fn a_connection_for_one_request_is_said_to_close() {
    let (asked, _) = one(&["--connection-reuse-strategy", "never"]);
    assert_eq!(asked.header("connection"), Some("close"));
    let (asked, _) = one(&[]);
    assert_eq!(asked.header("connection"), None);
}
