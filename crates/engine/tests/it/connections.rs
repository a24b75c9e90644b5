//! How long connections live, as the server sees it.

use std::collections::{BTreeMap, BTreeSet};

use loadgen_core::TurnTiming;
use loadgen_engine::{ConnectionReuse, Load, Policy};
use loadgen_schedule::StopCondition;

use crate::fake::{Bench, Done, Source, closed, constant, fixed, milliseconds};
use crate::server::{Behaviour, Server};

fn run(server: &Server, load: Load, source: Source, workers: usize, reuse: ConnectionReuse) -> Done {
    let mut bench = Bench::new(server.url(), load);
    bench.workers = workers;
    bench.source = source;
    bench.policy = Policy { connection_reuse: reuse, ..Policy::default() };
    bench.run()
}

/// The connections that each session used.
fn by_session(done: &Done) -> BTreeMap<i64, BTreeSet<i64>> {
    let mut sessions: BTreeMap<i64, BTreeSet<i64>> = BTreeMap::new();
    for record in &done.records {
        let connection = record.connection.connection_id.unwrap();
        sessions.entry(record.identity.source_row.unwrap()).or_default().insert(connection);
    }
    sessions
}

#[test]
fn pooled_connections_serve_whoever_comes_next() {
    let server = Server::start(Behaviour::Answer);
    let load = closed(1, StopCondition::after_requests(12));
    let source = Source { turns: 2, ..Source::default() };
    let done = run(&server, load, source, 1, ConnectionReuse::Pooled);
    assert_eq!((done.report.phases[0].counts.ok, server.connections()), (12, 1));
}

#[test]
fn a_connection_that_is_never_used_again_is_closed_after_its_request() {
    let twelve = StopCondition::after_requests(12);
    for load in [closed(2, twelve), constant(1_000.0, twelve), fixed(&[0; 6])] {
        let server = Server::start(Behaviour::Answer);
        let source = Source { turns: 2, ..Source::default() };
        let done = run(&server, load, source, 2, ConnectionReuse::Never);
        let counts = done.report.phases[0].counts;
        assert_eq!((counts.ok, counts.connections_opened, server.connections()), (12, 12, 12));
        assert!(done.records.iter().all(|record| !record.connection.reused));
    }
}

#[test]
fn a_session_keeps_its_connection_through_all_its_turns() {
    let loads = [
        fixed(&[0, 0, 3, 6]),
        constant(1_000.0, StopCondition::default()),
        closed(2, StopCondition::default()),
    ];
    for load in loads {
        // On several workers, a tick of one may carry a turn whose connection another has.
        for workers in [1, 2, 4] {
            let server = Server::start(Behaviour::Answer);
            let source = Source {
                turns: 5,
                sessions: 4,
                timing: TurnTiming::AfterPrevious(milliseconds(1)),
                ..Source::default()
            };
            let done = run(&server, load.clone(), source, workers, ConnectionReuse::StickyUserSessions);
            assert_eq!(done.report.phases[0].counts.ok, 20, "{load:?}");
            assert_eq!(server.connections(), 4, "{load:?} on {workers} workers");
            let sessions = by_session(&done);
            assert!(sessions.values().all(|connections| connections.len() == 1), "{sessions:?}");
            let distinct: BTreeSet<_> = sessions.values().flatten().collect();
            assert_eq!(distinct.len(), 4);
            for record in &done.records {
                assert_eq!(record.connection.reused, record.identity.turn_index > 0);
            }
        }
    }
}

#[test]
fn a_session_whose_connection_is_lost_gets_another() {
    let server = Server::start(Behaviour::AnswerAndClose);
    let source = Source { turns: 3, sessions: 2, ..Source::default() };
    let load = closed(1, StopCondition::default());
    let done = run(&server, load, source, 1, ConnectionReuse::StickyUserSessions);
    assert_eq!((done.report.phases[0].counts.ok, server.connections()), (6, 6));

    let server = Server::start(Behaviour::Cut);
    let load = closed(1, StopCondition::default());
    let done = run(&server, load, source, 1, ConnectionReuse::StickyUserSessions);
    assert_eq!((done.report.phases[0].counts.failed, server.connections()), (6, 6));
}

#[test]
fn sessions_that_share_no_turn_share_no_connection_when_sticky() {
    let server = Server::start(Behaviour::Answer);
    let load = closed(1, StopCondition::after_requests(5));
    let done = run(&server, load, Source::default(), 1, ConnectionReuse::StickyUserSessions);
    assert_eq!((done.report.phases[0].counts.ok, server.connections()), (5, 5));
}
