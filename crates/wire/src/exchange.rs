//! One request and its response, redirects included, into an observation.
//!
//! Invariant: every instant and every byte is in the observation before the exchange waits again, so
//! it may be dropped at any time. Between two frames nothing is awaited but the next frame.

use hyper::body::Incoming;
use hyper::http::{HeaderMap, Method, Response, StatusCode, header};
use loadgen_core::FailureKind;

use crate::connection::{Connection, StartError};
use crate::decode::{Appetite, Arrival, ResponseDecoder};
use crate::endpoint::EndpointKind;
use crate::error::{detail, detail_of};
use crate::ledger::Ledger;
use crate::observation::Observation;
use crate::request::{Body, Request};
use crate::target::Target;

/// The most redirects that are followed, as AIPerf's HTTP library does.
const MOST_REDIRECTS: u8 = 10;
/// The most bytes of a redirect's body that are read to keep its connection.
const MOST_REDIRECT_BYTES: usize = 64 * 1024;

/// Where a redirect leads.
struct Redirect {
    status: StatusCode,
    target: Target,
    path: String,
}

impl Connection {
    /// Sends a request and takes its response. What became of it is in the observation: when this
    /// returns, `outcome` is set.
    ///
    /// Redirects are followed, over a connection of their own where they lead elsewhere; their time
    /// is part of the request's. A connection that the server had given up is told apart by
    /// [`Observation::is_stale`].
    pub async fn exchange(&mut self, request: Request, observation: &mut Observation) {
        observation.connection.connection_id = Some(self.id());
        observation.connection.reused = self.is_used();
        observation.connection.request_bytes = request.body.len() as i64;
        let mut request = request;
        // The connection to elsewhere, after a redirect.
        let mut elsewhere: Option<Self> = None;
        loop {
            let here = elsewhere.as_mut().unwrap_or(self);
            let Some(redirect) = here.exchange_once(&request, observation).await else { return };
            if observation.redirects == MOST_REDIRECTS {
                let message = format!("gave up after {MOST_REDIRECTS} redirects");
                observation.fail(FailureKind::HttpError, detail("TooManyRedirects", &message));
                return;
            }
            observation.redirects += 1;
            let needs_connection = !here.target.has_origin_of(&redirect.target) || !here.is_reusable();
            request = redirected(request, redirect);
            if needs_connection {
                let connector = self.connector.clone();
                match connector.connect(&request.target, observation).await {
                    Ok(connection) => elsewhere = Some(connection),
                    Err(_) => return,
                }
            }
        }
    }

    /// One request over this connection. `Some` is a redirect to follow; else the outcome is set.
    async fn exchange_once(&mut self, request: &Request, observation: &mut Observation) -> Option<Redirect> {
        let was_used = self.is_used();
        let ledger = std::rc::Rc::clone(&self.ledger);
        let started = self.start(request, || note_writes(&ledger, observation)).await;
        note_reads(&ledger, observation);
        let response = match started {
            Ok(response) => response,
            Err(error) => {
                observation.instants.end = Some(ledger.now());
                let is_stale = was_used && self.was_given_up(&error, observation);
                fail_without_head(error, is_stale, request, observation);
                return None;
            }
        };
        observation.instants.headers = Some(ledger.reads().last.stamp);

        if let Some(redirect) = redirect_of(&response, request) {
            self.drain(response.into_body()).await;
            return Some(redirect);
        }

        let mut decoder = ResponseDecoder::new(request.kind.unwrap_or(EndpointKind::Chat));
        let mut appetite = decoder.head(
            response.status().as_u16(),
            reason_of(&response),
            text(response.headers(), &header::CONTENT_TYPE),
            text(response.headers(), &header::CONTENT_ENCODING),
            observation,
        );
        let mut body = response.into_body();
        let mut at = ledger.reads().last;
        let mut last_read = 0;
        while appetite == Appetite::More {
            let frame = self.next_frame(&mut body).await;
            note_reads(&ledger, observation);
            match frame {
                Some(Ok(bytes)) => {
                    at = ledger.reads().last;
                    note_body(&at, bytes.len(), &mut last_read, observation);
                    appetite = decoder.feed(&bytes, &at, observation);
                }
                Some(Err(error)) => {
                    observation.instants.end = Some(ledger.now());
                    let message = "the connection broke before the response was complete";
                    decoder.cut(&at, detail_of("ClientPayloadError", message, &error), observation);
                    return None;
                }
                None => {
                    decoder.finish(&at, observation);
                    self.settle().await;
                    return None;
                }
            }
        }
        None
    }

    /// Reads a redirect's body to its end, so that the connection can be used again. A body that is
    /// too long or broken leaves the connection busy, which is to say of no further use.
    async fn drain(&mut self, mut body: Incoming) {
        let mut drained = 0;
        while let Some(frame) = self.next_frame(&mut body).await {
            let Ok(bytes) = frame else { return };
            drained += bytes.len();
            if drained > MOST_REDIRECT_BYTES {
                return;
            }
        }
        self.settle().await;
    }
}

fn note_writes(ledger: &Ledger, observation: &mut Observation) {
    let writes = ledger.writes();
    let instants = &mut observation.instants;
    instants.send_start = instants.send_start.or(writes.start);
    instants.send_end = writes.end.or(instants.send_end);
}

fn note_reads(ledger: &Ledger, observation: &mut Observation) {
    note_writes(ledger, observation);
    let reads = ledger.reads();
    observation.unstamped_reads = reads.unstamped;
    observation.clock_steps = reads.clock_steps;
    if let Some(first) = reads.first_of_response {
        observation.instants.first_byte = Some(first);
        observation.instants.end = Some(reads.last.stamp);
    }
}

fn note_body(at: &Arrival, bytes: usize, last_read: &mut u64, observation: &mut Observation) {
    let facts = &mut observation.connection;
    facts.response_bytes += bytes as i64;
    if *last_read != at.read {
        *last_read = at.read;
        facts.reads += 1;
    }
    facts.first_body.get_or_insert(at.stamp);
    facts.last_body = Some(at.stamp);
}

/// Classifies a request that got no response head.
fn fail_without_head(error: StartError, is_stale: bool, request: &Request, observation: &mut Observation) {
    let is_io = error.io_error().is_some();
    let StartError::Http(error) = error else {
        observation.fail(FailureKind::ConnectError, error.into_detail("the request"));
        return;
    };
    let origin = request.target.origin();
    if error.is_parse() {
        let message = format!("{origin} answered with something that is not HTTP/1.1: {error}");
        observation.fail(FailureKind::InvalidResponse, detail_of("ClientResponseError", &message, &error));
        return;
    }
    let has_answered = observation.instants.first_byte.is_some();
    observation.is_stale = is_stale && !has_answered;
    let (error_type, message) = match (has_answered, is_io) {
        (true, _) => {
            ("ClientPayloadError", format!("{origin} closed the connection within the response's head"))
        }
        (false, false) => {
            ("ServerDisconnectedError", format!("{origin} closed the connection without an answer"))
        }
        (false, true) => ("ClientOSError", format!("the connection to {origin} broke before an answer came")),
    };
    observation.fail(FailureKind::StreamError, detail_of(error_type, &message, &error));
}

fn redirect_of(response: &Response<Incoming>, request: &Request) -> Option<Redirect> {
    let status = response.status();
    if !matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let location = response.headers().get(header::LOCATION)?.to_str().ok()?;
    let (target, path) = request.target.resolve_location(&request.path, location)?;
    Some(Redirect { status, target, path })
}

/// The request that follows a redirect: 307 and 308 keep method and body, the others become GET
/// without a body. Credentials do not go to another origin.
fn redirected(mut request: Request, redirect: Redirect) -> Request {
    let keeps_method = matches!(redirect.status.as_u16(), 307 | 308);
    if !keeps_method {
        request.method = Method::GET;
        request.body = Body::default();
    }
    if !request.target.has_origin_of(&redirect.target) {
        request.headers.remove(header::AUTHORIZATION);
        request.headers.remove(header::COOKIE);
    }
    if let Ok(host) = redirect.target.authority().parse() {
        request.headers.insert(header::HOST, host);
    }
    request.target = redirect.target;
    request.path = redirect.path;
    request
}

fn text<'a>(headers: &'a HeaderMap, name: &header::HeaderName) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// The reason phrase as the server wrote it; by its code where it wrote none.
fn reason_of(response: &Response<Incoming>) -> &str {
    let written = response.extensions().get::<hyper::ext::ReasonPhrase>();
    written
        .and_then(|reason| std::str::from_utf8(reason.as_bytes()).ok())
        .or_else(|| response.status().canonical_reason())
        .unwrap_or("Unknown")
}
