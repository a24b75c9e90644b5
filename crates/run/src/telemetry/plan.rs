//! What is to go on beside a load, resolved.

use std::time::Duration;

use loadgen_telemetry::{ControlHooks, GpuField, MetricsUrl, Readiness, RttProbe, ScrapeTiming};
use serde::{Deserialize, Serialize};

/// What is to go on beside a load.
#[derive(Debug, Clone, Default)]
pub struct TelemetryPlan {
    /// How the servers are waited for; `None`: they are not.
    pub readiness: Option<Readiness>,
    /// What the servers are told before and after.
    pub control: ControlHooks,
    /// Servers' metrics; `None`: they are left alone.
    pub server_metrics: Option<ServerMetricsPlan>,
    /// GPUs; `None`: they are left alone.
    pub gpu: Option<GpuPlan>,
    /// Round trips; `None`: none is measured.
    pub rtt: Option<RttPlan>,
}

/// Which servers' metrics are read, and when.
#[derive(Debug, Clone)]
pub struct ServerMetricsPlan {
    /// Where they are.
    pub urls: Vec<MetricsUrl>,
    /// When they are read.
    pub timing: ScrapeTiming,
}

/// Which GPUs are read, and when.
#[derive(Debug, Clone)]
pub struct GpuPlan {
    /// Exporters that the user named.
    pub urls: Vec<MetricsUrl>,
    /// Exporters at the usual places.
    pub default_urls: Vec<MetricsUrl>,
    /// When they are read.
    pub timing: ScrapeTiming,
}

/// How round trips are measured.
#[derive(Debug, Clone, Copy)]
pub struct RttPlan {
    /// When.
    pub probe: RttProbe,
}

/// The files of what servers say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerMetricsFormats {
    /// The figures, as JSON.
    pub json: bool,
    /// The figures, as CSV.
    pub csv: bool,
    /// Every scrape, a line each.
    pub jsonl: bool,
    /// Every sample, as Parquet.
    pub parquet: bool,
}

impl Default for ServerMetricsFormats {
    fn default() -> Self {
        Self { json: true, csv: true, jsonl: false, parquet: false }
    }
}

/// What reporting needs to know of all this.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TelemetryReport {
    /// The files of what servers say.
    #[serde(default)]
    pub formats: ServerMetricsFormats,
    /// GPU exporters that the user named, credentials removed.
    #[serde(default)]
    pub gpu_urls: Vec<String>,
    /// What is read of GPUs beside the usual.
    #[serde(default)]
    pub gpu_fields: Vec<GpuField>,
    /// How long after the measured phase a reading of a GPU still belongs to it, ns.
    #[serde(default)]
    pub gpu_grace_ns: i64,
    /// How many requests the measured load keeps in flight, where it says so.
    #[serde(default)]
    pub concurrency: Option<u32>,
}

/// How long a wait is, in words.
pub(super) fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}
