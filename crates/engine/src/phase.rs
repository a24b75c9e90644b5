//! What the workers of one phase share.
//!
//! Invariant: nothing here is touched for a token, and everything that must be global (numbers,
//! ordinals, slots) is one value, never divided among workers.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use loadgen_core::Nanos;
use loadgen_schedule::{Arrivals, Schedule, StopCondition};
use tokio::sync::futures::Notified;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use crate::issuer::Issuer;
use crate::plan::{Cap, Discipline, Load, PhasePlan};
use crate::policy::{BEHIND_AFTER_NS, FellBehind, allowed_lateness_ns};
use crate::prepare::{Opening, Ready, Running};
use crate::report::EndReason;
use crate::stats::Latest;

/// How many requests are made ready before their time: a worker's own arrivals, and the sessions
/// that the whole phase will start next.
pub(crate) const LOOKAHEAD: usize = 64;

/// A slot under a cap, held by a session until it ends.
pub(crate) type Slot = Option<OwnedSemaphorePermit>;
/// A place before the first content, held by a request.
pub(crate) type Place = Option<OwnedSemaphorePermit>;

/// A session between two turns, waiting for a tick.
pub(crate) struct Waiting {
    pub(crate) running: Running,
    pub(crate) ready: Box<Ready>,
    pub(crate) slot: Slot,
}

/// One phase, as all its workers see it.
pub(crate) struct PhaseShared {
    pub(crate) plan: PhasePlan,
    /// Its position in the plan.
    pub(crate) position: usize,
    pub(crate) workers: usize,
    pub(crate) discipline: Discipline,
    /// Whether the index of an arrival is the number of its request.
    pub(crate) is_numbered_by_arrival: bool,
    /// The ordinal of the session that arrival 0 starts.
    pub(crate) first_session: u64,
    pub(crate) issuer: Issuer<Opening, Waiting>,
    /// The slots of a cap.
    pub(crate) slots: Option<Arc<Semaphore>>,
    /// Places for requests before their first content.
    pub(crate) prefill: Option<Arc<Semaphore>>,
    /// When the first worker noticed an interrupt: what was due by then counts as scheduled.
    interrupted_at: OnceLock<Nanos>,
    /// Why and when sending was ended although there was more to send.
    ended: OnceLock<(EndReason, Nanos)>,
    /// How far the client fell behind, and when that was noticed, where the run is to end then.
    fell_behind: OnceLock<(FellBehind, Nanos)>,
    /// Whether the workers know that no tick will carry anything any more.
    is_exhausted: AtomicBool,
    /// Wakes each worker to look at what the others did.
    calls: Box<[Notify]>,
    pub(crate) last_release: Latest,
    pub(crate) last_return: Latest,
}

impl PhaseShared {
    pub(crate) fn new(
        plan: PhasePlan,
        position: usize,
        workers: usize,
        next_session: u64,
        is_single_turn: bool,
    ) -> Self {
        let discipline = plan.discipline(is_single_turn);
        let is_fixed = plan.load.is_fixed_schedule();
        let first_session = plan.first_session.unwrap_or(next_session);
        let is_numbered_by_arrival = discipline == Discipline::Arrivals && is_single_turn;
        let stop = plan.load.stop();
        let limit = stop.requests.filter(|_| !is_fixed && !is_numbered_by_arrival);
        let end = stop.sessions.map_or(u64::MAX, |sessions| first_session.saturating_add(sessions));
        let slots = match &plan.load {
            Load::Open { cap: Some(Cap { slots, .. }), .. } => {
                Some(Arc::new(Semaphore::new(usize::try_from(slots.get()).expect("32 bits fit"))))
            }
            _ => None,
        };
        let prefill = plan.prefill.map(|places| usize::try_from(places.get()).expect("32 bits fit"));
        Self {
            prefill: prefill.map(|places| Arc::new(Semaphore::new(places))),
            issuer: Issuer::new(limit, first_session..end, LOOKAHEAD, workers),
            plan,
            position,
            workers,
            discipline,
            is_numbered_by_arrival,
            first_session,
            slots,
            interrupted_at: OnceLock::new(),
            ended: OnceLock::new(),
            fell_behind: OnceLock::new(),
            is_exhausted: AtomicBool::new(false),
            calls: (0..workers).map(|_| Notify::new()).collect(),
            last_release: Latest::new(),
            last_return: Latest::new(),
        }
    }

    /// The arrivals, not ended by the phase's duration: the workers see the first one beyond it, and
    /// so know that the clock, not the schedule, ends the phase. Ticks have no count either, since
    /// one that is skipped does not use it up. `None` for a closed load.
    pub(crate) fn arrivals(&self) -> Option<Arrivals> {
        let Load::Open { schedule, .. } = &self.plan.load else { return None };
        let StopCondition { requests, sessions, .. } = schedule.stop;
        // An arrival that starts a session counts as both.
        let arrivals = requests.into_iter().chain(sessions).min();
        let arrivals = arrivals.filter(|_| self.discipline == Discipline::Arrivals);
        let stop = StopCondition { requests: arrivals, ..StopCondition::default() };
        Some(Schedule { stop, ..schedule.clone() }.arrivals())
    }

    /// The instant all workers take as that of the interrupt: the first one's.
    pub(crate) fn interrupted_at(&self, now: Nanos) -> Nanos {
        *self.interrupted_at.get_or_init(|| now)
    }

    /// Notes why sending ends while there is more to send. The first reason stands.
    pub(crate) fn end_early(&self, reason: EndReason, at: Nanos) {
        self.ended.get_or_init(|| (reason, at));
    }

    pub(crate) fn ended_early(&self) -> Option<(EndReason, Nanos)> {
        self.ended.get().copied()
    }

    /// How late an arrival might have been that is `lateness_ns` late; `None` for one that is not overdue.
    pub(crate) fn overdue_after_ns(&self, offset_ns: i64, lateness_ns: i64) -> Option<i64> {
        let Load::Open { schedule, .. } = &self.plan.load else { return None };
        // The gap takes a little arithmetic, and hardly anything is that late.
        if lateness_ns <= BEHIND_AFTER_NS {
            return None;
        }
        Some(allowed_lateness_ns(schedule, offset_ns)).filter(|allowed_ns| lateness_ns > *allowed_ns)
    }

    /// Tells workers that wait for a tick that no tick will carry anything any more.
    pub(crate) fn announce_exhausted(&self) {
        if !self.is_exhausted.swap(true, Ordering::Relaxed) {
            self.call_all();
        }
    }

    /// Ends the phase because the client fell behind. The first one's lateness stands.
    pub(crate) fn fall_behind(&self, behind: FellBehind, at: Nanos) {
        self.fell_behind.get_or_init(|| (behind, at));
        self.call_all();
    }

    pub(crate) fn fell_behind(&self) -> Option<(FellBehind, Nanos)> {
        self.fell_behind.get().copied()
    }

    /// Wakes a worker.
    pub(crate) fn call(&self, worker: usize) {
        self.calls[worker].notify_one();
    }

    /// Returns when `worker` was called.
    pub(crate) fn called(&self, worker: usize) -> Notified<'_> {
        self.calls[worker].notified()
    }

    fn call_all(&self) {
        self.calls.iter().for_each(Notify::notify_one);
    }
}
