//! The request that all parts work on: 64 chunks at 50 tokens/s, one token each.

use std::sync::Arc;

use loadgen_core::{
    ChunkKind, Chunks, ConnectionFacts, Identity, InputTokens, Instants, Nanos, Outcome, Phase, RawChunks,
    RawRecord, RequestRecord, StampCounts, TokenCounts,
};
use uuid::Uuid;

/// Chunks of a response.
pub(crate) const CHUNKS: usize = 64;
/// The text of each.
const WORD: &str = " token";
const START: Nanos = Nanos(1_700_000_000_000_000_000);
const TTFT_NS: i64 = 50_000_000;
const GAP_NS: i64 = 20_000_000;

/// The body of a streamed answer, an element for each event, as servers write them.
pub(crate) fn events() -> Vec<Vec<u8>> {
    let event = |json: String| format!("data: {json}\n\n").into_bytes();
    let id = "chatcmpl-0123456789abcdef0123456789abcdef";
    let chunk = |delta: &str| {
        format!(
            r#"{{"id":"{id}","object":"chat.completion.chunk","created":1700000000,"model":"demo","choices":[{{"index":0,"delta":{delta},"logprobs":null,"finish_reason":null}}]}}"#
        )
    };
    let mut events = vec![event(chunk(r#"{"role":"assistant","content":""}"#))];
    events.extend((0..CHUNKS).map(|_| event(chunk(&format!(r#"{{"content":"{WORD}"}}"#)))));
    events.push(b"data: [DONE]\n\n".to_vec());
    events
}

/// The request numbered `number`, as a worker hands it over.
pub(crate) fn raw(number: i64) -> RawRecord {
    let RequestRecord { identity, instants, connection, status, outcome, stamps, chunks, .. } =
        counted(number);
    let ends: Vec<u32> = (1..=CHUNKS as u32).map(|count| count * WORD.len() as u32).collect();
    RawRecord {
        identity,
        instants,
        connection,
        status,
        outcome,
        error: None,
        finish_reason: Some("stop".to_owned()),
        requested_output_tokens: Some(CHUNKS as u32),
        input_tokens: InputTokens::Exact(128),
        usage: None,
        stamps,
        chunks: RawChunks {
            offset_ns: chunks.offset_ns,
            uncertainty_ns: chunks.uncertainty_ns,
            read_lag_ns: chunks.read_lag_ns,
            kind: chunks.kind,
            bytes: chunks.bytes,
            reasoning_end: vec![0; CHUNKS],
            output_end: ends,
            reasoning: Vec::new(),
            output: WORD.repeat(CHUNKS).into_bytes(),
        },
        degraded: false,
        cancelled_at: None,
        images: 0,
        audio_ns: None,
        trail: None,
        exchange: None,
    }
}

/// The same with its tokens counted. No two numbers have the same times.
pub(crate) fn counted(number: i64) -> RequestRecord {
    let start = START + number * 1_000_003;
    let jitter = |index: usize| (number * 7_919 + index as i64 * 104_729) % 1_000_000;
    let offset_ns: Vec<i64> =
        (0..CHUNKS).map(|index| TTFT_NS + index as i64 * GAP_NS + jitter(index)).collect();
    let first = Some(start + offset_ns[0]);
    let last = Some(start + offset_ns[CHUNKS - 1]);
    RequestRecord {
        identity: Identity {
            request_id: Uuid::from_u128(number.unsigned_abs().into()),
            correlation_id: Arc::from("3f1c2b5e-0000-4000-8000-000000000000"),
            session_id: Arc::from("session_000123"),
            model: Arc::from("demo"),
            url_index: 0,
            worker_id: 0,
            source_row: None,
            session_num: number,
            turn_index: 0,
            phase: Phase::Profiling,
            phase_index: 0,
            hash_ids: None,
            labels: Vec::new(),
        },
        instants: Instants {
            scheduled: Some(start),
            released: Some(start + 20_000),
            request_start: Some(start),
            send_start: Some(start + 30_000),
            send_end: Some(start + 40_000),
            first_byte: first,
            headers: first,
            first_token: first,
            first_output_token: first,
            last_token: last,
            end: last,
        },
        connection: ConnectionFacts {
            connection_id: Some(number % 64),
            reused: true,
            request_bytes: 800,
            response_bytes: 15_000,
            reads: CHUNKS as i32,
            first_body: first,
            last_body: last,
            ..ConnectionFacts::default()
        },
        status: Some(200),
        outcome: Outcome::Ok,
        error: None,
        finish_reason: Some("stop".to_owned()),
        tokens: TokenCounts {
            requested_output: Some(CHUNKS as i64),
            input: Some(128),
            output: Some(CHUNKS as i64),
            ..TokenCounts::default()
        },
        stamps: StampCounts { kernel: CHUNKS as u32, ..StampCounts::default() },
        chunks: Chunks {
            offset_ns,
            uncertainty_ns: vec![0; CHUNKS],
            read_lag_ns: (0..CHUNKS).map(|index| 10_000 + jitter(index) / 100).collect(),
            tokens: vec![1; CHUNKS],
            bytes: vec![230; CHUNKS],
            kind: vec![ChunkKind::Text; CHUNKS],
        },
        good: None,
        degraded: false,
        cancelled_at: None,
        images: 0,
        audio_ns: None,
    }
}
