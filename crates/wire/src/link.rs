//! The byte stream under HTTP, plain or TLS, with the arrival of each piece.
//!
//! Invariant: what one read brought is handed over before the next read, from the thread's scratch
//! space, with that read's arrival. So a connection keeps no bytes, and an arrival cannot be mixed up.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::task::{Context, Poll, ready};

use loadgen_core::Nanos;

use crate::arrivals::{Arrivals, ReadCounts};
use crate::decode::{Arrival, Place};
use crate::http1::{MOST_SLICES, Outgoing};
use crate::scratch::with_scratch;
use crate::socket::{Socket, Waiting};
use crate::tls_session::TlsSession;

/// A plain or a TLS connection.
#[derive(Debug)]
pub(crate) struct Link {
    socket: Socket,
    arrivals: Arrivals,
    tls: Option<Box<TlsSession>>,
    writes: Writes,
}

/// The writes of one request.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Writes {
    /// Just before the first byte was handed to the kernel.
    pub(crate) start: Option<Nanos>,
    /// When the kernel had taken the last byte; `None` until it has.
    pub(crate) end: Option<Nanos>,
}

/// What a read came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReadOutcome {
    /// Bytes, which were handed over as far as they could be read.
    More,
    /// The end, as the server meant it.
    End,
}

impl Link {
    /// A plain connection.
    pub(crate) fn plain(socket: Socket, arrivals: Arrivals) -> Self {
        Self { socket, arrivals, tls: None, writes: Writes::default() }
    }

    /// A TLS connection: shakes hands.
    pub(crate) async fn secured(socket: Socket, arrivals: Arrivals, session: TlsSession) -> io::Result<Self> {
        let mut link = Self { socket, arrivals, tls: Some(Box::new(session)), writes: Writes::default() };
        loop {
            let flushed = poll_fn(|cx| link.poll_flush(cx)).await;
            if !link.tls.as_ref().is_some_and(|tls| tls.is_handshaking()) {
                flushed?;
                return Ok(link);
            }
            flushed?;
            let read = poll_fn(|cx| link.poll_read(cx, |_, _| ())).await;
            if !matches!(read, Ok(ReadOutcome::More)) {
                // An alert that says why the other side is refused, if it can still be told.
                let _ = poll_fn(|cx| Poll::Ready(link.poll_flush(cx))).await;
            }
            if read? == ReadOutcome::End {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "tls handshake eof"));
            }
        }
    }

    /// The version of TLS; `None` without TLS.
    pub(crate) fn tls_version(&self) -> Option<&'static str> {
        self.tls.as_ref()?.version()
    }

    /// Now, on the run's timeline.
    pub(crate) fn now(&self) -> Nanos {
        self.socket.now()
    }

    /// Our end and the other one.
    pub(crate) fn ends(&self) -> io::Result<(SocketAddr, SocketAddr)> {
        self.socket.ends()
    }

    /// Forgets what belongs to earlier requests: the next byte written is the first of a request.
    pub(crate) fn expect_request(&mut self) {
        self.writes = Writes::default();
        self.arrivals.expect_request();
    }

    /// When the request left.
    pub(crate) fn writes(&self) -> Writes {
        self.writes
    }

    /// What was counted while its response came.
    pub(crate) fn counts(&self) -> ReadCounts {
        self.arrivals.counts()
    }

    /// The last short read with a stamp: the position behind it, and its stamp as the kernel gave it.
    pub(crate) fn anchor(&self) -> Option<(u64, i64)> {
        self.arrivals.anchor()
    }

    /// See [`Socket::pending_error`].
    pub(crate) fn pending_error(&self) -> Option<io::Error> {
        self.socket.pending_error()
    }

    /// Bytes that the server has sent, as far as they were read.
    pub(crate) fn position(&self) -> u64 {
        self.arrivals.position()
    }

    /// See [`Socket::look_again`].
    pub(crate) fn look_again(&self) {
        self.socket.look_again();
    }

    /// Whether a server that was left alone is silent still: neither the end of the stream waits, nor
    /// bytes that no request asked for. Costs a look at the socket.
    pub(crate) fn is_quiet(&self) -> bool {
        match self.socket.waiting() {
            Waiting::Nothing => true,
            // A TLS server may send session tickets at any time.
            Waiting::Bytes => self.tls.is_some(),
            Waiting::End => false,
        }
    }

    /// The same, and takes what TLS has for itself, such as tickets, or a goodbye.
    pub(crate) fn settle(&mut self, cx: &mut Context<'_>) -> bool {
        while self.socket.waiting() != Waiting::Nothing {
            if self.tls.is_none() {
                return false;
            }
            let mut is_readable = false;
            match self.poll_read(cx, |_, _| is_readable = true) {
                Poll::Ready(Ok(ReadOutcome::More)) if !is_readable => {}
                // The runtime does not know of it yet: it will come with the response.
                Poll::Pending => return true,
                Poll::Ready(_) => return false,
            }
        }
        true
    }

    /// Writes as much of a request as the kernel takes; ready when it has all of it.
    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        outgoing: &mut Outgoing,
    ) -> Poll<io::Result<()>> {
        while !outgoing.is_done() {
            let mut slices = [IoSlice::new(&[]); MOST_SLICES];
            let filled = outgoing.fill(&mut slices);
            let slices = &slices[..filled];
            let count = if let Some(tls) = &mut self.tls {
                tls.encrypt(slices)?
            } else {
                ready!(self.poll_send(cx, slices))?
            };
            outgoing.advance(count);
            // What was encrypted leaves before more is: the session holds no more than one flight.
            ready!(self.poll_flush(cx))?;
        }
        ready!(self.poll_flush(cx))?;
        if self.writes.end.is_none() {
            self.writes.end = Some(self.socket.now());
        }
        Poll::Ready(Ok(()))
    }

    /// Writes what the kernel takes of `slices`.
    fn poll_send(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.socket.poll_writable(cx))?;
            let began = self.socket.now();
            match self.socket.try_write(slices) {
                Ok(count) => {
                    self.writes.start.get_or_insert(began);
                    return Poll::Ready(Ok(count));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// Writes what TLS has ready.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(tls) = &mut self.tls else { return Poll::Ready(Ok(())) };
        while tls.wants_write() {
            ready!(self.socket.poll_writable(cx))?;
            let began = self.socket.now();
            match tls.write_to(&self.socket) {
                Ok(_) => {
                    self.writes.start.get_or_insert(began);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Reads once, and hands over what came out, with its arrival.
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        mut take: impl FnMut(&[u8], &Arrival),
    ) -> Poll<io::Result<ReadOutcome>> {
        let Self { socket, arrivals, tls, writes } = self;
        with_scratch(|room| {
            let received = ready!(socket.poll_receive(cx, room))?;
            if received.bytes == 0 {
                return Poll::Ready(match tls {
                    // Whoever cuts a TLS stream off could have cut it anywhere.
                    Some(_) => Err(io::Error::new(
                        io::ErrorKind::UnexpectedEof,
                        "the server closed the connection without saying so (no TLS close_notify)",
                    )),
                    None => Ok(ReadOutcome::End),
                });
            }
            let at = arrivals.note(received, writes.start);
            let bytes = &room[..received.bytes];
            let Some(tls) = tls else {
                take(bytes, &at);
                return Poll::Ready(Ok(ReadOutcome::More));
            };
            let is_over = tls.take(bytes, |plain, position| {
                take(plain, &Arrival { place: Place::EndingAt(position), ..at });
            })?;
            Poll::Ready(Ok(if is_over { ReadOutcome::End } else { ReadOutcome::More }))
        })
    }
}

impl Drop for Link {
    /// Says goodbye over TLS, as far as the kernel takes it at once: without it, a server cannot tell a client
    /// that left from one whose connection was cut (RFC 8446, 6.1).
    fn drop(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.say_goodbye(&self.socket);
        }
    }
}
