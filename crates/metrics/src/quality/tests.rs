#![allow(clippy::unwrap_used)]

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
    let mut input = QualityInput::default();
    for record in records {
        input.push(record);
    }
    input.finish(host, schedule, &summary(records))
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
}

#[test]
fn each_threshold_is_a_reason_of_its_own() {
    let mut uncertain = run();
    uncertain[3].chunks.uncertainty_ns[1] = 400_000;
    uncertain[3].chunks.read_lag_ns[1] = 1_000_001;
    let quality = judge(&uncertain, calm(), ScheduleFacts::default());
    // One late chunk of 33 is also their p99.
    assert_eq!(codes(&quality), ["uncertain_chunks", "read_lag"]);
    assert_eq!(quality.uncertain_chunks.width.unwrap().max_ms, 0.4);

    // Twice the floor, for TTFT is 40 ms: 5 % of it are 2 ms.
    let late = |ms: f64| {
        let mut records = run();
        let lag = ms * 1e6;
        records[5].instants.scheduled = records[5].instants.request_start.map(|start| start - lag as i64);
        judge(&records, calm(), ScheduleFacts::default())
    };
    assert_eq!(codes(&late(2.0)), [""; 0]);
    assert_eq!(codes(&late(2.1)), ["send_lag"]);

    let mut slow = run();
    slow[0].chunks.read_lag_ns[0] = 1_100_000;
    assert_eq!(codes(&judge(&slow, calm(), ScheduleFacts::default())), ["read_lag"]);

    let unsent = |unsent_by_client| ScheduleFacts { due: 1000, unsent_by_client, ..ScheduleFacts::default() };
    assert_eq!(codes(&judge(&run(), calm(), unsent(10))), [""; 0]);
    assert_eq!(codes(&judge(&run(), calm(), unsent(11))), ["schedule_not_sent"]);

    let mut degraded = run();
    degraded[0].degraded = true;
    assert_eq!(codes(&judge(&degraded, calm(), ScheduleFacts::default())), ["records_degraded"]);

    let busy = HostFacts { worker_busy_shares: vec![0.2, 0.91], ..calm() };
    assert_eq!(codes(&judge(&run(), busy, ScheduleFacts::default())), ["workers_busy"]);
    let stolen = HostFacts { steal_share: Some(0.011), ..calm() };
    let quality = judge(&run(), stolen, ScheduleFacts::default());
    assert_eq!(codes(&quality), ["steal"]);
    assert!(quality.client_limited);
    assert_eq!((quality.reasons[0].measured, quality.reasons[0].threshold), (0.011, 0.01));
}

#[test]
fn a_server_that_writes_several_chunks_at_once_is_not_the_clients_fault() {
    let mut pairs = run();
    for record in &mut pairs {
        record.chunks.uncertainty_ns.fill(12_000_000);
        // As late as it may be: the client was there.
        record.chunks.read_lag_ns.fill(1_000_000);
    }
    let quality = judge(&pairs, calm(), ScheduleFacts::default());
    assert_eq!(codes(&quality), [""; 0]);
    let chunks = quality.uncertain_chunks;
    assert_eq!((chunks.chunks, chunks.uncertain, chunks.share), (33, 33, 1.0));
    assert_eq!((chunks.late, chunks.late_share), (0, 0.0));

    // One of 99 late: 1.01 %. It is among the uncertain, so it counts as the client's.
    let mut records: Vec<_> = (0..33).map(|n| shifted(fixture::ok(&[40, 52, 62]), n * 100)).collect();
    records[0].chunks.read_lag_ns[2] = 1_000_001;
    assert_eq!(judge(&records, calm(), ScheduleFacts::default()).uncertain_chunks.late, 0, "known exactly");
    records[0].chunks.uncertainty_ns[2] = 1;
    let quality = judge(&records, calm(), ScheduleFacts::default());
    assert_eq!((quality.uncertain_chunks.late, quality.uncertain_chunks.late_share), (1, 1.0 / 99.0));
    assert_eq!(quality.reasons[0].code, "uncertain_chunks");
}

#[test]
fn workers_that_did_nothing_are_not_busy() {
    let shares = vec![0.25, f64::NAN, f64::INFINITY, 1.8e19, -0.5, 0.0];
    let host = HostFacts { worker_busy_shares: shares, ..calm() };
    let quality = judge(&run(), host, ScheduleFacts::default());
    assert_eq!(codes(&quality), [""; 0]);
    assert_eq!(quality.host.worker_busy_shares, [0.25, 0.0]);

    let host = HostFacts { worker_busy_shares: vec![0.25, 1.002], ..calm() };
    let quality = judge(&run(), host, ScheduleFacts::default());
    assert_eq!(codes(&quality), ["workers_busy"]);
    assert_eq!(quality.reasons[0].measured, 1.0);
}

#[test]
fn a_host_out_of_descriptors_is_told_from_a_server_that_refuses() {
    let refused = |message: &str| {
        let mut records = run();
        records[0].outcome = Outcome::Failed(FailureKind::ConnectError);
        records[0].error = Some(ErrorDetail {
            code: None,
            error_type: "ClientConnectorError".to_owned(),
            message: "cannot connect".to_owned(),
            cause: Some(message.to_owned()),
            cause_chain: vec![message.to_owned()],
        });
        judge(&records, calm(), ScheduleFacts { due: 11, ..ScheduleFacts::default() })
    };
    let starved = refused("Too many open files (os error 24)");
    assert_eq!((codes(&starved), starved.schedule.unsent_by_client), (vec!["schedule_not_sent"], 1));
    let server = refused("Connection refused (os error 111)");
    assert_eq!((server.client_limited, server.schedule.unsent_by_client), (false, 0));
}

#[test]
fn waiting_for_a_slot_is_the_plans_doing() {
    let mut record = fixture::ok(&[40, 62]);
    record.instants.scheduled = Some(fixture::START - 5_000_000_000);
    let mut input = QualityInput::new(true);
    input.push(&record);
    let records = [record];
    let quality = input.finish(calm(), ScheduleFacts::default(), &summary(&records));
    assert_eq!(quality.send_lag.unwrap().max_ms, 0.0);
    assert!(!quality.client_limited);
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
fn the_file_reads_back_as_it_was() {
    let host = HostFacts { steal_share: Some(0.5), worker_busy_shares: vec![0.25], ..calm() };
    let quality = judge(&run(), host, ScheduleFacts { due: 11, ..ScheduleFacts::default() });
    let json = serde_json::to_string_pretty(&quality).unwrap();
    assert_eq!(serde_json::from_str::<Quality>(&json).unwrap(), quality);
}
