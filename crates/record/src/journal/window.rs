//! A segment as a row of bytes, seen through a window that moves forward.
//!
//! Only what lies between the cursor and the farthest byte asked for is in memory, so a segment of
//! any length is read in the space of its longest frame.

use std::io::{self, ErrorKind, Read};

/// Bytes read at a time when less was asked for.
const READ_BYTES: usize = 256 << 10;

/// A moving view of a segment.
#[derive(Debug)]
pub(crate) struct Window<R> {
    source: R,
    buffer: Vec<u8>,
    /// Where the cursor is in `buffer`, and in the segment.
    cursor: usize,
    position: u64,
    /// Length of the segment, in bytes.
    length: u64,
}

impl<R: Read> Window<R> {
    /// A view of `source`, which is `length` bytes long; what it may hold beyond is not looked at.
    pub(crate) fn new(source: R, length: u64) -> Self {
        Self { source, buffer: Vec::new(), cursor: 0, position: 0, length }
    }

    /// Where the cursor is in the segment.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Bytes from the cursor to the end of the segment.
    pub(crate) fn remaining(&self) -> u64 {
        self.length - self.position
    }

    /// Moves the cursor forward, at most to the end.
    pub(crate) fn advance(&mut self, bytes: usize) {
        let step = (self.remaining().min(bytes as u64) as usize).min(self.buffer.len() - self.cursor);
        self.cursor += step;
        self.position += step as u64;
    }

    /// Moves the cursor to the end, whatever lies between.
    pub(crate) fn skip_to_end(&mut self) {
        self.position = self.length;
        self.buffer.clear();
        self.cursor = 0;
    }

    /// The next `bytes` bytes; `None` where the segment ends before them.
    pub(crate) fn peek(&mut self, bytes: usize) -> io::Result<Option<&[u8]>> {
        if self.remaining() < bytes as u64 {
            return Ok(None);
        }
        if self.buffer.len() - self.cursor < bytes {
            self.read(bytes)?;
        }
        Ok(Some(&self.buffer[self.cursor..self.cursor + bytes]))
    }

    fn read(&mut self, bytes: usize) -> io::Result<()> {
        self.buffer.drain(..self.cursor);
        self.cursor = 0;
        let kept = self.buffer.len();
        let ahead = (self.remaining() - kept as u64).min(bytes.max(READ_BYTES) as u64);
        self.buffer.shrink_to(bytes.max(kept).max(READ_BYTES * 2));
        self.source.by_ref().take(ahead).read_to_end(&mut self.buffer)?;
        if self.buffer.len() < bytes {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }
}
