//! A worker's end of the journal.
//!
//! Handing a record over is one send on an unbounded channel of the worker's own: it takes no lock
//! that the writer holds while it works, and it never waits. What is bounded is the chunk data: its
//! bytes are counted when a record is handed over and given back when it has been encoded; so are those
//! of bodies, where they are kept. A record that would exceed the bound goes without its bodies, and
//! then without its chunk data, marked as degraded, so every record arrives whatever the load.
//!
//! What this file does not know: files, frames, when anything is written.

use std::mem::size_of;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::thread::Thread;

use loadgen_core::{ChunkKind, RawChunks, RawRecord, RecordSink, Started};

use super::frame::NoteFrame;

/// The share of the buffer up to which records with bodies are taken: a half.
const BODIES_SHARE: usize = 2;

/// A fact of the run on its way to the writer, through every queue: it comes after what was in any of
/// them before it.
#[derive(Debug)]
pub(crate) struct Passing {
    pub(crate) note: NoteFrame,
    /// Queues that it has not come out of yet.
    pub(crate) left: AtomicUsize,
}

/// What is handed to the writer.
#[derive(Debug)]
pub(crate) enum Message {
    Note(Arc<Passing>),
    Started(Box<Started>),
    Finished {
        record: Box<RawRecord>,
        /// Bytes of chunk data to give back once it is encoded.
        held: usize,
    },
}

/// What the sinks and the writer both see.
#[derive(Debug)]
pub(crate) struct Shared {
    /// Chunk data that may wait, in bytes.
    limit: usize,
    /// Chunk data that waits now, in bytes.
    waiting: AtomicUsize,
    degraded: AtomicU64,
    bodies_dropped: AtomicU64,
    failed: AtomicBool,
    closing: AtomicBool,
    /// How far whole frames have been written: segment number and bytes of it, 32 bits each.
    written: AtomicU64,
}

/// How far a journal has been written: what a reader needs to follow it.
#[derive(Debug, Clone)]
pub struct Written {
    folder: PathBuf,
    shared: Arc<Shared>,
}

impl Written {
    pub(crate) fn new(folder: &Path, shared: Arc<Shared>) -> Self {
        Self { folder: folder.to_owned(), shared }
    }

    /// The journal's folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The segment being written, and the bytes of it that are whole frames.
    pub(crate) fn position(&self) -> (u32, u64) {
        let position = self.shared.written.load(Ordering::Acquire);
        ((position >> 32) as u32, position & u64::from(u32::MAX))
    }
}

impl Shared {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            waiting: AtomicUsize::new(0),
            degraded: AtomicU64::new(0),
            bodies_dropped: AtomicU64::new(0),
            failed: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            written: AtomicU64::new(0),
        }
    }

    /// Tells who follows the journal how far it has been written. A segment is much shorter than 4 GiB;
    /// of one that is not, the rest is seen when it is over.
    pub(crate) fn publish(&self, segment: u32, bytes: u64) {
        let position = (u64::from(segment) << 32) | bytes.min(u64::from(u32::MAX));
        self.written.store(position, Ordering::Release);
    }

    /// Takes `bytes` of the buffer; `None` when they do not fit within `limit`. An empty buffer takes a
    /// record of any size, or the largest records could never be kept. The answer: bytes waiting now.
    fn admit(&self, bytes: usize, limit: usize) -> Option<usize> {
        // In one step: bytes added and taken back would, for a moment, leave another worker's record
        // no room.
        let with_these = |before: usize| {
            let after = before.saturating_add(bytes);
            (bytes == 0 || before == 0 || after <= limit).then_some(after)
        };
        let before = self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, with_these).ok()?;
        with_these(before)
    }

    pub(crate) fn count_dropped_bodies(&self) {
        self.bodies_dropped.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn bodies_dropped(&self) -> u64 {
        self.bodies_dropped.load(Ordering::Relaxed)
    }

    pub(crate) fn count_degraded(&self) {
        self.degraded.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn release(&self, bytes: usize) {
        self.waiting.fetch_sub(bytes, Ordering::Relaxed);
    }

    pub(crate) fn degraded(&self) -> u64 {
        self.degraded.load(Ordering::Relaxed)
    }

    pub(crate) fn fail(&self) {
        self.failed.store(true, Ordering::Relaxed);
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    pub(crate) fn close(&self) {
        self.closing.store(true, Ordering::Release);
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }
}

/// One worker's way into the journal. Neither call blocks.
#[derive(Debug)]
pub struct JournalSink {
    queue: Sender<Message>,
    shared: Arc<Shared>,
    writer: Thread,
}

impl JournalSink {
    pub(crate) fn new(queue: Sender<Message>, shared: Arc<Shared>, writer: Thread) -> Self {
        Self { queue, shared, writer }
    }

    fn send(&self, message: Message) {
        // Only a closed journal refuses, and `close` says that nothing is kept after it.
        let _ = self.queue.send(message);
    }
}

impl RecordSink for JournalSink {
    fn started(&mut self, started: &Started) {
        self.send(Message::Started(Box::new(started.clone())));
    }

    fn finished(&mut self, mut record: RawRecord) {
        let limit = self.shared.limit;
        let mut held = held_by(&record);
        let has_bodies = record.exchange.as_ref().is_some_and(|exchange| exchange.body_bytes() > 0);
        // Bodies never take the room that chunk data may need.
        let mut admitted = self.shared.admit(held, if has_bodies { limit / BODIES_SHARE } else { limit });
        if admitted.is_none() && drop_bodies(&mut record) {
            self.shared.count_dropped_bodies();
            held = held_by(&record);
            admitted = self.shared.admit(held, limit);
        }
        match admitted {
            // The writer wakes by itself often enough for a calm run. Waking it costs a system
            // call, so a worker does that only when the buffer fills.
            Some(waiting) if waiting > self.shared.limit / 2 => self.writer.unpark(),
            Some(_) => {}
            None => {
                record.chunks = RawChunks::default();
                record.degraded = true;
                held = 0;
                self.shared.count_degraded();
                self.writer.unpark();
            }
        }
        self.send(Message::Finished { record: Box::new(record), held });
    }
}

/// Takes the bodies of a record away; whether there were any.
pub(crate) fn drop_bodies(record: &mut RawRecord) -> bool {
    match &mut record.exchange {
        Some(exchange) if exchange.body_bytes() > 0 => {
            exchange.drop_bodies();
            true
        }
        _ => false,
    }
}

/// Memory that what may be dropped of a record occupies, in bytes.
fn held_by(record: &RawRecord) -> usize {
    chunk_bytes(&record.chunks) + record.exchange.as_ref().map_or(0, |exchange| exchange.bytes())
}

/// Memory that the chunk data of a record occupies, in bytes.
fn chunk_bytes(chunks: &RawChunks) -> usize {
    let RawChunks { offset_ns, uncertainty_ns, read_lag_ns, kind, bytes, .. } = chunks;
    (offset_ns.capacity() + uncertainty_ns.capacity() + read_lag_ns.capacity()) * size_of::<i64>()
        + kind.capacity() * size_of::<ChunkKind>()
        + bytes.capacity() * size_of::<i32>()
        + (chunks.reasoning_end.capacity() + chunks.output_end.capacity()) * size_of::<u32>()
        + chunks.reasoning.capacity()
        + chunks.output.capacity()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::mpsc;

    use loadgen_core::{CaptureScope, Exchange};

    use super::*;
    use crate::samples;

    fn sink(limit: usize) -> (JournalSink, mpsc::Receiver<Message>) {
        let (sender, receiver) = mpsc::channel();
        let sink = JournalSink::new(sender, Arc::new(Shared::new(limit)), std::thread::current());
        (sink, receiver)
    }

    fn take(queue: &mpsc::Receiver<Message>) -> (RawRecord, usize) {
        match queue.try_recv().unwrap() {
            Message::Finished { record, held } => (*record, held),
            other => panic!("a finished record was handed over, not {other:?}"),
        }
    }

    #[test]
    fn a_full_buffer_costs_chunks_and_never_records() {
        let record = samples::raw_record(1, 100);
        let held = chunk_bytes(&record.chunks);
        let (mut sink, queue) = sink(held * 2);
        for _ in 0..5 {
            sink.finished(record.clone());
        }
        let taken: Vec<_> = (0..5).map(|_| take(&queue)).collect();
        let degraded: Vec<_> = taken.iter().map(|(record, _)| record.degraded).collect();
        assert_eq!(degraded, [false, false, true, true, true]);
        assert!(taken[2].0.chunks.is_empty());
        assert_eq!(taken[2].0.identity, record.identity);
        assert_eq!(sink.shared.degraded(), 3);

        sink.shared.release(taken[0].1);
        sink.finished(record.clone());
        assert_eq!(take(&queue).0, record, "room given back is room again");
    }

    #[test]
    fn bodies_go_before_chunks() {
        let mut record = samples::raw_record(1, 100);
        let chunks = chunk_bytes(&record.chunks);
        let mut exchange = Exchange::new(CaptureScope { bodies: true, trace: false });
        exchange.request_body = vec![vec![b'x'; 10_000].into()];
        record.exchange = Some(Box::new(exchange));
        let (mut sink, queue) = sink(2 * held_by(&record));
        sink.finished(record.clone());
        sink.finished(record.clone());
        assert_eq!(take(&queue).0, record);
        assert!(chunks * 2 < held_by(&record), "there is room for chunks beyond the half");
        let second = take(&queue).0;
        let exchange = second.exchange.unwrap();
        assert!(exchange.bodies_dropped && exchange.request_body.is_empty());
        assert_eq!((second.degraded, second.chunks), (false, record.chunks));
        assert_eq!((sink.shared.bodies_dropped(), sink.shared.degraded()), (1, 0));
    }

    #[test]
    fn an_empty_buffer_takes_a_record_of_any_size() {
        let (mut sink, queue) = sink(1);
        sink.finished(samples::raw_record(1, 100));
        assert!(!take(&queue).0.degraded);
        assert_eq!(sink.shared.degraded(), 0);
    }

    #[test]
    fn a_closed_journal_neither_blocks_nor_panics() {
        let (mut sink, queue) = sink(1 << 20);
        drop(queue);
        sink.started(&samples::started(1));
        sink.finished(samples::raw_record(1, 3));
    }
}
