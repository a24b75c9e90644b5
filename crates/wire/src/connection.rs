//! An open connection, and how one request and its response go over it.
//!
//! One future does it all: it writes what the kernel takes, reads what is there, and takes every read
//! apart before the next one, so that whatever a read completed has that read's arrival. A request
//! whose answer comes before all of it is written stays half written, and its connection is used up.
//!
//! What it does not do: retry, pool, or time out.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Method;
use loadgen_core::{ErrorDetail, Nanos};
use thiserror::Error;
use tokio::time::Instant;

use crate::arrivals::ReadCounts;
use crate::connector::Connector;
use crate::decode::{Appetite, Arrival};
use crate::error::{detail, detail_of};
use crate::http1::{Incomplete, Outgoing, Part, ResponseFault, ResponseReader};
use crate::link::{Link, ReadOutcome, Writes};
use crate::request::Request;
use crate::target::Target;
use crate::written::Written;

/// How long a response may be silent before the socket is looked at without having been told to; see
/// `Socket::look_again`.
const SILENCE: Duration = Duration::from_secs(1);

/// How often one connection may read before the others get their turn. A read takes all there is, so a
/// second one is rare: only a server that sends without a pause is ever held up.
const MOST_READS_A_TURN: usize = 16;

/// An open connection to one target. It belongs to the thread that opened it.
#[derive(Debug)]
pub struct Connection {
    pub(crate) connector: Connector,
    pub(crate) target: Target,
    id: i64,
    /// The proxy that wants to be told whole URLs.
    proxy: Option<Target>,
    link: Link,
    /// Our end and the other one, where packets are watched.
    watched: Option<(SocketAddr, SocketAddr)>,
    written: Rc<Written>,
    /// Responses that were read to their end.
    served: u64,
    /// A response is under way, or left the connection of no further use; it stays so when an exchange
    /// is dropped.
    is_busy: bool,
}

/// Whoever looks on while a request and its response go over a connection.
pub(crate) trait Witness {
    /// The kernel took some of the request, or all of it.
    fn wrote(&mut self, writes: Writes);

    /// Bytes of the response came; what they are is said after.
    fn came(&mut self, at: &Arrival);

    /// What is counted, and the anchor of positions, after a read.
    fn counted(&mut self, counts: ReadCounts, anchor: Option<(u64, i64)>);

    /// A part of the response. Bytes of a body stand at the arrival's place; a head and the end stand
    /// before it.
    fn part(&mut self, part: Part<'_>, at: &Arrival) -> Appetite;
}

/// A request that got no whole response.
#[derive(Debug, Error)]
pub(crate) enum Broken {
    /// Its path cannot be requested.
    #[error("{0} is not a valid request path")]
    Url(String),
    /// The server had closed the connection before anything was written, or sent what no one asked for.
    #[error("the server had given the connection up before the request was written")]
    Unusable,
    /// The connection failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The server closed it too early.
    #[error(transparent)]
    Incomplete(#[from] Incomplete),
    /// What came is no response.
    #[error(transparent)]
    Fault(#[from] ResponseFault),
}

/// One request on its way, and what came of its response.
struct UnderWay {
    outgoing: Outgoing,
    reader: ResponseReader,
    /// The connection was looked at before the first write.
    is_settled: bool,
    is_written: bool,
    /// Writing failed; the answer may have come all the same.
    write_error: Option<io::Error>,
    /// The latest bytes; their place is behind them.
    last: Arrival,
}

/// What one read came to.
enum Verdict {
    /// More is to come.
    Hungry,
    /// The response is over, and this many bytes behind it are nobody's.
    Whole { left_over: usize },
    /// The witness wants no more of it.
    Enough,
    /// It is no response.
    Fault(ResponseFault),
}

impl Connection {
    pub(crate) fn new(
        connector: Connector,
        id: i64,
        target: Target,
        link: Link,
        watched: Option<(SocketAddr, SocketAddr)>,
        proxy: Option<Target>,
    ) -> Self {
        Self {
            connector,
            target,
            id,
            proxy,
            link,
            watched,
            written: Rc::default(),
            served: 0,
            is_busy: false,
        }
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
        self.link.tls_version()
    }

    /// Whether it has served a request already.
    pub fn is_used(&self) -> bool {
        self.served > 0
    }

    /// Resolves once the next request over this connection has been handed to the kernel whole, to
    /// the instant of its last byte. Meant to be awaited beside [`Self::exchange`] by whoever drops the
    /// exchange some time after; one waits at a time. Without a waiter it costs nothing.
    pub fn next_written(&self) -> impl Future<Output = Nanos> + use<> {
        let written = Rc::clone(&self.written);
        let before = written.count();
        poll_fn(move |cx| written.poll_more_than(before, cx))
    }

    /// Whether it is worth keeping for another request, as far as is known without a look at the socket:
    /// the last response was read to its end, nothing came behind it, and both sides leave it open.
    pub fn may_be_kept(&self) -> bool {
        !self.is_busy
    }

    /// Whether another request may be sent over it now: the last response was read to its end, nothing came
    /// behind it, and the server has not closed it. Costs a look at the socket.
    pub fn is_reusable(&mut self) -> bool {
        self.may_be_kept() && self.link.is_quiet()
    }

    /// Our end and the other one. Costs two system calls.
    pub(crate) fn ends(&self) -> Option<(SocketAddr, SocketAddr)> {
        self.watched.or_else(|| self.link.ends().ok())
    }

    /// Our end and the other one, where packets are watched.
    pub(crate) fn watched(&self) -> Option<(SocketAddr, SocketAddr)> {
        self.watched
    }

    /// Now, on the run's timeline.
    pub(crate) fn now(&self) -> Nanos {
        self.link.now()
    }

    /// Whether a request that ended in `error` never reached the server's application: either nothing
    /// was written at all, or the server's host refused the bytes.
    ///
    /// A server that takes a request and then closes is a failure of that request, and must not be
    /// mistaken for one that closed without looking. The kernel knows: bytes for a socket that is gone,
    /// or that is closed before anybody read them, are answered with a reset. It shows as ECONNRESET or
    /// EPIPE in the failed read or write; after the peer's end of stream, as the socket's pending error.
    /// Bytes that were taken leave an end of stream alone.
    pub(crate) fn was_given_up(&self, error: &Broken) -> bool {
        self.link.writes().start.is_none()
            || error.io_error().is_some_and(is_given_up)
            || self.link.pending_error().as_ref().is_some_and(is_given_up)
    }

    /// Writes a request and takes its response, until it is whole or the witness has enough.
    pub(crate) async fn carry(
        &mut self,
        request: &Request,
        witness: &mut impl Witness,
    ) -> Result<(), Broken> {
        let outgoing = Outgoing::new(request, self.proxy.as_ref());
        let outgoing = outgoing.ok_or_else(|| Broken::Url(request.path.clone()))?;
        self.link.expect_request();
        self.is_busy = true;
        let mut under_way = UnderWay {
            outgoing,
            reader: ResponseReader::new(request.method == Method::HEAD),
            is_settled: self.served == 0,
            is_written: false,
            write_error: None,
            last: Arrival::default(),
        };
        let mut silence = pin!(tokio::time::sleep(SILENCE));
        poll_fn(|cx| {
            loop {
                let before = self.link.position();
                let polled = self.poll_carry(cx, &mut under_way, witness);
                // While bytes come, the timer is not even looked at.
                let is_silent = self.link.position() == before;
                if polled.is_ready() || !is_silent || silence.as_mut().poll(cx).is_pending() {
                    return polled;
                }
                silence.as_mut().reset(Instant::now() + SILENCE);
                self.link.look_again();
            }
        })
        .await
    }

    fn poll_carry(
        &mut self,
        cx: &mut Context<'_>,
        under_way: &mut UnderWay,
        witness: &mut impl Witness,
    ) -> Poll<Result<(), Broken>> {
        if !under_way.is_settled {
            under_way.is_settled = true;
            if !self.link.settle(cx) {
                return Poll::Ready(Err(Broken::Unusable));
            }
        }
        if !under_way.is_written && under_way.write_error.is_none() {
            self.poll_write(cx, under_way, witness);
        }
        for _ in 0..MOST_READS_A_TURN {
            let UnderWay { reader, last, .. } = under_way;
            let mut verdict = Verdict::Hungry;
            let read = self.link.poll_read(cx, |bytes, at| {
                if matches!(verdict, Verdict::Hungry) {
                    witness.came(at);
                    verdict = take_apart(reader, bytes, at, witness);
                    *last = at.behind(bytes.len());
                } else if let Verdict::Whole { left_over } = &mut verdict {
                    *left_over += bytes.len();
                }
            });
            if read.is_ready() {
                witness.counted(self.link.counts(), self.link.anchor());
            }
            match verdict {
                Verdict::Hungry => {}
                Verdict::Whole { left_over } => {
                    self.served += 1;
                    let is_clean = left_over == 0 && matches!(read, Poll::Ready(Ok(ReadOutcome::More)));
                    self.is_busy = !(is_clean && under_way.leaves_connection());
                    return Poll::Ready(Ok(()));
                }
                Verdict::Enough => return Poll::Ready(Ok(())),
                Verdict::Fault(fault) => return Poll::Ready(Err(fault.into())),
            }
            match (read, under_way.write_error.take()) {
                (Poll::Ready(Ok(ReadOutcome::More)), write_error) => under_way.write_error = write_error,
                (Poll::Pending, None) => return Poll::Pending,
                // What was answered before the end may be in the socket though the runtime was not told yet,
                // and the end will be told too.
                (Poll::Pending, Some(error)) if is_given_up(&error) => {
                    under_way.write_error = Some(error);
                    return Poll::Pending;
                }
                (Poll::Ready(Err(error)), None) | (_, Some(error)) => return Poll::Ready(Err(error.into())),
                (Poll::Ready(Ok(ReadOutcome::End)), None) => {
                    let closed = under_way.reader.close();
                    if closed.is_ok() {
                        self.served += 1;
                        let _ = witness.part(Part::End, &under_way.last);
                    }
                    return Poll::Ready(closed.map_err(Broken::from));
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, under_way: &mut UnderWay, witness: &mut impl Witness) {
        let polled = self.link.poll_write(cx, &mut under_way.outgoing);
        let writes = self.link.writes();
        witness.wrote(writes);
        match polled {
            Poll::Ready(Ok(())) => {
                under_way.is_written = true;
                self.written.note(writes.end.expect("a request that was written has an end"));
            }
            Poll::Ready(Err(error)) => under_way.write_error = Some(error),
            Poll::Pending => {}
        }
    }
}

impl UnderWay {
    /// Whether the connection may carry another request once the response is whole.
    fn leaves_connection(&self) -> bool {
        self.is_written && self.reader.keeps_alive() && self.outgoing.keeps_alive()
    }
}

/// Whether the other host has given the connection up, in both directions.
fn is_given_up(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
}

/// Hands over every part that `bytes` complete.
fn take_apart(
    reader: &mut ResponseReader,
    bytes: &[u8],
    at: &Arrival,
    witness: &mut impl Witness,
) -> Verdict {
    let mut rest = bytes;
    loop {
        let part = match reader.next(&mut rest) {
            Ok(Some(part)) => part,
            Ok(None) => return Verdict::Hungry,
            Err(fault) => return Verdict::Fault(fault),
        };
        let taken = bytes.len() - rest.len();
        let begins = if let Part::Body(data) = &part { taken - data.len() } else { taken };
        if witness.part(part, &at.behind(begins)) == Appetite::Enough {
            return Verdict::Enough;
        }
        if reader.is_done() {
            return Verdict::Whole { left_over: rest.len() };
        }
    }
}

impl Broken {
    /// The socket's own error, if it was one that ended the request.
    pub(crate) fn io_error(&self) -> Option<&io::Error> {
        if let Self::Io(error) = self { Some(error) } else { None }
    }

    pub(crate) fn into_detail(self, what: &str) -> ErrorDetail {
        match &self {
            Self::Url(_) => detail("InvalidURL", &self.to_string()),
            _ => detail_of("ClientError", &format!("{what} got no response"), &self),
        }
    }
}
