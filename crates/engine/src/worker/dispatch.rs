//! A worker's loop: let go what is due, prepare what comes next, sleep until the next instant.
//!
//! Invariant: no request leaves before its time, none after sending has ended, and the loop returns
//! only when every request it let go has returned. It does not send: it hands requests to tasks.
//!
//! What counts as scheduled when sending ends early: every arrival that was due by then. Those that
//! had not left are recorded as not sent. Turns after the first, and requests of a closed load, are
//! scheduled when they are let go.

use std::pin::Pin;
use std::rc::Rc;

use loadgen_core::Nanos;
use tokio::sync::OwnedSemaphorePermit;

use super::feed::Feed;
use super::session::PhaseRun;
use crate::gate::Stage;
use crate::phase::LOOKAHEAD;
use crate::plan::{Discipline, Load, share_of_slots};
use crate::prepare::Opening;
use crate::report::EndReason;
use crate::stats::LATE_AFTER_NS;
use crate::stop::StopListener;

/// How long the first preparation may take before the phase starts anyway, ns.
const FIRST_PREPARATION_NS: i64 = 20_000_000;
/// Added to what preparing a request is expected to take, ns: no preparation starts this close to a
/// release.
const PREPARATION_MARGIN_NS: i64 = 100_000;

type Acquire = Pin<Box<dyn Future<Output = Option<OwnedSemaphorePermit>>>>;

/// Drives one phase on one worker.
pub(super) struct Dispatcher {
    pub(super) run: Rc<PhaseRun>,
    /// This worker's arrivals or ticks; `None` in a closed load.
    pub(super) feed: Option<Feed<Opening>>,
    /// This worker's slots of a closed load, until they start.
    pub(super) idle_slots: u32,
    /// The place in the queue for a slot, of the arrival that is next.
    pub(super) acquiring: Option<Acquire>,
    /// A slot for the arrival that is next.
    pub(super) slot: Option<OwnedSemaphorePermit>,
    /// Arrivals due by then waited for a slot.
    pub(super) waited_until: Nanos,
    /// Whether the arrival that is next was counted as delayed.
    pub(super) is_next_delayed: bool,
    /// When the ceiling of the rate is to be asked again, for the arrival or tick that is next.
    pub(super) held_until: Option<Nanos>,
    /// Whether the arrival or tick that is next was counted as governed.
    pub(super) is_next_governed: bool,
    /// Arrivals and ticks due by then waited for the ceiling of the rate.
    pub(super) governed_until: Nanos,
    has_fallen_behind: bool,
    is_interrupted: bool,
    deadline: Option<Nanos>,
    /// When what is in flight is aborted.
    cut_at: Option<Nanos>,
    /// Arrivals due by then are scheduled, sent or not; set when sending has ended.
    pub(super) closed_at: Option<Nanos>,
    /// A running guess of what preparing a request takes, ns.
    preparation_ns: i64,
}

impl Dispatcher {
    pub(super) fn new(run: Rc<PhaseRun>) -> Self {
        let shared = &run.shared;
        let depth = if shared.discipline == Discipline::Arrivals { LOOKAHEAD } else { 0 };
        let feed =
            shared.arrivals().map(|arrivals| Feed::new(arrivals, run.worker.id, shared.workers, depth));
        let idle_slots = match &shared.plan.load {
            Load::Closed { concurrency, .. } => {
                share_of_slots(concurrency.get(), run.worker.id, shared.workers)
            }
            Load::Open { .. } => 0,
        };
        Self {
            feed,
            idle_slots,
            acquiring: None,
            slot: None,
            waited_until: Nanos(i64::MIN),
            is_next_delayed: false,
            held_until: None,
            is_next_governed: false,
            governed_until: Nanos(i64::MIN),
            has_fallen_behind: false,
            is_interrupted: false,
            deadline: None,
            cut_at: None,
            closed_at: None,
            preparation_ns: 0,
            run,
        }
    }

    /// Makes the first requests ready, before the phase's clock starts.
    pub(super) fn prepare_first(&mut self) {
        let began = self.now();
        while self.now().since(began) < FIRST_PREPARATION_NS && self.prepare_one() {}
    }

    /// Carries out the phase, whose zero is `start`.
    pub(super) async fn drive(&mut self, start: Nanos, stop: &mut StopListener) {
        self.run.begin(start);
        self.deadline = self.run.shared.plan.load.stop().duration_ns.map(|duration| start + duration);
        loop {
            let now = self.now();
            self.observe_end(now, stop.is_interrupted());
            self.run.alarms.fire(now);
            self.run.lasting.fire(now);
            if self.run.gate.is_open() {
                self.release_due(now);
            }
            // A task that panicked takes its worker with it: the run must not look complete.
            if let Some(panic) = self.run.tasks.panic().await {
                std::panic::resume_unwind(panic);
            }
            let has_worked = self.record_unsent() || {
                if self.is_over() {
                    return;
                }
                self.prepare_in_time()
            };
            if has_worked {
                // What was let go, and what has arrived meanwhile, comes first.
                tokio::task::yield_now().await;
                continue;
            }
            self.sleep(stop).await;
        }
    }

    /// Sleeps until something is due or has happened.
    async fn sleep(&mut self, stop: &mut StopListener) {
        let wake = self.next_instant();
        let run = &self.run;
        tokio::select! {
            biased;
            () = stop.interrupted(), if !self.is_interrupted => {}
            slot = async { self.acquiring.as_mut().expect("guarded").await }, if self.acquiring.is_some() => {
                self.acquiring = None;
                self.waited_until = run.worker.now();
                self.slot = slot;
            }
            () = run.nudge.notified() => {}
            () = run.shared.called(run.worker.id) => {}
            () = run.worker.pacer.wait_until(wake) => {}
        }
    }

    /// The next instant at which this loop has to look.
    fn next_instant(&mut self) -> Option<Nanos> {
        let release =
            if self.run.gate.is_open() && self.acquiring.is_none() { self.next_release() } else { None };
        // What has passed has had its effect, and would only keep this loop awake.
        let end = match self.run.gate.stage() {
            Stage::Open => self.deadline,
            Stage::Closed => self.cut_at,
            Stage::Cut => None,
        };
        let alarms = [self.run.alarms.next_due(), self.run.lasting.next_due()];
        [release, end].into_iter().chain(alarms).flatten().min()
    }

    fn next_release(&mut self) -> Option<Nanos> {
        let start = self.run.start();
        if self.idle_slots > 0 {
            return Some(start);
        }
        let due = start + self.feed.as_mut()?.next_arrival()?.offset_ns;
        Some(self.held_until.map_or(due, |until| until.max(due)))
    }

    /// Ends sending, and later aborts, as the deadline and the interrupt say.
    fn observe_end(&mut self, now: Nanos, is_interrupted: bool) {
        if is_interrupted && !self.is_interrupted {
            self.is_interrupted = true;
            let at = self.run.shared.interrupted_at(now);
            self.close(EndReason::Interrupt, at);
            self.abort_by(at + self.run.worker.shared.config.drain_on_interrupt_ns);
        }
        if let Some((_, at)) = self.run.shared.fell_behind()
            && !self.has_fallen_behind
        {
            self.has_fallen_behind = true;
            self.close(EndReason::FellBehind, at);
            self.abort_by(at + self.run.worker.shared.config.drain_on_interrupt_ns);
        }
        if let Some(deadline) = self.deadline
            && now >= deadline
            && self.run.gate.is_open()
        {
            // What is due at the very end still leaves, unless this worker is really late.
            if now.since(deadline) <= LATE_AFTER_NS {
                self.release_due(deadline);
            }
            self.close(EndReason::Duration, deadline);
            if let Some(grace_ns) = self.run.shared.plan.load.stop().grace_ns {
                self.abort_by(deadline + grace_ns);
            }
        }
        if self.cut_at.is_some_and(|cut_at| now >= cut_at) {
            self.run.gate.advance(Stage::Cut);
        }
    }

    /// From now on nothing new leaves. Arrivals due by `at` were scheduled.
    fn close(&mut self, reason: EndReason, at: Nanos) {
        if !self.run.gate.is_open() {
            return;
        }
        if self.has_more_to_send() {
            self.run.shared.end_early(reason, at);
        }
        self.closed_at = Some(at);
        self.acquiring = None;
        self.slot = None;
        self.idle_slots = 0;
        self.run.gate.advance(Stage::Closed);
        self.run.alarms.silence();
        if self.run.shared.discipline != Discipline::Arrivals {
            if !self.run.shared.issuer.is_exhausted() {
                self.count_lost_ticks(at);
            }
            self.feed = None;
        }
    }

    fn has_more_to_send(&mut self) -> bool {
        match self.run.shared.discipline {
            Discipline::Arrivals => {
                self.run.alarms.next_due().is_some()
                    || self.feed.as_mut().is_some_and(|feed| feed.next_arrival().is_some())
            }
            Discipline::Ticks | Discipline::Slots => !self.run.shared.issuer.is_exhausted(),
        }
    }

    fn abort_by(&mut self, at: Nanos) {
        self.cut_at = Some(self.cut_at.map_or(at, |cut_at| cut_at.min(at)));
    }

    /// Whether everything that was let go has returned and nothing will follow.
    fn is_over(&mut self) -> bool {
        let has_ended = match self.run.shared.discipline {
            Discipline::Slots => self.idle_slots == 0,
            Discipline::Arrivals => self.feed.as_mut().is_none_or(|feed| feed.next_arrival().is_none()),
            Discipline::Ticks => {
                let is_exhausted = self.run.shared.issuer.is_exhausted();
                if is_exhausted {
                    self.run.shared.announce_exhausted();
                }
                is_exhausted || self.next_release().is_none()
            }
        };
        has_ended && self.run.tasks.is_empty() && self.run.shared.issuer.leave(self.run.worker.id)
    }

    /// Prepares one request if there is time for it before the next release.
    fn prepare_in_time(&mut self) -> bool {
        if !self.run.gate.is_open() {
            return false;
        }
        let is_needed_now = self.run.shared.discipline == Discipline::Arrivals
            && self.feed.as_ref().is_some_and(|feed| !feed.has_ready());
        if !is_needed_now {
            let needed_ns = 2 * self.preparation_ns + PREPARATION_MARGIN_NS;
            let now = self.now();
            if self.next_release().is_some_and(|release| release.since(now) < needed_ns) {
                return false;
            }
        }
        self.prepare_one()
    }

    /// Prepares one request; `false` when enough are ready.
    fn prepare_one(&mut self) -> bool {
        let began = self.now();
        let has_prepared = match self.run.shared.discipline {
            Discipline::Arrivals => self.prepare_arrival(),
            Discipline::Ticks | Discipline::Slots => self.prepare_session(),
        };
        if has_prepared {
            // An exponential average over about eight preparations.
            self.preparation_ns += (self.now().since(began) - self.preparation_ns) / 8;
        }
        has_prepared
    }

    fn prepare_arrival(&mut self) -> bool {
        let Some(feed) = &mut self.feed else { return false };
        if !feed.has_room() {
            return false;
        }
        let first_session = self.run.shared.first_session;
        feed.prepare(|arrival| self.run.preparer.open(first_session + arrival.index));
        true
    }

    fn prepare_session(&mut self) -> bool {
        let issuer = &self.run.shared.issuer;
        let Some(ordinal) = issuer.reserve() else { return false };
        // Past the end of the source: whoever is handed this ordinal finds out the same.
        let Some(opening) = self.run.preparer.open(ordinal) else { return false };
        issuer.offer(ordinal, opening);
        true
    }

    fn now(&self) -> Nanos {
        self.run.worker.now()
    }
}
