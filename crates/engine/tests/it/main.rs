//! The engine against small servers on loopback: counts, order, limits, ends. No wall-clock time is
//! asserted, only what must hold however slow the machine is.

#![allow(clippy::unwrap_used)]

mod cancellation;
mod ends;
mod fake;
mod faults;
mod limits;
mod order;
mod server;
mod sessions;
