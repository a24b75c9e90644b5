//! Requests given up on purpose: in every file, as AIPerf writes them, and as the server saw them.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{Mock, Workspace, words};

#[test]
fn a_share_of_the_measured_requests_is_given_up() {
    let workspace = Workspace::new();
    // Nothing is answered before it would be given up.
    let mock = Mock::start(&workspace, "fixed?ttft=2s&itl=1ms");
    let arguments = words(
        "--streaming --request-rate 200 --arrival-pattern constant --request-count 30 --isl 20 --osl 3 \
         --warmup-request-count 3 --random-seed 7 --request-cancellation-rate 40 --request-cancellation-delay 0.05",
    );
    workspace.profile(&mock, &arguments).expect_code(0);
    let results = workspace.results("out");

    let rows = results.rows();
    let given_up: BTreeSet<String> = rows
        .iter()
        .filter(|row| row.outcome.name() == "cancelled")
        .map(|row| row.identity.request_id.to_string())
        .collect();
    let count = given_up.len();
    assert!((4..=20).contains(&count), "{count} of 30");
    assert!(rows.iter().all(|row| matches!(row.outcome.name(), "ok" | "cancelled")));
    assert!(rows.iter().all(|row| row.instants.send_end.is_some()), "each was written in full");

    for line in results.records() {
        let metadata = &line["metadata"];
        let was_given_up = given_up.contains(metadata["x_request_id"].as_str().unwrap());
        assert_eq!(metadata["was_cancelled"], was_given_up);
        assert!(!was_given_up || metadata["benchmark_phase"] == "profiling", "no warm-up request is");
        assert_eq!(line.get("error").is_some(), was_given_up);
        if was_given_up {
            assert_eq!(line["error"], the_error());
            assert!(metadata.get("request_ack_ns").is_none());
            let struck = metadata["cancellation_time_ns"].as_i64().unwrap();
            assert!(struck - metadata["request_start_ns"].as_i64().unwrap() >= 50_000_000);
        } else {
            assert!(metadata.get("cancellation_time_ns").is_none());
        }
    }

    let summary = results.summary();
    assert_eq!(summary["request_count"]["avg"], (30 - count) as f64);
    assert_eq!(summary["error_request_count"]["avg"], count as f64);
    assert_eq!(summary["was_cancelled"], false, "the run was not");
    assert_eq!(summary["error_summary"], json!([{ "error_details": the_error(), "count": count }]));
    let phases = summary["input_config"]["phases"].as_array().unwrap();
    assert_eq!(phases[0].get("cancellation"), None);
    assert_eq!(phases[1]["cancellation"], json!({ "rate": 40.0, "delay": 0.05 }));
    assert_eq!(results.json("measurement_quality.json")["requests"]["cancelled"], count);
    let plan = &results.json("provenance.json")["facts"]["run.plan"]["value"];
    assert_eq!(plan["cancellation"], json!({ "share": 0.4, "delay_ns": 50_000_000 }));

    let truth = mock.truth();
    assert_eq!(truth.len(), 33, "all were sent");
    assert!(truth.iter().all(|request| request["body_read_ns"].is_i64()), "and came whole");
    let left: BTreeSet<String> = truth
        .iter()
        .filter(|request| request["finished"] == "client_closed")
        .filter_map(|request| request["request_id"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(left, given_up, "the server saw the same clients leave");
}

fn the_error() -> Value {
    json!({
        "code": 499,
        "type": "RequestCancellationError",
        "message": "Request cancelled 0.050s after being sent",
    })
}

#[test]
fn what_came_in_time_is_kept_and_what_is_complete_is_not_given_up() {
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, "fixed?ttft=2ms&itl=1ms&fault=stall&every=2&after=3");
    let arguments = words(
        "--streaming --concurrency 4 --request-count 12 --isl 20 --osl 6 \
         --request-cancellation-rate 100 --request-cancellation-delay 0.7",
    );
    workspace.profile(&mock, &arguments).expect_code(0);
    let rows = workspace.results("out").rows();
    let of = |outcome: &str| rows.iter().filter(|row| row.outcome.name() == outcome).collect::<Vec<_>>();
    assert_eq!((of("ok").len(), of("cancelled").len()), (6, 6));
    for row in of("cancelled") {
        assert_eq!(row.status, Some(200));
        assert_eq!(row.tokens.output, Some(3), "{row:?}");
        assert!(row.instants.first_token.is_some() && row.instants.headers.is_some());
    }
}

#[test]
fn the_seed_alone_decides_which() {
    let given_up = |workers: &str, seed: &str| {
        let workspace = Workspace::new();
        let mock = Mock::start(&workspace, "fixed?ttft=50ms&itl=1ms");
        let text = "--streaming --request-rate 200 --request-count 40 --isl 10 --osl 2 --request-cancellation-rate 50";
        let mut arguments = words(text);
        arguments.extend(["--workers-max", workers, "--random-seed", seed]);
        workspace.profile(&mock, &arguments).expect_code(0);
        let rows = workspace.results("out").rows();
        let cancelled = rows.iter().filter(|row| row.outcome.name() == "cancelled");
        cancelled.map(|row| row.identity.session_num).collect::<BTreeSet<_>>()
    };
    let reference = given_up("1", "11");
    assert_eq!(given_up("3", "11"), reference);
    assert_ne!(given_up("3", "12"), reference);
}

#[test]
fn a_plan_that_cannot_be_meant_is_refused_before_anything_is_sent() {
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, "fixed?ttft=1ms&itl=1ms");
    for (arguments, named) in [
        ("--request-cancellation-delay 1", "--request-cancellation-rate"),
        ("--request-cancellation-rate 0", "a percentage above 0 and at most 100"),
        ("--request-cancellation-rate 101", "a percentage above 0 and at most 100"),
        ("--request-cancellation-rate 5 --request-cancellation-delay=-1", "--request-cancellation-delay"),
    ] {
        let finished = workspace.profile(&mock, &words(arguments)).expect_code(1);
        assert_eq!(finished.stdout(), "");
        assert!(finished.stderr().contains(named), "{arguments}: {}", finished.stderr());
    }
    assert!(!workspace.path("out").exists());
    assert_eq!(mock.truth().len(), 0);
}
