//! One run, from a resolved plan to a finished result folder.
//!
//! [`run`] prepares the dataset and the folder, drives the engine and calls [`finish`], which makes
//! every output from the journal; `finish` alone does the same for a folder that already has one.
//!
//! What this crate does not know: flags, subcommands, how progress is drawn.

mod artifacts;
mod counting;
mod error;
mod execute;
mod finish;
mod host;
mod hub;
mod log;
mod notes;
mod observe;
mod phases;
mod plan;
mod prepare;
mod progress;
mod provenance;
mod redact_file;
mod rehearse;
mod schemas;
mod telemetry;
mod watch;

pub use artifacts::{Artifacts, run_name};
pub use error::RunError;
pub use execute::run;
pub use finish::{RunResult, finish};
pub use host::Host;
pub use hub::Hub;
pub use loadgen_metrics::Thresholds;
pub use log::{LogLines, LogShape, Severity};
pub use plan::{LoadShape, Outputs, PhaseLoad, ReportPlan, RunPlan};
pub use progress::{Conclusion, Level, Live, PhaseOutline, Progress, Stage};
pub use provenance::{Fact, Origin, Provenance};
pub use rehearse::{Rehearsal, rehearse};
pub use schemas::schemas;
pub use telemetry::{
    GpuPlan, RttPlan, ServerMetricsFormats, ServerMetricsPlan, TelemetryPlan, TelemetryReport,
};
