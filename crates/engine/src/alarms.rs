//! Wakes the tasks of a worker at their instants, by the worker's one pacer.
//!
//! Invariant: nobody is woken early, and whoever waits when the alarms are silenced learns it. It
//! does not sleep itself: the worker's loop asks for the next instant and fires.

use std::cell::RefCell;

use loadgen_core::Nanos;
use tokio::sync::oneshot;

use crate::due::DueQueue;

/// The pending alarms of one worker.
#[derive(Debug)]
pub(crate) struct Alarms {
    pending: RefCell<DueQueue<oneshot::Sender<()>>>,
}

impl Alarms {
    pub(crate) fn new() -> Self {
        Self { pending: RefCell::new(DueQueue::new()) }
    }

    /// Sets an alarm. It resolves to whether it rang; `false` when the alarms were silenced first.
    pub(crate) fn set(&self, due: Nanos) -> impl Future<Output = bool> + use<> {
        let (ring, rung) = oneshot::channel();
        self.pending.borrow_mut().push(due, ring);
        async { rung.await.is_ok() }
    }

    pub(crate) fn next_due(&self) -> Option<Nanos> {
        self.pending.borrow().next_due()
    }

    /// Rings everything due by `now`.
    pub(crate) fn fire(&self, now: Nanos) {
        while let Some(ring) = self.pending.borrow_mut().pop_due(now) {
            // Whoever no longer waits does not mind.
            let _ = ring.send(());
        }
    }

    /// Ends every wait without ringing.
    pub(crate) fn silence(&self) {
        self.pending.borrow_mut().clear();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn alarms_ring_when_due_and_tell_when_silenced() {
        let alarms = Alarms::new();
        let (soon, late) = (alarms.set(Nanos(5)), alarms.set(Nanos(9)));
        alarms.fire(Nanos(4));
        assert_eq!(alarms.next_due(), Some(Nanos(5)));
        alarms.fire(Nanos(5));
        alarms.silence();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        assert!(runtime.block_on(soon));
        assert!(!runtime.block_on(late));
    }
}
