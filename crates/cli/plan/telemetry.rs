//! From flags to what goes on beside the load.

mod echo;
mod environment;

use std::fs;
use std::path::Path;
use std::time::Duration;

use loadgen_run::{
    GpuPlan, LoadShape, RttPlan, ServerMetricsFormats, ServerMetricsPlan, TelemetryPlan, TelemetryReport,
};
use loadgen_telemetry::{
    CONTROL_TIMEOUT, ControlHooks, DEFAULT_GPU_URLS, MetricsUrl, Readiness, ReadinessMode, ResetKvCache,
    RttProbe, ServerProfiler, custom_fields,
};
use loadgen_wire::Target;

use super::load::Load;
use super::{Environment, Faults, Notice, Servers};
use crate::args::ProfileArgs;
use crate::args::telemetry::{ControlArgs, TelemetryArgs};
use crate::args::values::word;
pub(super) use echo::{echo, echo_control};
pub(super) use environment::ScrapeEnvironment;

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

/// Whether an item names a file of DCGM fields.
fn is_csv(item: &str) -> bool {
    Path::new(item).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv"))
}

/// Asking without a pause would be load.
fn at_least_a_moment(interval: Duration) -> Duration {
    interval.max(Duration::from_millis(10))
}

#[cfg(test)]
mod tests;
