//! Real outputs of AIPerf, recomputed: from its per-request lines back to instants and counts, through
//! [`request_metrics`] and the [`Aggregator`], and compared with its own values and its own summary.
#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::BTreeSet;
use std::sync::Arc;

use loadgen_core::{
    ChunkKind, Chunks, ConnectionFacts, ErrorDetail, FailureKind, Identity, Instants, Nanos, Outcome, Phase,
    RequestRecord, StampCounts, TokenCounts, Usage,
};
use loadgen_metrics::{
    Aggregator, Metric, MetricConfig, MetricValue, PERCENTILES, SliceSummary, SloSet, SpillError, Stats,
    Summary, Window, Windows, request_metrics,
};
use serde_json::Value;

/// Figures that follow from the per-request lines.
const EXACT: f64 = 1e-9;
/// Figures that need the window, which AIPerf prints to the microsecond.
const BY_WINDOW: f64 = 1e-5;
/// Figures that AIPerf computes from wall-clock ns in 64-bit floats, good to 256 ns only.
const BY_WALL_CLOCK: f64 = 2e-3;

struct Golden {
    lines: Vec<Value>,
    summary: Value,
    config: MetricConfig,
    network_rtt_ns: Option<f64>,
}

fn load(lines: &str, summary: &str, config: MetricConfig) -> Golden {
    Golden {
        lines: lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect(),
        summary: serde_json::from_str(summary).unwrap(),
        config,
        network_rtt_ns: None,
    }
}

macro_rules! golden {
    ($name:literal, $config:expr) => {
        load(
            include_str!(concat!("data/", $name, ".jsonl")),
            include_str!(concat!("data/", $name, ".json")),
            $config,
        )
    };
}

fn streaming() -> MetricConfig {
    MetricConfig::default()
}

#[test]
fn a_streaming_run_with_goodput() {
    let slos = "time_to_first_token:34 inter_token_latency:20 output_token_throughput_per_user:50";
    let slos = SloSet::parse(slos, &streaming()).unwrap();
    let summary = golden!("chat_stream_goodput", MetricConfig { slos, ..streaming() }).check();
    assert_eq!(summary.get("good_request_count").unwrap().avg, Some(2.0));
    let curve = summary.goodput_curve.unwrap();
    assert_eq!(curve.bound_ms, Some(34.0));
    assert!(curve.points.is_sorted_by(|left, right| left.0 < right.0 && left.1 < right.1));
}

#[test]
fn a_run_without_streaming() {
    golden!("chat_nonstream", MetricConfig { streaming: false, ..streaming() }).check();
}

#[test]
fn a_run_in_which_a_third_failed() {
    let summary = golden!("some_fail500", streaming()).check();
    assert_eq!(summary.error_summary.len(), 1);
    let (error, count) = &summary.error_summary[0];
    assert_eq!((error.code, error.error_type.as_str(), *count), (Some(500), "Internal Server Error", 4));
    assert_eq!(summary.counts.errors(), 4);
}

#[test]
fn a_run_with_reasoning_and_cached_prompts() {
    golden!("reasoning", streaming()).check();
}

#[test]
fn a_replayed_schedule() {
    golden!("fixed_schedule", MetricConfig { fixed_schedule: true, ..streaming() }).check();
}

#[test]
fn a_run_without_the_networks_share() {
    let golden = golden!("netlat_mean", streaming());
    let summary = Golden { network_rtt_ns: Some(5e6), ..golden }.check();
    assert_eq!(summary.get("network_rtt").unwrap().avg, Some(5.0));
}

#[test]
fn slices_of_time() {
    let golden = load(include_str!("data/slice.jsonl"), "{}", streaming());
    let theirs: Value = serde_json::from_str(include_str!("data/slice_timeslices.json")).unwrap();
    let theirs = theirs["timeslices"].as_array().unwrap();
    let mut aggregator = Aggregator::new(golden.config.clone()).sliced(1_000_000_000);
    for line in &golden.lines {
        let record = golden.record(line);
        let metrics = request_metrics(&record, &golden.config);
        aggregator.push(&record, &metrics);
    }
    let mut slices: Vec<SliceSummary> = Vec::new();
    let mut keep = |slice: &SliceSummary| -> Result<(), SpillError> {
        slices.push(slice.clone());
        Ok(())
    };
    // Slices have bounds of their own.
    let window = Window { start: Nanos(0), end: Nanos(1) };
    aggregator.try_finish_slices(&Windows { profiling: window, warmup: None }, &mut keep).unwrap();
    assert_eq!((slices.len(), theirs.len()), (3, 3));
    for (slice, theirs) in slices.iter().zip(theirs) {
        for (ours, key) in [(slice.window.start, "start_ns"), (slice.window.end, "end_ns")] {
            // AIPerf's bounds went through a 64-bit float.
            assert!((ours.0 - theirs[key].as_i64().unwrap()).abs() <= 256, "{key}");
        }
        assert_eq!(theirs.get("is_complete").and_then(Value::as_bool), (!slice.is_complete).then_some(false));
        let shared = slice.metrics.iter().filter(|summary| !summary.metric.own);
        let ours: BTreeSet<&str> = shared.clone().map(|summary| summary.metric.tag).collect();
        let bounds = ["start_ns", "end_ns", "is_complete"];
        let tags = theirs.as_object().unwrap().keys().map(String::as_str);
        assert_eq!(ours, tags.filter(|tag| !bounds.contains(tag)).collect());
        for summary in shared {
            let tag = summary.metric.tag;
            assert_eq!(theirs[tag]["unit"], summary.metric.unit.label(), "{tag}");
            check_stats(tag, &summary.stats, &theirs[tag]);
        }
    }
}

impl Golden {
    fn check(&self) -> Summary {
        let mut aggregator = Aggregator::new(self.config.clone());
        aggregator.set_network_rtt_ns(self.network_rtt_ns);
        for line in &self.lines {
            let record = self.record(line);
            let metrics = request_metrics(&record, &self.config);
            let theirs: BTreeSet<&str> = metrics_of(line).map(|(tag, _)| tag).collect();
            let ours: BTreeSet<&str> = metrics.iter().map(|(metric, _)| metric.tag).collect();
            assert_eq!(ours, theirs);
            for (metric, value) in metrics.iter() {
                check_value(metric, &value, &line["metrics"][metric.tag]);
            }
            aggregator.push(&record, &metrics);
        }
        let at = |key: &str| Nanos(self.summary[key].as_i64().unwrap());
        let window = Window { start: at("start_time_ns"), end: at("end_time_ns") };
        let summary = aggregator.finish(&Windows { profiling: window, warmup: None });
        self.check_summary(&summary);
        summary
    }

    fn check_summary(&self, summary: &Summary) {
        let theirs = self.summary.as_object().unwrap();
        let theirs: Vec<_> = theirs.iter().filter(|(_, value)| value.get("unit").is_some()).collect();
        let shared = summary.metrics.iter().map(|summary| summary.metric).filter(|metric| !metric.own);
        let ours: BTreeSet<&str> = shared.map(|metric| metric.tag).collect();
        let tags: BTreeSet<&str> = theirs.iter().map(|(tag, _)| tag.as_str()).collect();
        assert_eq!(ours, tags);
        for (tag, figures) in theirs {
            let metric = Metric::of(tag).unwrap();
            assert_eq!(figures["unit"], metric.unit.label(), "{tag}");
            // Ours count from the trace's instants, AIPerf's from when its own timer fired.
            if self.config.fixed_schedule
                && ["credit_to_start_latency", "effective_latency"].contains(&tag.as_str())
            {
                continue;
            }
            check_stats(tag, summary.get(tag).unwrap(), figures);
        }
    }

    /// The record that AIPerf's line came from.
    fn record(&self, line: &Value) -> RequestRecord {
        let metadata = &line["metadata"];
        let ns = |key: &str| metadata[key].as_i64().map(Nanos);
        let start = ns("request_start_ns").unwrap();
        let ms = |tag: &str| Some((number(line, tag)? * 1e6).round() as i64);
        let count = |tag: &str| number(line, tag).map(|count| count as i64);

        let mut offsets: Vec<i64> = ms("time_to_first_token").or(ms("request_latency")).into_iter().collect();
        let gaps = line["metrics"]["inter_chunk_latency"]["value"].as_array();
        for gap in gaps.into_iter().flatten() {
            offsets.push(offsets.last().unwrap() + (gap.as_f64().unwrap() * 1e6).round() as i64);
        }
        let first_output = ms("time_to_first_output_token").map(|offset| start + offset);
        let kind = offsets
            .iter()
            .map(|&offset| match first_output {
                Some(first) if start + offset < first => ChunkKind::Reasoning,
                _ => ChunkKind::Text,
            })
            .collect();
        // AIPerf's sending begins before the connection is made.
        let send_end = ms("http_req_sending").map(|sending| start + sending);
        let first_body = send_end.zip(ms("http_req_waiting")).map(|(sent, waiting)| sent + waiting);
        let last_body = first_body.zip(ms("http_req_receiving")).map(|(first, receiving)| first + receiving);
        let kilobytes = |tag: &str| number(line, tag).map_or(0, |size| (size * 1024.0) as i64);
        let failed = line.get("error").is_some();
        let chunks = offsets.len();
        RequestRecord {
            identity: identity(metadata),
            instants: Instants {
                scheduled: self.due(metadata),
                request_start: Some(start),
                send_start: (!failed).then_some(start),
                send_end,
                first_token: offsets.first().map(|&offset| start + offset),
                first_output_token: first_output,
                last_token: ms("request_latency").map(|latency| start + latency),
                end: ns("request_end_ns"),
                ..Instants::default()
            },
            connection: ConnectionFacts {
                reused: number(line, "http_req_connection_reused") == Some(1.0),
                connect_ns: ms("http_req_connecting"),
                request_bytes: kilobytes("http_req_data_sent"),
                response_bytes: kilobytes("http_req_data_received"),
                reads: count("http_req_chunks_received").unwrap_or(0) as i32,
                first_body,
                last_body,
                ..ConnectionFacts::default()
            },
            status: None,
            outcome: if failed { Outcome::Failed(FailureKind::HttpError) } else { Outcome::Ok },
            error: line.get("error").map(error),
            finish_reason: None,
            tokens: TokenCounts {
                requested_output: requested(line),
                input: count("input_sequence_length").or(count("error_isl")),
                output: count("output_token_count"),
                reasoning: count("reasoning_token_count"),
                usage: Some(Usage {
                    prompt_tokens: count("usage_prompt_tokens"),
                    completion_tokens: count("usage_completion_tokens"),
                    total_tokens: count("usage_total_tokens"),
                    reasoning_tokens: count("usage_reasoning_tokens"),
                    prompt_cache_read_tokens: count("usage_prompt_cache_read_tokens"),
                    ..Usage::default()
                }),
            },
            stamps: StampCounts { user: 1, ..StampCounts::default() },
            chunks: Chunks {
                offset_ns: offsets,
                uncertainty_ns: vec![0; chunks],
                read_lag_ns: vec![0; chunks],
                tokens: vec![1; chunks],
                bytes: vec![0; chunks],
                kind,
            },
            good: None,
            degraded: false,
            cancelled_at: None,
            images: 0,
            audio_ns: None,
        }
    }

    /// AIPerf keeps no intended instant in its lines: its credit takes the place; of a replayed
    /// schedule the trace's own spacing is known.
    fn due(&self, metadata: &Value) -> Option<Nanos> {
        let credit = Nanos(metadata["credit_issued_ns"].as_i64()?);
        if !self.config.fixed_schedule {
            return Some(credit);
        }
        let first =
            self.lines.iter().map(|line| line["metadata"]["credit_issued_ns"].as_i64().unwrap()).min()?;
        Some(Nanos(first + metadata["session_num"].as_i64()? * 200_000_000))
    }
}

fn identity(metadata: &Value) -> Identity {
    Identity {
        request_id: metadata["x_request_id"].as_str().unwrap().parse().unwrap(),
        correlation_id: Arc::from(metadata["x_correlation_id"].as_str().unwrap()),
        session_id: Arc::from(metadata["conversation_id"].as_str().unwrap()),
        model: Arc::from("mock-model"),
        url_index: 0,
        worker_id: 0,
        source_row: None,
        session_num: metadata["session_num"].as_i64().unwrap(),
        turn_index: 0,
        phase: Phase::Profiling,
        phase_index: 0,
        hash_ids: None,
        labels: Vec::new(),
    }
}

fn error(error: &Value) -> ErrorDetail {
    ErrorDetail {
        code: error["code"].as_i64().map(|code| code as i32),
        error_type: error["type"].as_str().unwrap().to_owned(),
        message: error["message"].as_str().unwrap().to_owned(),
        cause: None,
        cause_chain: Vec::new(),
    }
}

/// The length asked for, from the length that came and by how much it missed.
fn requested(line: &Value) -> Option<i64> {
    let missed = number(line, "osl_mismatch_diff_pct")?;
    Some((number(line, "output_sequence_length")? / (1.0 + missed / 100.0)).round() as i64)
}

fn number(line: &Value, tag: &str) -> Option<f64> {
    line["metrics"][tag]["value"].as_f64()
}

fn metrics_of(line: &Value) -> impl Iterator<Item = (&str, &Value)> {
    line["metrics"].as_object().unwrap().iter().map(|(tag, value)| (tag.as_str(), value))
}

fn check_value(metric: &Metric, ours: &MetricValue, theirs: &Value) {
    assert_eq!(theirs["unit"], metric.unit.label(), "{}", metric.tag);
    let theirs = &theirs["value"];
    match ours {
        MetricValue::Int(value) => assert_eq!(theirs.as_i64(), Some(*value), "{}", metric.tag),
        // Without streaming AIPerf's duration runs on to the end of the body, which its lines lack.
        MetricValue::Float(value) if metric.tag == "http_req_duration" => {
            near(metric.tag, *value, theirs.as_f64().unwrap(), 1e-2);
        }
        MetricValue::Float(value) => near(metric.tag, *value, theirs.as_f64().unwrap(), 1e-14),
        MetricValue::List(values) => {
            let theirs: Vec<f64> =
                theirs.as_array().unwrap().iter().map(|gap| gap.as_f64().unwrap()).collect();
            assert_eq!(*values, theirs, "{}", metric.tag);
        }
    }
}

fn check_stats(tag: &str, ours: &Stats, theirs: &Value) {
    let tolerance = match tag {
        "request_throughput" | "goodput" => BY_WINDOW,
        _ if tag.ends_with("_token_throughput") && !tag.starts_with("e2e") => BY_WINDOW,
        "benchmark_duration" => BY_WINDOW,
        "http_req_duration" => 1e-2,
        "credit_to_start_latency" | "effective_latency" | "tokens_in_flight" => BY_WALL_CLOCK,
        _ if tag.starts_with("effective_") || tag.starts_with("active_") => BY_WALL_CLOCK,
        _ if tag.starts_with("replay_sched_lag") => BY_WALL_CLOCK,
        _ => EXACT,
    };
    let mut figures = vec![
        ("avg", ours.avg),
        ("min", ours.min),
        ("max", ours.max),
        ("std", ours.std),
        ("sum", ours.sum),
        ("count", ours.count.map(|count| count as f64)),
    ];
    let names = PERCENTILES.map(|percent| format!("p{percent}"));
    figures.extend(names.iter().map(String::as_str).zip(ours.percentiles));
    // AIPerf's instants are rounded: neighbouring gaps of one request overlap for an instant, or leave
    // one between them, and a last chunk comes before an end that is the same instant.
    let is_rounded = tag.contains("_decode_throughput") || tag == "tokens_in_flight";
    for (name, figure) in figures {
        if is_rounded && (name == "max" || name == "min") {
            continue;
        }
        match (figure, theirs.get(name).and_then(Value::as_f64)) {
            (Some(figure), Some(theirs)) => near(&format!("{tag}.{name}"), figure, theirs, tolerance),
            (None, None) => {}
            (ours, theirs) => panic!("{tag}.{name}: {ours:?}, AIPerf {theirs:?}"),
        }
    }
}

fn near(what: &str, ours: f64, theirs: f64, tolerance: f64) {
    let error = (ours - theirs).abs();
    assert!(error <= tolerance * theirs.abs().max(1e-3), "{what}: {ours}, AIPerf {theirs}");
}
