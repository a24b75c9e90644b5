//! When each request was under way, and all of them in the order of their starts.
//!
//! Records come in the order of their ends. A few ten thousand lives at a time are sorted and put
//! aside; reading merges those runs again, a few lives of each in memory. Runs hardly overlap, since
//! requests end in about the order in which they start.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::sync::Arc;

use crate::column::{Scratch, SpillError};

/// Lives sorted at a time: 4.5 MiB.
const RUN: usize = 64 << 10;
/// Lives of one run read at a time: 4.5 KiB.
const PIECE: usize = 64;
/// Bytes of a life that was put aside.
const BYTES: usize = 9 * 8;

/// What one request contributes. Instants in ns; the gaps between its chunks stand in a column.
///
/// Its order is that of the walk: by start, ties by what the request is, so that figures do not depend
/// on the order in which records came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Life {
    pub(crate) start: i64,
    pub(crate) end: i64,
    /// Arrival of the first token; `None` when the response was not a stream, or was an error.
    pub(crate) first_token: Option<i64>,
    pub(crate) input_tokens: i64,
    pub(crate) output_tokens: i64,
    /// How many gaps it has, and how many of them took time.
    pub(crate) gaps: u32,
    pub(crate) long_gaps: u32,
    /// Tells apart lives that differ in their gaps alone.
    pub(crate) gaps_hash: u64,
    /// Position of its first gap in the column.
    pub(crate) gaps_at: u64,
}

impl Life {
    /// With these gaps, which stand in the column from `at` on.
    pub(crate) fn with_gaps(self, at: u64, gaps_ns: &[i64]) -> Self {
        const FNV: (u64, u64) = (0xcbf2_9ce4_8422_2325, 0x0100_0000_01b3);
        let hash = gaps_ns.iter().fold(FNV.0, |hash, gap| (hash ^ *gap as u64).wrapping_mul(FNV.1));
        let long_gaps = gaps_ns.iter().filter(|gap| **gap > 0).count();
        Self { gaps: gaps_ns.len() as u32, long_gaps: long_gaps as u32, gaps_hash: hash, gaps_at: at, ..self }
    }

    fn words(&self) -> [u64; BYTES / 8] {
        [
            self.start as u64,
            self.end as u64,
            self.first_token.unwrap_or(i64::MIN) as u64,
            self.input_tokens as u64,
            self.output_tokens as u64,
            u64::from(self.gaps),
            u64::from(self.long_gaps),
            self.gaps_hash,
            self.gaps_at,
        ]
    }

    fn of_words(words: &[[u8; 8]]) -> Self {
        let word = |place: usize| u64::from_le_bytes(words[place]);
        Self {
            start: word(0) as i64,
            end: word(1) as i64,
            first_token: Some(word(2) as i64).filter(|first| *first != i64::MIN),
            input_tokens: word(3) as i64,
            output_tokens: word(4) as i64,
            gaps: word(5) as u32,
            long_gaps: word(6) as u32,
            gaps_hash: word(7),
            gaps_at: word(8),
        }
    }
}

/// All lives. A clone shares what was put aside.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lives {
    scratch: Option<Arc<Scratch>>,
    /// Whether the scratch file takes no more.
    is_full: bool,
    /// Sorted runs in the scratch file: where each begins, and how many lives it has.
    runs: Vec<(u64, usize)>,
    recent: Vec<Life>,
    span: Option<(i64, i64)>,
}

impl Lives {
    /// None yet; runs go to `scratch`.
    pub(crate) fn new(scratch: Option<Arc<Scratch>>) -> Self {
        Self { scratch, ..Self::default() }
    }

    pub(crate) fn push(&mut self, life: Life) {
        let (start, end) = self.span.unwrap_or((life.start, life.end));
        self.span = Some((start.min(life.start), end.max(life.end)));
        self.recent.push(life);
        if self.recent.len() >= RUN && !self.is_full {
            self.put_aside();
        }
    }

    /// First start and last end.
    pub(crate) fn span(&self) -> Option<(i64, i64)> {
        self.span
    }

    /// All of them, by their starts.
    pub(crate) fn in_order(mut self) -> Result<InOrder, SpillError> {
        self.recent.sort_unstable();
        let mut runs: Vec<Run> = self
            .runs
            .iter()
            .map(|(at, left)| Run { at: *at, left: *left, piece: Vec::new().into_iter() })
            .collect();
        runs.push(Run { at: 0, left: 0, piece: std::mem::take(&mut self.recent).into_iter() });
        let mut heads = BinaryHeap::with_capacity(runs.len());
        for (number, run) in runs.iter_mut().enumerate() {
            if let Some(life) = run.next(self.scratch.as_deref())? {
                heads.push(Reverse((life, number)));
            }
        }
        Ok(InOrder { scratch: self.scratch, runs, heads })
    }

    fn put_aside(&mut self) {
        self.recent.sort_unstable();
        let words = self.recent.iter().flat_map(Life::words);
        let bytes: Vec<u8> = words.flat_map(u64::to_le_bytes).collect();
        match self.scratch.as_ref().and_then(|scratch| scratch.append(&bytes)) {
            Some(at) => {
                self.runs.push((at, self.recent.len()));
                self.recent.clear();
            }
            None => self.is_full = true,
        }
    }
}

/// One sorted run, as far as it has not been read.
#[derive(Debug)]
struct Run {
    at: u64,
    /// Lives still on disk.
    left: usize,
    piece: std::vec::IntoIter<Life>,
}

impl Run {
    fn next(&mut self, scratch: Option<&Scratch>) -> Result<Option<Life>, SpillError> {
        if let Some(life) = self.piece.next() {
            return Ok(Some(life));
        }
        let (count, Some(scratch)) = (self.left.min(PIECE), scratch) else { return Ok(None) };
        if count == 0 {
            return Ok(None);
        }
        let mut bytes = vec![0; count * BYTES];
        scratch.read(self.at, &mut bytes)?;
        let (words, _) = bytes.as_chunks();
        self.piece = words.chunks_exact(BYTES / 8).map(Life::of_words).collect::<Vec<_>>().into_iter();
        self.at += bytes.len() as u64;
        self.left -= count;
        Ok(self.piece.next())
    }
}

/// Lives by their starts.
#[derive(Debug)]
pub(crate) struct InOrder {
    scratch: Option<Arc<Scratch>>,
    runs: Vec<Run>,
    /// The next life of each run, the earliest on top.
    heads: BinaryHeap<Reverse<(Life, usize)>>,
}

impl InOrder {
    /// The start of the next one.
    pub(crate) fn next_start(&self) -> Option<i64> {
        self.heads.peek().map(|Reverse((life, _))| life.start)
    }

    /// The next one.
    pub(crate) fn next(&mut self) -> Result<Option<Life>, SpillError> {
        let Some(mut head) = self.heads.peek_mut() else { return Ok(None) };
        let Reverse((life, number)) = *head;
        match self.runs[number].next(self.scratch.as_deref())? {
            // Changed in its place: the heap sifts once, where a pop and a push would sift twice.
            Some(next) => *head = Reverse((next, number)),
            None => {
                PeekMut::pop(head);
            }
        }
        Ok(Some(life))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn life(number: u64) -> Life {
        let start = (number * 48_271 % 1_000_003) as i64;
        let life = Life {
            start,
            end: start + 5,
            first_token: (!number.is_multiple_of(3)).then_some(start + 1),
            input_tokens: 7,
            output_tokens: number as i64,
            ..Life::default()
        };
        life.with_gaps(number * 2, &[number as i64, 0])
    }

    fn read(lives: Lives) -> Vec<Life> {
        let mut in_order = lives.in_order().unwrap();
        std::iter::from_fn(|| {
            let start = in_order.next_start();
            let life = in_order.next().unwrap();
            assert_eq!(life.map(|life| life.start), start);
            life
        })
        .collect()
    }

    #[test]
    fn lives_come_back_by_their_starts_from_disk_as_from_memory() {
        let folder = tempfile::tempdir().unwrap();
        let scratch = Arc::new(Scratch::new(folder.path()));
        let count = 2 * RUN as u64 + 1000;
        let (mut on_disk, mut in_memory) = (Lives::new(Some(scratch)), Lives::new(None));
        for number in 0..count {
            on_disk.push(life(number));
            in_memory.push(life(number));
        }
        assert_eq!((on_disk.runs.len(), on_disk.recent.len()), (2, 1000));
        assert_eq!(on_disk.span(), in_memory.span());
        let (on_disk, in_memory) = (read(on_disk), read(in_memory));
        assert_eq!(on_disk.len() as u64, count);
        assert!(on_disk.is_sorted());
        assert_eq!(on_disk, in_memory);
    }

    #[test]
    fn gaps_that_took_no_time_are_counted_apart() {
        let life = Life::default().with_gaps(9, &[5, 0, 7]);
        assert_eq!((life.gaps_at, life.gaps, life.long_gaps), (9, 3, 2));
        assert_ne!(life.gaps_hash, Life::default().with_gaps(9, &[5, 7, 0]).gaps_hash);
    }
}
