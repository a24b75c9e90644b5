//! The files against what GenAI-Perf's own tests and documentation show of them.
#![allow(clippy::unwrap_used)]
#![allow(clippy::default_trait_access, reason = "the crate does not name the type of a request id")]

use loadgen_core::{
    Chunks, ConnectionFacts, Identity, Instants, Labels, Nanos, Outcome, Phase, RequestRecord, StampCounts,
    TokenCounts,
};
use loadgen_metrics::{Aggregator, Metric, MetricConfig, MetricSummary, Stats, Summary, Window, Windows};
use serde_json::{Value, json};

use super::*;
use crate::console::figure;
use crate::gpu::{Gpu, GpuFigures, GpuMetric};

/// Three values one apart: the figures that numpy gives of 7, 8, 9 for a middle of 8.
fn around(middle: f64) -> Stats {
    let at = |rank: f64| Some(middle - 1.0 + 2.0 * rank / 100.0);
    Stats {
        avg: Some(middle),
        percentiles: [1.0, 5.0, 10.0, 25.0, 50.0, 75.0, 90.0, 95.0, 99.0].map(at),
        min: Some(middle - 1.0),
        max: Some(middle + 1.0),
        std: Some(0.816_496_580_927_726),
        count: Some(3),
        sum: Some(3.0 * middle),
    }
}

fn single(value: f64) -> Stats {
    Stats { avg: Some(value), ..Stats::default() }
}

fn summary() -> Summary {
    let metrics = [
        ("request_throughput", single(123.0)),
        ("request_latency", around(5.0)),
        ("request_count", single(3.0)),
        ("time_to_first_token", around(8.0)),
        ("time_to_second_token", around(2.0)),
        ("inter_token_latency", around(11.0)),
        ("output_token_throughput", single(1456.5)),
        ("output_token_throughput_per_user", around(5.0)),
        ("output_sequence_length", around(2.0)),
        ("input_sequence_length", around(6.0)),
        ("goodput", single(100.0)),
        // What GenAI-Perf does not have.
        ("inter_chunk_latency", around(3.0)),
    ];
    let metrics = metrics
        .into_iter()
        .map(|(tag, stats)| MetricSummary { metric: Metric::of(tag).unwrap(), stats })
        .collect();
    let nothing = Window { start: Nanos(0), end: Nanos(0) };
    let empty =
        Aggregator::new(MetricConfig::default()).finish(&Windows { profiling: nothing, warmup: None });
    Summary { metrics, ..empty }
}

fn sample() -> RequestRecord {
    RequestRecord {
        identity: Identity {
            request_id: Default::default(),
            correlation_id: "c".into(),
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
            labels: Labels::default(),
        },
        instants: Instants::default(),
        connection: ConnectionFacts::default(),
        status: Some(200),
        outcome: Outcome::Ok,
        error: None,
        finish_reason: None,
        tokens: TokenCounts::default(),
        stamps: StampCounts::default(),
        chunks: Chunks::default(),
        good: None,
        degraded: false,
        cancelled_at: None,
        images: 0,
        audio_ns: None,
    }
}

const STREAMING: GenaiPerfView<'_> = GenaiPerfView { streaming: true, produces_tokens: true, gpu: None };

#[test]
fn the_csv_file_of_streams_looks_as_genai_perf_writes_it() {
    let text = genai_perf_csv(&summary(), STREAMING);
    let lines: Vec<&str> = text.split("\r\n").collect();
    assert_eq!(
        lines,
        [
            "Metric,avg,min,max,p99,p95,p90,p75,p50,p25,p10,p5,p1",
            "Time To First Token (ms),8.00,7.00,9.00,8.98,8.90,8.80,8.50,8.00,7.50,7.20,7.10,7.02",
            "Time To Second Token (ms),2.00,1.00,3.00,2.98,2.90,2.80,2.50,2.00,1.50,1.20,1.10,1.02",
            "Request Latency (ms),5.00,4.00,6.00,5.98,5.90,5.80,5.50,5.00,4.50,4.20,4.10,4.02",
            "Inter Token Latency (ms),11.00,10.00,12.00,11.98,11.90,11.80,11.50,11.00,10.50,10.20,10.10,10.02",
            "Output Token Throughput Per User (tokens/sec/user),5.00,4.00,6.00,5.98,5.90,5.80,5.50,5.00,4.50,4.20,4.10,4.02",
            "Output Sequence Length (tokens),2.00,1.00,3.00,2.98,2.90,2.80,2.50,2.00,1.50,1.20,1.10,1.02",
            "Input Sequence Length (tokens),6.00,5.00,7.00,6.98,6.90,6.80,6.50,6.00,5.50,5.20,5.10,5.02",
            "",
            "Metric,Value",
            "Output Token Throughput (tokens/sec),\"1,456.50\"",
            "Request Throughput (per sec),123.00",
            "Request Goodput (per sec),100.00",
            "Request Count (count),3.00",
            "",
        ]
    );
}

#[test]
fn what_a_run_has_not_is_in_no_file() {
    let whole = GenaiPerfView { streaming: false, ..STREAMING };
    let text = genai_perf_csv(&summary(), whole);
    assert!(!text.contains("Time To") && !text.contains("Inter Token") && !text.contains("Per User"));
    assert!(text.contains("Output Sequence Length (tokens)"));
    let embeddings = GenaiPerfView { streaming: false, produces_tokens: false, gpu: None };
    let text = genai_perf_csv(&summary(), embeddings);
    assert_eq!(text.matches('\n').count(), 7, "{text}");
    assert!(!text.contains("okens"));
}

#[test]
fn the_json_file_has_genai_perfs_keys_in_its_order() {
    let config = json!({"model_names": ["m"]});
    let text = genai_perf_json(&summary(), STREAMING, &config);
    let file: serde_json::Map<String, Value> = serde_json::from_str(&text).unwrap();
    let keys: Vec<&String> = file.keys().collect();
    assert_eq!(keys[..10], JSON_ORDER[..10]);
    assert_eq!(file["request_goodput"], json!({"unit": "requests/sec", "avg": 100.0}));
    assert_eq!(file["request_count"], json!({"unit": "count", "avg": 3.0}));
    assert_eq!(file["input_config"], config);
    let stats: Vec<&String> = file["time_to_first_token"].as_object().unwrap().keys().collect();
    let order =
        ["unit", "avg", "p1", "p5", "p10", "p25", "p50", "p75", "p90", "p95", "p99", "min", "max", "std"];
    assert_eq!(stats, order);
    assert_eq!(keys.len(), 12, "nothing else: {keys:?}");
}

#[test]
fn thousands_are_parted() {
    for (value, text) in [
        (0.0, "0.00"),
        (999.999, "1,000.00"),
        (1234.5, "1,234.50"),
        (1e6, "1,000,000.00"),
        (-1234.0, "-1,234.00"),
    ] {
        assert_eq!(figure(Some(value)), text);
    }
}

#[test]
fn the_export_holds_the_instants_of_measured_successes() {
    let mut export = ProfileExport::new(Vec::new(), "v1/chat/completions", "concurrency", &json!(2)).unwrap();
    let mut record = sample();
    record.instants.request_start = Some(Nanos(100));
    record.instants.end = Some(Nanos(190));
    record.chunks.offset_ns = vec![10, 25];
    export.push(&record).unwrap();
    record.chunks.offset_ns.clear();
    export.push(&record).unwrap();
    record.identity.phase = Phase::Warmup;
    export.push(&record).unwrap();
    record.identity.phase = Phase::Profiling;
    record.outcome = Outcome::Aborted;
    export.push(&record).unwrap();
    let file: Value = serde_json::from_slice(&export.finish().unwrap()).unwrap();
    assert_eq!(file["endpoint"], "v1/chat/completions");
    assert_eq!(file["experiments"][0]["experiment"], json!({"mode": "concurrency", "value": 2}));
    let requests = file["experiments"][0]["requests"].as_array().unwrap();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[0]["timestamp"], 100);
    assert_eq!(requests[0]["response_timestamps"], json!([110, 125]));
    assert_eq!(requests[1]["response_timestamps"], json!([190]));
}

#[test]
fn gpus_have_a_table_and_a_section_of_their_own() {
    let mut power = loadgen_metrics::GaugeValues::default();
    for watts in [45.2, 46.5] {
        power.push(watts);
    }
    let reading = |field: &str, figures| GpuMetric {
        field: field.to_owned(),
        header: String::new(),
        unit: String::new(),
        figures,
    };
    let gpu = Gpu {
        url: "http://h:1/metrics".to_owned(),
        index: 0,
        name: None,
        uuid: None,
        platform: "nvidia".to_owned(),
        hostname: None,
        namespace: None,
        pod_name: None,
        metrics: vec![
            reading("nvidia_power_usage", GpuFigures::Gauge(power.stats().unwrap())),
            reading("nvidia_energy_consumption", GpuFigures::Counter(1.0)),
        ],
    };
    let telemetry = GpuTelemetry { gpus: vec![gpu], ..GpuTelemetry::default() };
    let view = GenaiPerfView { gpu: Some(&telemetry), ..STREAMING };
    let csv = genai_perf_csv(&summary(), view);
    let table = "\r\n\r\nMetric,GPU,avg,min,max,p99,p95,p90,p75,p50,p25\r\nGPU Power Usage (W),gpu0,45.85,45.20,46.50,46.49,46.44,46.37,46.17,45.85,45.53\r\n";
    assert!(csv.ends_with(table), "{csv}");
    let file: Value = serde_json::from_str(&genai_perf_json(&summary(), view, &json!({}))).unwrap();
    let stats = &file["telemetry_stats"];
    assert_eq!(stats["gpu_power_usage"]["unit"], "W");
    assert_eq!(stats["gpu_power_usage"]["gpu0"]["avg"], 45.85);
    assert_eq!(stats.as_object().unwrap().len(), 1);
}
