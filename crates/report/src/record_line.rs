//! `profile_export.jsonl`: one line for each request, as AIPerf writes it.
//!
//! Requests that succeeded, failed or were cancelled by plan have a line; those that the run's end
//! cut off have none, as with AIPerf. Where AIPerf ends a request that got an HTTP error at its start,
//! `request_end_ns` here is when the answer really came, and without an answer when it was given up.

use loadgen_core::{ErrorDetail, Exchange, Outcome, Phase, RequestRecord};
use loadgen_metrics::{Metric, RequestMetrics, ShownValue, credit_issued};
use schemars::JsonSchema;
use serde::Serialize;

use crate::spec_decode::Drafts;
use crate::summary_json::ErrorFacts;
use crate::trace_data::TraceData;

/// Writes the records of one run.
#[derive(Debug, Clone)]
pub struct RecordLines {
    /// Seeds the names of workers: equal for equal runs and workers.
    benchmark_id: String,
    processor: String,
    /// The index of the first measured phase in the run.
    first_profiling: i32,
}

/// One line.
#[derive(JsonSchema)]
#[schemars(title = "a line of profile_export.jsonl")]
#[expect(dead_code, reason = "says what `RecordLines::write` writes")]
pub(crate) struct RecordLine<'a> {
    /// Who and when.
    metadata: Metadata<'a>,
    /// Metric values by tag.
    metrics: std::collections::BTreeMap<String, Measured>,
    /// What was seen of its connection; with --export-http-trace.
    #[schemars(skip_serializing_if = "Option::is_none")]
    trace_data: Option<TraceData<'a>>,
    /// What became of its drafts; where the server decodes speculatively and says so.
    #[schemars(skip_serializing_if = "Option::is_none")]
    spec_decode_acceptance: Option<Drafts<'a>>,
    /// Why it failed; absent on success.
    #[schemars(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorFacts<'a>>,
}

/// Who a request is, and when it happened. Instants are ns since the Unix epoch.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct Metadata<'a> {
    /// Number of the request within its phase, from 0.
    session_num: i64,
    /// One for each request; sent as X-Request-ID.
    x_request_id: String,
    /// One for each conversation; sent as X-Correlation-ID.
    x_correlation_id: &'a str,
    /// The conversation in the dataset.
    conversation_id: &'a str,
    /// Position in its conversation, from 0.
    turn_index: i32,
    /// When it was due.
    #[serde(skip_serializing_if = "Option::is_none")]
    credit_issued_ns: Option<i64>,
    /// When work on it began.
    request_start_ns: i64,
    /// When the head of a 2xx response was there.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_ack_ns: Option<i64>,
    /// Arrival of the last byte that was read.
    request_end_ns: i64,
    /// Which worker sent it.
    worker_id: String,
    /// What processed its record.
    record_processor_id: &'a str,
    /// `warmup` or `profiling`.
    benchmark_phase: &'static str,
    /// Position of its phase in the run, from 0.
    phase_index: i32,
    /// Position of its phase among the measured ones, from 0; absent on warm-up.
    #[serde(skip_serializing_if = "Option::is_none")]
    profiling_index: Option<i32>,
    /// Name of its phase.
    phase_name: &'static str,
    /// `warmup` or `profiling`.
    phase_kind: &'static str,
    /// Whether it was cancelled by plan.
    was_cancelled: bool,
    /// When that was.
    #[serde(skip_serializing_if = "Option::is_none")]
    cancellation_time_ns: Option<i64>,
    /// Always false: nothing is skipped for its length.
    context_overflow_skip: bool,
    /// Always 0: there are no sub-agents.
    agent_depth: u32,
    /// The conversation it came from: itself.
    root_correlation_id: &'a str,
}

/// A value and its unit.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "says what `write_metric` writes")]
struct Measured {
    value: Value,
    unit: &'static str,
}

/// Counts stay whole numbers; a metric of several events is a list.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "says what `write_metric` writes")]
enum Value {
    Int(i64),
    Float(f64),
    List(Vec<f64>),
}

impl RecordLines {
    /// For the run `benchmark_id`, whose measured phases begin at phase `first_profiling`.
    pub fn new(benchmark_id: &str, first_profiling: i32) -> Self {
        Self {
            benchmark_id: benchmark_id.to_owned(),
            processor: format!("record_processor_{:08x}", mix(benchmark_id, -1)),
            first_profiling,
        }
    }

    /// Appends the line, newline included, to `out`; `false`, and nothing appended, for a request that
    /// the run's end cut off.
    pub fn write(&self, record: &RequestRecord, metrics: &RequestMetrics, out: &mut Vec<u8>) -> bool {
        self.write_traced(record, metrics, None, out)
    }

    /// The same, with what was seen of the connection.
    pub fn write_traced(
        &self,
        record: &RequestRecord,
        metrics: &RequestMetrics,
        trace: Option<&Exchange>,
        out: &mut Vec<u8>,
    ) -> bool {
        if !record.outcome.is_reported() {
            return false;
        }
        out.extend_from_slice(b"{\"metadata\":");
        write_json(&self.metadata(record), out);
        out.extend_from_slice(b",\"metrics\":{");
        let mut is_first = true;
        for (metric, value) in metrics.shown() {
            // JSON cannot hold what is not finite. Figures of a list are whole nanoseconds, and are.
            if matches!(value, ShownValue::Float(value) if !value.is_finite()) {
                continue;
            }
            if !std::mem::take(&mut is_first) {
                out.push(b',');
            }
            write_metric(metric, value, out);
        }
        out.push(b'}');
        if let Some(exchange) = trace {
            out.extend_from_slice(b",\"trace_data\":");
            write_json(&TraceData::of(record, exchange), out);
        }
        if let Some(drafts) = Drafts::of(record) {
            out.extend_from_slice(b",\"spec_decode_acceptance\":");
            write_json(&drafts, out);
        }
        if let Some(error) = shown_error(record) {
            out.extend_from_slice(b",\"error\":");
            write_json(&ErrorFacts::from(error), out);
        }
        out.extend_from_slice(b"}\n");
        true
    }

    /// The line as a text of its own.
    pub fn line(&self, record: &RequestRecord, metrics: &RequestMetrics) -> Option<String> {
        let mut out = Vec::new();
        self.write(record, metrics, &mut out)
            .then(|| String::from_utf8(out).expect("JSON made from text is text"))
    }

    /// Who a request is, and when it happened.
    pub(crate) fn metadata<'a>(&'a self, record: &'a RequestRecord) -> Metadata<'a> {
        let (who, when) = (&record.identity, &record.instants);
        let due = credit_issued(when);
        let start = when.request_start.or(when.released).or(due).unwrap_or_default();
        let accepted = record.status.is_some_and(|status| (200..300).contains(&status));
        let cancelled = record.outcome == Outcome::Cancelled;
        let phase = who.phase.name();
        Metadata {
            session_num: who.session_num,
            x_request_id: who.request_id.to_string(),
            x_correlation_id: &who.correlation_id,
            conversation_id: &who.session_id,
            turn_index: who.turn_index,
            credit_issued_ns: due.map(|at| at.0),
            request_start_ns: start.0,
            request_ack_ns: when.headers.filter(|_| accepted && !cancelled).map(|at| at.0),
            request_end_ns: when.end.unwrap_or(start).0,
            worker_id: format!("worker_{:08x}", mix(&self.benchmark_id, who.worker_id)),
            record_processor_id: &self.processor,
            benchmark_phase: phase,
            phase_index: who.phase_index,
            profiling_index: (who.phase == Phase::Profiling)
                .then(|| (who.phase_index - self.first_profiling).max(0)),
            phase_name: phase,
            phase_kind: phase,
            was_cancelled: cancelled,
            cancellation_time_ns: record.cancelled_at.filter(|_| cancelled).map(|at| at.0),
            context_overflow_skip: false,
            agent_depth: 0,
            root_correlation_id: &who.correlation_id,
        }
    }
}

impl Metadata<'_> {
    /// When work on it began.
    pub(crate) fn request_start_ns(&self) -> i64 {
        self.request_start_ns
    }
}

/// Why a request failed. An error inside a response that counts as a success is no failure.
pub(crate) fn shown_error(record: &RequestRecord) -> Option<&ErrorDetail> {
    record.error.as_ref().filter(|_| record.outcome != Outcome::Ok)
}

/// `"tag":{"value":…,"unit":"…"}`. Tags and units have no character that JSON escapes. By hand, since
/// of all that a run writes this is most: a figure for each gap between chunks.
fn write_metric(metric: &Metric, value: ShownValue<'_>, out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(metric.tag.as_bytes());
    out.extend_from_slice(b"\":{\"value\":");
    match value {
        ShownValue::Int(value) => write_json(&value, out),
        ShownValue::Float(value) => write_json(&value, out),
        ShownValue::List(values) => {
            out.push(b'[');
            for (index, value) in values.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_json(&value, out);
            }
            out.push(b']');
        }
    }
    out.extend_from_slice(b",\"unit\":\"");
    out.extend_from_slice(metric.unit.label().as_bytes());
    out.extend_from_slice(b"\"}");
}

pub(crate) fn write_json(value: &impl Serialize, out: &mut Vec<u8>) {
    serde_json::to_writer(out, value)
        .expect("text keys and numbers always serialize, and memory takes every write");
}

/// FNV-1a over the run's id and a number: names that look like AIPerf's and do not change when a
/// report is rebuilt.
fn mix(benchmark_id: &str, number: i32) -> u32 {
    let bytes = benchmark_id.bytes().chain(number.to_le_bytes());
    bytes.fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use loadgen_metrics::REGISTRY;

    #[test]
    fn tags_and_units_need_no_escapes() {
        for metric in REGISTRY {
            let names = [metric.tag, metric.unit.label()].concat();
            assert_eq!(serde_json::json!(names).to_string(), format!("\"{names}\""));
        }
    }
}
