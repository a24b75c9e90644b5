//! The engine against small servers on loopback: counts, order, limits, ends. No wall-clock time is
//! asserted, only what must hold however slow the machine is.

#![allow(clippy::unwrap_used)]

mod cancellation;
mod catching_up;
mod connections;
mod ends;
mod fake;
mod faults;
mod governed;
mod instants;
mod limits;
mod order;
mod server;
mod sessions;
