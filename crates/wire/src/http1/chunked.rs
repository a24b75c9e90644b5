//! The chunked transfer coding, taken apart as its bytes come (RFC 9112, 7.1).
//!
//! Lines end with CRLF and nothing else; extensions, padding and trailers are skipped, and limited in length.

use std::num::NonZero;

use thiserror::Error;

/// The most bytes that padding, extensions and trailers may have together, beyond what each chunk may have.
const MOST_EXTRA_BYTES: usize = 16 * 1024;
/// What each chunk may have of them: a long stream of chunks that are padded or signed is no attack.
const EXTRA_BYTES_A_CHUNK: usize = 128;

/// Where in the coding the next byte stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the first digit of a chunk's size.
    SizeStart,
    /// After a digit of it.
    Size,
    /// After blanks behind it.
    SizeBlank,
    /// In an extension.
    Extension,
    /// Before the LF of the size's line.
    SizeLf,
    /// In a chunk's data.
    Data,
    /// Before the CR, and the LF, behind the data.
    DataCr,
    DataLf,
    /// At the beginning of a line after the last chunk.
    TrailerStart,
    /// In a trailer, and before the LF behind it.
    Trailer,
    TrailerLf,
    /// Before the very last LF.
    EndLf,
    /// Behind it.
    Done,
}

/// Takes one chunked body apart.
#[derive(Debug)]
pub(super) struct ChunkedDecoder {
    state: State,
    /// Of the chunk's size line while it is read; bytes of its data that are still to come after.
    size: u64,
    extra: usize,
}

/// What the next bytes are.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step<'a> {
    /// Data of the body; never empty.
    Data(&'a [u8]),
    /// The end of the body.
    End,
    /// Nothing yet: all bytes are taken.
    Hungry,
}

/// Bytes that are not chunked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ChunkFault {
    /// A byte that must not stand there.
    #[error("a chunk's size line has the byte {0:#04x}")]
    Size(u8),
    /// A size beyond 64 bits.
    #[error("the chunk size {0:x}… is beyond 64 bits")]
    SizeTooLarge(u64),
    /// Something other than CRLF behind data.
    #[error("a chunk does not end where its size says")]
    End,
    /// Something other than LF behind a CR.
    #[error("a line of the chunked body ends with a bare CR or LF")]
    LineEnd,
    /// Too much that is not data.
    #[error("the chunked body's extensions and trailers have more than {MOST_EXTRA_BYTES} bytes")]
    TooMuchExtra,
}

impl ChunkedDecoder {
    pub(super) fn new() -> Self {
        Self { state: State::SizeStart, size: 0, extra: 0 }
    }

    /// Takes the next part off the front of `bytes`. After data it stands exactly behind them.
    pub(super) fn next<'a>(&mut self, bytes: &mut &'a [u8]) -> Result<Step<'a>, ChunkFault> {
        while let Some((&byte, behind)) = bytes.split_first() {
            if self.state == State::Data {
                let here = usize::try_from(self.size).map_or(bytes.len(), |size| size.min(bytes.len()));
                let (data, behind) = bytes.split_at(here);
                *bytes = behind;
                self.size -= here as u64;
                if self.size == 0 {
                    self.state = State::DataCr;
                }
                return Ok(Step::Data(data));
            }
            if self.state == State::Done {
                return Ok(Step::End);
            }
            if let Some(behind) = self.size_at_once(bytes) {
                *bytes = behind;
                continue;
            }
            self.state = self.after(byte)?;
            *bytes = behind;
        }
        Ok(if self.state == State::Done { Step::End } else { Step::Hungry })
    }

    /// The usual way from one chunk's data to the next, at once: the line end behind the data, and a line of
    /// one to four digits in the same piece. Gives what is behind; anything else goes byte by byte.
    fn size_at_once<'a>(&mut self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let line = match self.state {
            State::DataCr => bytes.strip_prefix(b"\r\n")?,
            State::SizeStart => bytes,
            _ => return None,
        };
        let mut size = 0;
        for (digits, byte) in line.iter().enumerate().take(5) {
            let Some(digit) = char::from(*byte).to_digit(16) else {
                let behind = line[digits..].strip_prefix(b"\r\n")?;
                // The last chunk, and a line without digits, are not usual.
                (self.size, self.state) = (NonZero::new(size)?.get(), State::Data);
                return Some(behind);
            };
            size = size * 16 + u64::from(digit);
        }
        None
    }

    /// The state after one byte that is not data.
    fn after(&mut self, byte: u8) -> Result<State, ChunkFault> {
        match (self.state, byte) {
            (State::SizeStart | State::Size, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                if self.state == State::SizeStart {
                    self.size = 0;
                    self.extra = self.extra.saturating_sub(EXTRA_BYTES_A_CHUNK);
                } else if self.size == 0 {
                    // Zeros in front of a size could go on for ever.
                    self.extra(State::Size)?;
                }
                let digit = match byte {
                    b'0'..=b'9' => byte - b'0',
                    _ => (byte | 0x20) - b'a' + 10,
                };
                let size = self.size.checked_mul(16).ok_or(ChunkFault::SizeTooLarge(self.size))?;
                self.size = size + u64::from(digit);
                Ok(State::Size)
            }
            (State::Size | State::SizeBlank, b' ' | b'\t') => self.extra(State::SizeBlank),
            (State::Size | State::SizeBlank, b';') => self.extra(State::Extension),
            (State::Size | State::SizeBlank | State::Extension, b'\r') => Ok(State::SizeLf),
            (State::SizeStart | State::Size | State::SizeBlank, byte) => Err(ChunkFault::Size(byte)),
            (State::SizeLf, b'\n') if self.size == 0 => Ok(State::TrailerStart),
            (State::SizeLf, b'\n') => Ok(State::Data),
            (State::DataCr, b'\r') => Ok(State::DataLf),
            (State::DataLf, b'\n') => Ok(State::SizeStart),
            (State::DataCr | State::DataLf, _) => Err(ChunkFault::End),
            (State::TrailerStart, b'\r') => Ok(State::EndLf),
            (State::Trailer, b'\r') => Ok(State::TrailerLf),
            (State::TrailerLf, b'\n') => Ok(State::TrailerStart),
            (State::EndLf, b'\n') => Ok(State::Done),
            (State::SizeLf | State::TrailerLf | State::EndLf, _)
            | (State::Extension | State::TrailerStart | State::Trailer, b'\n') => Err(ChunkFault::LineEnd),
            (State::Extension, _) => self.extra(State::Extension),
            (State::TrailerStart | State::Trailer, _) => self.extra(State::Trailer),
            (State::Data | State::Done, _) => Ok(self.state),
        }
    }

    /// Counts a byte that is neither size nor data.
    fn extra(&mut self, then: State) -> Result<State, ChunkFault> {
        self.extra += 1;
        if self.extra > MOST_EXTRA_BYTES { Err(ChunkFault::TooMuchExtra) } else { Ok(then) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    /// The body, and how many bytes are left behind it; `None` when it has not ended.
    fn decoded<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Result<(Vec<u8>, Option<usize>), ChunkFault> {
        let mut decoder = ChunkedDecoder::new();
        let (mut body, mut left) = (Vec::new(), None);
        for mut piece in pieces {
            if let Some(left) = &mut left {
                *left += piece.len();
                continue;
            }
            loop {
                match decoder.next(&mut piece)? {
                    Step::Data(data) => {
                        assert!(!data.is_empty());
                        body.extend_from_slice(data);
                    }
                    Step::Hungry => break,
                    Step::End => {
                        left = Some(piece.len());
                        break;
                    }
                }
            }
        }
        Ok((body, left))
    }

    fn whole(bytes: &[u8]) -> Result<(Vec<u8>, Option<usize>), ChunkFault> {
        decoded(std::iter::once(bytes))
    }

    #[test]
    fn data_comes_out_and_extensions_and_trailers_stay_behind() {
        let bytes = b"3;name=\"v\"\r\nabc\r\n00A \t\r\n0123456789\r\n0\r\nX: y\r\nZ: \r\n\r\nGET";
        assert_eq!(whole(bytes), Ok((b"abc0123456789".to_vec(), Some(3))));
        assert_eq!(whole(b"0\r\n\r\n"), Ok((Vec::new(), Some(0))));
        assert_eq!(whole(b"2\r\nx"), Ok((b"x".to_vec(), None)));
    }

    #[test]
    fn what_is_not_chunked_is_refused() {
        for (bytes, fault) in [
            (&b"\r\n"[..], ChunkFault::Size(b'\r')),
            (b"g\r\n", ChunkFault::Size(b'g')),
            (b"1\n", ChunkFault::Size(b'\n')),
            (b"1 1\r\n", ChunkFault::Size(b'1')),
            (b"11111111111111111\r\n", ChunkFault::SizeTooLarge(0x1111_1111_1111_1111)),
            (b"1\rx", ChunkFault::LineEnd),
            (b"1\r\nab\r\n", ChunkFault::End),
            (b"1\r\na\rb", ChunkFault::End),
            (b"1;\n", ChunkFault::LineEnd),
            (b"0\r\n\n", ChunkFault::LineEnd),
            (b"0\r\nX\n", ChunkFault::LineEnd),
            (b"0\r\n\rX", ChunkFault::LineEnd),
        ] {
            assert_eq!(whole(bytes), Err(fault), "{:?}", String::from_utf8_lossy(bytes));
        }
        for begins in ["1;", "1 ", "0\r\nX", "0"] {
            let fill = if begins == "1 " { " " } else { "0" };
            let endless = format!("{begins}{}", fill.repeat(MOST_EXTRA_BYTES + 1));
            assert_eq!(whole(endless.as_bytes()), Err(ChunkFault::TooMuchExtra), "{begins:?}");
        }
        let fat = format!("1;{}\r\nx\r\n", "x".repeat(2 * EXTRA_BYTES_A_CHUNK)).repeat(1000);
        assert_eq!(whole(fat.as_bytes()), Err(ChunkFault::TooMuchExtra), "more than a stream needs");
    }

    #[test]
    fn a_long_stream_of_padded_and_signed_chunks_is_none_the_worse() {
        let chunk = format!("00000001  ;signature={}\r\nx\r\n", "f".repeat(64));
        let stream = format!("{}0\r\n\r\n", chunk.repeat(20_000));
        assert_eq!(whole(stream.as_bytes()), Ok(("x".repeat(20_000).into_bytes(), Some(0))));
    }

    proptest! {
        #[test]
        fn any_body_in_any_chunks_and_any_pieces_comes_out(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..20),
            piece in 1_usize..50,
        ) {
            let mut coded = Vec::new();
            for chunk in &chunks {
                coded.extend_from_slice(format!("{:X}\r\n", chunk.len()).as_bytes());
                coded.extend_from_slice(chunk);
                coded.extend_from_slice(b"\r\n");
            }
            coded.extend_from_slice(b"0\r\n\r\nrest");
            prop_assert_eq!(decoded(coded.chunks(piece)), Ok((chunks.concat(), Some(4))));
        }

        #[test]
        fn garbage_is_taken_or_refused_the_same_in_any_pieces(
            bytes in prop::collection::vec(prop_oneof![
                Just(b'0'), Just(b'1'), Just(b'f'), Just(b'\r'), Just(b'\n'), Just(b';'), Just(b' '), any::<u8>(),
            ], 0..60),
            piece in 1_usize..10,
        ) {
            prop_assert_eq!(decoded(bytes.chunks(piece)), whole(&bytes));
        }
    }
}
