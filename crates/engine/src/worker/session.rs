//! Sessions under way on one worker: turn after turn, however they are handed out.
//!
//! Invariant: a session ends at its last turn, at the limit, or when the gate closes; whichever it
//! is, its slot falls free then and not before.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use loadgen_core::{Nanos, TurnTiming};
use loadgen_wire::Connection;
use tokio::sync::{Mutex, Notify};

use super::Worker;
use super::request::Sent;
use super::tasks::{Presence, Tasks};
use crate::alarms::Alarms;
use crate::cancellation::Lottery;
use crate::gate::Gate;
use crate::phase::{PhaseShared, Place, Slot, Waiting};
use crate::policy::ConnectionReuse;
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
    /// Of requests in flight; they ring on after sending has ended.
    pub(super) lasting: Alarms,
    /// The connections of sessions under way, where each has its own; by ordinal.
    pub(super) own_connections: RefCell<HashMap<u64, Connection>>,
    /// Who waits for the ceiling of the request rate, first come first served.
    request_queue: Mutex<()>,
    /// Who waits for the ceiling of the connection rate.
    connection_queue: Mutex<()>,
    /// Tells the worker's loop that alarms were set, prepared sessions were used up, or all tasks have left.
    pub(super) nudge: Notify,
    pub(super) tasks: Tasks,
    /// The phase's zero.
    start: Cell<Nanos>,
}

/// A request let go.
pub(super) struct Leaving {
    pub(super) ready: Box<Ready>,
    /// Its number within the phase.
    pub(super) number: u64,
    /// When it was meant to leave.
    pub(super) scheduled: Nanos,
    /// When it was let go.
    pub(super) released: Nanos,
    /// Its place before the first content, if it has one already.
    pub(super) place: Place,
}

/// The turn that follows, and when it may leave.
struct Following {
    ready: Box<Ready>,
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
            lasting: Alarms::new(),
            own_connections: RefCell::default(),
            request_queue: Mutex::new(()),
            connection_queue: Mutex::new(()),
            nudge: Notify::new(),
            tasks: Tasks::default(),
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
    pub(super) fn release(&self, ready: Box<Ready>, number: u64, scheduled: Nanos, due: Nanos) -> Leaving {
        let released = self.worker.now();
        self.lane().scheduled();
        self.lane().released(released.since(due));
        self.shared.last_release.offer(released.0);
        Leaving { ready, number, scheduled, released, place: None }
    }

    /// The turns of a session, one after the other by their own timing. Gives the end of the last one.
    async fn turns(&self, running: &mut Running, mut leaving: Leaving) -> Nanos {
        loop {
            let (ended, following) = self.turn(running, leaving).await;
            let Some(Following { ready, due }) = following else { return ended };
            if !self.wait_until(due).await {
                return ended;
            }
            let Some(may_leave_at) = self.pass(due).await else { return ended };
            let Some(number) = self.shared.issuer.claim() else { return ended };
            leaving = self.release(ready, number, due, may_leave_at);
        }
    }

    pub(super) fn end_session(&self, running: &Running, slot: Slot) {
        if self.is_sticky() {
            self.own_connections.borrow_mut().remove(&running.ordinal);
        }
        drop(slot);
        self.shared.issuer.session_ended();
    }

    /// Whether each session has a connection of its own.
    pub(super) fn is_sticky(&self) -> bool {
        self.worker.shared.config.policy.connection_reuse == ConnectionReuse::StickyUserSessions
    }

    /// Waits until the ceiling of the request rate lets something pass that could leave at `due`, and says
    /// from when on it could; `None` when nothing may be sent any more.
    async fn pass(&self, due: Nanos) -> Option<Nanos> {
        let Some(ceiling) = &self.worker.shared.request_ceiling else { return Some(due) };
        let _turn = self.request_queue.lock().await;
        let mut may_leave_at = due;
        while let Err(until) = ceiling.pass() {
            if may_leave_at == due {
                self.lane().governed();
            }
            may_leave_at = until;
            if !self.wait_until(until).await {
                return None;
            }
        }
        Some(may_leave_at)
    }

    /// Waits until the ceiling of the connection rate lets another one be opened.
    pub(super) async fn pass_to_connect(&self) {
        let Some(ceiling) = &self.worker.shared.connection_ceiling else { return };
        let mut is_counted = false;
        let _turn = self.connection_queue.lock().await;
        while let Err(until) = ceiling.pass() {
            if !std::mem::replace(&mut is_counted, true) {
                self.lane().connection_governed();
            }
            self.wait_in_flight(until).await;
        }
    }

    /// Waits until `due`, also when sending has ended.
    pub(super) async fn wait_in_flight(&self, due: Nanos) {
        if due > self.worker.now() {
            let alarm = self.lasting.set(due);
            self.nudge.notify_one();
            // Nobody silences these.
            alarm.await;
        }
    }

    /// Sends one turn and makes the next one ready. Gives the turn's end too.
    ///
    /// What follows is due after the arrival of the reply, not after our reading it: a client that reads
    /// late sends late, and that must show.
    async fn turn(&self, running: &mut Running, leaving: Leaving) -> (Nanos, Option<Following>) {
        let is_last = leaving.ready.turn.is_last;
        let Sent { reply, ended } = self.send(running, leaving).await;
        if is_last || !self.gate.is_open() {
            return (ended, None);
        }
        let Some(ready) = self.preparer.next(running, reply.as_ref()) else { return (ended, None) };
        let due = match ready.turn.timing {
            TurnTiming::Immediately => ended,
            TurnTiming::AfterPrevious(delay_ns) => ended + delay_ns.max(0),
            // It could not have been asked before the turn before it was answered.
            TurnTiming::AtOffset(offset_ns) => (self.start() + offset_ns).max(ended),
        };
        (ended, Some(Following { ready, due }))
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

/// A session whose turns follow one another by their own timing.
pub(super) async fn follow(run: Presence, mut running: Running, leaving: Leaving, slot: Slot) {
    run.turns(&mut running, leaving).await;
    run.end_session(&running, slot);
}

/// One turn of a session whose next one waits for a tick.
pub(super) async fn ride(run: Presence, mut running: Running, leaving: Leaving, slot: Slot) {
    if let (_, Some(Following { ready, due })) = run.turn(&mut running, leaving).await
        && run.wait_until(due).await
    {
        let home = run.is_sticky().then_some(run.worker.id);
        run.shared.issuer.park(home, Waiting { running, ready, slot });
        return;
    }
    run.end_session(&running, slot);
}

/// One slot of a closed load: session after session, each as soon as the one before it ended.
pub(super) async fn occupy(run: Presence) {
    // Nothing says when the first requests of a closed load must leave: slots open one after the
    // other, and that opening many takes a while is not lateness.
    let mut free_since = run.worker.now();
    while run.gate.is_open() {
        let Some(may_leave_at) = run.pass(free_since).await else { return };
        let Some(new) = run.shared.issuer.open_session() else { return };
        let Some(opening) = new.ready.or_else(|| run.preparer.open(new.ordinal)) else {
            run.shared.issuer.source_ended(new.ordinal, new.number);
            return;
        };
        run.nudge.notify_one();
        let Opening { mut running, first } = opening;
        let leaving = run.release(first, new.number, free_since, may_leave_at);
        free_since = run.turns(&mut running, leaving).await;
        run.end_session(&running, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size_of_output<A, B, C, D, F>(_: fn(A, B, C, D) -> F) -> usize {
        size_of::<F>()
    }

    /// Each open stream has one of these, whatever else it needs.
    #[test]
    fn the_task_of_a_request_stays_small() {
        let bytes = size_of_output(follow);
        assert!(bytes < 4_608, "{bytes} bytes");
    }
}
