//! An open connection, and how it is driven.
//!
//! The HTTP layer's future is polled by the very task that takes its frames, a *turn* at a time: the
//! ledger lets one read through, the HTTP layer is polled, and whatever it completed is taken before
//! the next read may happen. So the read noted last is the one that completed what was taken; no
//! second task, no channel between two wake-ups, and no assumption about hyper's buffering. A turn
//! whose read brought bytes is followed by another at once; a turn without leaves the socket's waker
//! registered, and the task sleeps.
//!
//! What it does not do: retry, pool, or time out.

use std::error::Error as _;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::http::uri::{PathAndQuery, Uri};
use hyper::http::{HeaderMap, HeaderValue, Response, header};
use loadgen_core::{ErrorDetail, Nanos};
use tokio::net::TcpStream;

use crate::connector::Connector;
use crate::error::{detail, detail_of};
use crate::ledger::Ledger;
use crate::observation::Observation;
use crate::request::{OneFrame, Request};
use crate::stream::Stream;
use crate::target::Target;

/// An open connection to one target. It belongs to the thread that opened it.
#[derive(Debug)]
pub struct Connection {
    pub(crate) connector: Connector,
    pub(crate) target: Target,
    pub(crate) ledger: Rc<Ledger>,
    id: i64,
    tls_version: Option<&'static str>,
    /// The proxy that wants to be told whole URLs.
    proxy: Option<Target>,
    sender: SendRequest<OneFrame>,
    /// `None` once the HTTP layer is done with the connection.
    driver: Option<Pin<Box<http1::Connection<Stream, OneFrame>>>>,
    /// The socket under everything, to look for what came while nobody read.
    socket: Rc<TcpStream>,
    /// Responses that were read to their end.
    served: u64,
    /// A response is under way; it stays so when an exchange is dropped.
    is_busy: bool,
}

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
    pub(crate) async fn open(
        connector: Connector,
        id: i64,
        target: Target,
        stream: Stream,
        ledger: Rc<Ledger>,
        socket: Rc<TcpStream>,
        proxy: Option<Target>,
    ) -> Result<Self, hyper::Error> {
        let tls_version = stream.tls_version();
        let (sender, driver) = http1::Builder::new()
            .title_case_headers(true)
            .ignore_invalid_headers_in_responses(true)
            .handshake(stream)
            .await?;
        let driver = Some(Box::pin(driver));
        Ok(Self {
            connector,
            target,
            ledger,
            id,
            tls_version,
            proxy,
            sender,
            driver,
            socket,
            served: 0,
            is_busy: false,
        })
    }

    /// Its number, unique in the process.
    pub fn id(&self) -> i64 {
        self.id
    }

    /// Where it goes.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The version of TLS it speaks, such as `TLSv1.3`; `None` without TLS.
    pub fn tls_version(&self) -> Option<&'static str> {
        self.tls_version
    }

    /// Whether it has served a request already.
    pub fn is_used(&self) -> bool {
        self.served > 0
    }

    /// Resolves once the next request over this connection has been handed to the kernel whole, to
    /// the instant of its last byte. Meant to be awaited beside [`Self::exchange`] by whoever drops the
    /// exchange some time after; one waits at a time. Without a waiter it costs nothing.
    pub fn next_written(&self) -> impl Future<Output = Nanos> + use<> {
        let ledger = Rc::clone(&self.ledger);
        let before = ledger.requests_written();
        std::future::poll_fn(move |cx| ledger.poll_written(before, cx))
    }

    /// Whether another request may be sent over it: the last response was read to its end, and the
    /// server has not closed it. Costs a look at the socket.
    pub fn is_reusable(&mut self) -> bool {
        // The HTTP layer is ready for a first request before it was ever polled; it just cannot say so.
        let is_ready = self.sender.is_ready() || (self.served == 0 && !self.sender.is_closed());
        !self.is_busy && self.driver.is_some() && is_ready && self.is_quiet()
    }

    /// Whether a request that ended in `error` never reached the server's application: either nothing
    /// was written at all, or the server's host refused the bytes.
    ///
    /// A server that takes a request and then closes is a failure of that request, and must not be
    /// mistaken for one that closed without looking. The kernel knows: bytes for a socket that is gone,
    /// or that is closed before anybody read them, are answered with a reset. It shows as ECONNRESET or
    /// EPIPE in the failed read or write; after the peer's end of stream, as the socket's pending error.
    /// Bytes that were taken leave an end of stream alone.
    pub(crate) fn was_given_up(&self, error: &StartError, observation: &Observation) -> bool {
        let refused_by_host = |error: &io::Error| {
            matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
        };
        observation.instants.send_start.is_none()
            || error.io_error().is_some_and(refused_by_host)
            || self.socket.take_error().ok().flatten().as_ref().is_some_and(refused_by_host)
    }

    /// Whether nothing waits on the socket: neither the end of the stream, nor, outside TLS, bytes
    /// that no request asked for.
    fn is_quiet(&self) -> bool {
        use nix::sys::socket::{MsgFlags, recv};
        use std::os::fd::AsRawFd as _;

        let mut one = [0_u8];
        match recv(self.socket.as_raw_fd(), &mut one, MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT) {
            Ok(0) => false,
            // A TLS server may send session tickets at any time.
            Ok(_) => self.target.is_tls(),
            Err(nix::errno::Errno::EAGAIN | nix::errno::Errno::EINTR) => true,
            Err(_) => false,
        }
    }

    /// Sends a request and gives the whole response, up to `limit` bytes of it: for readiness,
    /// control calls and scrapes. Redirects are not followed.
    pub async fn fetch(&mut self, request: Request, limit: usize) -> Result<Fetched, ErrorDetail> {
        let broken =
            |error: &hyper::Error| detail_of("ClientError", "the server gave no whole response", error);
        let mut response =
            self.start(&request, || ()).await.map_err(|error| error.into_detail("the request"))?;
        let mut body = BytesMut::new();
        while let Some(frame) = self.next_frame(response.body_mut()).await {
            body.extend_from_slice(&frame.map_err(|error| broken(&error))?);
            if body.len() > limit {
                return Err(detail("ClientError", &format!("the response has more than {limit} bytes")));
            }
        }
        self.settle().await;
        let (head, _) = response.into_parts();
        Ok(Fetched {
            status: head.status.as_u16(),
            http_version: format!("{:?}", head.version),
            headers: head.headers,
            body: body.freeze(),
        })
    }

    /// Writes a request and waits for the head of its response. `watch` is called after each turn.
    pub(crate) async fn start(
        &mut self,
        request: &Request,
        mut watch: impl FnMut(),
    ) -> Result<Response<Incoming>, StartError> {
        let outgoing = self.outgoing(request)?;
        self.ledger.expect_request();
        let Self { sender, driver, ledger, is_busy, .. } = self;
        *is_busy = true;
        std::future::poll_fn(|cx| turn(driver, ledger, cx, |cx| sender.poll_ready(cx)))
            .await
            .map_err(StartError::Http)?;
        let mut response = std::pin::pin!(sender.send_request(outgoing));
        std::future::poll_fn(|cx| {
            turn(driver, ledger, cx, |cx| {
                watch();
                response.as_mut().poll(cx)
            })
        })
        .await
        .map_err(StartError::Http)
    }

    /// The next bytes of a body; `None` at its end. The ledger's last read is the one that completed
    /// them.
    pub(crate) async fn next_frame(&mut self, body: &mut Incoming) -> Option<Result<Bytes, hyper::Error>> {
        let Self { driver, ledger, .. } = self;
        loop {
            let next =
                std::future::poll_fn(|cx| turn(driver, ledger, cx, |cx| Pin::new(&mut *body).poll_frame(cx)))
                    .await;
            match next? {
                Ok(frame) => {
                    // Trailers say nothing that we keep.
                    if let Ok(data) = frame.into_data() {
                        return Some(Ok(data));
                    }
                }
                Err(error) => return Some(Err(error)),
            }
        }
    }

    /// After a whole response: lets the HTTP layer see that it is over.
    pub(crate) async fn settle(&mut self) {
        self.served += 1;
        self.is_busy = false;
        std::future::poll_fn(|cx| {
            if let Some(driver) = &mut self.driver
                && driver.as_mut().poll(cx).is_ready()
            {
                self.driver = None;
            }
            Poll::Ready(())
        })
        .await;
    }

    fn outgoing(&self, request: &Request) -> Result<hyper::Request<OneFrame>, StartError> {
        let invalid = |_| StartError::Url(request.path.clone());
        let path = PathAndQuery::try_from(request.path.as_str()).map_err(invalid)?;
        let mut parts = hyper::http::uri::Parts::default();
        parts.path_and_query = Some(path);
        let mut headers = request.headers.clone();
        if let Some(proxy) = &self.proxy {
            parts.scheme = Some(hyper::http::uri::Scheme::HTTP);
            parts.authority = request.target.authority().parse().ok();
            if let Some(basic) = proxy.basic_auth().and_then(|basic| HeaderValue::from_str(basic).ok()) {
                headers.insert(header::PROXY_AUTHORIZATION, basic);
            }
        }
        let uri = Uri::from_parts(parts).map_err(|_| StartError::Url(request.path.clone()))?;
        let mut outgoing = hyper::Request::new(OneFrame::from(request.body.clone()));
        *outgoing.method_mut() = request.method.clone();
        *outgoing.uri_mut() = uri;
        *outgoing.headers_mut() = headers;
        Ok(outgoing)
    }
}

/// A request that got no response head.
#[derive(Debug)]
pub(crate) enum StartError {
    /// Its path cannot be requested.
    Url(String),
    /// The HTTP layer or the connection failed.
    Http(hyper::Error),
}

impl StartError {
    /// The socket's own error, if it was one that ended the request.
    pub(crate) fn io_error(&self) -> Option<&io::Error> {
        let Self::Http(error) = self else { return None };
        let mut causes = std::iter::successors(error.source(), |cause| (*cause).source());
        causes.find_map(|cause| cause.downcast_ref())
    }

    pub(crate) fn into_detail(self, what: &str) -> ErrorDetail {
        match self {
            Self::Url(path) => detail("InvalidURL", &format!("{path} is not a valid request path")),
            Self::Http(error) => detail_of("ClientError", &format!("{what} got no response"), &error),
        }
    }
}

/// Polls `goal`, and the HTTP layer a turn at a time, until the goal is reached or the socket has
/// nothing more to give.
fn turn<T>(
    driver: &mut Option<Pin<Box<http1::Connection<Stream, OneFrame>>>>,
    ledger: &Ledger,
    cx: &mut Context<'_>,
    mut goal: impl FnMut(&mut Context<'_>) -> Poll<T>,
) -> Poll<T> {
    // What an earlier turn completed comes first, before another read may happen.
    let mut reached = goal(cx);
    while reached.is_pending() {
        let Some(connection) = driver else { return Poll::Pending };
        ledger.grant_read();
        if connection.as_mut().poll(cx).is_ready() {
            *driver = None;
        }
        reached = goal(cx);
        if reached.is_pending() && driver.is_some() && !ledger.has_read() {
            return Poll::Pending;
        }
    }
    reached
}
