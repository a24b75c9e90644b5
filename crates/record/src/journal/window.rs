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
    pub(crate) fn advance(&mut self, bytes: usize) -> io::Result<()> {
        let step = self.remaining().min(bytes as u64) as usize;
        if self.buffer.len() - self.cursor < step {
            self.read(step)?;
        }
        self.cursor += step;
        self.position += step as u64;
        Ok(())
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_cursor_reaches_the_end_whatever_has_been_read() {
        let bytes: Vec<u8> = (0..READ_BYTES + 5).map(|place| place as u8).collect();
        let mut window = Window::new(&bytes[..], bytes.len() as u64);
        assert_eq!(window.peek(3).unwrap().unwrap(), &bytes[..3]);
        window.advance(READ_BYTES).unwrap();
        assert_eq!(window.peek(9).unwrap(), None);
        for left in (0..5).rev() {
            window.advance(1).unwrap();
            assert_eq!(window.remaining(), left);
        }
        window.advance(1).unwrap();
        assert_eq!(window.remaining(), 0);
    }

    #[test]
    fn bytes_are_the_same_through_any_window() {
        let bytes: Vec<u8> = (0..3 * READ_BYTES).map(|place| (place / 7) as u8).collect();
        let mut window = Window::new(&bytes[..], bytes.len() as u64);
        for (at, width) in (0..bytes.len() - 1_000).step_by(997).zip([1, 9, 400, 1_000].into_iter().cycle()) {
            assert_eq!(window.position(), at as u64);
            assert_eq!(window.peek(width).unwrap().unwrap(), &bytes[at..at + width]);
            window.advance(997).unwrap();
        }
    }

    #[test]
    fn a_source_shorter_than_it_said_is_an_error() {
        let mut window = Window::new(&b"abc"[..], 10);
        assert_eq!(window.peek(8).unwrap_err().kind(), ErrorKind::UnexpectedEof);
    }
}
