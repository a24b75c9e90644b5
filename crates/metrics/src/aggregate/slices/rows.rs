//! The values of every request, by their starts.
//!
//! Rows are encoded as they come. A few MiB of them at a time are sorted and put aside; reading merges
//! those runs again, a piece of each in memory. Runs hardly overlap, since requests end in about the order
//! in which they start.
//!
//! A row: start, length of the rest, facts, number of values, and each value as its metric, its kind and
//! eight bytes, or a list's length and eight bytes an entry. All little-endian, read by this process alone.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use loadgen_core::Outcome;

use super::Facts;
use crate::column::{Scratch, SpillError};
use crate::metric::MetricId;
use crate::value::Native;

/// Bytes of rows sorted at a time.
const RUN: usize = 4 << 20;
/// Bytes of one run read at a time; a longer row is read whole.
const PIECE: usize = 64 << 10;
/// Bytes before a row's own: its start and its length.
const HEAD: usize = 12;

/// A request's values.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    pub(super) facts: Facts,
    pub(super) values: Vec<(MetricId, Native)>,
}

/// All rows.
#[derive(Debug, Default)]
pub(super) struct Rows {
    scratch: Option<Arc<Scratch>>,
    /// Whether the scratch file takes no more.
    is_full: bool,
    /// Sorted runs in the scratch file: where each begins, and how many bytes it has.
    runs: Vec<(u64, u64)>,
    recent: Vec<u8>,
    /// Start, place and length in `recent` of each row.
    places: Vec<(i64, usize, usize)>,
}

impl Rows {
    /// None yet; runs go to `scratch`.
    pub(super) fn new(scratch: Option<Arc<Scratch>>) -> Self {
        Self { scratch, ..Self::default() }
    }

    pub(super) fn push(&mut self, start: i64, facts: Facts, values: &[(MetricId, Native)]) {
        let place = self.recent.len();
        encode(start, facts, values, &mut self.recent);
        self.places.push((start, place, self.recent.len() - place));
        if self.recent.len() >= RUN && !self.is_full {
            self.put_aside();
        }
    }

    /// All of them, by their starts.
    pub(super) fn in_order(mut self) -> Result<InOrder, SpillError> {
        let recent = self.sorted();
        let mut runs: Vec<Run> =
            self.runs.iter().map(|(at, left)| Run { at: *at, left: *left, ..Run::default() }).collect();
        runs.push(Run { piece: recent, ..Run::default() });
        let mut heads = BinaryHeap::with_capacity(runs.len());
        for (number, run) in runs.iter_mut().enumerate() {
            if let Some(start) = run.next_start(self.scratch.as_deref())? {
                heads.push(Reverse((start, number)));
            }
        }
        Ok(InOrder { scratch: self.scratch, runs, heads })
    }

    fn put_aside(&mut self) {
        let sorted = self.sorted();
        match self.scratch.as_ref().and_then(|scratch| scratch.append(&sorted)) {
            Some(at) => {
                self.runs.push((at, sorted.len() as u64));
                self.recent.clear();
                self.places.clear();
            }
            None => self.is_full = true,
        }
    }

    /// The recent rows by their starts; of equal ones in the order they came.
    fn sorted(&mut self) -> Vec<u8> {
        self.places.sort_by_key(|(start, ..)| *start);
        let mut sorted = Vec::with_capacity(self.recent.len());
        for (_, place, length) in &self.places {
            sorted.extend_from_slice(&self.recent[*place..place + length]);
        }
        sorted
    }
}

/// One sorted run, as far as it has not been read.
#[derive(Debug, Default)]
struct Run {
    at: u64,
    /// Bytes still on disk.
    left: u64,
    piece: Vec<u8>,
    /// How much of the piece is done.
    done: usize,
}

impl Run {
    /// The start of the next row; `None` after the last one.
    fn next_start(&mut self, scratch: Option<&Scratch>) -> Result<Option<i64>, SpillError> {
        self.have(HEAD, scratch)?;
        Ok(self.piece[self.done..].first_chunk().map(|start| i64::from_le_bytes(*start)))
    }

    /// Takes the next row, which must be there.
    fn take(&mut self, scratch: Option<&Scratch>) -> Result<Row, SpillError> {
        self.have(HEAD, scratch)?;
        let mut head = Reader(&self.piece[self.done..]);
        let (start, length) = (head.i64(), head.u32() as usize);
        self.have(HEAD + length, scratch)?;
        let row = decode(start, &self.piece[self.done + HEAD..self.done + HEAD + length]);
        self.done += HEAD + length;
        Ok(row)
    }

    /// Makes sure that so many bytes are there beyond what is done, as far as the run has them.
    fn have(&mut self, bytes: usize, scratch: Option<&Scratch>) -> Result<(), SpillError> {
        let here = self.piece.len() - self.done;
        let (true, Some(scratch)) = (here < bytes && self.left > 0, scratch) else { return Ok(()) };
        self.piece.drain(..self.done);
        self.done = 0;
        let more = (PIECE.max(bytes - here) as u64).min(self.left);
        self.piece.resize(here + more as usize, 0);
        scratch.read(self.at, &mut self.piece[here..])?;
        self.at += more;
        self.left -= more;
        Ok(())
    }
}

/// Rows by their starts.
#[derive(Debug)]
pub(super) struct InOrder {
    scratch: Option<Arc<Scratch>>,
    runs: Vec<Run>,
    /// The start of each run's next row, the earliest on top; of equal ones the run that came first.
    heads: BinaryHeap<Reverse<(i64, usize)>>,
}

impl InOrder {
    /// The start of the next one.
    pub(super) fn next_start(&self) -> Option<i64> {
        self.heads.peek().map(|Reverse((start, _))| *start)
    }

    /// The next one.
    pub(super) fn next(&mut self) -> Result<Option<Row>, SpillError> {
        let Some(Reverse((_, number))) = self.heads.pop() else { return Ok(None) };
        let scratch = self.scratch.as_deref();
        let run = &mut self.runs[number];
        let row = run.take(scratch)?;
        if let Some(start) = run.next_start(scratch)? {
            self.heads.push(Reverse((start, number)));
        }
        Ok(Some(row))
    }
}

const INT: u8 = 0;
const FLOAT: u8 = 1;
const LIST: u8 = 2;

const OVERFLOW: u8 = 1;
const IN_BAND: u8 = 2;

fn encode(start: i64, facts: Facts, values: &[(MetricId, Native)], into: &mut Vec<u8>) {
    let from = into.len();
    into.extend(start.to_le_bytes());
    into.extend([0; 4]);
    let outcome = Outcome::ALL.iter().position(|outcome| *outcome == facts.outcome).unwrap_or(0);
    let flags = u8::from(facts.is_context_overflow) * OVERFLOW + u8::from(facts.is_in_band_error) * IN_BAND;
    into.extend([outcome as u8, flags]);
    into.extend((values.len() as u16).to_le_bytes());
    for (id, native) in values {
        into.extend(id.0.to_le_bytes());
        match native {
            Native::Int(value) => {
                into.push(INT);
                into.extend(value.to_le_bytes());
            }
            Native::Float(value) => {
                into.push(FLOAT);
                into.extend(value.to_le_bytes());
            }
            Native::List(values) => {
                into.push(LIST);
                into.extend((values.len() as u32).to_le_bytes());
                for value in values {
                    into.extend(value.to_le_bytes());
                }
            }
        }
    }
    let length = (into.len() - from - HEAD) as u32;
    into[from + 8..from + HEAD].copy_from_slice(&length.to_le_bytes());
}

fn decode(start: i64, bytes: &[u8]) -> Row {
    let mut reader = Reader(bytes);
    let [outcome, flags] = reader.array();
    let facts = Facts {
        outcome: Outcome::ALL[usize::from(outcome)],
        start: Some(start),
        is_context_overflow: flags & OVERFLOW != 0,
        is_in_band_error: flags & IN_BAND != 0,
    };
    let count = u16::from_le_bytes(reader.array());
    let values = (0..count).map(|_| {
        let id = MetricId(u16::from_le_bytes(reader.array()));
        let [kind] = reader.array();
        let native = match kind {
            INT => Native::Int(reader.i64()),
            FLOAT => Native::Float(f64::from_le_bytes(reader.array())),
            _ => Native::List((0..reader.u32()).map(|_| reader.i64()).collect()),
        };
        (id, native)
    });
    Row { facts, values: values.collect() }
}

/// Reads what [`encode`] wrote.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn array<const N: usize>(&mut self) -> [u8; N] {
        let (array, rest) = self.0.split_first_chunk().expect("a row has what its lengths say");
        self.0 = rest;
        *array
    }

    fn i64(&mut self) -> i64 {
        i64::from_le_bytes(self.array())
    }

    fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.array())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn row(number: i64) -> Row {
        let start = number * 48_271 % 100_003;
        let facts = Facts {
            outcome: Outcome::ALL[number as usize % 7],
            start: Some(start),
            is_context_overflow: number % 3 == 0,
            is_in_band_error: number % 5 == 0,
        };
        let gaps = (0..number % 40).collect();
        let values = vec![
            (MetricId(1), Native::Int(-number)),
            (MetricId(2), Native::Float(number as f64 / 3.0)),
            (MetricId(3), Native::List(gaps)),
        ];
        Row { facts, values }
    }

    fn read(rows: Rows) -> Vec<Row> {
        let mut in_order = rows.in_order().unwrap();
        std::iter::from_fn(|| {
            let start = in_order.next_start();
            let row = in_order.next().unwrap();
            assert_eq!(row.as_ref().and_then(|row| row.facts.start), start);
            row
        })
        .collect()
    }

    #[test]
    fn rows_come_back_by_their_starts_from_disk_as_from_memory() {
        let folder = tempfile::tempdir().unwrap();
        let scratch = Arc::new(Scratch::new(folder.path()));
        let (mut on_disk, mut in_memory) = (Rows::new(Some(scratch)), Rows::new(None));
        let count = 50_000;
        for row in (0..count).map(row) {
            for rows in [&mut on_disk, &mut in_memory] {
                rows.push(row.facts.start.unwrap(), row.facts, &row.values);
            }
        }
        assert!(on_disk.runs.len() >= 2 && !on_disk.recent.is_empty(), "{:?}", on_disk.runs);
        assert!(in_memory.runs.is_empty());
        let (on_disk, in_memory) = (read(on_disk), read(in_memory));
        assert_eq!(on_disk.len(), count as usize);
        assert!(on_disk.is_sorted_by_key(|row| row.facts.start));
        assert_eq!(on_disk, in_memory);
        assert!(on_disk.contains(&row(7)) && on_disk.contains(&row(count - 1)));
    }

    #[test]
    fn a_row_longer_than_a_piece_is_read_whole() {
        let folder = tempfile::tempdir().unwrap();
        let mut rows = Rows::new(Some(Arc::new(Scratch::new(folder.path()))));
        let long = Row { values: vec![(MetricId(3), Native::List((0..700_000).collect()))], ..row(1) };
        for start in [3, 1, 2] {
            rows.push(start, Facts { start: Some(start), ..long.facts }, &long.values);
        }
        assert_eq!(rows.runs.len(), 3, "each is more than is sorted at a time");
        let read = read(rows);
        assert_eq!(read.iter().map(|row| row.facts.start.unwrap()).collect::<Vec<_>>(), [1, 2, 3]);
        assert!(read.iter().all(|row| row.values == long.values));
        assert_eq!(Rows::default().in_order().unwrap().next_start(), None);
    }
}
