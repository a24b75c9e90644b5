//! What went over the wire, against AIPerf's own raw export, traces and answers: its lines are read back
//! as what we would have kept, and what is written from that must say the same.

#![allow(clippy::unwrap_used, missing_docs)]

mod aiperf_lines;

use std::collections::BTreeSet;

use aiperf_lines::{lines, record};
use loadgen_core::{BodyRead, CaptureScope, Exchange, FailureKind, Nanos, Outcome, RequestRecord, Step};
use loadgen_metrics::{MetricConfig, request_metrics};
use loadgen_report::{RawLines, RecordLines, outputs_json};
use serde_json::{Value, json};

const RECORDS: &str = include_str!("data/raw_export/profile_export.jsonl");
const RAW: &str = include_str!("data/raw_export/profile_export_raw.jsonl");
const OUTPUTS: &str = include_str!("data/raw_export/outputs.json");

/// What we would have kept where AIPerf wrote these two lines.
fn exchange(line: &Value, raw: &Value) -> Exchange {
    let trace = &line["trace_data"];
    let headers = |value: &Value| -> Vec<(String, String)> {
        let pairs = value.as_object().unwrap().iter();
        pairs.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect()
    };
    let instant = |key: &str| trace[key].as_i64().map(Nanos);
    let origin = origin(line, raw);
    let mut body = Vec::new();
    let mut reads = Vec::new();
    for message in raw["responses"].as_array().unwrap() {
        for packet in message["packets"].as_array().unwrap() {
            let (name, value) = (packet["name"].as_str().unwrap(), packet["value"].as_str().unwrap());
            body.extend_from_slice(format!("{name}: {value}\n\n").as_bytes());
        }
        let at = origin + message["perf_ns"].as_i64().unwrap();
        reads.push(BodyRead { at, bytes: 170, body_end: body.len() as u32, ends_at: None });
    }
    let mut request_headers = headers(&trace["request_headers"]);
    request_headers.retain(|(name, _)| name != "Content-Length");
    Exchange {
        scope: CaptureScope { bodies: true, trace: true },
        request_headers,
        request_body: vec![raw["payload"].to_string().into()],
        reason: Some("OK".to_owned()),
        response_headers: headers(&trace["response_headers"]),
        reads,
        response_body: body,
        connect: instant("tcp_connect_start_ns")
            .zip(instant("tcp_connect_end_ns"))
            .map(|(start, end)| Step { start, end }),
        local: Some(
            format!("{}:{}", trace["local_ip"].as_str().unwrap(), trace["local_port"]).parse().unwrap(),
        ),
        remote: Some("127.0.0.1:18233".parse().unwrap()),
        ..Exchange::default()
    }
}

/// Where AIPerf's `perf_ns` begin.
fn origin(line: &Value, raw: &Value) -> Nanos {
    let start = line["metadata"]["request_start_ns"].as_i64().unwrap();
    Nanos(start - raw["start_perf_ns"].as_i64().unwrap())
}

/// The record, with the instants that the trace knows.
fn traced(line: &Value) -> RequestRecord {
    let trace = &line["trace_data"];
    let instant = |key: &str| trace[key].as_i64().map(Nanos);
    let mut record = record(line);
    record.instants.send_start = instant("request_send_start_ns");
    record.instants.send_end = instant("request_send_end_ns");
    record.instants.headers = instant("response_headers_received_ns");
    let facts = &mut record.connection;
    facts.first_body = instant("response_receive_start_ns");
    facts.last_body = instant("response_receive_end_ns");
    facts.request_bytes = trace["request_bytes_total"].as_i64().unwrap();
    facts.response_bytes = trace["response_bytes_total"].as_i64().unwrap();
    facts.reads = trace["response_chunks_count"].as_i64().unwrap() as i32;
    facts.reused = trace.get("connection_reused_ns").is_some();
    facts.blocked_ns = facts.reused.then_some(0);
    record
}

fn pairs() -> Vec<(Value, Value)> {
    lines(RECORDS).into_iter().zip(lines(RAW)).collect()
}

fn raw_line(record: &RequestRecord, exchange: &Exchange, origin: Nanos) -> Value {
    let mut out = Vec::new();
    assert!(RawLines::new(RecordLines::new("run", 0), origin).write(record, exchange, &mut out));
    assert_eq!(String::from_utf8_lossy(&out).matches('\n').count(), 1, "one line, ended");
    serde_json::from_slice(&out).unwrap()
}

#[test]
fn raw_lines_say_what_aiperf_says() {
    for (line, raw) in pairs() {
        let (record, exchange, origin) = (traced(&line), exchange(&line, &raw), origin(&line, &raw));
        let mut ours = raw_line(&record, &exchange, origin);
        let mut theirs = raw.clone();
        let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(&ours), keys(&theirs), "the same keys in the same order");
        // Names of workers are the run's own.
        for key in ["worker_id", "record_processor_id", "request_ack_ns"] {
            ours["metadata"].as_object_mut().unwrap().remove(key);
            theirs["metadata"].as_object_mut().unwrap().remove(key);
        }
        assert_eq!(ours, theirs);
    }
}

#[test]
fn a_trace_has_aiperfs_keys_in_its_order_and_fills_its_lists() {
    for (line, raw) in pairs() {
        let (record, exchange) = (traced(&line), exchange(&line, &raw));
        let metrics = request_metrics(&record, &MetricConfig::default());
        let mut out = Vec::new();
        assert!(RecordLines::new("run", 0).write_traced(&record, &metrics, Some(&exchange), &mut out));
        let ours: Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(
            ours.as_object().unwrap().keys().collect::<Vec<_>>(),
            ["metadata", "metrics", "trace_data"]
        );
        let (ours, theirs) = (&ours["trace_data"], &line["trace_data"]);
        let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        // Waiting for a connection is told where there was any, and here it is where one was reused.
        let own = ["connection_pool_wait_start_ns", "connection_pool_wait_end_ns", "blocked_ns"];
        let mut shown = keys(ours);
        shown.retain(|key| !own.contains(&key.as_str()));
        assert_eq!(shown, keys(theirs));
        for key in ["request_headers", "response_headers", "sending_ns", "waiting_ns", "receiving_ns"] {
            assert_eq!(ours[key], theirs[key], "{key}");
        }
        for key in ["duration_ns", "local_port", "remote_ip", "response_reason", "request_chunks_count"] {
            assert_eq!(ours[key], theirs[key], "{key}");
        }
        assert_eq!(
            ours["request_chunks"],
            json!([[theirs["request_send_end_ns"], 235.max(record.connection.request_bytes)]])
        );
        assert_eq!(ours["response_chunks"].as_array().unwrap().len(), exchange.reads.len());
    }
}

#[test]
fn answers_are_written_as_aiperf_writes_them() {
    let theirs: Value = serde_json::from_str(OUTPUTS).unwrap();
    let mut text = outputs_json::HEAD.to_owned();
    let mut by_number: Vec<_> = lines(RECORDS);
    by_number.sort_by_key(|line| line["metadata"]["session_num"].as_i64());
    for (index, line) in by_number.iter().enumerate() {
        let record = record(line);
        let metrics = request_metrics(&record, &MetricConfig::default());
        let mut entry = Vec::new();
        let answer = theirs["data"][index]["response_text"].as_str();
        assert!(outputs_json::entry(&record, &metrics, answer, &mut entry));
        text += if index > 0 { outputs_json::BETWEEN } else { "" };
        text += std::str::from_utf8(&entry).unwrap();
    }
    text += outputs_json::TAIL;
    let ours: Value = serde_json::from_str(&text).unwrap();
    let shape = |text: &str| -> Vec<String> {
        text.lines().map(|line| line.split(": ").next().unwrap_or_default().to_owned()).collect()
    };
    assert_eq!(shape(&text), shape(OUTPUTS), "indentation, keys and their order");
    for (ours, theirs) in ours["data"].as_array().unwrap().iter().zip(theirs["data"].as_array().unwrap()) {
        for key in ["session_num", "conversation_id", "x_request_id", "request_start_ns", "response_text"] {
            assert_eq!(ours[key], theirs[key], "{key}");
        }
        assert_eq!(ours["metrics"]["output_token_count"], theirs["metrics"]["output_token_count"]);
        let latency = |entry: &Value| entry["metrics"]["request_latency"].as_f64().unwrap();
        assert!((latency(ours) - latency(theirs)).abs() < 1e-5);
    }
    assert_eq!(serde_json::from_str::<Value>(outputs_json::EMPTY).unwrap()["data"], json!([]));
}

#[test]
fn a_failure_has_no_answer_and_keeps_what_came_before_it() {
    let (line, raw) = pairs().remove(0);
    let mut record = traced(&line);
    record.outcome = Outcome::Failed(FailureKind::StreamError);
    let mut exchange = exchange(&line, &raw);
    let half = exchange.reads[2].body_end as usize;
    exchange.response_body.truncate(half);
    exchange.response_body.extend_from_slice(b"event: error\ndata: x\n\n");
    exchange.reads.truncate(3);
    let shown = raw_line(&record, &exchange, Nanos(0));
    assert_eq!(shown["responses"].as_array().unwrap().len(), 3);
    let metrics = request_metrics(&record, &MetricConfig::default());
    let mut entry = Vec::new();
    assert!(outputs_json::entry(&record, &metrics, Some("half"), &mut entry));
    let entry: Value = serde_json::from_slice(&entry).unwrap();
    assert_eq!((&entry["response_text"], &entry["metrics"]), (&Value::Null, &json!({})));
    record.outcome = Outcome::Aborted;
    assert!(!outputs_json::entry(&record, &metrics, None, &mut Vec::new()), "what was cut off has none");
    assert!(!RawLines::new(RecordLines::new("run", 0), Nanos(0)).write(&record, &exchange, &mut Vec::new()));
}

#[test]
fn bodies_are_shown_as_they_are_and_their_loss_is_told() {
    let (line, raw) = pairs().remove(0);
    let record = traced(&line);
    let mut exchange = exchange(&line, &raw);
    exchange.request_body = vec![b"{\"a\":\r\n 1.50, \"b\": \"\xc3\xa9\"}".to_vec().into()];
    exchange.response_headers =
        vec![("Content-Type".to_owned(), "application/json; charset=utf-8".to_owned())];
    let mut out = Vec::new();
    RawLines::new(RecordLines::new("run", 0), Nanos(0)).write(&record, &exchange, &mut out);
    let text = String::from_utf8(out).unwrap();
    assert!(text.ends_with(",\"payload\":{\"a\":   1.50, \"b\": \"é\"}}\n"), "{text}");
    let shown: Value = serde_json::from_str(&text).unwrap();
    let responses = shown["responses"].as_array().unwrap();
    assert_eq!((responses.len(), &responses[0]["content_type"]), (1, &json!("application/json")));
    assert_eq!(responses[0]["text"].as_str().unwrap().len(), exchange.response_body.len());

    exchange.request_body = vec![b"--form\r\n".to_vec().into()];
    assert_eq!(raw_line(&record, &exchange, Nanos(0))["payload"], "--form\r\n");

    exchange.drop_bodies();
    let lost = raw_line(&record, &exchange, Nanos(0));
    assert_eq!(lost["loadgen_bodies_dropped"], true);
    assert_eq!(lost["responses"], json!([]));
    let keys: BTreeSet<_> = lost.as_object().unwrap().keys().map(String::as_str).collect();
    assert!(!keys.contains("payload"));
}
