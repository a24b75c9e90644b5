//! Conversations: turns follow one another, hear the reply, and keep their ids and target.

use std::collections::BTreeMap;

use loadgen_core::{FailureKind, Outcome, RawRecord, Seed, TurnTiming};
use loadgen_engine::{EndReason, Load};
use loadgen_schedule::{ArrivalProcess, Schedule, StopCondition};

use crate::fake::{Bench, Done, Source, closed, constant, fixed, milliseconds};
use crate::server::{Behaviour, Server};

fn by_session(done: &Done) -> BTreeMap<i64, Vec<&RawRecord>> {
    let mut sessions: BTreeMap<i64, Vec<&RawRecord>> = BTreeMap::new();
    for record in &done.records {
        sessions.entry(record.identity.source_row.unwrap()).or_default().push(record);
    }
    for turns in sessions.values_mut() {
        turns.sort_by_key(|record| record.identity.turn_index);
    }
    sessions
}

fn run_conversations(load: Load, timing: TurnTiming) -> Done {
    let server = Server::start(Behaviour::Answer);
    let mut bench = Bench::new(server.url(), load);
    bench.source = Source { turns: 3, timing, sessions: 4, ..Source::default() };
    bench.urls.push(server.url());
    let done = bench.run();
    let bodies: Vec<String> =
        server.seen().iter().map(|seen| String::from_utf8_lossy(&seen.body).into_owned()).collect();
    assert_eq!(bodies.len(), 12);
    for (session, turn) in (0..4).flat_map(|session| (0..3).map(move |turn| (session, turn))) {
        let heard = if turn == 0 { "nothing" } else { "one two" };
        let text = format!("1/{session}/{turn} after {heard}");
        assert!(bodies.iter().any(|body| body.contains(&text)), "{text} is not in {bodies:?}");
    }
    done
}

#[test]
fn turns_follow_one_another_under_every_load() {
    let loads = [
        fixed(&[0, 0, 3, 6]),
        constant(500.0, StopCondition::default()),
        closed(2, StopCondition::default()),
    ];
    for load in loads {
        let done = run_conversations(load, TurnTiming::AfterPrevious(milliseconds(1)));
        let mut numbers: Vec<i64> = done.records.iter().map(|record| record.identity.session_num).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (0..12).collect::<Vec<_>>());
        for (row, turns) in by_session(&done) {
            assert_eq!(turns.len(), 3);
            for pair in turns.windows(2) {
                let [before, after] = pair else { unreachable!("windows of two") };
                let ended = before.instants.end.unwrap();
                assert!(after.instants.released.unwrap().since(ended) >= milliseconds(1));
                assert_eq!(before.identity.correlation_id, after.identity.correlation_id);
                assert_eq!(i64::from(after.identity.url_index), row % 2);
                assert_ne!(before.identity.request_id, after.identity.request_id);
            }
        }
    }
}

#[test]
fn a_limit_of_sessions_lets_those_that_began_finish() {
    let stop = StopCondition::after_sessions(4);
    let burst = Schedule::new(ArrivalProcess::Burst, stop, Seed(0));
    let loads = [constant(500.0, stop), closed(3, stop), Load::Open { schedule: burst, cap: None }];
    for load in loads {
        for (turns, workers) in [(1, 3), (3, 1), (3, 2)] {
            let server = Server::start(Behaviour::Answer);
            let mut bench = Bench::new(server.url(), load.clone());
            bench.workers = workers;
            bench.source = Source { turns, ..Source::default() };
            let done = bench.run();
            let sessions = by_session(&done);
            assert_eq!(sessions.keys().copied().collect::<Vec<_>>(), [0, 1, 2, 3], "{load:?}");
            assert!(sessions.values().all(|records| records.len() == turns as usize), "{load:?}");
            assert_eq!(done.report.phases[0].ended_by, EndReason::Completed);
        }
    }
}

#[test]
fn a_turn_with_a_time_of_its_own_waits_for_it() {
    let done = run_conversations(fixed(&[0, 0, 1, 1]), TurnTiming::AtOffset(milliseconds(40)));
    let start = done.report.phases[0].start;
    for turns in by_session(&done).values() {
        assert!(turns[1].instants.released.unwrap().since(start) >= milliseconds(40));
        assert!(turns[2].instants.scheduled >= turns[1].instants.end, "not before its predecessor's end");
    }
}

#[test]
fn a_failed_turn_leaves_the_next_one_without_a_reply() {
    let server = Server::start(Behaviour::Fail);
    let mut bench = Bench::new(server.url(), fixed(&[0]));
    bench.source = Source { turns: 3, ..Source::default() };
    let done = bench.run();
    assert_eq!(done.records.len(), 3);
    assert!(done.records.iter().all(|record| record.outcome == Outcome::Failed(FailureKind::HttpError)));
    assert!(server.seen().iter().all(|seen| String::from_utf8_lossy(&seen.body).contains("after nothing")));
}
