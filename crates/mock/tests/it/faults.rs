//! Every fault, as a client meets it, streamed and in one piece.

use std::time::Duration;

use crate::raw::{Client, End, Response, chat, start};

const STREAM: &str = r#","stream":true,"max_tokens":8"#;
const PIECE: &str = r#","max_tokens":8"#;

/// One request to a mock whose every request is spoiled so; the fault must have been counted.
fn meet(fault: &str, fields: &str) -> Response {
    let mock = start(&format!("fixed?ttft=1ms&itl=1ms&fault={fault}"));
    // Only a stall is waited out.
    let patience = Duration::from_secs(if fault.starts_with("stall") { 1 } else { 20 });
    let response = Client::patient(mock.addr(), patience).post("/v1/chat/completions", &chat("m", fields));
    let report = mock.stop().unwrap();
    assert_eq!(report.faults.values().sum::<u64>(), 1, "{fault}: {:?}", report.faults);
    let is_complete = report.complete == 1;
    assert_eq!(is_complete, fault.starts_with("slow"), "{fault}");
    response
}

#[test]
fn statuses_come_with_body_and_retry_after() {
    for fields in [STREAM, PIECE] {
        let plain = meet("500", fields);
        assert_eq!((plain.status(), plain.end), (500, End::Whole));
        assert_eq!(plain.json()["error"]["code"], 500);
        let full = meet("429&retry_after=7&body=slow down&content_type=text/plain", fields);
        assert_eq!((full.status(), full.header("retry-after"), full.text()), (429, Some("7"), "slow down"));
        assert_eq!(full.header("content-type"), Some("text/plain"));
    }
}

#[test]
fn refused_means_reset_before_anything_is_read() {
    let response = meet("refuse", STREAM);
    assert!(response.head.is_empty());
    assert_eq!(response.end, End::Reset);
}

#[test]
fn closed_means_no_byte_of_a_response() {
    for fields in [STREAM, PIECE] {
        let response = meet("close", fields);
        assert!(response.head.is_empty());
        assert_eq!(response.end, End::Closed);
    }
}

#[test]
fn a_cut_stream_has_its_tokens_and_no_end() {
    for (fault, end) in [("cut", End::Closed), ("reset", End::Reset)] {
        let response = meet(&format!("{fault}&after=3"), STREAM);
        assert_eq!((response.status(), response.end), (200, end), "{fault}");
        // A reset may overtake what the kernel still held.
        if fault == "cut" {
            assert_eq!(response.contents().len(), 3);
        }
        let late = meet(&format!("{fault}&after=100"), STREAM);
        assert_eq!(late.end, end);
    }
    assert!(meet("cut", STREAM).contents().is_empty());
}

#[test]
fn a_torn_piece_is_shorter_than_promised() {
    let response = meet("cut&after=4", PIECE);
    assert_eq!((response.status(), response.end), (200, End::Closed));
    let promised: usize = response.header("content-length").unwrap().parse().unwrap();
    assert!(!response.body.is_empty() && response.body.len() < promised);
    let response = meet("cut&after=100", PIECE);
    assert_eq!(response.end, End::Closed);
}

#[test]
fn garbage_ends_in_order_and_parses_as_nothing() {
    let response = meet("garbage&after=2", STREAM);
    assert_eq!((response.status(), response.end), (200, End::Whole));
    assert!(std::str::from_utf8(&response.body).is_err());
    assert!(!response.body.windows(6).any(|window| window == b"[DONE]"));
    let piece = meet("garbage", PIECE);
    assert!(serde_json::from_slice::<serde_json::Value>(&piece.body).is_err());
    assert_eq!(piece.end, End::Whole);
}

#[test]
fn an_error_inside_the_stream_comes_as_data_or_as_event() {
    let data = meet("error&after=2", STREAM);
    assert_eq!((data.contents().len(), data.end), (2, End::Whole));
    assert!(data.text().ends_with("data: [DONE]\n\n"));
    assert_eq!(data.events()[3]["error"]["code"], 500);
    let event = meet("event-error&after=2", STREAM);
    assert!(event.text().contains("\n\nevent: error\ndata: {\"error\""));
    assert!(!event.text().contains("[DONE]"));
    for fault in ["error", "event-error"] {
        let piece = meet(fault, PIECE);
        assert_eq!((piece.status(), &piece.json()["error"]["code"]), (200, &500.into()));
    }
}

#[test]
fn a_stall_keeps_the_connection_and_says_nothing_more() {
    for fields in [STREAM, PIECE] {
        let never = meet("stall", fields);
        assert!(never.head.is_empty());
        assert_eq!(never.end, End::Silent);
    }
    let midway = meet("stall&after=3", STREAM);
    assert_eq!((midway.contents().len(), midway.end), (3, End::Silent));
    assert_eq!(meet("stall&after=3", PIECE).end, End::Silent);
}

#[test]
fn a_slow_answer_is_a_whole_answer() {
    let response = meet("slow&delay=30ms", STREAM);
    assert_eq!((response.contents().len(), response.end), (8, End::Whole));
}

#[test]
fn rules_pick_their_requests() {
    let mock = start("fixed?ttft=1ms&itl=0ms&fault=503&every=3&fault=cut&every=4&offset=2&after=1");
    let outcomes: Vec<(u16, End)> = (0..12)
        .map(|_| {
            let response = Client::connect(mock.addr()).post("/v1/chat/completions", &chat("m", STREAM));
            (response.status(), response.end)
        })
        .collect();
    for (number, outcome) in outcomes.iter().enumerate() {
        let expected = match number {
            _ if number % 3 == 1 => (503, End::Whole),
            _ if number % 4 == 2 => (200, End::Closed),
            _ => (200, End::Whole),
        };
        assert_eq!(*outcome, expected, "request {number}");
    }
    let report = mock.stop().unwrap();
    let counts: Vec<(&str, u64)> =
        report.faults.iter().map(|(name, count)| (name.as_str(), *count)).collect();
    // 10 is for both rules, and the first wins.
    assert_eq!(counts, [("503", 4), ("cut", 2)]);
    assert_eq!(report.complete, 6);
}
