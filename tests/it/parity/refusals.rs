//! What AIPerf refuses, or what nothing would come of, is refused before anything is sent; and what is not
//! built is refused by name.

use crate::support::scripted::{Scripted, chat};
use crate::support::{Workspace, words};

/// Runs each line against a server that must not hear of it; the refusal names the option.
pub(super) fn refused(lines: &[(&str, &str)]) {
    let server = Scripted::chats(|asked| chat(asked, &[" a"]));
    let workspace = Workspace::new();
    let rows = r#"{"timestamp": 0, "input_length": 20, "output_length": 4}"#;
    workspace.file("trace.jsonl", &format!("{rows}\n{rows}\n"));
    for (line, named) in lines {
        let finished = workspace.profile_at(&server.url(), &words(line)).expect_code(1);
        assert_eq!(finished.stdout(), "", "{line}");
        let said = finished.stderr();
        assert!(said.contains("error") && said.contains(named), "{line}: {said}");
    }
    assert!(server.asked().is_empty(), "the server saw {:?}", server.asked());
    assert!(!workspace.path("out").exists(), "nothing was written");
}

#[test]
fn what_would_have_no_effect_is_an_error() {
    const TRACE: &str = "--input-file trace.jsonl --custom-dataset-type mooncake_trace --streaming";
    let trace = |more: &str| format!("{TRACE} {more}");
    let both = trace("--fixed-schedule-auto-offset --fixed-schedule-start-offset 5");
    let crossed = trace("--fixed-schedule-start-offset 20 --fixed-schedule-end-offset 10");
    refused(&[
        ("--prefill-concurrency 2 --concurrency 4", "--prefill-concurrency"),
        ("--streaming --prefill-concurrency 5 --concurrency 4", "--prefill-concurrency"),
        ("--streaming --benchmark-grace-period 5 --request-count 3", "--benchmark-grace-period"),
        ("--streaming --request-cancellation-delay 1", "--request-cancellation-delay"),
        ("--request-rate 5 --arrival-pattern poisson --arrival-smoothness 2", "--arrival-smoothness"),
        ("--request-rate 5 --arrival-pattern constant --arrival-smoothness 2", "--arrival-smoothness"),
        (&both, "--fixed-schedule-start-offset"),
        (&crossed, "--fixed-schedule-"),
        ("--streaming --osl-stddev 5", "--osl-stddev"),
        ("--streaming --per-chunk-usage", "--per-chunk-usage"),
        ("--use-server-token-count --per-chunk-usage", "--per-chunk-usage"),
        (
            "--streaming --use-server-token-count --per-chunk-usage --endpoint-type completions",
            "--per-chunk-usage",
        ),
        ("--streaming --convergence-metric time_to_first_token", "--convergence-metric"),
        ("--streaming --convergence-metric time_to_first_token --num-profile-runs 1", "--convergence-metric"),
    ]);
}

#[test]
fn what_is_not_built_is_refused_by_name() {
    refused(&[
        ("--streaming --accuracy-benchmark mmlu", "--accuracy-benchmark"),
        ("--streaming --accuracy-n-shots 5", "--accuracy-n-shots"),
        ("--streaming --accuracy-tasks a", "--accuracy-tasks"),
        ("--streaming --auto-plot", "--auto-plot"),
        ("--streaming --otel-url http://127.0.0.1:4317", "--otel-url"),
        ("--streaming --mlflow-tracking-uri http://127.0.0.1:5000", "--mlflow-tracking-uri"),
    ]);
}

#[test]
fn a_load_by_users_is_refused_by_name_with_all_its_options() {
    refused(&[
        ("--user-centric-rate 20 --num-users 4 --conversation-turn-mean 2", "--user-centric-rate"),
        ("--user-centric-rate 20 --num-users 20 --conversation-turn-mean 2", "--user-centric-rate"),
        ("--user-centric-rate 20 --conversation-turn-mean 2", "--user-centric-rate"),
        ("--num-users 4", "--num-users"),
    ]);
}
