//! Options about what is written, and how the program behaves while it runs.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::values;

/// Results.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputArgs {
    /// Folder of the results [default: artifacts/NAME-OF-THE-RUN]
    #[arg(long, visible_alias = "output-artifact-dir", value_name = "DIR")]
    pub(crate) artifact_dir: Option<PathBuf>,

    /// Base name of the exported files
    #[arg(long, visible_alias = "profile-export-file", value_name = "NAME")]
    pub(crate) profile_export_prefix: Option<String>,

    /// How much to export: summary, records, or raw (what was sent and what came, too: large) [default:
    /// records]
    #[arg(long, visible_alias = "profile-export-level", value_name = "LEVEL")]
    pub(crate) export_level: Option<String>,

    /// Write what the server answered to each request to outputs.json
    #[arg(long)]
    pub(crate) export_outputs_json: bool,

    /// Add what was seen of its connection to each line of the records: reads, headers, addresses
    #[arg(long)]
    pub(crate) export_http_trace: bool,

    /// Show the table of HTTP timings at the end
    #[arg(long)]
    pub(crate) show_trace_timing: bool,

    /// Sum up each so many seconds of the measured load, too (at least 0.001)
    #[arg(long, value_name = "SECONDS", value_parser = values::positive_seconds)]
    pub(crate) slice_duration: Option<Duration>,

    /// Leave out the Parquet file
    #[arg(long)]
    pub(crate) no_parquet: bool,

    /// Leave out the HTML page
    #[arg(long)]
    pub(crate) no_html: bool,

    /// A fact about the deployment to keep with the results; repeatable
    #[arg(long, value_name = "KEY=VALUE", value_parser = values::declaration)]
    pub(crate) provenance: Vec<(String, String)>,

    /// A file that describes the deployment, kept (hashed and copied) with the results; repeatable
    #[arg(long, value_name = "FILE")]
    pub(crate) attach: Vec<PathBuf>,

    /// This host's ceiling to cite, from `loadgen calibrate`: a file, or `none` [default: the one in the
    /// user's cache folder, if it is of this host and version]
    #[arg(long, value_name = "FILE|none")]
    pub(crate) calibration: Option<String>,

    /// Exit with 4 when the client, not the server, was the limit
    #[arg(long)]
    pub(crate) fail_if_client_limited: bool,

    /// Exit with 1 when more than this share of the requests failed (0 to 1); the run stops where it comes to that
    /// after 10 requests, or as many as --concurrency
    #[arg(long, value_name = "SHARE", value_parser = values::non_negative)]
    pub(crate) failed_request_threshold: Option<f64>,
}

/// The program itself.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Service")]
pub(crate) struct ServiceArgs {
    /// What to show while running: dashboard or simple (a bar on a terminal, a line now and then in a
    /// log), or none
    #[arg(long, visible_alias = "ui-type", value_name = "UI")]
    pub(crate) ui: Option<String>,

    /// At most this many worker threads [default: one for each core available]
    #[arg(long, visible_alias = "max-workers", value_name = "N", value_parser = values::positive_integer)]
    pub(crate) workers_max: Option<u64>,

    /// After the first Ctrl-C, wait this many seconds for what is in flight before aborting it
    #[arg(long, value_name = "SECONDS", value_parser = values::seconds)]
    pub(crate) drain_on_interrupt: Option<Duration>,

    /// Where to stamp arrivals: socket (the kernel's receive time), packet (each packet's own, however
    /// late the client reads; needs CAP_NET_RAW), or user (when this process read them)
    #[arg(long, value_name = "SOURCE", default_value = "socket")]
    pub(crate) timestamps: String,

    /// Resolve everything, print the plan, and send and write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// The least that is said: trace, debug, info, notice, success, warning, error or critical
    /// [default: info]
    #[arg(long, value_name = "LEVEL")]
    pub(crate) log_level: Option<String>,

    /// Seconds from one line on the run's progress to the next, where there is no terminal; 0 says none
    /// [default: 5]
    #[arg(long, value_name = "SECONDS", value_parser = values::seconds)]
    pub(crate) stats_interval: Option<Duration>,

    /// Say more
    #[arg(short, long)]
    pub(crate) verbose: bool,

    /// Say all there is to say (also -vv)
    #[arg(long)]
    pub(crate) extra_verbose: bool,
}
