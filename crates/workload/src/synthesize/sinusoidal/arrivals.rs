//! When the requests of a sinusoidal workload come, in seconds.

use std::iter;

use loadgen_core::Seed;
use loadgen_schedule::{ArrivalProcess, Rate, RateFunction, Schedule, StopCondition};

use super::{RateMode, Sinusoidal};

impl Sinusoidal {
    /// The arrivals in order, as seconds from the start.
    pub(super) fn arrivals_s(&self) -> Box<dyn Iterator<Item = f64> + '_> {
        match self.options.rate_mode {
            RateMode::Exact => {
                let duration = StopCondition::after_duration(self.duration_ns());
                Box::new(self.poisson(self.rate.into(), duration))
            }
            RateMode::Step => Box::new(self.step_arrivals()),
        }
    }

    /// A step's requests come evenly from its start, `k/n` of the way through it. Their number is that
    /// of a unit-rate Poisson process between Λ at the step's start and Λ at its end, where Λ is the
    /// integral of the held rate: a Poisson number, independent of every other step's.
    fn step_arrivals(&self) -> impl Iterator<Item = f64> + '_ {
        let unit = Rate::new(1.0).expect("1 a second is a rate").into();
        let mut operational = self.poisson(unit, StopCondition::default()).peekable();
        let mut integral = 0.0;
        self.steps().flat_map(move |(start, end)| {
            integral += self.rate.rate_at(start) * (end - start);
            let mut count = 0_u32;
            while operational.next_if(|at| *at <= integral).is_some() {
                count += 1;
            }
            (0..count).map(move |k| start + (end - start) * f64::from(k) / f64::from(count))
        })
    }

    /// The process intervals, as seconds; the last one may be short.
    pub(super) fn steps(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        let (length, duration) = (self.options.process_interval_s(), self.options.time_duration_s());
        let starts = iter::successors(Some(0_u32), move |start| start.checked_add(length));
        starts
            .take_while(move |start| *start < duration)
            .map(move |start| (f64::from(start), f64::from(start.saturating_add(length).min(duration))))
    }

    fn poisson(&self, rate: RateFunction, stop: StopCondition) -> impl Iterator<Item = f64> + use<> {
        let seed = Seed(self.options.seed).child("synthesize.sinusoidal.arrivals");
        Schedule::new(ArrivalProcess::Poisson(rate), stop, seed)
            .arrivals()
            .map(|arrival| arrival.offset_ns as f64 / 1e9)
    }

    fn duration_ns(&self) -> i64 {
        i64::from(self.options.time_duration_s()) * 1_000_000_000
    }
}
