//! The ceilings of the request rate and of the connection rate hold over all workers and all loads, and
//! what they make wait is counted and keeps its intended instant.

use loadgen_core::TurnTiming;
use loadgen_engine::{CatchUp, ConnectionReuse, Load, Policy};
use loadgen_schedule::{Rate, StopCondition};

use crate::fake::{Bench, Source, closed, constant, fixed, milliseconds};
use crate::server::{Behaviour, Server};

/// 200 a second: 5 ms apart, two at once at most.
fn ceiling() -> Rate {
    Rate::new(200.0).unwrap()
}

/// The least time between the first and the last of `passages`, ns.
fn least_span_ns(passages: i64) -> i64 {
    (passages - 2) * milliseconds(5)
}

#[test]
fn no_load_goes_faster_than_the_ceiling() {
    let twelve = StopCondition::after_requests(12);
    let loads: [(Load, i32); 6] = [
        (constant(5_000.0, twelve), 1),
        (constant(5_000.0, twelve), 3),
        (fixed(&[0; 12]), 1),
        (fixed(&[0; 4]), 3),
        (closed(6, twelve), 1),
        (closed(6, twelve), 3),
    ];
    for (load, turns) in loads {
        for workers in [1, 3] {
            let server = Server::start(Behaviour::Answer);
            let mut bench = Bench::new(server.url(), load.clone());
            bench.workers = workers;
            bench.source = Source { turns, timing: TurnTiming::Immediately, ..Source::default() };
            // Waiting for the ceiling is not being late.
            bench.policy =
                Policy { max_request_rate: Some(ceiling()), catch_up: CatchUp::Burst, ..Policy::default() };
            let done = bench.run();
            let phase = &done.report.phases[0];
            assert_eq!((phase.counts.scheduled, phase.counts.ok), (12, 12), "{load:?}");
            assert!(phase.counts.governed > 0, "{load:?}: {:?}", phase.counts);
            assert!(phase.sending_end.since(phase.start) >= least_span_ns(12), "{load:?}");
            for record in &done.records {
                assert!(record.instants.released >= record.instants.scheduled);
            }
        }
    }
}

#[test]
fn what_waits_for_the_ceiling_keeps_its_intended_instant() {
    let server = Server::start(Behaviour::Answer);
    let mut bench = Bench::new(server.url(), constant(1_000.0, StopCondition::after_requests(10)));
    bench.policy = Policy { max_request_rate: Some(ceiling()), ..Policy::default() };
    let done = bench.run();
    let start = done.report.phases[0].start;
    for (record, number) in done.records.iter().zip(1..) {
        assert_eq!(record.instants.scheduled, Some(start + milliseconds(number)));
    }
}

#[test]
fn what_still_waits_when_sending_ends_was_not_sent() {
    let server = Server::start(Behaviour::Answer);
    let stop = StopCondition::after_duration(milliseconds(20));
    let mut bench = Bench::new(server.url(), constant(2_000.0, stop));
    bench.policy = Policy { max_request_rate: Some(ceiling()), ..Policy::default() };
    let done = bench.run();
    let counts = done.report.phases[0].counts;
    assert!(counts.is_balanced(), "{counts:?}");
    assert_eq!(counts.scheduled, 40);
    // Two at once, and one each 5 ms.
    assert!(counts.ok <= 6 && counts.not_sent >= 34, "{counts:?}");
}

#[test]
fn connections_are_opened_no_faster_than_their_ceiling() {
    let server = Server::start(Behaviour::Answer);
    let mut bench = Bench::new(server.url(), closed(4, StopCondition::after_requests(10)));
    bench.policy = Policy {
        max_connection_rate: Some(ceiling()),
        connection_reuse: ConnectionReuse::Never,
        ..Policy::default()
    };
    let done = bench.run();
    let phase = &done.report.phases[0];
    assert_eq!((phase.counts.ok, phase.counts.connections_opened, phase.counts.governed), (10, 10, 0));
    assert!(phase.counts.connections_governed > 0);
    assert!(phase.end.since(phase.start) >= least_span_ns(10));
    assert!(done.records.iter().any(|record| record.connection.blocked_ns.unwrap() > 0));
}
