//! What stands at given ranks of a column, without sorting it: radix selection, exact.
//!
//! A sample becomes an integer that sorts as it does ([`key`]). A first pass counts samples in 65,536
//! buckets of equal width between the least and the greatest key; each wanted rank lies in one of
//! them. Later passes look only at those buckets: once few samples are left they are taken and
//! sorted, else each bucket is cut into finer ones and counted again. Two passes are the rule; a
//! bucket that holds nearly all of the samples costs one more.
//!
//! Memory: the buckets of one pass (2 MiB) and at most [`TAKEN`] samples (1 MiB).

use super::{Column, SpillError};

/// Buckets of the first pass, as a power of two.
const FIRST_BITS: u32 = 16;
/// Buckets of a later pass, over all buckets that are cut.
const FINER_BUCKETS: usize = 1 << 18;
/// When no more samples than this are left, they are sorted.
const TAKEN: u64 = 1 << 17;

/// What stands at one rank of the sorted samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Ranked {
    /// The sample.
    pub(crate) sample: f64,
    /// Samples that are not above it.
    pub(crate) not_above: u64,
}

/// What stands at some ranks of the sorted samples.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Order {
    count: u64,
    ranks: Vec<(u64, Ranked)>,
}

impl Order {
    /// What stands at `rank`, one of those asked for.
    pub(crate) fn at(&self, rank: u64) -> Option<Ranked> {
        let place = self.ranks.binary_search_by_key(&rank, |(rank, _)| *rank).ok()?;
        Some(self.ranks[place].1)
    }

    /// The sample at rank share × (n - 1), linear between neighbours. The nearer neighbour is the one
    /// started from, as in numpy, which keeps the result between the two. `None` where the ranks of
    /// [`quantile_ranks`] were not asked for.
    pub(crate) fn quantile(&self, share: f64) -> Option<f64> {
        if self.count == 0 {
            return None;
        }
        let [below, above] = quantile_ranks(self.count, share);
        let (low, high) = (self.at(below)?.sample, self.at(above)?.sample);
        let part = share * (self.count - 1) as f64 - below as f64;
        // Between equal neighbours there is nothing to weigh, also where they are infinite.
        if low == high {
            return Some(low);
        }
        Some(if part >= 0.5 { high - (high - low) * (1.0 - part) } else { low + (high - low) * part })
    }
}

/// The ranks next to share × (count - 1), for a share from 0 to 1 of at least one sample.
pub(crate) fn quantile_ranks(count: u64, share: f64) -> [u64; 2] {
    let last = count - 1;
    let below = ((share * last as f64).floor() as u64).min(last);
    [below, (below + 1).min(last)]
}

/// See [`Column::order`].
pub(super) fn order(column: &Column, mut ranks: Vec<u64>) -> Result<Order, SpillError> {
    ranks.sort_unstable();
    ranks.dedup();
    debug_assert!(ranks.last().is_none_or(|last| *last < column.len()), "ranks are of samples");
    let ranked = match column.in_memory() {
        Some(samples) => by_sorting(samples, &ranks),
        None => by_counting(column, &ranks)?,
    };
    Ok(Order { count: column.len(), ranks: ranks.into_iter().zip(ranked).collect() })
}

fn by_sorting(samples: &[f64], ranks: &[u64]) -> Vec<Ranked> {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let ranked = ranks.iter().map(|rank| {
        let sample = sorted[*rank as usize];
        let not_above = sorted.partition_point(|other| other.total_cmp(&sample).is_le()) as u64;
        Ranked { sample, not_above }
    });
    ranked.collect()
}

/// A stretch of keys that holds a wanted rank.
#[derive(Debug, Clone, Copy)]
struct Cell {
    /// Its first key, and its width as a power of two.
    first: u64,
    bits: u32,
    /// Samples below it, and in it.
    below: u64,
    count: u64,
}

impl Cell {
    /// Whether there is something left to tell apart.
    fn is_open(&self) -> bool {
        self.bits > 0
    }
}

fn by_counting(column: &Column, ranks: &[u64]) -> Result<Vec<Ranked>, SpillError> {
    let (least, greatest) = (column.least().map_or(0, key), column.greatest().map_or(0, key));
    let width = 64 - (greatest - least).leading_zeros();
    let shift = width.saturating_sub(FIRST_BITS);
    let mut counts = vec![0; 1 << FIRST_BITS];
    column.scan(|samples| {
        for sample in samples {
            counts[((key(*sample) - least) >> shift) as usize] += 1;
        }
    })?;
    let whole = Cell { first: least, bits: width.max(FIRST_BITS), below: 0, count: column.len() };
    let mut cells = wanted(whole, shift, &counts, ranks);
    loop {
        let open: Vec<Cell> = cells.iter().copied().filter(Cell::is_open).collect();
        if open.is_empty() {
            break;
        }
        if open.iter().map(|cell| cell.count).sum::<u64>() <= TAKEN {
            return sort_the_rest(column, &cells, ranks, least, shift);
        }
        cells = cut(column, &cells, ranks, least, shift)?;
    }
    Ok(ranks.iter().map(|rank| single(holder(&cells, *rank))).collect())
}

/// The buckets of a counted cell that hold wanted ranks, each as a cell of its own.
fn wanted(cell: Cell, shift: u32, counts: &[u64], ranks: &[u64]) -> Vec<Cell> {
    let mut cells = Vec::new();
    let mut rest = &ranks[ranks.partition_point(|rank| *rank < cell.below)..];
    let mut below = cell.below;
    for (number, count) in counts.iter().enumerate() {
        let Some(next) = rest.first() else { break };
        if *next < below + count {
            cells.push(Cell {
                first: cell.first + ((number as u64) << shift),
                bits: shift,
                below,
                count: *count,
            });
            rest = &rest[rest.partition_point(|rank| *rank < below + count)..];
        }
        below += count;
    }
    cells
}

/// Finds the cell of a key: by the first pass's buckets, then among the few cells of one bucket.
struct Finder {
    least: u64,
    shift: u32,
    /// For each bucket of the first pass, the place of its first cell; one more at the end.
    starts: Vec<u32>,
    firsts: Vec<(u64, u32)>,
}

impl Finder {
    fn new(cells: &[Cell], least: u64, shift: u32) -> Self {
        let bucket = |cell: &Cell| ((cell.first - least) >> shift) as usize;
        let mut starts = vec![0_u32; (1 << FIRST_BITS) + 1];
        for cell in cells {
            starts[bucket(cell) + 1] += 1;
        }
        for place in 1..starts.len() {
            starts[place] += starts[place - 1];
        }
        Self { least, shift, starts, firsts: cells.iter().map(|cell| (cell.first, cell.bits)).collect() }
    }

    /// The place of the cell that holds `key`, and how far into it the key lies.
    fn find(&self, key: u64) -> Option<(usize, u64)> {
        let bucket = ((key - self.least) >> self.shift) as usize;
        let (from, upto) = (self.starts[bucket] as usize, self.starts[bucket + 1] as usize);
        (from..upto).find_map(|place| {
            let (first, bits) = self.firsts[place];
            let offset = key.checked_sub(first)?;
            (offset >> bits == 0).then_some((place, offset))
        })
    }
}

/// Cuts every open cell into finer ones, and keeps those that hold wanted ranks.
fn cut(
    column: &Column,
    cells: &[Cell],
    ranks: &[u64],
    least: u64,
    shift: u32,
) -> Result<Vec<Cell>, SpillError> {
    let open: Vec<Cell> = cells.iter().copied().filter(Cell::is_open).collect();
    let most_bits = (FINER_BUCKETS / open.len()).max(2).ilog2();
    let finer: Vec<u32> = open.iter().map(|cell| cell.bits.saturating_sub(most_bits)).collect();
    let finder = Finder::new(&open, least, shift);
    let mut counts = vec![0_u64; open.len() << most_bits];
    column.scan(|samples| {
        for sample in samples {
            if let Some((place, offset)) = finder.find(key(*sample)) {
                counts[(place << most_bits) + (offset >> finer[place]) as usize] += 1;
            }
        }
    })?;
    let mut next: Vec<Cell> = cells.iter().copied().filter(|cell| !cell.is_open()).collect();
    for (place, cell) in open.iter().enumerate() {
        let counts = &counts[place << most_bits..(place + 1) << most_bits];
        next.extend(wanted(*cell, finer[place], counts, ranks));
    }
    next.sort_unstable_by_key(|cell| cell.first);
    Ok(next)
}

/// Takes the samples of all open cells and sorts them.
fn sort_the_rest(
    column: &Column,
    cells: &[Cell],
    ranks: &[u64],
    least: u64,
    shift: u32,
) -> Result<Vec<Ranked>, SpillError> {
    let open: Vec<Cell> = cells.iter().copied().filter(Cell::is_open).collect();
    let finder = Finder::new(&open, least, shift);
    let mut taken = Vec::new();
    column.scan(|samples| {
        taken.extend(samples.iter().map(|sample| key(*sample)).filter(|key| finder.find(*key).is_some()));
    })?;
    taken.sort_unstable();
    let ranked = ranks.iter().map(|rank| {
        let cell = holder(cells, *rank);
        if !cell.is_open() {
            return single(cell);
        }
        let from = taken.partition_point(|key| *key < cell.first);
        let key = taken[from + (rank - cell.below) as usize];
        let not_above = taken.partition_point(|other| *other <= key) - from;
        Ranked { sample: sample(key), not_above: cell.below + not_above as u64 }
    });
    Ok(ranked.collect())
}

/// The cell that holds `rank`; cells ascend.
fn holder(cells: &[Cell], rank: u64) -> &Cell {
    let after = cells.partition_point(|cell| cell.below <= rank);
    &cells[after - 1]
}

/// What stands at every rank of a cell of one key.
fn single(cell: &Cell) -> Ranked {
    Ranked { sample: sample(cell.first), not_above: cell.below + cell.count }
}

/// An integer that sorts as [`f64::total_cmp`] does.
fn key(sample: f64) -> u64 {
    let bits = sample.to_bits();
    // The sign bit is flipped for positive samples, all bits for negative ones.
    bits ^ ((((bits as i64) >> 63) as u64) | (1 << 63))
}

/// The sample of a key.
fn sample(key: u64) -> f64 {
    let flipped = if key >> 63 == 1 { 1 << 63 } else { u64::MAX };
    f64::from_bits(key ^ flipped)
}
