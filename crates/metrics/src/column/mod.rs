//! One column of samples: as many as a run brings, in the memory of a few thousand.
//!
//! Samples keep the order in which they came. Beyond [`BLOCK`] of them, whole blocks go to the
//! [`Scratch`] file, 8 bytes a sample; where there is none, or it is full, they stay in memory.
//! Count, sum, least and greatest are kept as samples come; ranks are found by [`select`].
//!
//! Invariant: every statistic is that of all samples, wherever they are.

mod scratch;
mod select;

use std::sync::Arc;

use crate::stats::Sum;
pub(crate) use scratch::Scratch;
pub use scratch::SpillError;
pub(crate) use select::{Order, quantile_ranks};

/// Samples written at a time: 64 KiB.
pub(crate) const BLOCK: usize = 8 << 10;

/// Samples in the order they came.
#[derive(Debug, Default)]
pub(crate) struct Column {
    /// Where whole blocks go; `None` keeps everything in memory.
    scratch: Option<Arc<Scratch>>,
    /// Whether the scratch file takes no more: what comes from then on stays in memory.
    is_full: bool,
    /// Where in the scratch file each block is. The blocks come before `recent`.
    blocks: Vec<u64>,
    recent: Vec<f64>,
    sum: Sum,
    least: f64,
    greatest: f64,
}

impl Column {
    /// An empty one whose blocks go to `scratch`.
    pub(crate) fn new(scratch: Option<Arc<Scratch>>) -> Self {
        Self { scratch, ..Self::default() }
    }

    /// Adds a sample.
    pub(crate) fn push(&mut self, sample: f64) {
        if self.is_empty() {
            (self.least, self.greatest) = (sample, sample);
        } else if sample.total_cmp(&self.least).is_lt() {
            self.least = sample;
        } else if sample.total_cmp(&self.greatest).is_gt() {
            self.greatest = sample;
        }
        self.sum.add(sample);
        self.recent.push(sample);
        if self.recent.len() >= BLOCK && !self.is_full {
            self.spill();
        }
    }

    /// Number of samples.
    pub(crate) fn len(&self) -> u64 {
        (self.blocks.len() * BLOCK + self.recent.len()) as u64
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.recent.is_empty() && self.blocks.is_empty()
    }

    /// Sum of all samples.
    pub(crate) fn sum(&self) -> f64 {
        self.sum.total()
    }

    /// The least sample; `None` without any.
    pub(crate) fn least(&self) -> Option<f64> {
        (!self.is_empty()).then_some(self.least)
    }

    /// The greatest sample; `None` without any.
    pub(crate) fn greatest(&self) -> Option<f64> {
        (!self.is_empty()).then_some(self.greatest)
    }

    /// Hands all samples to `take`, at most [`BLOCK`] at a time, in the order they came.
    pub(crate) fn scan(&self, mut take: impl FnMut(&[f64])) -> Result<(), SpillError> {
        let (mut bytes, mut block) = (Vec::new(), Vec::new());
        for number in 0..self.blocks.len() {
            self.read_block(number, &mut bytes, &mut block)?;
            take(&block);
        }
        // In pieces of the same length, so that figures do not depend on where samples are.
        self.recent.chunks(BLOCK).for_each(take);
        Ok(())
    }

    /// Population standard deviation; `None` without samples.
    pub(crate) fn deviation(&self) -> Result<Option<f64>, SpillError> {
        if self.is_empty() {
            return Ok(None);
        }
        let count = self.len() as f64;
        let mean = self.sum() / count;
        let mut squares = Sum::default();
        self.scan(|samples| {
            // Within a block plain sums are exact enough, and four at a time hide their latency.
            let mut lanes = [0.0; 4];
            let quads = samples.chunks_exact(4);
            let rest = quads.remainder().iter().map(|sample| (sample - mean) * (sample - mean)).sum::<f64>();
            for quad in quads {
                for (lane, sample) in lanes.iter_mut().zip(quad) {
                    *lane += (sample - mean) * (sample - mean);
                }
            }
            squares.add(lanes.iter().sum::<f64>() + rest);
        })?;
        Ok(Some((squares.total() / count).sqrt()))
    }

    /// How many samples fall into each of the bins between `edges`, which ascend: a bin holds its
    /// lower edge and not its upper one, and the last bin all that lies above.
    pub(crate) fn histogram(&self, edges: &[f64]) -> Result<Vec<u64>, SpillError> {
        let bins = edges.len() - 1;
        let (from, width) = (edges[0], edges[1] - edges[0]);
        let mut counts = vec![0; bins];
        self.scan(|samples| {
            for sample in samples {
                // The bins are of about equal width, so the guess is at most a bin or two off.
                let mut bin = (((sample - from) / width).max(0.0) as usize).min(bins - 1);
                while bin > 0 && *sample < edges[bin] {
                    bin -= 1;
                }
                while bin + 1 < bins && *sample >= edges[bin + 1] {
                    bin += 1;
                }
                counts[bin] += 1;
            }
        })?;
        Ok(counts)
    }

    /// What stands at each of `ranks` (from 0) when the samples are sorted. The ranks ascend and are
    /// less than the number of samples.
    pub(crate) fn order(&self, ranks: Vec<u64>) -> Result<Order, SpillError> {
        select::order(self, ranks)
    }

    /// Whether all samples are in memory; then they are these.
    fn in_memory(&self) -> Option<&[f64]> {
        self.blocks.is_empty().then_some(&self.recent)
    }

    fn spill(&mut self) {
        let bytes: Vec<u8> = self.recent.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        match self.scratch.as_ref().and_then(|scratch| scratch.append(&bytes)) {
            Some(at) => {
                self.blocks.push(at);
                self.recent.clear();
            }
            None => self.is_full = true,
        }
    }

    /// Reads block `number` by way of `bytes`.
    fn read_block(&self, number: usize, bytes: &mut Vec<u8>, into: &mut Vec<f64>) -> Result<(), SpillError> {
        bytes.resize(BLOCK * size_of::<f64>(), 0);
        if let Some(scratch) = &self.scratch {
            scratch.read(self.blocks[number], bytes)?;
        }
        into.clear();
        let (words, _) = bytes.as_chunks();
        into.extend(words.iter().copied().map(f64::from_le_bytes));
        Ok(())
    }
}

/// Reads a column's samples at any place, best where they are near those read before.
#[derive(Debug)]
pub(crate) struct Lookup<'a> {
    column: &'a Column,
    /// The blocks read last, each at its number modulo [`KEPT_BLOCKS`].
    kept: Vec<(Option<usize>, Vec<f64>)>,
    bytes: Vec<u8>,
}

/// Blocks that a [`Lookup`] keeps: 2 MiB.
const KEPT_BLOCKS: usize = 32;

impl<'a> Lookup<'a> {
    pub(crate) fn new(column: &'a Column) -> Self {
        Self { column, kept: vec![(None, Vec::new()); KEPT_BLOCKS], bytes: Vec::new() }
    }

    /// Appends `count` samples, from the one at `at` on, to `into`.
    pub(crate) fn read(&mut self, at: u64, count: usize, into: &mut Vec<f64>) -> Result<(), SpillError> {
        let (mut at, mut count) = (at as usize, count);
        while count > 0 && at / BLOCK < self.column.blocks.len() {
            let (number, place) = (at / BLOCK, at % BLOCK);
            let taken = count.min(BLOCK - place);
            into.extend_from_slice(&self.block(number)?[place..place + taken]);
            (at, count) = (at + taken, count - taken);
        }
        if count > 0 {
            let place = at - self.column.blocks.len() * BLOCK;
            into.extend_from_slice(&self.column.recent[place..place + count]);
        }
        Ok(())
    }

    fn block(&mut self, number: usize) -> Result<&[f64], SpillError> {
        let (kept, samples) = &mut self.kept[number % KEPT_BLOCKS];
        if *kept != Some(number) {
            *kept = None;
            self.column.read_block(number, &mut self.bytes, samples)?;
            *kept = Some(number);
        }
        Ok(samples)
    }
}

#[cfg(test)]
mod tests;
