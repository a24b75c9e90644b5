//! What goes on beside a load, and what is made of it.
//!
//! [`Beside`] waits for the servers, calls them before and after, and has them scraped meanwhile, into files in
//! the journal's folder: so `loadgen report` makes the same of them as the end of the run. [`ScrapedServers`] and
//! [`gpus`] play these files and sum them up; both know a run by its phases' tags and windows alone.

mod beside;
mod gpus;
mod parquet;
mod plan;
mod servers;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;

pub(crate) use beside::Beside;
pub(crate) use gpus::gpus;
pub use plan::{GpuPlan, RttPlan, ServerMetricsFormats, ServerMetricsPlan, TelemetryPlan, TelemetryReport};
pub(crate) use servers::{ScrapedServers, resets};

use crate::artifacts::Artifacts;

/// Where what is scraped is kept.
pub(crate) fn server_tape(artifacts: &Artifacts) -> PathBuf {
    artifacts.journal().join("server_metrics.jsonl")
}

/// Where what GPUs say is kept.
pub(crate) fn gpu_lines(artifacts: &Artifacts) -> PathBuf {
    artifacts.journal().join("gpu_telemetry.jsonl")
}

/// Where round trips are kept.
pub(crate) fn rtt_lines(artifacts: &Artifacts) -> PathBuf {
    artifacts.journal().join("network_latency.jsonl")
}

/// The mean of the round trips that were measured beside a run, ns; `None` where none was.
pub(crate) fn mean_rtt_ns(artifacts: &Artifacts) -> Option<f64> {
    let file = fs::File::open(rtt_lines(artifacts)).ok()?;
    let lines: Vec<Vec<u8>> = BufReader::new(file).split(b'\n').map_while(Result::ok).collect();
    loadgen_telemetry::mean_rtt_ns(lines.iter().map(Vec::as_slice))
}
