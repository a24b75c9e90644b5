//! From flags to what goes on beside the load.

use std::fs;
use std::path::Path;
use std::time::Duration;

use loadgen_run::{
    GpuPlan, LoadShape, RttPlan, ServerMetricsFormats, ServerMetricsPlan, TelemetryPlan, TelemetryReport,
};
use loadgen_telemetry::{
    CONTROL_TIMEOUT, ControlHooks, DEFAULT_GPU_URLS, MetricsUrl, Readiness, ReadinessMode, ResetKvCache,
    RttProbe, ScrapeTiming, ServerProfiler, custom_fields,
};
use loadgen_wire::Target;
use serde_json::{Map, Value, json};

use super::load::Load;
use super::{Environment, Faults, Notice, Servers};
use crate::args::ProfileArgs;
use crate::args::telemetry::{ControlArgs, TelemetryArgs};
use crate::args::values::{non_negative, word};

/// AIPerf's variables about what goes on beside the load.
#[derive(Debug, Clone)]
pub(crate) struct ScrapeEnvironment {
    server: ScrapeTiming,
    gpu: ScrapeTiming,
    gpu_grace_ns: i64,
    gpu_urls: Option<Vec<String>>,
    rtt: RttProbe,
}

impl Default for ScrapeEnvironment {
    fn default() -> Self {
        let server = ScrapeTiming {
            interval: Duration::from_millis(333),
            // AIPerf goes on reading for two seconds: here a run ends when its load does, with one last reading.
            flush: Duration::ZERO,
            patience: Duration::from_secs(30),
            first_patience: Duration::from_secs(10),
        };
        Self { server, gpu: server, gpu_grace_ns: 666_000_000, gpu_urls: None, rtt: RttProbe::default() }
    }
}

impl ScrapeEnvironment {
    /// Reads the variables through `value_of`.
    pub(super) fn read(value_of: &dyn Fn(&str) -> Option<String>, faults: &mut Faults) -> Self {
        let by_itself = Self::default();
        let mut number = |name: &str| faults.take(name, non_negative(value_of(name)?.trim()));
        let mut seconds = |name: &str, by_itself: Duration| {
            number(name).and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).unwrap_or(by_itself)
        };
        let ScrapeTiming { interval, flush, patience, first_patience } = by_itself.server;
        let server = ScrapeTiming {
            flush: seconds("AIPERF_SERVER_METRICS_COLLECTION_FLUSH_PERIOD", flush),
            interval: at_least_a_moment(seconds("AIPERF_SERVER_METRICS_COLLECTION_INTERVAL", interval)),
            first_patience: seconds("AIPERF_SERVER_METRICS_REACHABILITY_TIMEOUT", first_patience),
            patience: seconds("AIPERF_SERVER_METRICS_SCRAPE_TIMEOUT", patience),
        };
        let gpu = ScrapeTiming {
            interval: at_least_a_moment(seconds("AIPERF_GPU_COLLECTION_INTERVAL", interval)),
            first_patience: seconds("AIPERF_GPU_REACHABILITY_TIMEOUT", first_patience),
            ..by_itself.gpu
        };
        let rtt = RttProbe {
            make_up_within: seconds(
                "AIPERF_NETWORK_LATENCY_COMPLETE_TOPUP_TIMEOUT",
                by_itself.rtt.make_up_within,
            ),
            patience: seconds("AIPERF_NETWORK_LATENCY_CONNECT_TIMEOUT", by_itself.rtt.patience),
            interval: at_least_a_moment(seconds(
                "AIPERF_NETWORK_LATENCY_DEFAULT_PROBE_INTERVAL",
                by_itself.rtt.interval,
            )),
            least: number("AIPERF_NETWORK_LATENCY_MIN_SAMPLES")
                .map_or(by_itself.rtt.least, |least| least as u32),
        };
        let gpu_grace_ns =
            number("AIPERF_GPU_FINAL_SCRAPE_GRACE_NS").map_or(by_itself.gpu_grace_ns, |grace| grace as i64);
        let gpu_urls = value_of("AIPERF_GPU_DEFAULT_DCGM_ENDPOINTS").map(|text| urls_of(&text));
        Self { server, gpu, gpu_grace_ns, gpu_urls, rtt }
    }
}

/// Whether an item names a file of DCGM fields.
fn is_csv(item: &str) -> bool {
    Path::new(item).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv"))
}

/// A JSON list of texts, or texts parted by commas.
fn urls_of(text: &str) -> Vec<String> {
    serde_json::from_str(text).unwrap_or_else(|_| {
        text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
    })
}

/// Asking without a pause would be load.
fn at_least_a_moment(interval: Duration) -> Duration {
    interval.max(Duration::from_millis(10))
}

/// What goes on beside the load, and what reporting needs to know of it.
pub(super) struct Beside {
    pub(super) plan: TelemetryPlan,
    pub(super) report: TelemetryReport,
}

/// Resolves all of it.
pub(super) fn beside(
    args: &ProfileArgs,
    environment: &Environment,
    servers: &Servers,
    targets: &[Target],
    load: &Load,
    faults: &mut Faults,
    notices: &mut Vec<Notice>,
) -> Beside {
    let scrapes = &environment.scrapes;
    let given = &args.telemetry;
    let mut report = TelemetryReport {
        formats: formats(given, faults),
        gpu_grace_ns: scrapes.gpu_grace_ns,
        concurrency: match load.profiling.shape {
            LoadShape::Closed { concurrency } => Some(concurrency),
            LoadShape::FixedSchedule { cap } | LoadShape::Rate { cap, .. } => cap,
        },
        ..TelemetryReport::default()
    };
    let gpu = gpu(given, scrapes, &mut report, faults, notices);
    let plan = TelemetryPlan {
        readiness: readiness(&args.control, faults),
        control: control(&args.control, faults),
        server_metrics: server_metrics(given, scrapes, servers, targets, faults, notices),
        gpu,
        rtt: round_trips(given, scrapes, faults),
    };
    Beside { plan, report }
}

fn readiness(given: &ControlArgs, faults: &mut Faults) -> Option<Readiness> {
    let mode = match given.wait_for_model_mode.as_deref().map(word).as_deref() {
        None | Some("inference") => ReadinessMode::Inference,
        Some("models") => ReadinessMode::Models,
        Some("both") => ReadinessMode::Both,
        Some(other) => {
            let typed = given.wait_for_model_mode.as_deref().unwrap_or(other);
            faults.add(
                "--wait-for-model-mode",
                format!("{typed:?} is not known: expected models, inference or both"),
            );
            ReadinessMode::Inference
        }
    };
    let by_itself = Duration::from_secs(5);
    let interval = given.wait_for_model_interval.unwrap_or(by_itself);
    let timeout = given.wait_for_model_timeout.unwrap_or_default();
    if timeout.is_zero() {
        for (is_given, flag) in [
            (mode != ReadinessMode::Inference, "--wait-for-model-mode"),
            (interval != by_itself, "--wait-for-model-interval"),
        ] {
            if is_given {
                faults.add(flag, "nothing is waited for: add --wait-for-model-timeout SECONDS");
            }
        }
        return None;
    }
    Some(Readiness { mode, timeout, interval })
}

fn control(given: &ControlArgs, faults: &mut Faults) -> ControlHooks {
    let mut path = |flag: &str, given: Option<&String>, by_itself: String| match given {
        Some(path) if !path.starts_with('/') => {
            faults.add(flag, format!("{path:?} is no path: it begins with a slash, such as {by_itself}"));
            by_itself
        }
        Some(path) => path.clone(),
        None => by_itself,
    };
    let resets = given.reset_kv_cache
        || given.reset_kv_cache_path.is_some()
        || given.reset_kv_cache_timeout_seconds.is_some();
    let reset = ResetKvCache::default();
    let reset = ResetKvCache {
        path: path("--reset-kv-cache-path", given.reset_kv_cache_path.as_ref(), reset.path),
        timeout: given.reset_kv_cache_timeout_seconds.unwrap_or(CONTROL_TIMEOUT),
    };
    let profiles = given.server_profiler
        || given.server_profiler_start_path.is_some()
        || given.server_profiler_stop_path.is_some()
        || given.server_profiler_timeout_seconds.is_some();
    let profiler = ServerProfiler::default();
    let profiler = ServerProfiler {
        start_path: path(
            "--server-profiler-start-path",
            given.server_profiler_start_path.as_ref(),
            profiler.start_path,
        ),
        stop_path: path(
            "--server-profiler-stop-path",
            given.server_profiler_stop_path.as_ref(),
            profiler.stop_path,
        ),
        timeout: given.server_profiler_timeout_seconds.unwrap_or(CONTROL_TIMEOUT),
    };
    ControlHooks { reset_kv_cache: resets.then_some(reset), server_profiler: profiles.then_some(profiler) }
}

fn formats(given: &TelemetryArgs, faults: &mut Faults) -> ServerMetricsFormats {
    let Some(named) = given.server_metrics_formats.as_ref().filter(|named| !named.is_empty()) else {
        return ServerMetricsFormats::default();
    };
    let mut formats = ServerMetricsFormats { json: false, csv: false, jsonl: false, parquet: false };
    for name in named {
        match word(name.trim()).as_str() {
            "json" => formats.json = true,
            "csv" => formats.csv = true,
            "jsonl" => formats.jsonl = true,
            "parquet" => formats.parquet = true,
            _ => faults.add(
                "--server-metrics-formats",
                format!("{:?} is not known: expected json, csv, jsonl or parquet", name.trim()),
            ),
        }
    }
    formats
}

fn server_metrics(
    given: &TelemetryArgs,
    scrapes: &ScrapeEnvironment,
    servers: &Servers,
    targets: &[Target],
    faults: &mut Faults,
    notices: &mut Vec<Notice>,
) -> Option<ServerMetricsPlan> {
    if given.no_server_metrics {
        if given.server_metrics.is_some() {
            faults.add("--no-server-metrics", "not together with --server-metrics: leave one of them out");
        }
        return None;
    }
    // Nobody asks what the built-in mock server thinks of itself, unless they do.
    if servers.mock && given.server_metrics.is_none() {
        return None;
    }
    let mut urls: Vec<MetricsUrl> = Vec::new();
    for target in targets {
        let url = MetricsUrl::of_server(target);
        if !urls.contains(&url) {
            urls.push(url);
        }
    }
    for item in given.server_metrics.iter().flatten().map(|item| item.trim()) {
        if !item.starts_with("http") && !item.contains(':') {
            let text = format!("--server-metrics: {item:?} is passed over: expected a URL, or HOST:PORT");
            notices.push(Notice::Warning(text));
            continue;
        }
        if let Some(url) = faults.take("--server-metrics", MetricsUrl::parse(item))
            && !urls.iter().any(|known| known.to_string() == url.to_string())
        {
            urls.push(url);
        }
    }
    Some(ServerMetricsPlan { urls, timing: scrapes.server })
}

fn gpu(
    given: &TelemetryArgs,
    scrapes: &ScrapeEnvironment,
    report: &mut TelemetryReport,
    faults: &mut Faults,
    notices: &mut Vec<Notice>,
) -> Option<GpuPlan> {
    const FLAG: &str = "--gpu-telemetry";
    if given.no_gpu_telemetry {
        if given.gpu_telemetry.is_some() {
            faults.add("--no-gpu-telemetry", "not together with --gpu-telemetry: leave one of them out");
        }
        return None;
    }
    let mut urls: Vec<MetricsUrl> = Vec::new();
    for item in given.gpu_telemetry.iter().flatten().map(|item| item.trim()) {
        match word(item).as_str() {
            "pynvml" | "amdsmi" => faults.add(
                FLAG,
                format!(
                    "{item} reads the GPUs of this host through their driver's library, which loadgen does not link: \
                     run a DCGM exporter beside the server and give its URL"
                ),
            ),
            "dashboard" => notices.push(Notice::Info(
                "--gpu-telemetry dashboard: GPUs are shown at the end of the run, not while it goes on".to_owned(),
            )),
            _ if is_csv(item) => match fs::read_to_string(item) {
                Ok(text) => {
                    let custom = custom_fields(&text);
                    let said = custom.warnings.iter().map(|what| format!("{FLAG} {item}: {what}"));
                    notices.extend(said.map(Notice::Warning));
                    report.gpu_fields.extend(custom.fields);
                }
                Err(error) => faults.add(FLAG, format!("{item} cannot be read: {error}")),
            },
            _ if item.starts_with("http") || item.contains(':') => {
                urls.extend(faults.take(FLAG, MetricsUrl::parse(item)).filter(|url| !urls.contains(url)));
            }
            _ => faults.add(
                FLAG,
                format!("{item:?} is not known: expected the URL of a DCGM exporter, or a file FILE.csv of DCGM fields"),
            ),
        }
    }
    report.gpu_urls = urls.iter().map(ToString::to_string).collect();
    let by_default = scrapes.gpu_urls.clone().unwrap_or_else(|| DEFAULT_GPU_URLS.map(str::to_owned).into());
    let default_urls = by_default
        .iter()
        .filter_map(|url| faults.take("AIPERF_GPU_DEFAULT_DCGM_ENDPOINTS", MetricsUrl::parse(url)))
        .collect();
    Some(GpuPlan { urls, default_urls, timing: scrapes.gpu })
}

fn round_trips(given: &TelemetryArgs, scrapes: &ScrapeEnvironment, faults: &mut Faults) -> Option<RttPlan> {
    if given.network_latency_automatic && given.network_latency_mean.is_some() {
        faults.add(
            "--network-latency-automatic",
            "not together with --network-latency-mean: measured, or given",
        );
    }
    if given.network_latency_ping_interval.is_some() && !given.network_latency_automatic {
        faults.add(
            "--network-latency-ping-interval",
            "nothing is measured: add --network-latency-automatic, or leave it out",
        );
    }
    let interval = given.network_latency_ping_interval.unwrap_or(scrapes.rtt.interval);
    let probe = RttProbe { interval: at_least_a_moment(interval), ..scrapes.rtt };
    given.network_latency_automatic.then_some(RttPlan { probe })
}

/// What AIPerf echoes of it below `endpoint`.
pub(super) fn echo_control(given: &ControlArgs, endpoint: &mut Value) {
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
pub(super) fn echo(given: &TelemetryArgs) -> [(&'static str, Value); 3] {
    let shown = |item: &String| loadgen_wire::redact_url(item).into_owned();
    let normal = |item: &String| MetricsUrl::parse(item).map_or_else(|_| shown(item), |url| url.to_string());
    let gpu = match &given.gpu_telemetry {
        _ if given.no_gpu_telemetry => json!({ "enabled": false }),
        None => json!({ "enabled": true }),
        Some(items) => {
            let (files, urls): (Vec<&String>, Vec<&String>) =
                items.iter().filter(|item| word(item) != "dashboard").partition(|item| is_csv(item));
            let mut gpu =
                json!({ "enabled": true, "urls": urls.into_iter().map(normal).collect::<Vec<_>>() });
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::ffi::OsString;

    use super::super::resolve;
    use super::*;
    use crate::args::parse_profile;

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
        assert_eq!(
            server.urls.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["http://h:1/v1/metrics"]
        );
        assert_eq!(
            (server.timing.interval, server.timing.flush),
            (Duration::from_millis(333), Duration::ZERO)
        );
        let gpu = plan.gpu.unwrap();
        assert_eq!((gpu.urls.len(), gpu.default_urls.len(), gpu.timing.flush), (0, 2, Duration::ZERO));
        assert!(plan.readiness.is_none() && plan.rtt.is_none() && plan.control == ControlHooks::default());
        assert_eq!(report.formats, ServerMetricsFormats::default());
        assert_eq!(echo["gpu_telemetry"], json!({ "enabled": true }));
        assert_eq!(
            echo["server_metrics"],
            json!({ "enabled": true, "urls": [], "formats": ["json", "csv"] })
        );
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
        let gpu = json!({ "enabled": true, "urls": ["http://gpu:9400/metrics"], "collector": "dcgm", "mode": "realtime_dashboard" });
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
        assert_eq!(
            (profiler.stop_path.as_str(), profiler.timeout),
            ("/stop_profile", Duration::from_secs(5))
        );
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

    #[test]
    fn aiperfs_variables_say_when() {
        let value_of = |name: &str| match name {
            "AIPERF_SERVER_METRICS_COLLECTION_INTERVAL" => Some("0".to_owned()),
            "AIPERF_SERVER_METRICS_COLLECTION_FLUSH_PERIOD" => Some("0.5".to_owned()),
            "AIPERF_GPU_FINAL_SCRAPE_GRACE_NS" => Some("7".to_owned()),
            "AIPERF_GPU_DEFAULT_DCGM_ENDPOINTS" => Some("[\"http://a:1\", \"http://b:2\"]".to_owned()),
            "AIPERF_NETWORK_LATENCY_MIN_SAMPLES" => Some("9".to_owned()),
            _ => None,
        };
        let mut faults = Faults::default();
        let read = ScrapeEnvironment::read(&value_of, &mut faults);
        faults.into_result(()).unwrap();
        assert_eq!(read.server.interval, Duration::from_millis(10), "asking without a pause would be load");
        assert_eq!(
            (read.server.flush, read.gpu_grace_ns, read.rtt.least),
            (Duration::from_millis(500), 7, 9)
        );
        assert_eq!(read.gpu_urls.unwrap(), ["http://a:1", "http://b:2"]);
    }
}
