//! A connection's socket, watched: when bytes were read, and when each token's were written.
//!
//! hyper reads and writes through [`WatchedSocket`]; the [`Watch`] beside it is shared with the
//! request's handler and body, which say what the next write carries. The stamps lie directly around
//! the write call, so a client's stamp of a token's arrival must come after its begin. Without a truth
//! log no clock is read.

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use loadgen_core::Clock;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::shard::Shard;
use crate::truth_log::{Entry, Finished, Line};

/// What the next write carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Carries {
    /// Nothing that is stamped.
    Other,
    /// The first bytes of a token.
    Token,
    /// The rest of the token before.
    RestOfToken,
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

    /// The next write carries a token.
    pub(crate) fn token_next(&self) {
        self.carries.set(Carries::Token);
    }

    /// The next write carries something else.
    pub(crate) fn other_next(&self) {
        self.carries.set(Carries::Other);
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
            Carries::Token => {
                self.carries.set(Carries::RestOfToken);
                self.describe(|entry| {
                    entry.write_begin_ns.push(begin);
                    entry.write_end_ns.push(end);
                });
            }
            Carries::RestOfToken => self.describe(|entry| {
                if let Some(last) = entry.write_end_ns.last_mut() {
                    *last = end;
                }
            }),
        }
    }
}

/// A socket whose reads and writes are noted.
pub(crate) struct WatchedSocket {
    stream: TcpStream,
    watch: Rc<Watch>,
}

impl WatchedSocket {
    pub(crate) fn new(stream: TcpStream, watch: Rc<Watch>) -> Self {
        Self { stream, watch }
    }
}

impl hyper::rt::Read for WatchedSocket {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut into: hyper::rt::ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // hyper's buffer is uninitialised memory, which only unsafe code may lend to a read; the copy
        // from the shard's scratch buffer costs less than the read does.
        let mut scratch = this.watch.shard.scratch();
        let room = into.remaining().min(scratch.len());
        let mut buffer = ReadBuf::new(&mut scratch[..room]);
        ready!(Pin::new(&mut this.stream).poll_read(context, &mut buffer))?;
        into.put_slice(buffer.filled());
        this.watch.last_read_ns.set(this.watch.now());
        Poll::Ready(Ok(()))
    }
}

impl hyper::rt::Write for WatchedSocket {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let begin = this.watch.now();
        let written = ready!(Pin::new(&mut this.stream).poll_write(context, bytes))?;
        this.watch.wrote(begin);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // hyper gets here when its buffer is empty: everything has been handed to the kernel.
        if self.watch.ending.get() {
            self.watch.finish(true);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.watch.reset_on_close.get() {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut this.stream).poll_shutdown(context)
    }
}

impl Drop for WatchedSocket {
    fn drop(&mut self) {
        if self.watch.reset_on_close.get() {
            reset(&self.stream);
        }
        self.watch.finish(false);
    }
}

/// Makes the close of a socket a reset: the peer sees its connection broken, not ended.
pub(crate) fn reset(stream: &TcpStream) {
    // It can only fail on a socket that is gone already.
    let _ = SockRef::from(stream).set_linger(Some(std::time::Duration::ZERO));
}
