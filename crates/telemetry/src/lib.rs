//! Facts of a server, read before the load begins and outside the measured path.
//!
//! [`observe_servers`] asks each server who it is: the time a connection takes, its `Server` header,
//! `/v1/models` and `/version`. A server that does not answer, or not in time, leaves facts unknown;
//! that is no error, for many servers have neither path.
//!
//! What this crate does not know: pacing, prompts, what becomes of the facts.

mod server;

pub use server::{ServerFacts, observe_servers};
