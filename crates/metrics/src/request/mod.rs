//! One record's metric values, by AIPerf's formulas, and by ours in [`origins`].
//!
//! `start` is the start of work on the request, `c[i]` the arrival of the i-th content chunk; all are
//! integer ns, so differences are exact. A metric whose inputs are missing is absent, never zero.

mod http;
mod origins;
mod usage;

use loadgen_core::{Instants, Nanos, Outcome, RequestRecord};

use crate::config::{MetricConfig, Thresholds};
use crate::metric::MetricId;
use crate::registry::id;
use crate::value::{Native, RequestMetrics};

const TTFT: MetricId = id!("time_to_first_token");
const TTST: MetricId = id!("time_to_second_token");
const TTFO: MetricId = id!("time_to_first_output_token");
const LATENCY: MetricId = id!("request_latency");
const DECODE: MetricId = id!("decode_duration");
const ITL: MetricId = id!("inter_token_latency");
const ICL: MetricId = id!("inter_chunk_latency");
const PER_USER: MetricId = id!("output_token_throughput_per_user");
const E2E: MetricId = id!("e2e_output_token_throughput");
const PREFILL: MetricId = id!("prefill_throughput_per_user");
const ISL: MetricId = id!("input_sequence_length");
const OSL: MetricId = id!("output_sequence_length");
const OUTPUT: MetricId = id!("output_token_count");
const REASONING: MetricId = id!("reasoning_token_count");
const OSL_DIFF: MetricId = id!("osl_mismatch_diff_pct");
const OSL_MISMATCH: MetricId = id!("osl_mismatch_count");
const GOOD: MetricId = id!("good_request_count");
const ERROR_ISL: MetricId = id!("error_isl");

/// Values under construction: drops what does not apply to the run.
struct Values<'a> {
    config: &'a MetricConfig,
    values: Vec<(MetricId, Native)>,
}

impl Values<'_> {
    fn put(&mut self, id: MetricId, value: Native) {
        if self.config.applies(id.metric()) {
            self.values.push((id, value));
        }
    }

    fn int(&mut self, id: MetricId, value: impl Into<Option<i64>>) {
        if let Some(value) = value.into() {
            self.put(id, Native::Int(value));
        }
    }

    /// Figures that are not finite (a division by zero) are absent.
    fn float(&mut self, id: MetricId, value: impl Into<Option<f64>>) {
        if let Some(value) = value.into().filter(|value: &f64| value.is_finite()) {
            self.put(id, Native::Float(value));
        }
    }
}

/// The metric values of one record. A successful one has all whose inputs are known; a failed one has
/// `error_isl` alone; one that the run's end cut off has none.
pub fn request_metrics(record: &RequestRecord, config: &MetricConfig) -> RequestMetrics {
    let mut values = Values { config, values: Vec::with_capacity(48) };
    if record.outcome != Outcome::Ok {
        if record.outcome.is_error() {
            values.int(ERROR_ISL, record.tokens.input);
        }
        return RequestMetrics::new(values.values);
    }
    let arrival = Arrivals::of(record);
    latencies(&mut values, record, &arrival);
    lengths(&mut values, record);
    images(&mut values, record, &arrival);
    audio(&mut values, record, &arrival);
    usage::push(&mut values, record);
    http::push(&mut values, record);
    origins::push(&mut values, record, &arrival);
    let mut metrics = RequestMetrics::new(values.values);
    if !config.slos.is_empty() {
        metrics.insert(GOOD, Native::Int(i64::from(config.slos.is_good(&metrics))));
    }
    metrics
}

fn latencies(values: &mut Values<'_>, record: &RequestRecord, arrival: &Arrivals) {
    let offsets = &record.chunks.offset_ns;
    let input = record.tokens.input;
    let output = record.tokens.output_sequence();

    values.int(TTFT, arrival.first);
    values.int(TTFO, arrival.first_output);
    values.int(LATENCY, arrival.last);
    if let [first, second, ..] = offsets[..] {
        values.int(TTST, second - first);
        values.put(ICL, Native::List(offsets.windows(2).map(|pair| pair[1] - pair[0]).collect()));
    }
    if let (Some(first), Some(last)) = (arrival.first, arrival.last) {
        let decode = last - first;
        values.int(DECODE, decode);
        // Tokens after the first chunk share the decode time; with fewer than two there are no gaps.
        if let Some(output) = output.filter(|&output| output >= 2) {
            let gap_ns = decode as f64 / (output - first_tokens(record, output)) as f64;
            values.float(ITL, gap_ns);
            values.float(PER_USER, 1e9 / gap_ns);
        }
    }
    values.float(E2E, per_second(output, arrival.last));
    values.float(PREFILL, per_second(input, arrival.first));
}

/// Only of requests that carry images.
fn images(values: &mut Values<'_>, record: &RequestRecord, arrival: &Arrivals) {
    let Some(latency_ns) = arrival.last.filter(|_| record.images > 0) else { return };
    let (count, latency_ns) = (f64::from(record.images), latency_ns as f64);
    values.int(id!("num_images"), i64::from(record.images));
    values.float(id!("image_throughput"), count / (latency_ns / 1e9));
    values.float(id!("image_latency"), latency_ns * 1e-6 / count);
}

/// Only of requests with a sound of known length.
fn audio(values: &mut Values<'_>, record: &RequestRecord, arrival: &Arrivals) {
    let Some(seconds) = record.audio_ns.filter(|ns| *ns > 0).map(|ns| ns as f64 / 1e9) else { return };
    values.float(id!("audio_duration"), seconds);
    if let Some(latency_ns) = arrival.last.filter(|latency_ns| *latency_ns > 0) {
        values.float(id!("rtfx"), seconds / (latency_ns as f64 / 1e9));
    }
}

/// How many tokens the first chunk brought: one, unless the server says it chunk by chunk
/// (`--per-chunk-usage`).
fn first_tokens(record: &RequestRecord, output: i64) -> i64 {
    let told = record.tokens.usage.as_ref().and_then(|usage| usage.first_chunk_tokens);
    told.filter(|first| (1..output).contains(first)).unwrap_or(1)
}

fn lengths(values: &mut Values<'_>, record: &RequestRecord) {
    let tokens = &record.tokens;
    let output = tokens.output_sequence();
    values.int(ISL, tokens.input);
    if values.config.produces_tokens {
        values.int(OSL, output);
    } else {
        // AIPerf's answer for endpoints that answer with no tokens: none, for each request.
        values.values.push((OSL, Native::Int(0)));
    }
    values.int(OUTPUT, tokens.output.filter(|&output| output != 0));
    values.int(REASONING, tokens.reasoning);
    if let (Some(output), Some(requested)) = (output, tokens.requested_output.filter(|&tokens| tokens > 0)) {
        let (missed, requested) = ((output - requested) as f64, requested as f64);
        values.float(OSL_DIFF, missed / requested * 100.0);
        let Thresholds { osl_mismatch_pct, osl_mismatch_tokens, .. } = values.config.thresholds;
        let allowed = (requested * (osl_mismatch_pct / 100.0)).min(osl_mismatch_tokens);
        values.int(OSL_MISMATCH, i64::from(missed.abs() > allowed));
    }
}

fn per_second(tokens: Option<i64>, nanoseconds: Option<i64>) -> Option<f64> {
    Some(tokens? as f64 / (nanoseconds.filter(|&nanoseconds| nanoseconds > 0)? as f64 / 1e9))
}

/// Arrivals of content, ns after the start. The instants outlive a dropped chunk list; where an
/// instant is missing the chunks tell.
struct Arrivals {
    first: Option<i64>,
    first_output: Option<i64>,
    last: Option<i64>,
}

impl Arrivals {
    fn of(record: &RequestRecord) -> Self {
        let instants = &record.instants;
        let since_start = |at: Option<Nanos>| Some(at?.since(instants.request_start?));
        let offsets = &record.chunks.offset_ns;
        let first_output = || {
            let answers = |kind: &loadgen_core::ChunkKind| *kind != loadgen_core::ChunkKind::Reasoning;
            offsets.get(record.chunks.kind.iter().position(answers)?).copied()
        };
        Self {
            first: since_start(instants.first_token).or_else(|| offsets.first().copied()),
            first_output: since_start(instants.first_output_token).or_else(first_output),
            last: since_start(instants.last_token).or_else(|| offsets.last().copied()),
        }
    }
}

/// When the request was due: AIPerf's credit. The intended instant, so that lateness of the client
/// counts; where none was intended, the instant the pacer let it go.
pub fn credit_issued(instants: &Instants) -> Option<Nanos> {
    instants.scheduled.or(instants.released)
}

/// When the request was over, for whatever counts time in flight. The arrival of the last byte; for a
/// request that broke off, the last thing known to have happened to it.
pub fn request_end(record: &RequestRecord) -> Option<Nanos> {
    let instants = &record.instants;
    let known = [
        instants.request_start,
        instants.send_start,
        instants.send_end,
        instants.first_byte,
        instants.headers,
        instants.last_token,
        instants.end,
        record.connection.last_body,
        record.cancelled_at,
    ];
    known.into_iter().flatten().max()
}

#[cfg(test)]
mod tests;
