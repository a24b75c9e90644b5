//! Runs that went wrong for a known cause: the reason and the remedy name it.

use super::*;

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
