//! Requests given up on purpose: which, when, and what is kept of them.

use std::num::NonZeroU32;

use loadgen_core::{FailureKind, Outcome, Phase, RawRecord};
use loadgen_engine::{Cancellation, Cap, Load, OnFull, PhasePlan, Share};
use loadgen_schedule::StopCondition;

use crate::fake::{Bench, Done, Source, closed, constant, fixed, milliseconds, poisson};
use crate::server::{Behaviour, Server};

/// More than the buffers of two sockets hold.
const TOO_LARGE_FOR_THE_BUFFERS: usize = 48 << 20;

fn giving_up(percent: f64, delay_ms: i64) -> Cancellation {
    Cancellation { share: Share::of_percent(percent).unwrap(), delay_ns: milliseconds(delay_ms) }
}

fn bench(server: &Server, load: Load, cancellation: Cancellation) -> Bench {
    let mut bench = Bench { timeout_ns: None, ..Bench::new(server.url(), load) };
    bench.phases[0].cancellation = Some(cancellation);
    bench
}

fn counted(done: &Done, outcome: Outcome) -> u64 {
    done.records.iter().filter(|record| record.outcome == outcome).count() as u64
}

/// What must hold of every run in which requests are given up after `delay_ms`.
fn check(done: &Done, delay_ms: i64) {
    let counts = done.report.phases.last().unwrap().counts;
    assert!(counts.is_balanced(), "{counts:?}");
    assert_eq!(counts.cancelled, counted(done, Outcome::Cancelled));
    for record in &done.records {
        let was_cancelled = record.outcome == Outcome::Cancelled;
        assert_eq!(record.cancelled_at.is_some(), was_cancelled, "{record:?}");
        if was_cancelled {
            check_cancelled(record, delay_ms);
        }
    }
}

fn check_cancelled(record: &RawRecord, delay_ms: i64) {
    let sent = record.instants.send_end.expect("nothing is given up before it was written");
    assert!(record.cancelled_at.unwrap().since(sent) >= milliseconds(delay_ms), "{record:?}");
    assert_eq!(record.instants.end, record.cancelled_at);
    let error = record.error.as_ref().unwrap();
    assert_eq!((error.code, error.error_type.as_str()), (Some(499), "RequestCancellationError"));
    let seconds = delay_ms as f64 / 1e3;
    assert_eq!(error.message, format!("Request cancelled {seconds:.3}s after being sent"));
}

#[test]
fn everything_is_given_up_under_every_load() {
    let twelve = StopCondition::after_requests(12);
    let waiting = Cap { slots: NonZeroU32::new(2).unwrap(), on_full: OnFull::Wait };
    let Load::Open { schedule, .. } = fixed(&[0, 0, 0, 5, 5, 5, 9, 9, 9, 9, 12, 30]) else { unreachable!() };
    let capped = Load::Open { schedule, cap: Some(waiting) };
    for delay_ms in [0, 15] {
        for load in [constant(400.0, twelve), closed(4, twelve), capped.clone()] {
            let server = Server::start(Behaviour::Stall);
            let done = bench(&server, load, giving_up(100.0, delay_ms)).run();
            check(&done, delay_ms);
            let counts = done.report.phases[0].counts;
            assert_eq!((counts.scheduled, counts.cancelled), (12, 12));
            assert_eq!(counts.connections_opened, 12, "what was given up is closed");
            server.wait_for(12);
        }
    }
}

#[test]
fn the_seed_alone_decides_who_is_given_up() {
    let given_up = |workers, seed| {
        let server = Server::start(Behaviour::Answer);
        let load = poisson(400.0, StopCondition::after_requests(60), seed);
        let mut bench = bench(&server, load, giving_up(50.0, 0));
        bench.workers = workers;
        bench.source = Source { seed, ..Source::default() };
        let done = bench.run();
        check(&done, 0);
        let counts = done.report.phases[0].counts;
        assert_eq!(counts.ok + counts.cancelled, 60);
        let cancelled = done.records.iter().filter(|record| record.outcome == Outcome::Cancelled);
        cancelled.map(|record| record.identity.session_num).collect::<Vec<_>>()
    };
    let first = given_up(1, 11);
    assert!((15..45).contains(&first.len()), "{first:?}");
    assert_eq!(given_up(2, 11), first);
    assert_eq!(given_up(7, 11), first);
    assert_ne!(given_up(2, 12), first);
}

#[test]
fn what_is_answered_in_time_is_not_given_up_and_holds_nothing_up() {
    let server = Server::start(Behaviour::Answer);
    let hour_ms = 3_600_000;
    let load = closed(3, StopCondition::after_requests(12));
    let done = bench(&server, load, giving_up(100.0, hour_ms)).run();
    check(&done, hour_ms);
    assert_eq!(done.report.phases[0].counts.ok, 12);
    assert!(done.report.phases[0].counts.connections_opened <= 3, "connections are kept as ever");
}

#[test]
fn what_came_before_is_kept() {
    let server = Server::start(Behaviour::Dangle);
    let load = closed(2, StopCondition::after_requests(8));
    let done = bench(&server, load, giving_up(100.0, 200)).run();
    check(&done, 200);
    assert_eq!(counted(&done, Outcome::Cancelled), 8);
    // All of them, unless this host is slow.
    let kept = done.records.iter().find(|record| !record.chunks.is_empty()).unwrap();
    assert_eq!((kept.status, &kept.chunks.output[..]), (Some(200), &b"one "[..]));
    assert!(kept.instants.headers.is_some() && kept.instants.first_token.is_some());
}

#[test]
fn a_request_is_written_to_its_end_first() {
    let server = Server::start(Behaviour::ReadAfter(30));
    let load = closed(1, StopCondition::after_requests(1));
    let mut bench = bench(&server, load, giving_up(100.0, 0));
    bench.source.padding = TOO_LARGE_FOR_THE_BUFFERS;
    let done = bench.run();
    check(&done, 0);
    assert_eq!(counted(&done, Outcome::Cancelled), 1);
    server.wait_for(1);
    let whole = done.records[0].connection.request_bytes;
    assert_eq!(server.seen()[0].body.len() as i64, whole, "the server got every byte");
}

#[test]
fn a_request_that_cannot_be_written_in_time_is_no_cancellation() {
    let server = Server::start(Behaviour::ReadAfter(500));
    let load = closed(1, StopCondition::after_requests(1));
    let mut bench = bench(&server, load, giving_up(100.0, 0));
    bench.source.padding = TOO_LARGE_FOR_THE_BUFFERS;
    bench.timeout_ns = Some(milliseconds(20));
    let done = bench.run();
    check(&done, 0);
    let record = &done.records[0];
    assert_eq!(record.outcome, Outcome::Failed(FailureKind::Timeout));
    assert_eq!(record.instants.send_end, None);
    let error = record.error.as_ref().unwrap();
    assert_eq!((error.code, error.error_type.as_str()), (Some(0), "RequestSendTimeout"));
}

#[test]
fn giving_up_goes_on_while_a_phase_drains() {
    let server = Server::start(Behaviour::Stall);
    let hour = milliseconds(3_600_000);
    let stop = StopCondition::after_duration(milliseconds(60)).with_grace(hour);
    let done = bench(&server, constant(100.0, stop), giving_up(100.0, 150)).run();
    check(&done, 150);
    let counts = done.report.phases[0].counts;
    assert!(counts.cancelled > 0, "{counts:?}");
    assert_eq!(counts.cancelled + counts.not_sent, counts.scheduled, "{counts:?}");
}

#[test]
fn a_phase_without_a_plan_gives_nothing_up() {
    let server = Server::start(Behaviour::Answer);
    let mut bench = bench(&server, constant(400.0, StopCondition::after_requests(6)), giving_up(100.0, 0));
    bench.phases[0].index = 1;
    let load = closed(2, StopCondition::after_requests(5));
    bench.phases.insert(
        0,
        PhasePlan {
            phase: Phase::Warmup,
            index: 0,
            load,
            first_session: None,
            prefill: None,
            cancellation: None,
        },
    );
    let done = bench.run();
    let counts = |phase: usize| done.report.phases[phase].counts;
    assert_eq!((counts(0).ok, counts(0).cancelled), (5, 0));
    assert_eq!((counts(1).ok, counts(1).cancelled), (0, 6));
}

#[test]
fn a_conversation_goes_on_as_after_a_failure() {
    let server = Server::start(Behaviour::Answer);
    let load = closed(1, StopCondition::after_requests(4));
    let mut bench = bench(&server, load, giving_up(100.0, 0));
    bench.source.turns = 2;
    let done = bench.run();
    check(&done, 0);
    assert_eq!(counted(&done, Outcome::Cancelled), 4);
    server.wait_for(4);
    for seen in server.seen() {
        let body = String::from_utf8(seen.body).unwrap();
        assert!(body.contains("after nothing"), "{body}");
    }
}
