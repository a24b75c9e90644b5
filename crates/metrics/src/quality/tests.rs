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
fn each_threshold_is_a_reason_of_its_own() {
    let mut uncertain = run();
    for record in &mut uncertain[3..6] {
        record.chunks.uncertainty_ns[1] = 400_000;
        record.chunks.read_lag_ns[1] = 1_000_001;
    }
    let quality = judge(&uncertain, calm(), ScheduleFacts::default());
    // Three late chunks of 33 are enough for both.
    assert_eq!(codes(&quality), ["uncertain_chunks", "read_lag"]);
    assert_eq!(quality.uncertain_chunks.width.unwrap().max_ms, 0.4);

    // Twice the floor, for TTFT is 40 ms: 5 % of it are 2 ms.
    let late = |ms: f64| {
        let mut records = run();
        let lag = ms * 1e6;
        for record in &mut records[5..8] {
            record.instants.scheduled = record.instants.request_start.map(|start| start - lag as i64);
        }
        judge(&records, calm(), ScheduleFacts::default())
    };
    assert_eq!(codes(&late(2.0)), [""; 0]);
    assert_eq!(codes(&late(2.1)), ["send_lag"]);
    assert!(late(2.1).reasons[0].message.starts_with("3 of 11 requests left 2.100 ms or more after they"));

    let mut slow = run();
    slow[0].chunks.read_lag_ns.fill(1_100_000);
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

    // Three of 102 late. They are among the uncertain, so they count as the client's.
    let mut records: Vec<_> = (0..34).map(|n| shifted(fixture::ok(&[40, 52, 62]), n * 100)).collect();
    records[0].chunks.read_lag_ns.fill(1_000_001);
    assert_eq!(judge(&records, calm(), ScheduleFacts::default()).uncertain_chunks.late, 0, "known exactly");
    records[0].chunks.uncertainty_ns.fill(1);
    let quality = judge(&records, calm(), ScheduleFacts::default());
    assert_eq!((quality.uncertain_chunks.late, quality.uncertain_chunks.late_share), (3, 3.0 / 102.0));
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
    for (message, counts, remedy) in [
        ("Too many open files (os error 24)", (1, 0, 0), "ulimit -n"),
        ("Cannot assign requested address (os error 99)", (0, 1, 0), "--source-addresses"),
        ("Can't assign requested address (os error 49)", (0, 1, 0), "--source-addresses"),
        ("No buffer space available (os error 105)", (0, 0, 1), "fewer connections"),
        ("Cannot allocate memory (os error 12)", (0, 0, 1), "fewer connections"),
    ] {
        let starved = refused(message);
        assert_eq!((codes(&starved), starved.schedule.unsent_by_client), (vec!["schedule_not_sent"], 1));
        let Starved { files, ports, memory } = starved.starved;
        assert_eq!((files, ports, memory), counts, "{message}");
        assert!(starved.reasons[0].remedy.contains(remedy), "{:?}", starved.reasons);
    }
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
    let facts = RunFacts { host: calm(), ..RunFacts::default() };
    let quality = input.judge(facts, &summary(&records));
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
fn one_hiccup_among_few_samples_is_a_remark() {
    let mut records = run();
    records[5].instants.scheduled = records[5].instants.request_start.map(|start| start - 300_000_000);
    records[3].chunks.read_lag_ns[1..].fill(40_000_000);
    records[3].chunks.uncertainty_ns[1..].fill(12_000_000);
    let quality = judge(&records, calm(), ScheduleFacts::default());
    assert_eq!(codes(&quality), [""; 0]);
    let says = |code: &str| &quality.remarks.iter().find(|remark| remark.code == code).unwrap().message;
    assert_eq!(
        says("few_left_late"),
        "of 11 requests the latest left 300.000 ms after it was due: fewer than 3 so late ones limit nothing"
    );
    assert!(says("few_read_late").starts_with("of 33 chunks the latest was read 40.000 ms after it arrived"));
    assert_eq!((quality.send_lag.unwrap().p99_ms, quality.uncertain_chunks.late), (300.0, 2));

    // Of 210 requests two are not one in a hundred; three are.
    let mut many: Vec<_> = (0..210).map(|number| shifted(fixture::ok(&[40, 62]), number * 10)).collect();
    let mut delay = |upto: usize| {
        for record in &mut many[..upto] {
            record.instants.scheduled = record.instants.request_start.map(|start| start - 300_000_000);
        }
        judge(&many, calm(), ScheduleFacts::default())
    };
    assert_eq!(codes(&delay(2)), [""; 0]);
    let quality = delay(3);
    assert_eq!(codes(&quality), ["send_lag"]);
    assert!(quality.reasons[0].message.starts_with("one request in a hundred left 300.000 ms or more"));
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
fn a_tick_or_two_of_stolen_time_in_a_short_run_limit_nothing() {
    let judged = |wall_seconds, share| {
        let host = HostFacts { wall_seconds, steal_share: Some(share), ..calm() };
        codes(&judge(&run(), host, ScheduleFacts::default())).len()
    };
    // Of two cores, 40 ms and 60 ms.
    assert_eq!((judged(0.2, 0.1), judged(0.2, 0.15), judged(10.0, 0.011)), (0, 1, 1));
}

#[test]
fn a_closed_load_is_told_to_lower_its_concurrency() {
    let mut records = run();
    for record in &mut records {
        record.instants.scheduled = record.instants.request_start.map(|start| start - 300_000_000);
    }
    for (waits_for_replies, what) in [(true, "lower the concurrency"), (false, "lower the rate")] {
        let schedule =
            ScheduleFacts { due: 11, unsent_by_client: 1, waits_for_replies, ..ScheduleFacts::default() };
        let quality = judge(&records, calm(), schedule);
        assert_eq!(codes(&quality), ["send_lag", "schedule_not_sent"]);
        assert!(
            quality.reasons.iter().all(|reason| reason.remedy.starts_with(what)),
            "{:?}",
            quality.reasons
        );
    }
}

#[test]
fn the_file_reads_back_as_it_was() {
    let host = HostFacts { steal_share: Some(0.5), worker_busy_shares: vec![0.25], ..calm() };
    let quality = judge(&run(), host, ScheduleFacts { due: 11, ..ScheduleFacts::default() });
    let json = serde_json::to_string_pretty(&quality).unwrap();
    assert_eq!(serde_json::from_str::<Quality>(&json).unwrap(), quality);
}

/// At most so much passes, and the least bit more does not.
fn passes_up_to(figure: f64, more: f64, code: &str, judge: impl Fn(f64) -> Quality) {
    let quality = judge(figure);
    assert!(!codes(&quality).contains(&code), "{figure}: {:?}", quality.reasons);
    let quality = judge(figure + more);
    assert!(codes(&quality).contains(&code), "{}: {:?}", figure + more, quality.reasons);
}

#[test]
fn every_threshold_passes_at_its_bound_and_not_above() {
    passes_up_to(0.9, 1e-9, "workers_busy", |busy| {
        let host = HostFacts { worker_busy_shares: vec![busy], ..calm() };
        judge(&run(), host, ScheduleFacts::default())
    });
    passes_up_to(0.01, 1e-9, "steal", |steal| {
        let host = HostFacts { steal_share: Some(steal), ..calm() };
        judge(&run(), host, ScheduleFacts::default())
    });
    passes_up_to(10.0, 1.0, "schedule_not_sent", |unsent| {
        let schedule =
            ScheduleFacts { due: 1000, unsent_by_client: unsent as u64, ..ScheduleFacts::default() };
        judge(&run(), calm(), schedule)
    });
    // 5 % of 40 ms; of 10 ms that would be half a millisecond, and the floor is 1 ms.
    for (first_token_ms, limit_ms) in [(40, 2.0), (10, 1.0)] {
        passes_up_to(limit_ms * 1e6, 1.0, "send_lag", |lag| {
            let mut records = vec![fixture::ok(&[first_token_ms, first_token_ms + 22])];
            records[0].instants.scheduled = Some(fixture::START - lag as i64);
            judge(&records, calm(), ScheduleFacts::default())
        });
    }
    // The mean gap between tokens is 22 ms by 7, or 210 ms by 7, of which a tenth is more than the floor.
    for (last_ms, limit_ns) in [(62, 1_000_000.0), (250, 3_000_000.0)] {
        passes_up_to(limit_ns, 1.0, "read_lag", |lag| {
            let mut records = vec![fixture::ok(&[40, last_ms])];
            records[0].chunks.read_lag_ns.fill(lag as i64);
            judge(&records, calm(), ScheduleFacts::default())
        });
    }
    // Three of three hundred chunks are 1 %.
    passes_up_to(3.0, 1.0, "uncertain_chunks", |late| {
        let mut records = vec![fixture::ok(&[40, 45, 52, 62]); 75];
        for record in &mut records[..late as usize] {
            record.chunks.uncertainty_ns[1] = 5_000_000;
            record.chunks.read_lag_ns[1] = 1_000_000;
        }
        judge(&records, calm(), ScheduleFacts::default())
    });
    passes_up_to(0.0, 1.0, "records_degraded", |degraded| {
        let mut records = run();
        for record in &mut records[..degraded as usize] {
            record.degraded = true;
        }
        judge(&records, calm(), ScheduleFacts::default())
    });
}

#[test]
fn how_late_a_merged_read_was_is_held_against_its_interval() {
    let late = |width_ns, lag_ns| {
        let mut record = fixture::ok(&[40, 62]);
        (record.chunks.uncertainty_ns[1], record.chunks.read_lag_ns[1]) = (width_ns, lag_ns);
        judge(&[record], calm(), ScheduleFacts::default()).uncertain_chunks.late
    };
    for (width_ns, most_ns) in
        [(20_000_000, 1_000_000), (5_000_000, 500_000), (1_000_000, 200_000), (1, 200_000)]
    {
        assert_eq!((late(width_ns, most_ns), late(width_ns, most_ns + 1)), (0, 1), "{width_ns}");
    }
}

#[test]
fn without_streams_the_send_lag_is_held_against_the_whole_latency() {
    let limit = |streaming| {
        let config = MetricConfig { streaming, ..MetricConfig::default() };
        let mut record = fixture::ok(&[800]);
        record.instants.scheduled = Some(fixture::START - 100_000_000);
        let mut aggregator = Aggregator::new(config.clone());
        aggregator.push(&record, &request_metrics(&record, &config));
        let profiling = Window { start: fixture::START, end: fixture::START + 1_000_000_000 };
        let summary = aggregator.finish(&Windows { profiling, warmup: None });
        let mut input = QualityInput::default();
        input.push(&record);
        input.judge(RunFacts::default(), &summary).reasons[0].threshold
    };
    assert_eq!((limit(true), limit(false)), (40.0, 40.0));
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
fn forced_a_client_starved_of_cpu() {
    let host = HostFacts { machine_busy_share: Some(0.998), worker_busy_shares: vec![0.2], ..calm() };
    let quality = judge(&read_every(200, false), host, ScheduleFacts::default());
    assert!(quality.client_limited);
    assert_eq!(codes(&quality), ["uncertain_chunks", "read_lag"]);
    let first = &quality.reasons[0];
    assert!(first.remedy.starts_with("stamp each segment with --timestamps packet"), "{}", first.remedy);
    let whose = quality.remarks.iter().find(|remark| remark.code == "machine_busy").unwrap();
    assert!(whose.message.starts_with("the machine was 100 % busy, and this client had 0.10 of its 2 cores"));
    assert!(!quality.remarks.iter().any(|remark| remark.code == "uncertain_chunks"), "said once");
}

#[test]
fn packets_make_a_late_reader_harmless_unless_something_waits_for_it() {
    let quality = judge(&read_every(200, true), calm(), ScheduleFacts::default());
    assert_eq!(codes(&quality), [""; 0]);
    assert_eq!((quality.timestamp_source, quality.stamps.packet), (TimestampSource::Packet, 400));
    assert!(quality.read_lag.unwrap().p99_ms > 100.0, "it is reported all the same");

    let closed = ScheduleFacts { waits_for_replies: true, ..ScheduleFacts::default() };
    let quality = judge(&read_every(200, true), calm(), closed);
    assert_eq!(codes(&quality), ["read_lag"]);
    assert!(quality.reasons[0].message.contains("what waited for it left that much later"));
    let mut turns = read_every(200, true);
    turns[7].identity.turn_index = 1;
    assert_eq!(codes(&judge(&turns, calm(), ScheduleFacts::default())), ["read_lag"]);

    // One chunk that the tap missed puts its record's lags among those that can bend arrivals.
    let mut missed = read_every(200, true);
    missed[3].stamps = StampCounts { packet: 19, kernel: 1, user: 0 };
    let quality = judge(&missed, calm(), ScheduleFacts::default());
    assert_eq!((codes(&quality), quality.timestamp_source), (vec!["read_lag"], TimestampSource::Mixed));
}

#[test]
fn forced_asked_for_more_than_the_host_can_send() {
    let records: Vec<_> = (0..1000)
        .map(|number| {
            let mut record = fixture::ok(&[40, 52, 62]);
            record.connection.connect_ns = None;
            record.instants.scheduled = Some(fixture::START + number * 50_000);
            record.instants.send_start = Some(fixture::START + number * 500_000);
            record
        })
        .collect();
    let host = HostFacts { worker_busy_shares: vec![1.0, 0.99], ..calm() };
    let schedule = ScheduleFacts { due: 1000, caught_up: 977, ..ScheduleFacts::default() };
    let quality = judge(&records, host, schedule);
    assert!(quality.client_limited);
    assert_eq!(codes(&quality), ["workers_busy", "send_lag"]);
    let message = &quality.reasons[1].message;
    assert!(
        message.starts_with("asked for 20000.0 requests/s the client sent 2000.0: one request"),
        "{message}"
    );
    assert_eq!(quality.remarks[0].code, "caught_up");

    // A closed load asks for no rate.
    let mut input = QualityInput::default();
    for record in &records {
        input.push(record);
    }
    let schedule = ScheduleFacts { waits_for_replies: true, ..ScheduleFacts::default() };
    let quality = input.judge(RunFacts { schedule, ..RunFacts::default() }, &summary(&records));
    assert!(quality.reasons[0].message.starts_with("one request in a hundred left"), "{:?}", quality.reasons);
}

#[test]
fn forced_too_few_file_descriptors() {
    let mut records: Vec<_> = (0..200).map(|number| shifted(fixture::ok(&[40, 62]), number)).collect();
    for record in &mut records[100..150] {
        record.outcome = Outcome::Failed(FailureKind::ConnectError);
        record.error = Some(ErrorDetail {
            code: None,
            error_type: "ClientConnectorError".to_owned(),
            message: "Too many open files (os error 24)".to_owned(),
            cause: None,
            cause_chain: Vec::new(),
        });
    }
    let schedule = ScheduleFacts { due: 200, unsent_by_client: 2, ..ScheduleFacts::default() };
    let quality = judge(&records, calm(), schedule);
    assert!(quality.client_limited);
    assert_eq!(codes(&quality), ["schedule_not_sent"]);
    let Reason { message, remedy, measured, threshold, .. } = &quality.reasons[0];
    assert_eq!((*measured, *threshold), (0.74, 0.99));
    assert_eq!(
        message,
        "of 200 requests due, 26.00 % were not sent (at most 1 %): 50 found no file descriptor, 2 were too \
         late to be sent"
    );
    assert_eq!(remedy, "raise the limit on open files (ulimit -n)");
}

#[test]
fn ticks_that_were_lost_count_as_not_sent() {
    let schedule = ScheduleFacts { due: 980, skipped_late: 20, ..ScheduleFacts::default() };
    let quality = judge(&run(), calm(), schedule);
    assert_eq!((codes(&quality), quality.reasons[0].measured), (vec!["schedule_not_sent"], 0.98));
    // Overdue arrivals have records, and are counted once.
    let mut records = run();
    records.extend((0..20).map(|number| {
        let mut unsent = shifted(fixture::ok(&[]), 5000 + number);
        unsent.outcome = Outcome::NotSent;
        unsent
    }));
    let schedule =
        ScheduleFacts { due: 1000, unsent_by_client: 20, skipped_late: 20, ..ScheduleFacts::default() };
    assert_eq!(judge(&records, calm(), schedule).reasons[0].measured, 0.98);
}

#[test]
fn the_reason_passed_by_most_comes_first() {
    let mut records = run();
    for record in &mut records[5..8] {
        record.instants.scheduled = record.instants.request_start.map(|start| start - 300_000_000);
    }
    let host = |steal| HostFacts { steal_share: Some(steal), ..calm() };
    let barely = judge(&records, host(0.011), ScheduleFacts::default());
    assert_eq!(codes(&barely), ["send_lag", "steal"]);
    let mostly = judge(&records, host(1.0), ScheduleFacts::default());
    assert_eq!(codes(&mostly), ["steal", "send_lag"], "both at the top: causes first");
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
