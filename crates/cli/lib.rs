//! The program behind `loadgen`.
