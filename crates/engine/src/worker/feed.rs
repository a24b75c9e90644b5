//! A worker's share of the arrivals, with the next requests made ready ahead of their time.
//!
//! Arrival `i` belongs to worker `i mod W`. Making a request ready (a session, its prompt, its body)
//! takes from microseconds to milliseconds, so it happens between releases, never at one, unless so
//! many arrivals are due at once that the queue runs dry.
//!
//! It does not wait and does not send.

use std::collections::VecDeque;
use std::iter::Peekable;

use loadgen_schedule::{Arrival, Arrivals};

/// The most requests of one instant that are made ready before it: beyond that, memory counts for more.
const MOST_SIMULTANEOUS: usize = 1024;

/// The arrivals of one worker.
struct Share {
    arrivals: Arrivals,
    worker: u64,
    workers: u64,
}

impl Iterator for Share {
    type Item = Arrival;

    fn next(&mut self) -> Option<Arrival> {
        let Self { arrivals, worker, workers } = self;
        arrivals.find(|arrival| arrival.index % *workers == *worker)
    }
}

/// The arrivals of one worker in order, the first of them with what they will send (`T`).
pub(super) struct Feed<T> {
    ready: VecDeque<(Arrival, T)>,
    /// What follows; `None` once the source has nothing more for it.
    rest: Option<Peekable<Share>>,
    depth: usize,
}

impl<T> Feed<T> {
    /// The feed of worker `worker` of `workers`, which makes at most `depth` requests ready ahead.
    pub(super) fn new(arrivals: Arrivals, worker: usize, workers: usize, depth: usize) -> Self {
        let share = Share { arrivals, worker: worker as u64, workers: workers as u64 };
        Self { ready: VecDeque::with_capacity(depth), rest: Some(share.peekable()), depth }
    }

    /// The next arrival; `None` when there will be none.
    pub(super) fn next_arrival(&mut self) -> Option<Arrival> {
        self.ready.front().map(|(arrival, _)| *arrival).or_else(|| self.rest.as_mut()?.peek().copied())
    }

    /// Whether the next arrival is ready.
    pub(super) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Whether another request could be made ready. Those of one instant are made ready together, beyond
    /// the usual depth, so that they can leave together.
    pub(super) fn has_room(&mut self) -> bool {
        let Some(next) = self.rest.as_mut().and_then(Peekable::peek) else { return false };
        let is_simultaneous = self.ready.back().is_some_and(|(last, _)| last.offset_ns == next.offset_ns);
        self.ready.len() < if is_simultaneous { self.depth.max(MOST_SIMULTANEOUS) } else { self.depth }
    }

    /// Makes one more request ready. When `make` has nothing for an arrival, the feed ends there.
    pub(super) fn prepare(&mut self, make: impl FnOnce(Arrival) -> Option<T>) {
        let Some(arrival) = self.rest.as_mut().and_then(Iterator::next) else { return };
        match make(arrival) {
            Some(made) => self.ready.push_back((arrival, made)),
            None => self.rest = None,
        }
    }

    /// Takes the next arrival if it is due by `offset_ns` and ready.
    pub(super) fn pop_ready(&mut self, offset_ns: i64) -> Option<(Arrival, T)> {
        self.ready.pop_front_if(|(arrival, _)| arrival.offset_ns <= offset_ns)
    }

    /// Takes the next arrival if it is due by `offset_ns`, without what it would send.
    pub(super) fn pop_bare(&mut self, offset_ns: i64) -> Option<Arrival> {
        if self.has_ready() {
            return self.pop_ready(offset_ns).map(|(arrival, _)| arrival);
        }
        self.rest.as_mut()?.next_if(|arrival| arrival.offset_ns <= offset_ns)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use loadgen_core::Seed;
    use loadgen_schedule::{ArrivalProcess, FixedOffsets, Rate, Schedule, StopCondition};
    use proptest::prelude::*;

    fn arrivals(requests: u64) -> Arrivals {
        let process = ArrivalProcess::Poisson(Rate::new(1_000.0).unwrap().into());
        Schedule::new(process, StopCondition::after_requests(requests), Seed(3)).arrivals()
    }

    #[test]
    fn a_feed_hands_out_what_is_ready_when_it_is_due() {
        let mut feed = Feed::new(arrivals(3), 0, 1, 2);
        let first = feed.next_arrival().unwrap();
        assert!(feed.pop_ready(i64::MAX).is_none(), "nothing is ready yet");
        while feed.has_room() {
            feed.prepare(|arrival| Some(arrival.index));
        }
        assert!(feed.pop_ready(first.offset_ns - 1).is_none());
        assert_eq!(feed.pop_ready(first.offset_ns), Some((first, 0)));
        assert_eq!(feed.pop_bare(i64::MAX).unwrap().index, 1);
        assert_eq!(feed.pop_bare(i64::MAX).unwrap().index, 2);
        assert!(feed.next_arrival().is_none());
    }

    #[test]
    fn a_source_without_more_ends_an_endless_feed() {
        let endless = Schedule::new(ArrivalProcess::Burst, StopCondition::default(), Seed(3)).arrivals();
        let mut feed = Feed::new(endless, 0, 1, 8);
        for _ in 0..3 {
            feed.prepare(|arrival| (arrival.index < 2).then_some(()));
        }
        assert!(feed.has_ready());
        assert!(!feed.has_room());
        assert_eq!(std::iter::from_fn(|| feed.pop_bare(0)).count(), 2);
        assert!(feed.next_arrival().is_none());
    }

    #[test]
    fn what_is_due_at_one_instant_is_made_ready_together() {
        let offsets: Vec<i64> = [vec![5; 3_000], vec![9; 3]].concat();
        let process = ArrivalProcess::FixedSchedule(FixedOffsets::new(offsets).unwrap());
        let schedule = Schedule::new(process, StopCondition::default(), Seed(3));
        let fill = |feed: &mut Feed<()>| {
            while feed.has_room() {
                feed.prepare(|_| Some(()));
            }
        };
        let mut feed = Feed::new(schedule.arrivals(), 0, 30, 8);
        fill(&mut feed);
        let released = std::iter::from_fn(|| feed.pop_ready(5)).count();
        assert_eq!(released, 100, "all of them, and not only the usual eight");
        assert!(feed.has_ready() || feed.has_room(), "the next instant's are still to come");

        let mut feed = Feed::new(schedule.arrivals(), 0, 1, 8);
        fill(&mut feed);
        assert_eq!(std::iter::from_fn(|| feed.pop_ready(5)).count(), MOST_SIMULTANEOUS);
    }

    proptest! {
        #[test]
        fn the_shares_of_all_workers_are_the_schedule(workers in 1_usize..9, requests in 0_u64..60) {
            let mut all: Vec<Arrival> = (0..workers)
                .flat_map(|worker| {
                    let mut feed = Feed::<()>::new(arrivals(requests), worker, workers, 4);
                    std::iter::from_fn(move || feed.pop_bare(i64::MAX)).collect::<Vec<_>>()
                })
                .collect();
            all.sort_by_key(|arrival| arrival.index);
            prop_assert_eq!(all, arrivals(requests).collect::<Vec<_>>());
        }
    }
}
