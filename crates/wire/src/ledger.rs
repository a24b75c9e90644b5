//! The ledger of a connection's reads and writes: when bytes moved, by whose clock.
//!
//! Invariant: between two looks at the ledger at most one read brings bytes (the *permit*), so
//! whatever comes out of the HTTP layer after a turn was completed by the read noted last. This is
//! what ties a stamp to a chunk; it does not lean on how the HTTP layer buffers.
//!
//! Stamps never run backwards on one connection, and never lie after the instant at which the bytes
//! were in our hands; a stamp that cannot be right is none. A read of 0 bytes is no arrival and is never noted.

use std::cell::{Cell, RefCell};
use std::task::{Context, Poll, Waker};

use loadgen_core::{Clock, Nanos, StampSource, SystemClock};

use crate::decode::Arrival;
use crate::drift::WallDrift;

/// The reads and writes of one connection.
#[derive(Debug)]
pub(crate) struct Ledger {
    clock: SystemClock,
    permit: Cell<Permit>,
    reads: Cell<Reads>,
    writes: Cell<Writes>,
    written: Cell<Written>,
    /// Whoever wants to know when the next one has been.
    waits_for_written: RefCell<Option<Waker>>,
    drift: WallDrift,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Permit {
    /// Any number of reads: while the connection is being made.
    Free,
    /// One read may bring bytes.
    Granted,
    /// It has.
    Used,
}

/// What is known of the reads so far.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Reads {
    /// Reads that brought bytes, since the connection was made.
    pub(crate) count: u64,
    /// Bytes they brought.
    pub(crate) bytes: u64,
    /// Reads for this request that should have had a kernel stamp and had none.
    pub(crate) unstamped: u32,
    /// Steps of the wall clock that were noticed during this request.
    pub(crate) clock_steps: u32,
    /// The last of them.
    pub(crate) last: Arrival,
    /// Arrival of the first bytes that came out since [`Ledger::expect_request`].
    pub(crate) first_of_response: Option<Nanos>,
    /// When the socket was last known to be empty: the beginning of the last short read.
    empty_at: Nanos,
}

/// The requests that the kernel has taken whole, since the connection was made.
#[derive(Debug, Clone, Copy, Default)]
struct Written {
    count: u64,
    /// When it had taken the last byte of the latest one.
    latest: Nanos,
}

/// What is known of the writes since [`Ledger::expect_request`].
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Writes {
    /// Just before the first byte was handed to the kernel.
    pub(crate) start: Option<Nanos>,
    /// When the kernel had taken the last byte; `None` until it has.
    pub(crate) end: Option<Nanos>,
    /// When the kernel had taken the latest byte.
    latest: Option<Nanos>,
}

impl Ledger {
    /// The ledger of a connection about to be made.
    pub(crate) fn new(clock: SystemClock) -> Self {
        Self {
            clock,
            permit: Cell::new(Permit::Free),
            reads: Cell::default(),
            writes: Cell::default(),
            written: Cell::default(),
            waits_for_written: RefCell::new(None),
            drift: WallDrift::new(clock),
        }
    }

    /// Now, on the run's timeline.
    pub(crate) fn now(&self) -> Nanos {
        self.clock.now()
    }

    /// Forgets what belongs to earlier requests: the next byte written is the first of a request,
    /// the next one handed out the first of its response.
    pub(crate) fn expect_request(&self) {
        self.writes.set(Writes::default());
        self.reads.set(Reads { first_of_response: None, unstamped: 0, clock_steps: 0, ..self.reads.get() });
    }

    /// Notes that bytes are handed to the HTTP layer. Under TLS a read need not bring any.
    pub(crate) fn note_handed_out(&self) {
        let mut reads = self.reads.get();
        if reads.first_of_response.is_none() {
            reads.first_of_response = Some(reads.last.stamp);
            self.reads.set(reads);
        }
    }

    /// Lets one read bring bytes.
    pub(crate) fn grant_read(&self) {
        self.permit.set(Permit::Granted);
    }

    /// Whether a read may bring bytes now.
    pub(crate) fn may_read(&self) -> bool {
        self.permit.get() != Permit::Used
    }

    /// Whether the read that was last let through has brought bytes.
    pub(crate) fn has_read(&self) -> bool {
        self.permit.get() == Permit::Used
    }

    /// What is known of the reads.
    pub(crate) fn reads(&self) -> Reads {
        self.reads.get()
    }

    /// What is known of the writes.
    pub(crate) fn writes(&self) -> Writes {
        self.writes.get()
    }

    /// Notes a read that brought `bytes` bytes: begun at `began`, with the kernel's wall-clock
    /// stamp if there is one; `is_short` when it brought less than there was room for, so that the
    /// socket was empty afterwards.
    pub(crate) fn note_read(
        &self,
        began: Nanos,
        bytes: usize,
        is_short: bool,
        wall_ns: Option<i64>,
        wants_stamp: bool,
    ) {
        if bytes == 0 {
            return;
        }
        if self.permit.get() == Permit::Granted {
            self.permit.set(Permit::Used);
        }
        let mut reads = self.reads.get();
        let read_at = self.clock.now();
        let not_before = reads.empty_at.max(self.writes.get().start.unwrap_or_default());
        let placed = wall_ns.and_then(|wall_ns| self.drift.place(wall_ns, not_before, read_at));
        reads.unstamped += u32::from(placed.is_none() && wants_stamp);
        reads.clock_steps += u32::from(placed.is_some_and(|placed| placed.saw_step));
        reads.count += 1;
        reads.bytes += bytes as u64;
        reads.last = Arrival {
            stamp: placed.map_or(read_at, |placed| placed.at).max(reads.last.stamp).min(read_at),
            source: if placed.is_some() { StampSource::Kernel } else { StampSource::User },
            read_at,
            read: reads.count,
            is_drained: is_short,
            not_before,
        };
        if is_short {
            reads.empty_at = began;
        }
        self.reads.set(reads);
    }

    /// Notes a write that began at `began` and of which the kernel took something.
    pub(crate) fn note_write(&self, began: Nanos) {
        let mut writes = self.writes.get();
        writes.start.get_or_insert(began);
        writes.latest = Some(self.clock.now());
        self.writes.set(writes);
    }

    /// Notes a flush: the layers above hold nothing back. Head and body are queued together, so the
    /// first flush after a write says that the kernel has the whole request.
    pub(crate) fn note_flush(&self) {
        let mut writes = self.writes.get();
        let (None, Some(latest)) = (writes.end, writes.latest) else { return };
        writes.end = Some(latest);
        self.writes.set(writes);
        self.written.set(Written { count: self.requests_written() + 1, latest });
        if let Some(waker) = self.waits_for_written.take() {
            waker.wake();
        }
    }

    /// How many requests the kernel has taken whole.
    pub(crate) fn requests_written(&self) -> u64 {
        self.written.get().count
    }

    /// Ready once the kernel has taken more than `before` requests whole: when it had the latest.
    /// One task may wait.
    pub(crate) fn poll_written(&self, before: u64, cx: &Context<'_>) -> Poll<Nanos> {
        let written = self.written.get();
        if written.count > before {
            return Poll::Ready(written.latest);
        }
        self.waits_for_written.replace(Some(cx.waker().clone()));
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wall_now(clock: &SystemClock) -> i64 {
        clock.now().0 + clock.wall_drift_ns()
    }

    #[test]
    fn one_permit_lets_one_read_through_and_empty_reads_leave_no_mark() {
        let ledger = Ledger::new(SystemClock::start());
        assert!(ledger.may_read());
        ledger.note_read(ledger.now(), 5, true, None, false);
        assert!(ledger.may_read(), "reads are free until the first permit");
        ledger.grant_read();
        ledger.note_read(ledger.now(), 0, true, None, false);
        assert!(ledger.may_read() && !ledger.has_read());
        ledger.note_read(ledger.now(), 1, true, None, false);
        assert!(ledger.has_read() && !ledger.may_read());
        assert_eq!((ledger.reads().count, ledger.reads().bytes), (2, 6));
    }

    #[test]
    fn stamps_keep_their_order_and_never_lie_after_the_read() {
        let clock = SystemClock::start();
        let ledger = Ledger::new(clock);
        let wall = wall_now(&clock);
        ledger.note_read(clock.now(), 1, true, Some(wall), true);
        let first = ledger.reads().last;
        assert_eq!(first.source, StampSource::Kernel);
        assert!(first.stamp <= first.read_at);
        ledger.note_read(clock.now(), 1, true, Some(wall - 1_000), true);
        assert_eq!(ledger.reads().last.stamp, first.stamp, "an earlier stamp is lifted to the last one");
        ledger.note_read(clock.now(), 1, true, Some(wall + 3_600_000_000_000), true);
        let future = ledger.reads().last;
        assert_eq!((future.stamp, future.source), (future.read_at, StampSource::User));
        assert_eq!(ledger.reads().unstamped, 1, "a stamp that cannot be right is none");
    }

    #[test]
    fn an_interval_begins_where_the_socket_was_last_empty() {
        let clock = SystemClock::start();
        let ledger = Ledger::new(clock);
        let began = clock.now();
        ledger.note_read(began, 1, true, None, false);
        ledger.note_read(clock.now(), 1, false, None, false);
        assert_eq!(ledger.reads().last.not_before, began);
        assert!(!ledger.reads().last.is_drained);
        ledger.note_read(clock.now(), 1, true, None, false);
        assert_eq!(ledger.reads().last.not_before, began, "a full read does not show the socket empty");
    }

    #[test]
    fn a_request_is_written_at_its_last_byte_and_known_to_be_at_the_flush() {
        let ledger = Ledger::new(SystemClock::start());
        ledger.note_write(ledger.now());
        ledger.expect_request();
        ledger.note_flush();
        assert_eq!(ledger.requests_written(), 0, "what came before the request does not count");
        ledger.note_write(ledger.now());
        assert_eq!(ledger.writes().end, None, "more may follow");
        ledger.note_write(ledger.now());
        let before_flush = ledger.now();
        ledger.note_flush();
        let end = ledger.writes().end;
        assert!(end.is_some() && end < Some(before_flush + 1));
        ledger.note_write(ledger.now());
        ledger.note_flush();
        assert_eq!((ledger.writes().end, ledger.requests_written()), (end, 1), "the first flush counts");
    }

    #[test]
    fn a_read_without_its_stamp_is_counted_and_timed_by_us() {
        let ledger = Ledger::new(SystemClock::start());
        ledger.note_read(ledger.now(), 1, true, None, true);
        assert_eq!(ledger.reads().unstamped, 1);
        assert_eq!(ledger.reads().last.source, StampSource::User);
        assert_eq!(ledger.reads().last.stamp, ledger.reads().last.read_at);
    }
}
