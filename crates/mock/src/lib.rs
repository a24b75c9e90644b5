//! An OpenAI-compatible server with a performance model, a prefix cache, faults and a truth log.
//!
//! [`MockServer`] listens, [`Profile`] says how fast and how faithfully it answers, and the truth log
//! says what it really did, so that a client's figures can be held against it:
//!
//! * a [`Profile`] is `NAME[?key=value&…]`: `default` (continuous batching), `fixed`, `splitwise`
//!   (measured step times) or `golden` (behaviour chosen by the model's name);
//! * a [`FaultRule`] spoils some of the requests, by count or by seeded chance;
//! * every token is a write of its own, and the log has the instants around each write call.
//!
//! What this crate does not know: the load generator. It shares no protocol code with the client, so
//! that no bug of a shared codec can hide on both sides.

mod config;
mod connection;
mod faults;
mod golden;
mod http;
mod perf;
mod plan;
mod prefix_cache;
mod profile;
mod prompt;
mod server;
mod shard;
mod text;
mod timer;
mod truth_log;
mod units;

pub use config::{MockConfig, MockError, ServeReport};
pub use faults::{Fault, FaultKind, FaultRule, When};
pub use perf::{BatchConfig, FixedConfig, Limits, SplitwiseConfig};
pub use profile::{PerfProfile, Profile, ProfileError, PromptCounting};
pub use server::{MockServer, RunningMock};
