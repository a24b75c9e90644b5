//! Tokenizers: which one a run uses, and counting with it.
//!
//! * a [`Resolver`] turns what the user said into a [`TokenizerSource`], by a rule that never falls back
//!   silently: a name that is not found is an error that names the way out;
//! * [`Tokenizer`] loads a source and encodes, decodes and counts. The builtin one is `o200k_base`,
//!   embedded in the binary, where it is searched as it lies.
//!
//! Invariants: a special token's literal text counts as one token; nothing is ever added to a text;
//! the same source counts the same on every host.
//!
//! What this crate does not know: prompts, datasets, the servers under test, and HTTP: the download
//! of a tokenizer goes through the [`Download`] hook that the caller brings.

mod builtin;
mod chat;
mod error;
mod file;
mod hub;
mod resolve;
mod tokenizer;

pub use error::TokenizerError;
pub use hub::{Download, Downloaded, HubCache};
pub use resolve::{Resolved, Resolver, TokenizerRequest, TokenizerSource};
pub use tokenizer::Tokenizer;
