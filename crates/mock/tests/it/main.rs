//! The mock over real sockets on the loopback interface, spoken to byte by byte: no HTTP client and
//! no SSE parser stands between the tests and what was sent.

#![allow(clippy::unwrap_used)]

mod faults;
mod golden;
mod raw;
mod shapes;
mod streams;
mod tls;
mod truth;
