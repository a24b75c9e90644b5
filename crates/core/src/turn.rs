//! What is sent: one turn of a conversation, free of any endpoint's JSON.

use std::sync::Arc;

use bytes::Bytes;

use crate::record::{InputTokens, Labels};
use crate::rope::Rope;

/// One request's worth of work.
#[derive(Debug, Clone)]
pub struct Turn {
    /// What the model is asked.
    pub prompt: Prompt,
    /// Tokens of the prompt, when they hold by construction.
    pub input_tokens: InputTokens,
    /// How many tokens to ask for; `None` leaves the field out of the body.
    pub max_output_tokens: Option<u32>,
    /// The model to ask.
    pub model: Arc<str>,
    /// The conversation's id, as every file shows it.
    pub session_id: Arc<str>,
    /// Position in its conversation, from 0.
    pub turn_index: i32,
    /// Whether no further turn of this conversation follows.
    pub is_last: bool,
    /// When it may be sent, for turns after the first.
    pub timing: TurnTiming,
    /// Fields of a JSON object (braces not included) merged last into the body, from the dataset's
    /// row.
    pub extra: Option<Arc<str>>,
    /// The row of the input file it came from, from 0.
    pub source_row: Option<i64>,
    /// The hash ids of its prompt's blocks.
    pub hash_ids: Option<Arc<[i64]>>,
    /// Classes for breakdowns.
    pub labels: Labels,
}

/// What the model is asked, in one of three forms.
#[derive(Debug, Clone)]
pub enum Prompt {
    /// Messages of plain text, in order, history included.
    Messages(Vec<Message>),
    /// A ready JSON array of messages, and of tools.
    RawMessages {
        /// The messages array, as JSON.
        messages: Bytes,
        /// The tools array, as JSON.
        tools: Option<Bytes>,
    },
    /// A ready request body, sent as it stands.
    Payload(Bytes),
}

/// One message of plain text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub text: Rope,
}

/// Who speaks in a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Instructions.
    System,
    /// The asker.
    User,
    /// The model.
    Assistant,
}

impl Role {
    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }
}

/// When a turn after the first may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TurnTiming {
    /// As soon as the turn before it has ended.
    #[default]
    Immediately,
    /// This many ns after the turn before it has ended.
    AfterPrevious(i64),
    /// At this offset in ns from the start of the phase, or at once if that has passed.
    AtOffset(i64),
}
