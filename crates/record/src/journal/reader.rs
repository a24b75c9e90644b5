//! Reading a journal back: every segment in order, a record at a time or many at once.
//!
//! Memory is bounded by the longest record and by the requests in flight, never by the length of the
//! run. What could not be read is told in [`JournalReader::damage`], never by a panic.
//!
//! A reader may also follow a journal that is still being written ([`Written`]): it then ends where
//! whole frames end, and goes on when asked again. [`JournalReader::complete`] ends the following: from
//! then on it reads what is there, as a reader does that comes afterwards, so both give the same.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use loadgen_core::{RawRecord, Started};
use uuid::Uuid;

use super::damage::{Damage, DamageReason};
use super::frame::{self, Frame, Kind};
use super::segment::{Place, SegmentReader};
use super::sink::Written;
use super::{Entry, JournalHeader, segments};
use crate::error::RecordError;

/// Streams a journal's entries in the order they were written.
#[derive(Debug)]
pub struct JournalReader {
    header: Option<JournalHeader>,
    ahead: Ahead,
    current: Option<SegmentReader<File>>,
    last_number: u32,
    damage: Vec<Damage>,
    /// Payloads of what has started and not finished.
    in_flight: HashMap<Uuid, Box<[u8]>>,
    payload: Vec<u8>,
}

/// Segments still to be read.
#[derive(Debug)]
enum Ahead {
    /// All there will ever be.
    Known(std::vec::IntoIter<(u32, PathBuf)>),
    /// Those that have been begun when it is asked.
    Followed { folder: PathBuf, written: Written },
}

/// When a batch is full: with so many records, or so many bytes of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimit {
    /// Records.
    pub records: usize,
    /// Bytes of their frames, reached or passed by the last record.
    pub bytes: usize,
}

/// Some records and notes as they lie in the journal. Records are decoded when asked for, on any
/// thread.
#[derive(Debug, Default)]
pub struct Batch {
    payloads: Vec<u8>,
    /// Where each record's payload ends in `payloads`, and where its frame lies.
    records: Vec<(usize, Place)>,
    notes: Vec<(String, String)>,
}

impl Batch {
    /// Number of records.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether it holds no record.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The notes among the records, as (kind, JSON), in order.
    pub fn notes(&self) -> &[(String, String)] {
        &self.notes
    }

    /// The records, in order; what cannot be decoded is damage.
    pub fn records(&self) -> impl Iterator<Item = Result<RawRecord, Damage>> {
        let begins = std::iter::once(0).chain(self.records.iter().map(|(end, _)| *end));
        begins.zip(&self.records).map(|(begin, (end, place))| {
            frame::decode_record(&self.payloads[begin..*end]).ok_or_else(|| place.undecodable())
        })
    }
}

impl JournalReader {
    /// Opens the journal in `folder` and reads its header.
    pub fn open(folder: &Path) -> Result<Self, RecordError> {
        let segments = segments::list(folder)?;
        if segments.is_empty() {
            return Err(RecordError::NoJournal { path: folder.to_owned() });
        }
        Ok(Self::new(find_header(&segments)?, Ahead::Known(segments.into_iter())))
    }

    /// Opens a journal that is being written.
    pub fn follow(written: Written) -> Result<Self, RecordError> {
        let folder = written.folder().to_owned();
        let first = (1, segments::path(&folder, 1));
        Ok(Self::new(find_header(&[first])?, Ahead::Followed { folder, written }))
    }

    fn new(header: Option<JournalHeader>, ahead: Ahead) -> Self {
        Self {
            header,
            ahead,
            current: None,
            last_number: 0,
            damage: Vec::new(),
            in_flight: HashMap::new(),
            payload: Vec::new(),
        }
    }

    /// The run's header; `None` when damage spared no copy of it.
    pub fn header(&self) -> Option<&JournalHeader> {
        self.header.as_ref()
    }

    /// What could not be read in the segments that the iteration has left; complete at its end.
    pub fn damage(&self) -> &[Damage] {
        &self.damage
    }

    /// Requests that started and have not finished, up to where the reading has come, by the time they
    /// were meant to leave. At the end these were in flight when the run was killed, or their record is
    /// damaged.
    pub fn unfinished(&self) -> Vec<Started> {
        let mut unfinished: Vec<Started> =
            self.in_flight.values().filter_map(|payload| postcard::from_bytes(payload).ok()).collect();
        unfinished.sort_by_key(|started| (started.scheduled, started.identity.session_num));
        unfinished
    }

    /// The journal that was followed is no longer written: what is there now is all.
    pub fn complete(&mut self) -> Result<(), RecordError> {
        let Ahead::Followed { folder, .. } = &self.ahead else { return Ok(()) };
        let mut segments = segments::list(folder)?;
        segments.retain(|(number, _)| *number > self.last_number);
        if let Some(segment) = &mut self.current {
            let path = segments::path(folder, segment.number());
            let length = std::fs::metadata(&path).map_err(RecordError::io("read", &path))?.len();
            segment.extend_to(length);
        }
        self.ahead = Ahead::Known(segments.into_iter());
        Ok(())
    }

    /// Adds to `batch` until it is full, and says whether it is. When it is not, there is no more: at the
    /// end, or so far, where a journal is followed. How a journal is cut into full batches depends on what
    /// it holds alone, not on when it is read.
    pub fn fill(&mut self, batch: &mut Batch, limit: BatchLimit) -> bool {
        while batch.records.len() < limit.records && batch.payloads.len() < limit.bytes {
            let begin = batch.payloads.len();
            let Some((kind, place)) = self.next_frame(&mut batch.payloads) else { return false };
            let payload = &batch.payloads[begin..];
            match kind {
                Kind::Finished => {
                    self.in_flight.remove(&frame::request_id(payload).unwrap_or_default());
                    batch.records.push((batch.payloads.len(), place));
                    continue;
                }
                Kind::Started => self.note_started(payload, place),
                Kind::Note => match frame::decode(kind, payload) {
                    Some(Frame::Note(note)) => batch.notes.push((note.kind, note.json)),
                    _ => self.cannot_decode(place),
                },
                Kind::Header => {}
            }
            batch.payloads.truncate(begin);
        }
        true
    }

    fn note_started(&mut self, payload: &[u8], place: Place) {
        match frame::request_id(payload) {
            Some(id) => {
                self.in_flight.insert(id, payload.into());
            }
            None => self.cannot_decode(place),
        }
    }

    fn cannot_decode(&mut self, place: Place) {
        match &mut self.current {
            Some(segment) => segment.cannot_decode(place),
            None => self.damage.push(place.undecodable()),
        }
    }

    /// The next whole frame of any segment, its payload appended to `into`.
    fn next_frame(&mut self, into: &mut Vec<u8>) -> Option<(Kind, Place)> {
        loop {
            let Some(segment) = &mut self.current else {
                self.open_next_segment()?;
                continue;
            };
            if let Some(frame) = segment.next_frame(into) {
                return Some(frame);
            }
            if let Ahead::Followed { folder, written } = &self.ahead {
                let (number, length) = written.position();
                if segment.number() == number {
                    // Either it has grown meanwhile, or there is nothing more so far.
                    segment.extend_to(length);
                    return segment.next_frame(into);
                }
                let path = segments::path(folder, segment.number());
                segment.extend_to(std::fs::metadata(path).map_or(0, |facts| facts.len()));
                if let Some(frame) = segment.next_frame(into) {
                    return Some(frame);
                }
            }
            let read = self.current.take().map(SegmentReader::into_damage);
            self.damage.extend(read.unwrap_or_default());
        }
    }

    fn open_next_segment(&mut self) -> Option<()> {
        let (number, path, length) = match &mut self.ahead {
            Ahead::Known(segments) => {
                let (number, path) = segments.next()?;
                (number, path, None)
            }
            Ahead::Followed { folder, written } => {
                let (last, length) = written.position();
                let number = self.last_number + 1;
                if number > last {
                    return None;
                }
                (number, segments::path(folder, number), Some(length).filter(|_| number == last))
            }
        };
        // Numbers ascend from 1, each once.
        let missing = number - self.last_number - 1;
        if missing > 0 {
            self.note(self.last_number + 1, DamageReason::MissingSegments(missing));
        }
        self.last_number = number;
        match open_segment(number, &path, length) {
            Ok(segment) => self.current = Some(segment),
            Err(error) => self.note(number, DamageReason::Unreadable(error.to_string())),
        }
        Some(())
    }

    fn note(&mut self, segment: u32, reason: DamageReason) {
        self.damage.push(Damage { segment, offset: 0, bytes_skipped: 0, reason });
    }
}

impl Iterator for JournalReader {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        let mut payload = std::mem::take(&mut self.payload);
        let entry = loop {
            payload.clear();
            let Some((kind, place)) = self.next_frame(&mut payload) else { break None };
            let Some(frame) = frame::decode(kind, &payload) else {
                self.cannot_decode(place);
                continue;
            };
            match &frame {
                Frame::Started(_) => self.note_started(&payload, place),
                Frame::Finished(record) => {
                    self.in_flight.remove(&record.identity.request_id);
                }
                Frame::Header(_) | Frame::Note(_) => {}
            }
            if let Some(entry) = entry_of(frame) {
                break Some(entry);
            }
        };
        self.payload = payload;
        entry
    }
}

/// Reads one segment's bytes: its entries, and what could not be read. Any bytes will do.
pub fn read_bytes(bytes: &[u8]) -> (Vec<Entry>, Vec<Damage>) {
    let mut segment = SegmentReader::new(1, bytes, bytes.len() as u64);
    let (mut entries, mut payload) = (Vec::new(), Vec::new());
    while let Some((kind, place)) = segment.next_frame(&mut payload) {
        match frame::decode(kind, &payload) {
            Some(frame) => entries.extend(entry_of(frame)),
            None => segment.cannot_decode(place),
        }
        payload.clear();
    }
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

/// Opens a segment: `length` bytes of it, or all.
fn open_segment(number: u32, path: &Path, length: Option<u64>) -> std::io::Result<SegmentReader<File>> {
    let file = File::open(path)?;
    let length = match length {
        Some(length) => length,
        None => file.metadata()?.len(),
    };
    Ok(SegmentReader::new(number, file, length))
}

/// The first intact header of any segment. Every segment begins with it, so as a rule this reads one
/// frame. A segment that cannot be opened is an error only where no other one has a header.
fn find_header(segments: &[(u32, PathBuf)]) -> Result<Option<JournalHeader>, RecordError> {
    let mut refusal = None;
    let mut payload = Vec::new();
    for (number, path) in segments {
        let mut segment = match open_segment(*number, path, None) {
            Ok(segment) => segment,
            Err(error) => {
                refusal.get_or_insert_with(|| RecordError::io("read", path)(error));
                continue;
            }
        };
        while let Some((kind, _)) = segment.next_frame(&mut payload) {
            if kind == Kind::Header
                && let Some(Frame::Header(header)) = frame::decode(kind, &payload)
            {
                return Ok(Some(header));
            }
            payload.clear();
        }
    }
    refusal.map_or(Ok(None), Err)
}
