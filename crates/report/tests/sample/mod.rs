//! A run made up for looking at pages: 240 seconds of open-loop load with a burst in the middle that
//! the server does not keep up with. Everything is computed by formula, so it is the same every time.
//! What is not there for every run, [`Sample::with_telemetry`] adds.

mod beside;

use std::path::PathBuf;

use loadgen_core::{ErrorDetail, Nanos};
use loadgen_metrics::{
    Aggregator, Distribution, GoodputCurve, HostFacts, LagStats, Metric, MetricConfig, MetricSummary,
    OutcomeCounts, Quality, QualityInput, RunFacts, ScheduleFacts, SloSet, Stamps, Stats, Summary,
    TimelineBucket, TimelineData, TimestampSource, UncertainChunks, Window, Windows,
};
use loadgen_report::html::SliceTable;
use loadgen_report::server_metrics::ServerMetrics;
use loadgen_report::{Report, RunInfo, TimeZone};

const START: Nanos = Nanos(1_795_303_340_379_926_628);
const SECONDS: u32 = 240;

/// Everything a report needs, owned.
pub(crate) struct Sample {
    pub(crate) info: RunInfo,
    pub(crate) summary: Summary,
    pub(crate) slos: SloSet,
    pub(crate) quality: Quality,
    pub(crate) timeline: TimelineData,
    pub(crate) servers: Option<ServerMetrics>,
    pub(crate) slices: Option<SliceTable>,
    pub(crate) files: Vec<(String, PathBuf)>,
}

impl Sample {
    pub(crate) fn report(&self) -> Report<'_> {
        Report {
            info: &self.info,
            summary: &self.summary,
            slos: &self.slos,
            quality: Some(&self.quality),
            timeline: Some(&self.timeline),
            servers: self.servers.as_ref(),
            slices: self.slices.as_ref(),
            files: &self.files,
        }
    }

    pub(crate) fn new() -> Self {
        let slos = SloSet::parse("time_to_first_token:500 inter_token_latency:50", &MetricConfig::default())
            .expect("objectives that apply to streamed chat");
        let samples = latencies();
        let gaps: Vec<f64> = (0..4000).map(|i| 18.0 + 9.0 * noise(i) + 30.0 * noise(i + 9).powi(8)).collect();
        let whole: Vec<f64> = samples.iter().zip(&gaps).map(|(first, gap)| first + gap * 180.0).collect();
        let summary = summary(&samples, &gaps, &whole);
        Self {
            info: info(),
            slos,
            quality: quality(&summary),
            summary,
            timeline: timeline(),
            servers: None,
            slices: None,
            files: [
                ("CSV Export", "/data/run/profile_export_aiperf.csv"),
                ("JSON Export", "/data/run/profile_export_aiperf.json"),
                ("Parquet Export", "/data/run/profile_export.parquet"),
                ("HTML Report", "/data/run/report.html"),
            ]
            .map(|(label, path)| (label.to_owned(), PathBuf::from(path)))
            .to_vec(),
        }
    }
}

impl Sample {
    /// The same run, its server and its GPUs read beside it, and cut into slices.
    #[allow(dead_code, reason = "not every test that has the sample looks at it")]
    pub(crate) fn with_telemetry() -> Self {
        let mut sample = Self::new();
        sample.info.gpu = Some(beside::gpus());
        sample.summary.metrics.extend(beside::power());
        sample.servers = Some(beside::servers());
        sample.slices = Some(beside::slices());
        sample
    }
}

/// Between 0 and 1, without pattern for the eye.
fn noise(i: u32) -> f64 {
    let x = (f64::from(i) * 12.9898).sin() * 43758.5453;
    x - x.floor()
}

/// The burst: 0 outside it, 1 at its height, 150 seconds in.
fn burst(second: f64) -> f64 {
    (-((second - 150.0) / 28.0).powi(2)).exp()
}

fn latencies() -> Vec<f64> {
    (0..4000_u32)
        .map(|i| {
            let second = f64::from(i) / 4000.0 * f64::from(SECONDS);
            let spread = (noise(i) + noise(i + 7) + noise(i + 13)) / 3.0;
            90.0 + 260.0 * spread * spread + 900.0 * burst(second) * noise(i + 31).powi(2)
        })
        .collect()
}

fn info() -> RunInfo {
    let config = serde_json::json!({
        "models": {"items": [{"name": "meta-llama/Llama-3.1-70B-Instruct"}]},
        "endpoint": {"urls": ["http://10.0.0.7:8000"], "type": "chat", "streaming": true},
        "slos": {"time_to_first_token": 500.0, "inter_token_latency": 50.0}
    });
    RunInfo {
        loadgen_version: "0.1.0".to_owned(),
        benchmark_id: "3fbf379833fd".to_owned(),
        random_seed: Some(42),
        cli_command: "loadgen profile --url 'http://10.0.0.7:8000' --model 'meta-llama/Llama-3.1-70B-Instruct' \
                      --endpoint-type 'chat' --streaming --input-file 'mooncake_conversation.jsonl' \
                      --custom-dataset-type 'mooncake_trace' --fixed-schedule --fixed-schedule-end-offset 240000 \
                      --goodput 'time_to_first_token:500 inter_token_latency:50'"
            .to_owned(),
        input_config: config.as_object().cloned().unwrap_or_default(),
        time_zone: TimeZone::UTC,
        facts: [
            ("Model", "meta-llama/Llama-3.1-70B-Instruct"),
            ("Target", "http://10.0.0.7:8000"),
            ("Endpoint", "chat, streaming"),
            ("Load", "fixed schedule, 16.7 requests/s on average"),
            ("Workload", "mooncake_conversation.jsonl <first 240 s>"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec(),
        ..RunInfo::default()
    }
}

fn sorted(samples: &[f64]) -> Vec<f64> {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

fn moved(samples: &[f64], by: f64) -> Vec<f64> {
    samples.iter().map(|sample| sample + by).collect()
}

fn spread(samples: &[f64]) -> Stats {
    let sorted = sorted(samples);
    let n = sorted.len() as f64;
    let mean = sorted.iter().sum::<f64>() / n;
    let at = |percent: u8| sorted[((n - 1.0) * f64::from(percent) / 100.0) as usize];
    Stats {
        avg: Some(mean),
        percentiles: [1, 5, 10, 25, 50, 75, 90, 95, 99].map(|percent| Some(at(percent))),
        min: sorted.first().copied(),
        max: sorted.last().copied(),
        std: Some((sorted.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt()),
        count: Some(sorted.len() as u64),
        sum: Some(mean * n),
    }
}

fn summary(first: &[f64], gaps: &[f64], whole: &[f64]) -> Summary {
    let lengths: Vec<f64> = (0..4000).map(|i| (40.0 + 300.0 * noise(i + 3)).round()).collect();
    let prompts: Vec<f64> = (0..4000).map(|i| (700.0 + 9000.0 * noise(i + 5).powi(3)).round()).collect();
    let seconds = f64::from(SECONDS);
    let good = first.iter().zip(gaps).filter(|(f, g)| **f <= 500.0 && **g <= 50.0).count() as f64;
    let (ok, failed) = (first.len() as f64, 23.0);
    let figures = vec![
        ("request_throughput", Stats::scalar(ok / seconds)),
        ("request_latency", spread(whole)),
        ("request_count", Stats::scalar(ok)),
        ("time_to_first_token", spread(first)),
        ("time_to_second_token", spread(gaps)),
        ("inter_token_latency", spread(gaps)),
        ("output_token_throughput", Stats::scalar(lengths.iter().sum::<f64>() / seconds)),
        ("output_token_throughput_per_user", spread(&gaps.iter().map(|g| 1000.0 / g).collect::<Vec<_>>())),
        ("output_sequence_length", spread(&lengths)),
        ("input_sequence_length", spread(&prompts)),
        ("goodput", Stats::scalar(good / seconds)),
        ("good_request_count", Stats::scalar(good)),
        ("good_request_fraction", Stats::scalar(good / (ok + failed))),
        ("total_osl", Stats::scalar(lengths.iter().sum::<f64>())),
        ("benchmark_duration", Stats::scalar(seconds - 0.4)),
        ("completed_request_count", Stats::scalar(ok + failed)),
        ("request_error_rate", Stats::scalar(100.0 * failed / (ok + failed))),
        ("error_request_count", Stats::scalar(failed)),
        ("total_usage_prompt_tokens", Stats::scalar(prompts.iter().sum::<f64>())),
        ("usage_discrepancy_count", Stats::scalar(12.0)),
        ("osl_mismatch_count", Stats::scalar(310.0)),
        ("time_to_first_token_from_write", spread(&moved(first, -0.06))),
        ("time_to_first_token_from_schedule", spread(&moved(first, 0.02))),
        ("request_latency_from_write", spread(&moved(whole, -0.06))),
        ("request_latency_from_schedule", spread(&moved(whole, 0.02))),
    ];
    let error = |code, error_type: &str, message: &str| ErrorDetail {
        code,
        error_type: error_type.to_owned(),
        message: message.to_owned(),
        cause: None,
        cause_chain: Vec::new(),
    };
    let end = START + i64::from(SECONDS) * 1_000_000_000;
    let windows = Windows { profiling: Window { start: START, end }, warmup: None };
    let mut summary = Aggregator::new(MetricConfig::default()).finish(&windows);
    summary.metrics = figures
        .into_iter()
        .filter_map(|(tag, stats)| Some(MetricSummary { metric: Metric::of(tag)?, stats }))
        .collect();
    summary.error_summary = vec![
        (error(Some(503), "Service Unavailable", "{\"error\": {\"message\": \"<queue> is full\"}}"), 19),
        (error(None, "ConnectionReset", "connection reset by peer while reading the stream"), 4),
    ];
    summary.counts =
        OutcomeCounts { ok: 4000, http_error: 19, stream_error: 4, aborted: 7, ..OutcomeCounts::default() };
    summary.distributions = vec![
        distribution("time_to_first_token", first),
        distribution("inter_token_latency", gaps),
        distribution("inter_chunk_latency", gaps),
        distribution("request_latency", whole),
    ];
    summary.goodput_curve = Some(curve(first));
    summary
}

fn timeline() -> TimelineData {
    let buckets = (0..SECONDS)
        .map(|second| {
            let (t, i) = (f64::from(second), second);
            let first = 140.0 + 30.0 * noise(i) + 420.0 * burst(t);
            let gap = 19.0 + 2.0 * noise(i + 50) + 14.0 * burst(t);
            let started = (16.0 + 5.0 * noise(i + 2) + 12.0 * burst(t + 10.0)).round();
            let rate = 15.0 + 4.0 * noise(i + 8) + 3.0 * burst(t - 10.0);
            TimelineBucket {
                at_seconds: t,
                time_to_first_token_ms: (second % 61 != 60)
                    .then_some((first, first * (1.6 + 0.5 * noise(i + 4)))),
                inter_chunk_latency_ms: Some((gap, gap * (2.0 + 1.5 * noise(i + 6)))),
                started: started as u64,
                completed: rate as u64,
                failed: if burst(t) > 0.93 { 2 } else { 0 },
                tokens: (rate * 190.0) as u64,
                tokens_per_second: rate * 190.0,
                requests_per_second: rate,
                in_flight: 70.0 + 8.0 * noise(i + 12) + 160.0 * burst(t - 6.0),
            }
        })
        .collect();
    TimelineData { start: START, bucket_seconds: 1.0, buckets }
}

fn distribution(tag: &str, samples: &[f64]) -> Distribution {
    const BINS: usize = 48;
    let sorted = sorted(samples);
    let n = sorted.len();
    let (low, high, max) = (sorted[0], sorted[n * 995 / 1000], sorted[n - 1]);
    let width = (high - low) / BINS as f64;
    let mut bins: Vec<(f64, f64, u64)> =
        (0..BINS).map(|i| (low + width * i as f64, low + width * (i + 1) as f64, 0)).collect();
    bins.push((high, max, 0));
    for sample in &sorted {
        bins[(((sample - low) / width) as usize).min(BINS)].2 += 1;
    }
    let cdf = (0..=200)
        .map(|i| i * (n - 1) / 200)
        .map(|rank| (sorted[rank], (rank + 1) as f64 / n as f64))
        .collect();
    Distribution { metric: Metric::of(tag).expect("a tag of the registry"), bins, cdf }
}

fn curve(first: &[f64]) -> GoodputCurve {
    let sorted = sorted(first);
    let n = sorted.len();
    let points =
        (0..=120).map(|i| i * (n - 1) / 120).map(|rank| (sorted[rank], 0.98 * (rank + 1) as f64 / n as f64));
    GoodputCurve { points: points.collect(), bound_ms: Some(500.0) }
}

fn quality(summary: &Summary) -> Quality {
    let lag = |p50: f64| LagStats {
        count: 4023,
        avg_ms: p50 * 1.2,
        p50_ms: p50,
        p90_ms: p50 * 2.0,
        p99_ms: p50 * 4.5,
        p999_ms: p50 * 9.0,
        max_ms: p50 * 21.0,
        percentile_error: 0.0,
    };
    let host = HostFacts {
        wall_seconds: 241.2,
        cores: 8,
        process_cpu_seconds: Some(31.0),
        machine_busy_share: Some(0.14),
        steal_share: Some(0.0),
        worker_busy_shares: vec![0.021, 0.019, 0.023],
        ..HostFacts::default()
    };
    let schedule = ScheduleFacts { due: 4030, ..ScheduleFacts::default() };
    let facts = RunFacts { host, schedule, ..RunFacts::default() };
    let mut quality = QualityInput::new(false).judge(facts, summary);
    quality.timestamp_source = TimestampSource::Kernel;
    quality.stamps = Stamps { kernel: 760_000, ..Stamps::default() };
    quality.send_lag = Some(lag(0.017));
    quality.release_lateness = Some(lag(0.012));
    quality.read_lag = Some(lag(0.009));
    quality.uncertain_chunks = UncertainChunks {
        chunks: 760_000,
        uncertain: 1212,
        share: 0.0016,
        late: 76,
        late_share: 0.0001,
        width: Some(lag(0.04)),
    };
    quality.requests = summary.counts;
    quality.requested_rate = Some(16.76);
    quality.achieved_rate = Some(16.76);
    quality
}
