//! What a reader could not use, and where it lay.

use std::fmt;

/// A stretch of a journal that could not be read. Everything before and after it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The segment's number, from 1.
    pub segment: u32,
    /// Where the stretch begins, in bytes from the start of the segment.
    pub offset: u64,
    /// How long it is, in bytes; 0 where nothing was there to skip.
    pub bytes_skipped: u64,
    /// What is wrong with it.
    pub reason: DamageReason,
}

/// Why a stretch of a journal could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DamageReason {
    /// The segment does not begin as a segment does.
    SegmentHead,
    /// The segment was written by another version of loadgen, and is left out as a whole.
    OtherVersion(u32),
    /// No frame begins here: an unknown kind, or a length beyond belief.
    NoFrame,
    /// A frame's checksum is wrong.
    Checksum,
    /// The segment ends inside a frame: what a killed run leaves at its end.
    Truncated,
    /// A frame is intact, but its payload cannot be decoded.
    Undecodable,
    /// So many segments are missing, this one the first of them, before one that is there.
    MissingSegments(u32),
    /// The file system refused to read on.
    Unreadable(String),
}

impl fmt::Display for DamageReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SegmentHead => formatter.write_str("the segment's head is damaged"),
            Self::OtherVersion(version) => {
                write!(formatter, "the segment was written in journal version {version}")
            }
            Self::NoFrame => formatter.write_str("no record begins here"),
            Self::Checksum => formatter.write_str("a checksum is wrong"),
            Self::Truncated => formatter.write_str("the segment ends inside a record"),
            Self::Undecodable => formatter.write_str("a record cannot be decoded"),
            Self::MissingSegments(1) => formatter.write_str("the segment is missing"),
            Self::MissingSegments(count) => {
                write!(formatter, "this and the next segments are missing, {count} in all")
            }
            Self::Unreadable(error) => write!(formatter, "the file cannot be read: {error}"),
        }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "journal segment {}, byte {}: {} ({} bytes skipped)",
            self.segment, self.offset, self.reason, self.bytes_skipped
        )
    }
}
