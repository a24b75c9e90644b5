//! The thresholds above which a run says of itself that the client limited it.
//!
//! Each asks whether the client bent a figure, not whether it was busy. A verdict by a 99th percentile needs
//! three late samples at least ([`Tail`]); fewer are a remark.
//!
//! * **Schedule not sent.** Less than 99 % of what was due was sent, for reasons of the client: never
//!   released, skipped as too late, or without a descriptor, port or memory on this host.
//! * **Send lag**, p99: the server saw another load than the schedule says. What counts is the latency that
//!   is measured: 1 ms, or 5 % of the median time to first token (of the request latency, where responses
//!   are not streamed).
//! * **Uncertain chunks** that the client caused: gaps between tokens that are not known to the instant.
//! * **Read lag**, p99: an arrival stamped on the connection's socket is exact while its reader is less
//!   than a gap late; above a tenth of a gap that is no longer safe. Stamps of packets do not mind a late
//!   reader, so there only the lag of the *last* chunk counts, and only where requests wait for replies:
//!   the next turn of a conversation or the next request of a closed load leaves that much later.
//! * **Records degraded**: their chunk lists are missing from the figures.
//! * **Workers busy** above 90 % of a core: what comes next waits for the client.
//! * **Steal** above 1 %, and 50 ms in all: the machine stood still for that share of the time, the kernel's
//!   stamps of both kinds included, so that no source of time can excuse it.

use super::input::Tails;
use super::lag::Tail;
use super::{Quality, Reason};
use crate::summary::Summary;

/// Least share of the schedule that the client must have sent.
const SENT_SHARE: f64 = 0.99;
/// Send lag p99 may be this many ms, or [`SEND_LAG_OF_TTFT`] of the median time to first token,
/// whichever is more.
const LAG_FLOOR_MS: f64 = 1.0;
const SEND_LAG_OF_TTFT: f64 = 0.05;
/// Greatest share of chunks that the client left uncertain. Those read at once are uncertain too, and not
/// for anything that the client did.
const LATE_UNCERTAIN_SHARE: f64 = 0.01;
/// Read lag p99 may be [`LAG_FLOOR_MS`], or this much of the median inter token latency.
const READ_LAG_OF_ITL: f64 = 0.10;
/// Greatest share of a core that a worker may have used.
const WORKER_BUSY: f64 = 0.90;
/// Greatest share of CPU time that others may have taken.
const STEAL: f64 = 0.01;
/// Less than this in all tells nothing: the kernel counts in ticks of 10 ms, of which one is several
/// percent of a short run.
const LEAST_STOLEN_SECONDS: f64 = 0.05;

/// A reason, and how telling it is: 1 at its threshold, 100 at the worst that can be.
struct Found {
    reason: Reason,
    weight: f64,
}

/// Every threshold that was passed, the one passed by most first; of equals causes before effects.
pub(super) fn reasons(quality: &Quality, tails: Tails, summary: &Summary) -> Vec<Reason> {
    let mut found: Vec<Found> = [
        workers_busy(quality),
        steal(quality),
        schedule_not_sent(quality),
        send_lag(quality, tails, summary),
        uncertain_chunks(quality),
        read_lag(quality, tails, summary),
        records_degraded(quality),
    ]
    .into_iter()
    .flatten()
    .collect();
    // What a read lag threatens has happened where chunks are uncertain.
    if let Some(happened) = found.iter().find(|found| found.reason.code == "uncertain_chunks") {
        let most = happened.weight;
        let threats = found.iter_mut().filter(|found| found.reason.code == "read_lag");
        threats.for_each(|threat| threat.weight = threat.weight.min(most));
    }
    found.sort_by(|left, right| right.weight.total_cmp(&left.weight));
    found.into_iter().map(|found| found.reason).collect()
}

/// How late requests may leave.
pub(super) fn send_lag_limit_ms(summary: &Summary) -> f64 {
    let latency = median(summary, "time_to_first_token").or(median(summary, "request_latency"));
    LAG_FLOOR_MS.max(SEND_LAG_OF_TTFT * latency.unwrap_or(0.0))
}

/// How late chunks may be read.
pub(super) fn read_lag_limit_ms(summary: &Summary) -> f64 {
    LAG_FLOOR_MS.max(READ_LAG_OF_ITL * median(summary, "inter_token_latency").unwrap_or(0.0))
}

/// A reason for a figure that may be at most `threshold`; `None` for one that is. Its weight is how many
/// times the threshold it is.
fn above(code: &str, measured: f64, threshold: f64, say: impl FnOnce() -> (String, String)) -> Option<Found> {
    if measured <= threshold || measured.is_nan() {
        return None;
    }
    let (message, remedy) = say();
    let weight = (measured / threshold).min(100.0);
    Some(Found { reason: Reason { code: code.to_owned(), message, remedy, measured, threshold }, weight })
}

fn workers_busy(quality: &Quality) -> Option<Found> {
    let busiest = quality.host.worker_busy_shares.iter().copied().reduce(f64::max)?;
    let mut found = above("workers_busy", busiest, WORKER_BUSY, || {
        (
            format!(
                "the busiest worker used {:.0} % of its core (at most {:.0} %)",
                busiest * 100.0,
                WORKER_BUSY * 100.0
            ),
            "lower the load or give the client more cores".to_owned(),
        )
    })?;
    // A core has no more than 100 % to give: the last tenth counts in full.
    found.weight = 1.0 + 99.0 * (busiest - WORKER_BUSY) / (1.0 - WORKER_BUSY);
    Some(found)
}

fn steal(quality: &Quality) -> Option<Found> {
    let host = &quality.host;
    let share = host.steal_share?;
    if share * host.wall_seconds * f64::from(host.cores) < LEAST_STOLEN_SECONDS {
        return None;
    }
    above("steal", share, STEAL, || {
        (
            format!(
                "the hypervisor gave {} of this machine's CPU time to others (at most 1 %)",
                percent(share)
            ),
            "run again, or on a machine with cores of its own".to_owned(),
        )
    })
}

fn schedule_not_sent(quality: &Quality) -> Option<Found> {
    let schedule = &quality.schedule;
    // Overdue arrivals that were left out are among the unsent; ticks that were are not even due.
    let lost_ticks = schedule.skipped_late.saturating_sub(quality.requests.not_sent);
    let (due, unsent) = (schedule.due + lost_ticks, schedule.unsent_by_client + lost_ticks);
    if due == 0 {
        return None;
    }
    let sent = 1.0 - unsent as f64 / due as f64;
    let starved = &quality.starved;
    let causes = [
        (starved.files, "found no file descriptor", "raise the limit on open files (ulimit -n)"),
        (
            starved.ports,
            "found no local port",
            "give more addresses to leave from (--source-addresses), or widen net.ipv4.ip_local_port_range",
        ),
        (starved.memory, "found no memory for a socket", "open fewer connections at once"),
        (unsent.saturating_sub(starved.total()), "were too late to be sent", less_load(quality)),
    ];
    let most = causes.iter().max_by_key(|(count, ..)| *count).map_or("", |(.., remedy)| *remedy);
    let parts: Vec<String> = causes
        .iter()
        .filter(|(count, ..)| *count > 0)
        .map(|(count, what, _)| format!("{count} {what}"))
        .collect();
    let missing = 1.0 - sent;
    let mut found = above("schedule_not_sent", missing, 1.0 - SENT_SHARE, || {
        let message = format!(
            "of {due} requests due, {} were not sent (at most 1 %): {}",
            percent(missing),
            parts.join(", ")
        );
        (message, most.to_owned())
    })?;
    (found.reason.measured, found.reason.threshold) = (sent, SENT_SHARE);
    Some(found)
}

/// What a client that was late wants.
fn less_load(quality: &Quality) -> &'static str {
    if quality.schedule.waits_for_replies {
        return "lower the concurrency or give the client more CPU";
    }
    "lower the rate or give the client more CPU"
}

fn send_lag(quality: &Quality, tails: Tails, summary: &Summary) -> Option<Found> {
    let tail = tails.send?;
    let lag = tail.lag_ms;
    let limit = send_lag_limit_ms(summary);
    above("send_lag", lag, limit, || {
        let rates = match (quality.requested_rate, quality.achieved_rate) {
            // A closed load asks for no rate.
            (Some(asked), Some(sent)) if sent < SENT_SHARE * asked && !quality.schedule.waits_for_replies => {
                format!("asked for {asked:.1} requests/s the client sent {sent:.1}: ")
            }
            _ => String::new(),
        };
        (
            format!(
                "{rates}{} left {lag:.3} ms or more after {} due (at most {limit:.3} ms)",
                tail.subject("request"),
                tail.number("it was", "they were")
            ),
            less_load(quality).to_owned(),
        )
    })
}

fn uncertain_chunks(quality: &Quality) -> Option<Found> {
    let chunks = &quality.uncertain_chunks;
    if chunks.late < Tail::LEAST_LATE.min(chunks.chunks) {
        return None;
    }
    let share = chunks.late_share;
    above("uncertain_chunks", share, LATE_UNCERTAIN_SHARE, || {
        let cpu = "give the client more CPU or fewer streams";
        let remedy = if quality.stamps.packet > 0 {
            cpu.to_owned()
        } else {
            format!(
                "stamp each segment with --timestamps packet (Linux, needs CAP_NET_RAW), which a late reader \
                 cannot bend, or {cpu}"
            )
        };
        (
            format!(
                "the client read {} of chunks so late that the kernel had merged them with others (at most 1 %): \
                 their arrival is only known as an interval",
                percent(share)
            ),
            remedy,
        )
    })
}

fn read_lag(quality: &Quality, tails: Tails, summary: &Summary) -> Option<Found> {
    let limit = read_lag_limit_ms(summary);
    let late = |tail: Tail, one: &str, was: [&str; 2], so: &str| {
        let lag = tail.lag_ms;
        above("read_lag", lag, limit, || {
            let (what, done) = (tail.subject(one), tail.number(was[0], was[1]));
            let it = tail.number("it", "they");
            let message =
                format!("{what} {done} {lag:.3} ms or more after {it} arrived (at most {limit:.3} ms){so}");
            (message, "give the client more CPU".to_owned())
        })
    };
    let chunks = tails.socket_read.and_then(|tail| late(tail, "chunk", ["was read", "were read"], ""));
    chunks.or_else(|| {
        let tail = tails.reply.filter(|_| tails.replies_awaited && quality.stamps.packet > 0)?;
        let so = ", and what waited for it left that much later";
        late(tail, "reply", ["was noticed", "were noticed"], so)
    })
}

fn records_degraded(quality: &Quality) -> Option<Found> {
    let degraded = quality.degraded_records;
    let mut found = above("records_degraded", degraded as f64, 0.0, || {
        (
            format!("{degraded} records lost their chunk lists because storage could not keep up"),
            "lower the load, or write the results to a faster disk".to_owned(),
        )
    })?;
    let share = degraded as f64 / quality.requests.scheduled().max(1) as f64;
    found.weight = (100.0 * share).clamp(1.0, 100.0);
    Some(found)
}

fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

/// The median of a latency in ms.
fn median(summary: &Summary, tag: &str) -> Option<f64> {
    summary.get(tag).and_then(|stats| stats.percentile(50))
}
