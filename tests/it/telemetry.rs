//! What goes on beside a load, against the mock server's own metrics and hooks.

use serde_json::Value;

use crate::support::{Finished, Mock, Workspace, words};

/// What AIPerf says of the Parquet file of server metrics, with a rate.
const PARQUET_KEYS: [&str; 23] = [
    "schema_version",
    "version",
    "benchmark_id",
    "export_timestamp_utc",
    "exporter",
    "hostname",
    "python_version",
    "pyarrow_version",
    "time_filter_start_ns",
    "time_filter_end_ns",
    "profiling_duration_ns",
    "profiling_duration_seconds",
    "input_config",
    "model_names",
    "concurrency",
    "request_rate",
    "endpoint_urls",
    "endpoint_count",
    "label_columns",
    "label_count",
    "metric_count",
    "metric_type_counts",
    "schema_note",
];

fn json(workspace: &Workspace, name: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(workspace.path(name)).unwrap()).unwrap()
}

#[test]
fn a_servers_metrics_are_read_beside_the_load_and_reported_again_from_the_journal() {
    let workspace = Workspace::new();
    // One thread: each of the mock's answers for itself.
    let mock = Mock::start(&workspace, "fixed?ttft=1ms&itl=1ms");
    let options = "--streaming --concurrency 1 --request-rate 300 --warmup-request-count 2 --request-count 6 --isl 10 --osl 3 \
                   --server-metrics-formats json csv jsonl parquet --no-gpu-telemetry";
    workspace.profile(&mock, &words(options)).expect_code(0);
    let metrics = json(&workspace, "out/server_metrics_export.json");
    let url = format!("{}/metrics", mock.url);
    assert_eq!(metrics["summary"]["endpoints_successful"], serde_json::json!([url]));
    let fetches = metrics["summary"]["endpoint_info"][&url]["total_fetches"].as_u64().unwrap();
    // Before the run, at its start, at two boundaries of two phases, and at the end.
    assert!(fetches >= 7, "{fetches}");
    assert!(metrics["metrics"].as_object().unwrap().keys().any(|name| name.starts_with("vllm:")));
    // The load is what was asked for: scrapes are none of it.
    let summary = json(&workspace, "out/profile_export_aiperf.json");
    assert_eq!(summary["request_count"]["avg"], 6.0);

    let names =
        ["json", "csv", "jsonl", "parquet"].map(|format| format!("out/server_metrics_export.{format}"));
    let read = || names.clone().map(|name| std::fs::read(workspace.path(&name)).unwrap());
    let before = read();
    // AIPerf's keys, in the file's own list and in the schema that Arrow reads.
    for key in PARQUET_KEYS {
        let key = format!("aiperf.{key}").into_bytes();
        assert!(before[3].windows(key.len()).any(|bytes| bytes == key), "{}", String::from_utf8_lossy(&key));
    }
    let page = std::fs::read_to_string(workspace.path("out/report.html")).unwrap();
    assert!(
        page.contains("<h2>Server metrics</h2>") && page.contains("vllm:prompt_tokens"),
        "the page has them"
    );
    for name in &names {
        std::fs::remove_file(workspace.path(name)).unwrap();
    }
    workspace.run(&["report", "out"]).expect_code(0);
    assert!(read() == before, "the journal's folder makes the same files again");
}

#[test]
fn hooks_round_trips_and_the_models_name_come_from_the_server() {
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, "fixed?ttft=1ms&itl=1ms");
    let options = "--streaming --concurrency 2 --request-count 4 --isl 10 --osl 3 --ui none --tokenizer builtin \
                   --wait-for-model-timeout 30 --wait-for-model-mode both --reset-kv-cache --server-profiler \
                   --network-latency-automatic --no-server-metrics --no-gpu-telemetry --artifact-dir out";
    let mut command = workspace.loadgen();
    command.args(["profile", "--url", &mock.url]).args(words(options));
    let finished = Finished(command.output().unwrap()).expect_code(0);
    assert!(finished.stderr().contains("no --model is given: asking mock-model"), "{}", finished.stderr());
    let summary = json(&workspace, "out/profile_export_aiperf.json");
    assert_eq!(summary["request_count"]["avg"], 4.0, "the readiness request is none of them");
    let rtt = summary["network_rtt"]["avg"].as_f64().unwrap();
    let lines = std::fs::read_to_string(workspace.path("out/profile_export_network_latency.jsonl")).unwrap();
    let samples: Vec<f64> = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["rtt_ns"].as_f64().unwrap())
        .collect();
    assert!(samples.len() >= 5, "{lines}");
    let mean = samples.iter().sum::<f64>() / samples.len() as f64 / 1e6;
    assert!((rtt - mean).abs() < 1e-9 * mean, "{rtt} {mean}");
    assert!(!workspace.path("out/server_metrics_export.json").exists());
    assert!(summary.get("telemetry_data").is_none());
}
