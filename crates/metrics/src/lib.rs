//! Records to numbers: per-request metrics, aggregates, goodput, quality.
//!
//! The way of the data: [`request_metrics`] turns a record into its values ([`RequestMetrics`]);
//! an [`Aggregator`] takes records with their values and gives the [`Summary`]; beside it a
//! [`Timeline`] collects what plots need, and a [`QualityInput`] what the verdict on the client needs
//! ([`Quality`]). What a metric is called, which unit it has and where it is shown stands in one
//! table, [`REGISTRY`].
//!
//! What this crate does not know: where records came from, how numbers are rendered, clocks, files.

mod aggregate;
mod column;
mod config;
#[cfg(test)]
mod fixture;
mod metric;
mod quality;
mod registry;
mod repeats;
mod request;
mod scraped;
mod slo;
mod stats;
mod summary;
mod sweep;
mod timeline;
mod value;

pub use aggregate::{Aggregator, SliceSummary};
pub use column::SpillError;
pub use config::{MetricConfig, Thresholds};
pub use metric::{ConsoleGroup, Kind, Metric, MetricId, Unit};
pub use quality::{
    Ceiling, CeilingCited, HostFacts, LagStats, PacketFacts, Quality, QualityInput, Reason, Remark, RunFacts,
    ScheduleFacts, Stamps, Starved, TimestampSource, UncertainChunks,
};
pub use registry::REGISTRY;
pub use repeats::{
    Interval, MetricFigures, Pool, PooledFigures, RepeatedFigure, RunFigures, STATISTICS, over_runs,
    t_critical,
};
pub use request::{credit_issued, request_end, request_metrics};
pub use scraped::{
    BucketLearning, CounterStats, EnergyInput, GaugeStats, GaugeValues, HistogramDelta, HistogramStats,
    Labels, Reading, SeriesAccumulator, SeriesKind, SeriesName, SeriesStats, Slice, SliceFigures,
    energy_metrics, estimate_percentiles, infer_unit,
};
pub use slo::{Slo, SloError, SloSet};
pub use stats::{PERCENTILES, Stats};
pub use summary::{MetricSummary, OutcomeCounts, Summary, Window, Windows};
pub use timeline::{Distribution, GoodputCurve, Timeline, TimelineBucket, TimelineData};
pub use value::{MetricValue, RequestMetrics, ShownList, ShownValue};
