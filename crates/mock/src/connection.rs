//! A connection's socket, watched: when bytes were read, and when each token's were written.
//!
//! hyper reads and writes through [`WatchedSocket`]; the [`Watch`] beside it is shared with the
//! request's handler and body, which say what the next write carries. The stamps lie directly around
//! the write call (under TLS, around its encryption too), so a client's stamp of a token's arrival must
//! come after its begin. Without a truth log no clock is read.
//!
//! While hyper has nothing left to write, a body may write past it ([`Watch::write_now`]): an event then
//! costs its write call and hardly more.

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use loadgen_core::Clock;
use socket2::SockRef;
use tokio::io::ReadBuf;
use tokio::net::TcpStream;

use crate::shard::Shard;
use crate::socket::Socket;
use crate::truth_log::{Entry, Finished, Line};

/// What the next write carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Carries {
    /// Nothing that is stamped.
    Other,
    /// The first bytes of so many tokens.
    Tokens(u32),
    /// The rest of the tokens before.
    RestOfTokens(u32),
}

/// What is known about a connection, and about the request under way on it.
pub(crate) struct Watch {
    shard: Rc<Shard>,
    number: u64,
    accepted_ns: i64,
    requests: Cell<u64>,
    last_read_ns: Cell<i64>,
    last_write_ns: Cell<Option<i64>>,
    carries: Cell<Carries>,
    /// Gone once the connection is.
    socket: RefCell<Option<Socket>>,
    /// Whether hyper has something to write.
    is_handed_over: Cell<bool>,
    entry: RefCell<Option<Box<Entry>>>,
    /// Whether the answer has been handed over in full, and only the flush is missing.
    ending: Cell<bool>,
    /// Whether that answer is the one asked for.
    answered: Cell<bool>,
    reset_on_close: Cell<bool>,
}

impl Watch {
    pub(crate) fn new(shard: Rc<Shard>, number: u64, accepted_ns: i64) -> Rc<Self> {
        Rc::new(Self {
            shard,
            number,
            accepted_ns,
            requests: Cell::new(0),
            last_read_ns: Cell::new(accepted_ns),
            last_write_ns: Cell::new(None),
            carries: Cell::new(Carries::Other),
            socket: RefCell::new(None),
            is_handed_over: Cell::new(false),
            entry: RefCell::new(None),
            ending: Cell::new(false),
            answered: Cell::new(false),
            reset_on_close: Cell::new(false),
        })
    }

    /// A generation request begins: its head has been read.
    pub(crate) fn begin(&self, describe: impl FnOnce(&mut Entry)) {
        // hyper reads on once an answer is out of its hands: what is before this has been written.
        self.finish(true);
        let connection_request = self.requests.replace(self.requests.get() + 1);
        if self.shard.log().is_none() {
            return;
        }
        let mut entry = Box::new(Entry {
            connection: self.number,
            connection_request,
            accepted_ns: self.accepted_ns,
            head_read_ns: self.last_read_ns.get(),
            ..Entry::default()
        });
        describe(&mut entry);
        self.last_write_ns.set(None);
        *self.entry.borrow_mut() = Some(entry);
    }

    /// Adds to what is logged of the request under way.
    pub(crate) fn describe(&self, describe: impl FnOnce(&mut Entry)) {
        if let Some(entry) = self.entry.borrow_mut().as_mut() {
            describe(entry);
        }
    }

    /// When the latest read returned.
    pub(crate) fn last_read_ns(&self) -> i64 {
        self.last_read_ns.get()
    }

    /// hyper is handed something to write, which carries so many tokens.
    pub(crate) fn hand_over(&self, tokens: u32) {
        self.is_handed_over.set(true);
        self.carries.set(if tokens == 0 { Carries::Other } else { Carries::Tokens(tokens) });
    }

    /// Whether [`write_now`](Self::write_now) is possible: hyper has nothing to write, and no TLS is
    /// in between.
    pub(crate) fn takes_writes(&self) -> bool {
        !self.is_handed_over.get() && matches!(*self.socket.borrow(), Some(Socket::Plain(_)))
    }

    /// Writes past hyper, which carries so many tokens. Returns how many bytes the kernel took, which is
    /// none where the connection is at its end: whatever hyper does next will find out.
    pub(crate) fn write_now(&self, bytes: &[u8], tokens: u32) -> usize {
        let socket = self.socket.borrow();
        let Some(socket) = socket.as_ref() else { return 0 };
        let begin = self.now();
        match socket.write_now(bytes) {
            Some(Ok(written)) if written > 0 => {
                self.carries.set(if tokens == 0 { Carries::Other } else { Carries::Tokens(tokens) });
                self.wrote(begin);
                written
            }
            _ => 0,
        }
    }

    /// Writes the rest of what [`write_now`](Self::write_now) took a part of, past hyper as well.
    pub(crate) fn poll_write_rest(
        &self,
        context: &mut Context<'_>,
        rest: &mut Vec<u8>,
    ) -> Poll<io::Result<()>> {
        let mut socket = self.socket.borrow_mut();
        let Some(socket) = socket.as_mut() else {
            return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
        };
        while !rest.is_empty() {
            let begin = self.now();
            let written = ready!(socket.poll_write(context, rest))?;
            self.wrote(begin);
            rest.drain(..written);
        }
        Poll::Ready(Ok(()))
    }

    /// The answer has been handed over in full; its line is written once it is flushed.
    pub(crate) fn end(&self, finished: Finished) {
        self.ending.set(true);
        self.describe(|entry| entry.finished = finished);
    }

    /// The answer that [`end`](Self::end) is told of, before or after, is the one asked for.
    pub(crate) fn answered(&self) {
        self.answered.set(true);
    }

    /// The connection is to end with a reset.
    pub(crate) fn reset_on_close(&self) {
        self.reset_on_close.set(true);
    }

    /// Counts and logs the request under way, if there is one. `is_written`: everything handed over has
    /// been written.
    fn finish(&self, is_written: bool) {
        let (ended, answered) = (self.ending.take(), self.answered.take());
        self.carries.set(Carries::Other);
        if ended && answered && is_written {
            self.shard.report().complete += 1;
        }
        let Some(mut entry) = self.entry.borrow_mut().take() else { return };
        entry.end_ns = self.last_write_ns.get();
        if ended && !is_written {
            entry.finished = Finished::ClientClosed;
        }
        if entry.finished == Finished::ClientClosed && self.shard.is_stopping() {
            entry.finished = Finished::ServerStopped;
        }
        if let Some(log) = self.shard.log() {
            log.note(Line::Request(entry));
        }
    }

    fn now(&self) -> i64 {
        if self.shard.log().is_some() { self.shard.clock().now().0 } else { 0 }
    }

    fn wrote(&self, begin: i64) {
        if self.shard.log().is_none() {
            return;
        }
        let end = self.now();
        self.last_write_ns.set(Some(end));
        match self.carries.get() {
            Carries::Other => {}
            Carries::Tokens(tokens) => {
                self.carries.set(Carries::RestOfTokens(tokens));
                self.describe(|entry| {
                    let tokens = tokens as usize;
                    entry.write_begin_ns.extend(std::iter::repeat_n(begin, tokens));
                    entry.write_end_ns.extend(std::iter::repeat_n(end, tokens));
                });
            }
            Carries::RestOfTokens(tokens) => self.describe(|entry| {
                let before = entry.write_end_ns.len().saturating_sub(tokens as usize);
                entry.write_end_ns[before..].fill(end);
            }),
        }
    }
}

/// A socket whose reads and writes are noted.
pub(crate) struct WatchedSocket(Rc<Watch>);

impl WatchedSocket {
    pub(crate) fn new(socket: Socket, watch: Rc<Watch>) -> Self {
        *watch.socket.borrow_mut() = Some(socket);
        Self(watch)
    }

    /// Does something with the socket, which is there as long as this is.
    fn with<T>(&self, act: impl FnOnce(&mut Socket) -> Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        match self.0.socket.borrow_mut().as_mut() {
            Some(socket) => act(socket),
            None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}

impl hyper::rt::Read for WatchedSocket {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut into: hyper::rt::ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let watch = &self.0;
        // hyper's buffer is uninitialised memory, which only unsafe code may lend to a read; the copy
        // from the shard's scratch buffer costs less than the read does.
        let mut scratch = watch.shard.scratch();
        let room = into.remaining().min(scratch.len());
        let mut buffer = ReadBuf::new(&mut scratch[..room]);
        ready!(self.with(|socket| socket.poll_read(context, &mut buffer)))?;
        into.put_slice(buffer.filled());
        watch.last_read_ns.set(watch.now());
        Poll::Ready(Ok(()))
    }
}

impl hyper::rt::Write for WatchedSocket {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let begin = self.0.now();
        let written = ready!(self.with(|socket| socket.poll_write(context, bytes)))?;
        self.0.wrote(begin);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // hyper gets here when its buffer is empty: everything has been handed to the kernel, or to TLS.
        ready!(self.with(|socket| socket.poll_flush(context)))?;
        self.0.is_handed_over.set(false);
        if self.0.ending.get() {
            self.0.finish(true);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.0.reset_on_close.get() {
            return Poll::Ready(Ok(()));
        }
        self.with(|socket| socket.poll_shutdown(context))
    }
}

impl Drop for WatchedSocket {
    fn drop(&mut self) {
        // Whoever else holds the watch must not keep the connection open.
        if let Some(socket) = self.0.socket.take()
            && self.0.reset_on_close.get()
        {
            reset(socket.tcp());
        }
        self.0.finish(false);
    }
}

/// Makes the close of a socket a reset: the peer sees its connection broken, not ended.
pub(crate) fn reset(stream: &TcpStream) {
    // It can only fail on a socket that is gone already.
    let _ = SockRef::from(stream).set_linger(Some(std::time::Duration::ZERO));
}
