//! HTTP timings of one request, under AIPerf's names and sums.
//!
//! One instant differs from AIPerf on purpose: its `send_start` lies before the connection is made,
//! ours after. So `http_req_sending` here is sending alone, `http_req_duration` leaves connecting out
//! as its header says, and `http_req_total` counts connecting once instead of twice.

use loadgen_core::{Nanos, RequestRecord};

use super::Values;
use crate::metric::MetricId;
use crate::registry::id;

const BLOCKED: MetricId = id!("http_req_blocked");
const DNS: MetricId = id!("http_req_dns_lookup");
const CONNECTING: MetricId = id!("http_req_connecting");
const SENDING: MetricId = id!("http_req_sending");
const WAITING: MetricId = id!("http_req_waiting");
const RECEIVING: MetricId = id!("http_req_receiving");
const REUSED: MetricId = id!("http_req_connection_reused");
const DATA_SENT: MetricId = id!("http_req_data_sent");
const CHUNKS_SENT: MetricId = id!("http_req_chunks_sent");
const DATA_RECEIVED: MetricId = id!("http_req_data_received");
const CHUNKS_RECEIVED: MetricId = id!("http_req_chunks_received");
const OVERHEAD: MetricId = id!("http_req_connection_overhead");
const DURATION: MetricId = id!("http_req_duration");
const TOTAL: MetricId = id!("http_req_total");

pub(super) fn push(values: &mut Values<'_>, record: &RequestRecord) {
    let (instants, connection) = (&record.instants, &record.connection);
    let blocked = connection.blocked_ns.unwrap_or(0);
    let dns = connection.dns_ns.unwrap_or(0);
    let connecting = connection.connect_ns.unwrap_or(0) + connection.tls_ns.unwrap_or(0);
    let overhead = blocked + dns + connecting;
    let sending = between(instants.send_start, instants.send_end);
    let waiting = between(instants.send_end, connection.first_body);
    let receiving = between(connection.first_body, connection.last_body);

    values.int(BLOCKED, blocked);
    values.int(DNS, dns);
    values.int(CONNECTING, connecting);
    values.int(SENDING, sending);
    values.int(WAITING, waiting);
    values.int(RECEIVING, receiving);
    values.int(REUSED, i64::from(connection.reused));
    values.int(DATA_SENT, connection.request_bytes);
    // A body is handed over once, whole, as one vectored frame.
    values.int(CHUNKS_SENT, instants.send_end.map(|_| 1));
    values.int(DATA_RECEIVED, connection.response_bytes);
    values.int(CHUNKS_RECEIVED, i64::from(connection.reads));
    values.int(OVERHEAD, overhead);
    values.int(DURATION, between(instants.send_start, connection.last_body));
    if let (Some(sending), Some(waiting), Some(receiving)) = (sending, waiting, receiving) {
        values.int(TOTAL, overhead + sending + waiting + receiving);
    }
}

/// Nanoseconds between two instants. An arrival stamped by the kernel can precede an instant that
/// this process took a little late; such a difference is none.
fn between(from: Option<Nanos>, to: Option<Nanos>) -> Option<i64> {
    Some(to?.since(from?).max(0))
}
