//! The head of a response, and what it says about the body behind it.
//!
//! Header lines that are none are left out, as browsers and AIPerf's library do; a status line that is
//! none, or a length that cannot be meant, makes the whole answer worthless. A header that goes on over
//! several lines, as old servers have it, is joined by blanks (RFC 9112, 5.2).

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version, header};
use thiserror::Error;

/// The most bytes a head may have.
pub(super) const MOST_HEAD_BYTES: usize = 408 * 1024;
/// The most header lines it may have.
const MOST_HEADERS: usize = 100;

/// The head of a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// HTTP/1.0 or HTTP/1.1.
    pub version: Version,
    /// The status.
    pub status: StatusCode,
    /// The reason phrase, where the server wrote one and it is text.
    pub reason: Option<String>,
    /// The headers.
    pub headers: HeaderMap,
}

/// How the end of a body is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// After so many bytes.
    Length(u64),
    /// By the last chunk.
    Chunked,
    /// By the end of the connection.
    UntilClose,
}

/// A head that is none.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HeadFault {
    /// It does not parse.
    #[error("its head cannot be parsed: {0}")]
    Malformed(#[from] httparse::Error),
    /// A status that is none.
    #[error("its status {0} is none")]
    Status(u16),
    /// It never ends, or it is announced for ever.
    #[error("its head, with what announces it, has more than {MOST_HEAD_BYTES} bytes")]
    TooLong,
    /// A length that is none, or several.
    #[error("its content-length is not a number, or not one number")]
    ContentLength,
    /// A coding that the version does not know.
    #[error("it is HTTP/1.0 with a transfer-encoding")]
    TransferEncoding,
}

impl Head {
    /// Parses the head at the front of `bytes`: it, and its length in bytes. `None` while it is
    /// incomplete.
    pub(super) fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, HeadFault> {
        let mut lines = [httparse::EMPTY_HEADER; MOST_HEADERS];
        let mut response = httparse::Response::new(&mut lines);
        let mut parser = httparse::ParserConfig::default();
        parser.ignore_invalid_headers_in_responses(true);
        // A length before whose colon a blank stands is still meant; left out, it would cost the framing.
        parser.allow_spaces_after_header_name_in_responses(true);
        parser.allow_obsolete_multiline_headers_in_responses(true);
        let length = match parser.parse_response(&mut response, bytes)? {
            httparse::Status::Complete(length) => length,
            httparse::Status::Partial => return Ok(None),
        };
        let code = response.code.expect("a complete head has a status");
        let status = StatusCode::from_u16(code).map_err(|_| HeadFault::Status(code))?;
        let version = if response.version == Some(1) { Version::HTTP_11 } else { Version::HTTP_10 };
        let reason = response.reason.filter(|reason| !reason.is_empty()).map(str::to_owned);
        let mut headers = HeaderMap::with_capacity(response.headers.len());
        for line in response.headers.iter() {
            let name = HeaderName::from_bytes(line.name.as_bytes());
            if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(&joined(line.value))) {
                headers.append(name, value);
            }
        }
        Ok(Some((Self { version, status, reason, headers }, length)))
    }

    /// Whether it only announces another: 100, 103 and the like.
    pub(super) fn is_interim(&self) -> bool {
        self.status.is_informational() && self.status != StatusCode::SWITCHING_PROTOCOLS
    }

    /// How the end of its body is found (RFC 9112, 6.3), given whether the request was a HEAD.
    pub(super) fn framing(&self, answers_head: bool) -> Result<Framing, HeadFault> {
        if answers_head
            || matches!(
                self.status,
                StatusCode::SWITCHING_PROTOCOLS | StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
            )
        {
            return Ok(Framing::Length(0));
        }
        if let Some(last) = self.headers.get_all(header::TRANSFER_ENCODING).iter().next_back() {
            if self.version == Version::HTTP_10 {
                return Err(HeadFault::TransferEncoding);
            }
            let coding = last.as_bytes().rsplit(|byte| *byte == b',').next().unwrap_or_default();
            let is_chunked = coding.trim_ascii().eq_ignore_ascii_case(b"chunked");
            return Ok(if is_chunked { Framing::Chunked } else { Framing::UntilClose });
        }
        Ok(self.content_length()?.map_or(Framing::UntilClose, Framing::Length))
    }

    /// Whether the connection may be used again after it.
    pub(super) fn keeps_alive(&self) -> bool {
        let says = |word: &[u8]| {
            let values = self.headers.get_all(header::CONNECTION).iter();
            let mut words = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
            words.any(|said| said.trim_ascii().eq_ignore_ascii_case(word))
        };
        let is_default = self.version == Version::HTTP_11;
        self.status != StatusCode::SWITCHING_PROTOCOLS
            && !says(b"close")
            && (is_default || says(b"keep-alive"))
    }

    /// The length that all its headers agree on.
    fn content_length(&self) -> Result<Option<u64>, HeadFault> {
        let mut agreed = None;
        for value in self.headers.get_all(header::CONTENT_LENGTH) {
            for number in value.as_bytes().split(|byte| *byte == b',') {
                let number = digits(number.trim_ascii()).ok_or(HeadFault::ContentLength)?;
                if *agreed.get_or_insert(number) != number {
                    return Err(HeadFault::ContentLength);
                }
            }
        }
        Ok(agreed)
    }
}

/// A value with blanks in the place of its line ends.
fn joined(value: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr2(b'\r', b'\n', value).is_none() {
        return Cow::Borrowed(value);
    }
    Cow::Owned(value.iter().map(|byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { *byte }).collect())
}

/// A number of digits alone.
fn digits(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0_u64, |number, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit < 10)?;
        number.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn head(text: &str) -> Head {
        Head::parse(text.as_bytes()).unwrap().unwrap().0
    }

    fn framing(headers: &str) -> Result<Framing, HeadFault> {
        head(&format!("HTTP/1.1 200 OK\r\n{headers}\r\n")).framing(false)
    }

    #[test]
    fn a_head_is_read_and_lines_that_are_none_are_left_out() {
        let bytes = b"HTTP/1.1 404 Not Here\r\nA: 1\r\nb\x01ad: 2\r\nA: 3 \r\n\r\nbody";
        let (head, length) = Head::parse(bytes).unwrap().unwrap();
        assert_eq!((head.status.as_u16(), head.reason.as_deref()), (404, Some("Not Here")));
        assert_eq!(length, bytes.len() - 4);
        let values: Vec<_> = head.headers.get_all("a").iter().map(HeaderValue::as_bytes).collect();
        assert_eq!((values, head.headers.len()), (vec!["1".as_bytes(), b"3"], 2));
        assert_eq!(Head::parse(b"HTTP/1.1 200 OK\r\nA: "), Ok(None));
        assert!(matches!(Head::parse(b"SSH-2.0-x\r\n"), Err(HeadFault::Malformed(_))));
        assert_eq!(Head::parse(b"HTTP/1.1 099 x\r\n\r\n"), Err(HeadFault::Status(99)));
    }

    #[test]
    fn a_header_over_several_lines_is_one() {
        let head = head("HTTP/1.1 200 OK\r\nA: 1\r\n\t2\r\n  3\r\nContent-Length:\r\n 5\r\n\r\n");
        let words: Vec<&str> = head.headers["a"].to_str().unwrap().split_ascii_whitespace().collect();
        assert_eq!((words, head.framing(false)), (vec!["1", "2", "3"], Ok(Framing::Length(5))));
        // Whoever folds the length's own digits means none.
        assert_eq!(framing("Content-Length: 1\r\n 0\r\n"), Err(HeadFault::ContentLength));
    }

    #[test]
    fn a_blank_before_the_colon_costs_no_length() {
        assert_eq!(framing("Content-Length : 5\r\n"), Ok(Framing::Length(5)));
        assert_eq!(framing("Transfer-Encoding\t: chunked\r\n"), Ok(Framing::Chunked));
    }

    #[test]
    fn the_end_of_the_body_is_found_as_the_head_says() {
        assert_eq!(framing("Content-Length: 5\r\n"), Ok(Framing::Length(5)));
        assert_eq!(framing("Content-Length: 5, 5\r\nContent-Length: 5\r\n"), Ok(Framing::Length(5)));
        for bad in ["5, 6", "-1", "+1", "", "1x", "99999999999999999999"] {
            assert_eq!(
                framing(&format!("Content-Length: {bad}\r\n")),
                Err(HeadFault::ContentLength),
                "{bad}"
            );
        }
        assert_eq!(
            framing("Transfer-Encoding: gzip, Chunked\r\nContent-Length: 5\r\n"),
            Ok(Framing::Chunked)
        );
        assert_eq!(framing("Transfer-Encoding: gzip\r\n"), Ok(Framing::UntilClose));
        assert_eq!(framing(""), Ok(Framing::UntilClose));
        let old = head("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        assert_eq!(old.framing(false), Err(HeadFault::TransferEncoding));
        for status in ["204 No Content", "304 Not Modified"] {
            let head = head(&format!("HTTP/1.1 {status}\r\nContent-Length: 5\r\n\r\n"));
            assert_eq!(head.framing(false), Ok(Framing::Length(0)));
        }
        assert_eq!(
            head("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n").framing(true),
            Ok(Framing::Length(0))
        );
    }

    #[test]
    fn the_connection_is_kept_as_the_version_has_it_and_the_server_says() {
        for (text, keeps) in [
            ("HTTP/1.1 200 OK\r\n\r\n", true),
            ("HTTP/1.1 200 OK\r\nConnection: x, CLOSE\r\n\r\n", false),
            ("HTTP/1.0 200 OK\r\n\r\n", false),
            ("HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n\r\n", true),
            ("HTTP/1.1 101 Switching Protocols\r\n\r\n", false),
        ] {
            assert_eq!(head(text).keeps_alive(), keeps, "{text}");
        }
    }
}
