//! Nine ways a server fails, under each kind of load: nothing hangs, nothing panics, every scheduled
//! request is one record, and the counts are those that the server itself logged.

use serde_json::Value;

use crate::support::{Finished, Mock, Workspace, closed_port};

/// Requests of each run.
const REQUESTS: usize = 12;
/// Every third request fails, from the second on.
const FAILED: usize = 4;

/// A way to fail: what the mock server is told, and what the records must say.
struct Fault {
    name: &'static str,
    /// Options of the mock server's profile.
    profile: &'static str,
    outcome: &'static str,
}

const FAULTS: [Fault; 8] = [
    Fault { name: "refused", profile: "fault=refuse&every=3", outcome: "" },
    Fault { name: "500", profile: "fault=500&every=3", outcome: "http_error" },
    Fault { name: "429", profile: "fault=429&every=3", outcome: "http_error" },
    Fault { name: "closed before the head", profile: "fault=close&every=3", outcome: "stream_error" },
    Fault { name: "cut in the stream", profile: "fault=cut&every=3&after=2", outcome: "stream_error" },
    Fault {
        name: "garbage in the stream",
        profile: "fault=garbage&every=3&after=0",
        outcome: "invalid_response",
    },
    Fault { name: "error in the stream", profile: "fault=error&every=3&after=2", outcome: "ok" },
    Fault { name: "stall", profile: "fault=stall&every=3&after=2", outcome: "timeout" },
];

/// The kinds of load.
fn loads(workspace: &Workspace) -> [Vec<String>; 3] {
    let rows: Vec<String> = (0..REQUESTS)
        .map(|row| format!(r#"{{"timestamp": {}, "input_length": 20, "output_length": 5}}"#, row * 10))
        .collect();
    let trace = workspace.file("trace.jsonl", &rows.join("\n")).display().to_string();
    let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    [
        words("--request-rate 100 --arrival-pattern constant --request-count 12 --isl 20 --osl 5"),
        words("--concurrency 3 --request-count 12 --isl 20 --osl 5"),
        words(&format!("--input-file {trace} --custom-dataset-type mooncake_trace")),
    ]
}

#[test]
fn failures_are_counted_as_the_server_logged_them() {
    for fault in &FAULTS {
        for load in 0..3 {
            let workspace = Workspace::new();
            let mock = Mock::start(&workspace, &format!("fixed?ttft=5ms&itl=1ms&{}", fault.profile));
            let load = &loads(&workspace)[load];
            let mut arguments = vec!["--streaming", "--request-timeout-seconds", "1", "--random-seed", "7"];
            arguments.extend(load.iter().map(String::as_str));
            workspace.profile(&mock, &arguments).expect_code(0);
            let truth = mock.truth();
            let what = format!("{} under {}", fault.name, load.join(" "));
            check(&workspace, fault, &truth, &what);
        }
    }
}

fn check(workspace: &Workspace, fault: &Fault, truth: &[Value], what: &str) {
    let rows = workspace.results("out").rows();
    assert_eq!(rows.len(), REQUESTS, "{what}: one row for each request");
    let of = |outcome: &str| rows.iter().filter(|row| row.outcome.name() == outcome).count();
    assert_eq!(of("aborted") + of("not_sent"), 0, "{what}");
    if fault.outcome.is_empty() {
        // Which requests meet a refused connection depends on how connections are reused: what is
        // sure is that each ended as a success, or as a failure to connect or to be answered.
        assert_eq!(of("ok") + of("connect_error") + of("stream_error"), REQUESTS, "{what}");
    } else if fault.outcome == "ok" {
        // As AIPerf counts it; the error stands beside.
        let told = rows.iter().filter(|row| row.in_band_error().is_some()).count();
        assert_eq!((of("ok"), told), (REQUESTS, FAILED), "{what}");
        assert_eq!(workspace.results("out").summary()["in_band_error_count"]["avg"], FAILED as f64, "{what}");
    } else {
        assert_eq!(of(fault.outcome), FAILED, "{what}");
        assert_eq!(of("ok"), REQUESTS - FAILED, "{what}");
        let spoiled = truth.iter().filter(|request| request["fault"].is_string()).count();
        assert_eq!(spoiled, FAILED, "{what}: the server's own count");
    }
    let summary = workspace.results("out").summary();
    let figure = |tag: &str| summary[tag]["avg"].as_f64().unwrap_or(0.0) as usize;
    assert_eq!(figure("request_count"), of("ok"), "{what}");
    assert_eq!(figure("error_request_count"), REQUESTS - of("ok"), "{what}");
    let quality = workspace.results("out").json("measurement_quality.json");
    let counts = quality["requests"].as_object().unwrap();
    // Errors told inside a response are a part of the successes.
    let outcomes = counts.iter().filter(|(name, _)| *name != "in_band_errors");
    let scheduled: u64 = outcomes.filter_map(|(_, count)| count.as_u64()).sum();
    assert_eq!(scheduled as usize, REQUESTS, "{what}: scheduled is the sum of the outcomes");
}

#[test]
fn a_server_that_is_not_there_fails_every_request_and_the_run() {
    for load in 0..3 {
        let workspace = Workspace::new();
        let url = closed_port();
        let load = &loads(&workspace)[load];
        let output = workspace.profiling(&url).arg("--streaming").args(load).output().unwrap();
        let finished = Finished(output).expect_code(1);
        let stderr = finished.stderr();
        assert!(stderr.contains("no successful responses"), "{stderr}");
        let cause =
            format!("most frequent error, {REQUESTS} of {REQUESTS}: cannot connect to 127.0.0.1 port ");
        assert!(stderr.contains(&cause), "{stderr}");
        let rows = workspace.results("out").rows();
        assert_eq!(rows.len(), REQUESTS);
        assert!(rows.iter().all(|row| row.outcome.name() == "connect_error"));
        let results = workspace.results("out");
        assert_eq!(results.records().len(), REQUESTS);
        assert!(!results.path("profile_export_aiperf.json").exists(), "nothing to sum up");
        assert!(!results.path("profile_export_aiperf.csv").exists());
    }
}
