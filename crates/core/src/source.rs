//! The seams between the crates: where turns come from, where records go, who counts tokens.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::record::{Identity, RawRecord};
use crate::time::Nanos;
use crate::turn::Turn;

/// What is sent, as sessions numbered in the order they start. Shared by all workers: the session
/// behind a number is the same whoever asks and whenever.
pub trait RequestSource: Send + Sync {
    /// The `ordinal`-th session of the run, counted from 0 over all its phases; `None` past the end
    /// of a source that has one.
    fn session(&self, ordinal: u64) -> Option<Box<dyn Session>>;

    /// Whether every session has exactly one turn.
    fn is_single_turn(&self) -> bool;
}

/// One conversation under way. It belongs to one worker.
pub trait Session: Send {
    /// The next turn. `reply` is what the server answered to the turn before it: `None` for the
    /// first turn, and after a turn that failed. `None` back: the conversation is over.
    fn next_turn(&mut self, reply: Option<&Reply>) -> Option<Turn>;
}

/// What the server answered, as the deltas' JSON-escaped slices: joined, the inside of one JSON
/// string.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reply {
    /// The answer's text; the reasoning text where there was nothing else.
    pub text: Bytes,
    /// The answer as the message that it is, where it was more than a text.
    pub message: Option<ReadyMessage>,
    /// The id under which the server keeps the conversation, where it was asked to: what follows is sent with
    /// the id in place of what was said before.
    pub response_id: Option<Arc<str>>,
}

/// A message of the model that goes into what follows as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadyMessage {
    /// The message, as JSON.
    pub json: Bytes,
    /// The texts in it, JSON-escaped, to be counted.
    pub texts: Vec<Bytes>,
}

/// A request that has been let go, noted before its first byte leaves, so that a run that is killed
/// still knows what was in flight.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Started {
    /// Who it is.
    pub identity: Identity,
    /// When it was meant to leave.
    pub scheduled: Nanos,
    /// When work on it began.
    pub request_start: Nanos,
}

/// Where a worker's records go. Neither call may block: a full buffer degrades the record (its
/// chunk lists go, counted), never the worker.
pub trait RecordSink: Send {
    /// Notes that a request is in flight.
    fn started(&mut self, started: &Started);
    /// Takes a finished request, whatever became of it.
    fn finished(&mut self, record: RawRecord);
}

/// Counts tokens of text.
pub trait CountTokens: Send + Sync {
    /// How many tokens `text` has, special tokens not added.
    fn count(&self, text: &str) -> usize;

    /// The byte offset in `text` at which each token ends, ascending; its length is the number of
    /// tokens. The last one is `text.len()`.
    fn token_ends(&self, text: &str) -> Vec<usize>;

    /// How many tokens `messages`, a JSON array as chat endpoints take it, have in the model's own chat
    /// template, with the beginning of an answer; `None` where there is no template for it.
    fn count_chat(&self, messages: &[u8]) -> Option<usize> {
        let _ = messages;
        None
    }

    /// Appends what [`token_ends`](Self::token_ends) gives to `ends`, whose memory is used again. What
    /// was in it stays as it is.
    fn token_ends_into(&self, text: &str, ends: &mut Vec<usize>) {
        ends.extend(self.token_ends(text));
    }
}

impl<T: CountTokens + ?Sized> CountTokens for Arc<T> {
    fn count(&self, text: &str) -> usize {
        (**self).count(text)
    }

    fn token_ends(&self, text: &str) -> Vec<usize> {
        (**self).token_ends(text)
    }

    fn count_chat(&self, messages: &[u8]) -> Option<usize> {
        (**self).count_chat(messages)
    }

    fn token_ends_into(&self, text: &str, ends: &mut Vec<usize>) {
        (**self).token_ends_into(text, ends);
    }
}
