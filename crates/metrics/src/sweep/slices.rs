//! The same curves, summed up for each slice of time: one walk, cut at the slices' edges.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use loadgen_core::Nanos;

use super::{Curves, Figures, HANDED_OVER, Levels, Lives, QUEUED, Segments, walk};
use crate::column::{Column, SpillError};
use crate::summary::Window;

/// Slices of equal width; the last one ends earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Grid {
    /// Start of the first one, ns.
    pub(crate) start: i64,
    /// Width of each, ns, above zero.
    pub(crate) width: i64,
    /// End of the last one, ns, not before the start.
    pub(crate) end: i64,
}

impl Grid {
    /// How many there are. What begins at the very end has a slice, too, though one without length.
    #[cfg(test)]
    fn count(self) -> usize {
        ((self.end - self.start) / self.width) as usize + 1
    }

    /// The span of slice `number`.
    pub(crate) fn window(self, number: usize) -> Window {
        Window { start: Nanos(self.edge(number)), end: Nanos(self.edge(number + 1).min(self.end)) }
    }

    /// Whether slice `number` is as long as the others.
    pub(crate) fn is_complete(self, number: usize) -> bool {
        self.edge(number + 1) <= self.end
    }

    fn edge(self, number: usize) -> i64 {
        self.start.saturating_add(self.width.saturating_mul(number as i64))
    }
}

/// Walks all lives, and hands the figures of every slice to `each`, in order.
pub(crate) fn sweep_slices<E: From<SpillError>>(
    lives: Lives,
    gaps_ns: &Column,
    grid: Grid,
    each: &mut dyn FnMut(usize, Figures) -> Result<(), E>,
) -> Result<(), E> {
    let whole = Window { start: Nanos(grid.start), end: Nanos(grid.end) };
    std::thread::scope(|scope| {
        let (queue, segments) = sync_channel(QUEUED);
        let (done, figures) = sync_channel(QUEUED);
        scope.spawn(move || sum_up(grid, &segments, &done));
        let segments = Segments { queue, some: Vec::with_capacity(HANDED_OVER) };
        let walking = scope.spawn(move || walk(lives, gaps_ns, whole, segments));
        let taken = figures.iter().enumerate().try_for_each(|(number, figures)| each(number, figures));
        // Where a taker gave up, whoever still sends to it learns that.
        drop(figures);
        let walked = walking.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        taken.and(walked.map_err(E::from))
    })
}

/// Sums the segments up slice by slice.
fn sum_up(grid: Grid, segments: &Receiver<Vec<(Levels, i64)>>, done: &SyncSender<Figures>) {
    let mut at = grid.start;
    let mut number = 0;
    let mut curves = Curves::default();
    for (levels, mut width) in segments.iter().flatten() {
        while width > 0 {
            let left = grid.edge(number + 1) - at;
            let part = width.min(left);
            curves.add(&levels, part);
            (at, width) = (at + part, width - part);
            if part == left {
                if done.send(std::mem::take(&mut curves).figures()).is_err() {
                    return;
                }
                number += 1;
            }
        }
    }
    // The last one, which ends before its edge; without length it has no figures.
    let is_empty = at == grid.edge(number);
    let _ = done.send(if is_empty { Figures::new() } else { curves.figures() });
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::sweep::{Life, sweep};

    const MS: i64 = 1_000_000;

    #[test]
    fn a_grid_ends_with_the_run() {
        let grid = Grid { start: 5, width: 10, end: 30 };
        assert_eq!(grid.count(), 3);
        assert_eq!(grid.window(1), Window { start: Nanos(15), end: Nanos(25) });
        assert_eq!(grid.window(2), Window { start: Nanos(25), end: Nanos(30) });
        assert_eq!([0, 1, 2].map(|number| grid.is_complete(number)), [true, true, false]);
        let exact = Grid { end: 25, ..grid };
        assert_eq!((exact.count(), exact.is_complete(1), exact.window(2).nanoseconds()), (3, true, 0));
    }

    #[test]
    fn each_slice_is_what_a_walk_over_its_window_gives() {
        let mut gaps = Column::default();
        let mut lives = Lives::default();
        for number in 0..40_i64 {
            let start = number * 7 * MS;
            let own = [(3 + number % 4) * MS, 0, 9 * MS];
            let life = Life {
                start,
                first_token: (number % 5 > 0).then_some(start + 6 * MS),
                end: start + (40 + number % 3) * MS,
                input_tokens: 20 + number,
                output_tokens: 6,
                ..Life::default()
            };
            let own = if life.first_token.is_some() { &own[..] } else { &[] };
            lives.push(life.with_gaps(gaps.len(), own));
            for gap in own {
                gaps.push(*gap as f64);
            }
        }
        let (start, end) = lives.span().unwrap();
        for width in [25 * MS, 100 * MS, end - start, 10 * (end - start)] {
            let grid = Grid { start, width, end };
            let mut seen = 0;
            let mut check = |number: usize, figures: Figures| -> Result<(), SpillError> {
                assert_eq!(number, seen);
                seen += 1;
                assert_eq!(figures, sweep(lives.clone(), &gaps, grid.window(number))?, "{number} of {width}");
                Ok(())
            };
            sweep_slices(lives.clone(), &gaps, grid, &mut check).unwrap();
            assert_eq!(seen, grid.count());
        }
    }

    #[test]
    fn a_taker_that_gives_up_ends_the_walk() {
        let mut lives = Lives::default();
        for number in 0..20_000 {
            lives.push(Life { start: number, end: number + 50, ..Life::default() });
        }
        let grid = Grid { start: 0, width: 100, end: 20_050 };
        let mut taken = 0;
        let mut give_up = |_: usize, _: Figures| -> Result<(), Given> {
            taken += 1;
            if taken == 3 { Err(Given::Up) } else { Ok(()) }
        };
        let given = sweep_slices(lives, &Column::default(), grid, &mut give_up);
        assert!(matches!(given, Err(Given::Up)));
        assert_eq!(taken, 3);
    }

    #[derive(Debug)]
    enum Given {
        Up,
        Spill,
    }

    impl From<SpillError> for Given {
        fn from(_: SpillError) -> Self {
            Self::Spill
        }
    }
}
