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

    /// The mean gap between neighbouring arrivals around `offset_ns`, in ns: 1/rate where a rate drives the
    /// process; the whole span over the number of gaps in a fixed schedule, whatever its bursts. `None`
    /// where there are no gaps: everything at once, or fewer than two arrivals.
    pub fn mean_gap_ns(&self, offset_ns: i64) -> Option<i64> {
        match &self.process {
            ArrivalProcess::Constant(rate)
            | ArrivalProcess::Poisson(rate)
            | ArrivalProcess::Gamma { rate, .. } => {
                // At a rate of 0 the gap is infinite, which the cast holds at the largest offset.
                Some((1e9 / rate.rate_at(seconds(offset_ns.max(0)))).round() as i64)
            }
            ArrivalProcess::Burst => None,
            ArrivalProcess::FixedSchedule(offsets) => {
                let offsets = offsets.as_slice();
                let gaps = i64::try_from(offsets.len().checked_sub(1)?).ok().filter(|gaps| *gaps > 0)?;
                Some(offsets.last()?.saturating_sub(*offsets.first()?) / gaps)
            }
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{FixedOffsets, Rate, Sinusoid};
    use proptest::prelude::*;

    fn gap(process: ArrivalProcess, offset_ns: i64) -> Option<i64> {
        Schedule::new(process, StopCondition::default(), Seed(0)).mean_gap_ns(offset_ns)
    }

    #[test]
    fn the_mean_gap_follows_the_rate() {
        let swing = || ArrivalProcess::Poisson(Sinusoid::new(0.0, 10.0, 100.0, 0.0).unwrap().into());
        assert_eq!(gap(swing(), 50_000_000_000), Some(100_000_000));
        assert_eq!(gap(swing(), 25_000_000_000), Some(200_000_000));
        assert_eq!(gap(swing(), 0), Some(i64::MAX), "nothing comes at the trough");
        assert_eq!(gap(ArrivalProcess::Burst, 0), None);
    }

    #[test]
    fn the_mean_gap_of_a_list_is_its_span_over_its_gaps() {
        let fixed = |offsets: &[i64]| {
            gap(ArrivalProcess::FixedSchedule(FixedOffsets::new(offsets.to_vec()).unwrap()), 0)
        };
        assert_eq!(fixed(&[-10, 0, 0, 90]), Some(33));
        assert_eq!(fixed(&[5]), None);
        assert_eq!(fixed(&[]), None);
    }

    proptest! {
        #[test]
        fn evenly_spaced_arrivals_are_a_mean_gap_apart(per_second in 0.1_f64..1e6, skip in 0_usize..1_000) {
            let process = ArrivalProcess::Constant(Rate::new(per_second).unwrap().into());
            let schedule = Schedule::new(process, StopCondition::default(), Seed(0));
            let offsets: Vec<i64> = schedule.arrivals().skip(skip).take(2).map(|at| at.offset_ns).collect();
            let gap_ns = schedule.mean_gap_ns(offsets[0]).unwrap();
            // Either offset and the gap itself are rounded to the nanosecond.
            prop_assert!((offsets[1] - offsets[0] - gap_ns).abs() <= 2);
        }
    }
}
