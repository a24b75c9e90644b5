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

    /// Moves the end: more has been written.
    pub(crate) fn extend_to(&mut self, length: u64) {
        self.length = self.length.max(length);
    }

    /// Moves the cursor forward to where `needle` begins next, from the cursor on, or to the end.
    pub(crate) fn skip_to(&mut self, needle: &[u8]) -> io::Result<()> {
        let finder = memchr::memmem::Finder::new(needle);
        while self.remaining() >= needle.len() as u64 {
            self.peek(needle.len())?;
            let seen = &self.buffer[self.cursor..];
            let place = finder.find(seen);
            let step = place.unwrap_or(seen.len() + 1 - needle.len());
            self.advance(step)?;
            if place.is_some() {
                return Ok(());
            }
        }
        self.skip_to_end();
        Ok(())
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
    fn a_needle_is_found_wherever_it_lies() {
        for place in [0, 7, READ_BYTES - 2, READ_BYTES - 1, READ_BYTES, 2 * READ_BYTES + 1] {
            let mut bytes = vec![b'f'; 3 * READ_BYTES];
            bytes[place..place + 3].copy_from_slice(b"fgh");
            let mut window = Window::new(&bytes[..], bytes.len() as u64);
            window.skip_to(b"fgh").unwrap();
            assert_eq!(window.position(), place as u64);
            window.advance(1).unwrap();
            window.skip_to(b"fgh").unwrap();
            assert_eq!(window.remaining(), 0);
        }
    }

    #[test]
    fn what_is_written_later_is_read_later() {
        let mut window = Window::new(&b"abcdef"[..], 2);
        assert_eq!(window.peek(3).unwrap(), None);
        window.advance(2).unwrap();
        assert_eq!(window.remaining(), 0);
        window.extend_to(6);
        assert_eq!(window.peek(4).unwrap().unwrap(), b"cdef");
    }

    #[test]
    fn a_source_shorter_than_it_said_is_an_error() {
        let mut window = Window::new(&b"abc"[..], 10);
        assert_eq!(window.peek(8).unwrap_err().kind(), ErrorKind::UnexpectedEof);
    }
}
