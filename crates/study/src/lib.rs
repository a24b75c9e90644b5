//! Experiments over runs: sweeps, suites, searches for the load that still meets its objectives,
//! validation, comparison, repeats.
//!
//! An experiment is a list of runs and what their results mean together; each run is `loadgen-run`'s.
//! [`calibration`] is the first: how much this host can offer, and how far its figures are off.
//!
//! What this crate does not know: flags, rendering, sockets, how a server is started.

pub mod calibration;

use serde_json::Value;

/// JSON Schemas of the files that this crate writes, by the name of their file.
pub fn schemas() -> Vec<(&'static str, Value)> {
    vec![("calibration", schemars::schema_for!(calibration::Calibration).to_value())]
}
