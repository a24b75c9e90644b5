//! What to send: datasets, traces, prompt text, sessions.
//!
//! A [`WorkloadConfig`] becomes a [`Dataset`]: conversations of turns, read from a trace or made up to
//! measure. A dataset hands out its conversations as a [`RequestSource`](loadgen_core::RequestSource),
//! sampled for as long as somebody asks, or each once in the order of a trace's own times
//! ([`Dataset::timetable`]).
//!
//! Invariants:
//! * everything drawn comes from a named sub-stream of the root seed and the position of what is drawn,
//!   so the session behind an ordinal is the same whoever asks, whenever, on any number of threads;
//! * prompt text is a view of one corpus in the binary: it has the wanted number of tokens by
//!   construction, costs no tokenizer, and is shared, never copied;
//! * whatever is wrong with the input is found when it is loaded, before anything is sent.
//!
//! What this crate does not know: pacing, clocks, pools, endpoints' JSON and HTTP. Rates it knows only to
//! write their arrivals into a trace ([`synthesize`]).

pub mod config;
mod corpus;
mod dataset;
mod draw;
mod error;
pub mod lengths;
mod library;
pub mod media;
mod sampler;
mod secret_rows;
mod session;
pub mod synthesize;
mod synthetic;
mod system_prompt;
#[cfg(test)]
mod testing;
pub mod trace;

pub use config::{
    Batches, CommonConfig, LONGEST_PROMPT, LengthDistribution, ModelSelection, PairedLengths, RankingsConfig,
    Sampling, SyntheticConfig, TraceConfig, TraceFormat, TurnDelay, WorkloadConfig,
};
pub use dataset::{Dataset, Entry, Origin, Timetable};
pub use error::WorkloadError;
pub use trace::{FileFacts, TraceRow};
