//! The tasks of a phase on one worker: how many there are, and whether one of them panicked.
//!
//! A worker that waits for its tasks one by one is woken once for each. Here a task leaves by itself,
//! and only the last one, or one that panicked, wakes the worker.
//!
//! Invariant: a place belongs to one task from before it runs until it has been dropped.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::ops::Deref;
use std::rc::Rc;

use tokio::task::JoinHandle;

use super::session::PhaseRun;

/// The places of all tasks.
#[derive(Debug, Default)]
pub(super) struct Tasks {
    places: RefCell<Vec<Option<JoinHandle<()>>>>,
    free: RefCell<Vec<usize>>,
    /// Places in use.
    present: Cell<usize>,
    /// The place of a task that panicked; the first one's.
    panicked: Cell<Option<usize>>,
}

impl Tasks {
    /// Whether every task has left.
    pub(super) fn is_empty(&self) -> bool {
        self.present.get() == 0
    }

    /// What a task panicked with, if one did.
    pub(super) async fn panic(&self) -> Option<Box<dyn Any + Send>> {
        let place = self.panicked.get()?;
        let handle = self.places.borrow_mut()[place].take()?;
        handle.await.err().and_then(|error| error.try_into_panic().ok())
    }

    fn enter(&self) -> usize {
        self.present.set(self.present.get() + 1);
        if let Some(place) = self.free.borrow_mut().pop() {
            return place;
        }
        let mut places = self.places.borrow_mut();
        places.push(None);
        places.len() - 1
    }

    /// Gives a place back. True when somebody has to look: it was the last one, or panicked.
    fn leave(&self, place: usize, is_panicking: bool) -> bool {
        self.present.set(self.present.get() - 1);
        if is_panicking {
            self.panicked.set(self.panicked.get().or(Some(place)));
            return true;
        }
        self.places.borrow_mut()[place] = None;
        self.free.borrow_mut().push(place);
        self.is_empty()
    }
}

/// A task's place in its phase, held for as long as the task is alive.
pub(super) struct Presence {
    run: Rc<PhaseRun>,
    place: usize,
}

impl PhaseRun {
    /// Starts a task on this worker. It runs when the worker's loop yields, not before.
    pub(super) fn spawn<F: Future<Output = ()> + 'static>(self: &Rc<Self>, task: impl FnOnce(Presence) -> F) {
        let place = self.tasks.enter();
        let handle = tokio::task::spawn_local(task(Presence { run: Rc::clone(self), place }));
        self.tasks.places.borrow_mut()[place] = Some(handle);
    }
}

impl Deref for Presence {
    type Target = PhaseRun;

    fn deref(&self) -> &PhaseRun {
        &self.run
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        if self.run.tasks.leave(self.place, std::thread::panicking()) {
            self.run.nudge.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_used_again_and_the_last_to_leave_calls() {
        let tasks = Tasks::default();
        let places = [tasks.enter(), tasks.enter()];
        assert_eq!(places, [0, 1]);
        assert!(!tasks.leave(0, false));
        assert_eq!(tasks.enter(), 0);
        assert!(!tasks.leave(1, false));
        assert!(tasks.leave(0, false));
        assert!(tasks.is_empty());
    }

    #[test]
    fn a_panic_calls_whoever_is_left() {
        let tasks = Tasks::default();
        tasks.enter();
        tasks.enter();
        assert!(tasks.leave(1, true));
        assert!(!tasks.is_empty());
        assert_eq!(tasks.panicked.get(), Some(1));
        assert_eq!(tasks.enter(), 2, "its place is kept for its message");
    }
}
