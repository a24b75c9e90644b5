//! The bytes of a journal segment: its head, and its frames.
//!
//! ```text
//! segment = head frame*
//! head    = magic [8]  version u32  number u32  crc32 u32      crc over the 16 bytes before it
//! frame   = mark [3]  kind u8  length u32  crc32 u32  payload [length]   crc over kind, length, payload
//! ```
//!
//! All integers are little-endian; payloads are postcard, but for the chunk lists that end a finished
//! record (see `packed`). Neither format describes itself, so any change to the types inside a payload
//! must raise [`VERSION`]. The mark is what a search for the next frame looks for: bytes that occur in
//! no UTF-8 text.
//!
//! Invariant: a frame is only ever taken whole and with the right checksum. This file does not know
//! files, threads or what to do about damage.

use loadgen_core::{RawRecord, Started};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{JournalHeader, packed};

/// The first bytes of every segment.
pub(crate) const MAGIC: [u8; 8] = *b"LGJRNL\r\n";
/// The version of frames and payloads.
pub(crate) const VERSION: u32 = 6;
/// Bytes of a segment's head.
pub(crate) const SEGMENT_HEAD: usize = 20;
/// The first bytes of every frame.
pub(crate) const MARK: [u8; 3] = [0xF5, 0xFF, 0xC0];
/// Bytes of a frame before its payload.
pub(crate) const FRAME_HEAD: usize = 12;
/// The longest payload that is written, and the longest that a reader believes in.
pub(crate) const MAX_PAYLOAD: usize = 64 << 20;

/// What a frame holds.
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
    append_with(buffer, kind, |buffer| postcard::to_io(value, buffer).is_ok())
}

/// Appends the frame of a finished record, likewise. The record is as before when this returns.
pub(crate) fn append_record(buffer: &mut Vec<u8>, record: &mut RawRecord) -> bool {
    let chunks = std::mem::take(&mut record.chunks);
    let is_written = append_with(buffer, Kind::Finished, |buffer| {
        postcard::to_io(record, &mut *buffer).is_ok() && packed::write(&chunks, buffer)
    });
    record.chunks = chunks;
    is_written
}

fn append_with(buffer: &mut Vec<u8>, kind: Kind, write: impl FnOnce(&mut Vec<u8>) -> bool) -> bool {
    let start = buffer.len();
    buffer.extend_from_slice(&MARK);
    buffer.push(kind as u8);
    buffer.extend_from_slice(&[0; 8]);
    let is_encoded = write(buffer);
    let length = buffer.len() - start - FRAME_HEAD;
    if !is_encoded || length > MAX_PAYLOAD {
        buffer.truncate(start);
        return false;
    }
    let length = u32::try_from(length).expect("a payload is at most MAX_PAYLOAD bytes").to_le_bytes();
    buffer[start + 4..start + 8].copy_from_slice(&length);
    let crc = checksum(&buffer[start..]);
    buffer[start + 8..start + FRAME_HEAD].copy_from_slice(&crc.to_le_bytes());
    true
}

/// The checksum of a whole frame: over its kind, its length and its payload.
fn checksum(frame: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&frame[3..8]);
    crc.update(&frame[FRAME_HEAD..]);
    crc.finalize()
}

/// The head of a frame, as read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FrameHead {
    pub(crate) kind: Kind,
    pub(crate) length: usize,
    crc: u32,
}

impl FrameHead {
    /// Reads a head; `None` when its mark is wrong, its kind unknown or its length unbelievable.
    pub(crate) fn parse(head: &[u8; FRAME_HEAD]) -> Option<Self> {
        let kind = Kind::from_byte(head[3]).filter(|_| head.starts_with(&MARK))?;
        let length = usize::try_from(word(&head[4..])).ok().filter(|length| *length <= MAX_PAYLOAD)?;
        Some(Self { kind, length, crc: word(&head[8..]) })
    }

    /// Whether the whole `frame` is what was written.
    pub(crate) fn fits(self, frame: &[u8]) -> bool {
        checksum(frame) == self.crc
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

/// Decodes a payload whose checksum was right; `None` when it makes no sense all the same.
pub(crate) fn decode(kind: Kind, payload: &[u8]) -> Option<Frame> {
    Some(match kind {
        Kind::Header => Frame::Header(postcard::from_bytes(payload).ok()?),
        Kind::Started => Frame::Started(postcard::from_bytes(payload).ok()?),
        Kind::Finished => Frame::Finished(Box::new(decode_record(payload)?)),
        Kind::Note => Frame::Note(postcard::from_bytes(payload).ok()?),
    })
}

/// Decodes the payload of a finished record.
pub(crate) fn decode_record(payload: &[u8]) -> Option<RawRecord> {
    let (record, chunks) = postcard::take_from_bytes::<RawRecord>(payload).ok()?;
    Some(RawRecord { chunks: packed::read(chunks)?, ..record })
}

/// Whom a started or finished request's payload is about: what it begins with.
pub(crate) fn request_id(payload: &[u8]) -> Option<Uuid> {
    postcard::take_from_bytes(payload).ok().map(|(id, _)| id)
}
