//! Responses to content: events or one body, through whatever coding, into an observation.
//!
//! What counts, for each endpoint:
//!
//! * only objects of the endpoint's own kind (`chat.completion`, `chat.completion.chunk`;
//!   `text_completion`, `completion`), and only their first choice;
//! * non-empty text: reasoning, content, names and arguments of tool calls. A delta with content and
//!   tool calls counts both (AIPerf counts the calls alone);
//! * the last non-empty `usage`, wherever it stands.
//!
//! An event without content that is read together with the chunk before it leaves that chunk uncertain; see
//! `Observation::note_contentless`.
//!
//! `[DONE]` proves nothing, and neither does its absence. An error inside a stream is a failure, with
//! or without `event: error` (AIPerf takes `data: {"error": …}` for a success); what came before
//! it is kept. Data that is no JSON is dropped; a response without any content is invalid.
//!
//! Invariant: no I/O, no clock: everything about time comes in with the bytes.

mod arrival;
mod coding;
mod event;
mod template;
mod usage;

use loadgen_core::{ChunkKind, ErrorDetail, FailureKind, Outcome};

use crate::endpoint::EndpointKind;
use crate::error::{detail, detail_of};
use crate::observation::Observation;
use crate::sse::{Event, SseParser};
pub use arrival::{Arrival, Place};
use coding::Coding;
use event::{Frame, for_each_tool_text, plain_text_of, text_of};
use template::{Plain, Slot, Template};

/// The most bytes of a body that is not a stream.
const MOST_BODY_BYTES: usize = 64 * 1024 * 1024;
/// The most bytes of text that a stream's chunks may have together, and the most chunks: a thousand times
/// what any model writes, and still what a run can hold.
const MOST_TEXT_BYTES: usize = 64 * 1024 * 1024;
const MOST_CHUNKS: usize = 4 * 1024 * 1024;
/// The most bytes of an error's type, or of a reason to stop, that are kept.
const MOST_NAME_BYTES: usize = 256;
/// The most bytes of an error's body that are kept as its message.
const MOST_MESSAGE_BYTES: usize = 16 * 1024;
/// The most characters that are quoted of a body that should not have come.
const MOST_QUOTED_CHARS: usize = 80;

/// Whether more of a response is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Appetite {
    /// Feed on.
    More,
    /// The response has failed beyond use: the connection may be dropped.
    Enough,
}

/// Finds the content in one response: first its head, then its bytes, then its end.
#[derive(Debug)]
pub struct ResponseDecoder {
    kind: EndpointKind,
    coding: Coding,
    mode: Mode,
}

/// How the body is read.
#[derive(Debug)]
enum Mode {
    /// As events, while they come.
    Events { parser: SseParser, template: Template },
    /// As one JSON value, at its end.
    Whole { media_type: String, body: Vec<u8> },
    /// As the text of an error.
    Error { status: u16, reason: String, text: Vec<u8> },
}

impl ResponseDecoder {
    /// A decoder for one response of an endpoint.
    pub fn new(kind: EndpointKind) -> Self {
        Self {
            kind,
            coding: Coding::Identity,
            mode: Mode::Whole { media_type: String::new(), body: Vec::new() },
        }
    }

    /// The response's head: its status and reason, and the values of `Content-Type` and
    /// `Content-Encoding`, empty if absent.
    pub fn head(
        &mut self,
        status: u16,
        reason: &str,
        content_type: &str,
        content_encoding: &str,
        observation: &mut Observation,
    ) -> Appetite {
        observation.status = i16::try_from(status).ok();
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        self.mode = if !(200..300).contains(&status) {
            Mode::Error { status, reason: short(reason).to_owned(), text: Vec::new() }
        } else if media_type.eq_ignore_ascii_case("text/event-stream") {
            Mode::Events { parser: SseParser::default(), template: Template::default() }
        } else {
            Mode::Whole { media_type: media_type.to_ascii_lowercase(), body: Vec::new() }
        };
        match Coding::named(content_encoding) {
            Some(coding) => {
                self.coding = coding;
                Appetite::More
            }
            None if matches!(self.mode, Mode::Error { .. }) => Appetite::More,
            None => {
                let message = format!(
                    "the response has the content encoding {content_encoding}, which was not asked for"
                );
                observation.fail(FailureKind::InvalidResponse, detail("ContentEncodingError", &message));
                Appetite::Enough
            }
        }
    }

    /// The next bytes of the body, and when they came.
    pub fn feed(&mut self, bytes: &[u8], at: &Arrival, observation: &mut Observation) -> Appetite {
        let Self { kind, coding, mode } = self;
        // Decompressed bytes stand nowhere in the stream.
        let place = if matches!(coding, Coding::Identity) { at.place } else { Place::Unknown };
        let at = &Arrival { place, ..*at };
        let bytes = match coding.decode(bytes) {
            Ok(bytes) => bytes,
            Err(error) => {
                let message = format!("the response's content encoding is broken: {error}");
                observation
                    .fail(FailureKind::InvalidResponse, detail_of("ContentEncodingError", &message, &error));
                return Appetite::Enough;
            }
        };
        match mode {
            Mode::Events { parser, template } => {
                let mut appetite = Appetite::More;
                let pushed = parser.push(&bytes, |event| {
                    if appetite == Appetite::More {
                        appetite = take_event(*kind, event, template, at, observation);
                    }
                });
                if let Err(too_long) = pushed {
                    observation
                        .fail(FailureKind::StreamError, detail("SSEResponseError", &too_long.to_string()));
                    return Appetite::Enough;
                }
                let chunks = &observation.chunks;
                if chunks.len() > MOST_CHUNKS
                    || chunks.output.len() + chunks.reasoning.len() > MOST_TEXT_BYTES
                {
                    let message = "the server sent a stream of more text than any model writes";
                    observation.fail(FailureKind::StreamError, detail("SSEResponseError", message));
                    return Appetite::Enough;
                }
                if parser.is_within_event() {
                    // The read's last bytes, and so its stamp, are those of the event under way.
                    observation.note_contentless(at);
                }
                appetite
            }
            Mode::Whole { body, .. } => {
                if body.len() + bytes.len() > MOST_BODY_BYTES {
                    let message = format!("the response has more than {MOST_BODY_BYTES} bytes");
                    observation
                        .fail(FailureKind::InvalidResponse, detail("InvalidInferenceResultError", &message));
                    return Appetite::Enough;
                }
                body.extend_from_slice(&bytes);
                Appetite::More
            }
            Mode::Error { text, .. } => {
                let room = MOST_MESSAGE_BYTES.saturating_sub(text.len());
                text.extend_from_slice(&bytes[..bytes.len().min(room)]);
                Appetite::More
            }
        }
    }

    /// The end of a complete response, whose last bytes came at `at`: decides the outcome.
    pub fn finish(&mut self, at: &Arrival, observation: &mut Observation) {
        let foreign = self.foreign_body();
        self.take_rest(at, observation);
        if observation.outcome.is_some() {
            return;
        }
        if observation.chunks.is_empty() {
            if let Some(message) = foreign {
                observation
                    .fail(FailureKind::InvalidResponse, detail("InvalidInferenceResultError", &message));
                return;
            }
            let message = "the response is complete but cannot be used. No responses with actual content were \
                           received from the server (only usage/metadata, null/empty data, or [DONE] markers)";
            observation.fail(FailureKind::InvalidResponse, detail("InvalidInferenceResultError", message));
        } else {
            observation.outcome = Some(Outcome::Ok);
        }
    }

    /// The end of a response that broke off. What came is kept; an error status stays the reason.
    pub fn cut(&mut self, at: &Arrival, error: ErrorDetail, observation: &mut Observation) {
        if matches!(self.mode, Mode::Error { .. } | Mode::Events { .. }) {
            self.take_rest(at, observation);
        }
        observation.fail(FailureKind::StreamError, error);
    }

    /// What to say of a body that is declared to be neither events nor JSON, should there be no content
    /// in it: most likely the URL leads somewhere else.
    fn foreign_body(&self) -> Option<String> {
        let Mode::Whole { media_type, body } = &self.mode else { return None };
        if media_type.is_empty() || media_type == "application/json" || media_type.ends_with("+json") {
            return None;
        }
        Some(format!(
            "the server answered with {media_type}, which is neither an event stream nor JSON; does the URL \
             lead to the right path? The answer begins: {}",
            beginning_of(body)
        ))
    }

    fn take_rest(&mut self, at: &Arrival, observation: &mut Observation) {
        match &mut self.mode {
            Mode::Events { parser, template } => parser.finish(|event| {
                let _ = take_event(self.kind, event, template, at, observation);
            }),
            Mode::Whole { body, .. } => {
                if let Some(frame) = Frame::decode(&String::from_utf8_lossy(body)) {
                    take_frame(self.kind, &frame, body.len(), at.place.of(0), at, observation);
                }
                body.clear();
            }
            Mode::Error { status, reason, text } => {
                let error = ErrorDetail {
                    code: Some(i32::from(*status)),
                    ..detail(reason, &String::from_utf8_lossy(text))
                };
                observation.fail(FailureKind::HttpError, error);
            }
        }
    }
}

fn take_event(
    kind: EndpointKind,
    event: Event<'_>,
    template: &mut Template,
    at: &Arrival,
    observation: &mut Observation,
) -> Appetite {
    let data = event.data.trim_ascii();
    if event.name.trim_ascii().eq_ignore_ascii_case(b"error") {
        let said = if event.comment.is_empty() { data } else { event.comment };
        let message = format!("the server sent an error event: {}", String::from_utf8_lossy(clipped(said)));
        let error = ErrorDetail { code: Some(502), ..detail("SSEResponseError", &message) };
        observation.fail(FailureKind::StreamError, error);
        return Appetite::Enough;
    }
    let ends_at = at.place.of(event.taken);
    if let Some((slot, text)) = template.text_in(data) {
        let is_output = slot == Slot::Output;
        let chunks = &mut observation.chunks;
        if is_output { &mut chunks.output } else { &mut chunks.reasoning }.extend_from_slice(text);
        observation.push_chunk(slot.kind(), is_output, event.wire_bytes, ends_at, at);
        return Appetite::More;
    }
    let chunks_before = observation.chunks.len();
    if !data.is_empty() && data != b"[DONE]" {
        let json = String::from_utf8_lossy(data);
        if let Some(frame) = Frame::decode(&json) {
            let plain = take_frame(kind, &frame, event.wire_bytes, ends_at, at, observation);
            if let Some(plain) = plain {
                template.learn(&json, plain);
            }
        }
    }
    if observation.chunks.len() == chunks_before {
        observation.note_contentless(at);
    }
    Appetite::More
}

/// Keeps what a JSON object of a response says. Gives its text if that is all.
fn take_frame<'a>(
    kind: EndpointKind,
    frame: &Frame<'a>,
    wire_bytes: usize,
    ends_at: Option<u64>,
    at: &Arrival,
    observation: &mut Observation,
) -> Option<Plain<'a>> {
    let error = frame.error();
    let mut says_more = error.is_some() || frame.usage.is_some();
    if let Some(error) = error {
        let message = format!(
            "the server reported an error inside the response: {}",
            String::from_utf8_lossy(clipped(error.message.as_bytes()))
        );
        let error_type = short(error.error_type.as_deref().unwrap_or("SSEResponseError"));
        observation
            .fail(FailureKind::StreamError, ErrorDetail { code: error.code, ..detail(error_type, &message) });
    }
    if let Some(usage) = frame.usage.and_then(usage::decode) {
        observation.usage = Some(usage);
    }
    let choice = frame.choices.0.as_ref()?;

    let (reasoning_before, output_before) =
        (observation.chunks.reasoning.len(), observation.chunks.output.len());
    let mut has_tools = false;
    let (mut reasoning, mut content) = (None, None);
    match (kind, frame.object()) {
        (EndpointKind::Chat, object @ ("chat.completion.chunk" | "chat.completion")) => {
            let delta = if object == "chat.completion" { &choice.message } else { &choice.delta };
            if let Some(delta) = delta {
                let chunks = &mut observation.chunks;
                reasoning =
                    delta.reasoning_content.and_then(text_of).or_else(|| delta.reasoning.and_then(text_of));
                chunks.reasoning.extend_from_slice(reasoning.unwrap_or_default().as_bytes());
                content = delta.content.and_then(text_of);
                chunks.output.extend_from_slice(content.unwrap_or_default().as_bytes());
                if let Some(calls) = delta.tool_calls {
                    for_each_tool_text(calls, |text| {
                        has_tools = true;
                        chunks.output.extend_from_slice(text.as_bytes());
                    });
                }
            }
        }
        (EndpointKind::Completions, "text_completion" | "completion") => {
            content = choice.text.and_then(text_of);
            observation.chunks.output.extend_from_slice(content.unwrap_or_default().as_bytes());
        }
        _ => return None,
    }
    if let Some(reason) = choice.finish_reason.and_then(plain_text_of) {
        observation.finish_reason = Some(short(&reason).to_owned());
        says_more = true;
    }

    let carries_output = observation.chunks.output.len() > output_before;
    let carries_reasoning = observation.chunks.reasoning.len() > reasoning_before;
    let chunk_kind = match (has_tools, carries_output, carries_reasoning) {
        (true, _, _) => ChunkKind::Tool,
        (false, true, _) => ChunkKind::Text,
        (false, false, true) => ChunkKind::Reasoning,
        (false, false, false) => return None,
    };
    observation.push_chunk(chunk_kind, carries_output, wire_bytes, ends_at, at);
    match (content, reasoning) {
        _ if says_more || has_tools => None,
        (Some(text), None) => Some(Plain { slot: Slot::Output, text }),
        (None, Some(text)) => Some(Plain { slot: Slot::Reasoning, text }),
        _ => None,
    }
}

/// The first characters of a body, on one line.
fn beginning_of(body: &[u8]) -> String {
    // No character takes more than four bytes.
    let head = &body[..body.len().min(4 * (MOST_QUOTED_CHARS + 1))];
    let text = String::from_utf8_lossy(head);
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let mut quoted: String = line.trim_start().chars().take(MOST_QUOTED_CHARS).collect();
    if body.len() > head.len() || line.trim_start().chars().count() > MOST_QUOTED_CHARS {
        quoted.push('…');
    }
    quoted
}

/// As much of a server's name for something as is kept.
fn short(name: &str) -> &str {
    &name[..name.floor_char_boundary(MOST_NAME_BYTES)]
}

fn clipped(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.len().min(MOST_MESSAGE_BYTES)]
}

#[cfg(test)]
mod tests;
