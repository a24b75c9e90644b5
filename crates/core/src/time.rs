//! Instants on the run's one timeline, and the clocks that read it.
//!
//! The timeline is anchored once to the wall clock and then advanced by the monotonic clock, so
//! instants can be printed as Unix time and still be subtracted safely: a stepped wall clock never
//! bends a latency.

use std::ops::{Add, Sub};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// An instant: nanoseconds since the Unix epoch on the run's steady timeline.
///
/// Subtracting two instants gives a duration as plain `i64` nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Nanos(pub i64);

impl Nanos {
    /// Nanoseconds from `earlier` to `self`; negative when `earlier` is the later one.
    pub fn since(self, earlier: Self) -> i64 {
        self.0 - earlier.0
    }
}

impl Add<i64> for Nanos {
    type Output = Self;
    fn add(self, nanoseconds: i64) -> Self {
        Self(self.0.saturating_add(nanoseconds))
    }
}

impl Sub<i64> for Nanos {
    type Output = Self;
    fn sub(self, nanoseconds: i64) -> Self {
        Self(self.0.saturating_sub(nanoseconds))
    }
}

/// Reads the run's timeline.
pub trait Clock {
    /// Now.
    fn now(&self) -> Nanos;
}

/// The real clock: monotonic time, anchored once to the wall clock.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    instant: Instant,
    unix_ns: i64,
}

impl SystemClock {
    /// Anchors a new timeline at this moment. Make one for a run and copy it.
    pub fn start() -> Self {
        let before = Instant::now();
        let wall = unix_now();
        // The middle of the two monotonic readings is the best guess of when the wall was read.
        let instant = before + before.elapsed() / 2;
        Self { instant, unix_ns: wall }
    }

    /// How far the wall clock is ahead of the timeline now, in ns. Zero at the anchor; it moves when
    /// the wall clock is slewed or stepped. Subtract it from a wall-clock stamp (such as the kernel's
    /// receive timestamps) to place that stamp on the timeline.
    pub fn wall_drift_ns(&self) -> i64 {
        let before = self.now();
        let wall = unix_now();
        let after = self.now();
        wall - (before.0 + (after.0 - before.0) / 2)
    }

    /// The monotonic instant of a point on the timeline, for timers. Points before the anchor give
    /// the anchor.
    pub fn instant_of(&self, at: Nanos) -> Instant {
        let ahead = at.0.saturating_sub(self.unix_ns);
        self.instant + std::time::Duration::from_nanos(u64::try_from(ahead).unwrap_or(0))
    }

    /// The timeline's anchor: the wall clock when it was made.
    pub fn anchor(&self) -> Nanos {
        Nanos(self.unix_ns)
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Nanos {
        let ahead = i64::try_from(self.instant.elapsed().as_nanos()).unwrap_or(i64::MAX);
        Nanos(self.unix_ns.saturating_add(ahead))
    }
}

fn unix_now() -> i64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_nanos()).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_nanos()).unwrap_or(i64::MAX),
    }
}

/// A clock that stands still until it is told otherwise, for tests. Clones share the hand.
#[derive(Debug, Clone, Default)]
pub struct ManualClock(Arc<AtomicI64>);

impl ManualClock {
    /// A clock that shows `at`.
    pub fn at(at: Nanos) -> Self {
        Self(Arc::new(AtomicI64::new(at.0)))
    }

    /// Moves the hand forward.
    pub fn advance(&self, nanoseconds: i64) {
        self.0.fetch_add(nanoseconds, Ordering::Relaxed);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Nanos {
        Nanos(self.0.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_timeline_is_steady_and_starts_at_the_wall_clock() {
        let clock = SystemClock::start();
        let first = clock.now();
        assert!(first >= clock.anchor());
        assert!(clock.now() >= first);
        assert_eq!(
            clock.instant_of(clock.anchor() + 5),
            clock.instant_of(clock.anchor()) + std::time::Duration::from_nanos(5)
        );
    }

    #[test]
    fn instants_subtract_to_signed_nanoseconds() {
        let start = Nanos(100);
        assert_eq!((start + 5).since(start), 5);
        assert_eq!(start.since(start + 5), -5);
        assert_eq!(Nanos(i64::MAX) + 1, Nanos(i64::MAX));
    }

    #[test]
    fn clones_of_a_manual_clock_share_the_hand() {
        let clock = ManualClock::at(Nanos(7));
        let twin = clock.clone();
        clock.advance(3);
        assert_eq!(twin.now(), Nanos(10));
    }
}
