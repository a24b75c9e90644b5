//! Decides what leaves next where completions steer: a waiting turn, else a new session, else
//! nothing.
//!
//! One issuer serves all workers of a phase, so sessions start in the order of their ordinals and
//! request counts hold exactly, on any number of workers. Its lock is taken a few times a request,
//! never for a token. Sessions that will start soon are built ahead by whichever worker has time,
//! and wait here; one that nobody has built yet is built by whoever gets it.
//!
//! Invariant: ordinals are handed out once each, ascending, without gaps; numbers likewise up to the
//! limit of requests. Sessions that have started send all their turns, whatever the limit of sessions. It does not know rates, clocks or slots: whoever calls has paced already.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use loadgen_core::Nanos;

/// Hands out sessions (`O`: one built ahead) and the waiting turns (`W`) of those under way.
#[derive(Debug)]
pub(crate) struct Issuer<O, W> {
    limit: Option<u64>,
    /// The first ordinal that starts no session any more.
    end: u64,
    depth: usize,
    state: Mutex<State<O, W>>,
}

#[derive(Debug)]
struct State<O, W> {
    /// Requests handed out.
    issued: u64,
    /// The ordinal of the next session to start.
    next_session: u64,
    /// The ordinal of the next session to build ahead.
    next_reserved: u64,
    ready: BTreeMap<u64, O>,
    waiting: VecDeque<Parked<W>>,
    /// What ticks of other workers carry, for each worker; `None` for one that has left.
    handed: Vec<Option<VecDeque<Handed<W>>>>,
    /// Sessions that have started and not ended.
    running: u64,
    /// Whether no further session will start.
    source_ended: bool,
}

/// A turn that waits for a tick.
#[derive(Debug)]
struct Parked<W> {
    /// The one worker that can send it; `None` where any can.
    home: Option<usize>,
    waiting: W,
}

/// A waiting turn that rode on another worker's tick.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Handed<W> {
    pub(crate) waiting: W,
    /// The number of its request.
    pub(crate) number: u64,
    /// When the tick was due.
    pub(crate) due: Nanos,
}

/// A session to start.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NewSession<O> {
    /// Its place among all sessions of the run.
    pub(crate) ordinal: u64,
    /// The number of its first request within the phase.
    pub(crate) number: u64,
    /// The session, if it was built ahead.
    pub(crate) ready: Option<O>,
}

/// What rides on a tick.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Issue<O, W, S> {
    /// A turn of a running session.
    Waiting(W, u64),
    /// A turn that only this other worker can send, and has now: wake it.
    Handed(usize),
    /// The first turn of a new session, in the slot it took.
    New(NewSession<O>, S),
    /// Every slot is taken: the tick is lost.
    NoSlot,
    /// Nothing to send at the moment, or ever again.
    Nothing,
}

impl<O, W> Issuer<O, W> {
    /// An issuer of at most `limit` requests and of `sessions`, by their ordinals, with at most `depth`
    /// sessions built ahead, for `workers` workers.
    pub(crate) fn new(limit: Option<u64>, sessions: Range<u64>, depth: usize, workers: usize) -> Self {
        let Range { start: first_session, end } = sessions;
        let state = State {
            issued: 0,
            next_session: first_session,
            next_reserved: first_session,
            ready: BTreeMap::new(),
            waiting: VecDeque::new(),
            handed: (0..workers).map(|_| Some(VecDeque::new())).collect(),
            running: 0,
            source_ended: first_session >= end,
        };
        Self { limit, end, depth, state: Mutex::new(state) }
    }

    /// The number of one more request of a running session; `None` when the limit is reached.
    pub(crate) fn claim(&self) -> Option<u64> {
        self.lock().claim(self.limit)
    }

    /// The next session to start; `None` when the limit is reached or the source has ended.
    pub(crate) fn open_session(&self) -> Option<NewSession<O>> {
        self.lock().open_session(self.limit, self.end)
    }

    /// What rides on the tick of `worker` that was due at `due`: a waiting turn first, else a new session
    /// if `take_slot` finds it one.
    pub(crate) fn tick<S>(
        &self,
        worker: usize,
        due: Nanos,
        take_slot: impl FnOnce() -> Option<S>,
    ) -> Issue<O, W, S> {
        let mut state = self.lock();
        if let Some(Parked { home, waiting }) = state.waiting.pop_front() {
            let Some(number) = state.claim(self.limit) else { return Issue::Nothing };
            let home = home.filter(|home| *home != worker);
            // Without its worker, it has to do with this one.
            let Some((home, handed)) = home.and_then(|home| Some((home, state.handed[home].as_mut()?)))
            else {
                return Issue::Waiting(waiting, number);
            };
            handed.push_back(Handed { waiting, number, due });
            return Issue::Handed(home);
        }
        if state.is_spent(self.limit) || state.source_ended {
            return Issue::Nothing;
        }
        let Some(slot) = take_slot() else { return Issue::NoSlot };
        match state.open_session(self.limit, self.end) {
            Some(session) => Issue::New(session, slot),
            None => Issue::Nothing,
        }
    }

    /// Queues the next turn of a running session for a tick; `home` is the worker that must send it, if
    /// not any can.
    pub(crate) fn park(&self, home: Option<usize>, waiting: W) {
        self.lock().waiting.push_back(Parked { home, waiting });
    }

    /// A turn that rode on a tick of another worker, and is `worker`'s to send.
    pub(crate) fn take_handed(&self, worker: usize) -> Option<Handed<W>> {
        self.lock().handed[worker].as_mut()?.pop_front()
    }

    /// Whether `worker` may leave, since nothing was handed to it that it has not taken. If so, nothing
    /// will be any more.
    pub(crate) fn leave(&self, worker: usize) -> bool {
        let handed = &mut self.lock().handed[worker];
        if handed.as_ref().is_some_and(|handed| !handed.is_empty()) {
            return false;
        }
        *handed = None;
        true
    }

    /// Notes that a session has ended.
    pub(crate) fn session_ended(&self) {
        let mut state = self.lock();
        state.running = state.running.saturating_sub(1);
    }

    /// Notes that the source has no session `ordinal`, which had been handed out with `number`.
    pub(crate) fn source_ended(&self, ordinal: u64, number: u64) {
        let mut state = self.lock();
        state.source_ended = true;
        state.running = state.running.saturating_sub(1);
        state.next_session = state.next_session.min(ordinal);
        if state.issued == number + 1 {
            state.issued = number;
        }
    }

    /// Notes that session `ordinal` has started by another way than this issuer.
    pub(crate) fn session_started(&self, ordinal: u64) {
        let mut state = self.lock();
        state.next_session = state.next_session.max(ordinal + 1);
    }

    /// A session worth building ahead, reserved for the caller; `None` when enough are, or when no
    /// more will start.
    pub(crate) fn reserve(&self) -> Option<u64> {
        let mut state = self.lock();
        state.next_reserved = state.next_reserved.max(state.next_session);
        let ahead = state.next_reserved - state.next_session;
        let wanted = self.limit.map_or(u64::MAX, |limit| limit.saturating_sub(state.issued));
        let wanted = wanted.min(self.end.saturating_sub(state.next_session));
        if state.source_ended || ahead >= wanted.min(self.depth as u64) {
            return None;
        }
        state.next_reserved += 1;
        Some(state.next_reserved - 1)
    }

    /// Takes a session that was built ahead. One that has started meanwhile is dropped.
    pub(crate) fn offer(&self, ordinal: u64, opening: O) {
        let mut state = self.lock();
        if ordinal >= state.next_session {
            state.ready.insert(ordinal, opening);
        }
    }

    /// Whether no request will ever be issued again.
    pub(crate) fn is_exhausted(&self) -> bool {
        let state = self.lock();
        state.is_spent(self.limit) || (state.source_ended && state.running == 0)
    }

    /// The ordinal of the next session to start.
    pub(crate) fn next_session(&self) -> u64 {
        self.lock().next_session
    }

    /// A worker that panicked leaves counters that are still true: each change is one assignment.
    fn lock(&self) -> MutexGuard<'_, State<O, W>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<O, W> State<O, W> {
    fn is_spent(&self, limit: Option<u64>) -> bool {
        limit.is_some_and(|limit| self.issued >= limit)
    }

    fn claim(&mut self, limit: Option<u64>) -> Option<u64> {
        if self.is_spent(limit) {
            return None;
        }
        self.issued += 1;
        Some(self.issued - 1)
    }

    fn open_session(&mut self, limit: Option<u64>, end: u64) -> Option<NewSession<O>> {
        if self.source_ended {
            return None;
        }
        let number = self.claim(limit)?;
        let ordinal = self.next_session;
        self.next_session += 1;
        self.running += 1;
        self.source_ended = self.next_session >= end;
        Some(NewSession { ordinal, number, ready: self.ready.remove(&ordinal) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Plain = Issuer<&'static str, &'static str>;

    #[test]
    fn a_waiting_turn_goes_before_a_new_session() {
        let issuer = Plain::new(None, 7..u64::MAX, 4, 2);
        issuer.park(None, "turn");
        assert_eq!(issuer.tick(0, Nanos(0), || Some(())), Issue::Waiting("turn", 0));
        let new = NewSession { ordinal: 7, number: 1, ready: None };
        assert_eq!(issuer.tick(0, Nanos(0), || Some(())), Issue::New(new, ()));
    }

    #[test]
    fn a_turn_bound_to_a_worker_is_handed_to_it_while_it_is_there() {
        let issuer = Plain::new(None, 0..u64::MAX, 4, 2);
        for turn in ["a", "b", "c"] {
            issuer.park(Some(1), turn);
        }
        assert_eq!(issuer.tick(1, Nanos(5), || Some(())), Issue::Waiting("a", 0));
        assert_eq!(issuer.tick(0, Nanos(6), || Some(())), Issue::Handed(1));
        assert!(!issuer.leave(1), "it has something to send");
        assert_eq!(issuer.take_handed(1), Some(Handed { waiting: "b", number: 1, due: Nanos(6) }));
        assert!(issuer.leave(1));
        assert_eq!(issuer.tick(0, Nanos(7), || Some(())), Issue::Waiting("c", 2));
    }

    #[test]
    fn a_lost_tick_offers_the_same_session_again() {
        let issuer = Plain::new(None, 0..u64::MAX, 4, 2);
        assert_eq!(issuer.tick(0, Nanos(0), || None::<()>), Issue::NoSlot);
        let new = NewSession { ordinal: 0, number: 0, ready: None };
        assert_eq!(issuer.tick(0, Nanos(0), || Some(())), Issue::New(new, ()));
    }

    #[test]
    fn the_limit_counts_turns_and_ends_everything() {
        let issuer = Plain::new(Some(3), 0..u64::MAX, 4, 2);
        assert!(issuer.open_session().is_some());
        assert_eq!(issuer.claim(), Some(1));
        assert!(!issuer.is_exhausted());
        assert_eq!(issuer.claim(), Some(2));
        assert_eq!(issuer.claim(), None);
        assert_eq!(issuer.open_session(), None);
        issuer.park(None, "never");
        assert_eq!(issuer.tick(0, Nanos(0), || Some(())), Issue::Nothing);
        assert!(issuer.is_exhausted());
        assert_eq!(issuer.next_session(), 1);
    }

    #[test]
    fn what_is_built_ahead_is_handed_out_in_order_whoever_built_it() {
        let issuer = Plain::new(Some(3), 10..u64::MAX, 8, 2);
        let reserved: Vec<u64> = std::iter::from_fn(|| issuer.reserve()).collect();
        assert_eq!(reserved, [10, 11, 12], "never more than the limit will need");
        issuer.offer(11, "b");
        let first = issuer.open_session();
        assert_eq!(first, Some(NewSession { ordinal: 10, number: 0, ready: None }));
        issuer.offer(10, "too late");
        let second = issuer.open_session();
        assert_eq!(second, Some(NewSession { ordinal: 11, number: 1, ready: Some("b") }));
        assert_eq!(issuer.reserve(), None);
    }

    #[test]
    fn it_looks_ahead_no_further_than_its_depth() {
        let issuer = Plain::new(None, 0..u64::MAX, 2, 2);
        assert_eq!([issuer.reserve(), issuer.reserve(), issuer.reserve()], [Some(0), Some(1), None]);
        assert!(issuer.open_session().is_some());
        assert_eq!(issuer.reserve(), Some(2));
    }

    #[test]
    fn the_last_session_ends_new_ones_but_not_the_turns_of_those_that_run() {
        let issuer = Plain::new(None, 5..7, 4, 1);
        assert_eq!([issuer.reserve(), issuer.reserve(), issuer.reserve()], [Some(5), Some(6), None]);
        assert!(issuer.open_session().is_some() && issuer.open_session().is_some());
        assert_eq!(issuer.open_session(), None);
        assert_eq!(issuer.tick(0, Nanos(0), || Some(())), Issue::Nothing);
        assert!(!issuer.is_exhausted());
        issuer.park(None, "turn");
        assert_eq!(issuer.tick(0, Nanos(0), || Some(())), Issue::Waiting("turn", 2));
        issuer.session_ended();
        issuer.session_ended();
        assert!(issuer.is_exhausted());
        assert_eq!(issuer.next_session(), 7);
        assert!(Plain::new(None, 3..3, 4, 1).is_exhausted(), "no session at all");
    }

    #[test]
    fn the_end_of_the_source_is_the_end_once_its_sessions_are_over() {
        let issuer = Plain::new(Some(100), 0..u64::MAX, 4, 2);
        assert!(issuer.open_session().is_some());
        let missing = issuer.open_session().map(|session| (session.ordinal, session.number));
        assert_eq!(missing, Some((1, 1)));
        issuer.source_ended(1, 1);
        assert_eq!(issuer.open_session(), None);
        assert!(!issuer.is_exhausted(), "a session may still ask for a turn");
        assert_eq!(issuer.claim(), Some(1), "its number was given back");
        issuer.session_ended();
        assert!(issuer.is_exhausted());
        assert_eq!(issuer.next_session(), 1);
    }
}
