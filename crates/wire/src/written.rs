//! The requests of a connection that the kernel has taken whole, for whoever waits for the next one.

use std::cell::{Cell, RefCell};
use std::task::{Context, Poll, Waker};

use loadgen_core::Nanos;

/// Counts requests that were written. Shared by the connection and by whoever waits.
#[derive(Debug, Default)]
pub(crate) struct Written {
    count: Cell<u64>,
    /// When the kernel had taken the last byte of the latest one.
    latest: Cell<Nanos>,
    waits: RefCell<Option<Waker>>,
}

impl Written {
    /// Notes that one more request was taken whole, the last byte at `at`.
    pub(crate) fn note(&self, at: Nanos) {
        self.count.set(self.count.get() + 1);
        self.latest.set(at);
        if let Some(waker) = self.waits.take() {
            waker.wake();
        }
    }

    /// How many there were.
    pub(crate) fn count(&self) -> u64 {
        self.count.get()
    }

    /// Ready once there were more than `before`: when the kernel had the latest. One task may wait.
    pub(crate) fn poll_more_than(&self, before: u64, cx: &Context<'_>) -> Poll<Nanos> {
        if self.count.get() > before {
            return Poll::Ready(self.latest.get());
        }
        self.waits.replace(Some(cx.waker().clone()));
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_requests_after_the_question_answer_it() {
        let written = Written::default();
        let cx = Context::from_waker(Waker::noop());
        written.note(Nanos(1));
        let before = written.count();
        assert_eq!(written.poll_more_than(before, &cx), Poll::Pending);
        written.note(Nanos(2));
        assert_eq!(written.poll_more_than(before, &cx), Poll::Ready(Nanos(2)));
    }
}
