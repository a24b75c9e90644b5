//! Things that are due at an instant, in order.
//!
//! Invariant: what is due leaves in order of its instant, and of its arrival where instants are
//! equal. It does not wait; the pacer does.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use loadgen_core::Nanos;

/// A queue ordered by due time, then by insertion.
#[derive(Debug)]
pub(crate) struct DueQueue<T> {
    heap: BinaryHeap<Entry<T>>,
    inserted: u64,
}

impl<T> DueQueue<T> {
    pub(crate) fn new() -> Self {
        Self { heap: BinaryHeap::new(), inserted: 0 }
    }

    pub(crate) fn push(&mut self, due: Nanos, item: T) {
        self.heap.push(Entry { due, order: self.inserted, item });
        self.inserted += 1;
    }

    /// The earliest due time.
    pub(crate) fn next_due(&self) -> Option<Nanos> {
        self.heap.peek().map(|entry| entry.due)
    }

    /// The earliest item, if it is due by `now`.
    pub(crate) fn pop_due(&mut self, now: Nanos) -> Option<T> {
        if self.next_due()? > now {
            return None;
        }
        self.heap.pop().map(|entry| entry.item)
    }

    pub(crate) fn clear(&mut self) {
        self.heap.clear();
    }
}

/// Greatest first out of a `BinaryHeap`, so the comparison is turned round.
#[derive(Debug)]
struct Entry<T> {
    due: Nanos,
    order: u64,
    item: T,
}

impl<T> Ord for Entry<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.due, other.order).cmp(&(self.due, self.order))
    }
}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<T> Eq for Entry<T> {}

#[cfg(test)]
mod tests {
    use super::*;
    use loadgen_core::{Clock, ManualClock};
    use proptest::prelude::*;

    #[test]
    fn nothing_leaves_before_its_time_and_equals_keep_their_order() {
        let clock = ManualClock::at(Nanos(0));
        let mut queue = DueQueue::new();
        for (due, name) in [(20, "c"), (10, "a"), (10, "b")] {
            queue.push(Nanos(due), name);
        }
        clock.advance(9);
        assert_eq!(queue.pop_due(clock.now()), None);
        clock.advance(1);
        assert_eq!(queue.pop_due(clock.now()), Some("a"));
        assert_eq!(queue.pop_due(clock.now()), Some("b"));
        assert_eq!(queue.pop_due(clock.now()), None);
        assert_eq!(queue.next_due(), Some(Nanos(20)));
    }

    proptest! {
        #[test]
        fn everything_leaves_once_in_stable_order(dues in proptest::collection::vec(0_i64..50, 0..200)) {
            let mut queue = DueQueue::new();
            for (position, due) in dues.iter().enumerate() {
                queue.push(Nanos(*due), (*due, position));
            }
            let left: Vec<_> = std::iter::from_fn(|| queue.pop_due(Nanos(i64::MAX))).collect();
            let mut expected: Vec<_> = dues.iter().copied().zip(0..).collect();
            expected.sort_unstable();
            prop_assert_eq!(left, expected);
        }
    }
}
