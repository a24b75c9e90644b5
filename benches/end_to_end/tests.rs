//! The bench's own arithmetic, under test: a bench is built without the test harness, so its modules are
//! tested from here.
#![allow(dead_code, reason = "only what computes is tested here; what runs programs is not called")]

mod aiperf;
mod client;
mod figure;
mod host;
mod lab;
mod mock;
mod options;
mod process;
mod quantile;
mod reported;
mod table;
mod timing;
mod truth;
mod wrk;

/// As in `main.rs`.
pub(crate) const STEAL_LIMIT_PERCENT: f64 = 1.0;
