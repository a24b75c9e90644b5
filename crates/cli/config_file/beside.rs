//! What a file asks for beside the load, as settings: GPUs, servers' own metrics, round trips.

use super::faults::Faults;
use super::schema::BENCHMARK;
use super::settings::{Setting, Settings, keys_below, section};
use super::shape::as_bool;
use super::yaml::Node;

/// GPUs.
pub(super) fn gpu_telemetry(benchmark: &Node, settings: &mut Settings) {
    let Some(gpu) = benchmark.get("gpu_telemetry").filter(|gpu| !gpu.is_null()) else { return };
    let path = "benchmark.gpu_telemetry";
    if is_disabled(gpu) {
        return settings.switch("--no-gpu-telemetry", path, gpu.at);
    }
    let mut items: Vec<String> =
        gpu.get("urls").map(Node::items).unwrap_or_default().iter().map(Node::to_string).collect();
    items.extend(gpu.get("metrics_file").filter(|file| !file.is_null()).map(Node::to_string));
    items.extend(gpu.get("collector").map(Node::to_string).filter(|collector| collector != "dcgm"));
    if gpu.get("mode").and_then(Node::text) == Some("realtime_dashboard") {
        items.push("dashboard".to_owned());
    }
    if !items.is_empty() {
        settings.list.push(Setting {
            flag: "--gpu-telemetry",
            values: items,
            path: path.to_owned(),
            at: gpu.at,
        });
    }
}

/// Servers' own metrics.
pub(super) fn server_metrics(benchmark: &Node, settings: &mut Settings, faults: &mut Faults) {
    let Some(metrics) = benchmark.get("server_metrics").filter(|metrics| !metrics.is_null()) else { return };
    let path = "benchmark.server_metrics";
    if is_disabled(metrics) {
        return settings.switch("--no-server-metrics", path, metrics.at);
    }
    let urls: Vec<String> =
        metrics.get("urls").map(Node::items).unwrap_or_default().iter().map(Node::to_string).collect();
    if !urls.is_empty() {
        let (path, at) = (path.to_owned(), metrics.at);
        settings.list.push(Setting { flag: "--server-metrics", values: urls, path, at });
    }
    section(metrics, keys_below(BENCHMARK, "server_metrics"), path, settings, faults);
}

/// Round trips.
pub(super) fn network_latency(benchmark: &Node, settings: &mut Settings, faults: &mut Faults) {
    let Some(latency) = benchmark.get("network_latency") else { return };
    let path = "benchmark.network_latency";
    let is_enabled = latency.get("enabled").and_then(as_bool) == Some(true);
    if is_enabled && latency.get("mean_ms").is_none_or(Node::is_null) {
        settings.switch("--network-latency-automatic", path, latency.at);
    }
    if is_enabled {
        section(latency, keys_below(BENCHMARK, "network_latency"), path, settings, faults);
    }
}

/// Whether a section is turned off.
fn is_disabled(node: &Node) -> bool {
    node.get("enabled").and_then(as_bool) == Some(false)
}
