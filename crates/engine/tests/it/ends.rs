//! However a run ends, what was in flight and what never left is on record.

use std::num::NonZeroU32;

use loadgen_core::Outcome;
use loadgen_engine::{Cap, EndReason, EngineError, Load, OnFull};
use loadgen_schedule::StopCondition;

use crate::fake::{Bench, Done, Source, closed, constant, fixed, milliseconds};
use crate::server::{Behaviour, Server};

fn count(done: &Done, outcome: Outcome) -> usize {
    done.records.iter().filter(|record| record.outcome == outcome).count()
}

fn check_identity(done: &Done) {
    for (position, phase) in done.report.phases.iter().enumerate() {
        let counts = phase.counts;
        assert!(counts.is_balanced(), "{counts:?}");
        let records = || done.records.iter().filter(|record| record.identity.phase_index == phase.index);
        assert_eq!(records().count() as u64, counts.scheduled, "phase {position}");
        // Recording what was not sent takes time, which is not the phase's.
        let last_return = records().filter_map(|record| record.instants.end).max();
        assert_eq!(phase.end, last_return.unwrap_or(phase.start).max(phase.sending_end), "phase {position}");
    }
    let counted: u64 = done.report.phases.iter().map(|phase| phase.counts.not_sent).sum();
    assert_eq!(count(done, Outcome::NotSent) as u64, counted);
}

#[test]
fn after_duration_and_grace_what_is_in_flight_is_aborted() {
    let stop = StopCondition::after_duration(milliseconds(60)).with_grace(milliseconds(20));
    let server_of = || Server::start(Behaviour::Stall);
    for load in [constant(100.0, stop), closed(3, stop)] {
        let server = server_of();
        let done = Bench::new(server.url(), load.clone()).run();
        check_identity(&done);
        let phase = &done.report.phases[0];
        assert_eq!(phase.ended_by, EndReason::Duration);
        assert_eq!(phase.sending_end.since(phase.start), milliseconds(60));
        assert!(phase.end.since(phase.start) >= milliseconds(80));
        assert_eq!(phase.counts.aborted + phase.counts.not_sent, phase.counts.scheduled);
        let expected = if matches!(load, Load::Closed { .. }) { 3 } else { 6 };
        assert_eq!(phase.counts.scheduled, expected);
        for record in done.records.iter().filter(|record| record.outcome == Outcome::Aborted) {
            assert!(record.instants.request_start.is_some());
            let cut_at = phase.start + milliseconds(80);
            assert!(record.instants.end.unwrap() >= cut_at, "aborted when the grace period was over");
            assert!(record.error.is_none());
        }
    }
}

#[test]
fn within_the_grace_period_what_is_in_flight_may_finish() {
    let stop = StopCondition::after_duration(milliseconds(30)).with_grace(milliseconds(60_000));
    let server = Server::start(Behaviour::AnswerAfter(60));
    let done = Bench::new(server.url(), closed(4, stop)).run();
    check_identity(&done);
    assert_eq!(count(&done, Outcome::Ok), 4);
    assert_eq!(done.report.phases[0].ended_by, EndReason::Duration);
}

#[test]
fn a_count_reached_within_the_duration_ends_the_phase_at_once() {
    let stop = StopCondition { requests: Some(5), ..StopCondition::after_duration(milliseconds(600_000)) };
    for load in [constant(1_000.0, stop), closed(2, stop)] {
        let server = Server::start(Behaviour::Answer);
        let done = Bench::new(server.url(), load).run();
        assert_eq!(done.report.phases[0].ended_by, EndReason::Completed);
        assert_eq!(count(&done, Outcome::Ok), 5);
    }
}

fn interrupted(bench: &Bench, server: &Server, after: usize) -> Done {
    std::thread::scope(|scope| {
        let running = scope.spawn(|| bench.run());
        server.wait_for(after);
        bench.stop.interrupt();
        running.join().unwrap()
    })
}

#[test]
fn an_interrupt_aborts_what_is_in_flight_and_ends_the_run() {
    let endless = StopCondition::default();
    for load in [constant(300.0, endless), closed(4, endless), fixed(&[0, 0, 0, 0, 3_600_000])] {
        let server = Server::start(Behaviour::Stall);
        let mut bench = Bench::new(server.url(), load);
        bench.phases.push(bench.phases[0].clone());
        let done = interrupted(&bench, &server, 4);
        check_identity(&done);
        assert!(done.report.was_interrupted);
        assert_eq!(done.report.phases.len(), 1, "the next phase never begins");
        assert_eq!(done.report.phases[0].ended_by, EndReason::Interrupt);
        assert!(count(&done, Outcome::Aborted) >= 4);
    }
}

#[test]
fn an_interrupt_after_the_last_phase_cuts_no_load_short() {
    let stop = StopCondition { requests: Some(2), ..StopCondition::default() };
    let server = Server::start(Behaviour::Answer);
    let mut bench = Bench::new(server.url(), closed(1, stop));
    bench.late_interrupt = true;
    assert!(!bench.run().report.was_interrupted);

    let mut bench = Bench::new(server.url(), closed(1, stop));
    bench.late_interrupt = true;
    bench.phases.push(bench.phases[0].clone());
    let report = bench.run().report;
    assert!(report.was_interrupted, "the second phase never began");
    assert_eq!(report.phases.len(), 1);
}

#[test]
fn what_had_to_wait_when_the_interrupt_came_was_scheduled_and_not_sent() {
    let Load::Open { schedule, .. } = fixed(&[0, 0, 0, 0, 0, 3_600_000]) else { unreachable!("open") };
    let cap = Some(Cap { slots: NonZeroU32::MIN, on_full: OnFull::Wait });
    let server = Server::start(Behaviour::Stall);
    let bench = Bench::new(server.url(), Load::Open { schedule, cap });
    let done = interrupted(&bench, &server, 1);
    check_identity(&done);
    assert_eq!((count(&done, Outcome::Aborted), count(&done, Outcome::NotSent)), (1, 4));
    assert_eq!(done.report.phases[0].counts.scheduled, 5, "the last one was an hour away");
    let unsent = done.records.iter().filter(|record| record.outcome == Outcome::NotSent);
    assert!(unsent.into_iter().all(|record| record.instants.request_start.is_none()
        && record.instants.released.is_none()
        && record.instants.scheduled.is_some()));
}

#[test]
fn draining_lets_what_is_in_flight_finish() {
    let server = Server::start(Behaviour::AnswerAfter(50));
    let mut bench = Bench::new(server.url(), closed(3, StopCondition::default()));
    bench.drain_ns = milliseconds(60_000);
    let done = interrupted(&bench, &server, 3);
    check_identity(&done);
    assert_eq!(count(&done, Outcome::Aborted), 0);
    assert!(count(&done, Outcome::Ok) >= 3);
}

#[test]
fn waiting_turns_end_with_the_run() {
    let server = Server::start(Behaviour::Answer);
    let mut bench = Bench::new(server.url(), fixed(&[0, 0]));
    let an_hour = loadgen_core::TurnTiming::AfterPrevious(milliseconds(3_600_000));
    bench.source = Source { turns: 2, timing: an_hour, ..Source::default() };
    let done = interrupted(&bench, &server, 2);
    check_identity(&done);
    assert!(done.records.len() == 2, "a turn that was not due is not scheduled");
}

#[test]
fn a_worker_that_panics_fails_the_run_and_costs_the_others_nothing() {
    let server = Server::start(Behaviour::Answer);
    let mut bench = Bench::new(server.url(), constant(500.0, StopCondition::after_requests(20)));
    bench.broken_sink = Some(1);
    let (result, kept) = bench.try_run();
    let Err(EngineError::WorkerPanicked { worker, message }) = result else { panic!("{result:?}") };
    assert_eq!((worker, message.as_str()), (1, "this sink is broken"));
    let records = kept.records.lock().unwrap();
    let mut numbers: Vec<i64> = records.iter().map(|record| record.identity.session_num).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [0, 2, 4, 6, 8, 10, 12, 14, 16, 18], "the other worker's half");
}
