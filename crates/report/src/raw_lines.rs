//! `profile_export_raw.jsonl`: for each request what was sent and what came, as AIPerf writes it.
//!
//! The payload is the body that went out, byte for byte, but for line breaks between its values: a line
//! is a line. `perf_ns` are ns on the run's own steady timeline, from where its clock was started. Secrets
//! must be gone from an [`Exchange`] before it comes here.

use loadgen_core::{Exchange, Nanos, RequestRecord};
use serde::Serialize;
use serde::ser::{SerializeSeq as _, Serializer};

use crate::record_line::{Metadata, RecordLines, write_json};
use crate::sse_messages::{Message, messages};
use crate::summary_json::ErrorFacts;
use crate::trace_data::headers;

/// Writes the raw records of one run.
#[derive(Debug, Clone)]
pub struct RawLines {
    lines: RecordLines,
    /// Where the timeline of `perf_ns` begins.
    origin: Nanos,
}

/// One line.
#[derive(Serialize)]
struct RawLine<'a> {
    /// Who and when, as in profile_export.jsonl.
    metadata: Metadata<'a>,
    /// When work on it began.
    start_perf_ns: i64,
    /// The request's headers, secrets replaced.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "headers")]
    request_headers: Option<Vec<(&'a str, String)>>,
    /// The HTTP status.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<i16>,
    /// What came: the messages of a stream, or one body.
    responses: Responses<'a>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorFacts<'a>>,
    /// Present, and true, where bodies could not be kept for want of room: they are missing here.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    loadgen_bodies_dropped: bool,
}

/// What came.
struct Responses<'a> {
    exchange: &'a Exchange,
    origin: Nanos,
    is_accepted: bool,
}

/// One of them.
#[derive(Serialize)]
#[serde(untagged)]
enum Response {
    /// A message of a stream.
    Message {
        /// Arrival of the read that completed it.
        perf_ns: i64,
        /// Its fields.
        packets: Vec<Packet>,
    },
    /// A body of text.
    Text {
        /// Arrival of its last byte.
        perf_ns: i64,
        /// All of it.
        text: String,
        /// As the server declared it, without parameters.
        content_type: String,
    },
}

/// A field of a message.
#[derive(Serialize)]
struct Packet {
    /// Its name.
    name: String,
    /// Its value.
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
}

impl RawLines {
    /// For a run whose lines `lines` writes, and whose clock was started at `origin`.
    pub fn new(lines: RecordLines, origin: Nanos) -> Self {
        Self { lines, origin }
    }

    /// Appends the line, newline included, to `out`; `false`, and nothing appended, for a request that
    /// the run's end cut off.
    pub fn write(&self, record: &RequestRecord, exchange: &Exchange, out: &mut Vec<u8>) -> bool {
        if !record.outcome.is_reported() {
            return false;
        }
        let metadata = self.lines.metadata(record);
        let start = Nanos(metadata.request_start_ns());
        let line = RawLine {
            start_perf_ns: start.since(self.origin),
            metadata,
            request_headers: record.instants.send_start.map(|_| request_headers(exchange)),
            status: record.status,
            responses: Responses {
                exchange,
                origin: self.origin,
                is_accepted: record.status.is_some_and(|status| (200..300).contains(&status)),
            },
            error: crate::record_line::shown_error(record).map(ErrorFacts::from),
            loadgen_bodies_dropped: exchange.bodies_dropped,
        };
        write_json(&line, out);
        if !exchange.request_body.is_empty() {
            out.pop();
            out.extend_from_slice(b",\"payload\":");
            write_payload(&exchange.request_body.concat(), out);
            out.push(b'}');
        }
        out.push(b'\n');
        true
    }
}

impl Serialize for Responses<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { exchange, origin, is_accepted } = self;
        let mut list = serializer.serialize_seq(None)?;
        let is_missing = exchange.reads.is_empty() || exchange.bodies_dropped;
        if !is_accepted || is_missing {
            return list.end();
        }
        let media_type = media_type(exchange);
        let last = exchange.reads.last().map_or(*origin, |read| read.at);
        if media_type.eq_ignore_ascii_case("text/event-stream") {
            for Message { at, fields } in messages(&exchange.response_body, &exchange.reads) {
                let packet = |(name, value)| Packet { name, value };
                let packets = fields.into_iter().map(packet).collect();
                list.serialize_element(&Response::Message { perf_ns: at.since(*origin), packets })?;
            }
        } else {
            list.serialize_element(&Response::Text {
                perf_ns: last.since(*origin),
                text: String::from_utf8_lossy(&exchange.response_body).into_owned(),
                content_type: media_type.to_ascii_lowercase(),
            })?;
        }
        list.end()
    }
}

/// What the response is declared to be, without parameters.
fn media_type(exchange: &Exchange) -> &str {
    let declared =
        exchange.response_headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    let value = declared.map_or("application/octet-stream", |(_, value)| &**value);
    value.split(';').next().unwrap_or_default().trim()
}

/// The headers that AIPerf counts as the request's own: without those of the transport.
fn request_headers(exchange: &Exchange) -> Vec<(&str, String)> {
    let own = exchange.request_headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("host"));
    own.map(|(name, value)| (&**name, value.clone())).collect()
}

/// The body as it went out. What is no JSON becomes a string, so that the line stays JSON.
fn write_payload(body: &[u8], out: &mut Vec<u8>) {
    if serde_json::from_slice::<serde::de::IgnoredAny>(body).is_err() {
        write_json(&String::from_utf8_lossy(body), out);
        return;
    }
    // In valid JSON a raw line break stands between values only.
    out.extend(body.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }));
}
