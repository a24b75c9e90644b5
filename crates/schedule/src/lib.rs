//! When to send: arrival processes, rate functions and stop conditions as pure sequences.
//!
//! A [`Schedule`] is data. From a configuration and a seed it yields every [`Arrival`] of a phase, in
//! order, as offsets from the phase's start; no clock is read and nothing sleeps. Whoever paces only
//! waits for the offsets, so the same command intends the same instants on any number of threads.
//!
//! One idea carries all rate-driven processes. Let Λ(t) be the integral of the rate from 0 to t: the
//! number of arrivals expected by then. In the *operational time* Λ every process has rate 1, so an
//! arrival process is a law for unit-mean intervals (1, exponential, gamma) and a rate function whose
//! Λ is inverted: arrival k happens where Λ(t) equals the sum of the first k intervals. For the
//! exponential law that is the exact non-homogeneous Poisson process; nothing holds the rate over steps.
//!
//! ```
//! use loadgen_core::Seed;
//! use loadgen_schedule::{ArrivalProcess, Rate, Schedule, StopCondition};
//!
//! let process = ArrivalProcess::Constant(Rate::new(4.0)?.into());
//! let schedule = Schedule::new(process, StopCondition::after_duration(1_000_000_000), Seed(7));
//! let offsets_ms: Vec<i64> = schedule.arrivals().map(|arrival| arrival.offset_ns / 1_000_000).collect();
//! assert_eq!(offsets_ms, [250, 500, 750, 1000]);
//! # Ok::<(), loadgen_schedule::ScheduleError>(())
//! ```
//!
//! Arithmetic goes through `libm`, whose results are the same on every platform, so a schedule made
//! on one machine is made again, to the nanosecond, on another.
//!
//! What this crate does not know: sockets, sleeping, clocks, prompts, what a request is.

mod arrivals;
mod error;
pub mod fit;
mod intervals;
mod process;
mod rate;
mod schedule;
mod sinusoid;
mod stop;

pub use arrivals::{Arrival, Arrivals};
pub use error::ScheduleError;
pub use process::{ArrivalProcess, FixedOffsets, Smoothness};
pub use rate::{Rate, RateFunction};
pub use schedule::Schedule;
pub use sinusoid::Sinusoid;
pub use stop::StopCondition;
