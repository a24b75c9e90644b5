//! A whole response at once, for readiness, control calls and scrapes: whatever is not measured.

use bytes::{Bytes, BytesMut};
use http::header::{AUTHORIZATION, HOST, HeaderName, HeaderValue};
use http::{HeaderMap, Method};
use loadgen_core::{ErrorDetail, Nanos};

use crate::arrivals::ReadCounts;
use crate::connection::{Connection, Witness};
use crate::decode::{Appetite, Arrival};
use crate::error::{detail, detail_of};
use crate::http1::{Head, Part};
use crate::link::Writes;
use crate::request::{Body, Request};
use crate::target::Target;

/// A whole response, for requests outside the measured path.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// The HTTP status.
    pub status: u16,
    /// The HTTP version of the response, such as `HTTP/1.1`.
    pub http_version: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, content encodings not removed.
    pub body: Bytes,
    /// When the first byte of the request was handed to the kernel.
    pub sent_at: Nanos,
    /// When the first bytes of the response reached the host.
    pub first_byte_at: Nanos,
    /// When its last byte was in our hands.
    pub end_at: Nanos,
}

impl Fetched {
    /// The text of a header, if it has one.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

impl Request {
    /// A request outside any endpoint whose method and headers are given as text. The target's host and the
    /// credentials in its URL go with it, unless a header says otherwise. `None` if one of them cannot be sent.
    pub fn of_text<'a>(
        method: &str,
        target: &Target,
        path: &str,
        headers: impl IntoIterator<Item = (&'a str, &'a str)>,
        body: Body,
    ) -> Option<Self> {
        let mut map = HeaderMap::new();
        map.insert(HOST, HeaderValue::from_str(target.authority()).ok()?);
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.trim().as_bytes()).ok()?;
            map.insert(name, HeaderValue::from_str(value.trim()).ok()?);
        }
        if let Some(basic) = target.basic_auth().filter(|_| !map.contains_key(AUTHORIZATION)) {
            map.insert(AUTHORIZATION, HeaderValue::from_str(basic).ok()?);
        }
        let method = Method::from_bytes(method.as_bytes()).ok()?;
        Some(Self::plain(method, target, path, map, body))
    }

    /// A GET, as [`Self::of_text`].
    pub fn get<'a>(
        target: &Target,
        path: &str,
        headers: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Option<Self> {
        Self::of_text("GET", target, path, headers, Body::default())
    }
}

impl Connection {
    /// Sends a request and gives the whole response, up to `limit` bytes of it: for readiness,
    /// control calls and scrapes. Redirects are not followed.
    pub async fn fetch(&mut self, request: Request, limit: usize) -> Result<Fetched, ErrorDetail> {
        let began = self.now();
        let mut page = Page { head: None, body: BytesMut::new(), limit, sent_at: began, first_byte_at: None };
        let carried = self.carry(&request, &mut page).await;
        if page.body.len() > limit {
            return Err(detail("ClientError", &format!("the response has more than {limit} bytes")));
        }
        let head = match (carried, page.head) {
            (Ok(()), Some(head)) => head,
            (Err(broken), None) => return Err(broken.into_detail("the request")),
            (Err(broken), Some(_)) => {
                return Err(detail_of("ClientError", "the server gave no whole response", &broken));
            }
            (Ok(()), None) => unreachable!("a whole response has a head"),
        };
        Ok(Fetched {
            status: head.status.as_u16(),
            http_version: format!("{:?}", head.version),
            headers: head.headers,
            body: page.body.freeze(),
            sent_at: page.sent_at,
            first_byte_at: page.first_byte_at.unwrap_or(page.sent_at),
            end_at: self.now(),
        })
    }
}

/// A response that is kept whole.
struct Page {
    head: Option<Head>,
    body: BytesMut,
    limit: usize,
    sent_at: Nanos,
    first_byte_at: Option<Nanos>,
}

impl Witness for Page {
    fn wrote(&mut self, writes: Writes) {
        self.sent_at = writes.start.unwrap_or(self.sent_at);
    }

    fn came(&mut self, at: &Arrival) {
        self.first_byte_at.get_or_insert(at.stamp);
    }

    fn counted(&mut self, _counts: ReadCounts, _anchor: Option<(u64, i64)>) {}

    fn part(&mut self, part: Part<'_>, _at: &Arrival) -> Appetite {
        match part {
            Part::Head(head) => self.head = Some(*head),
            Part::Body(data) => self.body.extend_from_slice(data),
            Part::End => {}
        }
        if self.body.len() > self.limit { Appetite::Enough } else { Appetite::More }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_request_of_text_carries_the_urls_credentials_unless_told_otherwise() {
        let target = Target::parse("http://u:p@h/x").unwrap();
        let plain = Request::get(&target, "/metrics", [("accept", "*/*")]).unwrap();
        assert_eq!(plain.headers()["authorization"], "Basic dTpw");
        assert_eq!(plain.headers()["host"], "h");
        let other = Request::get(&target, "/metrics", [("Authorization", "Bearer k")]).unwrap();
        assert_eq!(other.headers()["authorization"], "Bearer k");
        assert!(Request::get(&target, "/", [("a b", "c")]).is_none());
        assert!(Request::get(&target, "/", [("a", "b\nc")]).is_none());
    }
}
