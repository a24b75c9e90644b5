//! Records for the tap's tests, and a sink that keeps them.
#![allow(clippy::unwrap_used)]

use std::sync::{Arc, Mutex};

use loadgen_core::{
    ChunkKind, ConnectionFacts, Identity, InputTokens, Instants, Nanos, Outcome, Phase, RawChunks, RawRecord,
    RecordSink, StampCounts, Started, StreamTrail,
};
use uuid::Uuid;

pub(super) fn identity(id: u128) -> Identity {
    Identity {
        request_id: Uuid::from_u128(id),
        correlation_id: "corr".into(),
        session_id: "s".into(),
        model: "m".into(),
        url_index: 0,
        worker_id: 0,
        source_row: None,
        session_num: 0,
        turn_index: 0,
        phase: Phase::Profiling,
        phase_index: 0,
        hash_ids: None,
        labels: Vec::new(),
    }
}

pub(super) fn started(at: i64, id: u128) -> Started {
    Started { identity: identity(id), scheduled: Nanos(at), request_start: Nanos(at) }
}

/// A record of a request begun at `start` with so many empty text chunks, all at the start.
pub(super) fn record(start: i64, chunks: usize) -> RawRecord {
    RawRecord {
        identity: identity(0),
        instants: Instants { request_start: Some(Nanos(start)), ..Instants::default() },
        connection: ConnectionFacts::default(),
        status: Some(200),
        outcome: Outcome::Ok,
        error: None,
        finish_reason: None,
        requested_output_tokens: None,
        input_tokens: InputTokens::Unknown,
        usage: None,
        stamps: StampCounts::default(),
        chunks: RawChunks {
            offset_ns: vec![0; chunks],
            uncertainty_ns: vec![0; chunks],
            read_lag_ns: vec![0; chunks],
            kind: vec![ChunkKind::Text; chunks],
            bytes: vec![0; chunks],
            reasoning_end: vec![0; chunks],
            output_end: vec![0; chunks],
            reasoning: Vec::new(),
            output: Vec::new(),
        },
        degraded: false,
        cancelled_at: None,
        images: 0,
        audio_ns: None,
        trail: None,
        exchange: None,
    }
}

/// A trail of a complete response whose chunks end at these positions, between the ends of
/// [`super::header::tests::segment`].
pub(super) fn trail(chunks: Vec<Option<u64>>) -> StreamTrail {
    let flow = super::header::tests::segment(false).flow;
    let last = chunks.iter().rev().find_map(|position| *position);
    StreamTrail {
        local: flow.local,
        remote: flow.remote,
        first_byte: Some(1),
        headers: Some(1),
        body: last.map(|last| (1, last)),
        end: last,
        chunks,
        anchor: None,
    }
}

/// A sink that keeps what it gets.
#[derive(Debug, Clone, Default)]
pub(super) struct Kept(Arc<Mutex<(usize, Vec<RawRecord>)>>);

impl Kept {
    pub(super) fn started(&self) -> usize {
        self.0.lock().unwrap().0
    }

    pub(super) fn finished(&self) -> usize {
        self.0.lock().unwrap().1.len()
    }
}

impl RecordSink for Kept {
    fn started(&mut self, _: &Started) {
        self.0.lock().unwrap().0 += 1;
    }

    fn finished(&mut self, record: RawRecord) {
        self.0.lock().unwrap().1.push(record);
    }
}
