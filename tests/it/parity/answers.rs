//! Odd answers: what counts as content and when, which counts of the server are believed, and what has no length.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::scripted::{Answer, Asked, Scripted, chat, chunk};
use crate::support::{Results, Workspace, words};

/// One pixel.
const PNG: &str = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
/// Between two pieces of an answer: far more than the order of two stamps takes, however slow the host is.
const PAUSE: Duration = Duration::from_millis(40);

/// Runs requests against a server of chats, quiet, one at a time; the streams are those of the script.
fn results(server: &Scripted, workspace: &Workspace, arguments: &str) -> Results {
    let common = "--streaming --concurrency 1 --isl 20 --osl 6 --no-server-metrics --no-gpu-telemetry";
    let arguments: Vec<&str> = [words(common), words(arguments)].concat();
    workspace.profile_at(&server.url(), &arguments).expect_code(0);
    workspace.results("out")
}

/// The value of a metric in a line.
fn value<'a>(record: &'a Value, tag: &str) -> &'a Value {
    &record["metrics"][tag]["value"]
}

fn figure(record: &Value, tag: &str) -> f64 {
    value(record, tag).as_f64().unwrap_or_else(|| panic!("{tag} of {record}"))
}

fn event(data: &Value) -> String {
    format!("data: {data}\n\n")
}

fn usage(counts: &Value) -> Value {
    json!({ "object": "chat.completion.chunk", "choices": [], "usage": counts })
}

#[test]
fn the_prose_of_a_delta_that_calls_a_tool_is_no_output() {
    let server = Scripted::chats(|_| {
        let call = json!({ "index": 0, "id": "c", "function": { "name": "get", "arguments": "{}" } });
        Answer::deltas([json!({ "content": " one two three four five six seven", "tool_calls": [call] })])
    });
    let workspace = Workspace::new();
    let results = results(&server, &workspace, "--request-count 2");
    for record in results.records() {
        assert_eq!(
            value(&record, "output_sequence_length"),
            2,
            "name and arguments, and no word of the prose"
        );
        assert!(figure(&record, "time_to_first_token") > 0.0, "it is content for every time");
    }
}

#[test]
fn only_the_last_usage_counts_and_what_it_leaves_out_is_absent() {
    let server = Scripted::chats(|_| {
        let first = json!({
            "object": "chat.completion.chunk",
            "choices": [{ "index": 0, "delta": { "content": " a" } }],
            "usage": { "prompt_tokens": 30 },
        });
        Answer::events([first, chunk(&json!({ "content": " b" })), usage(&json!({ "completion_tokens": 9 }))])
    });
    let workspace = Workspace::new();
    let results = results(&server, &workspace, "--request-count 2 --use-server-token-count");
    for record in results.records() {
        assert_eq!(value(&record, "output_sequence_length"), 9);
        assert_eq!(value(&record, "usage_completion_tokens"), 9);
        for absent in ["input_sequence_length", "usage_prompt_tokens", "usage_total_tokens"] {
            assert_eq!(record["metrics"].get(absent), None, "{absent}");
        }
    }
    let summary = results.summary();
    assert_eq!(summary["request_count"]["avg"], 2.0);
    for absent in ["input_sequence_length", "total_isl", "usage_total_tokens", "error_request_count"] {
        assert_eq!(summary.get(absent), None, "{absent}");
    }
}

#[test]
fn a_chunk_over_two_data_lines_is_content_when_it_came() {
    let server = Scripted::chats(|_| {
        let whole = chunk(&json!({ "content": " a" })).to_string();
        let (head, tail) = whole.split_once(',').unwrap();
        Answer::new(200, "text/event-stream", event(&chunk(&json!({ "role": "assistant" }))))
            .then(PAUSE, &format!("data: {head},\ndata: {tail}\n\n"))
            .then(PAUSE, &event(&chunk(&json!({ "content": " b" }))))
            .then(Duration::ZERO, "data: [DONE]\n\n")
    });
    let workspace = Workspace::new();
    let results = results(&server, &workspace, "--request-count 2");
    for record in results.records() {
        assert_eq!(value(&record, "output_sequence_length"), 2);
        let gaps = value(&record, "inter_chunk_latency").as_array().unwrap();
        assert_eq!(gaps.len(), 1, "two chunks, the first of them over two lines");
    }
}

#[test]
fn a_chunk_without_its_object_moves_the_first_token_to_the_next() {
    let server = Scripted::chats(|_| {
        let bare = json!({ "choices": [{ "index": 0, "delta": { "content": " lost" } }] });
        Answer::new(200, "text/event-stream", event(&bare))
            .then(PAUSE, &event(&chunk(&json!({ "content": " kept" }))))
            .then(Duration::ZERO, "data: [DONE]\n\n")
    });
    let workspace = Workspace::new();
    let results = results(&server, &workspace, "--request-count 2");
    for record in results.records() {
        assert_eq!(value(&record, "output_sequence_length"), 1);
        let first = figure(&record, "time_to_first_token");
        assert!(first >= PAUSE.as_secs_f64() * 1e3, "{first} ms: what came at once is no content");
    }
    assert_eq!(results.summary()["request_count"]["avg"], 2.0);
}

/// An empty first name of reasoning beside the second, then both kinds in one delta, then text alone.
fn reasoning_and_text() -> Answer {
    let delta = |delta: Value| event(&chunk(&delta));
    Answer::new(200, "text/event-stream", delta(json!({ "role": "assistant", "content": "" })))
        .then(Duration::ZERO, &delta(json!({ "reasoning_content": "", "reasoning": " one" })))
        .then(PAUSE, &delta(json!({ "reasoning_content": " two three", "content": " a" })))
        .then(PAUSE, &delta(json!({ "content": " b" })))
        .then(Duration::ZERO, "data: [DONE]\n\n")
}

#[test]
fn reasoning_under_either_name_has_its_own_count_and_the_first_output_may_come_beside_it() {
    let server = Scripted::chats(|_| reasoning_and_text());
    let workspace = Workspace::new();
    let results = results(&server, &workspace, "--request-count 2");
    for record in results.records() {
        assert_eq!(value(&record, "reasoning_token_count"), 3);
        assert_eq!(value(&record, "output_token_count"), 2);
        assert_eq!(value(&record, "output_sequence_length"), 5);
        let (first, output) =
            (figure(&record, "time_to_first_token"), figure(&record, "time_to_first_output_token"));
        let end = figure(&record, "request_latency");
        assert!(
            first < output && output < end,
            "{first} {output} {end}: the mixed delta is the first output"
        );
        let gaps = value(&record, "inter_chunk_latency").as_array().unwrap();
        let gap = gaps[0].as_f64().unwrap();
        assert!((output - first - gap).abs() < 1e-6, "it is the second chunk, to the nanosecond");
    }
}

#[test]
fn a_conversation_goes_on_with_what_each_chunk_said() {
    let server = Scripted::chats(|_| reasoning_and_text());
    let workspace = Workspace::new();
    results(&server, &workspace, "--conversation-num 1 --conversation-turn-mean 2");
    let asked = server.asked();
    let second = asked.last().unwrap().json();
    assert_eq!(second["messages"][1], json!({ "role": "assistant", "content": " one a b" }));
}

#[test]
fn a_body_without_text_has_no_input_length() {
    let picture = json!({ "type": "image_url", "image_url": { "url": PNG } });
    let body =
        json!({ "model": "m", "stream": true, "messages": [{ "role": "user", "content": [picture] }] });
    for (kind, row) in [
        ("raw_payload", body.to_string()),
        ("single_turn", json!({ "image": PNG }).to_string()),
        ("mooncake_trace", json!({ "timestamp": 0, "payload": body }).to_string()),
    ] {
        let server = Scripted::chats(|asked| chat(asked, &[" a", " b"]));
        let workspace = Workspace::new();
        workspace.file("rows.jsonl", &(row + "\n"));
        let arguments = "--streaming --concurrency 1 --no-server-metrics --no-gpu-telemetry";
        let mut arguments = words(arguments);
        arguments.extend(["--input-file", "rows.jsonl", "--custom-dataset-type", kind]);
        workspace.profile_at(&server.url(), &arguments).expect_code(0);
        let sent = server.asked().into_iter().find(Asked::is_load).unwrap().json();
        assert!(sent["messages"][0]["content"].to_string().contains("image_url"), "{kind}");
        let results = workspace.results("out");
        for record in results.records() {
            assert_eq!(record["metrics"].get("input_sequence_length"), None, "{kind}");
            assert_eq!(value(&record, "output_sequence_length"), 2, "{kind}");
        }
        let summary = results.summary();
        for absent in [
            "input_sequence_length",
            "total_isl",
            "input_token_throughput",
            "total_token_throughput",
            "prefill_throughput_per_user",
        ] {
            assert_eq!(summary.get(absent), None, "{kind} has {absent}");
        }
    }
}

#[test]
fn tokens_given_as_numbers_are_counted_as_such() {
    let server = Scripted::start(|_| {
        Answer::events([json!({ "object": "text_completion", "choices": [{ "index": 0, "text": " a" }] })])
    });
    let workspace = Workspace::new();
    let body = json!({ "model": "m", "prompt": [1, 2, 3, 4, 5, 6, 7], "max_tokens": 1, "stream": true });
    workspace.file("rows.jsonl", &json!({ "timestamp": 0, "payload": body }).to_string());
    let arguments = "--endpoint-type completions --streaming --input-file rows.jsonl \
                     --custom-dataset-type mooncake_trace --no-server-metrics --no-gpu-telemetry";
    workspace.profile_at(&server.url(), &words(arguments)).expect_code(0);
    let records = workspace.results("out").records();
    assert!(!records.is_empty() && records.iter().all(|record| *value(record, "input_sequence_length") == 7));
}

#[test]
fn an_endpoint_without_tokens_has_zeros_for_output_and_for_decoding_in_every_file() {
    let server = Scripted::start(|asked| {
        if !asked.is_load() {
            return Answer::json(404, &json!({}));
        }
        let vectors = json!([{ "object": "embedding", "index": 0, "embedding": [0.1, 0.2] }]);
        let usage = json!({ "prompt_tokens": 20, "total_tokens": 20 });
        Answer::json(200, &json!({ "object": "list", "data": vectors, "usage": usage }))
    });
    let workspace = Workspace::new();
    let arguments = "--endpoint-type embeddings --streaming --isl 20 --request-count 3 --no-gpu-telemetry";
    let finished = workspace.profile_at(&server.url(), &words(arguments)).expect_code(0);
    // AIPerf says nothing; here it is told, beside the load.
    assert!(finished.stderr().contains("--streaming has no effect here"), "{}", finished.stderr());
    let results = workspace.results("out");
    let summary = results.summary();
    let output = &summary["output_sequence_length"];
    assert_eq!((&output["avg"], &output["max"], &output["count"]), (&json!(0.0), &json!(0.0), &json!(3)));
    assert!(results.records().iter().all(|record| *value(record, "output_sequence_length") == 0));
    let csv = results.text("profile_export_aiperf.csv");
    assert!(csv.contains("\nOutput Sequence Length (tokens),0.00,"), "{csv}");
    for tag in ["effective_decode_concurrency", "effective_decode_throughput", "effective_prefill_throughput"]
    {
        assert_eq!(summary[tag]["avg"], 0.0, "{tag}");
    }
    // A stream that such an endpoint does not have is not asked for.
    let asked: Vec<_> = server.asked().into_iter().filter(Asked::is_load).collect();
    assert_eq!(asked.len(), 3);
    for asked in asked {
        assert_eq!(asked.header("accept"), Some("application/json"));
        assert_eq!(asked.json().get("stream"), None);
    }
    assert_eq!(summary["input_config"]["endpoint"]["streaming"], false);
    assert_eq!(summary.get("time_to_first_token"), None);
}
