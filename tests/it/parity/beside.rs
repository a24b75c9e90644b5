//! What a server sees beside the load: control calls and scrapes of its metrics; and what comes of them.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::support::scripted::{Answer, Asked, Scripted, chat};
use crate::support::{Finished, Workspace, words};

const PLAIN: &str = "text/plain; version=0.0.4";

/// An inference server that answers chats wherever they are asked for, and whose metrics are pages by their number.
fn serving(page: impl Fn(u32) -> String + Send + 'static) -> Scripted {
    let scrapes = AtomicU32::new(0);
    Scripted::start(move |asked| match (asked.method.as_str(), asked.path.as_str()) {
        ("HEAD", "/metrics") => Answer::new(200, PLAIN, ""),
        ("GET", "/metrics") => Answer::new(200, PLAIN, page(scrapes.fetch_add(1, Ordering::Relaxed))),
        ("POST", path) if path.ends_with("/chat/completions") => chat(asked, &[" a", " b", " c"]),
        ("POST", _) => Answer::json(200, &json!({})),
        _ => Answer::json(404, &json!({})),
    })
}

fn is_chat(asked: &Asked) -> bool {
    asked.path.ends_with("/chat/completions")
}

/// Whether it says that AIPerf sends it.
fn is_of_the_load(asked: &Asked) -> bool {
    asked.header("user-agent") == Some("aiperf/0.13.0")
}

#[test]
fn each_origin_is_reset_before_all_else_and_profiled_around_the_measured_phase() {
    let server = serving(|_| "up 1\n".to_owned());
    let workspace = Workspace::new();
    let (first, second) = (format!("{}/v1/a", server.url()), format!("{}/v1/b", server.url()));
    let mut arguments = words(
        "--streaming --concurrency 1 --warmup-request-count 2 --request-count 4 --isl 10 --osl 3 \
         --reset-kv-cache --server-profiler --no-gpu-telemetry --api-key sk-1 -H X-Team:blue",
    );
    arguments.extend(["--url", &second]);
    workspace.profile_at(&first, &arguments).expect_code(0);
    let asked = server.asked();
    let of = |path: &str| -> Vec<usize> {
        asked.iter().enumerate().filter(|(_, asked)| asked.path == path).map(|(place, _)| place).collect()
    };
    assert_eq!(of("/reset_prefix_cache"), [0], "once, before anything else is asked");
    let (start, stop) = (of("/start_profile"), of("/stop_profile"));
    assert_eq!((start.len(), stop.len()), (1, 1), "both urls are of one origin");
    let chats: Vec<usize> =
        asked.iter().enumerate().filter(|(_, asked)| is_chat(asked)).map(|(place, _)| place).collect();
    assert_eq!(chats.len(), 6);
    assert!(chats.iter().all(|place| is_of_the_load(&asked[*place])));
    assert!(chats[1] < start[0] && start[0] < chats[2], "between warm-up and measured load");
    assert!(chats[5] < stop[0]);
    for place in [0, start[0], stop[0]] {
        let call = &asked[place];
        assert_eq!((call.method.as_str(), call.body.as_str()), ("POST", ""));
        assert_eq!(call.header("authorization"), Some("Bearer sk-1"));
        assert_eq!(call.header("x-team"), Some("blue"));
        assert!(!is_of_the_load(call));
    }
}

#[test]
fn metrics_are_asked_for_by_default_and_without_the_users_headers() {
    let run = |more: &str| {
        let server = serving(|_| "up 1\n".to_owned());
        let workspace = Workspace::new();
        let common = "--streaming --concurrency 1 --request-count 3 --isl 10 --osl 3 --no-gpu-telemetry \
                      --api-key sk-1 -H X-Team:blue";
        let arguments: Vec<&str> = [words(common), words(more)].concat();
        workspace.profile_at(&server.url(), &arguments).expect_code(0);
        let (load, beside): (Vec<_>, Vec<_>) = server.asked().into_iter().partition(is_chat);
        assert_eq!(load.len(), 3);
        let (scrapes, facts): (Vec<_>, Vec<_>) =
            beside.into_iter().partition(|asked| asked.path == "/metrics");
        // What a run notes of its server; AIPerf does not ask.
        let mut facts: Vec<&str> = facts.iter().map(|asked| asked.path.as_str()).collect();
        facts.sort_unstable();
        assert_eq!(facts, ["/v1/models", "/version"]);
        scrapes
    };
    let scrapes = run("");
    let methods: Vec<&str> = scrapes.iter().map(|scrape| scrape.method.as_str()).collect();
    assert_eq!(methods[0], "HEAD");
    assert!(methods.len() > 3, "at the start, around the load and at the end");
    for scrape in &scrapes {
        assert_eq!((scrape.header("authorization"), scrape.header("x-team")), (None, None));
        assert!(!is_of_the_load(scrape));
    }
    assert!(methods[1..].iter().all(|method| *method == "GET"), "{methods:?}");
    assert!(run("--no-server-metrics").is_empty());
}

#[test]
fn metrics_below_another_path_and_of_another_name_are_found() {
    let server = Scripted::start(|asked| match (asked.method.as_str(), asked.path.as_str()) {
        ("POST", _) => chat(asked, &[" a"]),
        ("HEAD", _) => Answer::new(200, PLAIN, ""),
        ("GET", "/v1/prometheus/metrics") => Answer::new(200, PLAIN, "up 1\n"),
        _ => Answer::json(200, &json!([])),
    });
    let workspace = Workspace::new();
    let arguments = words("--streaming --request-count 2 --isl 10 --osl 3 --no-gpu-telemetry");
    workspace.profile_at(&format!("{}/v1", server.url()), &arguments).expect_code(0);
    let asked = server.asked();
    let count = |path: &str| asked.iter().filter(|asked| asked.method == "GET" && asked.path == path).count();
    assert_eq!(count("/v1/metrics"), 1, "what is no exposition is asked once");
    assert!(count("/v1/prometheus/metrics") > 1, "and looked for elsewhere");
}

/// A page of each kind of family, what is skipped included. The counter stands high since the server's start.
fn families(nth: u32) -> String {
    format!(
        "# TYPE demo_requests_total counter
demo_requests_total {}
# TYPE demo_hits counter
demo_hits_total {nth}
# TYPE demo_running gauge
demo_running {}
# TYPE demo_nowhere gauge
demo_nowhere NaN
# TYPE demo_seconds histogram
demo_seconds_bucket{{le=\"0.1\"}} {}
demo_seconds_bucket{{le=\"+Inf\"}} {}
demo_seconds_sum {}
demo_seconds_count {}
# TYPE demo_restarted_seconds histogram
demo_restarted_seconds_bucket{{le=\"0.1\"}} {}
demo_restarted_seconds_bucket{{le=\"+Inf\"}} {}
demo_restarted_seconds_sum {nth}
demo_restarted_seconds_count {}
# TYPE demo_seconds_created gauge
demo_seconds_created 1.7e9
# TYPE process_uptime_seconds gauge
process_uptime_seconds {nth}
# TYPE demo_rpc summary
demo_rpc{{quantile=\"0.5\"}} 0.1
demo_rpc_sum 1
demo_rpc_count 10
",
        1_000_000 + 10 * nth,
        nth % 4,
        5 + nth,
        9 + 2 * nth,
        f64::from(nth) * 0.5,
        9 + 2 * nth,
        100_u32.saturating_sub(nth),
        100 + nth,
        100 + nth,
    )
}

/// The keys of an object, in their order.
fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn a_servers_metrics_are_what_changed_during_the_load() {
    let server = serving(families);
    let workspace = Workspace::new();
    let mut command = workspace.profiling(&server.url());
    // Many readings of a short run.
    command.env("AIPERF_SERVER_METRICS_COLLECTION_INTERVAL", "0.02");
    command.args(words(
        "--ui none --streaming --request-rate 50 --arrival-pattern constant --request-count 20 --isl 10 --osl 3 \
         --no-gpu-telemetry --server-metrics-formats json csv jsonl",
    ));
    Finished(command.output().unwrap()).expect_code(0);
    let results = workspace.results("out");
    let export = results.json("server_metrics_export.json");
    assert_eq!(
        keys(&export),
        [
            "schema_version",
            "aiperf_version",
            "benchmark_id",
            "summary",
            "metrics_phase",
            "metrics",
            "input_config"
        ]
    );
    let url = format!("{}/metrics", server.url());
    assert_eq!(
        keys(&export["summary"]["endpoint_info"][&url]),
        [
            "total_fetches",
            "first_fetch_ns",
            "last_fetch_ns",
            "avg_fetch_latency_ms",
            "unique_updates",
            "first_update_ns",
            "last_update_ns",
            "duration_seconds",
            "avg_update_interval_ms",
            "median_update_interval_ms"
        ]
    );
    let metrics = &export["metrics"];
    assert_eq!(
        keys(metrics),
        ["demo_hits_total", "demo_requests", "demo_restarted_seconds", "demo_running", "demo_seconds"],
        "no summary, nothing created or up, and no number that is none"
    );
    let stats = |name: &str| &metrics[name]["series"][0]["stats"];

    // The readings of the measured phase, and the last one before it.
    let lines: Vec<Value> = results
        .text("server_metrics_export.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let first = lines.iter().position(|line| line["benchmark_phase"] == "profiling").unwrap();
    assert!(first > 0 && lines.len() > first + 2, "{lines:?}");
    let read = |line: &Value, name: &str| line["metrics"][name][0]["value"].as_f64().unwrap();
    let last = lines.last().unwrap();
    let grown = read(last, "demo_requests") - read(&lines[first - 1], "demo_requests");
    assert_eq!(stats("demo_requests")["total"], grown, "not what it was since the server's start");
    assert!(grown > 0.0 && grown < 10.0 * lines.len() as f64);
    assert_eq!(metrics["demo_requests"]["type"], "counter");

    let running: Vec<f64> = lines[first..].iter().map(|line| read(line, "demo_running")).collect();
    let mean = running.iter().sum::<f64>() / running.len() as f64;
    let squares: f64 = running.iter().map(|value| (value - mean).powi(2)).sum();
    let std = (squares / (running.len() - 1) as f64).sqrt();
    assert!((stats("demo_running")["std"].as_f64().unwrap() - std).abs() < 1e-9, "over n - 1");

    assert_eq!(metrics["demo_hits_total"]["type"], "unknown", "its TYPE is of another name");
    assert!(stats("demo_hits_total")["avg"].is_f64());

    let histogram = keys(stats("demo_seconds"));
    assert_eq!(histogram[..5], ["count", "sum", "avg", "count_rate", "sum_rate"]);
    assert_eq!(
        histogram[5..],
        [1, 5, 10, 25, 50, 75, 90, 95, 99].map(|percent| format!("p{percent}_estimate"))
    );
    assert!(metrics["demo_seconds"]["series"][0]["buckets"].is_object());
    let restarted = &metrics["demo_restarted_seconds"]["series"][0];
    assert_eq!(restarted.get("buckets"), None, "a bucket went back");
    assert!(keys(&restarted["stats"]).iter().all(|key| !key.ends_with("_estimate")));
    let text = results.text("server_metrics_export.json") + &results.text("server_metrics_export.csv");
    assert!(!text.contains("NaN") && !text.contains("1000000"), "{text}");
}

/// Readings of GPUs before the exporter fails for good. However slow the host is, there are more: one before the
/// load, two at its start, two at its end.
const READINGS: usize = 4;

/// A page of a GPU exporter, without a counter of energy.
fn gpu_page(power: u32, load: u32) -> String {
    let labels = "gpu=\"0\",UUID=\"GPU-0\",device=\"nvidia0\",modelName=\"Fake X1\",Hostname=\"h\"";
    format!(
        "# TYPE DCGM_FI_DEV_POWER_USAGE gauge\nDCGM_FI_DEV_POWER_USAGE{{{labels}}} {power}\n\
         # TYPE DCGM_FI_DEV_GPU_UTIL gauge\nDCGM_FI_DEV_GPU_UTIL{{{labels}}} {load}\n"
    )
}

/// The window of GPU readings without the time for which they are read on, in seconds; its ends are local times.
fn window_s(summary: &Value) -> f64 {
    const GRACE_S: f64 = 0.666;
    let second_of_day = |key: &str| -> f64 {
        let (_, time) = summary[key].as_str().unwrap().split_once('T').unwrap();
        time.split(':').fold(0.0, |sum, part| 60.0 * sum + part.parse::<f64>().unwrap())
    };
    (second_of_day("end_time") - second_of_day("start_time")).rem_euclid(86_400.0) - GRACE_S
}

#[test]
fn energy_is_power_over_the_window_where_nothing_counts_it_and_a_lost_exporter_keeps_what_it_said() {
    let server = serving(|_| "up 1\n".to_owned());
    // Power changes from reading to reading, and the last reading fails.
    let readings = Arc::new(Mutex::new(Vec::new()));
    let said = Arc::clone(&readings);
    let exporter = Scripted::start(move |asked| {
        if asked.method == "HEAD" {
            return Answer::new(200, PLAIN, "");
        }
        let mut said = said.lock().unwrap();
        if said.len() == READINGS {
            return Answer::new(500, PLAIN, "gone\n");
        }
        let power = 100 + 10 * said.len() as u32;
        said.push(power);
        Answer::new(200, PLAIN, gpu_page(power, said.len() as u32))
    });
    let workspace = Workspace::new();
    let mut command = workspace.profiling(&server.url());
    command.env("AIPERF_GPU_COLLECTION_INTERVAL", "0.02");
    command.args(words(
        "--ui none --streaming --concurrency 2 --request-rate 50 --arrival-pattern constant --request-count 40 \
         --isl 10 --osl 3 --no-server-metrics --goodput time_to_first_token:100000 --gpu-telemetry",
    ));
    let exporter_url = format!("{}/gpu/metrics", exporter.url());
    command.args([exporter_url.as_str(), "http://127.0.0.1:9/metrics"]);
    Finished(command.output().unwrap()).expect_code(0);
    assert_eq!(readings.lock().unwrap().len(), READINGS, "it failed before the end");

    let summary = workspace.results("out").summary();
    let telemetry = &summary["telemetry_data"];
    assert_eq!(telemetry["summary"]["endpoints_successful"], json!([exporter_url]));
    assert_eq!(
        telemetry["summary"]["endpoints_configured"],
        json!([exporter_url, "http://127.0.0.1:9/metrics"]),
        "what was not reached stays"
    );
    let endpoints = &telemetry["endpoints"];
    assert_eq!(keys(endpoints), [format!("{}/gpu", exporter.address())]);
    let gauge =
        &endpoints[format!("{}/gpu", exporter.address())]["gpus"]["gpu_0"]["metrics"]["nvidia_power_usage"];
    assert!(gauge["count"].as_u64() >= Some(1), "{gauge}");

    let figures = |tag: &str| &summary[format!("nvidia_{tag}")];
    for (tag, unit) in [
        ("total_gpu_power", "W"),
        ("average_gpu_power", "W"),
        ("total_gpu_energy", "J"),
        ("energy_per_request", "joules/request"),
        ("energy_per_output_token", "mJ/token"),
        ("energy_per_total_token", "mJ/token"),
        ("energy_per_user", "joules/user"),
        ("output_tokens_per_joule", "tokens/J"),
        ("performance_per_watt", "requests/sec/W"),
        ("output_tps_per_watt", "tokens/sec/W"),
        ("goodput_per_watt", "good-req/s/W"),
        ("energy_delay_product", "J*s"),
    ] {
        assert_eq!(figures(tag)["unit"], unit, "{tag}");
        assert!(figures(tag)["avg"].as_f64() > Some(0.0), "{tag}");
    }
    let of = |tag: &str| figures(tag)["avg"].as_f64().unwrap();
    let energy = of("average_gpu_power") * window_s(&telemetry["summary"]);
    // The window is told to the microsecond.
    assert!((of("total_gpu_energy") - energy).abs() < 1e-4 * energy, "power times the window");
    assert!(keys(&summary).iter().all(|key| !key.starts_with("amd_")), "no vendor that is not there");
}
