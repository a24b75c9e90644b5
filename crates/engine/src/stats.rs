//! What a run has done so far, readable by any thread at any time.
//!
//! Invariant: each worker writes a lane of its own, so counting costs no shared cache line; a
//! snapshot adds the lanes. Once a phase is over, `scheduled` equals the sum of the five outcomes.
//! While it runs, a snapshot may be a request or so out of step between two counters.
//!
//! It does not compute percentiles: exact lateness is in the records.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

use loadgen_core::{FailureKind, Outcome};
use serde::{Deserialize, Serialize};

/// A release later than this is counted as late, in ns.
pub const LATE_AFTER_NS: i64 = 1_000_000;

/// Live counters of a run: one block a phase, one lane a worker.
#[derive(Debug)]
pub struct RunStats {
    phases: Vec<Box<[Lane]>>,
}

impl RunStats {
    /// Counters for a run of `phases` phases on `workers` workers, all zero.
    pub fn new(phases: usize, workers: usize) -> Self {
        let lanes = || (0..workers.max(1)).map(|_| Lane::default()).collect();
        Self { phases: (0..phases).map(|_| lanes()).collect() }
    }

    /// The counters of the phase at position `phase` in the plan, as of now; all zero for a phase
    /// that has not begun or does not exist.
    pub fn phase(&self, phase: usize) -> PhaseCounts {
        let mut counts = PhaseCounts::default();
        for lane in self.phases.get(phase).into_iter().flatten() {
            lane.add_to(&mut counts);
        }
        counts
    }

    /// The counters of all phases, in plan order.
    pub fn snapshot(&self) -> Vec<PhaseCounts> {
        (0..self.phases.len()).map(|phase| self.phase(phase)).collect()
    }

    /// Whether the counters have room for such a run.
    pub(crate) fn fits(&self, phases: usize, workers: usize) -> bool {
        self.phases.len() >= phases && self.phases.iter().all(|lanes| lanes.len() >= workers)
    }

    /// The lane of one worker in one phase.
    pub(crate) fn lane(&self, phase: usize, worker: usize) -> &Lane {
        &self.phases[phase][worker]
    }
}

/// Counters of one phase.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PhaseCounts {
    /// Requests whose time came before sending stopped.
    pub scheduled: u64,
    /// Requests on which work began.
    pub sent: u64,
    /// Complete responses with content.
    pub ok: u64,
    /// Failures of every kind.
    pub failed: u64,
    /// Of the failures, those that timed out.
    pub timeouts: u64,
    /// Cancelled by plan.
    pub cancelled: u64,
    /// Cut off by the end of the run.
    pub aborted: u64,
    /// Scheduled, never sent.
    pub not_sent: u64,
    /// Sessions whose first turn was sent.
    pub sessions_sent: u64,
    /// Sessions whose last turn came back, well or not.
    pub sessions_completed: u64,
    /// Sessions whose last turn was cut off by the end of the run.
    pub sessions_cancelled: u64,
    /// Ticks that carried nothing because every slot was taken. Not part of `scheduled`.
    pub skipped: u64,
    /// Arrivals that waited for a slot.
    pub delayed: u64,
    /// Releases more than [`LATE_AFTER_NS`] behind their time for reasons of the client.
    pub late: u64,
    /// Of the releases, those that were overdue and left all the same, as [`CatchUp::Burst`] says.
    ///
    /// [`CatchUp::Burst`]: crate::CatchUp::Burst
    pub caught_up: u64,
    /// Overdue arrivals that did not leave, as [`CatchUp::Skip`] says: records that were not sent. Where
    /// arrivals are ticks, ticks that were lost for reasons of the client; those are not part of
    /// `scheduled`, and no record is made for them.
    ///
    /// [`CatchUp::Skip`]: crate::CatchUp::Skip
    pub skipped_late: u64,
    /// Requests, and ticks, that had to wait for the ceiling of the request rate.
    pub governed: u64,
    /// Requests that had to wait for the ceiling of the connection rate.
    pub connections_governed: u64,
    /// Connections that this host could not open: no file descriptor was left, or no port.
    pub starved: u64,
    /// Requests let go by the pacer.
    pub released: u64,
    /// Sum of release lateness over `released`, ns.
    pub lateness_total_ns: u64,
    /// Worst release lateness, ns.
    pub lateness_max_ns: u64,
    /// Requests sent again on a fresh connection because a kept one turned out closed.
    pub retried_stale: u64,
    /// Connections opened or tried.
    pub connections_opened: u64,
    /// Content chunks received in finished requests.
    pub chunks: u64,
    /// Bytes of request bodies.
    pub request_bytes: u64,
    /// Bytes of response bodies.
    pub response_bytes: u64,
    /// Reads that should have had a kernel stamp and had none.
    pub unstamped_reads: u64,
    /// Steps of the wall clock that were seen while responses came.
    pub clock_steps: u64,
}

impl PhaseCounts {
    /// Requests that have ended, however.
    pub fn finished(&self) -> u64 {
        self.ok + self.failed + self.cancelled + self.aborted + self.not_sent
    }

    /// Requests under way.
    pub fn in_flight(&self) -> u64 {
        self.sent.saturating_sub(self.finished() - self.not_sent)
    }

    /// Whether every scheduled request has exactly one outcome: true at the end of every phase.
    pub fn is_balanced(&self) -> bool {
        self.scheduled == self.finished()
    }
}

macro_rules! lanes {
    ($($sum:ident),* ; $($max:ident),*) => {
        /// One worker's counters for one phase, alone on their cache lines.
        #[derive(Debug, Default)]
        #[repr(align(128))]
        pub(crate) struct Lane {
            $($sum: AtomicU64,)*
            $($max: AtomicU64,)*
        }

        impl Lane {
            fn add_to(&self, counts: &mut PhaseCounts) {
                $(counts.$sum += self.$sum.load(Relaxed);)*
                $(counts.$max = counts.$max.max(self.$max.load(Relaxed));)*
            }
        }
    };
}

lanes!(
    scheduled, sent, ok, failed, timeouts, cancelled, aborted, not_sent, skipped, delayed, late, released,
    lateness_total_ns, retried_stale, connections_opened, chunks, request_bytes, response_bytes,
    unstamped_reads, clock_steps, caught_up, skipped_late, governed, connections_governed, starved,
    sessions_sent, sessions_completed, sessions_cancelled;
    lateness_max_ns
);

impl Lane {
    /// A request's time has come.
    pub(crate) fn scheduled(&self) {
        self.scheduled.fetch_add(1, Relaxed);
    }

    /// The pacer let a request go `lateness_ns` behind its time.
    pub(crate) fn released(&self, lateness_ns: i64) {
        let lateness = u64::try_from(lateness_ns).unwrap_or(0);
        self.released.fetch_add(1, Relaxed);
        self.lateness_total_ns.fetch_add(lateness, Relaxed);
        self.lateness_max_ns.fetch_max(lateness, Relaxed);
        if lateness_ns > LATE_AFTER_NS {
            self.late.fetch_add(1, Relaxed);
        }
    }

    /// Work on a request began.
    pub(crate) fn sent(&self) {
        self.sent.fetch_add(1, Relaxed);
    }

    /// A tick carried nothing for want of a slot.
    pub(crate) fn skipped(&self) {
        self.skipped.fetch_add(1, Relaxed);
    }

    /// An arrival has to wait for a slot.
    pub(crate) fn delayed(&self) {
        self.delayed.fetch_add(1, Relaxed);
    }

    /// An overdue arrival left all the same.
    pub(crate) fn caught_up(&self) {
        self.caught_up.fetch_add(1, Relaxed);
    }

    /// An overdue arrival or tick was left out.
    pub(crate) fn skipped_late(&self) {
        self.skipped_late.fetch_add(1, Relaxed);
    }

    /// The ceiling of the request rate made something wait.
    pub(crate) fn governed(&self) {
        self.governed.fetch_add(1, Relaxed);
    }

    /// The ceiling of the connection rate made a request wait.
    pub(crate) fn connection_governed(&self) {
        self.connections_governed.fetch_add(1, Relaxed);
    }

    /// This host could not open a connection.
    pub(crate) fn starved(&self) {
        self.starved.fetch_add(1, Relaxed);
    }

    /// A kept connection turned out closed, and the request goes out again.
    pub(crate) fn retried_stale(&self) {
        self.retried_stale.fetch_add(1, Relaxed);
    }

    /// A connection is being opened.
    pub(crate) fn connection_opened(&self) {
        self.connections_opened.fetch_add(1, Relaxed);
    }

    /// A request ended.
    pub(crate) fn finished(&self, outcome: Outcome) {
        let counter = match outcome {
            Outcome::Ok => &self.ok,
            Outcome::Failed(_) => &self.failed,
            Outcome::Cancelled => &self.cancelled,
            Outcome::Aborted => &self.aborted,
            Outcome::NotSent => &self.not_sent,
        };
        counter.fetch_add(1, Relaxed);
        if outcome == Outcome::Failed(FailureKind::Timeout) {
            self.timeouts.fetch_add(1, Relaxed);
        }
    }

    /// The first turn of a session was sent.
    pub(crate) fn session_began(&self) {
        self.sessions_sent.fetch_add(1, Relaxed);
    }

    /// The last turn of a session ended.
    pub(crate) fn session_ended(&self, outcome: Outcome) {
        let counter = match outcome {
            Outcome::Ok | Outcome::Failed(_) | Outcome::Cancelled => &self.sessions_completed,
            Outcome::Aborted => &self.sessions_cancelled,
            Outcome::NotSent => return,
        };
        counter.fetch_add(1, Relaxed);
    }

    /// What was odd about the stamps of a finished request.
    pub(crate) fn stamped(&self, unstamped_reads: u32, clock_steps: u32) {
        self.unstamped_reads.fetch_add(u64::from(unstamped_reads), Relaxed);
        self.clock_steps.fetch_add(u64::from(clock_steps), Relaxed);
    }

    /// What a finished request carried.
    pub(crate) fn carried(&self, chunks: usize, request_bytes: i64, response_bytes: i64) {
        self.chunks.fetch_add(chunks as u64, Relaxed);
        self.request_bytes.fetch_add(u64::try_from(request_bytes).unwrap_or(0), Relaxed);
        self.response_bytes.fetch_add(u64::try_from(response_bytes).unwrap_or(0), Relaxed);
    }
}

/// The latest of instants offered by several threads, in ns; `i64::MIN` before the first.
#[derive(Debug)]
pub(crate) struct Latest(AtomicI64);

impl Latest {
    pub(crate) fn new() -> Self {
        Self(AtomicI64::new(i64::MIN))
    }

    pub(crate) fn offer(&self, instant: i64) {
        self.0.fetch_max(instant, Relaxed);
    }

    pub(crate) fn get(&self) -> Option<i64> {
        Some(self.0.load(Relaxed)).filter(|instant| *instant != i64::MIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_end_with_their_last_turn_whatever_became_of_it() {
        let stats = RunStats::new(1, 1);
        let lane = stats.lane(0, 0);
        for _ in 0..5 {
            lane.session_began();
        }
        for outcome in [Outcome::Ok, Outcome::Failed(FailureKind::Timeout), Outcome::Cancelled] {
            lane.session_ended(outcome);
        }
        lane.session_ended(Outcome::Aborted);
        lane.session_ended(Outcome::NotSent);
        let counts = stats.phase(0);
        assert_eq!((counts.sessions_sent, counts.sessions_completed, counts.sessions_cancelled), (5, 3, 1));
    }

    #[test]
    fn lanes_add_up_and_maxima_do_not() {
        let stats = RunStats::new(2, 2);
        for (worker, lateness) in [(0, 5), (1, 2_000_000), (1, -3)] {
            stats.lane(1, worker).scheduled();
            stats.lane(1, worker).released(lateness);
        }
        stats.lane(1, 0).sent();
        stats.lane(1, 0).finished(Outcome::Failed(FailureKind::Timeout));
        stats.lane(1, 1).finished(Outcome::NotSent);
        let counts = stats.phase(1);
        assert_eq!((counts.scheduled, counts.released, counts.late), (3, 3, 1));
        assert_eq!((counts.lateness_total_ns, counts.lateness_max_ns), (2_000_005, 2_000_000));
        assert_eq!((counts.failed, counts.timeouts, counts.not_sent), (1, 1, 1));
        assert_eq!(counts.in_flight(), 0);
        assert!(!counts.is_balanced(), "one of three has no outcome yet");
        assert_eq!(stats.phase(0), PhaseCounts::default());
        assert_eq!(stats.phase(9), PhaseCounts::default());
    }
}
