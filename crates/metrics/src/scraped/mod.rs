//! Samples that were scraped beside the load, to numbers: a server's own metrics and its GPUs'.
//!
//! A series is taken sample by sample, in the order of time ([`SeriesAccumulator`]): those before a window
//! leave their last one as the reference of whatever only grows, those within it are summed up. Names and
//! formulas are AIPerf 0.13's: a gauge is not weighted by time and its deviation divides by n - 1, a counter
//! is the difference to the last sample *before* the window (never what it counted since the server's boot),
//! and a histogram's percentiles are estimates ([`estimate`]).
//!
//! What it does not know: where samples came from, the text they stood in, how figures are rendered.

mod energy;
mod estimate;
mod gauge;
mod series;
mod slices;
mod unit;

use serde::{Deserialize, Serialize};

pub use energy::{EnergyInput, energy_metrics};
pub use estimate::{BucketLearning, HistogramDelta, estimate_percentiles};
pub use gauge::{GaugeStats, GaugeValues};
pub use series::{CounterStats, HistogramStats, SeriesAccumulator, SeriesStats};
pub use slices::{Slice, SliceFigures};
pub use unit::infer_unit;

/// What a series is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SeriesKind {
    /// A figure that goes up and down.
    Gauge,
    /// A figure that only grows, until the server starts anew.
    Counter,
    /// Observations counted by size.
    Histogram,
    /// A figure whose kind the server did not say: taken as a gauge.
    Unknown,
}

impl SeriesKind {
    /// The name in every file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
            Self::Histogram => "histogram",
            Self::Unknown => "unknown",
        }
    }
}

/// Labels of a series, in the server's order.
pub type Labels = Vec<(String, String)>;

/// What one series is called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeriesName {
    /// Position of its endpoint among those that were asked.
    pub endpoint: usize,
    /// The family's name: a counter's without `_total`.
    pub name: String,
    /// What it is.
    pub kind: SeriesKind,
    /// What the server says about it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub help: String,
    /// Its labels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Labels,
    /// Upper bounds of a histogram's buckets, as the server wrote them; empty for all others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bounds: Vec<String>,
}

impl SeriesName {
    /// Whether it says what something is rather than how much of it: configuration, in its labels.
    pub fn is_info(&self) -> bool {
        self.kind == SeriesKind::Gauge && self.name.ends_with("_info")
    }
}

/// What a series stood at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Reading {
    /// A gauge, a counter, or an unknown.
    Scalar(f64),
    /// A histogram: cumulative counts by bound, and the sum and number of all observations.
    Histogram {
        /// Counts, one for each bound.
        #[serde(rename = "b")]
        buckets: Vec<f64>,
        /// Sum of the observations.
        #[serde(rename = "s")]
        sum: f64,
        /// Number of the observations.
        #[serde(rename = "n")]
        count: f64,
    },
}
