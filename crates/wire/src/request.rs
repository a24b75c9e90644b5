//! A request, ready for the wire: where, which headers, and a body of shared pieces.
//!
//! Invariant: a body is never flattened on its way to the socket; its pieces go out in one vectored
//! write as far as the kernel takes them.

use std::fmt;
use std::io::IoSlice;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};

use crate::decode::ResponseFormat;
use crate::redact::REDACTED;
use crate::secret_name::is_secret_name;
use crate::spelling::Spellings;
use crate::target::Target;

/// The body of a request: shared pieces that are sent one after the other. Cheap to clone, however many
/// there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Body {
    pieces: Arc<[Bytes]>,
    len: usize,
}

impl Body {
    /// A body of these pieces.
    pub fn new(pieces: Vec<Bytes>) -> Self {
        let len = pieces.iter().map(Bytes::len).sum();
        Self { pieces: pieces.into(), len }
    }

    /// The pieces in order.
    pub fn pieces(&self) -> &[Bytes] {
        &self.pieces
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// All of it in one piece: a copy, for files and tests.
    pub fn to_bytes(&self) -> Bytes {
        self.pieces
            .iter()
            .fold(Vec::with_capacity(self.len), |mut whole, piece| {
                whole.extend_from_slice(piece);
                whole
            })
            .into()
    }
}

/// A body on its way out.
#[derive(Debug)]
pub(crate) struct BodyCursor {
    body: Body,
    /// The piece that is next, and how much of it is gone.
    next: usize,
    gone: usize,
    remaining: usize,
}

impl From<Body> for BodyCursor {
    fn from(body: Body) -> Self {
        Self { remaining: body.len, body, next: 0, gone: 0 }
    }
}

impl BodyCursor {
    /// Bytes that are left.
    pub(crate) fn remaining(&self) -> usize {
        self.remaining
    }

    /// The next pieces: how many of `slices` are filled.
    pub(crate) fn fill<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let rests = self.body.pieces[self.next..].iter().enumerate().map(|(index, piece)| {
            let gone = if index == 0 { self.gone } else { 0 };
            &piece[gone..]
        });
        let pieces = rests.filter(|piece| !piece.is_empty());
        slices.iter_mut().zip(pieces).fold(0, |filled, (slice, piece)| {
            *slice = IoSlice::new(piece);
            filled + 1
        })
    }

    /// Leaves the next `count` bytes behind.
    pub(crate) fn advance(&mut self, mut count: usize) {
        assert!(count <= self.remaining, "cannot advance past the end of a body");
        self.remaining -= count;
        while count > 0 {
            let rest = self.body.pieces[self.next].len() - self.gone;
            if count < rest {
                self.gone += count;
                return;
            }
            count -= rest;
            self.next += 1;
            self.gone = 0;
        }
    }
}

/// One request, ready to be written.
#[derive(Clone)]
pub struct Request {
    pub(crate) method: Method,
    pub(crate) target: Target,
    /// Path and query.
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    /// How their names are written.
    pub(crate) spellings: Spellings,
    pub(crate) body: Body,
    /// What else is secret, beside its own headers, and no server's words may show; the longest first.
    pub(crate) secrets: Option<Arc<[Box<str>]>>,
    /// How its response is read; `None` outside any endpoint.
    pub(crate) format: Option<ResponseFormat>,
}

impl Request {
    /// The same as the only one of its connection, and telling the server so.
    pub fn alone(mut self) -> Self {
        self.headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        self
    }

    /// A plain request of the given method and path (query included), outside any endpoint: for
    /// readiness, control calls and scrapes.
    pub fn plain(method: Method, target: &Target, path: &str, headers: HeaderMap, body: Body) -> Self {
        Self {
            method,
            target: target.clone(),
            path: path.to_owned(),
            headers,
            spellings: Spellings::default(),
            body,
            secrets: None,
            format: None,
        }
    }

    /// Where it goes.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Its path and query.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Its headers, secrets included: never print them as they are.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Its body.
    pub fn body(&self) -> &Body {
        &self.body
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<_> = self
            .headers
            .iter()
            .map(|(name, value)| {
                let shown =
                    if is_secret_name(name.as_str()) { REDACTED } else { value.to_str().unwrap_or("?") };
                (name.as_str(), shown)
            })
            .collect();
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("target", &self.target)
            .field("headers", &headers)
            .field("body_len", &self.body.len)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_cursor_gives_the_bytes_of_its_pieces_however_it_is_advanced(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..8),
            steps in prop::collection::vec(1usize..9, 0..200),
        ) {
            let body = Body::new(pieces.into_iter().map(Bytes::from).collect());
            let whole = body.to_bytes();
            let mut cursor = BodyCursor::from(body);
            let mut seen = Vec::new();
            for step in steps {
                let mut slices = [IoSlice::new(&[]); 4];
                let filled = cursor.fill(&mut slices);
                let joined: Vec<u8> = slices[..filled].iter().flat_map(|slice| slice.to_vec()).collect();
                prop_assert_eq!(joined.is_empty(), cursor.remaining() == 0);
                let step = step.min(joined.len());
                seen.extend_from_slice(&joined[..step]);
                cursor.advance(step);
            }
            prop_assert_eq!(seen.len() + cursor.remaining(), whole.len());
            prop_assert_eq!(&whole[..seen.len()], &seen[..]);
        }
    }
}
