//! Slots hold on any number of workers, and what they cost is counted.

use std::num::NonZeroU32;

use loadgen_core::{Outcome, Seed};
use loadgen_engine::{Cap, Load, OnFull};
use loadgen_schedule::{ArrivalProcess, Schedule, StopCondition};

use crate::fake::{Bench, Source, closed, constant, fixed};
use crate::server::{Behaviour, Server};

fn capped(load: Load, slots: u32, on_full: OnFull) -> Load {
    let Load::Open { schedule, .. } = load else { panic!("only an open load has a cap") };
    Load::Open { schedule, cap: Some(Cap { slots: NonZeroU32::new(slots).unwrap(), on_full }) }
}

#[test]
fn a_closed_loop_never_exceeds_its_slots() {
    for workers in [1, 2, 5] {
        let server = Server::start(Behaviour::AnswerAfter(3));
        let mut bench = Bench::new(server.url(), closed(3, StopCondition::after_requests(30)));
        bench.workers = workers;
        let done = bench.run();
        assert!(server.max_in_flight() <= 3, "{} in flight", server.max_in_flight());
        assert_eq!(done.report.phases[0].counts.ok, 30);
        let mut rows: Vec<_> = done.records.iter().map(|record| record.identity.source_row).collect();
        rows.sort_unstable();
        assert_eq!(rows, (0..30).map(Some).collect::<Vec<_>>(), "each session once, none left out");
    }
}

#[test]
fn all_slots_of_a_closed_loop_are_in_use() {
    let server = Server::start(Behaviour::Stall);
    let bench = Bench::new(server.url(), closed(5, StopCondition::default()));
    let done = std::thread::scope(|scope| {
        let running = scope.spawn(|| bench.run());
        server.wait_for(5);
        bench.stop.interrupt();
        running.join().unwrap()
    });
    assert_eq!(server.max_in_flight(), 5);
    assert_eq!(done.report.phases[0].counts.aborted, 5);
}

fn with_places(mut bench: Bench, places: u32) -> Bench {
    bench.phases[0].prefill = NonZeroU32::new(places);
    bench
}

#[test]
fn no_more_requests_wait_for_their_first_content_than_there_are_places() {
    for load in [closed(5, StopCondition::default()), fixed(&[0; 5])] {
        let server = Server::start(Behaviour::Stall);
        let bench = with_places(Bench::new(server.url(), load.clone()), 2);
        let done = std::thread::scope(|scope| {
            let running = scope.spawn(|| bench.run());
            server.wait_for(2);
            bench.stop.interrupt();
            running.join().unwrap()
        });
        let counts = done.report.phases[0].counts;
        assert_eq!(server.max_in_flight(), 2, "{load:?}");
        assert_eq!((counts.aborted, counts.not_sent, counts.ok), (2, 3, 0), "{load:?}");
        assert!(counts.is_balanced());
        let unsent = done.records.iter().filter(|record| record.outcome == Outcome::NotSent);
        assert!(unsent.clone().all(|record| record.instants.request_start.is_none()));
    }
}

#[test]
fn a_place_falls_free_at_the_first_content() {
    // Each answer begins, and never ends: all can be under way, though only one at a time began.
    let server = Server::start(Behaviour::Dangle);
    let bench = with_places(Bench::new(server.url(), closed(4, StopCondition::default())), 1);
    let done = std::thread::scope(|scope| {
        let running = scope.spawn(|| bench.run());
        server.wait_for(4);
        bench.stop.interrupt();
        running.join().unwrap()
    });
    assert_eq!(done.report.phases[0].counts.aborted, 4);
}

#[test]
fn a_rate_loses_the_ticks_that_find_no_place_and_no_session() {
    for workers in [1, 3] {
        let server = Server::start(Behaviour::AnswerAfter(20));
        let load = constant(500.0, StopCondition::after_requests(6));
        let mut bench = with_places(Bench::new(server.url(), load), 1);
        bench.workers = workers;
        let done = bench.run();
        let counts = done.report.phases[0].counts;
        assert_eq!((counts.scheduled, counts.ok), (6, 6));
        assert!(counts.skipped > 0, "{counts:?}");
        let rows: Vec<_> = done.records.iter().map(|record| record.identity.source_row).collect();
        assert_eq!(rows, (0..6).map(Some).collect::<Vec<_>>(), "the same session is offered again");
    }
}

#[test]
fn a_full_cap_delays_a_fixed_schedule_and_drops_nothing() {
    for workers in [1, 3] {
        let server = Server::start(Behaviour::AnswerAfter(5));
        let load = capped(fixed(&[0; 12]), 2, OnFull::Wait);
        let mut bench = Bench::new(server.url(), load);
        bench.workers = workers;
        let done = bench.run();
        let counts = done.report.phases[0].counts;
        assert!(server.max_in_flight() <= 2);
        assert_eq!((counts.ok, counts.skipped), (12, 0));
        // Workers that wake late may find a slot that has already fallen free again.
        assert!(counts.delayed > 0 && (workers > 1 || counts.delayed == 10), "{counts:?}");
    }
}

#[test]
fn a_full_cap_costs_a_rate_its_ticks_but_no_session() {
    for workers in [1, 3] {
        let server = Server::start(Behaviour::AnswerAfter(20));
        let load = capped(constant(500.0, StopCondition::after_requests(8)), 1, OnFull::SkipTick);
        let mut bench = Bench::new(server.url(), load);
        bench.workers = workers;
        let done = bench.run();
        let counts = done.report.phases[0].counts;
        assert_eq!((counts.scheduled, counts.ok, counts.delayed), (8, 8, 0));
        assert!(counts.skipped > 0);
        assert_eq!(server.max_in_flight(), 1);
        let rows: Vec<_> = done.records.iter().map(|record| record.identity.source_row).collect();
        assert_eq!(rows, (0..8).map(Some).collect::<Vec<_>>(), "the same session is offered again");
    }
}

#[test]
fn a_rate_counts_the_turns_of_sessions_against_its_limit() {
    let server = Server::start(Behaviour::Answer);
    let mut bench = Bench::new(server.url(), constant(500.0, StopCondition::after_requests(10)));
    bench.source = Source { turns: 4, ..Source::default() };
    let done = bench.run();
    assert_eq!(done.report.phases[0].counts.scheduled, 10);
    assert_eq!(server.seen().len(), 10);
    assert!(done.records.iter().any(|record| record.identity.turn_index > 0));
}

#[test]
fn a_source_that_ends_ends_every_load() {
    let many = StopCondition::after_requests(50);
    let rate = || constant(500.0, many);
    for load in [rate(), capped(rate(), 2, OnFull::SkipTick), closed(3, many), fixed(&[0; 50])] {
        for turns in [1, 2] {
            let server = Server::start(Behaviour::Answer);
            let mut bench = Bench::new(server.url(), load.clone());
            bench.source = Source { sessions: 7, turns, ..Source::default() };
            let done = bench.run();
            let counts = done.report.phases[0].counts;
            assert_eq!(counts.scheduled, 7 * u64::try_from(turns).unwrap(), "{load:?}");
            assert!(done.records.iter().all(|record| record.outcome == Outcome::Ok));
        }
    }
}

#[test]
fn everything_at_once_waits_for_slots_and_counts_turns() {
    let stop = StopCondition::after_requests(9);
    let load = Load::Open { schedule: Schedule::new(ArrivalProcess::Burst, stop, Seed(0)), cap: None };
    for turns in [1, 2] {
        let server = Server::start(Behaviour::Answer);
        let mut bench = Bench::new(server.url(), capped(load.clone(), 2, OnFull::SkipTick));
        bench.source = Source { turns, ..Source::default() };
        let done = bench.run();
        let counts = done.report.phases[0].counts;
        assert_eq!((counts.scheduled, counts.ok, counts.skipped), (9, 9, 0));
        assert!(server.max_in_flight() <= 2);
    }
}
