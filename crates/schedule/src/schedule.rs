//! A schedule: a process, its end, and the seed that settles it.

use loadgen_core::Seed;
use serde::{Deserialize, Serialize};

use crate::arrivals::{Drawn, Source, even_position};
use crate::intervals::{Intervals, Law};
use crate::{ArrivalProcess, Arrivals, RateFunction, StopCondition};

/// The sub-stream of the seed that intervals are drawn from.
const STREAM: &str = "arrivals";

/// When to send everything of a phase. The same three values always give the same arrivals.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// How arrivals follow one another.
    pub process: ArrivalProcess,
    /// When they end.
    pub stop: StopCondition,
    /// What settles the random ones; only its stream `arrivals` is used.
    pub seed: Seed,
}

impl Schedule {
    /// A schedule of `process` until `stop`.
    pub fn new(process: ArrivalProcess, stop: StopCondition, seed: Seed) -> Self {
        Self { process, stop, seed }
    }

    /// All arrivals from the first. Each call starts anew with the same ones; an unbounded schedule
    /// yields without end.
    pub fn arrivals(&self) -> Arrivals {
        let drawn = |rate, law| {
            Source::Drawn(Box::new(Drawn::new(rate, Intervals::new(law, self.seed.stream(STREAM)))))
        };
        let source = match &self.process {
            ArrivalProcess::Constant(rate) => Source::Even(*rate),
            ArrivalProcess::Poisson(rate) => drawn(*rate, Law::Exponential),
            ArrivalProcess::Gamma { rate, smoothness } => drawn(*rate, Law::Gamma(*smoothness)),
            ArrivalProcess::Burst => Source::Burst,
            ArrivalProcess::FixedSchedule(offsets) => Source::Fixed(offsets.clone()),
        };
        Arrivals::new(source, self.stop)
    }

    /// The number of arrivals where it is known without drawing them: `None` for an unbounded schedule,
    /// and for a random one that a duration may end first.
    pub fn total(&self) -> Option<u64> {
        let requests = self.stop.requests;
        let until = self.stop.duration_ns;
        match (&self.process, until) {
            (ArrivalProcess::FixedSchedule(offsets), _) => {
                let offsets = offsets.as_slice();
                let in_time = until.map_or(offsets.len(), |end| offsets.partition_point(|at| *at <= end));
                Some((in_time as u64).min(requests.unwrap_or(u64::MAX)))
            }
            (ArrivalProcess::Constant(rate), Some(end)) => {
                Some(even_arrivals_by(rate, end).min(requests.unwrap_or(u64::MAX)))
            }
            (ArrivalProcess::Burst, Some(end)) if end < 0 => Some(0),
            (ArrivalProcess::Burst, _) | (_, None) => requests,
            (ArrivalProcess::Poisson(_) | ArrivalProcess::Gamma { .. }, Some(_)) => None,
        }
    }

    /// How long sending is expected to take, in ns: the duration, or the time by which the last request
    /// is expected where that is sooner; `None` for an unbounded schedule.
    pub fn expected_duration_ns(&self) -> Option<i64> {
        let by_count = match &self.process {
            ArrivalProcess::FixedSchedule(offsets) => {
                let sent = usize::try_from(self.total()?).unwrap_or(usize::MAX);
                return Some(offsets.as_slice()[..sent].last().copied().unwrap_or(0).max(0));
            }
            ArrivalProcess::Burst => self.stop.requests.map(|_| 0),
            ArrivalProcess::Constant(rate)
            | ArrivalProcess::Poisson(rate)
            | ArrivalProcess::Gamma { rate, .. } => {
                self.stop.requests.map(|requests| rate.offset_ns_of(requests as f64))
            }
        };
        match (by_count, self.stop.duration_ns) {
            (Some(count), Some(duration)) => Some(count.min(duration.max(0))),
            (count, duration) => count.or(duration),
        }
    }
}

/// How many evenly spaced arrivals have an offset of at most `end_ns`: ⌊Λ(end)⌋, settled by the
/// offsets themselves where rounding to the nanosecond decides.
fn even_arrivals_by(rate: &RateFunction, end_ns: i64) -> u64 {
    if end_ns < 0 {
        return 0;
    }
    let count = rate.expected_by(seconds(end_ns)).floor() as u64;
    // At one arrival a nanosecond at most, rounding moves the count by one at most.
    if count > 0 && rate.offset_ns_of(even_position(count - 1)) > end_ns {
        return count - 1;
    }
    if rate.offset_ns_of(even_position(count)) <= end_ns { count + 1 } else { count }
}

fn seconds(nanoseconds: i64) -> f64 {
    nanoseconds as f64 / 1e9
}
