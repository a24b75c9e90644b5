//! Bad input stops before anything is sent or written, with one clear error that names the flag, the
//! file, the line and the field.

use std::process::Stdio;

use crate::support::{Finished, Mock, Workspace};

/// Runs `profile` on a trace and gives what it said; it must fail, and nothing may have been sent.
fn refuse(trace: &str) -> String {
    let workspace = Workspace::new();
    workspace.file("trace.jsonl", trace);
    let mock = Mock::start(&workspace, "fixed?ttft=1ms&itl=1ms");
    let arguments = ["--input-file", "trace.jsonl", "--custom-dataset-type", "mooncake_trace", "--streaming"];
    let finished = workspace.profile(&mock, &arguments).expect_code(1);
    assert!(!workspace.path("out").exists(), "nothing is written");
    assert_eq!(mock.truth().len(), 0, "nothing is sent");
    assert_eq!(finished.stdout(), "");
    finished.stderr()
}

#[test]
fn trace_errors_name_file_line_and_field() {
    let good = r#"{"timestamp": 0, "input_length": 10, "output_length": 5}"#;
    let cases = [
        ("not JSON", r#"{"timestamp": "#),
        ("no mode", r#"{"timestamp": 0, "output_length": 5}"#),
        ("two modes", r#"{"input_length": 10, "text_input": "hello"}"#),
        ("no input", r#"{"input_length": 0}"#),
        ("negative input", r#"{"input_length": -5}"#),
        ("NaN", r#"{"timestamp": NaN, "input_length": 10}"#),
        ("too many hash ids", r#"{"input_length": 600, "hash_ids": [1, 2, 3]}"#),
    ];
    let mut said = Vec::new();
    for (name, line) in cases {
        said.push(format!("{name}\n  {}", refuse(&format!("{good}\n{line}\n"))));
    }
    let two_sizes =
        "{\"input_length\": 600, \"hash_ids\": [1, 2]}\n{\"input_length\": 1024, \"hash_ids\": [2, 3]}\n";
    said.push(format!("an id at two sizes\n  {}", refuse(two_sizes)));
    insta::assert_snapshot!(said.concat());
}

/// A pipe would be empty for whoever reads it second, and hold up the plan as long as nobody writes to it.
#[test]
fn a_pipe_as_input_file_is_refused_before_it_is_read() {
    let workspace = Workspace::new();
    for more in [&[][..], &["--custom-dataset-type", "mooncake_trace"], &["--concurrency", "1,2"]] {
        let mut command = workspace.profiling("http://127.0.0.1:1");
        let mut child = command
            .args(["--input-file", "/dev/stdin"])
            .args(more)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Never closed before the command has ended, and nothing is in it.
        let pipe = child.stdin.take();
        let said = Finished(child.wait_with_output().unwrap()).expect_code(1).stderr();
        drop(pipe);
        assert!(
            said.contains("--input-file: /dev/stdin is a pipe or a device") && said.contains("copy it"),
            "{said}"
        );
        assert!(!workspace.path("out").exists(), "nothing is written");
    }
}

#[test]
fn what_aiperf_accepts_is_accepted() {
    let workspace = Workspace::new();
    let trace = [
        r#"{"timestamp": 30.5, "input_length": 20, "output_length": 0}"#,
        r#"{"timestamp": 10, "input_length": 20}"#,
        "",
        r#"{"timestamp": 20, "input_length": 600, "hash_ids": [1], "output_length": 3, "unknown": true}"#,
        r#"{"timestamp": 0, "text_input": "hello there", "output_length": "4"}"#,
    ];
    workspace.file("trace.jsonl", &trace.join("\n"));
    let mock = Mock::start(&workspace, "fixed?ttft=1ms&itl=1ms");
    let arguments = ["--input-file", "trace.jsonl", "--custom-dataset-type", "mooncake_trace", "--streaming"];
    let finished = workspace.profile(&mock, &arguments).expect_code(0);
    assert!(
        finished.stderr().contains("warning"),
        "a length of 0 is mended, and said: {}",
        finished.stderr()
    );
    let mut rows = workspace.results("out").rows();
    rows.sort_by_key(|row| row.instants.scheduled);
    let order: Vec<_> = rows.iter().filter_map(|row| row.identity.source_row).collect();
    assert_eq!(order, [3, 1, 2, 0], "sent in the order of their times");
    assert_eq!(rows[3].tokens.requested_output, Some(1));
}

#[test]
fn a_dry_run_refuses_an_unknown_log_level_as_a_run_does() {
    let workspace = Workspace::new();
    for more in [&[][..], &["--dry-run"], &["--dry-run", "--concurrency", "1,2"]] {
        let arguments = [&["--log-level", "abc", "--request-count", "2"], more].concat();
        let said = workspace.profile_at("http://127.0.0.1:1", &arguments).expect_code(1).stderr();
        assert!(said.contains("--log-level: \"abc\" is not known"), "{more:?}: {said}");
    }
}

#[test]
fn wrong_commands_are_refused_all_faults_at_once() {
    let workspace = Workspace::new();
    let cases: [&[&str]; 22] = [
        &["--request-rate", "0"],
        &["--concurrency", "1,x"],
        &["--goodput", "time_to_first_tokn:500"],
        &["--endpoint-type", "image-generation"],
        &["--endpoint-type", "nvidia_rag", "--ui", "tqdm"],
        &["--accuracy-benchmark", "mmlu", "--auto-plot", "--zmq-host", "h", "--mlflow-tag", "a:1"],
        &["--prefix-prompt-length", "10"],
        &["--osl-stddev", "5", "--arrival-pattern", "constant"],
        &["--input-file", "missing.jsonl", "--custom-dataset-type", "mooncake_trace"],
        &["--benchmark-grace-period", "5"],
        &["--request-rate-sinusoid", "min=5,max=1,period=10"],
        &["--timestamps", "tcp", "--connection-reuse-strategy", "sticky"],
        &["--catch-up", "later", "--request-rate", "5"],
        &["--catch-up", "skip"],
        &["--max-request-rate", "0"],
        &["--max-request-rate", "1e-9", "--request-rate", "1e-6"],
        &["--prefill-concurrency", "5", "--concurrency", "4"],
        &["--request-cancellation-delay", "1", "--warmup-grace-period", "3", "--per-chunk-usage"],
        &["--arrival-smoothness", "2", "--arrival-pattern", "constant", "--request-rate", "3"],
        &["--convergence-metric", "time_to_first_token"],
        // TEST-NET-3, which no host has (RFC 5737).
        &["--source-addresses", "203.0.113.7,localhost,127.0.0.1,127.0.0.1"],
        &["--calibration", "missing.json"],
    ];
    let mut said = Vec::new();
    for case in cases {
        let arguments = [
            &["profile", "-m", "m", "-u", "http://127.0.0.1:9", "--tokenizer", "builtin", "--streaming"],
            case,
        ]
        .concat();
        let finished = workspace.run(&arguments).expect_code(1);
        assert_eq!(finished.stdout(), "");
        said.push(format!("{}\n{}\n", case.join(" "), finished.stderr().trim()));
    }
    assert!(!workspace.path("artifacts").exists(), "nothing is written");
    insta::assert_snapshot!(said.concat());
}
