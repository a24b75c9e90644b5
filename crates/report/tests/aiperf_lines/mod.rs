//! AIPerf's own per-request lines, read back as records of ours.

use loadgen_core::{
    ChunkKind, Chunks, ConnectionFacts, ErrorDetail, FailureKind, Identity, Instants, Nanos, Outcome, Phase,
    RequestRecord, StampCounts, TokenCounts, Usage,
};
use serde_json::Value;

/// One value a line.
pub(crate) fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The record that AIPerf's line tells of, as far as it does.
pub(crate) fn record(line: &Value) -> RequestRecord {
    let metadata = &line["metadata"];
    let instant = |key: &str| metadata[key].as_i64().map(Nanos);
    let ns = |tag: &str| line["metrics"][tag]["value"].as_f64().map(|ms| (ms * 1e6).round() as i64);
    let count = |tag: &str| line["metrics"][tag]["value"].as_i64();
    let start = instant("request_start_ns").unwrap();
    let mut offsets: Vec<i64> = ns("time_to_first_token").into_iter().collect();
    for gap in line["metrics"]["inter_chunk_latency"]["value"].as_array().into_iter().flatten() {
        offsets.push(offsets.last().unwrap() + (gap.as_f64().unwrap() * 1e6).round() as i64);
    }
    let chunks = offsets.len();
    let at = |offset: Option<&i64>| offset.map(|ns| start + *ns);
    let error = line.get("error").map(|error| ErrorDetail {
        code: error["code"].as_i64().map(|code| code as i32),
        error_type: error["type"].as_str().unwrap().to_owned(),
        message: error["message"].as_str().unwrap().to_owned(),
        cause: None,
        cause_chain: Vec::new(),
    });
    RequestRecord {
        identity: Identity {
            request_id: metadata["x_request_id"].as_str().unwrap().parse().unwrap(),
            correlation_id: metadata["x_correlation_id"].as_str().unwrap().into(),
            session_id: metadata["conversation_id"].as_str().unwrap().into(),
            model: "mock-model".into(),
            url_index: 0,
            worker_id: 0,
            source_row: None,
            session_num: metadata["session_num"].as_i64().unwrap(),
            turn_index: 0,
            phase: Phase::Profiling,
            phase_index: 0,
            hash_ids: None,
            labels: Vec::new(),
        },
        instants: Instants {
            scheduled: instant("credit_issued_ns"),
            request_start: Some(start),
            send_start: Some(start + 1_000),
            send_end: Some(start + 2_000),
            headers: instant("request_ack_ns"),
            first_token: at(offsets.first()),
            first_output_token: at(offsets.first()),
            last_token: at(offsets.last()),
            end: instant("request_end_ns"),
            ..Instants::default()
        },
        connection: ConnectionFacts {
            request_bytes: 296,
            response_bytes: 2081,
            reads: 12,
            first_body: Some(start + 20_000_000),
            last_body: instant("request_end_ns"),
            ..ConnectionFacts::default()
        },
        status: Some(if error.is_some() { 500 } else { 200 }),
        outcome: if error.is_some() { Outcome::Failed(FailureKind::HttpError) } else { Outcome::Ok },
        error,
        finish_reason: None,
        tokens: TokenCounts {
            requested_output: Some(8),
            input: count("input_sequence_length").or(count("error_isl")),
            output: count("output_token_count"),
            reasoning: None,
            usage: count("usage_prompt_tokens").map(|prompt| Usage {
                prompt_tokens: Some(prompt),
                completion_tokens: count("usage_completion_tokens"),
                total_tokens: count("usage_total_tokens"),
                ..Usage::default()
            }),
        },
        stamps: StampCounts { kernel: 1, ..StampCounts::default() },
        chunks: Chunks {
            offset_ns: offsets,
            uncertainty_ns: vec![0; chunks],
            read_lag_ns: vec![0; chunks],
            tokens: vec![1; chunks],
            bytes: vec![200; chunks],
            kind: vec![ChunkKind::Text; chunks],
        },
        good: None,
        degraded: false,
        cancelled_at: None,
        images: 0,
        audio_ns: None,
    }
}
