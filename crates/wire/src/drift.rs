//! Where the wall clock stands against the run's timeline: the kernel stamps by the former, records
//! are on the latter.
//!
//! The distance is measured again once it is too old to trust (the wall clock is slewed), and at once
//! when a stamp proves it wrong (the wall clock was stepped). A measurement during which this thread
//! lost the processor says little; the tightest of a few tries is taken, or none.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Instant;

use loadgen_core::{Clock, Nanos, SystemClock};

/// How long a measurement is trusted, ns.
const VALID_NS: i64 = 100_000_000;
/// A change of the distance that no slewing explains, and a stamp's error that no noise does, ns.
const STEP_NS: i64 = 2_000_000;
/// A measurement that took no longer than this is as good as any, ns.
const TIGHT_NS: i64 = 5_000;
/// A measurement that took longer than this is no better than the last one, ns.
const LOOSE_NS: i64 = 100_000;
const MOST_TRIES: usize = 8;

thread_local! {
    /// One for all connections of a thread: the distance is the host's, not theirs.
    static HERE: RefCell<Option<Rc<WallDrift>>> = const { RefCell::new(None) };
}

/// The distance as last measured.
#[derive(Debug)]
pub(crate) struct WallDrift {
    clock: SystemClock,
    known: Cell<Option<Known>>,
}

#[derive(Debug, Clone, Copy)]
struct Known {
    ahead_ns: i64,
    at: Nanos,
}

/// A stamp on the timeline, and whether finding it showed a step of the wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Placed {
    pub(crate) at: Nanos,
    pub(crate) saw_step: bool,
}

impl WallDrift {
    pub(crate) fn new(clock: SystemClock) -> Self {
        Self { clock, known: Cell::new(None) }
    }

    /// The one that this thread's connections on this timeline share.
    pub(crate) fn of_this_thread(clock: SystemClock) -> Rc<Self> {
        HERE.with_borrow_mut(|here| match here {
            Some(drift) if timeline(drift.clock) == timeline(clock) => Rc::clone(drift),
            _ => Rc::clone(here.insert(Rc::new(Self::new(clock)))),
        })
    }

    /// Places a wall-clock stamp, read at `read_at`, of bytes that cannot have come before
    /// `not_before`. `None`: wherever it is placed, it cannot be right.
    pub(crate) fn place(&self, wall_ns: i64, not_before: Nanos, read_at: Nanos) -> Option<Placed> {
        let is_possible = |at: Nanos| at.since(read_at) <= STEP_NS && not_before.since(at) <= STEP_NS;
        if let Some(known) = self.known.get()
            && read_at.since(known.at) < VALID_NS
        {
            let at = Nanos(wall_ns - known.ahead_ns);
            if is_possible(at) {
                return Some(Placed { at, saw_step: false });
            }
        }
        let saw_step = self.measure(read_at);
        let at = Nanos(wall_ns - self.known.get()?.ahead_ns);
        is_possible(at).then_some(Placed { at, saw_step })
    }

    /// Measures the distance; whether it changed by a step.
    fn measure(&self, now: Nanos) -> bool {
        let mut best: Option<(i64, i64)> = None;
        for _ in 0..MOST_TRIES {
            let began = self.clock.now();
            let ahead_ns = self.clock.wall_drift_ns();
            let took_ns = self.clock.now().since(began);
            if best.is_none_or(|(best_ns, _)| took_ns < best_ns) {
                best = Some((took_ns, ahead_ns));
            }
            if took_ns <= TIGHT_NS {
                break;
            }
        }
        let before = self.known.get();
        let (Some((took_ns, ahead_ns)), before_ns) = (best, before.map(|known| known.ahead_ns)) else {
            return false;
        };
        let ahead_ns = if took_ns > LOOSE_NS { before_ns.unwrap_or(ahead_ns) } else { ahead_ns };
        self.known.set(Some(Known { ahead_ns, at: now }));
        before_ns.is_some_and(|before_ns| (ahead_ns - before_ns).abs() > STEP_NS)
    }
}

/// What tells one timeline from another.
fn timeline(clock: SystemClock) -> (Nanos, Instant) {
    (clock.anchor(), clock.instant_of(clock.anchor()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_stamp_of_now_is_placed_between_its_bounds() {
        let clock = SystemClock::start();
        let drift = WallDrift::new(clock);
        for _ in 0..100 {
            let before = clock.now();
            let wall_ns = before.0 + clock.wall_drift_ns();
            let placed = drift.place(wall_ns, before, clock.now()).unwrap();
            assert!(!placed.saw_step);
            assert!((placed.at.since(before)).abs() < STEP_NS);
        }
    }

    #[test]
    fn connections_of_one_timeline_share_the_distance() {
        let clock = SystemClock::start();
        let drift = WallDrift::of_this_thread(clock);
        assert!(Rc::ptr_eq(&drift, &WallDrift::of_this_thread(clock)));
        assert!(!Rc::ptr_eq(&drift, &WallDrift::of_this_thread(SystemClock::start())));
    }

    #[test]
    fn a_step_is_seen_and_an_impossible_stamp_refused() {
        let clock = SystemClock::start();
        let drift = WallDrift::new(clock);
        let now = clock.now();
        let wall_ns = now.0 + clock.wall_drift_ns();
        // As if the clock had been an hour off when it was last measured.
        drift.known.set(Some(Known { ahead_ns: 3_600_000_000_000, at: now }));
        let placed = drift.place(wall_ns, now, clock.now()).unwrap();
        assert!(placed.saw_step && placed.at.since(now).abs() < STEP_NS);
        assert_eq!(drift.place(wall_ns + 3_600_000_000_000, now, clock.now()), None);
        assert_eq!(drift.place(wall_ns - 3_600_000_000_000, now, clock.now()), None);
    }
}
