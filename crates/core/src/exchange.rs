//! What one request and its response were on the wire: kept only for the outputs that show it.
//!
//! Invariants: no secret is in it, since whoever fills it replaces them; its body is bounded by
//! `MOST_BODY_BYTES`, and a body that is longer, or that there was no room for, is gone as a whole
//! and says so.

use std::net::SocketAddr;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::time::Nanos;

/// The most bytes of one response's body that are kept.
const MOST_BODY_BYTES: usize = 16 << 20;

/// What is kept of exchanges, beside what every record has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaptureScope {
    /// The bodies of requests and responses.
    pub bodies: bool,
    /// What was seen of the connection: the response's head, its reads, the addresses.
    pub trace: bool,
}

impl CaptureScope {
    /// Whether anything is kept.
    pub fn is_any(self) -> bool {
        self.bodies || self.trace
    }
}

/// Bytes of a response's body that one read brought.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BodyRead {
    /// When they arrived.
    pub at: Nanos,
    /// How many there were, as the server coded them.
    pub bytes: u32,
    /// Where they end in [`Exchange::response_body`].
    pub body_end: u32,
    /// Where in the connection's stream their last byte stands, while arrivals may still be made more
    /// exact. Not kept.
    #[serde(skip)]
    pub ends_at: Option<u64>,
}

/// A step that took time: when it began and when it was over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Its begin.
    pub start: Nanos,
    /// Its end.
    pub end: Nanos,
}

/// One request and its response as they went over the wire. Of a request that was redirected, the
/// request is the first and the response the last.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchange {
    /// What was to be kept.
    pub scope: CaptureScope,
    /// The request's headers in order, the values of secret ones replaced. Its length is not among them.
    pub request_headers: Vec<(String, String)>,
    /// The request's body: pieces that are shared with whoever made it.
    pub request_body: Vec<Bytes>,
    /// The reason phrase of the response.
    pub reason: Option<String>,
    /// The response's headers in order, the values of secret ones replaced.
    pub response_headers: Vec<(String, String)>,
    /// The reads that brought the response's body.
    pub reads: Vec<BodyRead>,
    /// The response's body, content coding removed.
    pub response_body: Vec<u8>,
    /// Whether bodies are missing: there was no room for them.
    pub bodies_dropped: bool,
    /// Name resolution, where it took place.
    pub dns: Option<Step>,
    /// Opening the connection, TLS included; `None` on one that was open.
    pub connect: Option<Step>,
    /// Our end of the connection.
    pub local: Option<SocketAddr>,
    /// The other end: the server, or a proxy.
    pub remote: Option<SocketAddr>,
}

impl Exchange {
    /// An empty one that keeps what `scope` says.
    pub fn new(scope: CaptureScope) -> Self {
        Self { scope, ..Self::default() }
    }

    /// Notes that a read brought `bytes` of the body, as the server coded them.
    pub fn note_read(&mut self, at: Nanos, is_new: bool, bytes: usize, ends_at: Option<u64>) {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let body_end = self.body_end();
        match self.reads.last_mut().filter(|_| !is_new) {
            Some(read) => {
                read.bytes = read.bytes.saturating_add(bytes);
                read.ends_at = ends_at;
            }
            None => self.reads.push(BodyRead { at, bytes, body_end, ends_at }),
        }
    }

    /// Takes bytes of the response's body, which the latest read brought.
    pub fn take_body(&mut self, bytes: &[u8]) {
        if !self.scope.bodies || self.bodies_dropped {
            return;
        }
        if self.response_body.len() + bytes.len() > MOST_BODY_BYTES {
            self.drop_bodies();
            return;
        }
        self.response_body.extend_from_slice(bytes);
        let body_end = self.body_end();
        if let Some(read) = self.reads.last_mut() {
            read.body_end = body_end;
        }
    }

    /// Lets the bodies go: there is no room for them.
    pub fn drop_bodies(&mut self) {
        self.bodies_dropped |= self.scope.bodies;
        self.request_body = Vec::new();
        self.response_body = Vec::new();
        self.reads.iter_mut().for_each(|read| read.body_end = 0);
    }

    /// Memory that it occupies beside itself, in bytes. Bodies of requests count, though they may be
    /// shared: the one who waits may be the last who holds them.
    pub fn bytes(&self) -> usize {
        let headers = self.request_headers.iter().chain(&self.response_headers);
        headers.map(|(name, value)| name.capacity() + value.capacity()).sum::<usize>()
            + self.reads.capacity() * size_of::<BodyRead>()
            + self.body_bytes()
    }

    /// The part of it that [`drop_bodies`](Self::drop_bodies) gives back.
    pub fn body_bytes(&self) -> usize {
        self.request_body.iter().map(Bytes::len).sum::<usize>() + self.response_body.capacity()
    }

    fn body_end(&self) -> u32 {
        u32::try_from(self.response_body.len()).expect("a body is at most MOST_BODY_BYTES long")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: CaptureScope = CaptureScope { bodies: true, trace: true };

    #[test]
    fn a_body_is_cut_where_its_reads_end() {
        let mut exchange = Exchange::new(BOTH);
        exchange.note_read(Nanos(1), true, 3, None);
        exchange.take_body(b"abc");
        exchange.note_read(Nanos(1), false, 2, Some(9));
        exchange.take_body(b"de");
        exchange.note_read(Nanos(5), true, 1, None);
        exchange.take_body(b"f");
        assert_eq!(exchange.response_body, b"abcdef");
        let reads: Vec<_> =
            exchange.reads.iter().map(|read| (read.at.0, read.bytes, read.body_end)).collect();
        assert_eq!(reads, [(1, 5, 5), (5, 1, 6)]);
        assert_eq!(exchange.reads[0].ends_at, Some(9));
    }

    #[test]
    fn a_body_without_end_is_let_go_and_its_reads_stay() {
        let mut exchange = Exchange::new(BOTH);
        exchange.request_body = vec![Bytes::from_static(b"ask")];
        let half = vec![b'x'; MOST_BODY_BYTES / 2 + 1];
        for at in 0..3 {
            exchange.note_read(Nanos(at), true, half.len(), None);
            exchange.take_body(&half);
        }
        assert!(exchange.bodies_dropped && exchange.body_bytes() == 0);
        assert_eq!(exchange.reads.len(), 3);
    }

    #[test]
    fn without_bodies_only_the_reads_are_kept() {
        let mut exchange = Exchange::new(CaptureScope { bodies: false, trace: true });
        exchange.note_read(Nanos(1), true, 3, None);
        exchange.take_body(b"abc");
        exchange.drop_bodies();
        assert!(exchange.response_body.is_empty() && !exchange.bodies_dropped);
        assert_eq!(exchange.reads[0].bytes, 3);
    }
}
