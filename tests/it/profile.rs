//! The main job, and what it leaves behind.

use serde_json::Value;

use crate::support::{Mock, Workspace, interrupt, words};

/// The first rows of the Mooncake conversation trace, as they stand.
fn first_rows(count: usize) -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/traces/mooncake_conversation.jsonl");
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().take(count).fold(String::new(), |all, line| all + line + "\n")
}

#[test]
fn a_real_trace_is_replayed_against_the_built_in_mock_server() {
    let workspace = Workspace::new();
    workspace.file("trace.jsonl", &first_rows(12));
    let finished = workspace
        .run(&[
            "profile",
            "--url",
            "mock://fixed?ttft=20ms&itl=1ms",
            "--model",
            "demo",
            "--endpoint-type",
            "chat",
            "--streaming",
            "--input-file",
            "trace.jsonl",
            "--custom-dataset-type",
            "mooncake_trace",
            "--synthesis-speedup-ratio",
            "20",
            "--goodput",
            "time_to_first_token:10000 inter_token_latency:1000",
        ])
        .expect_code(0);
    let stdout = finished.stdout();
    for expected in
        ["Time to First Token (ms)", "Goodput (requests/sec)", "profile_export.parquet", "report.html"]
    {
        assert!(stdout.contains(expected), "{expected} is not in\n{stdout}");
    }
    assert!(finished.stderr().contains("builtin"), "the tokenizer taken is said: {}", finished.stderr());

    let results = workspace.results("artifacts/demo-openai-chat-fixed_schedule");
    let mut rows = results.rows();
    rows.sort_by_key(|row| row.identity.source_row);
    let trace: Vec<Value> = first_rows(12).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), trace.len());
    let start = rows.iter().filter_map(|row| row.instants.scheduled).min().unwrap();
    for (row, line) in rows.iter().zip(&trace) {
        assert_eq!(row.outcome.name(), "ok", "{:?}", row.error);
        assert_eq!(row.tokens.input, line["input_length"].as_i64());
        assert_eq!(row.tokens.requested_output, line["output_length"].as_i64());
        assert_eq!(row.tokens.output, line["output_length"].as_i64());
        let ids: Vec<i64> = line["hash_ids"].as_array().unwrap().iter().filter_map(Value::as_i64).collect();
        assert_eq!(row.identity.hash_ids.as_deref(), Some(&ids[..]));
        let intended_ms = (row.instants.scheduled.unwrap().since(start)) / 1_000_000;
        assert_eq!(intended_ms, line["timestamp"].as_i64().unwrap() / 20);
        assert_eq!(row.good, Some(true));
    }
    let summary = results.summary();
    assert_eq!(summary["good_request_fraction"]["avg"], 1.0);
    assert!(!results.path("inputs.json").exists(), "a trace is its own inputs");
}

#[test]
fn rows_and_lines_agree_and_chunks_hold_their_invariants() {
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, "fixed?ttft=5ms&itl=1ms&fault=cut&every=5&after=3");
    let arguments =
        words("--streaming --concurrency 3 --request-count 20 --isl 30 --osl 8 --warmup-request-count 2");
    workspace.profile(&mock, &arguments).expect_code(0);
    let results = workspace.results("out");
    let rows = results.rows();
    let lines = results.records();
    assert_eq!(rows.len(), 22);
    assert_eq!(lines.len(), 22, "warm-up lines are there too");
    for row in &rows {
        let chunks = &row.chunks;
        let lengths = [
            chunks.uncertainty_ns.len(),
            chunks.read_lag_ns.len(),
            chunks.tokens.len(),
            chunks.bytes.len(),
            chunks.kind.len(),
        ];
        assert!(lengths.iter().all(|length| *length == chunks.len()));
        assert!(chunks.offset_ns.is_sorted(), "arrivals never go back");
        let tokens: i64 = chunks.tokens.iter().map(|tokens| i64::from(*tokens)).sum();
        assert_eq!(tokens, row.tokens.output_sequence().unwrap_or(0));
        let line = lines
            .iter()
            .find(|line| line["metadata"]["x_request_id"] == row.identity.request_id.to_string())
            .unwrap();
        assert_eq!(line["metadata"]["request_start_ns"].as_i64(), row.instants.request_start.map(|at| at.0));
        if row.outcome.name() == "ok" {
            let ttft = chunks.offset_ns[0] as f64 * 1e-6;
            assert_eq!(line["metrics"]["time_to_first_token"]["value"].as_f64(), Some(ttft));
            assert_eq!(line["metrics"]["output_sequence_length"]["value"].as_i64(), Some(8));
            assert_eq!(line["metrics"]["input_sequence_length"]["value"].as_i64(), Some(30));
        } else {
            assert!(line["error"].is_object());
        }
    }
    let summary = results.summary();
    assert_eq!(summary["completed_request_count"]["avg"], 20.0, "the warm-up does not count");
}

#[test]
fn nonstreaming_and_completions_work_too() {
    for (endpoint, streaming) in [("chat", false), ("completions", true), ("completions", false)] {
        let workspace = Workspace::new();
        let mock = Mock::start(&workspace, "fixed?ttft=3ms&itl=1ms");
        let mut arguments = vec![
            "--endpoint-type",
            endpoint,
            "--concurrency",
            "2",
            "--request-count",
            "6",
            "--isl",
            "25",
            "--osl",
            "7",
        ];
        if streaming {
            arguments.push("--streaming");
        }
        workspace.profile(&mock, &arguments).expect_code(0);
        let summary = workspace.results("out").summary();
        assert_eq!(summary["output_sequence_length"]["avg"], 7.0, "{endpoint}");
        assert_eq!(summary["input_sequence_length"]["avg"], 25.0, "{endpoint}");
        assert_eq!(summary.get("time_to_first_token").is_some(), streaming, "{endpoint}");
    }
}

#[test]
fn bodies_in_inputs_json_are_what_the_server_got() {
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, "fixed?ttft=2ms&itl=1ms");
    let arguments = words(
        "--streaming --concurrency 1 --request-count 3 --isl 12 --osl 4 --random-seed 3 \
         --extra-inputs ignore_eos:true --shared-system-prompt-length 9",
    );
    workspace.profile(&mock, &arguments).expect_code(0);
    let inputs = workspace.results("out").json("inputs.json");
    let sessions = inputs["data"].as_array().unwrap();
    assert_eq!(sessions.len(), 3);
    let body = &sessions[0]["payloads"][0];
    assert_eq!(sessions[0]["session_id"], "session_000000");
    let keys: Vec<_> = body.as_object().unwrap().keys().collect();
    assert_eq!(keys, words("messages model stream max_completion_tokens ignore_eos stream_options"));
    assert_eq!(body["messages"][0]["role"], "system");
    let bytes = serde_json::to_vec(body).unwrap();
    let truth = mock.truth();
    assert_eq!(
        truth.iter().map(|request| request["body_bytes"].as_u64()).next(),
        Some(Some(bytes.len() as u64))
    );
}

#[test]
fn an_interrupted_run_keeps_what_it_measured() {
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, "fixed?ttft=10ms&itl=2ms");
    let child = workspace
        .profiling(&mock.url)
        .args(words("--streaming --request-rate 50 --benchmark-duration 60 --isl 20 --osl 10"))
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    while !workspace.path("out/journal").exists() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    std::thread::sleep(std::time::Duration::from_millis(800));
    interrupt(&child);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let results = workspace.results("out");
    let summary = results.summary();
    assert_eq!(summary["was_cancelled"], true);
    assert_eq!(summary["is_complete"], false);
    let console = results.text("profile_export_console.txt");
    assert!(console.contains("Run cancelled before all records were processed."), "{console}");
    let rows = results.rows();
    let ok = rows.iter().filter(|row| row.outcome.name() == "ok").count();
    assert!(ok > 0);
    assert_eq!(summary["request_count"]["avg"], ok as f64);
    let cut_off = rows.iter().filter(|row| !row.outcome.is_reported()).count();
    assert_eq!(results.records().len() + cut_off, rows.len());
    assert!(results.text(".aiperf_results_ready.json").contains("\"was_cancelled\":true"));
}

#[test]
fn an_interrupt_while_a_server_is_asked_for_its_models_says_that_nothing_began() {
    let workspace = Workspace::new();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let child = workspace
        .loadgen()
        .args(["profile", "--url", &url, "--artifact-dir", "out", "--tokenizer", "builtin"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let asking = silent.accept().unwrap();
    interrupt(&child);
    let output = child.wait_with_output().unwrap();
    drop(asking);
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{told}");
    assert!(told.contains("interrupted before the load began"), "{told}");
    assert!(!workspace.path("out").exists());
}

#[test]
fn a_duration_ends_the_sending_and_the_grace_period_the_waiting() {
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, "fixed?ttft=10s&itl=1ms");
    let arguments = words(
        "--streaming --request-rate 20 --arrival-pattern constant --benchmark-duration 1 \
         --benchmark-grace-period 0 --isl 5 --osl 2",
    );
    // Nothing succeeded: everything was still in flight.
    workspace.profile(&mock, &arguments).expect_code(1);
    let rows = workspace.results("out").rows();
    assert_eq!(rows.len(), 20);
    assert!(rows.iter().all(|row| !row.outcome.is_reported()));
    assert!(rows.iter().any(|row| row.outcome.name() == "aborted" && row.instants.send_end.is_some()));
}

#[test]
fn the_demo_of_the_synthesizer_replays_as_it_stands() {
    let workspace = Workspace::new();
    let made = workspace
        .run(&words(
            "synthesize sinusoidal --time-duration 4 --request-rate-min 5 --request-rate-max 45 \
         --request-rate-period 4 --isl1 2048 --osl1 6 --isl2 700 --osl2 4 --output-file \
         sinusoidal.jsonl --seed 1",
        ))
        .expect_code(0);
    assert!(made.stdout().contains("2048"), "the mix is said: {}", made.stdout());
    let rows = std::fs::read_to_string(workspace.path("sinusoidal.jsonl")).unwrap().lines().count();
    let mock = Mock::start(&workspace, "fixed?ttft=2ms&itl=1ms");
    let arguments = [
        "--streaming",
        "--input-file",
        "sinusoidal.jsonl",
        "--custom-dataset-type",
        "mooncake_trace",
        "--goodput",
        "time_to_first_token:500 inter_token_latency:50",
    ];
    workspace.profile(&mock, &arguments).expect_code(0);
    assert_eq!(workspace.results("out").rows().len(), rows);
}

#[test]
fn a_warm_up_takes_no_row_from_a_schedule() {
    let workspace = Workspace::new();
    let rows: Vec<String> = (0..6)
        .map(|row| {
            format!(r#"{{"timestamp": {}, "input_length": 20, "output_length": {}}}"#, row * 20, row + 1)
        })
        .collect();
    workspace.file("trace.jsonl", &rows.join("\n"));
    let mock = Mock::start(&workspace, "fixed?ttft=2ms&itl=1ms");
    let arguments = words(
        "--streaming --input-file trace.jsonl --custom-dataset-type mooncake_trace --warmup-request-count 2",
    );
    workspace.profile(&mock, &arguments).expect_code(0);
    let mut rows = workspace.results("out").rows();
    rows.sort_by_key(|row| row.instants.scheduled);
    let sent: Vec<_> = rows.iter().map(|row| (row.identity.phase.name(), row.identity.source_row)).collect();
    let replayed = (0..6).map(|row| ("profiling", Some(row)));
    let expected: Vec<_> = [("warmup", Some(0)), ("warmup", Some(1))].into_iter().chain(replayed).collect();
    assert_eq!(sent, expected);
}

#[test]
fn schemas_describe_what_is_written() {
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, "fixed?ttft=2ms&itl=1ms&fault=500&every=4");
    workspace
        .profile(
            &mock,
            &words("--streaming --concurrency 2 --request-count 8 --isl 10 --osl 3 --warmup-request-count 1"),
        )
        .expect_code(0);
    let results = workspace.results("out");
    let schema = |name: &str| -> jsonschema::Validator {
        let path = format!("{}/schemas/{name}.json", env!("CARGO_MANIFEST_DIR"));
        jsonschema::validator_for(&serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap())
            .unwrap()
    };
    let holds = |name: &str, value: &Value| {
        if let Err(error) = schema(name).validate(value) {
            panic!("{name}: {error} at {}", error.instance_path());
        }
    };
    holds("measurement_quality", &results.json("measurement_quality.json"));
    holds("provenance", &results.json("provenance.json"));
    holds("profile_export_aiperf", &results.summary());
    results.records().iter().for_each(|line| holds("profile_export_record", line));
    first_rows(5).lines().for_each(|line| holds("trace_line", &serde_json::from_str(line).unwrap()));
}
