//! `telemetry_data`.

use loadgen_core::Nanos;
use loadgen_metrics::PERCENTILES;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{Gpu, GpuFigures, GpuTelemetry};
use crate::info::RunInfo;
use crate::server_metrics::{ScrapedPhase, phase_file, place_of};

/// GPU telemetry, in AIPerf's shape; the lists are empty where nothing was collected.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct TelemetryData {
    summary: TelemetrySummary,
    /// By where they are read (host, port and the path in front of `/metrics`), then GPU by GPU (`gpus`, `gpu_0`
    /// and so on), then metric by metric.
    #[schemars(with = "std::collections::BTreeMap<String, serde_json::Value>")]
    endpoints: Map<String, Value>,
    error_summary: Vec<Value>,
}

#[derive(Debug, Clone, Serialize, JsonSchema)]
struct TelemetrySummary {
    endpoints_configured: Vec<String>,
    endpoints_successful: Vec<String>,
    start_time: String,
    end_time: String,
}

/// The block; `window` stands in where the telemetry has none.
pub(crate) fn telemetry_data(gpu: &GpuTelemetry, window: (Nanos, Nanos), info: &RunInfo) -> TelemetryData {
    let (start, end) = gpu.window.unwrap_or(window);
    let mut endpoints = Map::new();
    for one in &gpu.gpus {
        let endpoint = endpoints.entry(place_of(&one.url)).or_insert_with(|| json!({ "gpus": {} }));
        endpoint["gpus"][format!("gpu_{}", one.index)] = gpu_value(one);
    }
    TelemetryData {
        summary: TelemetrySummary {
            endpoints_configured: gpu.configured.clone(),
            endpoints_successful: gpu.successful.clone(),
            start_time: info.local_time(start),
            end_time: info.local_time(end),
        },
        endpoints,
        error_summary: Vec::new(),
    }
}

fn gpu_value(gpu: &Gpu) -> Value {
    let mut value = Map::new();
    let mut set = |key: &str, text: Option<&String>| {
        if let Some(text) = text {
            value.insert(key.to_owned(), json!(text));
        }
    };
    set("gpu_name", gpu.name.as_ref());
    set("gpu_uuid", gpu.uuid.as_ref());
    set("platform", Some(&gpu.platform));
    set("hostname", gpu.hostname.as_ref());
    set("namespace", gpu.namespace.as_ref());
    set("pod_name", gpu.pod_name.as_ref());
    let metrics =
        gpu.metrics.iter().map(|metric| (metric.field.clone(), figures(&metric.unit, metric.figures)));
    let mut whole = Map::new();
    whole.insert("gpu_index".into(), json!(gpu.index));
    whole.extend(value);
    whole.insert("metrics".into(), Value::Object(metrics.collect()));
    Value::Object(whole)
}

fn figures(unit: &str, figures: GpuFigures) -> Value {
    let mut value = Map::new();
    value.insert("unit".into(), json!(unit));
    value.insert("avg".into(), json!(figures.avg()));
    if let GpuFigures::Gauge(gauge) = figures {
        for (percent, figure) in PERCENTILES.iter().zip(gauge.percentiles) {
            value.insert(format!("p{percent}"), json!(figure));
        }
        value.insert("min".into(), json!(gauge.min));
        value.insert("max".into(), json!(gauge.max));
        value.insert("std".into(), json!(gauge.std));
        value.insert("count".into(), json!(gauge.count));
        value.insert("sum".into(), json!(gauge.sum));
    }
    Value::Object(value)
}

/// The text of `phases/<name>/gpu_telemetry.json`.
pub fn gpu_phase(phase: ScrapedPhase<'_>, gpu: &GpuTelemetry, info: &RunInfo) -> String {
    let data = telemetry_data(gpu, (phase.start, phase.end), info);
    phase_file(phase, &serde_json::to_value(data).expect("text keys and finite numbers always serialize"))
}
