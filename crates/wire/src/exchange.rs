//! One request and its response, redirects included, into an observation.
//!
//! Invariant: every instant and every byte is in the observation before the exchange waits again, so
//! it may be dropped at any time. Between two reads nothing is awaited but the next read.

use std::fmt::Write as _;
use std::net::SocketAddr;

use http::{HeaderMap, Method, StatusCode, header};
use loadgen_core::{ErrorDetail, FailureKind, StreamTrail};

use crate::arrivals::ReadCounts;
use crate::connection::{Broken, Connection, Witness};
use crate::decode::{Appetite, Arrival, Place, ResponseDecoder};
use crate::endpoint::EndpointKind;
use crate::error::{detail, hide, hide_in_exchange, parts};
use crate::http1::{Head, Part};
use crate::link::Writes;
use crate::observation::Observation;
use crate::python::Exception;
use crate::redact::{REDACTED, redact};
use crate::request::{Body, Request};
use crate::secret_name::is_secret_name;
use crate::spelling::Spellings;
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
    pub async fn exchange(&mut self, mut request: Request, observation: &mut Observation) {
        observation.connection.connection_id = Some(self.id());
        observation.connection.reused = self.is_used();
        observation.connection.request_bytes = request.body.len() as i64;
        if let Some(exchange) = &mut observation.exchange {
            exchange.request_headers = shown_headers(&request.headers, &request.spellings);
            if exchange.scope.bodies {
                exchange.request_body = request.body.pieces().to_vec();
            }
        }
        // The connection to elsewhere, after a redirect.
        let mut elsewhere: Option<Box<Self>> = None;
        loop {
            let here = elsewhere.as_deref_mut().unwrap_or(self);
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
                match Box::pin(connector.connect(&request.target, observation)).await {
                    Ok(connection) => elsewhere = Some(Box::new(connection)),
                    Err(_) => return,
                }
            }
        }
    }

    /// One request over this connection. `Some` is a redirect to follow; else the outcome is set.
    async fn exchange_once(&mut self, request: &Request, observation: &mut Observation) -> Option<Redirect> {
        let was_used = self.is_used();
        observation.trail = self.watched().map(|(local, remote)| Box::new(trail(local, remote)));
        if let Some(exchange) = &mut observation.exchange
            && let Some((local, remote)) = self.ends()
        {
            (exchange.local, exchange.remote) = (Some(local), Some(remote));
        }
        let mut watcher = Watcher::new(request, observation);
        let carried = self.carry(request, &mut watcher).await;
        let Watcher { mut decoder, redirect, last_body, has_come, announced, .. } = watcher;
        let Err(broken) = carried else { return redirect };
        observation.instants.end = Some(self.now());
        if let Some(decoder) = &mut decoder {
            let received = observation.connection.response_bytes;
            // Bytes that are no body are not the connection's fault.
            let kind = match broken {
                Broken::Fault(_) => FailureKind::InvalidResponse,
                _ => FailureKind::StreamError,
            };
            decoder.cut(&last_body, kind, cut_error(&broken, announced, received), observation);
        } else if redirect.is_none() {
            observation.is_stale = was_used && !has_come && self.was_given_up(&broken);
            fail_without_head(broken, has_come, request, observation);
        }
        hide_credentials(request, observation, 0);
        // A redirect is followed though its body broke off.
        redirect
    }
}

/// Looks on while a response comes, and notes what it sees.
struct Watcher<'a> {
    request: &'a Request,
    observation: &'a mut Observation,
    /// Bytes of this response have come.
    has_come: bool,
    /// Once a head came that is not a redirect's.
    decoder: Option<ResponseDecoder>,
    /// Once a redirect's head came.
    redirect: Option<Redirect>,
    /// Bytes of a redirect's body.
    drained: usize,
    /// The latest bytes of the body, or of the head before there were any; their place is what they end at.
    last_body: Arrival,
    /// The read that brought the latest bytes of the body.
    last_read: u64,
    /// The length that the head gave, where it ends the body.
    announced: Option<u64>,
    /// How much of the kept body was searched for credentials.
    seen: usize,
}

impl<'a> Watcher<'a> {
    fn new(request: &'a Request, observation: &'a mut Observation) -> Self {
        Self {
            request,
            observation,
            has_come: false,
            decoder: None,
            redirect: None,
            drained: 0,
            last_body: Arrival::default(),
            last_read: 0,
            announced: None,
            seen: 0,
        }
    }

    fn head(&mut self, head: &Head, at: &Arrival) -> Appetite {
        self.observation.instants.headers = Some(at.stamp);
        if let Some(trail) = &mut self.observation.trail {
            trail.headers = at.place.of(0);
        }
        self.last_body = *at;
        self.announced = announced_length(head);
        if let Some(exchange) = &mut self.observation.exchange {
            exchange.reason = Some(reason_of(head).to_owned());
            exchange.response_headers = shown_headers(&head.headers, &Spellings::default());
        }
        self.redirect = redirect_of(head, self.request);
        if self.redirect.is_some() {
            return Appetite::More;
        }
        let format = self.request.format.clone();
        let decoder = self.decoder.insert(ResponseDecoder::new(format.unwrap_or(EndpointKind::Chat.into())));
        decoder.head(
            head.status.as_u16(),
            reason_of(head),
            text(&head.headers, &header::CONTENT_TYPE),
            text(&head.headers, &header::CONTENT_ENCODING),
            self.observation,
        )
    }

    fn body(&mut self, bytes: &[u8], at: &Arrival) -> Appetite {
        let Some(decoder) = &mut self.decoder else {
            self.drained += bytes.len();
            return if self.drained > MOST_REDIRECT_BYTES { Appetite::Enough } else { Appetite::More };
        };
        let facts = &mut self.observation.connection;
        facts.response_bytes += bytes.len() as i64;
        let is_new_read = self.last_read != at.read;
        if is_new_read {
            self.last_read = at.read;
            facts.reads += 1;
        }
        if let Some(exchange) = &mut self.observation.exchange {
            exchange.note_read(at.stamp, is_new_read, bytes.len(), at.place.of(bytes.len()));
        }
        facts.first_body.get_or_insert(at.stamp);
        facts.last_body = Some(at.stamp);
        if let Some(trail) = &mut self.observation.trail
            && let (Some(first), Some(last)) = (at.place.of(1), at.place.of(bytes.len()))
        {
            trail.body = Some((trail.body.map_or(first, |(first, _)| first), last));
        }
        let place = at.place.of(bytes.len()).map_or(Place::Unknown, Place::EndingAt);
        self.last_body = Arrival { place, ..*at };
        decoder.feed(bytes, at, self.observation)
    }
}

impl Witness for Watcher<'_> {
    fn wrote(&mut self, writes: Writes) {
        let instants = &mut self.observation.instants;
        instants.send_start = instants.send_start.or(writes.start);
        instants.send_end = writes.end.or(instants.send_end);
    }

    fn came(&mut self, at: &Arrival) {
        let observation = &mut *self.observation;
        observation.instants.end = Some(at.stamp);
        if !self.has_come {
            self.has_come = true;
            observation.instants.first_byte = Some(at.stamp);
            if let Some(trail) = &mut observation.trail {
                trail.first_byte = at.place.of(1);
            }
        }
    }

    fn counted(&mut self, counts: ReadCounts, anchor: Option<(u64, i64)>) {
        self.observation.unstamped_reads = counts.unstamped;
        self.observation.clock_steps = counts.clock_steps;
        if let Some(trail) = &mut self.observation.trail {
            trail.anchor = anchor;
        }
    }

    fn part(&mut self, part: Part<'_>, at: &Arrival) -> Appetite {
        let appetite = match part {
            Part::Head(head) => self.head(&head, at),
            Part::Body(bytes) => self.body(bytes, at),
            Part::End => {
                if let Some(decoder) = &mut self.decoder {
                    decoder.finish(&self.last_body, self.observation);
                }
                if let Some(trail) = &mut self.observation.trail {
                    trail.end = at.place.of(0);
                }
                Appetite::More
            }
        };
        hide_credentials(self.request, self.observation, std::mem::take(&mut self.seen));
        self.seen = self.observation.exchange.as_ref().map_or(0, |exchange| exchange.response_body.len());
        appetite
    }
}

/// Where nothing has come yet.
fn trail(local: SocketAddr, remote: SocketAddr) -> StreamTrail {
    StreamTrail {
        local,
        remote,
        first_byte: None,
        headers: None,
        body: None,
        end: None,
        chunks: Vec::new(),
        anchor: None,
    }
}

/// Classifies a request that got no response head.
fn fail_without_head(broken: Broken, has_answered: bool, request: &Request, observation: &mut Observation) {
    let disconnected = || Exception::said("ServerDisconnectedError", "Server disconnected").alone();
    let (kind, error) = match &broken {
        Broken::Url(_) => (FailureKind::ConnectError, broken.into_detail("the request")),
        Broken::Fault(fault) => {
            let says =
                format!("{} answered with something that is not HTTP/1.1: {fault}", request.target.origin());
            let bad = Exception::said("BadHttpMessage", &says);
            let processing = Exception::http("HttpProcessingError", &says);
            let error = Exception::said("ClientResponseError", &says).because(&[processing, bad]);
            (FailureKind::InvalidResponse, error)
        }
        Broken::Io(error) if !has_answered => {
            let cause = Exception::os(error);
            (FailureKind::StreamError, cause.clone().named("ClientOSError").because(&[cause]))
        }
        Broken::Io(_) | Broken::Unusable | Broken::Incomplete(_) => {
            (FailureKind::StreamError, disconnected())
        }
    };
    observation.fail(kind, error);
}

/// Why a response that had begun was not whole: its head `announced` a length, or chunks.
fn cut_error(broken: &Broken, announced: Option<u64>, received: i64) -> ErrorDetail {
    let cause = match (broken, announced) {
        (Broken::Fault(fault), _) => Exception::http("BadHttpMessage", &fault.to_string()),
        (_, Some(length)) => Exception::http(
            "ContentLengthError",
            &format!(
                "Not enough data to satisfy content length header (received {received} of {length} bytes)."
            ),
        ),
        (_, None) => {
            Exception::http("TransferEncodingError", "Not enough data to satisfy transfer length header.")
        }
    };
    let mut says = format!("Response payload is not completed: {}", cause.repr());
    if let Some(error) = broken.io_error() {
        let _ = write!(says, ". {}", Exception::os(error).repr());
    }
    Exception::said("ClientPayloadError", &says).because(&[cause])
}

/// The length of the body, where the head says it in bytes.
fn announced_length(head: &Head) -> Option<u64> {
    if head.headers.contains_key(header::TRANSFER_ENCODING) {
        return None;
    }
    text(&head.headers, &header::CONTENT_LENGTH).trim().parse().ok()
}

/// Headers as a file may show them: as AIPerf spells their names, secrets replaced.
fn shown_headers(headers: &HeaderMap, spellings: &Spellings) -> Vec<(String, String)> {
    let shown = headers.iter().map(|(name, value)| {
        let is_secret = value.is_sensitive() || is_secret_name(name.as_str());
        let value = if is_secret {
            REDACTED.to_owned()
        } else {
            redact(&String::from_utf8_lossy(value.as_bytes())).into_owned()
        };
        (spellings.spelled(name), value)
    });
    shown.collect()
}

/// Takes the credentials that were sent out of what is told of a failure: servers like to repeat them. `seen`
/// bytes of the kept body were searched before.
fn hide_credentials(request: &Request, observation: &mut Observation, seen: usize) {
    let Observation { error, exchange, .. } = observation;
    if error.is_none() && exchange.is_none() {
        return;
    }
    let sent = request.headers.values().filter(|value| value.is_sensitive());
    let of_headers = sent.filter_map(|value| value.to_str().ok()).flat_map(parts);
    let known = request.secrets.iter().flat_map(|secrets| secrets.iter()).map(|secret| &**secret);
    for secret in of_headers.chain(known) {
        if let Some(error) = error {
            hide(error, secret);
        }
        if let Some(exchange) = exchange {
            hide_in_exchange(exchange, secret, seen);
        }
    }
}

fn redirect_of(head: &Head, request: &Request) -> Option<Redirect> {
    if !matches!(head.status.as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let location = head.headers.get(header::LOCATION)?.to_str().ok()?;
    let (target, path) = request.target.resolve_location(&request.path, location)?;
    Some(Redirect { status: head.status, target, path })
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
        let names = request.headers.keys().filter(|name| is_secret_name(name.as_str()));
        for name in names.cloned().collect::<Vec<_>>() {
            request.headers.remove(name);
        }
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
fn reason_of(head: &Head) -> &str {
    head.reason.as_deref().or_else(|| head.status.canonical_reason()).unwrap_or("Unknown")
}
