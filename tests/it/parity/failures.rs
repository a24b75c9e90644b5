//! Where failures end a run: more of them than is allowed, or conversations that an endpoint cannot have.

use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::json;

use crate::support::scripted::{Answer, Scripted, chat};
use crate::support::{Mock, Workspace};

#[test]
fn a_run_in_which_too_many_fail_stops_before_it_has_sent_all() {
    let workspace = Workspace::new();
    let nth = AtomicU32::new(0);
    let server = Scripted::chats(move |asked| match nth.fetch_add(1, Ordering::Relaxed) % 3 {
        1 => Answer::json(400, &json!({ "error": { "message": "no", "code": 400 } })),
        // Slow enough for the run to be seen under way.
        _ => chat(asked, &["a", " word"]).then(std::time::Duration::from_millis(20), ""),
    });
    let arguments = [
        "--request-count",
        "400",
        "--isl",
        "8",
        "--streaming",
        "--failed-request-threshold",
        "0.1",
        "--concurrency",
        "2",
    ];
    let finished = workspace.profile_at(&server.url(), &arguments).expect_code(1);
    let sent = server.asked().iter().filter(|asked| asked.is_load()).count();
    assert!((10..300).contains(&sent), "{sent} were sent");
    assert!(finished.stderr().contains("--failed-request-threshold exceeded: "), "{}", finished.stderr());
    let summary = workspace.results("out").summary();
    assert_eq!((&summary["was_cancelled"], &summary["is_complete"]), (&json!(true), &json!(false)));
    // The marker tells of interrupts from outside alone, as AIPerf's.
    let marker = workspace.results("out").json(".aiperf_results_ready.json");
    assert_eq!(marker, json!({ "ready": true, "was_cancelled": false, "partial": false }));
}

#[test]
fn too_many_failures_are_told_in_figures_with_the_commonest_of_them() {
    const SAYS: &str = "more requests failed than --failed-request-threshold allows: 3/6 = 0.500 > 0.200";
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, "fixed?ttft=1ms&itl=1ms&fault=400&every=2");
    // Too few to stop it under way.
    let arguments = ["--request-count", "6", "--isl", "8", "--failed-request-threshold", "0.2"];
    let told = |said: &str| {
        assert!(said.contains(&format!("error: {SAYS}\nmost frequent error, 3 of 3: ")), "{said}");
    };
    told(&workspace.profile(&mock, &arguments).expect_code(1).stderr());
    let log = workspace.results("out").text("logs/aiperf.log");
    assert!(log.contains(&format!(" - WARNING - {SAYS}\n")), "{log}");
    told(&workspace.run(&["report", "out"]).expect_code(1).stderr());
}

#[test]
fn failures_that_are_allowed_end_nothing() {
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, "fixed?ttft=1ms&itl=1ms&fault=400&every=3");
    let arguments = ["--request-count", "24", "--isl", "8", "--failed-request-threshold", "0.5"];
    workspace.profile(&mock, &arguments).expect_code(0);
    assert_eq!(mock.truth().len(), 24);
}

#[test]
fn a_file_of_conversations_is_refused_where_a_request_has_one_prompt() {
    let workspace = Workspace::new();
    let two = "{\"session_id\": \"s1\", \"turns\": [{\"text\": \"hi\"}, {\"text\": \"more\"}]}\n";
    workspace.file("two.jsonl", &format!("{{\"turns\": [{{\"text\": \"solo\"}}]}}\n{two}"));
    workspace.file("one.jsonl", "{\"turns\": [{\"text\": \"solo\"}]}\n");
    let mock = Mock::start(&workspace, "fixed?ttft=1ms&itl=1ms");
    let run = |file: &str| {
        let arguments = ["--input-file", file, "--custom-dataset-type", "multi_turn", "--endpoint-type"];
        workspace.profile(&mock, &[&arguments[..], &["completions", "--request-count", "2"]].concat())
    };
    let said = run("two.jsonl").expect_code(1).stderr();
    assert!(said.contains("completions sends one prompt a request") && said.contains("s1"), "{said}");
    assert!(!workspace.path("out").exists(), "nothing is written");
    run("one.jsonl").expect_code(0);
    assert_eq!(mock.truth().len(), 2, "nothing was sent of the first file");
}
