//! `outputs.json`: what the server answered to each request, with the figures that go with it.
//!
//! Entries are rendered one by one, in any order, and put together by whoever has them in order: the file
//! is [`HEAD`], the entries parted by [`BETWEEN`], and [`TAIL`]; [`EMPTY`] without any.

use loadgen_core::{Outcome, RequestRecord};
use loadgen_metrics::{RequestMetrics, ShownValue};
use serde::Serialize;

use crate::keyed::Keyed;

/// How the file begins.
pub const HEAD: &str = "{\n  \"schema_version\": \"1.0\",\n  \"data\": [\n";
/// What parts two entries.
pub const BETWEEN: &str = ",\n";
/// How it ends.
pub const TAIL: &str = "\n  ]\n}";
/// The file without entries.
pub const EMPTY: &str = "{\n  \"schema_version\": \"1.0\",\n  \"data\": []\n}";

/// The figures that are given, in this order.
const FIGURES: [&str; 6] = [
    "input_sequence_length",
    "output_token_count",
    "output_sequence_length",
    "request_latency",
    "time_to_first_token",
    "inter_token_latency",
];

/// One entry.
#[derive(Serialize)]
struct Entry<'a> {
    session_num: i64,
    conversation_id: &'a str,
    turn_index: i32,
    x_request_id: String,
    request_start_ns: i64,
    request_end_ns: i64,
    metrics: Keyed<Figure>,
    response_text: Option<&'a str>,
}

/// Counts stay whole numbers.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(untagged)]
enum Figure {
    Int(i64),
    Float(f64),
}

/// Appends the entry of a request, indented for its place in the file. `text`: what was answered, as
/// plain text; a failed request has none. `false`, and nothing appended, for a request that the run's
/// end cut off.
pub fn entry(
    record: &RequestRecord,
    metrics: &RequestMetrics,
    text: Option<&str>,
    out: &mut Vec<u8>,
) -> bool {
    if !record.outcome.is_reported() {
        return false;
    }
    let (who, when) = (&record.identity, &record.instants);
    let start = when.request_start.or(when.released).or(when.scheduled).unwrap_or_default();
    let is_ok = record.outcome == Outcome::Ok;
    let entry = Entry {
        session_num: who.session_num,
        conversation_id: &who.session_id,
        turn_index: who.turn_index,
        x_request_id: who.request_id.to_string(),
        request_start_ns: start.0,
        request_end_ns: when.end.unwrap_or(start).0,
        metrics: FIGURES.iter().filter_map(|tag| Some((*tag, figure(metrics, tag)?))).collect(),
        response_text: text.filter(|text| is_ok && !text.is_empty()),
    };
    let text = serde_json::to_string_pretty(&entry).expect("text keys and finite numbers serialize");
    for (index, line) in text.lines().enumerate() {
        if index > 0 {
            out.push(b'\n');
        }
        out.extend_from_slice(b"    ");
        out.extend_from_slice(line.as_bytes());
    }
    true
}

fn figure(metrics: &RequestMetrics, tag: &str) -> Option<Figure> {
    let (_, value) = metrics.shown().find(|(metric, _)| metric.tag == tag)?;
    match value {
        ShownValue::Int(value) => Some(Figure::Int(value)),
        ShownValue::Float(value) if value.is_finite() => Some(Figure::Float(value)),
        _ => None,
    }
}
