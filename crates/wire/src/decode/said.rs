//! What one JSON object of a response says: readers tell it here, and it becomes a chunk.
//!
//! Text arrives as the inside of a JSON string, escapes and all, and stays so. Invariant: what was told is
//! in the observation at once; [`Said::close`] only decides whether it was content, and of which kind.

use std::sync::Arc;

use loadgen_core::{ChunkKind, ErrorDetail, Usage};
use serde_json::value::RawValue;

use super::event::{Delta, InBandError};
use super::items::OutputItems;
use super::speculative::Drafts;
use super::{Arrival, MOST_MESSAGE_BYTES, short};
use crate::error::detail;
use crate::observation::Observation;

/// One object of a response, while it is read.
pub(super) struct Said<'o> {
    observation: &'o mut Observation,
    reasoning_before: usize,
    output_before: usize,
    has_tools: bool,
    /// It is content, though it may have no text.
    is_content: bool,
    /// It says more than a text.
    says_more: bool,
    usage: Option<Usage>,
}

/// When and where on the wire an object came.
#[derive(Debug, Clone, Copy)]
pub(super) struct Came<'a> {
    /// Bytes of its event.
    pub(super) wire_bytes: usize,
    /// Where in the stream its last byte stands.
    pub(super) ends_at: Option<u64>,
    /// The read that completed it.
    pub(super) at: &'a Arrival,
}

impl<'o> Said<'o> {
    pub(super) fn new(observation: &'o mut Observation) -> Self {
        let chunks = &observation.chunks;
        let (reasoning_before, output_before) = (chunks.reasoning.len(), chunks.output.len());
        Self {
            observation,
            reasoning_before,
            output_before,
            has_tools: false,
            is_content: false,
            says_more: false,
            usage: None,
        }
    }

    /// Reasoning.
    pub(super) fn reasoning(&mut self, escaped: &str) {
        self.observation.chunks.reasoning.extend_from_slice(escaped.as_bytes());
    }

    /// Text of the answer.
    pub(super) fn output(&mut self, escaped: &str) {
        self.observation.chunks.output.extend_from_slice(escaped.as_bytes());
    }

    /// A name or arguments of a tool call.
    pub(super) fn tool(&mut self, escaped: &str) {
        self.has_tools |= !escaped.is_empty();
        self.output(escaped);
    }

    /// What a chat's delta or message calls, kept for what follows. Comes after the words of the calls, and before
    /// the prose beside them, which is in the answer only if nothing was called.
    pub(super) fn calls(&mut self, delta: &Delta<'_>, is_whole: bool, prose: &str) {
        let known = |value: Option<&RawValue>| value.is_some_and(|value| value.get() != "null");
        if !known(delta.tool_calls) && !known(delta.function_call) {
            return;
        }
        let calls = self.observation.calls.get_or_insert_default();
        if let Some(new) = delta.tool_calls {
            calls.take(new.get(), is_whole);
        }
        if let Some(new) = delta.function_call {
            calls.take_older(new.get(), is_whole);
        }
        if self.has_tools {
            calls.set_apart(self.output_before..self.observation.chunks.output.len(), prose);
        }
    }

    /// A block of an answer, whole or only its beginning, kept for what follows.
    pub(super) fn block(&mut self, block: &str, is_whole: bool) {
        let observation = &mut *self.observation;
        observation.blocks.get_or_insert_default().begin(block, is_whole, &observation.chunks);
    }

    /// A part of the signature of what was thought.
    pub(super) fn sign(&mut self, part: &str) {
        if let Some(blocks) = &mut self.observation.blocks {
            blocks.sign(part);
        }
    }

    /// The items of an answer, kept for what follows.
    pub(super) fn items(&mut self) -> &mut OutputItems {
        self.observation.items.get_or_insert_default()
    }

    /// Content that has no text: a vector, a score, the end of a part.
    pub(super) fn wordless(&mut self) {
        self.is_content = true;
    }

    /// Token counts.
    pub(super) fn usage(&mut self, usage: Option<Usage>) {
        if let Some(usage) = usage {
            self.says_more = true;
            self.usage = Some(usage);
        }
    }

    /// What became of drafts.
    pub(super) fn drafts(&mut self, drafts: Option<Drafts>) {
        if let Some(Drafts(drafts)) = drafts {
            self.says_more = true;
            self.observation.take_drafts(drafts);
        }
    }

    /// The id of the answer, and whether it stands for it; the last word counts.
    pub(super) fn response_id(&mut self, id: Option<&str>) {
        self.observation.response_id = id.map(Arc::from);
    }

    /// Why the model stopped.
    pub(super) fn finish_reason(&mut self, reason: &str) {
        self.says_more = true;
        self.observation.finish_reason = Some(short(reason).to_owned());
    }

    /// An error that the server reports within its answer; see `Observation::note_in_band_error`.
    pub(super) fn error(&mut self, error: Option<InBandError>) {
        let Some(error) = error else { return };
        self.says_more = true;
        let mut message = error.message.as_str();
        message = &message[..message.floor_char_boundary(MOST_MESSAGE_BYTES)];
        let message = format!("the server reported an error inside the response: {message}");
        let error_type = short(error.error_type.as_deref().unwrap_or("SSEResponseError"));
        self.observation.note_in_band_error(ErrorDetail { code: error.code, ..detail(error_type, &message) });
    }

    /// Whether a tool call's text came.
    pub(super) fn has_tools(&self) -> bool {
        self.has_tools
    }

    /// Whether it is more than one text.
    pub(super) fn is_plain(&self) -> bool {
        !self.says_more && !self.has_tools && !self.is_content
    }

    /// The end of the object: keeps it as a chunk if it was content.
    pub(super) fn close(self, came: Came<'_>, keeps_first_usage: bool) {
        let Self { observation, reasoning_before, output_before, has_tools, is_content, usage, .. } = self;
        let carries_output = is_content || observation.chunks.output.len() > output_before;
        let carries_reasoning = observation.chunks.reasoning.len() > reasoning_before;
        let kind = match (has_tools, carries_output, carries_reasoning) {
            (true, _, _) => Some(ChunkKind::Tool),
            (false, true, _) => Some(ChunkKind::Text),
            (false, false, true) => Some(ChunkKind::Reasoning),
            (false, false, false) => None,
        };
        if let Some(usage) = usage {
            observation.take_usage(usage, keeps_first_usage && kind.is_some());
        }
        if let Some(kind) = kind {
            observation.push_chunk(kind, carries_output, came.wire_bytes, came.ends_at, came.at);
        }
    }
}

/// A text as the inside of a JSON string.
pub(super) fn escaped(text: &str) -> String {
    let mut json = serde_json::Value::from(text).to_string();
    json.pop();
    json.remove(0);
    json
}
