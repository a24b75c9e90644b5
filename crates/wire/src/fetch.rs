//! A whole response at once, for readiness, control calls and scrapes: whatever is not measured.

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use loadgen_core::ErrorDetail;

use crate::arrivals::ReadCounts;
use crate::connection::{Connection, Witness};
use crate::decode::{Appetite, Arrival};
use crate::error::{detail, detail_of};
use crate::http1::{Head, Part};
use crate::link::Writes;
use crate::request::Request;

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
}

impl Connection {
    /// Sends a request and gives the whole response, up to `limit` bytes of it: for readiness,
    /// control calls and scrapes. Redirects are not followed.
    pub async fn fetch(&mut self, request: Request, limit: usize) -> Result<Fetched, ErrorDetail> {
        let mut page = Page { head: None, body: BytesMut::new(), limit };
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
        })
    }
}

/// A response that is kept whole.
struct Page {
    head: Option<Head>,
    body: BytesMut,
    limit: usize,
}

impl Witness for Page {
    fn wrote(&mut self, _writes: Writes) {}

    fn came(&mut self, _at: &Arrival) {}

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
