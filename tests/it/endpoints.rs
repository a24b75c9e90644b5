//! Every endpoint that is spoken, against the mock server that speaks it too: what it counts, and which
//! metrics it has.

use serde_json::Value;

use crate::support::{Finished, Mock, Workspace, words};

/// Metrics of endpoints that produce tokens, and of streams.
const TOKENS: [&str; 5] = [
    "output_token_count",
    "total_osl",
    "output_token_throughput",
    "e2e_output_token_throughput",
    "decode_duration",
];
const STREAMS: [&str; 4] =
    ["time_to_first_token", "inter_token_latency", "inter_chunk_latency", "time_to_second_token"];

/// Runs four requests and gives the summary, which must hold no failure.
fn summary(workspace: &Workspace, mock: &Mock, arguments: &str) -> Value {
    let arguments: Vec<&str> = [words("--request-count 4 --concurrency 2"), words(arguments)].concat();
    workspace.profile(mock, &arguments).expect_code(0);
    let summary = workspace.results("out").summary();
    assert_eq!(
        (&summary["request_count"]["avg"], &summary["error_request_count"]),
        (&4.0.into(), &Value::Null)
    );
    summary
}

#[test]
fn endpoints_that_produce_tokens_count_them() {
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, "fixed?ttft=2ms&itl=1ms");
    for (kind, has_usage) in [
        ("chat", true),
        ("completions", true),
        ("responses", true),
        ("messages", true),
        ("huggingface-generate", false),
    ] {
        let arguments = format!("--endpoint-type {kind} --streaming --isl 20 --osl 6");
        let summary = summary(&workspace, &mock, &arguments);
        for metric in TOKENS.iter().chain(&STREAMS) {
            assert!(summary.get(*metric).is_some(), "{kind} has no {metric}");
        }
        let average = |metric: &str| summary[metric]["avg"].clone();
        assert_eq!(average("output_sequence_length"), 6.0, "{kind}");
        assert_eq!(average("input_sequence_length"), 20.0, "{kind}");
        assert_eq!(
            average("usage_completion_tokens"),
            if has_usage { 6.0.into() } else { Value::Null },
            "{kind}"
        );
        assert_eq!(summary["input_config"]["endpoint"]["type"], kind.replace('-', "_"));
        let whole = summary_without_stream(&workspace, &mock, kind);
        assert_eq!(whole["output_sequence_length"]["avg"], 6.0, "{kind} in one piece");
        assert!(STREAMS.iter().all(|metric| whole.get(*metric).is_none()), "{kind} in one piece");
    }
    let paths: Vec<String> =
        mock.truth().iter().map(|request| request["path"].as_str().unwrap().to_owned()).collect();
    for path in ["/v1/responses", "/v1/messages", "/generate_stream", "/generate"] {
        assert_eq!(
            paths.iter().filter(|seen| *seen == path).count(),
            if path.starts_with("/g") { 4 } else { 8 }
        );
    }
}

fn summary_without_stream(workspace: &Workspace, mock: &Mock, kind: &str) -> Value {
    summary(workspace, mock, &format!("--endpoint-type {kind} --isl 20 --osl 6"))
}

#[test]
fn endpoints_without_tokens_have_an_output_of_none_and_no_stream() {
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, "fixed?ttft=2ms");
    for kind in [
        "embeddings",
        "chat-embeddings",
        "nim-embeddings",
        "nim-rankings",
        "cohere-rankings",
        "hf-tei-rankings",
    ] {
        // Such an endpoint has no streams: AIPerf takes the flag back without a word.
        let summary = summary(&workspace, &mock, &format!("--endpoint-type {kind} --streaming"));
        assert_eq!(summary["output_sequence_length"]["avg"], 0.0, "{kind}");
        for metric in TOKENS.iter().chain(&STREAMS).chain(&["usage_prompt_tokens", "total_output_tokens"]) {
            assert!(summary.get(*metric).is_none(), "{kind} has {metric}");
        }
        for metric in ["input_sequence_length", "total_isl", "input_token_throughput", "request_latency"] {
            assert!(summary[metric]["avg"].as_f64() > Some(0.0), "{kind} has no {metric}");
        }
        assert_eq!(summary["input_config"]["endpoint"]["streaming"], false, "{kind}");
    }
    assert!(mock.truth().iter().all(|request| request["stream"] == false));
}

#[test]
fn a_template_makes_the_body_and_finds_the_answer() {
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, "fixed?ttft=2ms&itl=1ms");
    workspace
        .file("body.json", r#"{"prompt": {{ text|tojson }}, "max_tokens": {{ max_tokens }}, "model": "t"}"#);
    let arguments = "--endpoint-type template --endpoint /v1/completions --isl 20 --osl 5 --extra-inputs \
                     payload_template:body.json --extra-inputs response_field:choices[0].text";
    let summary = summary(&workspace, &mock, arguments);
    assert_eq!(summary["output_sequence_length"]["avg"], 5.0);
    assert!(mock.truth().iter().all(|request| request["model"] == "t"));
}

#[test]
fn a_conversation_that_the_server_keeps_is_not_sent_again() {
    let workspace = Workspace::new();
    // Answers end by themselves: one that reached its limit is not kept.
    let mock = Mock::start(&workspace, "fixed?ttft=2ms&itl=1ms&natural=3");
    let bytes = |arguments: &str| {
        let common =
            "--endpoint-type responses --isl 40 --conversation-num 2 --conversation-turn-mean 3 --streaming";
        let arguments: Vec<&str> = [words(common), words(arguments)].concat();
        workspace.profile(&mock, &arguments).expect_code(0);
        let rows = workspace.results("out").rows();
        let of = |turn: i32| {
            rows.iter()
                .filter(|row| row.identity.turn_index == turn)
                .map(|row| row.connection.request_bytes)
                .max()
        };
        (of(0).unwrap(), of(2).unwrap())
    };
    let (first, third) = bytes("");
    assert!(third > 2 * first, "{first} {third}: the history goes along");
    let (first, third) = bytes("--extra-inputs store:true");
    assert!(third < 2 * first, "{first} {third}: only the newest message goes");
}

#[test]
fn an_endpoint_that_is_not_spoken_is_refused_by_name() {
    let workspace = Workspace::new();
    let refused = |kind: &str| {
        let finished: Finished =
            workspace.run(&["profile", "-m", "demo", "--endpoint-type", kind]).expect_code(1);
        finished.stderr()
    };
    for kind in
        ["image-generation", "image_edit", "video-generation", "image-retrieval", "audio_transcription"]
    {
        let said = refused(kind);
        assert!(said.contains("--endpoint-type") && said.contains(&kind.replace('-', "_")), "{said}");
    }
    assert!(refused("chatt").contains("expected"), "a word that nobody knows");
}

#[test]
fn proxies_of_the_environment_are_used_only_where_they_are_asked_for() {
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, "fixed?ttft=2ms&itl=1ms");
    let run = |trust: Option<&str>| {
        let mut command = workspace.profiling(&mock.url);
        command.args(["--ui", "none", "--request-count", "2"]);
        // Nobody listens there.
        for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY"] {
            command.env(name, "http://127.0.0.1:9");
        }
        if let Some(trust) = trust {
            command.env("AIPERF_HTTP_TRUST_ENV", trust);
        }
        Finished(command.output().unwrap())
    };
    run(None).expect_code(0);
    run(Some("off")).expect_code(0);
    run(Some("yes")).expect_code(1);
}
