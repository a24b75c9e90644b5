//! When bytes came, and where in their connection's stream they stand: what a decoder is told beside the
//! bytes. It knows no clock and no socket.

use loadgen_core::{Nanos, StampSource};

/// When, and how surely, the bytes of one read arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Arrival {
    /// When the last byte of the read reached the host.
    pub stamp: Nanos,
    /// Who says so.
    pub source: StampSource,
    /// When the bytes were in our hands.
    pub read_at: Nanos,
    /// Number of the read on its connection, from 1.
    pub read: u64,
    /// Whether the read left the socket empty. If not, the stamp may be that of later bytes.
    pub is_drained: bool,
    /// No byte of the read arrived before this: the socket was empty then.
    pub not_before: Nanos,
    /// Where the bytes stand in the connection's stream.
    pub place: Place,
}

/// Where bytes that are looked at stand in the byte stream of their connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Place {
    /// Nowhere that could be told.
    #[default]
    Unknown,
    /// As they are, behind so many others.
    Behind(u64),
    /// All within what ends at this position: a TLS record, which comes out as a whole or not at all.
    EndingAt(u64),
}

impl Place {
    /// The position of the last of the first `count` bytes.
    pub fn of(self, count: usize) -> Option<u64> {
        match self {
            Self::Unknown => None,
            Self::Behind(others) => Some(others + count as u64),
            Self::EndingAt(position) => Some(position),
        }
    }

    /// The place of what stands behind the first `count` bytes.
    pub(crate) fn behind(self, count: usize) -> Self {
        match self {
            Self::Behind(others) => Self::Behind(others + count as u64),
            other => other,
        }
    }
}

impl Arrival {
    /// Width in ns of the interval that ends at the stamp and in which each byte of the read came;
    /// at least 1, since 0 would say exact.
    pub fn width_ns(&self) -> i64 {
        self.stamp.since(self.not_before).max(1)
    }

    /// The same read, looked at from behind the first `count` bytes.
    pub(crate) fn behind(self, count: usize) -> Self {
        Self { place: self.place.behind(count), ..self }
    }
}
