//! The journal's thread: takes what the workers hand over, encodes it, writes it.
//!
//! It polls instead of being woken, so that handing a record over costs a worker no system call; it
//! is woken early only by a note, by a buffer that fills, and by the end. Its priority is below the
//! workers', since a late journal costs nothing and a late worker costs the measurement.
//!
//! Invariant: frames reach the file in the order in which each worker handed them over, so a request
//! is always noted as started before it is noted as finished; a note comes after everything that was
//! handed over before it. What it does not do: block a worker, or force anything to the disk.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use loadgen_core::{InputTokens, RawChunks, RawRecord};

use super::JournalStats;
use super::frame::{self, Kind};
use super::segments::Segments;
use super::sink::{Message, Shared, drop_bodies};
use crate::error::RecordError;

/// How long the thread sleeps when nothing waits. What is handed over reaches the operating system
/// within this and the time it takes to encode it: well under half a second.
const POLL: Duration = Duration::from_millis(100);
/// Frames are written once this many bytes are encoded.
const WRITE_BYTES: usize = 256 << 10;
/// Messages taken from one queue before the next has its turn.
const HELPING: usize = 64;
/// How much lower than the workers' the thread's priority is: on a machine whose cores are all busy it
/// still gets a quarter of a core, enough for some million tokens a second. Much lower, and a burst of
/// ends would fill the buffer.
const NICENESS: i32 = 5;

/// The thread's state.
pub(crate) struct Writer {
    segments: Segments,
    queues: Vec<Receiver<Message>>,
    shared: Arc<Shared>,
    encoded: Vec<u8>,
    records: u64,
    /// The first write that failed. Nothing is written after it: the file ends where the disk did.
    failure: Option<RecordError>,
}

impl Writer {
    pub(crate) fn new(segments: Segments, queues: Vec<Receiver<Message>>, shared: Arc<Shared>) -> Self {
        let encoded = Vec::with_capacity(WRITE_BYTES * 2);
        let (segment, bytes) = segments.position();
        shared.publish(segment, bytes);
        Self { segments, queues, shared, encoded, records: 0, failure: None }
    }

    /// Works until the journal is closed and nothing waits any more.
    pub(crate) fn run(mut self) -> Result<JournalStats, RecordError> {
        lower_priority(NICENESS);
        let mut written = Instant::now();
        loop {
            // Read before the queues are, so that everything handed over before closing is seen.
            let is_last = self.shared.is_closing();
            let taken = self.take_messages();
            if taken == 0 || written.elapsed() >= POLL {
                self.write();
                written = Instant::now();
            }
            if taken == 0 {
                if is_last {
                    return self.finish();
                }
                std::thread::park_timeout(POLL);
            }
        }
    }

    /// Takes one helping from each queue, and says how many messages that were.
    fn take_messages(&mut self) -> usize {
        let mut taken = 0;
        for queue in 0..self.queues.len() {
            for _ in 0..HELPING {
                let Ok(message) = self.queues[queue].try_recv() else { break };
                taken += 1;
                self.encode(message);
                if self.encoded.len() >= WRITE_BYTES {
                    self.write();
                }
            }
        }
        taken
    }

    fn encode(&mut self, message: Message) {
        match message {
            Message::Started(started) => {
                frame::append(&mut self.encoded, Kind::Started, &*started);
            }
            Message::Note(passing) => {
                if passing.left.fetch_sub(1, Ordering::Relaxed) == 1 {
                    frame::append(&mut self.encoded, Kind::Note, &passing.note);
                }
            }
            Message::Finished { mut record, held } => {
                let mut is_written = frame::append_record(&mut self.encoded, &mut record);
                if !is_written && drop_bodies(&mut record) {
                    self.shared.count_dropped_bodies();
                    is_written = frame::append_record(&mut self.encoded, &mut record);
                }
                if !is_written {
                    if !record.degraded {
                        self.shared.count_degraded();
                    }
                    frame::append_record(&mut self.encoded, &mut without_bulk(*record));
                }
                self.shared.release(held);
                self.records += 1;
            }
        }
    }

    fn write(&mut self) {
        if self.failure.is_none() && !self.encoded.is_empty() {
            match self.segments.write(&self.encoded) {
                Ok(()) => {
                    let (segment, bytes) = self.segments.position();
                    self.shared.publish(segment, bytes);
                }
                Err(failure) => {
                    self.shared.fail();
                    self.failure = Some(failure);
                }
            }
        }
        self.encoded.clear();
        self.encoded.shrink_to(WRITE_BYTES * 2);
    }

    fn finish(self) -> Result<JournalStats, RecordError> {
        match self.failure {
            Some(failure) => Err(failure),
            None => Ok(JournalStats {
                records: self.records,
                degraded: self.shared.degraded(),
                bodies_dropped: self.shared.bodies_dropped(),
                bytes: self.segments.total_bytes(),
                segments: self.segments.count(),
            }),
        }
    }
}

/// What is left of a record too long for a frame: who, when and what became of it.
fn without_bulk(record: RawRecord) -> RawRecord {
    RawRecord {
        chunks: RawChunks::default(),
        input_tokens: match record.input_tokens {
            InputTokens::Exact(count) => InputTokens::Exact(count),
            _ => InputTokens::Unknown,
        },
        degraded: true,
        ..record
    }
}

/// Lowers the priority of the calling thread by `niceness`, so that it does not disturb the workers.
pub fn lower_priority(niceness: i32) {
    // On Linux the priority of "this process" is that of the calling thread alone. A refusal is no
    // reason to stop: the thread then merely competes with the workers.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(None, niceness);
    #[cfg(not(target_os = "linux"))]
    let _ = niceness;
}
