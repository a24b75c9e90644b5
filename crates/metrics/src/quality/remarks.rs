//! What a reader should know of a run beside what limits it.

use super::lag::Tail;
use super::{LagStats, Quality, Remark, verdict};
use crate::summary::Summary;

/// Above this share of uncertain chunks it is worth saying why, and what would make them certain.
const MANY_UNCERTAIN: f64 = 0.01;
/// From this share of a ceiling on, a run is near it.
const NEAR_CEILING: f64 = 0.80;
/// A machine this busy makes whoever wants to run wait.
const MACHINE_BUSY: f64 = 0.95;

/// Every remark that applies: first whose doing a limited run is, then how exact arrivals are.
pub(super) fn remarks(quality: &Quality, summary: &Summary) -> Vec<Remark> {
    let found = [
        ("machine_busy", machine_busy(quality)),
        ("few_left_late", few_left_late(quality, summary)),
        ("few_read_late", few_read_late(quality, summary)),
        ("uncertain_chunks", uncertain_chunks(quality)),
        ("user_stamps", user_stamps(quality)),
        ("missing_stamps", missing_stamps(quality)),
        ("packets_missed", packets_missed(quality)),
        ("clock_steps", clock_steps(quality)),
        ("in_band_errors", in_band_errors(quality)),
        ("bodies_dropped", bodies_dropped(quality)),
        ("caught_up", caught_up(quality)),
        ("governed", governed(quality)),
        ("near_ceiling", near_ceiling(quality)),
        ("host_unknown", host_unknown(quality)),
    ];
    let said = found.into_iter().filter_map(|(code, message)| Some((code, message?)));
    said.map(|(code, message)| Remark { code: code.to_owned(), message }).collect()
}

/// Whose CPU it was, where the client was late and used little of it.
fn machine_busy(quality: &Quality) -> Option<String> {
    let (busy, own) = (quality.host.machine_busy_share?, quality.process_cores_busy?);
    let cores = quality.host.cores;
    let others_took_it = busy > MACHINE_BUSY && own < f64::from(cores) / 2.0;
    (quality.client_limited && others_took_it).then(|| {
        format!(
            "the machine was {:.0} % busy, and this client had {own:.2} of its {cores} cores: the rest went to others",
            busy * 100.0
        )
    })
}

fn few_left_late(quality: &Quality, summary: &Summary) -> Option<String> {
    let limit = verdict::send_lag_limit_ms(summary);
    few_late(
        quality,
        "send_lag",
        quality.send_lag?,
        limit,
        "of {} requests the latest left {} ms after it was due",
    )
}

fn few_read_late(quality: &Quality, summary: &Summary) -> Option<String> {
    // Stamps of packets do not mind a late reader.
    let lag = quality.read_lag.filter(|_| quality.stamps.packet == 0)?;
    let limit = verdict::read_lag_limit_ms(summary);
    few_late(quality, "read_lag", lag, limit, "of {} chunks the latest was read {} ms after it arrived")
}

/// Late ones where there are too few, of too few, to tell anything of one in a hundred.
fn few_late(quality: &Quality, code: &str, lag: LagStats, limit_ms: f64, what: &str) -> Option<String> {
    let is_few = lag.count < Tail::PERCENTILE_NEEDS && lag.max_ms > limit_ms;
    let has_reason = quality.reasons.iter().any(|reason| reason.code == code);
    (is_few && !has_reason).then(|| {
        let what =
            what.replacen("{}", &lag.count.to_string(), 1).replacen("{}", &format!("{:.3}", lag.max_ms), 1);
        format!("{what}: fewer than {} so late ones limit nothing", Tail::LEAST_LATE)
    })
}

/// Those that the client caused are a reason, which says so; these came together.
fn uncertain_chunks(quality: &Quality) -> Option<String> {
    let chunks = &quality.uncertain_chunks;
    let has_reason = quality.reasons.iter().any(|reason| reason.code == "uncertain_chunks");
    if chunks.share <= MANY_UNCERTAIN || has_reason {
        return None;
    }
    let what = format!(
        "{:.2} % of chunks share a read although the client was there: the server writes several at a time, \
         or the network joins them",
        100.0 * chunks.share
    );
    if quality.stamps.packet > 0 {
        return Some(what);
    }
    Some(format!("{what}; --timestamps packet (Linux, needs CAP_NET_RAW) tells their arrivals apart"))
}

fn user_stamps(quality: &Quality) -> Option<String> {
    let user = quality.stamps.user;
    (user > 0).then(|| {
        let all = quality.uncertain_chunks.chunks;
        format!(
            "{user} of {all} chunks were stamped when this process read them: how late it was cannot be told of them"
        )
    })
}

fn missing_stamps(quality: &Quality) -> Option<String> {
    let missing = quality.host.missing_stamps;
    (missing > 0)
        .then(|| format!("reads without the kernel's stamp, which count from when they were read: {missing}"))
}

fn packets_missed(quality: &Quality) -> Option<String> {
    let packets = quality.packets?;
    let missed = [
        (packets.dropped_by_kernel, "packets dropped by the kernel"),
        (packets.unanchored_flows, "connections that could not be placed"),
        (packets.passed_by, "records that came too fast"),
        (packets.contradicted, "chunks that disagreed with their packet"),
    ];
    let said: Vec<String> = missed
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{what}: {count}"))
        .collect();
    (!said.is_empty()).then(|| {
        format!(
            "the packet tap did not see everything ({}); those chunks keep the socket's stamp",
            said.join(", ")
        )
    })
}

fn clock_steps(quality: &Quality) -> Option<String> {
    let steps = quality.host.clock_steps;
    (steps > 0)
        .then(|| format!("steps of the wall clock: {steps}; the kernel's stamps were placed anew after each"))
}

/// AIPerf passes over what loadgen takes for a failure: who reads its figures should know.
fn in_band_errors(quality: &Quality) -> Option<String> {
    let told = quality.requests.in_band_errors;
    (told > 0).then(|| {
        format!(
            "responses inside which the server told of an error: {told}; AIPerf's figures, and so the tables above, \
             count them as successes"
        )
    })
}

fn bodies_dropped(quality: &Quality) -> Option<String> {
    let requests = quality.bodies_dropped;
    (requests > 0).then(|| {
        format!(
            "requests without payload and responses in the raw export: {requests} (their lines say \
             loadgen_bodies_dropped): they were longer than 16 MiB, or storage could not keep up; write the results to \
             a faster disk, lower the load, or do without --export-level raw. No figure misses them"
        )
    })
}

fn caught_up(quality: &Quality) -> Option<String> {
    let overdue = quality.schedule.caught_up;
    (overdue > 0).then(|| {
        format!("requests that were overdue and left at once: {overdue}; the server saw bursts that the schedule did not ask for")
    })
}

fn governed(quality: &Quality) -> Option<String> {
    let held = quality.schedule.governed;
    (held > 0).then(|| format!("requests held back by --max-request-rate, as asked: {held}"))
}

fn near_ceiling(quality: &Quality) -> Option<String> {
    let ceiling = quality.ceiling.as_ref()?;
    let cited = &ceiling.cited;
    let shares = [
        (ceiling.requests_share, cited.requests_per_second, "requests/s"),
        (ceiling.token_events_share, cited.token_events_per_second, "token events/s"),
        (ceiling.open_streams_share, cited.open_streams.map(|most| most as f64), "open streams"),
    ];
    let known = shares.into_iter().filter_map(|(share, most, unit)| Some((share?, most?, unit)));
    let (share, most, unit) = known.max_by(|left, right| left.0.total_cmp(&right.0))?;
    (share > NEAR_CEILING).then(|| {
        format!(
            "the run came to {:.0} % of the {most:.0} {unit} that this host was measured to reach ({}): little was \
             left for bursts",
            share * 100.0,
            cited.measured_at
        )
    })
}

/// A run that was killed could not say what its host did.
fn host_unknown(quality: &Quality) -> Option<String> {
    let is_unknown = quality.host.wall_seconds == 0.0 && quality.send_lag.is_some();
    is_unknown
        .then(|| "the run did not end in order: CPU, steal and what was left unsent are not known".to_owned())
}
