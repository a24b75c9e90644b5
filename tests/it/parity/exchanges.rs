//! Exchanges that do not go straight: redirects, answers that do not come in time.

use std::time::Duration;

use serde_json::json;

use crate::support::scripted::{Answer, Asked, Scripted, chat};
use crate::support::{Workspace, words};

const QUIET: &str = "--streaming --concurrency 1 --isl 20 --osl 6 --no-server-metrics --no-gpu-telemetry";

/// A server that sends whoever asks for chats elsewhere.
fn redirecting(status: u16) -> Scripted {
    Scripted::start(move |asked| match (asked.method.as_str(), asked.path.as_str()) {
        ("POST", "/v1/chat/completions") => Answer::new(status, "text/plain", "elsewhere")
            .with_header("Location", "/real/v1/chat/completions"),
        ("POST", "/real/v1/chat/completions") => chat(asked, &[" a", " b", " c"]),
        _ => Answer::json(404, &json!({ "error": "not found" })),
    })
}

fn is_chat(asked: &Asked) -> bool {
    asked.path.ends_with("/chat/completions")
}

#[test]
fn a_request_that_is_sent_on_is_posted_again_with_its_body() {
    for status in [307, 308] {
        let server = redirecting(status);
        let workspace = Workspace::new();
        let arguments: Vec<&str> = [words(QUIET), words("--request-count 3")].concat();
        workspace.profile_at(&server.url(), &arguments).expect_code(0);
        let summary = workspace.results("out").summary();
        assert_eq!(summary["request_count"]["avg"], 3.0, "{status}");
        assert_eq!(summary.get("error_request_count"), None, "{status}");
        let asked: Vec<_> = server.asked().into_iter().filter(is_chat).collect();
        assert_eq!(asked.len(), 6, "{status}: twice for each");
        assert!(asked.iter().all(|asked| asked.method == "POST"), "{status}");
        for pair in asked.chunks(2) {
            assert_eq!(pair[0].body, pair[1].body, "{status}");
        }
    }
}

#[test]
fn a_page_found_elsewhere_is_fetched_and_its_status_is_the_requests() {
    for status in [301, 302, 303] {
        let server = redirecting(status);
        let workspace = Workspace::new();
        let arguments: Vec<&str> = [words(QUIET), words("--request-count 2")].concat();
        workspace.profile_at(&server.url(), &arguments).expect_code(1);
        let asked = server.asked().into_iter().filter(is_chat);
        let fetched: Vec<_> = asked.filter(|asked| asked.path.starts_with("/real")).collect();
        assert_eq!(fetched.len(), 2, "{status}");
        for asked in fetched {
            assert_eq!(asked.method, "GET", "{status}");
            assert_eq!((asked.body.as_str(), asked.header("content-type")), ("", Some("application/json")));
        }
        for record in workspace.results("out").records() {
            assert_eq!(record["error"]["code"], 404, "that of the last answer: {record}");
        }
    }
}

/// A server that answers its first request at once, and all others late.
fn late(pause: Duration) -> Scripted {
    let mut is_first = true;
    Scripted::chats(move |asked| {
        let pause = if std::mem::take(&mut is_first) { Duration::ZERO } else { pause };
        Answer::new(200, "text/event-stream", "").then(pause, &chat(asked, &[" a"]).text())
    })
}

#[test]
fn a_timeout_is_told_as_aiperf_tells_it() {
    let server = late(Duration::from_secs(4));
    let workspace = Workspace::new();
    let arguments: Vec<&str> =
        [words(QUIET), words("--request-count 3 --request-timeout-seconds 1")].concat();
    workspace.profile_at(&server.url(), &arguments).expect_code(0);
    let results = workspace.results("out");
    let error = json!({
        "type": "TimeoutError",
        "message": "TimeoutError()",
        "cause": "CancelledError()",
        "cause_chain": ["TimeoutError", "CancelledError"],
    });
    let records = results.records();
    let failed: Vec<_> = records.iter().filter_map(|record| record.get("error")).collect();
    assert_eq!(failed, [&error; 2]);
    let summary = results.summary();
    assert_eq!(
        summary["error_summary"],
        json!([{ "error_details": error, "count": 2 }]),
        "one group, no code"
    );
}

#[test]
fn a_timeout_of_zero_is_none() {
    let server = late(Duration::from_millis(50));
    let workspace = Workspace::new();
    let arguments: Vec<&str> =
        [words(QUIET), words("--request-count 2 --request-timeout-seconds 0")].concat();
    workspace.profile_at(&server.url(), &arguments).expect_code(0);
    assert_eq!(workspace.results("out").summary()["request_count"]["avg"], 2.0);
}
