//! When the bytes of a connection arrived, read by read.
//!
//! Stamps never run backwards on one connection, and never lie after the instant at which the bytes
//! were in our hands; a stamp that cannot be right is none. A read of 0 bytes is no arrival and is
//! never noted.

use std::rc::Rc;

use loadgen_core::{Clock as _, Nanos, StampSource, SystemClock};

use crate::decode::{Arrival, Place};
use crate::drift::WallDrift;
use crate::socket::Received;

/// The reads of one connection.
#[derive(Debug)]
pub(crate) struct Arrivals {
    clock: SystemClock,
    drift: Rc<WallDrift>,
    wants_stamps: bool,
    /// The server sends nothing but answers. Under TLS it may send tickets, at any time.
    only_answers: bool,
    /// Bytes that the server sent so far, as TCP carries them.
    position: u64,
    last: Arrival,
    /// When the socket was last known to be empty: the beginning of the last short read.
    empty_at: Nanos,
    /// The last short read that the kernel stamped: the position behind it, and its stamp, ns by the
    /// wall clock.
    anchor: Option<(u64, i64)>,
    counts: ReadCounts,
}

/// What is counted from one request to the next.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ReadCounts {
    /// Reads that should have had a kernel stamp and had none.
    pub(crate) unstamped: u32,
    /// Steps of the wall clock that were noticed.
    pub(crate) clock_steps: u32,
}

impl Arrivals {
    /// Bytes that the server has sent, as far as they were read.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// The reads of a connection whose server has sent `position` bytes so far.
    pub(crate) fn new(clock: SystemClock, wants_stamps: bool, only_answers: bool, position: u64) -> Self {
        Self {
            clock,
            drift: WallDrift::of_this_thread(clock),
            wants_stamps,
            only_answers,
            position,
            last: Arrival::default(),
            empty_at: Nanos::default(),
            anchor: None,
            counts: ReadCounts::default(),
        }
    }

    /// Begins to count for another request.
    pub(crate) fn expect_request(&mut self) {
        self.counts = ReadCounts::default();
    }

    /// What was counted for this request.
    pub(crate) fn counts(&self) -> ReadCounts {
        self.counts
    }

    /// The last short read with a stamp: the position behind it, and its stamp.
    pub(crate) fn anchor(&self) -> Option<(u64, i64)> {
        self.anchor
    }

    /// Notes a read that brought bytes after a request left at `asked_at`. They stand at the place that
    /// the arrival names, as they are on the wire.
    pub(crate) fn note(&mut self, received: Received, asked_at: Option<Nanos>) -> Arrival {
        let Received { began, bytes, is_short, wall_ns } = received;
        let read_at = self.clock.now();
        let not_before = self.empty_at.max(asked_at.unwrap_or_default());
        let possible_from = if self.only_answers { not_before } else { self.empty_at };
        // Within what the two clocks' distance is known to, a stamp may still come out too early.
        let earliest = asked_at.filter(|_| self.only_answers).unwrap_or_default();
        let placed = wall_ns.and_then(|wall_ns| self.drift.place(wall_ns, possible_from, read_at));
        self.counts.unstamped += u32::from(placed.is_none() && self.wants_stamps);
        self.counts.clock_steps += u32::from(placed.is_some_and(|placed| placed.saw_step));
        let place = Place::Behind(self.position);
        self.position += bytes as u64;
        if is_short {
            self.empty_at = began;
            self.anchor = wall_ns.map(|wall_ns| (self.position, wall_ns)).or(self.anchor);
        }
        self.last = Arrival {
            stamp: placed.map_or(read_at, |placed| placed.at.max(earliest)).max(self.last.stamp).min(read_at),
            source: if placed.is_some() { StampSource::Kernel } else { StampSource::User },
            read_at,
            read: self.last.read + 1,
            is_drained: is_short,
            not_before,
            place,
        };
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrivals(clock: SystemClock) -> Arrivals {
        Arrivals::new(clock, true, true, 100)
    }

    fn read(clock: &SystemClock, is_short: bool, wall_ns: Option<i64>) -> Received {
        Received { began: clock.now(), bytes: 5, is_short, wall_ns }
    }

    fn wall_now(clock: &SystemClock) -> i64 {
        clock.now().0 + clock.wall_drift_ns()
    }

    #[test]
    fn reads_are_numbered_and_stand_one_behind_the_other() {
        let clock = SystemClock::start();
        let mut arrivals = arrivals(clock);
        let first = arrivals.note(read(&clock, true, None), None);
        let second = arrivals.note(read(&clock, true, None), None);
        assert_eq!((first.read, second.read), (1, 2));
        assert_eq!((first.place, second.place), (Place::Behind(100), Place::Behind(105)));
    }

    #[test]
    fn stamps_keep_their_order_and_never_lie_after_the_read() {
        let clock = SystemClock::start();
        let mut arrivals = arrivals(clock);
        let wall = wall_now(&clock);
        let first = arrivals.note(read(&clock, true, Some(wall)), None);
        assert_eq!(first.source, StampSource::Kernel);
        assert!(first.stamp <= first.read_at);
        let earlier = arrivals.note(read(&clock, true, Some(wall - 1_000)), None);
        assert_eq!(earlier.stamp, first.stamp, "an earlier stamp is lifted to the last one");
        let future = arrivals.note(read(&clock, true, Some(wall + 3_600_000_000_000)), None);
        assert_eq!((future.stamp, future.source), (future.read_at, StampSource::User));
        assert_eq!(arrivals.counts().unstamped, 1, "a stamp that cannot be right is none");
        arrivals.expect_request();
        assert_eq!(arrivals.counts(), ReadCounts::default());
    }

    #[test]
    fn an_interval_begins_where_the_socket_was_last_empty_or_the_request_left() {
        let clock = SystemClock::start();
        let mut arrivals = arrivals(clock);
        let empty = read(&clock, true, None);
        arrivals.note(empty, None);
        let full = arrivals.note(read(&clock, false, None), None);
        assert_eq!((full.not_before, full.is_drained), (empty.began, false));
        let next = arrivals.note(read(&clock, true, None), None);
        assert_eq!(next.not_before, empty.began, "a full read does not show the socket empty");
        let asked_at = clock.now();
        assert_eq!(arrivals.note(read(&clock, true, None), Some(asked_at)).not_before, asked_at);
    }

    #[test]
    fn a_read_without_its_stamp_is_counted_and_timed_by_us() {
        let clock = SystemClock::start();
        let mut arrivals = arrivals(clock);
        let at = arrivals.note(read(&clock, true, None), None);
        assert_eq!((at.stamp, at.source), (at.read_at, StampSource::User));
        assert_eq!(arrivals.counts().unstamped, 1);
    }

    #[test]
    fn what_came_before_the_request_is_no_answer_but_may_be_a_ticket() {
        let clock = SystemClock::start();
        let (mut plain, mut tls) = (arrivals(clock), Arrivals::new(clock, true, false, 0));
        let came = wall_now(&clock);
        let asked_at = clock.now() + 10_000_000;
        for (arrivals, unstamped) in [(&mut plain, 1), (&mut tls, 0)] {
            let at = arrivals.note(read(&clock, true, Some(came)), Some(asked_at));
            assert_eq!((at.not_before, arrivals.counts().unstamped), (asked_at, unstamped));
        }
    }

    #[test]
    fn an_answer_never_comes_before_its_request_left() {
        let clock = SystemClock::start();
        let mut arrivals = arrivals(clock);
        let wall = wall_now(&clock);
        let asked_at = clock.now() + 100_000;
        let mut received = read(&clock, true, Some(wall));
        while received.began < asked_at {
            received = read(&clock, true, Some(wall));
        }
        let at = arrivals.note(received, Some(asked_at));
        assert_eq!((at.stamp, at.source, at.width_ns()), (asked_at, StampSource::Kernel, 1));
    }

    #[test]
    fn the_anchor_is_the_last_short_read_that_was_stamped() {
        let clock = SystemClock::start();
        let mut arrivals = arrivals(clock);
        let wall = wall_now(&clock);
        arrivals.note(read(&clock, true, Some(wall)), None);
        assert_eq!(arrivals.anchor(), Some((105, wall)));
        arrivals.note(read(&clock, false, Some(wall)), None);
        arrivals.note(read(&clock, true, None), None);
        assert_eq!(arrivals.anchor(), Some((105, wall)));
    }
}
