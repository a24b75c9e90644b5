//! Experiments over runs: sweeps, suites, searches for the load that still meets its objectives,
//! validation, comparison, repeats.
//!
//! An experiment is a list of runs and what their results mean together; each run is `loadgen-run`'s.
//!
//! * [`expand`] makes the [`Variation`]s of a sweep, a [`Design`] says which runs there are and where
//!   their files go, [`conduct`] makes them on a [`Bench`];
//! * a [`Criterion`] says when repeats agree; [`Standouts`] are the best points of a sweep;
//! * [`calibration`]: how much this host can offer, and how far its figures are off.
//!
//! What this crate does not know: flags, rendering, sockets, how a server is started.

mod best;
pub mod calibration;
mod conduct;
mod convergence;
mod design;
mod figures;
mod sweep;

use serde_json::Value;

pub use best::{Comparison, Constraint, Point, Standouts, THROUGHPUT};
pub use conduct::{Bench, Failure, Made, conduct};
pub use convergence::{Criterion, LEAST_RUNS, Mode, RECOMMENDED_LEAST_RUNS, same_distribution_p};
pub use design::{Cell, DEFAULT_SEED, Design, Order, Seeds, run_label};
pub use figures::{SummaryError, read_summary, succeeded};
pub use sweep::{
    Axis, Pairing, SweepError, Variation, expand, is_shared, sanitised, shown_names, with_own_folders,
};

/// JSON Schemas of the files that this crate writes, by the name of their file.
pub fn schemas() -> Vec<(&'static str, Value)> {
    vec![("calibration", schemars::schema_for!(calibration::Calibration).to_value())]
}
