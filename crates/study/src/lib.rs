//! Experiments over runs: sweeps, suites, searches for the load that still meets its objectives,
//! validation, comparison, repeats.
//!
//! An experiment is a list of runs and what their results mean together; each run is `loadgen-run`'s.
//! There is none yet: the crate marks where they go, above runs and below the program.
//!
//! What this crate does not know: flags, rendering, sockets.
