//! Work on every core, results in order to two takers.
//!
//! Items are dealt to the threads in turn, and the takers collect from them in the same turn, so nothing
//! is sorted and nothing waits but what is next. Queues hold one item each: memory is bounded, and the
//! slowest part sets the pace.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, ScopedJoinHandle};

/// Most threads that work: beyond it the takers are the bottleneck, and memory grows with threads.
const MOST_THREADS: usize = 16;

/// Gives the two parts of `work`'s results to `first` and to `second`, each on a thread of its own, in
/// the order of `items`.
pub(super) fn in_parallel<T, A, B>(
    items: impl Iterator<Item = T>,
    work: impl Fn(T) -> (A, B) + Sync,
    first: impl FnMut(A) + Send,
    second: impl FnMut(B) + Send,
) where
    T: Send,
    A: Send,
    B: Send,
{
    let threads = thread::available_parallelism().map_or(1, std::num::NonZero::get).min(MOST_THREADS);
    let work = &work;
    thread::scope(|scope| {
        let (mut queues, mut firsts, mut seconds) = (Vec::new(), Vec::new(), Vec::new());
        let mut workers = Vec::new();
        for _ in 0..threads {
            let (queue, items) = sync_channel(1);
            let (first, first_results) = sync_channel(1);
            let (second, second_results) = sync_channel(1);
            workers.push(scope.spawn(move || work_through(&items, work, &first, &second)));
            queues.push(queue);
            firsts.push(first_results);
            seconds.push(second_results);
        }
        // The queues go with the taker: when it is done, whoever still sends to it learns that.
        let takers =
            [scope.spawn(move || collect(&firsts, first)), scope.spawn(move || collect(&seconds, second))];
        for (queue, item) in queues.iter().cycle().zip(items) {
            // A worker ends early only where it, or a taker, panicked: that is told below.
            if queue.send(item).is_err() {
                break;
            }
        }
        drop(queues);
        workers.into_iter().for_each(joined);
        takers.into_iter().for_each(joined);
    });
}

fn work_through<T, A, B>(
    items: &Receiver<T>,
    work: impl Fn(T) -> (A, B),
    first: &SyncSender<A>,
    second: &SyncSender<B>,
) {
    for item in items {
        let (one, other) = work(item);
        if first.send(one).is_err() || second.send(other).is_err() {
            return;
        }
    }
}

/// Takes results in turn until the next one will never come.
fn collect<A>(results: &[Receiver<A>], take: impl FnMut(A)) {
    results.iter().cycle().map_while(|results| results.recv().ok()).for_each(take);
}

fn joined<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_items_whatever_takes_long() {
        let (mut doubled, mut names) = (Vec::new(), Vec::new());
        let work = |item: u32| {
            if item.is_multiple_of(3) {
                thread::yield_now();
            }
            (item * 2, item.to_string())
        };
        in_parallel(0..1000, work, |item| doubled.push(item), |name| names.push(name));
        assert_eq!(doubled, (0..1000).map(|item| item * 2).collect::<Vec<_>>());
        assert_eq!(names.len(), 1000);
        assert_eq!(names.last().map(String::as_str), Some("999"));
    }

    #[test]
    fn nothing_is_no_work() {
        in_parallel(std::iter::empty::<u32>(), |item| (item, item), |_| unreachable!(), |_| unreachable!());
    }

    #[test]
    #[should_panic(expected = "a taker's own words")]
    fn a_panic_of_a_taker_ends_endless_work() {
        let refuse = |item: u64| assert!(item <= 50, "a taker's own words");
        in_parallel(0_u64.., |item| (item, item), refuse, |_| ());
    }
}
