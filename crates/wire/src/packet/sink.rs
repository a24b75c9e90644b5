//! A worker's way through the tap: records wait here for what the packets say of them.
//!
//! Handing a record over is one send on a channel; it never waits. What may wait is bounded by its
//! bytes: a record that does not fit goes straight on with the socket's stamps, counted.
//!
//! What this file does not know: packets.

use std::collections::BTreeSet;
use std::mem::size_of;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Thread;

use loadgen_core::{Nanos, RawRecord, RecordSink, Started};
use uuid::Uuid;

/// What the sinks and the tap's thread both see.
#[derive(Debug)]
pub(super) struct Shared {
    /// Bytes of records that may wait.
    limit: usize,
    waiting: AtomicUsize,
    passed_by: AtomicU64,
    closing: AtomicBool,
    /// Of each sink: when its oldest open request began, ns.
    oldest: Mutex<Vec<Arc<AtomicI64>>>,
}

impl Shared {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            waiting: AtomicUsize::new(0),
            passed_by: AtomicU64::new(0),
            closing: AtomicBool::new(false),
            oldest: Mutex::new(Vec::new()),
        }
    }

    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::Release);
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    pub(super) fn release(&self, bytes: usize) {
        self.waiting.fetch_sub(bytes, Ordering::Relaxed);
    }

    pub(super) fn passed_by(&self) -> u64 {
        self.passed_by.load(Ordering::Relaxed)
    }

    /// When the oldest open request began; `None` when none is open.
    pub(super) fn oldest_open(&self) -> Option<Nanos> {
        let sinks = self.oldest.lock().unwrap_or_else(PoisonError::into_inner);
        let oldest = sinks.iter().map(|oldest| oldest.load(Ordering::Acquire)).min()?;
        (oldest != NONE_OPEN).then_some(Nanos(oldest))
    }
}

/// Where a record goes once the packets have had their say. The lock is taken once a request.
#[derive(Clone)]
pub(super) struct Onward(Arc<Mutex<Box<dyn RecordSink>>>);

impl Onward {
    fn started(&self, started: &Started) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).started(started);
    }

    pub(super) fn finished(&self, record: RawRecord) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).finished(record);
    }
}

/// A record on its way.
pub(super) struct Waiting {
    pub(super) record: Box<RawRecord>,
    /// Bytes to give back once it is gone.
    pub(super) held: usize,
    pub(super) onward: Onward,
}

const NONE_OPEN: i64 = i64::MAX;

/// A worker's end.
pub(super) struct TapSink {
    onward: Onward,
    queue: Sender<Waiting>,
    shared: Arc<Shared>,
    tap: Thread,
    /// The requests under way, oldest first.
    open: BTreeSet<(Nanos, Uuid)>,
    oldest: Arc<AtomicI64>,
}

impl TapSink {
    pub(super) fn new(
        inner: Box<dyn RecordSink>,
        queue: Sender<Waiting>,
        shared: &Arc<Shared>,
        tap: Thread,
    ) -> Self {
        let oldest = Arc::new(AtomicI64::new(NONE_OPEN));
        shared.oldest.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&oldest));
        let onward = Onward(Arc::new(Mutex::new(inner)));
        Self { onward, queue, shared: Arc::clone(shared), tap, open: BTreeSet::new(), oldest }
    }

    fn note_oldest(&self) {
        let oldest = self.open.first().map_or(NONE_OPEN, |(began, _)| began.0);
        self.oldest.store(oldest, Ordering::Release);
    }
}

impl RecordSink for TapSink {
    fn started(&mut self, started: &Started) {
        self.open.insert((started.request_start, started.identity.request_id));
        self.note_oldest();
        self.onward.started(started);
    }

    fn finished(&mut self, record: RawRecord) {
        let request = (record.instants.request_start, record.identity.request_id);
        let held = bytes_of(&record);
        let waiting = self.shared.waiting.fetch_add(held, Ordering::Relaxed) + held;
        // An empty queue takes a record of any size.
        if waiting > self.shared.limit && waiting > held {
            self.shared.release(held);
            self.shared.passed_by.fetch_add(1, Ordering::Relaxed);
            self.tap.unpark();
            self.onward.finished(record);
        } else {
            // The tap wakes by itself often enough for a calm run; waking it costs a system call.
            if waiting > self.shared.limit / 2 {
                self.tap.unpark();
            }
            let message = Waiting { record: Box::new(record), held, onward: self.onward.clone() };
            if let Err(refused) = self.queue.send(message) {
                // The tap is closed.
                self.onward.finished(*refused.0.record);
            }
        }
        // Only now: the tap keeps what open requests need, and those whose records wait.
        if let (Some(began), request_id) = request {
            self.open.remove(&(began, request_id));
            self.note_oldest();
        }
    }
}

impl Drop for TapSink {
    fn drop(&mut self) {
        self.oldest.store(NONE_OPEN, Ordering::Release);
    }
}

/// About how much memory a record takes, in bytes.
fn bytes_of(record: &RawRecord) -> usize {
    /// Three of 8 bytes, two ends of 4, a length of 4, a kind, and the position in the trail.
    const BYTES_A_CHUNK: usize = 3 * 8 + 2 * 4 + 4 + 1 + size_of::<Option<u64>>();
    let chunks = &record.chunks;
    size_of::<RawRecord>()
        + chunks.len() * BYTES_A_CHUNK
        + chunks.reasoning.capacity()
        + chunks.output.capacity()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::mpsc;

    use super::*;
    use crate::packet::testing::{Kept, record, started};

    fn sink(limit: usize) -> (TapSink, mpsc::Receiver<Waiting>, Kept, Arc<Shared>) {
        let (sender, receiver) = mpsc::channel();
        let kept = Kept::default();
        let shared = Arc::new(Shared::new(limit));
        let sink = TapSink::new(Box::new(kept.clone()), sender, &shared, std::thread::current());
        (sink, receiver, kept, shared)
    }

    #[test]
    fn started_goes_straight_on_and_finished_waits() {
        let (mut sink, queue, kept, shared) = sink(1 << 20);
        sink.started(&started(5, 1));
        assert_eq!((kept.started(), kept.finished()), (1, 0));
        assert_eq!(shared.oldest_open(), Some(Nanos(5)));
        let mut done = record(5, 3);
        done.identity = started(5, 1).identity;
        sink.finished(done);
        assert_eq!((kept.finished(), shared.oldest_open()), (0, None));
        let waiting = queue.try_recv().unwrap();
        waiting.onward.finished(*waiting.record);
        assert_eq!(kept.finished(), 1);
    }

    #[test]
    fn the_oldest_open_request_is_known_whatever_ends_first() {
        let (mut first, _queue, _kept, shared) = sink(1 << 20);
        assert_eq!(shared.oldest_open(), None);
        let (sender, _other_queue) = mpsc::channel();
        let mut second = TapSink::new(Box::new(Kept::default()), sender, &shared, std::thread::current());
        first.started(&started(30, 1));
        first.started(&started(20, 2));
        second.started(&started(10, 3));
        assert_eq!(shared.oldest_open(), Some(Nanos(10)));
        drop(second);
        assert_eq!(shared.oldest_open(), Some(Nanos(20)));
        let mut done = record(20, 0);
        done.identity = started(20, 2).identity;
        first.finished(done);
        assert_eq!(shared.oldest_open(), Some(Nanos(30)));
    }

    #[test]
    fn what_does_not_fit_goes_straight_on_and_is_counted() {
        let large = bytes_of(&record(1, 50));
        let (mut sink, queue, kept, shared) = sink(large * 2);
        for _ in 0..5 {
            sink.finished(record(1, 50));
        }
        assert_eq!((queue.try_iter().count(), kept.finished(), shared.passed_by()), (2, 3, 3));
        shared.release(2 * large);
        sink.finished(record(1, 500));
        assert_eq!(queue.try_iter().count(), 1, "an empty queue takes a record of any size");
    }

    #[test]
    fn a_closed_tap_lets_records_through() {
        let (mut sink, queue, kept, _) = sink(1 << 20);
        drop(queue);
        sink.finished(record(1, 3));
        assert_eq!(kept.finished(), 1);
    }
}
