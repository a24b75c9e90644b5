//! From where on a figure limits a run.

use super::*;

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
fn a_tick_or_two_of_stolen_time_in_a_short_run_limit_nothing() {
    let judged = |wall_seconds, share| {
        let host = HostFacts { wall_seconds, steal_share: Some(share), ..calm() };
        codes(&judge(&run(), host, ScheduleFacts::default())).len()
    };
    // Of two cores, 40 ms and 60 ms.
    assert_eq!((judged(0.2, 0.1), judged(0.2, 0.15), judged(10.0, 0.011)), (0, 1, 1));
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
