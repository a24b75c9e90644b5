//! The verdict on the client in words: the same on the console and on the page.
//!
//! Everything here is plain text; whoever shows it escapes, wraps and colours it.

use loadgen_metrics::{LagStats, Quality};

use crate::console::grouped;

/// Whether there is nothing that the client could have measured well or badly.
pub(crate) fn is_unmeasured(quality: &Quality) -> bool {
    !quality.client_limited && quality.send_lag.is_none() && quality.read_lag.is_none()
}

/// The verdict in a line.
pub(crate) fn headline(quality: &Quality) -> &'static str {
    if quality.client_limited {
        return "CLIENT LIMITED: the figures above say as much about the client as about the server";
    }
    if is_unmeasured(quality) {
        return "no response was received, so there was nothing to measure";
    }
    "the client kept up"
}

/// The client's lags, in the order in which a request meets them.
pub(crate) fn lags(quality: &Quality) -> Vec<(&'static str, LagStats)> {
    let all = [
        ("Released after its time", quality.release_lateness),
        ("First byte after its time", quality.send_lag),
        ("Chunk read after arrival", quality.read_lag),
        ("Width of uncertain arrivals", quality.uncertain_chunks.width),
    ];
    all.into_iter().filter_map(|(name, stats)| Some((name, stats?))).collect()
}

/// What else tells how good the measurement was, as (name, value).
pub(crate) fn facts(quality: &Quality) -> Vec<(&'static str, String)> {
    [
        ("Arrivals", arrivals(quality)),
        ("Uncertain chunks", uncertain(quality)),
        ("Packets", packets(quality)),
        ("Rate", rate(quality)),
        ("Schedule", schedule(quality)),
        ("Sent again because a kept connection had been closed", count(quality.schedule.retried_stale)),
        ("Records without chunk lists", count(quality.degraded_records)),
        ("CPU", cpu(quality)),
        ("This host's ceiling", ceiling(quality)),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value?)))
    .collect()
}

fn arrivals(quality: &Quality) -> Option<String> {
    let stamps = quality.stamps;
    let sources = [
        (stamps.packet, "the kernel, packet by packet"),
        (stamps.kernel, "the kernel, on the socket"),
        (stamps.user, "this process, when it read them"),
    ];
    let used: Vec<_> = sources.into_iter().filter(|(chunks, _)| *chunks > 0).collect();
    match used[..] {
        [] => None,
        [(chunks, name)] => Some(format!("stamped by {name} ({} chunks)", number(chunks))),
        _ => {
            let parts: Vec<String> =
                used.iter().map(|(chunks, name)| format!("{} by {name}", number(*chunks))).collect();
            Some(format!("chunks stamped: {}", parts.join(", ")))
        }
    }
}

fn uncertain(quality: &Quality) -> Option<String> {
    let chunks = &quality.uncertain_chunks;
    if chunks.chunks == 0 {
        return None;
    }
    if chunks.uncertain == 0 {
        return Some("none".to_owned());
    }
    let width =
        chunks.width.map_or_else(String::new, |width| format!("; within {:.3} ms at p99", width.p99_ms));
    Some(format!(
        "{} of {} ({}), {} of them because the client read late ({}){width}",
        number(chunks.uncertain),
        number(chunks.chunks),
        percent(chunks.share),
        number(chunks.late),
        percent(chunks.late_share),
    ))
}

fn packets(quality: &Quality) -> Option<String> {
    let packets = quality.packets?;
    Some(format!(
        "{} seen, {} dropped by the kernel, {} connections followed",
        number(packets.packets),
        number(packets.dropped_by_kernel),
        number(packets.flows)
    ))
}

fn rate(quality: &Quality) -> Option<String> {
    let sent = quality.achieved_rate?;
    // A closed load asks for no rate.
    let due = quality.requested_rate.filter(|_| !quality.schedule.waits_for_replies);
    let due = due.map_or_else(String::new, |due| format!(", {}/s due", brief(due)));
    let chunks =
        quality.token_event_rate.map_or_else(String::new, |rate| format!("; {} chunks/s", brief(rate)));
    Some(format!("{} requests/s sent{due}{chunks}", brief(sent)))
}

fn schedule(quality: &Quality) -> Option<String> {
    let schedule = &quality.schedule;
    let events = [
        (schedule.skipped_ticks, "ticks skipped at the cap"),
        (schedule.delayed, "arrivals delayed at the cap"),
        (schedule.governed, "held back by the ceiling of the rate"),
        (schedule.caught_up, "overdue and sent at once"),
        (schedule.skipped_late, "overdue and left out"),
    ];
    let said: Vec<String> = events
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{} {what}", number(*count)))
        .collect();
    (!said.is_empty()).then(|| said.join(", "))
}

fn cpu(quality: &Quality) -> Option<String> {
    let host = &quality.host;
    let busiest = host.worker_busy_shares.iter().copied().reduce(f64::max);
    let parts = [
        quality.process_cores_busy.map(|busy| format!("client {busy:.2} of {} cores", host.cores)),
        busiest.map(|share| format!("busiest worker {}", percent(share))),
        host.machine_busy_share.map(|share| format!("machine {} busy", percent(share))),
        host.steal_share.map(|share| format!("{} stolen from it", percent(share))),
    ];
    let said: Vec<String> = parts.into_iter().flatten().collect();
    (!said.is_empty()).then(|| said.join(", "))
}

fn ceiling(quality: &Quality) -> Option<String> {
    let ceiling = quality.ceiling.as_ref()?;
    let cited = &ceiling.cited;
    let parts = [
        (cited.requests_per_second, "requests/s", ceiling.requests_share),
        (cited.token_events_per_second, "token events/s", ceiling.token_events_share),
        (cited.open_streams.map(|most| most as f64), "open streams", ceiling.open_streams_share),
    ];
    let said: Vec<String> = parts
        .into_iter()
        .filter_map(|(most, unit, share)| {
            let used = share.map_or_else(String::new, |share| format!(" ({} used)", percent(share)));
            Some(format!("{} {unit}{used}", brief(most?)))
        })
        .collect();
    (!said.is_empty()).then(|| format!("{}; measured {}", said.join(", "), cited.measured_at))
}

/// A figure for a glance: three significant digits, thousands parted.
pub(crate) fn brief(value: f64) -> String {
    match value.abs() {
        _ if !value.is_finite() => crate::console::MISSING.to_owned(),
        a if a >= 1000.0 => grouped(&format!("{value:.0}")),
        a if a >= 99.95 => format!("{value:.0}"),
        a if a >= 9.995 => format!("{value:.1}"),
        0.0 => "0".to_owned(),
        _ => format!("{value:.2}"),
    }
}

fn number(count: u64) -> String {
    grouped(&count.to_string())
}

/// A count that is only worth saying above zero.
fn count(events: u64) -> Option<String> {
    (events > 0).then(|| number(events))
}

fn percent(share: f64) -> String {
    format!("{:.2}%", 100.0 * share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_for_a_glance() {
        for (value, text) in [
            (0.0, "0"),
            (0.126, "0.13"),
            (16.76, "16.8"),
            (99.94, "99.9"),
            (99.96, "100"),
            (41_234.6, "41,235"),
            (f64::NAN, "N/A"),
        ] {
            assert_eq!(brief(value), text);
        }
    }
}
