//! Text as a list of shared, already JSON-escaped pieces.
//!
//! A prompt of a trace is mostly blocks that other prompts share. Keeping the pieces apart means a
//! block is escaped once and never copied: it goes from the workload to the socket as it is.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// The inside of one JSON string (quotes not included), in pieces. Joined, the pieces are valid
/// UTF-8 with every character that JSON requires escaped; a piece may end in the middle of neither
/// a character nor an escape.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rope {
    pieces: Vec<Bytes>,
}

impl Rope {
    /// A rope without pieces: the empty string.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a piece, already JSON-escaped. Empty pieces are dropped.
    pub fn push(&mut self, escaped: Bytes) {
        if !escaped.is_empty() {
            self.pieces.push(escaped);
        }
    }

    /// Appends all pieces of another rope; the bytes are shared, not copied.
    pub fn extend(&mut self, other: &Self) {
        self.pieces.extend(other.pieces.iter().cloned());
    }

    /// The pieces in order.
    pub fn pieces(&self) -> &[Bytes] {
        &self.pieces
    }

    /// Length of the escaped text in bytes.
    pub fn len(&self) -> usize {
        self.pieces.iter().map(Bytes::len).sum()
    }

    /// Whether the text is empty.
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }
}

impl From<Bytes> for Rope {
    fn from(escaped: Bytes) -> Self {
        let mut rope = Self::new();
        rope.push(escaped);
        rope
    }
}

impl FromIterator<Bytes> for Rope {
    fn from_iter<I: IntoIterator<Item = Bytes>>(pieces: I) -> Self {
        let mut rope = Self::new();
        pieces.into_iter().for_each(|piece| rope.push(piece));
        rope
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_keep_their_order_and_are_shared() {
        let block = Bytes::from_static(b"block ");
        let rope: Rope = [block.clone(), Bytes::new(), Bytes::from_static(b"tail")].into_iter().collect();
        assert_eq!(rope.pieces().len(), 2);
        assert_eq!(rope.len(), 10);
        assert_eq!(rope.pieces()[0].as_ptr(), block.as_ptr());
    }
}
