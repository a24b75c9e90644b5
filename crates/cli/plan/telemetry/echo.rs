//! What AIPerf's echo of the configuration says of the options about what goes on beside the load.

use std::time::Duration;

use loadgen_telemetry::MetricsUrl;
use serde_json::{Map, Value, json};

use super::is_csv;
use crate::args::telemetry::{ControlArgs, TelemetryArgs};
use crate::args::values::word;

/// What AIPerf echoes of it below `endpoint`.
pub(in crate::plan) fn echo_control(given: &ControlArgs, endpoint: &mut Value) {
    let mut set = |key: &str, value: Value| {
        endpoint[key] = value;
    };
    if let Some(timeout) = given.wait_for_model_timeout {
        set("wait_for_model_timeout", json!(timeout.as_secs_f64()));
    }
    if let Some(interval) = given.wait_for_model_interval {
        set("wait_for_model_interval", json!(interval.as_secs_f64()));
    }
    if let Some(mode) = &given.wait_for_model_mode {
        set("wait_for_model_mode", json!(word(mode)));
    }
    let seconds = |timeout: Option<Duration>| timeout.map(|timeout| json!(timeout.as_secs_f64()));
    let text = |path: &Option<String>| path.as_ref().map(|path| json!(loadgen_wire::redact_url(path)));
    let reset = [
        ("timeout_seconds", seconds(given.reset_kv_cache_timeout_seconds)),
        ("path", text(&given.reset_kv_cache_path)),
    ];
    let profiler = [
        ("timeout_seconds", seconds(given.server_profiler_timeout_seconds)),
        ("start_path", text(&given.server_profiler_start_path)),
        ("stop_path", text(&given.server_profiler_stop_path)),
    ];
    let as_given = |fields: &[(&str, Option<Value>)]| -> Map<String, Value> {
        fields.iter().filter_map(|(key, value)| Some(((*key).to_owned(), value.clone()?))).collect()
    };
    for (key, is_on, fields) in [
        ("reset_kv_cache", given.reset_kv_cache, as_given(&reset)),
        ("server_profiler", given.server_profiler, as_given(&profiler)),
    ] {
        if is_on || !fields.is_empty() {
            set(key, Value::Object(fields));
        }
    }
}

/// What AIPerf echoes of it at the top: `gpu_telemetry`, `server_metrics`, `network_latency`.
pub(in crate::plan) fn echo(given: &TelemetryArgs) -> [(&'static str, Value); 3] {
    let shown = |item: &String| loadgen_wire::redact_url(item).into_owned();
    let normal = |item: &String| MetricsUrl::parse(item).map_or_else(|_| shown(item), |url| url.to_string());
    let gpu = match &given.gpu_telemetry {
        _ if given.no_gpu_telemetry => json!({ "enabled": false }),
        None => json!({ "enabled": true }),
        Some(items) if items.is_empty() => json!({ "enabled": true }),
        Some(items) => {
            let with_scheme = |item: &String| {
                if item.contains("://") { shown(item) } else { format!("http://{}", shown(item)) }
            };
            let (files, urls): (Vec<&String>, Vec<&String>) =
                items.iter().filter(|item| word(item) != "dashboard").partition(|item| is_csv(item));
            let mut gpu =
                json!({ "enabled": true, "urls": urls.into_iter().map(with_scheme).collect::<Vec<_>>() });
            if let Some(file) = files.last() {
                gpu["metrics_file"] = json!(file);
            }
            gpu["collector"] = json!("dcgm");
            let is_shown_live = items.iter().any(|item| word(item) == "dashboard");
            gpu["mode"] = json!(if is_shown_live { "realtime_dashboard" } else { "summary" });
            gpu
        }
    };
    let server = if given.no_server_metrics {
        json!({ "enabled": false })
    } else {
        let urls: Vec<String> = given
            .server_metrics
            .iter()
            .flatten()
            .filter(|item| item.starts_with("http") || item.contains(':'))
            .map(normal)
            .collect();
        let formats = given.server_metrics_formats.as_ref().filter(|formats| !formats.is_empty());
        let formats: Vec<String> = formats.map_or_else(
            || vec!["json".to_owned(), "csv".to_owned()],
            |formats| formats.iter().map(|format| word(format)).collect(),
        );
        json!({ "enabled": true, "urls": urls, "formats": formats })
    };
    let is_adjusted = given.network_latency_automatic || given.network_latency_mean.is_some();
    let mut network = json!({ "enabled": is_adjusted });
    if let Some(interval) = given.network_latency_ping_interval {
        network["ping_interval"] = json!(interval.as_secs_f64());
    }
    if let Some(mean) = given.network_latency_mean {
        network["mean_ms"] = json!(mean);
    }
    [("gpu_telemetry", gpu), ("server_metrics", server), ("network_latency", network)]
}
