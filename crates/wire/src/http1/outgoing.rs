//! A request on its way out: its head as bytes, its body as the rope it is.
//!
//! Nothing is joined: head and pieces leave together in vectored writes, as far as the kernel takes
//! them. `Content-Length` comes last and is that of the body.

use std::io::IoSlice;

use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};

use crate::request::{BodyCursor, Request};
use crate::spelling::Spellings;
use crate::target::Target;

/// The most pieces that one write is given. More cost the kernel an allocation of pages.
pub(crate) const MOST_SLICES: usize = 64;

/// What is left to write of one request.
#[derive(Debug)]
pub(crate) struct Outgoing {
    head: Vec<u8>,
    head_written: usize,
    body: BodyCursor,
    keeps_alive: bool,
}

impl Outgoing {
    /// A request as it goes out, straight to its target or through a proxy that is told the whole URL.
    /// `None` if its path cannot be requested.
    pub(crate) fn new(request: &Request, proxy: Option<&Target>) -> Option<Self> {
        let path = PathAndQuery::try_from(request.path.as_str()).ok()?;
        let mut head = Vec::with_capacity(512);
        head.extend_from_slice(request.method.as_str().as_bytes());
        head.push(b' ');
        if proxy.is_some() {
            head.extend_from_slice(b"http://");
            head.extend_from_slice(request.target.authority().as_bytes());
        }
        head.extend_from_slice(path.as_str().as_bytes());
        head.extend_from_slice(b" HTTP/1.1\r\n");
        for (name, value) in &request.headers {
            // How long a body is, is not the caller's to say.
            if *name != header::CONTENT_LENGTH && *name != header::TRANSFER_ENCODING {
                push_line(&mut head, &request.spellings, name, value);
            }
        }
        let basic = proxy.and_then(Target::basic_auth).and_then(|basic| HeaderValue::from_str(basic).ok());
        if let Some(basic) = basic {
            push_line(&mut head, &request.spellings, &header::PROXY_AUTHORIZATION, &basic);
        }
        // Where a body is usual, its absence is said (RFC 9110, 8.6): some servers ask for a length else.
        let is_told = matches!(request.method, Method::POST | Method::PUT | Method::PATCH);
        if is_told || !request.body.is_empty() {
            let length = HeaderValue::from(request.body.len());
            push_line(&mut head, &request.spellings, &header::CONTENT_LENGTH, &length);
        }
        head.extend_from_slice(b"\r\n");
        let keeps_alive = !asks_to_close(&request.headers);
        Some(Self { head, head_written: 0, body: BodyCursor::from(request.body.clone()), keeps_alive })
    }

    /// Whether all of it is written.
    pub(crate) fn is_done(&self) -> bool {
        self.head_written == self.head.len() && self.body.remaining() == 0
    }

    /// Whether the request leaves the connection to the next one.
    pub(crate) fn keeps_alive(&self) -> bool {
        self.keeps_alive
    }

    /// The next pieces to write: how many of `slices` are filled.
    pub(crate) fn fill<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let head = &self.head[self.head_written..];
        if head.is_empty() {
            return self.body.fill(slices);
        }
        let Some((first, others)) = slices.split_first_mut() else { return 0 };
        *first = IoSlice::new(head);
        1 + self.body.fill(others)
    }

    /// Notes that the next `count` bytes are written.
    pub(crate) fn advance(&mut self, count: usize) {
        let of_head = count.min(self.head.len() - self.head_written);
        self.head_written += of_head;
        self.body.advance(count - of_head);
        if self.is_done() {
            // A stream may go on for minutes; nobody needs this while it does.
            (self.head, self.head_written) = (Vec::new(), 0);
        }
    }
}

fn asks_to_close(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::CONNECTION).iter();
    let mut words = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    words.any(|word| word.trim_ascii().eq_ignore_ascii_case(b"close"))
}

fn push_line(head: &mut Vec<u8>, spellings: &Spellings, name: &HeaderName, value: &HeaderValue) {
    spellings.write(name, head);
    head.extend_from_slice(b": ");
    head.extend_from_slice(value.as_bytes());
    head.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::request::Body;

    /// All of it, written in steps of at most `step` bytes.
    fn written(mut outgoing: Outgoing, step: usize) -> String {
        let mut bytes = Vec::new();
        while !outgoing.is_done() {
            let mut slices = [IoSlice::new(&[]); 3];
            let filled = outgoing.fill(&mut slices);
            let next: Vec<u8> = slices[..filled].iter().flat_map(|slice| slice.to_vec()).take(step).collect();
            assert!(!next.is_empty());
            bytes.extend_from_slice(&next);
            outgoing.advance(next.len());
        }
        String::from_utf8(bytes).unwrap()
    }

    fn request(path: &str, headers: &[(&'static str, &'static str)], body: &[&'static str]) -> Request {
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        let pieces = body.iter().map(|piece| Bytes::from_static(piece.as_bytes())).collect();
        let target = Target::parse("http://h:81").unwrap();
        Request::plain(Method::POST, &target, path, headers, Body::new(pieces))
    }

    #[test]
    fn names_have_capital_initials_and_the_length_is_the_bodys() {
        let full = request("/a?b#c", &[("x-request-id", "1"), ("content-length", "7")], &["ab", "", "c"]);
        let text = written(Outgoing::new(&full, None).unwrap(), 1000);
        assert_eq!(text, "POST /a?b HTTP/1.1\r\nX-Request-ID: 1\r\nContent-Length: 3\r\n\r\nabc");
        let empty = request("/", &[("connection", "Close")], &[]);
        let outgoing = Outgoing::new(&empty, None).unwrap();
        assert!(!outgoing.keeps_alive());
        assert_eq!(written(outgoing, 1), "POST / HTTP/1.1\r\nConnection: Close\r\nContent-Length: 0\r\n\r\n");
        let get = Request { method: Method::GET, ..request("/", &[("content-length", "7")], &[]) };
        assert_eq!(written(Outgoing::new(&get, None).unwrap(), 1000), "GET / HTTP/1.1\r\n\r\n");
    }

    #[test]
    fn a_proxy_is_told_the_whole_url_and_who_asks() {
        let proxy = Target::parse("http://u:p@proxy").unwrap();
        let text = written(Outgoing::new(&request("/a", &[], &[]), Some(&proxy)).unwrap(), 1000);
        assert_eq!(
            text,
            "POST http://h:81/a HTTP/1.1\r\nProxy-Authorization: Basic dTpw\r\nContent-Length: 0\r\n\r\n"
        );
    }

    #[test]
    fn a_path_that_is_none_is_refused() {
        assert!(Outgoing::new(&request("/a b", &[], &[]), None).is_none());
    }

    proptest! {
        #[test]
        fn whatever_the_kernel_takes_at_a_time_the_same_bytes_leave(step in 1_usize..30) {
            let request = request("/", &[("a", "b")], &["one", "", "two", "three", "f"]);
            let whole = written(Outgoing::new(&request, None).unwrap(), usize::MAX);
            prop_assert_eq!(written(Outgoing::new(&request, None).unwrap(), step), whole);
        }
    }
}
