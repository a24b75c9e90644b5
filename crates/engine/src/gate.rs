//! The two steps in which a worker ends a phase: first nothing new is sent, then what is in flight
//! is dropped.
//!
//! Invariant: a gate only ever moves forward. It does not know why or when it should.

use std::cell::Cell;

use tokio::sync::Notify;

/// How far the end of a phase has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// Requests may leave.
    Open,
    /// Nothing new leaves; what is in flight may finish.
    Closed,
    /// What is still in flight is aborted.
    Cut,
}

/// One worker's gate for one phase.
#[derive(Debug)]
pub(crate) struct Gate {
    stage: Cell<Stage>,
    moved: Notify,
}

impl Gate {
    pub(crate) fn new() -> Self {
        Self { stage: Cell::new(Stage::Open), moved: Notify::new() }
    }

    pub(crate) fn stage(&self) -> Stage {
        self.stage.get()
    }

    pub(crate) fn is_open(&self) -> bool {
        self.stage.get() == Stage::Open
    }

    /// Moves on to `stage`; a stage already passed is left alone.
    pub(crate) fn advance(&self, stage: Stage) {
        if stage > self.stage.get() {
            self.stage.set(stage);
            self.moved.notify_waiters();
        }
    }

    /// Returns when `stage` has been reached.
    pub(crate) async fn reached(&self, stage: Stage) {
        while self.stage.get() < stage {
            // One thread: the stage cannot move between the test and the wait's registration.
            self.moved.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn it_opens_never_again() {
        let gate = Gate::new();
        assert!(gate.is_open());
        gate.advance(Stage::Cut);
        gate.advance(Stage::Closed);
        assert!(!gate.is_open());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(gate.reached(Stage::Cut));
        runtime.block_on(gate.reached(Stage::Closed));
    }
}
