//! `trace_data` of a per-request line: the request as seen from its connection, in AIPerf's names.
//!
//! Instants are ns since the Unix epoch. One differs from AIPerf on purpose, as it does in the
//! `http_req_*` metrics, which say the same: sending begins when the first byte left, not before the
//! connection was opened. And where AIPerf 0.13 leaves the lists of chunks empty, they are filled.

use loadgen_core::{Exchange, FailureKind, Instants, Nanos, Outcome, RequestRecord};
use schemars::JsonSchema;
use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};

/// What was seen of one request's connection.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct TraceData<'a> {
    /// Always `aiohttp`: readers choose the format by it.
    trace_type: &'static str,
    /// Just before the first byte was handed to the kernel.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_send_start_ns: Option<i64>,
    /// The request's headers, secrets replaced.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "headers")]
    #[schemars(with = "Option<std::collections::BTreeMap<String, String>>")]
    request_headers: Option<Vec<(&'a str, String)>>,
    /// The head leaves with the body: when that was begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_headers_sent_ns: Option<i64>,
    /// (instant, bytes) of each write of the body: it leaves in one.
    request_chunks: Vec<(i64, i64)>,
    /// When the kernel had taken the last byte.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_send_end_ns: Option<i64>,
    /// How many writes there were.
    request_chunks_count: usize,
    /// Bytes of the body.
    request_bytes_total: i64,
    /// The HTTP status.
    #[serde(skip_serializing_if = "Option::is_none")]
    response_status_code: Option<i16>,
    /// Its reason phrase.
    #[serde(skip_serializing_if = "Option::is_none")]
    response_reason: Option<&'a str>,
    /// Arrival of the first bytes of the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    response_receive_start_ns: Option<i64>,
    /// The response's headers, secrets replaced.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "headers")]
    #[schemars(with = "Option<std::collections::BTreeMap<String, String>>")]
    response_headers: Option<Vec<(&'a str, String)>>,
    /// Arrival of the bytes that completed the response's head.
    #[serde(skip_serializing_if = "Option::is_none")]
    response_headers_received_ns: Option<i64>,
    /// (arrival, bytes) of each read that brought bytes of the body.
    response_chunks: Vec<(i64, u32)>,
    /// How many reads there were.
    response_chunks_count: i32,
    /// Bytes of the body.
    response_bytes_total: i64,
    /// Arrival of the last bytes of the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    response_receive_end_ns: Option<i64>,
    /// When a request that got no head was given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    error_timestamp_ns: Option<i64>,
    /// Waiting for a free connection, or for leave to open one.
    #[serde(skip_serializing_if = "Option::is_none")]
    connection_pool_wait_start_ns: Option<i64>,
    /// The end of that.
    #[serde(skip_serializing_if = "Option::is_none")]
    connection_pool_wait_end_ns: Option<i64>,
    /// Connecting, TLS included.
    #[serde(skip_serializing_if = "Option::is_none")]
    tcp_connect_start_ns: Option<i64>,
    /// The end of that.
    #[serde(skip_serializing_if = "Option::is_none")]
    tcp_connect_end_ns: Option<i64>,
    /// When a connection that was open was taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    connection_reused_ns: Option<i64>,
    /// Name resolution.
    #[serde(skip_serializing_if = "Option::is_none")]
    dns_lookup_start_ns: Option<i64>,
    /// The end of that.
    #[serde(skip_serializing_if = "Option::is_none")]
    dns_lookup_end_ns: Option<i64>,
    /// Our end of the connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    local_ip: Option<String>,
    /// Its port.
    #[serde(skip_serializing_if = "Option::is_none")]
    local_port: Option<u16>,
    /// The other end: the server, or a proxy.
    #[serde(skip_serializing_if = "Option::is_none")]
    remote_ip: Option<String>,
    /// Its port.
    #[serde(skip_serializing_if = "Option::is_none")]
    remote_port: Option<u16>,
    /// From the first byte sent to the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    sending_ns: Option<i64>,
    /// From the last byte sent to the first of the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting_ns: Option<i64>,
    /// From the first byte of the body to the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    receiving_ns: Option<i64>,
    /// From the first byte sent to the last of the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_ns: Option<i64>,
    /// Waiting for a free connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    blocked_ns: Option<i64>,
    /// Name resolution.
    #[serde(skip_serializing_if = "Option::is_none")]
    dns_lookup_ns: Option<i64>,
    /// Connecting, TLS included.
    #[serde(skip_serializing_if = "Option::is_none")]
    connecting_ns: Option<i64>,
}

impl<'a> TraceData<'a> {
    /// What `exchange` and the record's instants tell.
    pub(crate) fn of(record: &'a RequestRecord, exchange: &'a Exchange) -> Self {
        let (when, facts) = (&record.instants, &record.connection);
        let sent = when.send_end.map(|end| (end.0, facts.request_bytes));
        let blocked_from = when.request_start.filter(|_| facts.blocked_ns.is_some());
        let blocked_to = blocked_from.zip(facts.blocked_ns).map(|(start, ns)| start + ns);
        let (dns, connect) = (exchange.dns, exchange.connect);
        let ns = |at: Option<Nanos>| at.map(|at| at.0);
        Self {
            trace_type: "aiohttp",
            request_send_start_ns: ns(when.send_start),
            request_headers: when.send_start.map(|_| request_headers(record, exchange)),
            request_headers_sent_ns: ns(when.send_start),
            request_chunks: sent.into_iter().collect(),
            request_send_end_ns: ns(when.send_end),
            request_chunks_count: usize::from(sent.is_some()),
            request_bytes_total: sent.map_or(0, |(_, bytes)| bytes),
            response_status_code: record.status,
            response_reason: exchange.reason.as_deref(),
            response_receive_start_ns: ns(facts.first_body),
            response_headers: when.headers.map(|_| shown(&exchange.response_headers).collect()),
            response_headers_received_ns: ns(when.headers),
            response_chunks: exchange.reads.iter().map(|read| (read.at.0, read.bytes)).collect(),
            response_chunks_count: facts.reads,
            response_bytes_total: facts.response_bytes,
            response_receive_end_ns: ns(facts.last_body),
            error_timestamp_ns: ns(error_instant(record.outcome, when)),
            connection_pool_wait_start_ns: ns(blocked_from),
            connection_pool_wait_end_ns: ns(blocked_to),
            tcp_connect_start_ns: connect.map(|step| step.start.0),
            tcp_connect_end_ns: connect.map(|step| step.end.0),
            connection_reused_ns: ns(blocked_to.filter(|_| facts.reused)),
            dns_lookup_start_ns: dns.map(|step| step.start.0),
            dns_lookup_end_ns: dns.map(|step| step.end.0),
            local_ip: exchange.local.map(|end| end.ip().to_string()),
            local_port: exchange.local.map(|end| end.port()),
            remote_ip: exchange.remote.map(|end| end.ip().to_string()),
            remote_port: exchange.remote.map(|end| end.port()),
            sending_ns: between(when.send_start, when.send_end),
            waiting_ns: between(when.send_end, facts.first_body),
            receiving_ns: between(facts.first_body, facts.last_body),
            duration_ns: between(when.send_start, facts.last_body),
            blocked_ns: facts.blocked_ns,
            dns_lookup_ns: facts.dns_ns,
            connecting_ns: connect.map(|step| step.end.since(step.start).max(0)),
        }
    }
}

/// Nanoseconds between two instants; none where an arrival's stamp precedes what this process noted late.
fn between(from: Option<Nanos>, to: Option<Nanos>) -> Option<i64> {
    Some(to?.since(from?).max(0))
}

/// When a request that got no answer failed.
fn error_instant(outcome: Outcome, when: &Instants) -> Option<Nanos> {
    let is_exception = matches!(
        outcome,
        Outcome::Failed(FailureKind::ConnectError | FailureKind::Timeout | FailureKind::StreamError)
    );
    when.end.filter(|_| is_exception && when.headers.is_none())
}

fn request_headers<'a>(record: &RequestRecord, exchange: &'a Exchange) -> Vec<(&'a str, String)> {
    let length = ("Content-Length", record.connection.request_bytes.to_string());
    shown(&exchange.request_headers).chain([length]).collect()
}

fn shown(headers: &[(String, String)]) -> impl Iterator<Item = (&str, String)> {
    headers.iter().map(|(name, value)| (&**name, value.clone()))
}

/// Headers as an object. A name that is repeated keeps its last value, as with AIPerf.
#[expect(clippy::ref_option, reason = "serde hands over the field as it is")]
pub(crate) fn headers<S: Serializer>(
    headers: &Option<Vec<(&str, String)>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let headers = headers.as_deref().unwrap_or_default();
    let mut map = serializer.serialize_map(None)?;
    for (index, (name, value)) in headers.iter().enumerate() {
        if !headers[index + 1..].iter().any(|(later, _)| later == name) {
            map.serialize_entry(name, value)?;
        }
    }
    map.end()
}
