//! What GPUs said during a run: `telemetry_data` of the summary, the last table of the CSV file, and
//! `phases/<name>/gpu_telemetry.json`, as AIPerf writes them. The console's tables are in
//! [`console`](crate::console).

mod csv;
mod json;

use loadgen_core::Nanos;
use loadgen_metrics::GaugeStats;

pub(crate) use csv::gpu_csv;
pub use json::gpu_phase;
pub(crate) use json::{TelemetryData, telemetry_data};

/// What one thing about a GPU came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum GpuFigures {
    /// Something that goes up and down.
    Gauge(GaugeStats),
    /// What something that only grows grew by.
    Counter(f64),
}

impl GpuFigures {
    /// The mean, or what it grew by.
    pub fn avg(self) -> f64 {
        match self {
            Self::Gauge(gauge) => gauge.avg,
            Self::Counter(growth) => growth,
        }
    }

    /// What tables show: avg, min, max, p99, p90, p50, std. A counter has no more than what it grew by.
    pub(crate) fn columns(self) -> [Option<f64>; 7] {
        match self {
            Self::Counter(growth) => [Some(growth), None, None, None, None, None, None],
            Self::Gauge(gauge) => {
                // Of 1, 5, 10, 25, 50, 75, 90, 95 and 99 percent.
                let [.., p50, _, p90, _, p99] = gauge.percentiles;
                [gauge.avg, gauge.min, gauge.max, p99, p90, p50, gauge.std].map(Some)
            }
        }
    }

    fn gauge(self) -> Option<GaugeStats> {
        match self {
            Self::Gauge(gauge) => Some(gauge),
            Self::Counter(_) => None,
        }
    }
}

/// One thing about a GPU.
#[derive(Debug, Clone, PartialEq)]
pub struct GpuMetric {
    /// Its key in every file.
    pub field: String,
    /// Its label, unit not included.
    pub header: String,
    /// The unit.
    pub unit: String,
    /// What it came to.
    pub figures: GpuFigures,
}

/// One GPU over a window.
#[derive(Debug, Clone, PartialEq)]
pub struct Gpu {
    /// Where it was read, credentials removed.
    pub url: String,
    /// Its number on its host.
    pub index: i64,
    /// What it is.
    pub name: Option<String>,
    /// Its own identity.
    pub uuid: Option<String>,
    /// Its make.
    pub platform: String,
    /// Its host.
    pub hostname: Option<String>,
    /// The Kubernetes namespace that uses it.
    pub namespace: Option<String>,
    /// The pod that uses it.
    pub pod_name: Option<String>,
    /// What it was, in the order of every file.
    pub metrics: Vec<GpuMetric>,
}

/// What GPUs said over a window.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct GpuTelemetry {
    /// Exporters that were asked: those that the user named, and those at the usual places that answered.
    pub configured: Vec<String>,
    /// Those that answered.
    pub successful: Vec<String>,
    /// The window: the phase, and what readings still belong to it; as the summary's where nothing says so.
    pub window: Option<(Nanos, Nanos)>,
    /// The GPUs, by exporter and number.
    pub gpus: Vec<Gpu>,
}

impl GpuTelemetry {
    /// Exporters that were asked in vain.
    pub(crate) fn unreachable(&self) -> impl Iterator<Item = &str> {
        self.configured.iter().filter(|url| !self.successful.contains(url)).map(String::as_str)
    }
}
