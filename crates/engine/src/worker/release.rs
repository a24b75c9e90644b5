//! Letting requests go: which of them, in which slot, under which number.
//!
//! Invariant: what is due leaves in order; an arrival that must wait for a slot keeps its place, and
//! those behind it wait with it. Nothing here sleeps.

use std::rc::Rc;
use std::sync::Arc;

use loadgen_core::Nanos;
use loadgen_schedule::Arrival;

use super::dispatch::Dispatcher;
use crate::issuer::Issue;
use crate::phase::{Slot, Waiting};
use crate::plan::Discipline;
use crate::prepare::Opening;

impl Dispatcher {
    /// Lets go what is due by `now`, as far as it is ready and slots allow.
    pub(super) fn release_due(&mut self, now: Nanos) {
        match self.run.shared.discipline {
            Discipline::Arrivals => self.release_arrivals(now),
            Discipline::Ticks => self.release_ticks(now),
            Discipline::Slots => self.release_slots(now),
        }
    }

    fn release_arrivals(&mut self, now: Nanos) {
        let start = self.run.start();
        while self.acquiring.is_none() {
            let Some(feed) = &mut self.feed else { return };
            let Some(arrival) = feed.next_arrival() else { return };
            let due = start + arrival.offset_ns;
            if due > now || !feed.has_ready() {
                return;
            }
            let Some(slot) = self.take_slot(due) else { return };
            let feed = self.feed.as_mut().expect("looked at above");
            let (arrival, opening) = feed.pop_ready(now.since(start)).expect("due and ready");
            let may_leave_at = due.max(if self.is_next_delayed { self.waited_until } else { due });
            self.is_next_delayed = false;
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
        self.tasks.spawn_local(Rc::clone(&self.run).follow(opening.running, leaving, slot));
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
            let Some(tick) = feed.pop_bare(now.since(start)) else { return };
            let due = start + tick.offset_ns;
            let run = &self.run;
            let take_slot = || match &run.shared.slots {
                Some(slots) => Arc::clone(slots).try_acquire_owned().ok().map(Some),
                None => Some(None),
            };
            match run.shared.issuer.tick(take_slot) {
                Issue::Waiting(Waiting { running, ready, slot }, number) => {
                    let leaving = run.release(ready, number, due, due);
                    self.tasks.spawn_local(Rc::clone(run).ride(running, leaving, slot));
                }
                Issue::New(new, slot) => {
                    let Some(opening) = new.ready.or_else(|| run.preparer.open(new.ordinal)) else {
                        run.shared.issuer.source_ended(new.ordinal, new.number);
                        continue;
                    };
                    let leaving = run.release(opening.first, new.number, due, due);
                    self.tasks.spawn_local(Rc::clone(run).ride(opening.running, leaving, slot));
                }
                Issue::NoSlot => run.lane().skipped(),
                Issue::Nothing => {
                    if run.shared.issuer.is_exhausted() {
                        self.feed = None;
                    }
                }
            }
        }
    }

    /// Starts this worker's slots of a closed load, once the phase has begun.
    fn release_slots(&mut self, now: Nanos) {
        if now < self.run.start() {
            return;
        }
        for _ in 0..std::mem::take(&mut self.idle_slots) {
            self.tasks.spawn_local(Rc::clone(&self.run).occupy());
        }
    }

    /// Records one arrival that was scheduled and will not be sent; `false` when there is none.
    pub(super) fn record_unsent(&mut self) -> bool {
        let (Some(closed_at), Some(feed)) = (self.closed_at, &mut self.feed) else { return false };
        let start = self.run.start();
        let missed = feed.pop_bare(closed_at.since(start));
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
}
