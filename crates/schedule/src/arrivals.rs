//! The arrivals of a schedule, one by one.
//!
//! Offsets never decrease. The iterator holds a generator and a running sum, whatever the length of
//! the schedule; a clone continues on its own from the same point.

use std::iter::FusedIterator;

use crate::intervals::Intervals;
use crate::{FixedOffsets, RateFunction, StopCondition};

/// One intended sending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// Position in the schedule, from 0.
    pub index: u64,
    /// Nanoseconds after the phase's start. Negative only in a fixed schedule whose offsets are.
    pub offset_ns: i64,
}

/// Yields a schedule's arrivals in order, until its stop condition ends them.
#[derive(Debug, Clone)]
pub struct Arrivals {
    source: Source,
    stop: StopCondition,
    index: u64,
}

/// Where offsets come from.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    /// Λ⁻¹(1), Λ⁻¹(2), …: computed from the index, so that no error adds up.
    Even(RateFunction),
    /// Λ⁻¹ of a running sum of drawn intervals.
    Drawn(Box<Drawn>),
    /// Everything at 0.
    Burst,
    /// A list.
    Fixed(FixedOffsets),
}

impl Source {
    /// The offset of the arrival numbered `index`. Drawn ones must be asked for in turn.
    fn offset_ns(&mut self, index: u64) -> Option<i64> {
        match self {
            Self::Even(rate) => Some(rate.offset_ns_of(even_position(index))),
            Self::Drawn(drawn) => Some(drawn.next_offset_ns()),
            Self::Burst => Some(0),
            Self::Fixed(offsets) => offsets.as_slice().get(usize::try_from(index).ok()?).copied(),
        }
    }
}

/// Random arrivals along a rate.
#[derive(Debug, Clone)]
pub(crate) struct Drawn {
    rate: RateFunction,
    intervals: Intervals,
    /// The sum of the intervals so far: Λ at the last arrival.
    elapsed: f64,
    last_ns: i64,
}

impl Drawn {
    pub(crate) fn new(rate: RateFunction, intervals: Intervals) -> Self {
        Self { rate, intervals, elapsed: 0.0, last_ns: 0 }
    }

    fn next_offset_ns(&mut self) -> i64 {
        self.elapsed += self.intervals.draw();
        // Two sums a rounding error apart may swap in Λ⁻¹; time never goes back.
        self.last_ns = self.rate.offset_ns_of(self.elapsed).max(self.last_ns);
        self.last_ns
    }
}

/// Λ at the arrival numbered `index` of an evenly spaced process: the first comes one interval in.
pub(crate) fn even_position(index: u64) -> f64 {
    index as f64 + 1.0
}

impl Arrivals {
    pub(crate) fn new(source: Source, stop: StopCondition) -> Self {
        Self { source, stop, index: 0 }
    }
}

impl Iterator for Arrivals {
    type Item = Arrival;

    fn next(&mut self) -> Option<Arrival> {
        let index = self.index;
        if self.stop.requests.is_some_and(|requests| index >= requests) {
            return None;
        }
        let offset_ns = self.source.offset_ns(index)?;
        if !self.stop.admits(index, offset_ns) {
            // Offsets never decrease: nothing later is admitted either.
            self.stop.requests = Some(index);
            return None;
        }
        self.index += 1;
        Some(Arrival { index, offset_ns })
    }
}

impl FusedIterator for Arrivals {}
