//! When requests leave: together, held back as asked, or late, and what becomes of those that are.

use std::time::Duration;

use crate::support::{Held, Mock, Workspace, words};

#[test]
fn simultaneous_arrivals_leave_together() {
    let workspace = Workspace::new();
    let rows = [r#"{"timestamp": 50, "input_length": 20, "output_length": 2}"#; 12].join("\n");
    workspace.file("trace.jsonl", &rows);
    // No token comes before all have left, unless one waited for another.
    let mock = Mock::start(&workspace, "fixed?ttft=3s&itl=1ms");
    let arguments = words("--streaming --input-file trace.jsonl --custom-dataset-type mooncake_trace");
    workspace.profile(&mock, &arguments).expect_code(0);
    let rows = workspace.results("out").rows();
    assert_eq!(rows.len(), 12);
    assert!(rows.iter().all(|row| row.instants.scheduled == rows[0].instants.scheduled));
    let last_sent = rows.iter().filter_map(|row| row.instants.send_start).max().unwrap();
    let first_token = rows.iter().filter_map(|row| row.instants.first_token).min().unwrap();
    assert!(last_sent < first_token);
    let connections = rows.iter().filter_map(|row| row.connection.connection_id);
    assert_eq!(
        connections.collect::<std::collections::BTreeSet<_>>().len(),
        12,
        "each on its own connection"
    );
}

#[test]
fn a_ceiling_holds_requests_back_and_counts_them() {
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, "fixed?ttft=0ms&itl=0ms");
    let arguments = words(
        "--streaming --concurrency 4 --benchmark-duration 1 --isl 10 --osl 1 --max-request-rate 20 --random-seed 1",
    );
    workspace.profile(&mock, &arguments).expect_code(0);
    let results = workspace.results("out");
    let sent = mock.truth().len();
    assert!((2..=22).contains(&sent), "{sent} requests in a second, where the ceiling lets 20 pass");
    let governed = results.quality()["schedule"]["governed"].as_u64().unwrap();
    assert!(governed > 0);
    let plan = &results.json("provenance.json")["facts"]["run.plan"]["value"];
    assert_eq!(plan["policy"]["max_request_rate"], 20.0);
}

/// Runs 20 requests a second for two seconds, holds the client for 0.8 s of it, and lets it go on. At that
/// rate it may be 50 ms late: a busy host alone does not make it so.
fn held_back(catch_up: &str, code: i32) -> (Workspace, Mock, String) {
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, "fixed?ttft=5ms&itl=1ms");
    let mut command = workspace.profiling(&mock.url);
    command.args(words(
        "--streaming --request-rate 20 --arrival-pattern constant --request-count 40 --isl 10 --osl 2 \
         --fail-if-client-limited",
    ));
    command.args(["--catch-up", catch_up]);
    let held = Held::start(command);
    std::thread::sleep(Duration::from_millis(300));
    held.hold(Duration::from_millis(800));
    let finished = held.finish().expect_code(code);
    let stderr = finished.stderr();
    (workspace, mock, stderr)
}

/// How many rows had which outcome.
fn outcomes(rows: &[loadgen_core::RequestRecord]) -> std::collections::BTreeMap<&'static str, usize> {
    let mut counts = std::collections::BTreeMap::new();
    for row in rows {
        *counts.entry(row.outcome.name()).or_default() += 1;
    }
    counts
}

#[test]
fn late_arrivals_leave_at_once_unless_told_otherwise() {
    let (workspace, mock, stderr) = held_back("burst", 4);
    assert!(stderr.contains("the client was the limit"), "{stderr}");
    let results = workspace.results("out");
    let rows = results.rows();
    assert_eq!(rows.len(), 40);
    assert!(rows.iter().all(|row| row.outcome.name() == "ok"), "{:?}", outcomes(&rows));
    assert_eq!(mock.truth().len(), 40, "none is missing");
    let caught_up = results.quality()["schedule"]["caught_up"].as_u64().unwrap();
    assert!(caught_up >= 13, "{caught_up} of the 16 that came due meanwhile");
    assert!(results.reasons().contains(&"send_lag".to_owned()));
}

#[test]
fn late_arrivals_are_left_out_where_that_is_wanted() {
    let (workspace, mock, _) = held_back("skip", 4);
    let results = workspace.results("out");
    let rows = results.rows();
    assert_eq!(rows.len(), 40, "each has its record");
    let not_sent = rows.iter().filter(|row| row.outcome.name() == "not_sent").count();
    assert!((13..40).contains(&not_sent), "{not_sent}");
    assert_eq!(mock.truth().len(), 40 - not_sent, "{:?}", outcomes(&rows));
    assert_eq!(results.quality()["schedule"]["skipped_late"], not_sent);
    assert!(results.reasons().contains(&"schedule_not_sent".to_owned()));
}

#[test]
fn late_arrivals_end_the_run_where_that_is_wanted() {
    let (workspace, mock, stderr) = held_back("fail", 4);
    assert!(stderr.contains("the client fell behind"), "{stderr}");
    assert!(mock.truth().len() < 40);
    assert_eq!(workspace.results("out").summary()["is_complete"], false);
}

#[test]
fn more_than_the_client_can_send_is_said_by_count() {
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, "fixed?ttft=0ms&itl=0ms");
    // All are due within four milliseconds. One thread does not open 4,000 connections in that time, and
    // what is ten milliseconds late is left out.
    let arguments = words(
        "--streaming --request-rate 1000000 --arrival-pattern constant --request-count 4000 --isl 5 --osl 1 \
         --catch-up skip --workers-max 1",
    );
    // On a busy host it may be late for every single one.
    let code = workspace.profile(&mock, &arguments).code();
    assert!(matches!(code, 0 | 1), "{code}");
    let results = workspace.results("out");
    assert!(results.reasons().contains(&"schedule_not_sent".to_owned()), "{:?}", results.reasons());
    assert_eq!(results.json("provenance.json")["facts"]["run.workers"]["value"], 1);
}
