//! Whatever a server does, every scheduled request has one record and one outcome, and the counts
//! equal the server's.

use loadgen_core::{FailureKind, Outcome};
use loadgen_engine::{EndReason, Load};
use loadgen_schedule::StopCondition;

use crate::fake::{Bench, Done, closed, constant, fixed, milliseconds};
use crate::server::{Behaviour, Server, nobody};

/// Three ways of offering twelve requests.
fn loads() -> [Load; 3] {
    let twelve = StopCondition::after_requests(12);
    [constant(400.0, twelve), closed(4, twelve), fixed(&[0, 0, 0, 5, 5, 5, 9, 9, 9, 9, 12, 30])]
}

/// Checks what must hold for every run, and that all twelve ended as `outcome`.
fn all_end_as(outcome: Outcome, done: &Done) {
    let counts = done.report.phases[0].counts;
    assert!(counts.is_balanced(), "{counts:?}");
    assert_eq!(counts.scheduled, 12);
    assert_eq!(counts.in_flight(), 0);
    assert_eq!(done.records.len(), 12);
    assert_eq!(done.started.len() as u64, counts.sent);
    assert_eq!(done.report.phases[0].ended_by, EndReason::Completed);
    let numbers: Vec<i64> = done.records.iter().map(|record| record.identity.session_num).collect();
    assert_eq!(numbers, (0..12).collect::<Vec<_>>());
    for record in &done.records {
        assert_eq!(record.outcome, outcome, "{record:?}");
        assert_eq!(record.error.is_some(), outcome != Outcome::Ok, "{record:?}");
        let instants = record.instants;
        assert!(instants.scheduled.is_some());
        assert!(instants.released >= instants.scheduled, "nothing leaves before its time");
        assert!(instants.request_start >= instants.released);
        assert!(instants.end > instants.request_start, "{record:?}");
    }
}

fn against(behaviour: Behaviour, outcome: Outcome, timeout_ns: Option<i64>) {
    for load in loads() {
        let server = Server::start(behaviour);
        let done = Bench { timeout_ns, ..Bench::new(server.url(), load) }.run();
        all_end_as(outcome, &done);
        assert_eq!(server.seen().len(), 12);
    }
}

#[test]
fn answers_are_ok() {
    against(Behaviour::Answer, Outcome::Ok, None);
}

#[test]
fn a_status_of_500_is_an_http_error() {
    against(Behaviour::Fail, Outcome::Failed(FailureKind::HttpError), None);
}

#[test]
fn a_cut_stream_is_a_stream_error() {
    against(Behaviour::Cut, Outcome::Failed(FailureKind::StreamError), None);
}

#[test]
fn a_stall_is_a_timeout_in_aiperfs_words() {
    against(Behaviour::Stall, Outcome::Failed(FailureKind::Timeout), Some(milliseconds(50)));
    let server = Server::start(Behaviour::Stall);
    let load = closed(1, StopCondition::after_requests(1));
    let done = Bench { timeout_ns: Some(milliseconds(20)), ..Bench::new(server.url(), load) }.run();
    let error = done.records[0].error.clone().unwrap();
    assert_eq!((error.code, error.error_type.as_str()), (None, "TimeoutError"));
    assert_eq!(
        (error.message.as_str(), error.cause.as_deref()),
        ("TimeoutError()", Some("CancelledError()"))
    );
    assert_eq!(error.cause_chain, ["TimeoutError", "CancelledError"]);
    let instants = done.records[0].instants;
    assert!(instants.send_end.is_some(), "what was seen before the timeout is kept");
    let lasted_ns = instants.end.unwrap().since(instants.request_start.unwrap());
    assert!(lasted_ns >= milliseconds(20), "it was over when the timeout struck");
    assert_eq!(done.report.phases[0].counts.timeouts, 1);
}

#[test]
fn nobody_there_is_a_connect_error() {
    for load in loads() {
        let done = Bench::new(nobody(), load).run();
        all_end_as(Outcome::Failed(FailureKind::ConnectError), &done);
        assert_eq!(done.report.phases[0].counts.connections_opened, 12);
    }
}

#[test]
fn a_kept_connection_that_turns_out_closed_costs_no_request() {
    let server = Server::start(Behaviour::AnswerAndClose);
    // Far enough apart for the server to have closed by the next one.
    let mut bench = Bench::new(server.url(), fixed(&[0, 100, 200, 300]));
    bench.workers = 1;
    let done = bench.run();
    assert!(done.records.iter().all(|record| record.outcome == Outcome::Ok), "{:?}", done.records);
    assert!(done.records.iter().all(|record| !record.connection.reused));
    let counts = done.report.phases[0].counts;
    assert_eq!((counts.sent, counts.ok, counts.connections_opened), (4, 4, 4));
    assert_eq!(server.seen().len(), 4);
}

#[test]
fn a_server_that_closes_with_the_next_request_unread_costs_none() {
    for (workers, slots) in [(1, 1), (2, 4)] {
        let server = Server::start(Behaviour::AnswerAndReset);
        let mut bench = Bench::new(server.url(), closed(slots, StopCondition::after_requests(60)));
        bench.workers = workers;
        let done = bench.run();
        let counts = done.report.phases[0].counts;
        assert_eq!((counts.sent, counts.ok, counts.failed), (60, 60, 0), "{:?}", done.records);
        // Each connection carries one request; every request but each slot's first met a closed one.
        assert_eq!((counts.connections_opened, counts.retried_stale), (60, 60 - u64::from(slots)));
        assert_eq!(server.seen().len(), 60);
    }
}

#[test]
fn a_request_that_was_taken_is_not_sent_again() {
    let server = Server::start(Behaviour::OncePerConnection);
    let mut bench = Bench::new(server.url(), closed(1, StopCondition::after_requests(6)));
    bench.workers = 1;
    let done = bench.run();
    let failed = Outcome::Failed(FailureKind::StreamError);
    let outcomes: Vec<Outcome> = done.records.iter().map(|record| record.outcome).collect();
    assert_eq!(outcomes, [Outcome::Ok, failed, Outcome::Ok, failed, Outcome::Ok, failed]);
    let counts = done.report.phases[0].counts;
    assert_eq!((counts.sent, counts.retried_stale, counts.connections_opened), (6, 0, 3));
    assert_eq!(server.seen().len(), 6);
}

#[test]
fn connections_are_kept_and_reused() {
    let server = Server::start(Behaviour::Answer);
    let mut bench = Bench::new(server.url(), closed(1, StopCondition::after_requests(6)));
    bench.workers = 1;
    let done = bench.run();
    assert_eq!(done.report.phases[0].counts.connections_opened, 1);
    let reused: Vec<bool> = done.records.iter().map(|record| record.connection.reused).collect();
    assert_eq!(reused, [false, true, true, true, true, true]);
}
