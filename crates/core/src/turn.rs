//! What is sent: one turn of a conversation, free of any endpoint's JSON.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

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
    /// Whether the dataset's own part of the body has fields that are secrets: copies of it are kept without them.
    pub holds_secrets: bool,
    /// The row of the input file it came from, from 0.
    pub source_row: Option<i64>,
    /// The hash ids of its prompt's blocks.
    pub hash_ids: Option<Arc<[i64]>>,
    /// Classes for breakdowns.
    pub labels: Labels,
}

/// What the model is asked.
#[derive(Debug, Clone)]
pub enum Prompt {
    /// Messages, in order, history included.
    Messages(Vec<Message>),
    /// A ready JSON array of messages, and of tools.
    RawMessages {
        /// The messages array, as JSON.
        messages: Bytes,
        /// The tools array, as JSON.
        tools: Option<Bytes>,
        /// The system message of an endpoint that has a field of its own for it.
        system: Option<Rope>,
    },
    /// A query, and the passages to rank for it.
    Ranking {
        /// What is looked for.
        query: Rope,
        /// What is ranked.
        passages: Vec<Rope>,
    },
    /// A ready request body, sent as it stands.
    Payload(Bytes),
}

impl Prompt {
    /// How many images it holds, history included. What lies within ready JSON is not looked for.
    pub fn images(&self) -> u32 {
        let Self::Messages(messages) = self else { return 0 };
        let parts = messages.iter().flat_map(|message| &message.parts);
        parts.filter(|part| matches!(part, Part::Image(_))).count() as u32
    }

    /// How long its first sound plays, ns, where that is known.
    pub fn audio_ns(&self) -> Option<u64> {
        let Self::Messages(messages) = self else { return None };
        messages.iter().flat_map(|message| &message.parts).find_map(|part| match part {
            Part::Audio(Media::Encoded { plays_ns, .. }) => *plays_ns,
            _ => None,
        })
    }
}

/// One message: text, and whatever comes with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said; all there is of a plain message. Empty where there are parts without a text.
    pub text: Rope,
    /// What follows the text: further texts, then images, audio and video.
    pub parts: Vec<Part>,
    /// The whole of it as JSON, where it goes out as it stands: then text and parts are only counted.
    pub ready: Option<Bytes>,
    /// Whether it is the conversation's system message, and no turn of it: where an endpoint has a field for one,
    /// it goes there, and a turn that a system message is stays among the messages.
    pub leads: bool,
}

impl Message {
    /// A message of plain text.
    pub fn new(role: Role, text: Rope) -> Self {
        Self { role, text, parts: Vec::new(), ready: None, leads: false }
    }

    /// The system message of a conversation, which stands before its first turn.
    pub fn leading(text: Rope) -> Self {
        Self { leads: true, ..Self::new(Role::System, text) }
    }
}

/// A part of a message beside its first text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// A further text.
    Text(Rope),
    /// An image.
    Image(Media),
    /// A sound.
    Audio(Media),
    /// A film.
    Video(Media),
}

/// An image, a sound or a film. Copies share the bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Media {
    /// Where it is: a URL (of data as well), JSON-escaped, sent as it stands.
    Url(Bytes),
    /// The thing itself.
    Encoded {
        /// What it is in: `png`, `jpeg`, `wav`, `mp3`.
        format: Arc<str>,
        /// Its bytes in base64.
        base64: Bytes,
        /// How long it plays, ns, where that is known: of a sound that was made here.
        plays_ns: Option<u64>,
    },
}

/// Who speaks in a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
