//! The bytes of a journal segment: its head, and its frames.
//!
//! ```text
//! segment = head frame*
//! head    = magic [8]  version u32  number u32  crc32 u32      crc over the 16 bytes before it
//! frame   = length u32  crc32 u32  kind u8  payload [length]   crc over kind and payload
//! ```
//!
//! All integers are little-endian; payloads are postcard. Neither format describes itself, so any
//! change to the types inside a payload must raise [`VERSION`].
//!
//! Invariant: a frame is only ever taken whole and with the right checksum. This file does not know
//! files, threads or what to do about damage.

use loadgen_core::{RawRecord, Started};
use serde::{Deserialize, Serialize};

use super::JournalHeader;

/// The first bytes of every segment.
pub(crate) const MAGIC: [u8; 8] = *b"LGJRNL\r\n";
/// The version of frames and payloads.
pub(crate) const VERSION: u32 = 2;
/// Bytes of a segment's head.
pub(crate) const SEGMENT_HEAD: usize = 20;
/// Bytes of a frame before its payload.
pub(crate) const FRAME_HEAD: usize = 9;
/// The longest payload that is written, and the longest that a reader believes in.
pub(crate) const MAX_PAYLOAD: usize = 64 << 20;

/// What a frame holds. The values are bytes that occur in no UTF-8 text and rarely in short
/// integers, so that a search for the next frame seldom stops at a false one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    Header = 0xF8,
    Started = 0xF9,
    Finished = 0xFA,
    Note = 0xFB,
}

impl Kind {
    fn from_byte(byte: u8) -> Option<Self> {
        [Self::Header, Self::Started, Self::Finished, Self::Note].into_iter().find(|kind| *kind as u8 == byte)
    }
}

/// The head of segment `number`.
pub(crate) fn segment_head(number: u32) -> [u8; SEGMENT_HEAD] {
    let mut head = [0; SEGMENT_HEAD];
    head[..8].copy_from_slice(&MAGIC);
    head[8..12].copy_from_slice(&VERSION.to_le_bytes());
    head[12..16].copy_from_slice(&number.to_le_bytes());
    let crc = crc32fast::hash(&head[..16]);
    head[16..].copy_from_slice(&crc.to_le_bytes());
    head
}

/// What the first bytes of a segment say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SegmentHead {
    /// Ours, of this version.
    Good,
    /// Ours and intact, but of another version.
    OtherVersion(u32),
    /// Damaged, or no journal at all.
    Damaged,
}

/// Judges the head of a segment.
pub(crate) fn check_segment_head(bytes: &[u8]) -> SegmentHead {
    let Some(head) = bytes.first_chunk::<SEGMENT_HEAD>() else { return SegmentHead::Damaged };
    if head[..8] != MAGIC || crc32fast::hash(&head[..16]) != word(&head[16..]) {
        return SegmentHead::Damaged;
    }
    match word(&head[8..]) {
        VERSION => SegmentHead::Good,
        other => SegmentHead::OtherVersion(other),
    }
}

/// Appends one frame to `buffer`. `false`, and nothing appended, when the payload is longer than
/// [`MAX_PAYLOAD`] or cannot be encoded.
pub(crate) fn append<T: Serialize>(buffer: &mut Vec<u8>, kind: Kind, value: &T) -> bool {
    let start = buffer.len();
    buffer.extend_from_slice(&[0; FRAME_HEAD - 1]);
    buffer.push(kind as u8);
    let encoded = postcard::to_io(value, &mut *buffer).is_ok();
    let length = buffer.len() - start - FRAME_HEAD;
    if !encoded || length > MAX_PAYLOAD {
        buffer.truncate(start);
        return false;
    }
    let crc = crc32fast::hash(&buffer[start + FRAME_HEAD - 1..]);
    let length = u32::try_from(length).expect("a payload is at most MAX_PAYLOAD bytes");
    buffer[start..start + 4].copy_from_slice(&length.to_le_bytes());
    buffer[start + 4..start + 8].copy_from_slice(&crc.to_le_bytes());
    true
}

/// The head of a frame, as read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FrameHead {
    pub(crate) kind: Kind,
    pub(crate) length: usize,
    crc: u32,
}

impl FrameHead {
    /// Reads a head; `None` when its kind is unknown or its length unbelievable.
    pub(crate) fn parse(head: &[u8; FRAME_HEAD]) -> Option<Self> {
        let kind = Kind::from_byte(head[8])?;
        let length = usize::try_from(word(head)).ok().filter(|length| *length <= MAX_PAYLOAD)?;
        Some(Self { kind, length, crc: word(&head[4..]) })
    }

    /// Whether `body`, the kind byte and the payload, is what was written.
    pub(crate) fn fits(self, body: &[u8]) -> bool {
        crc32fast::hash(body) == self.crc
    }
}

fn word(bytes: &[u8]) -> u32 {
    bytes.first_chunk::<4>().map_or(0, |word| u32::from_le_bytes(*word))
}

/// A decoded frame.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Frame {
    Header(JournalHeader),
    Started(Started),
    Finished(Box<RawRecord>),
    Note(NoteFrame),
}

/// The payload of a note.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NoteFrame {
    pub(crate) kind: String,
    pub(crate) json: String,
}

/// Decodes a payload whose checksum was right.
pub(crate) fn decode(kind: Kind, payload: &[u8]) -> Result<Frame, postcard::Error> {
    Ok(match kind {
        Kind::Header => Frame::Header(postcard::from_bytes(payload)?),
        Kind::Started => Frame::Started(postcard::from_bytes(payload)?),
        Kind::Finished => Frame::Finished(postcard::from_bytes(payload)?),
        Kind::Note => Frame::Note(postcard::from_bytes(payload)?),
    })
}
