//! Records for this crate's tests: plain ones, and any at all.

use std::sync::Arc;

use bytes::Bytes;
use loadgen_core::{
    BodyRead, CaptureScope, ChunkKind, Chunks, ConnectionFacts, ErrorDetail, Exchange, Identity, InputTokens,
    Instants, Nanos, Outcome, Phase, RawChunks, RawRecord, RequestRecord, Rope, StampCounts, Started, Step,
    TokenCounts, Usage,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use uuid::Uuid;

fn identity(number: u32) -> Identity {
    Identity {
        request_id: Uuid::from_u128(u128::from(number)),
        correlation_id: format!("correlation-{number}").into(),
        session_id: "session_000000".into(),
        model: "demo".into(),
        url_index: 0,
        worker_id: 0,
        source_row: Some(i64::from(number)),
        session_num: i64::from(number),
        turn_index: 0,
        phase: Phase::Profiling,
        phase_index: 0,
        hash_ids: Some(Arc::from([1_i64, 2, 3])),
        labels: vec![("class".into(), "short".into())],
    }
}

/// Request `number`, in flight.
pub(crate) fn started(number: u32) -> Started {
    let scheduled = Nanos(1_000_000_000 + i64::from(number));
    Started { identity: identity(number), scheduled, request_start: scheduled + 50_000 }
}

/// Request `number`, answered in `chunks` chunks, one every 20 ms.
pub(crate) fn raw_record(number: u32, chunks: usize) -> RawRecord {
    let started = started(number);
    RawRecord {
        identity: started.identity,
        instants: Instants {
            scheduled: Some(started.scheduled),
            request_start: Some(started.request_start),
            ..Instants::default()
        },
        connection: ConnectionFacts::default(),
        status: Some(200),
        outcome: Outcome::Ok,
        error: None,
        finish_reason: Some("stop".to_owned()),
        requested_output_tokens: Some(chunks as u32),
        input_tokens: InputTokens::Exact(512),
        usage: None,
        stamps: StampCounts { kernel: 1, ..StampCounts::default() },
        chunks: RawChunks {
            offset_ns: (1..=chunks as i64).map(|chunk| chunk * 20_000_000).collect(),
            uncertainty_ns: vec![0; chunks],
            read_lag_ns: vec![9_000; chunks],
            kind: vec![ChunkKind::Text; chunks],
            bytes: vec![180; chunks],
            reasoning_end: vec![0; chunks],
            output_end: (1..=chunks as u32).map(|chunk| chunk * 4).collect(),
            reasoning: Vec::new(),
            output: b"word".repeat(chunks),
        },
        degraded: false,
        cancelled_at: None,
        images: 0,
        audio_ns: None,
        trail: None,
        exchange: None,
    }
}

fn any_text() -> impl Strategy<Value = String> {
    vec(any::<char>(), 0..12).prop_map(String::from_iter)
}

prop_compose! {
    fn any_labels()(labels in vec((any_text(), any_text()), 0..3)) -> Vec<(Arc<str>, Arc<str>)> {
        labels.into_iter().map(|(key, value)| (key.into(), value.into())).collect()
    }
}

prop_compose! {
    fn any_identity()(
        id in any::<u128>(),
        texts in (any_text(), any_text(), any_text()),
        numbers in any::<(i32, i32, i32, i32)>(),
        rows in any::<(Option<i64>, i64)>(),
        is_warmup in any::<bool>(),
        hash_ids in option::of(vec(any::<i64>(), 0..5)),
        labels in any_labels(),
    ) -> Identity {
        Identity {
            request_id: Uuid::from_u128(id),
            correlation_id: texts.0.into(),
            session_id: texts.1.into(),
            model: texts.2.into(),
            url_index: numbers.0,
            worker_id: numbers.1,
            source_row: rows.0,
            session_num: rows.1,
            turn_index: numbers.2,
            phase: if is_warmup { Phase::Warmup } else { Phase::Profiling },
            phase_index: numbers.3,
            hash_ids: hash_ids.map(Into::into),
            labels,
        }
    }
}

fn any_instant() -> impl Strategy<Value = Option<Nanos>> {
    option::of(any::<i64>().prop_map(Nanos))
}

prop_compose! {
    fn any_instants()(at in vec(any_instant(), 11)) -> Instants {
        Instants {
            scheduled: at[0],
            released: at[1],
            request_start: at[2],
            send_start: at[3],
            send_end: at[4],
            first_byte: at[5],
            headers: at[6],
            first_token: at[7],
            first_output_token: at[8],
            last_token: at[9],
            end: at[10],
        }
    }
}

prop_compose! {
    fn any_connection()(
        optional in any::<(Option<i64>, Option<i64>, Option<i64>, Option<i64>, Option<i64>)>(),
        counts in any::<(bool, i64, i64, i32)>(),
    ) -> ConnectionFacts {
        ConnectionFacts {
            connection_id: optional.0,
            reused: counts.0,
            blocked_ns: optional.1,
            dns_ns: optional.2,
            connect_ns: optional.3,
            tls_ns: optional.4,
            request_bytes: counts.1,
            response_bytes: counts.2,
            reads: counts.3,
            first_body: None,
            last_body: None,
        }
    }
}

prop_compose! {
    fn any_error()(code in any::<Option<i32>>(), error_type in any_text(), message in any_text()) -> ErrorDetail {
        ErrorDetail { code, error_type, message, cause: None, cause_chain: Vec::new() }
    }
}

prop_compose! {
    /// Always with one count: a usage that says nothing is not told from none.
    fn any_usage()(prompt in any::<i64>(), counts in vec(any::<Option<i64>>(), 10)) -> Usage {
        Usage {
            prompt_tokens: Some(prompt),
            completion_tokens: counts[0],
            total_tokens: counts[1],
            reasoning_tokens: counts[2],
            prompt_cache_read_tokens: counts[3],
            prompt_cache_write_tokens: counts[4],
            prompt_cache_miss_tokens: counts[5],
            prompt_audio_tokens: counts[6],
            completion_audio_tokens: counts[7],
            accepted_prediction_tokens: counts[8],
            rejected_prediction_tokens: counts[9],
            // Metric columns of their own hold these.
            ..Usage::default()
        }
    }
}

fn any_outcome() -> impl Strategy<Value = Outcome> {
    proptest::sample::select(&Outcome::ALL[..])
}

fn any_kind() -> impl Strategy<Value = ChunkKind> {
    proptest::sample::select(&[ChunkKind::Text, ChunkKind::Reasoning, ChunkKind::Tool][..])
}

fn any_input_tokens() -> impl Strategy<Value = InputTokens> {
    let bytes = vec(any::<u8>(), 0..20).prop_map(Bytes::from);
    prop_oneof![
        any::<u32>().prop_map(InputTokens::Exact),
        bytes.clone().prop_map(|text| InputTokens::Count(vec![Rope::from(text)])),
        bytes.prop_map(InputTokens::CountJson),
        Just(InputTokens::Unknown),
    ]
}

prop_compose! {
    fn any_raw_chunks()(
        chunks in vec((any::<(i64, i64, i64)>(), any_kind(), any::<(i32, u32, u32)>()), 0..40),
        reasoning in vec(any::<u8>(), 0..40),
        output in vec(any::<u8>(), 0..200),
    ) -> RawChunks {
        RawChunks {
            offset_ns: chunks.iter().map(|chunk| chunk.0.0).collect(),
            uncertainty_ns: chunks.iter().map(|chunk| chunk.0.1).collect(),
            read_lag_ns: chunks.iter().map(|chunk| chunk.0.2).collect(),
            kind: chunks.iter().map(|chunk| chunk.1).collect(),
            bytes: chunks.iter().map(|chunk| chunk.2.0).collect(),
            reasoning_end: chunks.iter().map(|chunk| chunk.2.1).collect(),
            output_end: chunks.iter().map(|chunk| chunk.2.2).collect(),
            reasoning,
            output,
        }
    }
}

prop_compose! {
    fn any_exchange()(
        scope in any::<(bool, bool)>(),
        headers in vec((any_text(), any_text()), 0..4),
        bodies in (vec(any::<u8>(), 0..60), vec(any::<u8>(), 0..60)),
        reads in vec(any::<(i64, u32, u32)>(), 0..6),
        steps in (option::of(any::<(i64, i64)>()), option::of(any::<(i64, i64)>())),
        ends in (any::<Option<std::net::SocketAddrV4>>(), any::<Option<std::net::SocketAddrV4>>()),
        reason in option::of(any_text()),
        bodies_dropped in any::<bool>(),
    ) -> Exchange {
        let step = |(start, end)| Step { start: Nanos(start), end: Nanos(end) };
        let read = |(at, bytes, body_end)| BodyRead { at: Nanos(at), bytes, body_end, ends_at: None };
        Exchange {
            scope: CaptureScope { bodies: scope.0, trace: scope.1 },
            request_headers: headers.clone(),
            request_body: vec![bodies.0.into()],
            reason,
            response_headers: headers,
            reads: reads.into_iter().map(read).collect(),
            response_body: bodies.1,
            bodies_dropped,
            dns: steps.0.map(step),
            connect: steps.1.map(step),
            local: ends.0.map(Into::into),
            remote: ends.1.map(Into::into),
        }
    }
}

prop_compose! {
    /// Any record of a worker.
    pub(crate) fn any_raw_record()(
        who in (any_identity(), any_instants(), any_connection()),
        what in (any::<Option<i16>>(), any_outcome(), option::of(any_error()), option::of(any_text())),
        tokens in (any::<Option<u32>>(), any_input_tokens(), option::of(any_usage())),
        chunks in any_raw_chunks(),
        cancelled_at in any_instant(),
        exchange in option::of(any_exchange().prop_map(Box::new)),
    ) -> RawRecord {
        RawRecord {
            identity: who.0,
            instants: who.1,
            connection: who.2,
            status: what.0,
            outcome: what.1,
            error: what.2,
            finish_reason: what.3,
            requested_output_tokens: tokens.0,
            input_tokens: tokens.1,
            usage: tokens.2,
            stamps: StampCounts { kernel: 1, ..StampCounts::default() },
            chunks,
            degraded: false,
            cancelled_at,
            images: 0,
            audio_ns: None,
            trail: None,
            exchange,
        }
    }
}

prop_compose! {
    fn any_chunks()(
        chunks in vec((any::<(i64, i64, i64)>(), any::<(i32, i32)>(), any_kind()), 0..40),
    ) -> Chunks {
        Chunks {
            offset_ns: chunks.iter().map(|chunk| chunk.0.0).collect(),
            uncertainty_ns: chunks.iter().map(|chunk| chunk.0.1).collect(),
            read_lag_ns: chunks.iter().map(|chunk| chunk.0.2).collect(),
            tokens: chunks.iter().map(|chunk| chunk.1.0).collect(),
            bytes: chunks.iter().map(|chunk| chunk.1.1).collect(),
            kind: chunks.iter().map(|chunk| chunk.2).collect(),
        }
    }
}

prop_compose! {
    /// Any record that a file can hold in full.
    pub(crate) fn any_request_record()(
        who in (any_identity(), any_instants(), any_connection()),
        what in (any::<Option<i16>>(), any_outcome(), option::of(any_error()), option::of(any_text())),
        counts in any::<(Option<i64>, Option<i64>, Option<i64>, Option<i64>)>(),
        usage in option::of(any_usage()),
        chunks in option::weighted(0.9, any_chunks()),
        good in any::<Option<bool>>(),
    ) -> RequestRecord {
        RequestRecord {
            identity: who.0,
            instants: who.1,
            connection: who.2,
            status: what.0,
            outcome: what.1,
            error: what.2,
            finish_reason: what.3,
            tokens: TokenCounts {
                requested_output: counts.0,
                input: counts.1,
                output: counts.2,
                reasoning: counts.3,
                usage,
            },
            stamps: StampCounts::default(),
            degraded: chunks.is_none(),
            chunks: chunks.unwrap_or_default(),
            good,
            cancelled_at: None,
            images: 0,
            audio_ns: None,
        }
    }
}
