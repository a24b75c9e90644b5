//! Arrays of messages, in the three ways in which servers want them.
//!
//! | | item | text | image | sound |
//! |---|---|---|---|---|
//! | chat | `role, content` | `text` | `image_url: {url}` | `input_audio: {data, format}` |
//! | responses | `role, content, type: message` | `input_text` | `input_image: url` | as chat |
//! | messages | `role, content` | `text` | `image: {source}` | none |
//!
//! A message of one text is a string, as AIPerf has it for servers that take nothing else. A film goes to
//! chat alone. Invariant: what a dialect has no shape for was refused by [`check`] before it is written.

use bytes::Bytes;
use loadgen_core::{Media, Message, Part, Rope};

use super::writer::Writer;
use crate::endpoint::EndpointError;

/// How messages are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// OpenAI's chat.
    Chat {
        /// Whether a message of one text is a list of parts all the same.
        always_parts: bool,
    },
    /// OpenAI's responses.
    Responses {
        /// The same.
        always_parts: bool,
    },
    /// Anthropic's messages.
    Messages {
        /// The same.
        always_parts: bool,
    },
}

impl Dialect {
    fn always_parts(self) -> bool {
        match self {
            Self::Chat { always_parts }
            | Self::Responses { always_parts }
            | Self::Messages { always_parts } => always_parts,
        }
    }

    /// Whether the system message in front has a field of its own beside the array.
    pub(super) fn parts_system(self) -> bool {
        match self {
            Self::Chat { .. } => false,
            Self::Responses { .. } | Self::Messages { .. } => true,
        }
    }
}

/// Refuses what cannot be written in a dialect.
pub(super) fn check(dialect: Dialect, said: &[Message]) -> Result<(), EndpointError> {
    for part in said.iter().flat_map(|message| &message.parts) {
        let refused = match (dialect, part) {
            (_, Part::Text(_) | Part::Image(_)) | (Dialect::Chat { .. }, Part::Video(_)) => None,
            (Dialect::Messages { .. }, Part::Audio(_)) => Some(("messages", "audio")),
            (Dialect::Messages { .. }, Part::Video(_)) => Some(("messages", "video")),
            (Dialect::Responses { .. }, Part::Video(_)) => Some(("responses", "video")),
            (_, Part::Audio(media)) => {
                if encoded_audio(media).is_none() {
                    return Err(EndpointError::AudioUrl);
                }
                None
            }
        };
        if let Some((kind, what)) = refused {
            return Err(EndpointError::Media { kind, what });
        }
    }
    Ok(())
}

/// Writes messages as an array.
pub(super) fn write(writer: &mut Writer, dialect: Dialect, said: &[Message]) {
    writer.list(said, |writer, message| {
        if let Some(ready) = &message.ready {
            writer.share(ready);
            return;
        }
        writer.put(b"{\"role\":");
        writer.string(message.role.name());
        writer.put(b",\"content\":");
        write_content(writer, dialect, message);
        let end: &[u8] =
            if matches!(dialect, Dialect::Responses { .. }) { b",\"type\":\"message\"}" } else { b"}" };
        writer.put(end);
    });
}

fn write_content(writer: &mut Writer, dialect: Dialect, message: &Message) {
    let Message { text, parts, .. } = message;
    if parts.is_empty() && (text.is_empty() || !dialect.always_parts()) {
        writer.rope(text);
        return;
    }
    let has_text = !text.is_empty();
    writer.put(b"[");
    if has_text {
        write_text(writer, dialect, text);
    }
    for (index, part) in parts.iter().enumerate() {
        if has_text || index > 0 {
            writer.put(b",");
        }
        match part {
            Part::Text(text) => write_text(writer, dialect, text),
            Part::Image(media) => write_image(writer, dialect, media),
            Part::Audio(media) => write_audio(writer, media),
            Part::Video(media) => {
                writer.put(br#"{"type":"video_url","video_url":{"url":""#);
                write_url(writer, "video", media);
                writer.put(b"\"}}");
            }
        }
    }
    writer.put(b"]");
}

fn write_text(writer: &mut Writer, dialect: Dialect, text: &Rope) {
    let begin: &[u8] = match dialect {
        Dialect::Responses { .. } => br#"{"type":"input_text","text":"#,
        Dialect::Chat { .. } | Dialect::Messages { .. } => br#"{"type":"text","text":"#,
    };
    writer.put(begin);
    writer.rope(text);
    writer.put(b"}");
}

fn write_image(writer: &mut Writer, dialect: Dialect, media: &Media) {
    match dialect {
        Dialect::Chat { .. } => {
            writer.put(br#"{"type":"image_url","image_url":{"url":""#);
            write_url(writer, "image", media);
            writer.put(b"\"}}");
        }
        Dialect::Responses { .. } => {
            writer.put(br#"{"type":"input_image","image_url":""#);
            write_url(writer, "image", media);
            writer.put(b"\"}");
        }
        Dialect::Messages { .. } => {
            if let Some((format, base64)) = encoded(media, "data:image/") {
                writer.put(br#"{"type":"image","source":{"type":"base64","media_type":"image/"#);
                writer.put(format);
                writer.put(br#"","data":""#);
                writer.share(&base64);
            } else {
                writer.put(br#"{"type":"image","source":{"type":"url","url":""#);
                write_url(writer, "image", media);
            }
            writer.put(b"\"}}");
        }
    }
}

fn write_audio(writer: &mut Writer, media: &Media) {
    let (format, base64) = encoded_audio(media).expect("audio without data was refused");
    writer.put(br#"{"type":"input_audio","input_audio":{"data":""#);
    writer.share(&base64);
    writer.put(br#"","format":""#);
    writer.put(format);
    writer.put(b"\"}}");
}

/// Writes where a thing is into a JSON string that is open: its URL, or one of its data.
pub(super) fn write_url(writer: &mut Writer, family: &str, media: &Media) {
    match media {
        Media::Url(url) => writer.share(url),
        Media::Encoded { format, base64, .. } => {
            for part in ["data:", family, "/", format, ";base64,"] {
                writer.put(part.as_bytes());
            }
            writer.share(base64);
        }
    }
}

/// Format and data of a sound.
fn encoded_audio(media: &Media) -> Option<(&[u8], Bytes)> {
    encoded(media, "data:audio/")
}

/// Format and data of a thing that is at hand: `prefix` is how the URL of such data begins.
fn encoded<'a>(media: &'a Media, prefix: &str) -> Option<(&'a [u8], Bytes)> {
    match media {
        Media::Encoded { format, base64, .. } => Some((format.as_bytes(), base64.clone())),
        Media::Url(url) => {
            let rest = url.strip_prefix(prefix.as_bytes())?;
            let comma = memchr::memchr(b',', rest)?;
            let format = rest[..comma].split(|byte| *byte == b';').next()?;
            let data = prefix.len() + comma + 1;
            Some((format, url.slice(data..)))
        }
    }
}
