//! A series within the slices of a window: what it came to in each.

use loadgen_core::Nanos;

use super::series::{difference, per_second};
use super::{Reading, SeriesKind};

/// A part of a window.
#[derive(Debug, Clone, PartialEq)]
pub struct Slice {
    /// Its beginning.
    pub start: Nanos,
    /// Its end.
    pub end: Nanos,
    /// Whether it has its full length.
    pub is_complete: bool,
    /// What the series was.
    pub figures: SliceFigures,
}

/// What a series was within a slice.
#[derive(Debug, Clone, PartialEq)]
pub enum SliceFigures {
    /// Mean, least and greatest of a gauge.
    Gauge {
        /// Mean.
        avg: f64,
        /// Least.
        min: f64,
        /// Greatest.
        max: f64,
    },
    /// A counter's growth, and the same a second.
    Counter {
        /// Growth.
        total: f64,
        /// Growth a second.
        rate: f64,
    },
    /// What a histogram observed.
    Histogram {
        /// Number.
        count: i64,
        /// Sum.
        sum: f64,
        /// By bound.
        buckets: Vec<i64>,
    },
}

/// What is known of each slice while samples come.
#[derive(Debug, Clone)]
pub(super) struct Slices {
    cut: Cut,
    states: Vec<State>,
}

#[derive(Debug, Clone, Default)]
struct State {
    /// Sum, number, least and greatest of its figures.
    scalars: Option<(f64, u64, f64, f64)>,
    /// The last sample at or before the slice's end, where one came within it.
    last: Option<Reading>,
}

impl Slices {
    /// A window from `start` to `end` in slices so long, of which the last one ends with the window.
    pub(super) fn new(start: Nanos, end: Nanos, length_ns: i64) -> Self {
        let cut = Cut { start, end, length_ns: length_ns.max(1) };
        Self { cut, states: vec![State::default(); cut.count()] }
    }

    /// Takes a sample of the window.
    pub(super) fn take(&mut self, at: Nanos, reading: &Reading) {
        let last = self.states.len().saturating_sub(1);
        let Some(state) = self.states.get_mut(self.cut.index_of(at).min(last)) else { return };
        state.last = Some(reading.clone());
        if let Reading::Scalar(value) = reading {
            let (sum, count, min, max) = state.scalars.unwrap_or((0.0, 0, f64::INFINITY, f64::NEG_INFINITY));
            state.scalars = Some((sum + value, count + 1, min.min(*value), max.max(*value)));
        }
    }

    /// The slices that have figures. What only grows counts from `reference` on, and then from the last
    /// sample of the slice before.
    pub(super) fn finish(&self, kind: SeriesKind, reference: Option<&Reading>) -> Vec<Slice> {
        let mut standing = reference;
        let slices = self.states.iter().enumerate().filter_map(|(index, state)| {
            let (start, end) = self.cut.bounds(index);
            let before = standing;
            standing = state.last.as_ref().or(standing);
            let figures = match kind {
                SeriesKind::Gauge | SeriesKind::Unknown => {
                    let (sum, count, min, max) = state.scalars?;
                    SliceFigures::Gauge { avg: sum / count as f64, min, max }
                }
                SeriesKind::Counter => {
                    let (Reading::Scalar(from), Reading::Scalar(to)) = (before?, standing?) else {
                        return None;
                    };
                    let total = (to - from).max(0.0);
                    SliceFigures::Counter { total, rate: per_second(total, start, end)? }
                }
                SeriesKind::Histogram => {
                    let (delta, sum, count) = difference(before?, standing?)?;
                    if count <= 0.0 || delta.iter().any(|bucket| *bucket < 0.0) {
                        return None;
                    }
                    let buckets = delta.iter().map(|bucket| *bucket as i64).collect();
                    SliceFigures::Histogram { count: count as i64, sum, buckets }
                }
            };
            Some(Slice { start, end, is_complete: end.since(start) == self.cut.length_ns, figures })
        });
        slices.collect()
    }
}

/// A window cut into slices of one length; the last one ends with the window.
#[derive(Debug, Clone, Copy)]
struct Cut {
    start: Nanos,
    end: Nanos,
    length_ns: i64,
}

impl Cut {
    fn count(self) -> usize {
        let span = self.end.since(self.start).max(0);
        usize::try_from(span.div_euclid(self.length_ns) + i64::from(span % self.length_ns != 0)).unwrap_or(0)
    }

    fn bounds(self, index: usize) -> (Nanos, Nanos) {
        let start = self.start + self.length_ns * index as i64;
        (start, (start + self.length_ns).min(self.end))
    }

    /// The slice that an instant belongs to.
    fn index_of(self, at: Nanos) -> usize {
        usize::try_from(at.since(self.start).div_euclid(self.length_ns)).unwrap_or(0)
    }
}
