#![allow(clippy::unwrap_used)]

use std::ffi::OsString;

use super::super::resolve;
use super::*;
use crate::args::parse_profile;
use serde_json::{Value, json};

fn resolved(options: &[&str]) -> Result<(TelemetryPlan, TelemetryReport, Value, Vec<Notice>), String> {
    let head = ["loadgen", "profile", "-m", "m", "--url", "http://u:p@h:1/v1", "--tokenizer", "builtin"];
    let argv: Vec<OsString> = head.iter().chain(options).map(OsString::from).collect();
    let args = parse_profile(&argv, &[]).map_err(|error| error.to_string())?;
    let servers = Servers { urls: args.endpoint.urls.clone(), mock: false };
    let planned = resolve(&args, &argv, &Environment::default(), &servers);
    let planned = planned.map_err(|faults| faults.to_string())?;
    let report = planned.run.report;
    Ok((planned.run.telemetry, report.telemetry, report.input_config, planned.notices))
}

fn refusal(options: &[&str]) -> String {
    resolved(options).map(|_| ()).unwrap_err()
}

#[test]
fn servers_metrics_and_the_usual_gpus_are_read_by_default() {
    let (plan, report, echo, _) = resolved(&[]).unwrap();
    let server = plan.server_metrics.unwrap();
    assert_eq!(server.urls.iter().map(ToString::to_string).collect::<Vec<_>>(), ["http://h:1/v1/metrics"]);
    assert_eq!((server.timing.interval, server.timing.flush), (Duration::from_millis(333), Duration::ZERO));
    let gpu = plan.gpu.unwrap();
    assert_eq!((gpu.urls.len(), gpu.default_urls.len(), gpu.timing.flush), (0, 2, Duration::ZERO));
    assert!(plan.readiness.is_none() && plan.rtt.is_none() && plan.control == ControlHooks::default());
    assert_eq!(report.formats, ServerMetricsFormats::default());
    assert_eq!(echo["gpu_telemetry"], json!({ "enabled": true }));
    assert_eq!(echo["server_metrics"], json!({ "enabled": true, "urls": [], "formats": ["json", "csv"] }));
    assert_eq!(echo["network_latency"], json!({ "enabled": false }));
}

#[test]
fn what_is_named_is_read_too_and_each_only_once() {
    let (plan, report, echo, notices) = resolved(&[
        "--server-metrics",
        "h:1/v1",
        "http://g:2/metrics",
        "word",
        "--server-metrics-formats",
        "JSONL",
        "parquet",
        "--gpu-telemetry",
        "gpu:9400",
        "dashboard",
    ])
    .unwrap();
    let urls = plan.server_metrics.unwrap().urls;
    assert_eq!(
        urls.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["http://h:1/v1/metrics", "http://g:2/metrics"]
    );
    let formats = ServerMetricsFormats { json: false, csv: false, jsonl: true, parquet: true };
    assert_eq!((report.formats, report.gpu_urls), (formats, vec!["http://gpu:9400/metrics".to_owned()]));
    let gpu = json!({ "enabled": true, "urls": ["http://gpu:9400"], "collector": "dcgm", "mode": "realtime_dashboard" });
    assert_eq!(echo["gpu_telemetry"], gpu);
    assert_eq!(echo["server_metrics"]["urls"], json!(["http://h:1/v1/metrics", "http://g:2/metrics"]));
    let said = |what: &str| notices.iter().any(|notice| format!("{notice:?}").contains(what));
    assert!(said("\\\"word\\\" is passed over") && said("dashboard"), "{notices:?}");
}

#[test]
fn what_is_turned_off_is_left_alone() {
    let (plan, _, echo, _) = resolved(&["--no-server-metrics", "--no-gpu-telemetry"]).unwrap();
    assert!(plan.server_metrics.is_none() && plan.gpu.is_none());
    assert_eq!(
        (&echo["server_metrics"], &echo["gpu_telemetry"]),
        (&json!({ "enabled": false }), &json!({ "enabled": false }))
    );
}

#[test]
fn hooks_are_on_with_any_of_their_options() {
    let (plan, _, echo, _) = resolved(&[
        "--reset-kv-cache-path",
        "/flush",
        "--server-profiler-timeout-seconds",
        "5",
        "--wait-for-model-timeout",
        "20",
        "--wait-for-model-mode",
        "both",
        "--network-latency-automatic",
        "--network-latency-ping-interval",
        "0.5",
    ])
    .unwrap();
    let reset = plan.control.reset_kv_cache.unwrap();
    assert_eq!((reset.path.as_str(), reset.timeout), ("/flush", Duration::from_secs(30)));
    let profiler = plan.control.server_profiler.unwrap();
    assert_eq!((profiler.stop_path.as_str(), profiler.timeout), ("/stop_profile", Duration::from_secs(5)));
    let readiness = plan.readiness.unwrap();
    assert_eq!((readiness.mode, readiness.interval), (ReadinessMode::Both, Duration::from_secs(5)));
    assert_eq!(plan.rtt.unwrap().probe.interval, Duration::from_millis(500));
    let endpoint = &echo["endpoint"];
    assert_eq!(endpoint["reset_kv_cache"], json!({ "path": "/flush" }));
    assert_eq!(endpoint["server_profiler"], json!({ "timeout_seconds": 5.0 }));
    assert_eq!(
        (&endpoint["wait_for_model_timeout"], &endpoint["wait_for_model_mode"]),
        (&json!(20.0), &json!("both"))
    );
    assert_eq!(echo["network_latency"], json!({ "enabled": true, "ping_interval": 0.5 }));
}

#[test]
fn what_cannot_be_meant_is_refused_by_name() {
    for (options, says) in [
        (
            &["--wait-for-model-mode", "both"][..],
            "--wait-for-model-mode: nothing is waited for: add --wait-for-model-timeout",
        ),
        (&["--wait-for-model-interval", "2"], "--wait-for-model-interval: nothing is waited for"),
        (
            &["--wait-for-model-timeout", "1", "--wait-for-model-mode", "Any"],
            "\"Any\" is not known: expected models",
        ),
        (&["--reset-kv-cache-path", "flush"], "--reset-kv-cache-path: \"flush\" is no path"),
        (&["--server-metrics-formats", "xml"], "--server-metrics-formats: \"xml\" is not known"),
        (&["--server-metrics", "h:2", "--no-server-metrics"], "--no-server-metrics: not together with"),
        (&["--gpu-telemetry", "pynvml"], "run a DCGM exporter beside the server"),
        (&["--gpu-telemetry", "no-such-file.csv"], "--gpu-telemetry: no-such-file.csv cannot be read"),
        (&["--gpu-telemetry", "all"], "--gpu-telemetry: \"all\" is not known"),
        (&["--network-latency-ping-interval", "1"], "add --network-latency-automatic"),
        (
            &["--network-latency-automatic", "--network-latency-mean", "5"],
            "not together with --network-latency-mean",
        ),
    ] {
        let refusal = refusal(options);
        assert!(refusal.contains(says), "{options:?}: {refusal}");
    }
}
