//! Options about what goes on beside the load: waiting for the servers, telling them things, and reading what
//! they and their GPUs say of themselves.

use std::time::Duration;

use clap::Args;

use super::values;

/// Before and after the load.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Server readiness and control")]
pub(crate) struct ControlArgs {
    /// Before anything else, wait so many seconds for each model at each server to become ready; 0 does not wait
    #[arg(long, value_name = "SECONDS", value_parser = values::seconds)]
    pub(crate) wait_for_model_timeout: Option<Duration>,

    /// When a server is ready: models (it lists the model), inference (it answers a tiny request), or both
    /// [default: inference]
    #[arg(long, value_name = "MODE")]
    pub(crate) wait_for_model_mode: Option<String>,

    /// Seconds from one try to the next [default: 5]
    #[arg(long, value_name = "SECONDS", value_parser = values::positive_seconds)]
    pub(crate) wait_for_model_interval: Option<Duration>,

    /// Have every server clear its KV cache before the run (POST /reset_prefix_cache)
    #[arg(long)]
    pub(crate) reset_kv_cache: bool,

    /// Where caches are cleared, in place of /reset_prefix_cache; does so
    #[arg(long, value_name = "PATH")]
    pub(crate) reset_kv_cache_path: Option<String>,

    /// How long a server may take to clear its cache [default: 30]; has it do so
    #[arg(long, value_name = "SECONDS", value_parser = values::positive_seconds)]
    pub(crate) reset_kv_cache_timeout_seconds: Option<Duration>,

    /// Have every server profile itself during the measured phase (POST /start_profile and /stop_profile)
    #[arg(long)]
    pub(crate) server_profiler: bool,

    /// Where profilers are started, in place of /start_profile; has them run
    #[arg(long, value_name = "PATH")]
    pub(crate) server_profiler_start_path: Option<String>,

    /// Where profilers are stopped, in place of /stop_profile; has them run
    #[arg(long, value_name = "PATH")]
    pub(crate) server_profiler_stop_path: Option<String>,

    /// How long a server may take to start or stop its profiler [default: 30]; has it run
    #[arg(long, value_name = "SECONDS", value_parser = values::positive_seconds)]
    pub(crate) server_profiler_timeout_seconds: Option<Duration>,
}

/// Beside the load.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Telemetry")]
pub(crate) struct TelemetryArgs {
    /// Further Prometheus endpoints to read beside the servers' own /metrics, which are read anyway; the built-in
    /// mock server's only if this is given
    #[arg(long, value_name = "URL", num_args = 0.., value_delimiter = ',')]
    pub(crate) server_metrics: Option<Vec<String>>,

    /// Read no server's metrics
    #[arg(long)]
    pub(crate) no_server_metrics: bool,

    /// Files of servers' metrics: any of json, csv, jsonl, parquet [default: json csv]
    #[arg(long, value_name = "FORMAT", num_args = 0.., value_delimiter = ',')]
    pub(crate) server_metrics_formats: Option<Vec<String>>,

    /// DCGM exporters to read GPUs from, beside localhost:9400 and localhost:9401, which are tried anyway; a file
    /// FILE.csv adds DCGM fields
    #[arg(long, value_name = "URL|FILE.csv", num_args = 0.., value_delimiter = ',')]
    pub(crate) gpu_telemetry: Option<Vec<String>>,

    /// Read no GPUs, and leave their section out of the files
    #[arg(long)]
    pub(crate) no_gpu_telemetry: bool,

    /// Measure round trips to the servers beside the load, and show latencies without their mean, too
    #[arg(long)]
    pub(crate) network_latency_automatic: bool,

    /// Show latencies without this round trip in ms, too
    #[arg(long, value_name = "MS", value_parser = values::non_negative)]
    pub(crate) network_latency_mean: Option<f64>,

    /// Seconds from one measured round trip to the next [default: 1]
    #[arg(long, value_name = "SECONDS", value_parser = values::positive_seconds)]
    pub(crate) network_latency_ping_interval: Option<Duration>,
}
