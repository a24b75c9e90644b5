//! Letting requests go: which of them, in which slot, under which number.
//!
//! Invariant: what is due leaves in order; an arrival that must wait for a slot or for the ceiling of
//! the rate keeps its place, and those behind it wait with it. All that is due at once is let go before
//! any of it is written. Nothing here sleeps.

use std::sync::Arc;

use loadgen_core::Nanos;
use loadgen_schedule::Arrival;
use tokio::sync::Semaphore;

use super::dispatch::Dispatcher;
use super::session::{follow, occupy, ride};
use crate::issuer::{Handed, Issue};
use crate::phase::{Slot, Waiting};
use crate::plan::Discipline;
use crate::policy::{CatchUp, FellBehind};
use crate::prepare::Opening;

/// What is to become of an arrival whose turn has come.
enum Verdict {
    /// It leaves.
    Leave,
    /// It leaves, although it is overdue.
    CatchUp,
    /// It is left out.
    Skip,
    /// The run ends.
    Fail,
}

impl Dispatcher {
    /// Lets go what is due by `now`, as far as it is ready and slots allow.
    pub(super) fn release_due(&mut self, now: Nanos) {
        match self.run.shared.discipline {
            Discipline::Arrivals => self.release_arrivals(now),
            Discipline::Ticks => {
                self.release_handed();
                self.release_ticks(now);
            }
            Discipline::Slots => self.release_slots(now),
        }
    }

    fn release_arrivals(&mut self, now: Nanos) {
        let start = self.run.start();
        while self.acquiring.is_none() && self.run.gate.is_open() {
            let Some(feed) = &mut self.feed else { return };
            let Some(arrival) = feed.next_arrival() else { return };
            let due = start + arrival.offset_ns;
            if due > now || !feed.has_ready() {
                return;
            }
            let Some(slot) = self.take_slot(due) else { return };
            if !self.may_pass(due, now) {
                self.slot = slot;
                return;
            }
            let may_leave_at = self.may_leave_at(due);
            match self.judge(arrival, may_leave_at, now) {
                Verdict::Leave => {}
                Verdict::CatchUp => self.run.lane().caught_up(),
                Verdict::Skip => {
                    self.run.lane().skipped_late();
                    self.next_is_up();
                    self.leave_out(now);
                    continue;
                }
                Verdict::Fail => return,
            }
            self.next_is_up();
            let feed = self.feed.as_mut().expect("looked at above");
            let (arrival, opening) = feed.pop_ready(now.since(start)).expect("due and ready");
            self.start_session(arrival, opening, slot, due, may_leave_at);
        }
    }

    /// A slot for the arrival due at `due`, if the cap has one free; otherwise it queues for one.
    fn take_slot(&mut self, due: Nanos) -> Option<Slot> {
        let Some(slots) = &self.run.shared.slots else { return Some(None) };
        let free = self.slot.take().or_else(|| Arc::clone(slots).try_acquire_owned().ok());
        if !self.is_next_delayed && (free.is_none() || due < self.waited_until) {
            self.is_next_delayed = true;
            self.run.lane().delayed();
        }
        if free.is_none() {
            let slots = Arc::clone(slots);
            self.acquiring = Some(Box::pin(async move { slots.acquire_owned().await.ok() }));
        }
        free.map(Some)
    }

    /// Whether the ceiling of the rate lets what is due at `due` pass now; if not, when to ask again is
    /// noted.
    fn may_pass(&mut self, due: Nanos, now: Nanos) -> bool {
        let Some(ceiling) = &self.run.worker.shared.request_ceiling else { return true };
        // Woken for something else.
        if self.held_until.is_some_and(|until| until > now) {
            return false;
        }
        self.held_until = ceiling.pass().err();
        self.governed_until = self.held_until.unwrap_or(self.governed_until);
        if due < self.governed_until && !self.is_next_governed {
            self.is_next_governed = true;
            self.run.lane().governed();
        }
        self.held_until.is_none()
    }

    /// When the next one, due at `due`, could have left at the earliest, given what it had to wait for.
    fn may_leave_at(&self, due: Nanos) -> Nanos {
        let for_slot = if self.is_next_delayed { self.waited_until } else { due };
        let for_ceiling = if self.is_next_governed { self.governed_until } else { due };
        due.max(for_slot).max(for_ceiling)
    }

    /// Forgets what the one before had to wait for.
    fn next_is_up(&mut self) {
        self.is_next_delayed = false;
        self.is_next_governed = false;
    }

    /// What the policy says of an arrival that could have left at `may_leave_at`.
    fn judge(&self, arrival: Arrival, may_leave_at: Nanos, now: Nanos) -> Verdict {
        let lateness_ns = now.since(may_leave_at);
        let Some(allowed_ns) = self.run.shared.overdue_after_ns(arrival.offset_ns, lateness_ns) else {
            return Verdict::Leave;
        };
        match self.run.worker.shared.config.policy.catch_up {
            CatchUp::Burst => Verdict::CatchUp,
            CatchUp::Skip => Verdict::Skip,
            CatchUp::Fail => {
                let (worker, offset_ns) = (self.run.worker.id, arrival.offset_ns);
                self.run.shared.fall_behind(FellBehind { worker, offset_ns, lateness_ns, allowed_ns }, now);
                Verdict::Fail
            }
        }
    }

    fn start_session(
        &mut self,
        arrival: Arrival,
        opening: Opening,
        slot: Slot,
        scheduled: Nanos,
        due: Nanos,
    ) {
        let shared = &self.run.shared;
        let Some(number) = self.number(arrival) else { return };
        shared.issuer.session_started(opening.running.ordinal);
        let leaving = self.run.release(opening.first, number, scheduled, due);
        self.run.spawn(|run| follow(run, opening.running, leaving, slot));
    }

    /// The number of an arrival's request within the phase.
    fn number(&self, arrival: Arrival) -> Option<u64> {
        let shared = &self.run.shared;
        if shared.is_numbered_by_arrival { Some(arrival.index) } else { shared.issuer.claim() }
    }

    fn release_ticks(&mut self, now: Nanos) {
        let start = self.run.start();
        loop {
            let Some(feed) = &mut self.feed else { return };
            let Some(tick) = feed.next_arrival() else { return };
            let due = start + tick.offset_ns;
            if due > now || !self.may_pass(due, now) {
                return;
            }
            let may_leave_at = self.may_leave_at(due);
            let verdict = self.judge(tick, may_leave_at, now);
            if let Verdict::Fail = verdict {
                return;
            }
            self.next_is_up();
            self.feed.as_mut().expect("looked at above").pop_bare(now.since(start));
            let run = &self.run;
            if let Verdict::Skip = verdict {
                if run.shared.issuer.is_exhausted() {
                    self.feed = None;
                } else {
                    run.lane().skipped_late();
                }
                continue;
            }
            let take = |places: &Option<Arc<Semaphore>>| match places {
                Some(places) => Arc::clone(places).try_acquire_owned().ok().map(Some),
                None => Some(None),
            };
            let take_slot = || take(&run.shared.slots).zip(take(&run.shared.prefill));
            match run.shared.issuer.tick(run.worker.id, due, take_slot) {
                Issue::Waiting(Waiting { running, ready, slot }, number) => {
                    let leaving = run.release(ready, number, due, may_leave_at);
                    run.spawn(|run| ride(run, running, leaving, slot));
                }
                Issue::Handed(home) => run.shared.call(home),
                Issue::New(new, (slot, place)) => {
                    let Some(opening) = new.ready.or_else(|| run.preparer.open(new.ordinal)) else {
                        run.shared.issuer.source_ended(new.ordinal, new.number);
                        continue;
                    };
                    let mut leaving = run.release(opening.first, new.number, due, may_leave_at);
                    leaving.place = place;
                    run.spawn(|run| ride(run, opening.running, leaving, slot));
                }
                Issue::NoSlot => {
                    run.lane().skipped();
                    continue;
                }
                Issue::Nothing => {
                    if run.shared.issuer.is_exhausted() {
                        self.feed = None;
                    }
                    continue;
                }
            }
            if let Verdict::CatchUp = verdict {
                run.lane().caught_up();
            }
        }
    }

    /// Lets go the turns that ride on other workers' ticks.
    fn release_handed(&mut self) {
        if !self.run.is_sticky() {
            return;
        }
        while let Some(Handed { waiting, number, due }) =
            self.run.shared.issuer.take_handed(self.run.worker.id)
        {
            let Waiting { running, ready, slot } = waiting;
            let leaving = self.run.release(ready, number, due, due);
            self.run.spawn(|run| ride(run, running, leaving, slot));
        }
    }

    /// Starts this worker's slots of a closed load, once the phase has begun.
    fn release_slots(&mut self, now: Nanos) {
        if now < self.run.start() {
            return;
        }
        for _ in 0..std::mem::take(&mut self.idle_slots) {
            self.run.spawn(occupy);
        }
    }

    /// Records one request that was scheduled and will not be sent, after sending has ended; `false` when
    /// there is none.
    pub(super) fn record_unsent(&mut self) -> bool {
        let Some(closed_at) = self.closed_at else { return false };
        if let Some(Handed { waiting, number, due }) = self.run.shared.issuer.take_handed(self.run.worker.id)
        {
            self.run.leave_unsent(&waiting.running, waiting.ready.turn, number, due);
            return true;
        }
        self.leave_out(closed_at)
    }

    /// Records the next arrival due by `by` as one that will not be sent; `false` when there is none.
    fn leave_out(&mut self, by: Nanos) -> bool {
        let Some(feed) = &mut self.feed else { return false };
        let start = self.run.start();
        let missed = feed.pop_bare(by.since(start));
        let begun = missed.and_then(|arrival| {
            let begun = self.run.preparer.begin(self.run.shared.first_session + arrival.index)?;
            Some((arrival, begun, self.number(arrival)?))
        });
        let Some((arrival, (running, turn), number)) = begun else {
            self.feed = None;
            return false;
        };
        self.run.shared.issuer.session_started(running.ordinal);
        self.run.leave_unsent(&running, turn, number, start + arrival.offset_ns);
        true
    }

    /// Counts the ticks that were due by `at` and carried nothing, when sending ends before it is done.
    pub(super) fn count_lost_ticks(&mut self, at: Nanos) {
        let start = self.run.start();
        let lane = self.run.lane();
        let Some(feed) = &mut self.feed else { return };
        let mut is_counted = self.is_next_governed;
        while feed.pop_bare(at.since(start)).is_some() {
            if self.held_until.is_none() {
                lane.skipped_late();
            } else if !std::mem::take(&mut is_counted) {
                lane.governed();
            }
        }
    }
}
