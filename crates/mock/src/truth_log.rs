//! What really happened, as JSON lines: the ruler for every figure of a client.
//!
//! One line a request, in the order they end, between a line that says what runs and one that sums
//! up. All instants are ns since the Unix epoch on one timeline, anchored once to the wall clock.
//! Lines are formatted and written by a thread of their own, flushed every second and at the end; the
//! serving threads only hand over what they noted.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::config::{MockError, ServeReport};

/// A line of the log.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Line {
    /// What runs. Always the first line.
    Server {
        /// Version of this format.
        format: u32,
        /// Where it listens.
        addr: SocketAddr,
        /// The profile, as it parses.
        profile: String,
        /// The root seed.
        seed: u64,
        /// Server threads.
        threads: usize,
        /// When the timeline was anchored.
        started_ns: i64,
    },
    /// A connection that was reset when it was accepted.
    Refused {
        /// Number of the connection.
        connection: u64,
        /// When it was accepted.
        accepted_ns: i64,
    },
    /// A generation request.
    Request(Box<Entry>),
    /// The counts at the end. Always the last line of an orderly end.
    Summary(ServeReport),
}

/// A generation request, from its connection's accept to the last byte written.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Entry {
    /// Number of the request, from 0 in order of arrival.
    pub(crate) request: u64,
    /// Number of its connection, from 0.
    pub(crate) connection: u64,
    /// Which request on that connection, from 0.
    pub(crate) connection_request: u64,
    /// The client's X-Request-ID.
    pub(crate) request_id: Option<String>,
    /// The client's X-Correlation-ID.
    pub(crate) correlation_id: Option<String>,
    /// Path asked for.
    pub(crate) path: String,
    /// Model asked for.
    pub(crate) model: Option<String>,
    /// Whether a stream was asked for.
    pub(crate) stream: bool,
    /// Bytes of the request's body.
    pub(crate) body_bytes: usize,
    /// SHA-256 of the request's body in hex; absent when it was not read to its end. Filled in by the
    /// log's own thread: hashing here would show in the server's times.
    pub(crate) body_sha256: Option<String>,
    /// Bytes of the prompt's JSON.
    pub(crate) prompt_bytes: usize,
    /// Tokens of the prompt, as counted here.
    pub(crate) prompt_tokens: u32,
    /// Of which the prefix cache had so many.
    pub(crate) cached_tokens: u32,
    /// Tokens the answer was to have.
    pub(crate) planned_tokens: u32,
    /// The fault applied.
    pub(crate) fault: Option<String>,
    /// HTTP status sent; absent when none was.
    pub(crate) status: Option<u16>,
    /// How it ended.
    pub(crate) finished: Finished,
    /// When the connection was accepted.
    pub(crate) accepted_ns: i64,
    /// When the read returned that completed the request's head.
    pub(crate) head_read_ns: i64,
    /// When the read returned that completed its body.
    pub(crate) body_read_ns: Option<i64>,
    /// When the last write of the answer returned; absent when nothing was written.
    pub(crate) end_ns: Option<i64>,
    /// When the write call of each token began.
    pub(crate) write_begin_ns: Vec<i64>,
    /// When it returned.
    pub(crate) write_end_ns: Vec<i64>,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Finished {
    /// The connection was gone before the answer was.
    #[default]
    ClientClosed,
    /// Answered to the end, with or without a fault inside.
    Complete,
    /// Broken off here, by a fault.
    Cut,
    /// Still open when the server stopped.
    ServerStopped,
}

/// What the serving threads hand over.
#[derive(Debug)]
enum Note {
    /// A line.
    Line(Line),
    /// The body of a request whose line is still to come. It is hashed and let go at once, so that the
    /// bodies of open streams are not kept.
    Body(u64, Bytes),
}

/// Where the serving threads leave their lines. After the writer failed, lines vanish; the failure is
/// reported at the end.
#[derive(Debug, Clone)]
pub(crate) struct TruthLog(Sender<Note>);

impl TruthLog {
    /// Hands a line over.
    pub(crate) fn note(&self, line: Line) {
        let _ = self.0.send(Note::Line(line));
    }

    /// Hands the body of a request over, whose line comes later from the same thread.
    pub(crate) fn note_body(&self, request: u64, body: Bytes) {
        let _ = self.0.send(Note::Body(request, body));
    }
}

/// The thread that writes.
#[derive(Debug)]
pub(crate) struct Writer {
    path: PathBuf,
    thread: JoinHandle<io::Result<()>>,
}

/// How often what was written reaches the file.
const FLUSH_EVERY: Duration = Duration::from_secs(1);

/// A log whose file is there, and whose writer has not started.
#[derive(Debug)]
pub(crate) struct LogFile {
    path: PathBuf,
    file: File,
}

impl LogFile {
    /// Makes the file, or empties it.
    pub(crate) fn create(path: &Path) -> Result<Self, MockError> {
        let file = File::create(path);
        let file = file.map_err(|source| MockError::TruthLog { path: path.to_owned(), source })?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// Starts the writer.
    pub(crate) fn start(self) -> io::Result<(TruthLog, Writer)> {
        let Self { path, file } = self;
        let (sender, notes) = channel();
        let thread = std::thread::Builder::new().name("mock-truth-log".to_owned());
        let thread = thread.spawn(move || write(file, &notes))?;
        Ok((TruthLog(sender), Writer { path, thread }))
    }
}

impl Writer {
    /// Waits until everything is in the file. Every [`TruthLog`] must have been dropped.
    pub(crate) fn close(self) -> Result<(), MockError> {
        let written = self.thread.join().expect("writing lines does not panic");
        written.map_err(|source| MockError::TruthLog { path: self.path, source })
    }
}

fn write(file: File, notes: &Receiver<Note>) -> io::Result<()> {
    let mut file = BufWriter::with_capacity(1 << 16, file);
    let mut bodies: HashMap<u64, String> = HashMap::new();
    let mut flushed = Instant::now();
    loop {
        match notes.recv_timeout(FLUSH_EVERY.saturating_sub(flushed.elapsed())) {
            Ok(Note::Body(request, body)) => {
                bodies.insert(request, format!("{:x}", Sha256::digest(&body)));
            }
            Ok(Note::Line(mut line)) => {
                if let Line::Request(entry) = &mut line {
                    entry.body_sha256 = bodies.remove(&entry.request);
                }
                serde_json::to_writer(&mut file, &line)?;
                file.write_all(b"\n")?;
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return file.flush(),
        }
        if flushed.elapsed() >= FLUSH_EVERY {
            file.flush()?;
            flushed = Instant::now();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn lines_are_json_and_all_there_after_closing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("truth.jsonl");
        let (log, writer) = LogFile::create(&path).unwrap().start().unwrap();
        let entry = |request| Entry { request, finished: Finished::Cut, ..Entry::default() };
        log.note_body(7, Bytes::from_static(b"abc"));
        log.note(Line::Request(Box::new(Entry { write_begin_ns: vec![1, 2], ..entry(7) })));
        log.note(Line::Request(Box::new(entry(8))));
        log.note(Line::Summary(ServeReport::default()));
        drop(log);
        writer.close().unwrap();
        let text = std::fs::read_to_string(path).unwrap();
        let lines: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 3);
        assert_eq!((&lines[0]["kind"], &lines[0]["finished"]), (&"request".into(), &"cut".into()));
        assert_eq!(lines[0]["write_begin_ns"], serde_json::json!([1, 2]));
        let sha256_of_abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(lines[0]["body_sha256"], sha256_of_abc);
        assert!(lines[1]["body_sha256"].is_null(), "its body was never read");
        assert_eq!(lines[2]["kind"], "summary");
    }

    #[test]
    fn a_file_that_cannot_be_made_is_named() {
        let error = LogFile::create(Path::new("/nonexistent/truth.jsonl")).unwrap_err();
        assert_eq!(error.to_string(), "--truth-log /nonexistent/truth.jsonl: cannot be written");
        assert!(std::error::Error::source(&error).is_some(), "the cause is told apart");
    }
}
