//! The thresholds above which a run says of itself that the client limited it.

use super::{Quality, Reason};
use crate::summary::Summary;

/// Greatest share of uncertain chunks that were read late. Those read at once are uncertain too, and
/// not for anything that the client did.
const LATE_UNCERTAIN_SHARE: f64 = 0.01;
/// Send lag p99 may be this many ms, or [`SEND_LAG_OF_TTFT`] of the median time to first token,
/// whichever is more.
const LAG_FLOOR_MS: f64 = 1.0;
const SEND_LAG_OF_TTFT: f64 = 0.05;
/// Read lag p99 may be [`LAG_FLOOR_MS`], or this much of the median inter token latency.
const READ_LAG_OF_ITL: f64 = 0.10;
/// Least share of the schedule that the client must have sent.
const SENT_SHARE: f64 = 0.99;
/// Greatest share of a core that a worker may have used.
const WORKER_BUSY: f64 = 0.90;
/// Greatest share of CPU time that others may have taken.
const STEAL: f64 = 0.01;

/// Every threshold that was passed.
pub(super) fn reasons(quality: &Quality, summary: &Summary) -> Vec<Reason> {
    [
        uncertain_chunks(quality),
        send_lag(quality, summary),
        read_lag(quality, summary),
        schedule_not_sent(quality),
        records_degraded(quality),
        workers_busy(quality),
        steal(quality),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn uncertain_chunks(quality: &Quality) -> Option<Reason> {
    let share = quality.uncertain_chunks.late_share;
    above("uncertain_chunks", share, LATE_UNCERTAIN_SHARE, || {
        format!(
            "{:.2} % of chunks share a read that came more than 1 ms late, so their arrival is only known \
             as an interval; give the client more CPU or fewer streams",
            share * 100.0
        )
    })
}

fn send_lag(quality: &Quality, summary: &Summary) -> Option<Reason> {
    let p99 = quality.send_lag?.p99_ms;
    let limit = LAG_FLOOR_MS.max(SEND_LAG_OF_TTFT * median(summary, "time_to_first_token"));
    above("send_lag", p99, limit, || {
        format!(
            "one request in a hundred left {p99:.3} ms or more after it was due; lower the rate or give the client more CPU"
        )
    })
}

fn read_lag(quality: &Quality, summary: &Summary) -> Option<Reason> {
    let p99 = quality.read_lag?.p99_ms;
    let limit = LAG_FLOOR_MS.max(READ_LAG_OF_ITL * median(summary, "inter_token_latency"));
    above("read_lag", p99, limit, || {
        format!(
            "one chunk in a hundred was read {p99:.3} ms or more after it arrived; give the client more CPU"
        )
    })
}

fn schedule_not_sent(quality: &Quality) -> Option<Reason> {
    let (due, unsent) = (quality.schedule.due, quality.schedule.unsent_by_client);
    if due == 0 {
        return None;
    }
    let sent = 1.0 - unsent as f64 / due as f64;
    (sent < SENT_SHARE).then(|| Reason {
        code: "schedule_not_sent".to_owned(),
        message: format!(
            "of {due} requests due, {unsent} were never sent or found no file descriptor or port on this \
             host; lower the rate, or raise the limit (ulimit -n)"
        ),
        measured: sent,
        threshold: SENT_SHARE,
    })
}

fn records_degraded(quality: &Quality) -> Option<Reason> {
    let degraded = quality.degraded_records;
    above("records_degraded", degraded as f64, 0.0, || {
        format!("{degraded} records lost their chunk lists because storage could not keep up")
    })
}

fn workers_busy(quality: &Quality) -> Option<Reason> {
    let busiest = quality.host.worker_busy_shares.iter().copied().reduce(f64::max)?;
    above("workers_busy", busiest, WORKER_BUSY, || {
        format!(
            "the busiest worker used {:.0} % of its core; lower the load or give more cores",
            busiest * 100.0
        )
    })
}

fn steal(quality: &Quality) -> Option<Reason> {
    let share = quality.host.steal_share?;
    above("steal", share, STEAL, || {
        format!("the hypervisor gave {:.2} % of this machine's CPU time to others", share * 100.0)
    })
}

fn above(code: &str, measured: f64, threshold: f64, message: impl FnOnce() -> String) -> Option<Reason> {
    (measured > threshold).then(|| Reason { code: code.to_owned(), message: message(), measured, threshold })
}

/// The median of a latency in ms; 0 when the run has none, which leaves the floor as the limit.
fn median(summary: &Summary, tag: &str) -> f64 {
    summary.get(tag).and_then(|stats| stats.percentile(50)).unwrap_or(0.0)
}
