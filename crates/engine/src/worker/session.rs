//! Sessions under way on one worker: turn after turn, however they are handed out.
//!
//! Invariant: a session ends at its last turn, at the limit, or when the gate closes; whichever it
//! is, its slot falls free then and not before.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use loadgen_core::{Nanos, TurnTiming};
use tokio::sync::Notify;

use super::Worker;
use crate::alarms::Alarms;
use crate::cancellation::Lottery;
use crate::gate::Gate;
use crate::phase::{PhaseShared, Slot, Waiting};
use crate::prepare::{Opening, Preparer, Ready, Running};
use crate::stats::Lane;

/// One phase on one worker.
pub(super) struct PhaseRun {
    pub(super) worker: Rc<Worker>,
    pub(super) shared: Arc<PhaseShared>,
    pub(super) preparer: Preparer,
    pub(super) gate: Gate,
    /// Of turns that wait for their time; silenced when sending ends.
    pub(super) alarms: Alarms,
    /// Who is given up on purpose.
    pub(super) lottery: Option<Lottery>,
    /// Of requests in flight that are to be given up; they ring on after sending has ended.
    pub(super) cancellations: Alarms,
    /// Tells the worker's loop that alarms were set or prepared sessions were used up.
    pub(super) nudge: Notify,
    /// The phase's zero.
    start: Cell<Nanos>,
}

/// A request let go.
pub(super) struct Leaving {
    pub(super) ready: Ready,
    /// Its number within the phase.
    pub(super) number: u64,
    /// When it was meant to leave.
    pub(super) scheduled: Nanos,
    /// When it was let go.
    pub(super) released: Nanos,
}

/// The turn that follows, and when it may leave.
struct Following {
    ready: Ready,
    due: Nanos,
}

impl PhaseRun {
    pub(super) fn new(worker: Rc<Worker>, shared: Arc<PhaseShared>) -> Rc<Self> {
        let preparer = worker.preparer(&shared);
        let seed = worker.shared.config.seed;
        let lottery = shared.plan.cancellation.map(|plan| Lottery::new(plan, seed, shared.plan.index));
        Rc::new(Self {
            worker,
            shared,
            preparer,
            gate: Gate::new(),
            alarms: Alarms::new(),
            lottery,
            cancellations: Alarms::new(),
            nudge: Notify::new(),
            start: Cell::new(Nanos(0)),
        })
    }

    pub(super) fn begin(&self, start: Nanos) {
        self.start.set(start);
    }

    pub(super) fn start(&self) -> Nanos {
        self.start.get()
    }

    /// This worker's counters.
    pub(super) fn lane(&self) -> &Lane {
        self.worker.shared.stats.lane(self.shared.position, self.worker.id)
    }

    /// Lets a request go, now. `due` is when it could have left at the earliest: what it is later
    /// than that is the client's doing.
    pub(super) fn release(&self, ready: Ready, number: u64, scheduled: Nanos, due: Nanos) -> Leaving {
        let released = self.worker.now();
        self.lane().scheduled();
        self.lane().released(released.since(due));
        self.shared.last_release.offer(released.0);
        Leaving { ready, number, scheduled, released }
    }

    /// A session whose turns follow one another by their own timing.
    pub(super) async fn follow(self: Rc<Self>, mut running: Running, mut leaving: Leaving, slot: Slot) {
        while let Some(Following { ready, due }) = self.turn(&mut running, leaving).await {
            if !self.wait_until(due).await {
                break;
            }
            let Some(number) = self.shared.issuer.claim() else { break };
            leaving = self.release(ready, number, due, due);
        }
        drop(slot);
        self.shared.issuer.session_ended();
    }

    /// One turn of a session whose next one waits for a tick.
    pub(super) async fn ride(self: Rc<Self>, mut running: Running, leaving: Leaving, slot: Slot) {
        if let Some(Following { ready, due }) = self.turn(&mut running, leaving).await
            && self.wait_until(due).await
        {
            self.shared.issuer.park(Waiting { running, ready, slot });
            return;
        }
        drop(slot);
        self.shared.issuer.session_ended();
    }

    /// One slot of a closed load: session after session, each as soon as the one before it ended.
    pub(super) async fn occupy(self: Rc<Self>) {
        // Nothing says when the first requests of a closed load must leave: slots open one after the
        // other, and that opening many takes a while is not lateness.
        let mut free_since = self.worker.now();
        while self.gate.is_open() {
            let Some(new) = self.shared.issuer.open_session() else { return };
            let Some(opening) = new.ready.or_else(|| self.preparer.open(new.ordinal)) else {
                self.shared.issuer.source_ended(new.ordinal, new.number);
                return;
            };
            self.nudge.notify_one();
            let Opening { running, first } = opening;
            let leaving = self.release(first, new.number, free_since, free_since);
            Rc::clone(&self).follow(running, leaving, None).await;
            free_since = self.worker.now();
        }
    }

    /// Sends one turn and makes the next one ready.
    async fn turn(&self, running: &mut Running, leaving: Leaving) -> Option<Following> {
        let is_last = leaving.ready.turn.is_last;
        let reply = self.send(running, leaving).await;
        if is_last || !self.gate.is_open() {
            return None;
        }
        let ended = self.worker.now();
        let ready = self.preparer.next(running, reply.as_ref())?;
        let due = match ready.turn.timing {
            TurnTiming::Immediately => ended,
            TurnTiming::AfterPrevious(delay_ns) => ended + delay_ns.max(0),
            // It could not have been asked before the turn before it was answered.
            TurnTiming::AtOffset(offset_ns) => (self.start() + offset_ns).max(ended),
        };
        Some(Following { ready, due })
    }

    /// Waits until `due`; `false` when nothing may be sent any more.
    async fn wait_until(&self, due: Nanos) -> bool {
        if due > self.worker.now() && self.gate.is_open() {
            let alarm = self.alarms.set(due);
            self.nudge.notify_one();
            return alarm.await;
        }
        self.gate.is_open()
    }
}
