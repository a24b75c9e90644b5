//! A client that was held up sends what is overdue, leaves it out, or ends the run; it never hides it.
//!
//! A sink that blocks when the first request starts holds its worker up for longer than the whole
//! schedule lasts, so what was not let go before is overdue however fast the machine is.

use loadgen_core::Outcome;
use loadgen_engine::{CatchUp, EndReason, Policy};
use loadgen_schedule::StopCondition;

use crate::fake::{Bench, Done, Source, closed, constant, profiling};
use crate::server::{Behaviour, Server};

/// Ten requests 2 ms apart, and a worker held up for 100 ms by the first that leaves.
fn held_up(catch_up: CatchUp, turns: i32, server: &Server) -> Bench {
    let mut bench = Bench::new(server.url(), constant(500.0, StopCondition::after_requests(10)));
    bench.workers = 1;
    bench.policy = Policy { catch_up, ..Policy::default() };
    bench.stall_ms = Some(100);
    bench.source = Source { turns, ..Source::default() };
    bench
}

fn count(done: &Done, outcome: Outcome) -> u64 {
    done.records.iter().filter(|record| record.outcome == outcome).count() as u64
}

#[test]
fn a_burst_sends_everything_in_order_and_says_so() {
    for turns in [1, 2] {
        let server = Server::start(Behaviour::Answer);
        let mut done = held_up(CatchUp::Burst, turns, &server).run();
        let counts = done.report.phases[0].counts;
        assert_eq!((counts.ok, counts.skipped_late), (10, 0));
        assert!(counts.caught_up > 0 && counts.caught_up <= counts.late, "{counts:?}");
        done.records.sort_by_key(|record| record.instants.released);
        let scheduled: Vec<_> = done.records.iter().map(|record| record.instants.scheduled).collect();
        assert!(scheduled.is_sorted(), "they left in the order in which they were due");
    }
}

#[test]
fn a_skip_leaves_out_what_is_overdue_and_records_it() {
    let server = Server::start(Behaviour::Answer);
    let done = held_up(CatchUp::Skip, 1, &server).run();
    let counts = done.report.phases[0].counts;
    assert!(counts.is_balanced() && counts.skipped_late > 0, "{counts:?}");
    assert_eq!((counts.scheduled, counts.caught_up), (10, 0));
    assert_eq!(counts.skipped_late, counts.not_sent);
    assert_eq!((count(&done, Outcome::NotSent), count(&done, Outcome::Ok)), (counts.not_sent, counts.ok));
    assert_eq!(server.seen().len() as u64, counts.ok);
    let numbers: Vec<i64> = done.records.iter().map(|record| record.identity.session_num).collect();
    assert_eq!(numbers, (0..10).collect::<Vec<_>>());
    let start = done.report.phases[0].start;
    for (record, number) in done.records.iter().zip(1..) {
        assert_eq!(record.instants.scheduled, Some(start + number * 2_000_000));
        assert_eq!(record.instants.released.is_some(), record.outcome == Outcome::Ok);
    }
}

#[test]
fn a_lost_tick_loses_no_session() {
    let server = Server::start(Behaviour::Answer);
    let done = held_up(CatchUp::Skip, 2, &server).run();
    let counts = done.report.phases[0].counts;
    assert!(counts.skipped_late > 0, "{counts:?}");
    assert_eq!((counts.scheduled, counts.ok, counts.not_sent), (10, 10, 0));
}

#[test]
fn a_run_that_must_not_fall_behind_ends_where_it_does() {
    for (workers, turns) in [(1, 1), (1, 2), (3, 1), (3, 2)] {
        let server = Server::start(Behaviour::Answer);
        let mut bench = held_up(CatchUp::Fail, turns, &server);
        bench.workers = workers;
        let mut next = profiling(closed(1, StopCondition::after_requests(1)));
        next.index = 1;
        bench.phases.push(next);
        let done = bench.run();
        let [phase] = &done.report.phases[..] else { panic!("the next phase does not begin") };
        assert_eq!(phase.ended_by, EndReason::FellBehind);
        let behind = done.report.fell_behind.unwrap();
        assert!(behind.lateness_ns > behind.allowed_ns && behind.allowed_ns == 10_000_000, "{behind:?}");
        assert!(behind.to_string().contains("--catch-up"), "{behind}");
        assert!(!done.report.was_interrupted);
        assert!(phase.counts.is_balanced(), "{:?}", phase.counts);
        assert_eq!(done.records.len() as u64, phase.counts.scheduled);
        assert!(phase.counts.scheduled <= 10);
    }
}

#[test]
fn a_closed_load_has_nothing_to_fall_behind() {
    let server = Server::start(Behaviour::Answer);
    let mut bench = held_up(CatchUp::Fail, 1, &server);
    bench.phases = vec![profiling(closed(2, StopCondition::after_requests(6)))];
    let done = bench.run();
    assert_eq!((done.report.phases[0].counts.ok, done.report.fell_behind), (6, None));
}
