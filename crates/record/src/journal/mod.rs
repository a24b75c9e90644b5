//! The journal: what the workers saw, on disk while the run goes on.
//!
//! A folder of segments, `segment-000001.journal` and so on, each a head and a row of checked frames
//! (see `frame`). [`JournalSink`]s hand records to one thread of low priority (see `writer`), which
//! encodes them and hands them to the operating system at least every half second.
//! [`JournalReader`] streams them back in the order they were written, over any damage.
//!
//! What is promised: a record handed over half a second before the process is killed is there. What
//! is not: that it survives the machine, for nothing is forced to the disk; a forced write can take
//! longer than the buffers last.

mod damage;
mod frame;
mod packed;
mod reader;
mod segment;
mod segments;
mod sink;
mod window;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::mpsc::{self, Sender};
use std::thread::JoinHandle;

use loadgen_core::{Nanos, RawRecord, Started};
use serde::{Deserialize, Serialize};

use crate::error::RecordError;
pub use damage::{Damage, DamageReason};
use frame::NoteFrame;
pub use reader::{Batch, BatchLimit, JournalReader, read_bytes};
pub use sink::{JournalSink, Written};
use sink::{Message, Passing, Shared};
use writer::Writer;
pub use writer::lower_priority;

/// What stands at the beginning of every segment: enough to report the run from its journal alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalHeader {
    /// Version of what the caller keeps in `plan` and in notes.
    pub schema_version: u32,
    /// Version of loadgen that wrote the journal.
    pub loadgen_version: String,
    /// When the run's timeline was anchored to the wall clock.
    pub clock_anchor: Nanos,
    /// The run's plan, as JSON; secrets are the caller's to remove.
    pub plan: String,
}

/// One thing a journal tells.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    /// A request left.
    Started(Started),
    /// A request ended, whatever became of it.
    Finished(Box<RawRecord>),
    /// A fact of the run.
    Note {
        /// What it is about.
        kind: String,
        /// The fact, as JSON.
        json: String,
    },
}

/// How large things may grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JournalLimits {
    /// A segment is closed once it is this long, in bytes.
    pub segment_bytes: u64,
    /// Chunk data, and bodies where they are kept, that may wait to be written, over all workers, in
    /// bytes. Beyond it bodies are dropped, and then chunk data, whose records are marked degraded.
    pub buffer_bytes: usize,
}

impl Default for JournalLimits {
    /// Segments of 64 MiB; 128 MiB of waiting chunk data, some two million tokens. That much waits only
    /// when ten thousand streams end at once, whose chunks took that memory already.
    fn default() -> Self {
        Self { segment_bytes: 64 << 20, buffer_bytes: 128 << 20 }
    }
}

/// What a journal took in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct JournalStats {
    /// Finished records written.
    pub records: u64,
    /// Records whose chunk data was dropped, because too much was waiting or they were too long for a
    /// frame.
    pub degraded: u64,
    /// Records whose bodies were dropped for the same reasons, where bodies are kept. They go first.
    pub bodies_dropped: u64,
    /// Bytes written, over all segments.
    pub bytes: u64,
    /// Segments written.
    pub segments: u32,
}

/// A journal being written.
#[derive(Debug)]
pub struct Journal {
    folder: PathBuf,
    /// Into every queue, the workers' and the journal's own.
    queues: Vec<Sender<Message>>,
    shared: Arc<Shared>,
    writer: Option<JoinHandle<Result<JournalStats, RecordError>>>,
}

impl Journal {
    /// Starts a journal in `folder`, with one sink for each worker. Segments of an earlier run in
    /// that folder are removed.
    pub fn create(
        folder: &Path,
        header: &JournalHeader,
        workers: usize,
    ) -> Result<(Self, Vec<JournalSink>), RecordError> {
        Self::with_limits(folder, header, workers, JournalLimits::default())
    }

    /// As [`create`](Self::create), with other limits.
    pub fn with_limits(
        folder: &Path,
        header: &JournalHeader,
        workers: usize,
        limits: JournalLimits,
    ) -> Result<(Self, Vec<JournalSink>), RecordError> {
        segments::clear(folder)?;
        let file = segments::Segments::create(folder, header, limits.segment_bytes)?;
        let (senders, queues): (Vec<_>, Vec<_>) = (0..=workers).map(|_| mpsc::channel()).unzip();
        let shared = Arc::new(Shared::new(limits.buffer_bytes));
        let writer = Writer::new(file, queues, Arc::clone(&shared));
        let thread = std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || writer.run())
            .map_err(|source| RecordError::Thread { source })?;
        let sinks = senders
            .iter()
            .take(workers)
            .cloned()
            .map(|sender| JournalSink::new(sender, Arc::clone(&shared), thread.thread().clone()))
            .collect();
        Ok((Self { folder: folder.to_owned(), queues: senders, shared, writer: Some(thread) }, sinks))
    }

    /// Writes down a fact of the run, at once and after every record handed over before it.
    pub fn note(&self, kind: &str, json: &str) {
        let note = NoteFrame { kind: kind.to_owned(), json: json.to_owned() };
        let passing = Arc::new(Passing { note, left: AtomicUsize::new(self.queues.len()) });
        for queue in &self.queues {
            // A dead writer shows in `close`; here there is nobody left to tell.
            let _ = queue.send(Message::Note(Arc::clone(&passing)));
        }
        self.wake();
    }

    /// How far it has been written, for a reader that follows it.
    pub fn follow(&self) -> Written {
        Written::new(&self.folder, Arc::clone(&self.shared))
    }

    /// Whether a write has failed. Nothing is kept from then on, so a run has no reason to go on;
    /// [`close`](Self::close) says what happened.
    pub fn has_failed(&self) -> bool {
        self.shared.has_failed()
    }

    /// Writes what is still waiting and ends the thread. Records that sinks hand over afterwards
    /// are lost, so let the workers end first.
    pub fn close(mut self) -> Result<JournalStats, RecordError> {
        let folder = self.folder.clone();
        self.stop().unwrap_or(Err(RecordError::WriterDied { path: folder }))
    }

    /// Ends the thread and takes its answer; `None` if it panicked or was stopped before.
    fn stop(&mut self) -> Option<Result<JournalStats, RecordError>> {
        let writer = self.writer.take()?;
        self.shared.close();
        writer.thread().unpark();
        writer.join().ok()
    }

    fn wake(&self) {
        if let Some(writer) = &self.writer {
            writer.thread().unpark();
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        // What was handed over is still written when a run unwinds; its errors have no taker.
        let _ = self.stop();
    }
}

#[cfg(test)]
mod tests;
