//! One response out of a byte stream: its head, its body, its end.
//!
//! Interim answers (100, 103) are skipped. Invariant: once the end was handed over, not one byte more
//! is taken, so what is left over is visible to whoever wants to use the connection again.

use thiserror::Error;

use super::chunked::{ChunkFault, ChunkedDecoder, Step};
use super::head::{Framing, Head, HeadFault, MOST_HEAD_BYTES};

/// A head that is longer is parsed again only once a line of it has ended.
const DRIP_BYTES: usize = 4096;

/// Reads one response.
#[derive(Debug)]
pub struct ResponseReader {
    state: State,
    answers_head: bool,
    keeps_alive: bool,
}

#[derive(Debug)]
enum State {
    /// In the head, of which this much came before.
    Head(PartialHead),
    /// In a body of which so many bytes are to come.
    Length(u64),
    /// In a chunked body.
    Chunked(ChunkedDecoder),
    /// In a body that the end of the connection ends.
    UntilClose,
    /// The end was handed over.
    Done,
}

/// A head while it is incomplete.
#[derive(Debug, Default)]
struct PartialHead {
    bytes: Vec<u8>,
    /// Bytes of the interim heads before it.
    interim: usize,
}

/// A part of a response.
#[derive(Debug)]
pub enum Part<'a> {
    /// The head, complete; never an interim one.
    Head(Box<Head>),
    /// Bytes of the body, transfer coding removed; never none.
    Body(&'a [u8]),
    /// The end.
    End,
}

/// Bytes that are no response.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ResponseFault {
    /// They are not even a head.
    #[error(transparent)]
    Head(#[from] HeadFault),
    /// The body is not chunked as its head says.
    #[error(transparent)]
    Chunked(#[from] ChunkFault),
}

/// The connection ended before the response did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the connection was closed before the response was complete")]
pub struct Incomplete;

impl ResponseReader {
    /// A reader of the response to a request, which was a HEAD or not.
    pub fn new(answers_head: bool) -> Self {
        Self { state: State::Head(PartialHead::default()), answers_head, keeps_alive: false }
    }

    /// Takes the next part off the front of `bytes`; `None` when all are taken, or the response is over.
    pub fn next<'a>(&mut self, bytes: &mut &'a [u8]) -> Result<Option<Part<'a>>, ResponseFault> {
        match &mut self.state {
            State::Head(_) => Ok(self.next_head(bytes)?.map(Part::Head)),
            State::Length(0) => Ok(Some(self.end())),
            State::Length(left) => {
                let here = usize::try_from(*left).map_or(bytes.len(), |left| left.min(bytes.len()));
                let (data, behind) = bytes.split_at(here);
                *bytes = behind;
                *left -= here as u64;
                Ok((!data.is_empty()).then_some(Part::Body(data)))
            }
            State::Chunked(decoder) => match decoder.next(bytes)? {
                Step::Data(data) => Ok(Some(Part::Body(data))),
                Step::End => Ok(Some(self.end())),
                Step::Hungry => Ok(None),
            },
            State::UntilClose => {
                let data = std::mem::take(bytes);
                Ok((!data.is_empty()).then_some(Part::Body(data)))
            }
            State::Done => Ok(None),
        }
    }

    /// The end of the connection: fine for a body that it ends.
    pub fn close(&mut self) -> Result<(), Incomplete> {
        match self.state {
            State::UntilClose | State::Done => {
                self.state = State::Done;
                Ok(())
            }
            _ => Err(Incomplete),
        }
    }

    /// Whether the end was handed over.
    pub fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// Whether the server keeps the connection, as far as its head says. False before the head.
    pub fn keeps_alive(&self) -> bool {
        self.keeps_alive
    }

    fn end<'a>(&mut self) -> Part<'a> {
        self.state = State::Done;
        Part::End
    }

    fn next_head(&mut self, bytes: &mut &[u8]) -> Result<Option<Box<Head>>, HeadFault> {
        let State::Head(PartialHead { bytes: partial, interim }) = &mut self.state else { return Ok(None) };
        // Interim heads come one after the other, maybe in one piece.
        while !bytes.is_empty() {
            let before = partial.len();
            let parsed = if before == 0 {
                Head::parse(bytes)?
            } else {
                partial.extend_from_slice(bytes);
                // Only a line's end completes a head. To parse a long one again for each byte of a server
                // that drips would cost seconds.
                let may_be_told = before < DRIP_BYTES || memchr::memchr(b'\n', bytes).is_some();
                if may_be_told { Head::parse(partial)? } else { None }
            };
            let Some((head, length)) = parsed else {
                if before == 0 {
                    partial.extend_from_slice(bytes);
                }
                *bytes = &[];
                let is_too_long = *interim + partial.len() > MOST_HEAD_BYTES;
                return if is_too_long { Err(HeadFault::TooLong) } else { Ok(None) };
            };
            *bytes = &bytes[length - before..];
            *partial = Vec::new();
            if head.is_interim() {
                *interim += length;
                if *interim > MOST_HEAD_BYTES {
                    return Err(HeadFault::TooLong);
                }
                continue;
            }
            let framing = head.framing(self.answers_head)?;
            self.keeps_alive = head.keeps_alive() && framing != Framing::UntilClose;
            self.state = match framing {
                Framing::Length(length) => State::Length(length),
                Framing::Chunked => State::Chunked(ChunkedDecoder::new()),
                Framing::UntilClose => State::UntilClose,
            };
            return Ok(Some(Box::new(head)));
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    /// What a connection that closes after these pieces is read as.
    #[derive(Debug, Default, PartialEq, Eq)]
    struct Read {
        head: Option<Head>,
        body: Vec<u8>,
        ended: bool,
        keeps_alive: bool,
        left: Vec<u8>,
        fault: Option<ResponseFault>,
    }

    fn read<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Read {
        let mut reader = ResponseReader::new(false);
        let mut read = Read::default();
        for mut piece in pieces {
            loop {
                match reader.next(&mut piece) {
                    Ok(Some(Part::Head(head))) => assert!(read.head.replace(*head).is_none()),
                    Ok(Some(Part::Body(data))) => {
                        assert!(!data.is_empty() && !read.ended);
                        read.body.extend_from_slice(data);
                    }
                    Ok(Some(Part::End)) => read.ended = true,
                    Ok(None) => break,
                    Err(fault) => return Read { fault: Some(fault), ..read },
                }
            }
            assert!(piece.is_empty() || reader.is_done());
            read.left.extend_from_slice(piece);
        }
        read.ended |= reader.close().is_ok();
        Read { keeps_alive: reader.keeps_alive(), ..read }
    }

    fn whole(bytes: &str) -> Read {
        read(std::iter::once(bytes.as_bytes()))
    }

    #[test]
    fn a_response_ends_where_it_says_and_leaves_the_rest() {
        let seen = whole("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcHTTP");
        assert_eq!(
            (&seen.body[..], &seen.left[..], seen.ended, seen.keeps_alive),
            (&b"abc"[..], &b"HTTP"[..], true, true)
        );
        let seen = whole("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n!");
        assert_eq!(
            (&seen.body[..], &seen.left[..], seen.ended, seen.keeps_alive),
            (&b"x"[..], &b"!"[..], true, true)
        );
        let seen = whole("HTTP/1.1 204 No Content\r\n\r\nx");
        assert_eq!((seen.body.len(), &seen.left[..], seen.ended), (0, &b"x"[..], true));
    }

    #[test]
    fn a_body_without_a_length_ends_with_the_connection_and_a_cut_one_does_not_end() {
        let seen = whole("HTTP/1.1 200 OK\r\n\r\nabc");
        assert_eq!((&seen.body[..], seen.ended, seen.keeps_alive), (&b"abc"[..], true, false));
        for cut in [
            "",
            "HTTP/1.1 200",
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab",
            "HTTP/1.1 100 Continue\r\n\r\n",
        ] {
            let seen = whole(cut);
            assert!(!seen.ended && seen.fault.is_none(), "{cut}: {seen:?}");
        }
        assert!(!whole("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n").ended);
    }

    #[test]
    fn interim_answers_are_skipped() {
        let seen = whole(
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
        );
        assert_eq!((seen.head.unwrap().status.as_u16(), &seen.body[..], seen.ended), (200, &b"x"[..], true));
    }

    #[test]
    fn a_head_without_end_is_refused() {
        let endless = format!("HTTP/1.1 200 OK\r\nA: {}", "x".repeat(MOST_HEAD_BYTES));
        let seen = read(endless.as_bytes().chunks(1000));
        assert_eq!(seen.fault, Some(ResponseFault::Head(HeadFault::TooLong)));
    }

    #[test]
    fn interim_answers_without_end_are_refused() {
        let interim = "HTTP/1.1 102 Processing\r\n\r\n".repeat(1000);
        let seen = read(std::iter::repeat_n(interim.as_bytes(), 1 + MOST_HEAD_BYTES / interim.len()));
        assert_eq!(seen.fault, Some(ResponseFault::Head(HeadFault::TooLong)));
    }

    #[test]
    fn a_long_head_that_drips_is_complete_with_its_last_byte() {
        let text =
            format!("HTTP/1.1 200 OK\r\nA: {}\r\nContent-Length: 1\r\n\r\nx", "x".repeat(2 * DRIP_BYTES));
        assert_eq!(read(text.as_bytes().chunks(1)), whole(&text));
        assert!(whole(&text).ended);
    }

    fn responses() -> impl Strategy<Value = String> {
        let head = prop_oneof![
            Just("HTTP/1.1 200 OK\r\n"),
            Just("HTTP/1.0 500 Oh\r\n"),
            Just("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"),
            Just("HTTP/1.1 204 No Content\r\n"),
            Just("\r\nHTTP/1.1 200 \r\n"),
            Just("HTTP/2 200\r\n"),
        ];
        let header = prop_oneof![
            Just("Content-Length: 3\r\n"),
            Just("Transfer-Encoding: chunked\r\n"),
            Just("Connection: close\r\n"),
            Just("A: b\r\n"),
            Just("nonsense\r\n"),
        ];
        let body = prop_oneof![
            Just("abc"),
            Just("2\r\nab\r\n"),
            Just("0\r\n"),
            Just("\r\n"),
            Just("Q"),
            Just("data: x\n\n")
        ];
        (head, prop::collection::vec(header, 0..4), prop::collection::vec(body, 0..6))
            .prop_map(|(head, headers, body)| format!("{head}{}\r\n{}", headers.concat(), body.concat()))
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_response(
            response in responses(),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..10),
        ) {
            let bytes = response.as_bytes();
            let expected = whole(&response);
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            prop_assert_eq!(&read(cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]])), &expected);
            prop_assert_eq!(&read(bytes.chunks(1)), &expected);
        }
    }
}
