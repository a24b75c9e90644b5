//! Runs of known lags, losses and hosts, and what is said of them.

#![allow(clippy::unwrap_used)]

mod causes;
mod thresholds;

use loadgen_core::{ErrorDetail, FailureKind, Outcome, RequestRecord, StampCounts};

use super::*;
use crate::aggregate::Aggregator;
use crate::config::MetricConfig;
use crate::fixture::{self, shifted};
use crate::request::request_metrics;
use crate::summary::{Summary, Window, Windows};

fn summary(records: &[RequestRecord]) -> Summary {
    let mut aggregator = Aggregator::new(MetricConfig::default());
    for record in records {
        aggregator.push(record, &request_metrics(record, &MetricConfig::default()));
    }
    let profiling = Window { start: fixture::START, end: fixture::START + 1_000_000_000 };
    aggregator.finish(&Windows { profiling, warmup: None })
}

fn judge(records: &[RequestRecord], host: HostFacts, schedule: ScheduleFacts) -> Quality {
    judge_all(records, RunFacts { host, schedule, ..RunFacts::default() })
}

fn judge_all(records: &[RequestRecord], facts: RunFacts) -> Quality {
    let mut input = QualityInput::default();
    for record in records {
        input.push(record);
    }
    input.judge(facts, &summary(records))
}

fn codes(quality: &Quality) -> Vec<&str> {
    quality.reasons.iter().map(|reason| reason.code.as_str()).collect()
}

fn calm() -> HostFacts {
    HostFacts { wall_seconds: 10.0, cores: 2, process_cpu_seconds: Some(1.0), ..HostFacts::default() }
}

/// Eleven requests, 100 ms apart.
fn run() -> Vec<RequestRecord> {
    (0..11).map(|number| shifted(fixture::ok(&[40, 52, 62]), number * 100)).collect()
}

/// 20 streams of 20 tokens, 20 ms apart, whose reader comes by at multiples of `period_ms` only. The
/// kernel keeps the last stamp of what a read finds; packets know them all.
fn read_every(period_ms: i64, packets: bool) -> Vec<RequestRecord> {
    let one = |number: i64| {
        let arrivals: Vec<i64> = (0..20).map(|token| 40 + number % 20 + 20 * token).collect();
        let mut record = shifted(fixture::ok(&arrivals), number * 100);
        let chunks = arrivals.len();
        for (at, arrival) in arrivals.iter().enumerate() {
            let read = (arrival / period_ms + 1) * period_ms;
            let last = *arrivals.iter().rev().find(|arrival| **arrival < read).unwrap();
            let is_shared = at > 0 && arrivals[at - 1] >= read - period_ms;
            let stamp = if packets { *arrival } else { last };
            record.chunks.offset_ns[at] = stamp * 1_000_000;
            record.chunks.read_lag_ns[at] = (read - stamp) * 1_000_000;
            let width = if is_shared && !packets { stamp - (read - period_ms) } else { 0 };
            record.chunks.uncertainty_ns[at] = width * 1_000_000;
        }
        let all = chunks as u32;
        let (packet, kernel) = if packets { (all, 0) } else { (0, all) };
        record.stamps = StampCounts { packet, kernel, user: 0 };
        record
    };
    (0..20).map(one).collect()
}

#[test]
fn a_calm_run_is_believed() {
    let schedule = ScheduleFacts { due: 11, ..ScheduleFacts::default() };
    let quality = judge(&run(), calm(), schedule);
    assert_eq!(codes(&quality), [""; 0]);
    assert!(!quality.client_limited);
    // Due 0.25 ms before the start; 1.5 ms to the first byte, all of it connecting.
    let send_lag = quality.send_lag.unwrap();
    assert_eq!((send_lag.count, send_lag.p50_ms, send_lag.max_ms), (11, 0.25, 0.25));
    assert_eq!(quality.release_lateness.unwrap().p99_ms, 0.125);
    assert_eq!(quality.read_lag.unwrap().p99_ms, 0.02);
    assert_eq!((quality.requested_rate, quality.achieved_rate), (Some(10.0), Some(10.0)));
    assert_eq!(quality.timestamp_source, TimestampSource::Kernel);
    assert_eq!((quality.uncertain_chunks.chunks, quality.uncertain_chunks.uncertain), (33, 0));
    assert_eq!(quality.process_cores_busy, Some(0.1));
    // 33 chunks from the first at 40 ms to the last at 1062 ms.
    assert_eq!(quality.token_event_rate, Some(33.0 / 1.022));
    assert_eq!(quality.reply_lag.unwrap().count, 11);
    assert_eq!((quality.remarks, quality.starved.total()), (vec![], 0));
}

#[test]
fn the_warm_up_is_passed_over_and_sources_are_told_apart() {
    let mut warm = fixture::ok(&[40, 62]);
    warm.identity.phase = loadgen_core::Phase::Warmup;
    warm.degraded = true;
    let quality = judge(&[warm], calm(), ScheduleFacts::default());
    assert_eq!((quality.requests.scheduled(), quality.send_lag, quality.requested_rate), (0, None, None));
    assert_eq!(quality.timestamp_source, TimestampSource::None);

    let mut user = fixture::ok(&[40, 62]);
    user.stamps = StampCounts { user: user.chunks.len() as u32, ..StampCounts::default() };
    let quality = judge(&[user, fixture::ok(&[40])], calm(), ScheduleFacts::default());
    assert_eq!(quality.timestamp_source, TimestampSource::Mixed);
}

#[test]
fn the_never_sent_do_not_thin_out_the_requested_rate() {
    let mut records = run();
    let mut unsent = shifted(fixture::ok(&[]), 5000);
    unsent.outcome = Outcome::NotSent;
    records.push(unsent);
    let quality = judge(&records, calm(), ScheduleFacts::default());
    assert_eq!((quality.requested_rate, quality.requests.not_sent), (Some(10.0), 1));
}

#[test]
fn what_was_due_and_what_was_sent_are_counted_over_one_span() {
    // Ten a second were due for two seconds; the client sent those of the first, and skipped the others.
    let mut records: Vec<_> = (0..20).map(|n| shifted(fixture::ok(&[40, 62]), n * 100)).collect();
    for record in &mut records[10..] {
        record.outcome = Outcome::NotSent;
        (record.instants.send_start, record.instants.request_start) = (None, None);
    }
    let rates = |records: &[RequestRecord], schedule| {
        let quality = judge(records, calm(), schedule);
        (quality.requested_rate.unwrap(), quality.achieved_rate.unwrap())
    };
    let skipped =
        ScheduleFacts { due: 20, unsent_by_client: 10, skipped_late: 10, ..ScheduleFacts::default() };
    assert_eq!(rates(&records, skipped), (10.0, 5.0));
    // An interrupt leaves over what was not due yet.
    let interrupted = ScheduleFacts { due: 10, ..ScheduleFacts::default() };
    assert_eq!(rates(&records, interrupted), (10.0, 10.0));
    // A run that was killed never wrote what was in flight.
    for record in &mut records[10..] {
        record.outcome = Outcome::Aborted;
    }
    assert_eq!(rates(&records, ScheduleFacts::default()), (10.0, 5.0));
    // Where sending took longer than the schedule, that is the span.
    for (number, record) in records.iter_mut().enumerate() {
        record.outcome = Outcome::Ok;
        record.instants.send_start = Some(fixture::START + number as i64 * 200_000_000);
    }
    assert_eq!(rates(&records, ScheduleFacts::default()), (10.0, 5.0));
}

#[test]
fn the_file_reads_back_as_it_was() {
    let host = HostFacts { steal_share: Some(0.5), worker_busy_shares: vec![0.25], ..calm() };
    let quality = judge(&run(), host, ScheduleFacts { due: 11, ..ScheduleFacts::default() });
    let json = serde_json::to_string_pretty(&quality).unwrap();
    assert_eq!(serde_json::from_str::<Quality>(&json).unwrap(), quality);
}

#[test]
fn remarks_say_what_limits_nothing() {
    let says = |quality: &Quality, code: &str| {
        assert!(!quality.client_limited, "{:?}", quality.reasons);
        quality.remarks.iter().find(|remark| remark.code == code).map(|remark| remark.message.clone())
    };
    let mut pairs = run();
    for record in &mut pairs {
        record.chunks.uncertainty_ns[2] = 10_000_000;
    }
    let quality = judge(&pairs, calm(), ScheduleFacts::default());
    let message = says(&quality, "uncertain_chunks").unwrap();
    assert!(message.starts_with("33.33 % of chunks share a read") && message.contains("--timestamps packet"));
    for record in &mut pairs {
        record.stamps = StampCounts { packet: 3, ..StampCounts::default() };
    }
    let message = says(&judge(&pairs, calm(), ScheduleFacts::default()), "uncertain_chunks").unwrap();
    assert!(!message.contains("--timestamps"), "{message}");

    let host = HostFacts { missing_stamps: 3, clock_steps: 2, ..calm() };
    let schedule = ScheduleFacts { governed: 7, ..ScheduleFacts::default() };
    let packets = PacketFacts { packets: 1000, dropped_by_kernel: 5, passed_by: 1, ..PacketFacts::default() };
    let facts = RunFacts { host, schedule, packets: Some(packets), ceiling: None };
    let quality = judge_all(&run(), facts);
    for (code, part) in [
        ("missing_stamps", "read: 3"),
        ("clock_steps", "clock: 2;"),
        ("governed", "as asked: 7"),
        ("packets_missed", "(packets dropped by the kernel: 5, records that came too fast: 1)"),
    ] {
        assert!(says(&quality, code).unwrap().contains(part), "{code}");
    }
    let mut user = run();
    user[0].stamps = StampCounts { user: 3, ..StampCounts::default() };
    assert!(
        says(&judge(&user, calm(), ScheduleFacts::default()), "user_stamps").unwrap().starts_with("3 of 33 ")
    );
    let mut told = run();
    told[0].error = Some(ErrorDetail {
        code: Some(500),
        error_type: "server_error".to_owned(),
        message: "engine died".to_owned(),
        cause: None,
        cause_chain: Vec::new(),
    });
    let quality = judge(&told, calm(), ScheduleFacts::default());
    assert!(says(&quality, "in_band_errors").unwrap().contains("told of an error: 1;"));
    assert_eq!((quality.requests.ok, quality.requests.flawless()), (11, 10));
    let mut collected = QualityInput::new(false);
    for record in &run() {
        collected.push(record);
    }
    collected.push_dropped_bodies(2);
    let mut others = QualityInput::new(false);
    others.push_dropped_bodies(1);
    collected.merge(&others);
    let quality = collected.judge(RunFacts { host: calm(), ..RunFacts::default() }, &summary(&run()));
    assert!(says(&quality, "bodies_dropped").unwrap().contains("raw export: 3 "));
    let killed = judge(&run(), HostFacts::default(), ScheduleFacts::default());
    assert!(says(&killed, "host_unknown").is_some());
}

#[test]
fn a_run_near_its_hosts_ceiling_says_so() {
    let near = |requests_per_second| {
        let cited = CeilingCited {
            file: "/var/lib/loadgen/calibration.json".to_owned(),
            measured_at: "2026-11-22T05:00:00Z".to_owned(),
            loadgen_version: "0.1.0".to_owned(),
            requests_per_second: Some(requests_per_second),
            token_events_per_second: Some(1000.0),
            open_streams: Some(0),
            ttft_error_p99_ms: None,
            gap_error_p99_ms: None,
            outside_write_share: None,
        };
        let facts = RunFacts { host: calm(), ceiling: Some(cited), ..RunFacts::default() };
        let quality = judge_all(&run(), facts);
        let said = quality.remarks.iter().find(|remark| remark.code == "near_ceiling");
        (quality.ceiling.unwrap(), said.map(|remark| remark.message.clone()))
    };
    // 10 requests a second were sent.
    let (ceiling, said) = near(12.5);
    assert_eq!((ceiling.requests_share, ceiling.open_streams_share, said), (Some(0.8), None, None));
    assert_eq!(ceiling.token_events_share, Some(33.0 / 1.022 / 1000.0));
    let said = near(12.4).1.unwrap();
    assert!(said.starts_with("the run came to 81 % of the 12 requests/s that this host"), "{said}");
}

#[test]
fn parts_of_a_run_merge_into_the_whole() {
    let mut records = read_every(60, false);
    records[2].degraded = true;
    records[3].stamps = StampCounts { packet: 20, ..StampCounts::default() };
    records[4].outcome = Outcome::Cancelled;
    records[5].identity.turn_index = 2;
    let of = |records: &[RequestRecord]| {
        let mut input = QualityInput::default();
        for record in records {
            input.push(record);
        }
        input
    };
    let summary = summary(&records);
    let facts = || RunFacts { host: calm(), ..RunFacts::default() };
    let whole = of(&records).judge(facts(), &summary);
    for at in [0, 1, 7, 20] {
        let mut merged = of(&records[at..]);
        merged.merge(&of(&records[..at]));
        assert_eq!(merged.judge(facts(), &summary), whole, "{at}");
    }
}
