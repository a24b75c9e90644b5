//! Every request has its instants in order, however it came to leave: intended, let go, work begun, first
//! byte written, last byte written.

use loadgen_core::{Outcome, RawRecord, TurnTiming};
use loadgen_engine::{ConnectionReuse, Load, Policy};
use loadgen_schedule::{Rate, StopCondition};

use crate::fake::{Bench, Source, closed, constant, fixed, milliseconds, poisson};
use crate::server::{Behaviour, Server};

/// The kernel may have stamped the first byte before the write that it answers returned: a server on
/// another core is quick. So the answer is held against the beginning of the write.
fn assert_in_order(record: &RawRecord) {
    let instants = record.instants;
    let sending = [
        instants.scheduled,
        instants.released,
        instants.request_start,
        instants.send_start,
        instants.send_end,
    ];
    let answering = [instants.send_start, instants.first_byte, instants.first_token, instants.end];
    for order in [&sending[..], &answering[..]] {
        assert!(order.iter().all(Option::is_some) && order.is_sorted(), "{instants:?}");
    }
}

#[test]
fn instants_are_in_order_under_every_load_and_policy() {
    let twelve = StopCondition::after_requests(12);
    let policies = [
        Policy::default(),
        Policy { connection_reuse: ConnectionReuse::Never, ..Policy::default() },
        Policy { connection_reuse: ConnectionReuse::StickyUserSessions, ..Policy::default() },
        Policy { max_request_rate: Some(Rate::new(1_000.0).unwrap()), ..Policy::default() },
    ];
    let loads = [constant(1_000.0, twelve), poisson(1_000.0, twelve, 3), closed(3, twelve), fixed(&[0; 12])];
    for load in loads {
        for policy in policies {
            for turns in [1, 3] {
                let server = Server::start(Behaviour::Answer);
                let mut bench = Bench::new(server.url(), load.clone());
                bench.policy = policy;
                let timing = TurnTiming::AfterPrevious(milliseconds(1));
                bench.source = Source { turns, timing, ..Source::default() };
                let done = bench.run();
                let expected =
                    if matches!(load, Load::Open { .. }) && turns == 3 { 12..=36 } else { 12..=12 };
                assert!(expected.contains(&done.records.len()), "{load:?}");
                for record in &done.records {
                    assert_eq!(record.outcome, Outcome::Ok);
                    assert_in_order(record);
                }
            }
        }
    }
}

#[test]
fn an_arrivals_intended_instant_is_the_schedules_and_a_later_turns_follows_from_the_one_before() {
    let server = Server::start(Behaviour::AnswerAfter(1));
    let mut bench = Bench::new(server.url(), fixed(&[0, 3, 3, 8]));
    let timing = TurnTiming::AfterPrevious(milliseconds(2));
    bench.source = Source { turns: 2, timing, ..Source::default() };
    let done = bench.run();
    let start = done.report.phases[0].start;
    for (session, offset) in [0, 3, 3, 8].into_iter().enumerate() {
        let turn = |index| {
            let row = i64::try_from(session).ok();
            let found = done
                .records
                .iter()
                .find(|record| record.identity.source_row == row && record.identity.turn_index == index);
            found.unwrap().instants
        };
        assert_eq!(turn(0).scheduled, Some(start + milliseconds(offset)));
        assert!(turn(1).scheduled.unwrap() >= turn(0).end.unwrap() + milliseconds(2));
    }
}

#[test]
fn a_request_sent_again_keeps_its_intended_instant_and_has_the_writes_of_the_try_that_counted() {
    let server = Server::start(Behaviour::AnswerAndReset);
    let load = constant(200.0, StopCondition::after_requests(6));
    let mut bench = Bench::new(server.url(), load);
    bench.workers = 1;
    let done = bench.run();
    let phase = &done.report.phases[0];
    assert!(phase.counts.retried_stale > 0, "{:?}", phase.counts);
    for (record, number) in done.records.iter().zip(1..) {
        assert_eq!(record.instants.scheduled, Some(phase.start + milliseconds(5 * number)));
        assert_in_order(record);
        assert!(!record.connection.reused, "the try that counted had a connection of its own");
    }
}
