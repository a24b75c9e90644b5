//! Reading a journal back: every segment in order, a record at a time.
//!
//! Memory is bounded by the longest record and by the requests in flight, never by the length of the
//! run. What could not be read is told in [`JournalReader::damage`], never by a panic.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use loadgen_core::Started;
use uuid::Uuid;

use super::damage::{Damage, DamageReason};
use super::frame::Frame;
use super::segment::SegmentReader;
use super::{Entry, JournalHeader, segments};
use crate::error::RecordError;

/// Streams a journal's entries in the order they were written.
#[derive(Debug)]
pub struct JournalReader {
    header: Option<JournalHeader>,
    /// Segments still to be read.
    ahead: std::vec::IntoIter<(u32, PathBuf)>,
    current: Option<SegmentReader<File>>,
    last_number: u32,
    damage: Vec<Damage>,
    in_flight: HashMap<Uuid, Started>,
}

impl JournalReader {
    /// Opens the journal in `folder` and reads its header.
    pub fn open(folder: &Path) -> Result<Self, RecordError> {
        let segments = segments::list(folder)?;
        if segments.is_empty() {
            return Err(RecordError::NoJournal { path: folder.to_owned() });
        }
        Ok(Self {
            header: find_header(&segments)?,
            ahead: segments.into_iter(),
            current: None,
            last_number: 0,
            damage: Vec::new(),
            in_flight: HashMap::new(),
        })
    }

    /// The run's header; `None` when damage spared no copy of it.
    pub fn header(&self) -> Option<&JournalHeader> {
        self.header.as_ref()
    }

    /// What could not be read in the segments that the iteration has left; complete at its end.
    pub fn damage(&self) -> &[Damage] {
        &self.damage
    }

    /// Requests that started and have not finished, up to where the iteration has come, by the time
    /// they were meant to leave. At the end these were in flight when the run was killed, or their
    /// record is damaged.
    pub fn unfinished(&self) -> Vec<Started> {
        let mut unfinished: Vec<_> = self.in_flight.values().cloned().collect();
        unfinished.sort_by_key(|started| (started.scheduled, started.identity.session_num));
        unfinished
    }

    fn open_next_segment(&mut self) -> Option<()> {
        let (number, path) = self.ahead.next()?;
        // Numbers ascend from 1, each once.
        let missing = number - self.last_number - 1;
        if missing > 0 {
            self.note(self.last_number + 1, DamageReason::MissingSegments(missing));
        }
        self.last_number = number;
        match open_segment(number, &path) {
            Ok(segment) => self.current = Some(segment),
            Err(error) => self.note(number, DamageReason::Unreadable(error.to_string())),
        }
        Some(())
    }

    fn note(&mut self, segment: u32, reason: DamageReason) {
        self.damage.push(Damage { segment, offset: 0, bytes_skipped: 0, reason });
    }

    fn follow(&mut self, entry: &Entry) {
        match entry {
            Entry::Started(started) => {
                self.in_flight.insert(started.identity.request_id, started.clone());
            }
            Entry::Finished(record) => {
                self.in_flight.remove(&record.identity.request_id);
            }
            Entry::Note { .. } => {}
        }
    }
}

impl Iterator for JournalReader {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        loop {
            let Some(segment) = &mut self.current else {
                self.open_next_segment()?;
                continue;
            };
            if let Some(frame) = segment.next_frame() {
                let Some(entry) = entry_of(frame) else { continue };
                self.follow(&entry);
                return Some(entry);
            }
            let read = self.current.take().map(SegmentReader::into_damage);
            self.damage.extend(read.unwrap_or_default());
        }
    }
}

/// Reads one segment's bytes: its entries, and what could not be read. Any bytes will do.
pub fn read_bytes(bytes: &[u8]) -> (Vec<Entry>, Vec<Damage>) {
    let mut segment = SegmentReader::new(1, bytes, bytes.len() as u64);
    let entries = std::iter::from_fn(|| segment.next_frame()).filter_map(entry_of).collect();
    (entries, segment.into_damage())
}

fn entry_of(frame: Frame) -> Option<Entry> {
    match frame {
        Frame::Header(_) => None,
        Frame::Started(started) => Some(Entry::Started(started)),
        Frame::Finished(record) => Some(Entry::Finished(record)),
        Frame::Note(note) => Some(Entry::Note { kind: note.kind, json: note.json }),
    }
}

fn open_segment(number: u32, path: &Path) -> std::io::Result<SegmentReader<File>> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    Ok(SegmentReader::new(number, file, length))
}

/// The first intact header of any segment. Every segment begins with it, so as a rule this reads one
/// frame. A segment that cannot be opened is an error only where no other one has a header.
fn find_header(segments: &[(u32, PathBuf)]) -> Result<Option<JournalHeader>, RecordError> {
    let mut refusal = None;
    for (number, path) in segments {
        let mut segment = match open_segment(*number, path) {
            Ok(segment) => segment,
            Err(error) => {
                refusal.get_or_insert_with(|| RecordError::io("read", path)(error));
                continue;
            }
        };
        while let Some(frame) = segment.next_frame() {
            if let Frame::Header(header) = frame {
                return Ok(Some(header));
            }
        }
    }
    refusal.map_or(Ok(None), Err)
}
