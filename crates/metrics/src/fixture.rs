//! Records for tests.

use std::sync::Arc;

use loadgen_core::{
    ChunkKind, Chunks, ConnectionFacts, Identity, Instants, Nanos, Outcome, Phase, RequestRecord,
    StampCounts, TokenCounts,
};

/// Start of every fixture, ns.
pub(crate) const START: Nanos = Nanos(1_700_000_000_000_000_000);

/// A successful request that started at [`START`], whose chunks came so many ms later: 32 tokens in,
/// 8 out, over a fresh connection (1.5 ms to connect, 0.5 ms to send, body from 10 to 62 ms).
pub(crate) fn ok(chunks_ms: &[i64]) -> RequestRecord {
    let at = |ms: f64| Some(START + (ms * 1e6) as i64);
    let chunk = |index: usize| chunks_ms.get(index).map(|&ms| START + ms * 1_000_000);
    let count = chunks_ms.len();
    RequestRecord {
        identity: Identity {
            request_id: uuid::Uuid::nil(),
            correlation_id: Arc::from("c"),
            session_id: Arc::from("s"),
            model: Arc::from("m"),
            url_index: 0,
            worker_id: 0,
            source_row: None,
            session_num: 0,
            turn_index: 0,
            phase: Phase::Profiling,
            phase_index: 0,
            hash_ids: None,
            labels: Vec::new(),
        },
        instants: Instants {
            scheduled: at(-0.25),
            released: at(-0.125),
            request_start: at(0.0),
            send_start: at(1.5),
            send_end: at(2.0),
            first_byte: at(9.0),
            headers: at(9.0),
            first_token: chunk(0),
            first_output_token: chunk(0),
            last_token: chunk(count.wrapping_sub(1)),
            end: at(63.0),
        },
        connection: ConnectionFacts {
            connection_id: Some(1),
            connect_ns: Some(1_500_000),
            request_bytes: 512,
            response_bytes: 2048,
            reads: 4,
            first_body: at(10.0),
            last_body: at(62.0),
            ..ConnectionFacts::default()
        },
        status: Some(200),
        outcome: Outcome::Ok,
        error: None,
        finish_reason: None,
        tokens: TokenCounts { input: Some(32), output: Some(8), ..TokenCounts::default() },
        stamps: StampCounts { kernel: 1, ..StampCounts::default() },
        chunks: Chunks {
            offset_ns: chunks_ms.iter().map(|ms| ms * 1_000_000).collect(),
            uncertainty_ns: vec![0; count],
            read_lag_ns: vec![20_000; count],
            tokens: vec![2; count],
            bytes: vec![200; count],
            kind: vec![ChunkKind::Text; count],
        },
        good: None,
        degraded: false,
        cancelled_at: None,
        images: 0,
        audio_ns: None,
    }
}

/// The same, so many ms later.
pub(crate) fn shifted(mut record: RequestRecord, ms: i64) -> RequestRecord {
    let by = ms * 1_000_000;
    let instants = &mut record.instants;
    for instant in [
        &mut instants.scheduled,
        &mut instants.released,
        &mut instants.request_start,
        &mut instants.send_start,
        &mut instants.send_end,
        &mut instants.first_byte,
        &mut instants.headers,
        &mut instants.first_token,
        &mut instants.first_output_token,
        &mut instants.last_token,
        &mut instants.end,
        &mut record.connection.first_body,
        &mut record.connection.last_body,
    ] {
        *instant = instant.map(|at| at + by);
    }
    record
}
