//! What was read beside the made-up run: a server, two GPUs, and its slices.

use loadgen_core::Nanos;
use loadgen_metrics::{
    CounterStats, GaugeStats, HistogramStats, Metric, MetricSummary, SeriesKind, SeriesName, SeriesStats,
    SliceSummary, Stats, Window,
};
use loadgen_report::gpu::{Gpu, GpuFigures, GpuMetric, GpuTelemetry};
use loadgen_report::html::SliceTable;
use loadgen_report::server_metrics::{ScrapedEndpoint, ScrapedSeries, ServerMetrics};

use super::{START, burst, noise, spread};

const SERVER: &str = "http://10.0.0.7:8000/metrics";
const EXPORTER: &str = "http://10.0.0.7:9400/metrics";

fn gauge(avg: f64, swing: f64) -> GaugeStats {
    let percentiles = [1, 5, 10, 25, 50, 75, 90, 95, 99].map(|p| avg + swing * (f64::from(p) / 50.0 - 1.0));
    let (min, max) = (avg - swing, avg + swing);
    GaugeStats { avg, min, max, std: swing / 2.0, percentiles, count: 720, sum: 720.0 * avg }
}

fn series(name: &str, kind: SeriesKind, labels: &[(&str, &str)], stats: SeriesStats) -> ScrapedSeries {
    let labels = labels.iter().map(|(label, value)| ((*label).to_owned(), (*value).to_owned())).collect();
    let name = SeriesName {
        endpoint: 0,
        name: name.to_owned(),
        kind,
        help: String::new(),
        labels,
        bounds: Vec::new(),
    };
    ScrapedSeries { url: SERVER.to_owned(), name, stats, slices: Vec::new() }
}

pub(super) fn servers() -> ServerMetrics {
    let counter = |total: f64| {
        SeriesStats::Counter(CounterStats { total, rate: Some(total / 240.0), slice_rates: None, resets: 0 })
    };
    let histogram = SeriesStats::Histogram(HistogramStats {
        count: 4000,
        sum: 812.0,
        count_rate: Some(16.7),
        sum_rate: Some(3.4),
        percentiles: Some([0.09, 0.11, 0.13, 0.16, 0.19, 0.24, 0.4, 0.61, 1.1]),
        buckets: None,
    });
    let model = [("model_name", "demo"), ("engine", "0")];
    let metrics = vec![
        series("vllm:kv_cache_usage_perc", SeriesKind::Gauge, &model, SeriesStats::Gauge(gauge(0.4, 0.3))),
        series("vllm:num_requests_waiting", SeriesKind::Gauge, &model, SeriesStats::Gauge(gauge(3.0, 3.0))),
        series("vllm:num_requests_swapped", SeriesKind::Gauge, &model, SeriesStats::Gauge(gauge(0.0, 0.0))),
        series("vllm:prompt_tokens", SeriesKind::Counter, &model, counter(2_048_000.0)),
        series("vllm:num_preemptions", SeriesKind::Counter, &model, counter(0.0)),
        series("vllm:time_to_first_token_seconds", SeriesKind::Histogram, &model, histogram),
    ];
    let span = (START, START + 240_000_000_000);
    let endpoint = ScrapedEndpoint {
        url: SERVER.to_owned(),
        fetches: 727,
        fetched: span,
        avg_latency_ms: 3.42,
        updates: 701,
        updated: span,
        median_interval_ms: Some(333.0),
    };
    ServerMetrics {
        configured: vec![SERVER.to_owned()],
        successful: vec![SERVER.to_owned()],
        endpoints: vec![endpoint],
        profiling: Some(span),
        warmup: None,
        metrics,
        warmup_metrics: Vec::new(),
    }
}

pub(super) fn gpus() -> GpuTelemetry {
    let gpu = |index: i64| {
        let metric = |field: &str, header: &str, unit: &str, figures| GpuMetric {
            field: field.to_owned(),
            header: header.to_owned(),
            unit: unit.to_owned(),
            figures,
        };
        Gpu {
            url: EXPORTER.to_owned(),
            index,
            name: Some("Example GPU X100".to_owned()),
            uuid: Some(format!("GPU-{index}")),
            platform: "nvidia".to_owned(),
            hostname: Some("node-7".to_owned()),
            namespace: None,
            pod_name: None,
            metrics: vec![
                metric(
                    "nvidia_power_usage",
                    "NVIDIA GPU Power Usage",
                    "W",
                    GpuFigures::Gauge(gauge(512.0, 140.0)),
                ),
                metric(
                    "nvidia_energy_consumption",
                    "NVIDIA Energy Consumption",
                    "MJ",
                    GpuFigures::Counter(0.0045),
                ),
                metric("nvidia_xid_errors", "NVIDIA XID Errors", "count", GpuFigures::Counter(0.0)),
            ],
        }
    };
    let silent = "http://10.0.0.8:9400/metrics".to_owned();
    GpuTelemetry {
        configured: vec![EXPORTER.to_owned(), silent],
        successful: vec![EXPORTER.to_owned()],
        window: None,
        gpus: vec![gpu(0), gpu(1)],
    }
}

fn scalar(tag: &str, figure: f64) -> MetricSummary {
    MetricSummary { metric: Metric::of(tag).expect("a metric of ours"), stats: Stats::scalar(figure) }
}

pub(super) fn power() -> Vec<MetricSummary> {
    [("nvidia_total_gpu_power", 1024.0), ("nvidia_energy_per_output_token", 341.5)]
        .map(|(tag, figure)| scalar(tag, figure))
        .into()
}

pub(super) fn slices() -> SliceTable {
    let mut table = SliceTable::default();
    for index in 0..8_u32 {
        let second = f64::from(index) * 32.0;
        let requests = 500.0 + 900.0 * burst(second + 16.0);
        let start = START + i64::from(index) * 32_000_000_000;
        let ttft = MetricSummary {
            metric: Metric::of("time_to_first_token").expect("a metric of ours"),
            stats: spread(&[90.0, 140.0 + 60.0 * noise(index), 400.0 + 800.0 * burst(second)]),
        };
        table.push(&SliceSummary {
            window: Window { start, end: Nanos(start.0 + 32_000_000_000) },
            is_complete: index < 7,
            metrics: vec![
                scalar("request_count", requests),
                scalar("request_throughput", requests / 32.0),
                ttft,
            ],
        });
    }
    table
}
