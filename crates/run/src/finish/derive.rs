//! What follows from a record alone: its metrics, whether it is good, its line. The part of finishing
//! that every core can share.

use loadgen_core::{Outcome, RequestRecord};
use loadgen_metrics::{MetricConfig, RequestMetrics, request_metrics};
use loadgen_report::RecordLines;

/// A record with all that follows from it alone.
pub(super) struct Row {
    pub(super) record: RequestRecord,
    pub(super) metrics: RequestMetrics,
    /// Its line of the per-request file, where one is wanted.
    pub(super) line: Option<String>,
}

/// Works rows out.
pub(super) struct Derive {
    pub(super) config: MetricConfig,
    /// Renders lines, where they are wanted.
    pub(super) lines: Option<RecordLines>,
}

impl Derive {
    /// The row of a record.
    pub(super) fn row(&self, mut record: RequestRecord) -> Row {
        let metrics = request_metrics(&record, &self.config);
        record.good = self.good(&record, &metrics);
        let line = self.lines.as_ref().and_then(|lines| lines.line(&record, &metrics));
        Row { record, metrics, line }
    }

    /// Whether a request met every objective; `None` without objectives.
    fn good(&self, record: &RequestRecord, metrics: &RequestMetrics) -> Option<bool> {
        if self.config.slos.is_empty() {
            return None;
        }
        Some(record.outcome == Outcome::Ok && metrics.get("good_request_count") == Some(1.0))
    }
}

/// Applies `work` to each of `items` on every core; order is kept.
pub(super) fn on_all_cores<T: Send, U: Send>(items: Vec<T>, work: impl Fn(T) -> U + Sync) -> Vec<U> {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let share = items.len().div_ceil(threads).max(1);
    let mut rest = items.into_iter();
    let next_share = || Some(rest.by_ref().take(share).collect()).filter(|part: &Vec<T>| !part.is_empty());
    let shares: Vec<Vec<T>> = std::iter::from_fn(next_share).collect();
    let work = &work;
    std::thread::scope(|scope| {
        let running: Vec<_> = shares
            .into_iter()
            .map(|part| scope.spawn(move || part.into_iter().map(work).collect::<Vec<U>>()))
            .collect();
        running
            .into_iter()
            .flat_map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_on_all_cores_keeps_its_order() {
        let items: Vec<u32> = (0..1000).collect();
        let doubled: Vec<u32> = items.iter().map(|item| item * 2).collect();
        assert_eq!(on_all_cores(items, |item| item * 2), doubled);
        assert_eq!(on_all_cores(Vec::<u32>::new(), |item| item), Vec::<u32>::new());
    }
}
