//! Responses to content: events or one body, through whatever coding, into an observation.
//!
//! What counts as content says the file of each endpoint's family: [`openai`], [`responses`],
//! [`anthropic`], [`generate`], [`vectors`], [`free`]. For all of them:
//!
//! * a chunk of content is one object with text that is not empty, white space included, or with a vector;
//! * usage is the last non-empty one, wherever it stands.
//!
//! An event without content that is read together with the chunk before it leaves that chunk uncertain; see
//! `Observation::note_contentless`.
//!
//! `[DONE]` proves nothing, and neither does its absence. An `event: error` is a failure; what came before
//! it is kept. `data: {"error": …}` without one is none, as with AIPerf: the request counts as what it
//! else was, and the error stands beside. Data that is no JSON is dropped; a response without any content
//! is invalid.
//!
//! Invariant: no I/O, no clock: everything about time comes in with the bytes.

mod anthropic;
mod arrival;
mod blocks;
mod calls;
mod coding;
mod event;
mod format;
mod free;
mod generate;
mod items;
mod openai;
mod reader;
mod responses;
mod said;
mod speculative;
mod template;
mod usage;
mod vectors;

use loadgen_core::{ErrorDetail, FailureKind, Outcome};

use crate::error::detail;
use crate::observation::Observation;
use crate::python::{Exception, quoted};
use crate::redact::redact;
use crate::sse::{Event, SseParser};
pub use arrival::{Arrival, Place};
pub(crate) use blocks::Blocks;
pub(crate) use calls::ToolCalls;
use coding::Coding;
pub use format::{ResponseField, ResponseFormat};
pub(crate) use items::OutputItems;
use reader::{Reader, Shape};
use said::{Came, Said};
use template::{Slot, Template};

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
    reading: Reading,
    coding: Coding,
    mode: Mode,
}

/// How objects are read.
#[derive(Debug)]
struct Reading {
    reader: Reader,
    keeps_first_usage: bool,
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
    pub fn new(format: impl Into<ResponseFormat>) -> Self {
        let format = format.into();
        let reader = Reader::new(&format);
        Self {
            reading: Reading { reader, keeps_first_usage: format.keeps_first_usage },
            coding: Coding::IDENTITY,
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
        observation.recalls_reasoning = self.reading.reader.recalls_reasoning();
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
        let Self { reading, coding, mode } = self;
        // Decompressed bytes stand nowhere in the stream.
        let place = if coding.is_identity() { at.place } else { Place::Unknown };
        let at = &Arrival { place, ..*at };
        let coding_name = coding.name();
        let bytes = match coding.decode(bytes) {
            Ok(bytes) => bytes,
            Err(error) => {
                // An error's status says more than what is wrong with its text.
                if matches!(mode, Mode::Error { .. }) {
                    self.take_rest(at, observation);
                }
                observation.fail(FailureKind::InvalidResponse, undecodable(coding_name, &error));
                return Appetite::Enough;
            }
        };
        // The text of an error is kept as its message.
        if let Some(exchange) = &mut observation.exchange
            && !matches!(mode, Mode::Error { .. })
        {
            exchange.take_body(&bytes);
        }
        match mode {
            Mode::Events { parser, template } => {
                let mut appetite = Appetite::More;
                let pushed = parser.push(&bytes, |event| {
                    if appetite == Appetite::More {
                        appetite = take_event(reading, event, template, at, observation);
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
        if let Err(error) = self.coding.finish() {
            observation.fail(FailureKind::InvalidResponse, undecodable(self.coding.name(), &error));
            return;
        }
        if observation.chunks.is_empty() {
            let message = "Invalid inference result: No responses with actual content were received from the \
                           server (only usage/metadata, null/empty data, or [DONE] markers)";
            let error = Exception::said("InvalidInferenceResultError", message).alone();
            let cause = foreign.map(|foreign| redact(&foreign).into_owned());
            observation.fail(FailureKind::InvalidResponse, ErrorDetail { cause, ..error });
        } else {
            observation.outcome = Some(Outcome::Ok);
        }
    }

    /// The end of a response that broke off. What came is kept; an error status stays the reason.
    /// `kind` is what kind of failure that is.
    pub fn cut(
        &mut self,
        at: &Arrival,
        kind: FailureKind,
        error: ErrorDetail,
        observation: &mut Observation,
    ) {
        if matches!(self.mode, Mode::Error { .. } | Mode::Events { .. }) {
            self.take_rest(at, observation);
        }
        observation.fail(kind, error);
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
        let reading = &mut self.reading;
        match &mut self.mode {
            Mode::Events { parser, template } => parser.finish(|event| {
                let _ = take_event(reading, event, template, at, observation);
            }),
            Mode::Whole { body, .. } => {
                let text = String::from_utf8_lossy(body);
                if !text.trim_ascii().is_empty() {
                    let came = Came { wire_bytes: body.len(), ends_at: at.place.of(0), at };
                    let mut said = Said::new(observation);
                    reading.reader.take(&text, Shape::Whole, &mut said);
                    said.close(came, reading.keeps_first_usage);
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
    reading: &mut Reading,
    event: Event<'_>,
    template: &mut Template,
    at: &Arrival,
    observation: &mut Observation,
) -> Appetite {
    let data = event.data.trim_ascii();
    if event.name.trim_ascii().eq_ignore_ascii_case(b"error") {
        let error = Exception::said("SSEResponseError", &error_event(event.comment, data)).alone();
        observation.fail(FailureKind::StreamError, ErrorDetail { code: Some(502), ..error });
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
    if !data.is_empty() && (data != b"[DONE]" || reading.reader.takes_any_text()) {
        let text = String::from_utf8_lossy(data);
        let mut said = Said::new(observation);
        let plain = reading.reader.take(&text, Shape::Event, &mut said);
        said.close(Came { wire_bytes: event.wire_bytes, ends_at, at }, reading.keeps_first_usage);
        if let Some(plain) = plain {
            template.learn(&text, plain);
        }
    }
    if observation.chunks.len() == chunks_before {
        observation.note_contentless(at);
    }
    Appetite::More
}

/// A body that is not coded as its head says, in AIPerf's words.
fn undecodable(coding: &str, error: &std::io::Error) -> ErrorDetail {
    let says = format!("Can not decode content-encoding: {coding}");
    let payload = Exception::said("ClientPayloadError", &format!("400, message:\n  {says}"));
    let causes =
        [Exception::http("ContentEncodingError", &says), Exception::said("error", &error.to_string())];
    payload.because(&causes)
}

/// What AIPerf says of an error event. It names the instant too, so that no two of its errors are the
/// same; here equal ones are.
fn error_event(comment: &[u8], data: &[u8]) -> String {
    let text = |bytes| String::from_utf8_lossy(clipped(bytes)).into_owned();
    if !comment.is_empty() {
        return format!("Error occurred in SSE response: {}", text(comment));
    }
    let data = match data {
        b"" => String::new(),
        data => format!(", SSEField(name='data', value={})", quoted(&text(data))),
    };
    format!(
        "Error occurred in SSE response: Unknown error in SSE response: \
         SSEMessage(packets=[SSEField(name='event', value='error'){data}])"
    )
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
