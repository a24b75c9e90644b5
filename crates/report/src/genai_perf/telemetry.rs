//! What GPUs said, as GenAI-Perf tells it: `telemetry_stats` of the JSON file, and a table of the CSV file.
//!
//! Readings that go up and down only: of energy GenAI-Perf shows the exporter's own count since it started,
//! which says nothing of a run.

use loadgen_metrics::GaugeStats;
use serde_json::{Map, Value, json};

use crate::console::figure;
use crate::gpu::{Gpu, GpuFigures, GpuTelemetry};

/// A reading: GenAI-Perf's name, its label, its unit, and the name here.
const READINGS: [(&str, &str, &str, &str); 8] = [
    ("gpu_power_usage", "GPU Power Usage", "W", "nvidia_power_usage"),
    ("gpu_utilization", "GPU Utilization", "%", "nvidia_gpu_utilization"),
    ("sm_utilization", "SM Utilization", "%", "nvidia_sm_utilization"),
    ("memory_copy_utilization", "Memory Copy Utilization", "%", "nvidia_memory_utilization"),
    ("video_encoder_utilization", "Video Encoder Utilization", "%", "nvidia_encoder_utilization"),
    ("video_decoder_utilization", "Video Decoder Utilization", "%", "nvidia_decoder_utilization"),
    ("gpu_memory_used", "GPU Memory Used", "GB", "nvidia_memory_used"),
    ("gpu_temperature", "GPU Temperature", "C", "nvidia_temperature"),
];

/// The places of p25, p50, p75, p90, p95 and p99 among [`GaugeStats::percentiles`].
const SHOWN: [(&str, usize); 6] = [("p25", 3), ("p50", 4), ("p75", 5), ("p90", 6), ("p95", 7), ("p99", 8)];

/// The readings of each GPU, by GenAI-Perf's names; `None` where there are none.
pub(super) fn telemetry_stats(telemetry: &GpuTelemetry) -> Option<Value> {
    let mut stats = Map::new();
    for (name, _, unit, field) in READINGS {
        let mut reading = Map::new();
        for (gpu, gauge) in gauges(telemetry, field) {
            let mut figures = Map::new();
            figures.insert("avg".to_owned(), json!(gauge.avg));
            for (percentile, place) in SHOWN {
                figures.insert(percentile.to_owned(), json!(gauge.percentiles[place]));
            }
            for (name, value) in [("min", gauge.min), ("max", gauge.max), ("std", gauge.std)] {
                figures.insert(name.to_owned(), json!(value));
            }
            reading.insert(gpu, Value::Object(figures));
        }
        if !reading.is_empty() {
            reading.insert("unit".to_owned(), json!(unit));
            stats.insert(name.to_owned(), Value::Object(reading));
        }
    }
    (!stats.is_empty()).then_some(Value::Object(stats))
}

/// The rows of the CSV file's table.
pub(super) fn rows(telemetry: &GpuTelemetry) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for (_, label, unit, field) in READINGS {
        for (gpu, gauge) in gauges(telemetry, field) {
            let figures = [gauge.avg, gauge.min, gauge.max].into_iter();
            let figures = figures.chain(SHOWN.iter().rev().map(|(_, place)| gauge.percentiles[*place]));
            rows.push(
                [format!("{label} ({unit})"), gpu]
                    .into_iter()
                    .chain(figures.map(|value| figure(Some(value))))
                    .collect(),
            );
        }
    }
    rows
}

/// A reading of every GPU that has it.
fn gauges<'a>(
    telemetry: &'a GpuTelemetry,
    field: &'a str,
) -> impl Iterator<Item = (String, GaugeStats)> + 'a {
    telemetry.gpus.iter().enumerate().filter_map(move |(place, gpu)| {
        let metric = gpu.metrics.iter().find(|metric| metric.field == field)?;
        let GpuFigures::Gauge(gauge) = metric.figures else { return None };
        Some((name(telemetry, place, gpu), gauge))
    })
}

/// `gpu0`; with several hosts, numbered on.
fn name(telemetry: &GpuTelemetry, place: usize, gpu: &Gpu) -> String {
    let is_one_host = telemetry.gpus.iter().all(|other| other.url == gpu.url);
    if is_one_host { format!("gpu{}", gpu.index) } else { format!("gpu{place}") }
}
