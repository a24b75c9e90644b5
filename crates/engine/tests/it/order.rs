//! The same seed sends the same bodies in the same order at the same intended instants.

use std::collections::{HashMap, HashSet};

use loadgen_core::{Phase, TurnTiming};
use loadgen_engine::PhasePlan;
use loadgen_schedule::StopCondition;
use sha2::{Digest, Sha256};

use crate::fake::{Bench, Done, Source, closed, constant, fixed, poisson};
use crate::server::{Behaviour, Server};

/// SHA-256 over number, intended offset, ids and body of every request, in order.
fn fingerprint(done: &Done, server: &Server) -> String {
    let bodies: HashMap<String, Vec<u8>> =
        server.seen().into_iter().map(|seen| (seen.request_id, seen.body)).collect();
    let start = done.report.phases[0].start;
    let mut hash = Sha256::new();
    for record in &done.records {
        let identity = &record.identity;
        let offset = record.instants.scheduled.unwrap().since(start);
        hash.update(format!("{} {offset} {} ", identity.session_num, identity.correlation_id));
        hash.update(&bodies[&identity.request_id.to_string()]);
    }
    format!("{:x}", hash.finalize())
}

fn open_loop(workers: usize, seed: u64) -> String {
    let server = Server::start(Behaviour::Answer);
    let mut bench = Bench::new(server.url(), poisson(400.0, StopCondition::after_requests(60), seed));
    bench.workers = workers;
    bench.source = Source { seed, ..Source::default() };
    let done = bench.run();
    assert_eq!(done.report.phases[0].counts.ok, 60);
    fingerprint(&done, &server)
}

#[test]
fn the_number_of_workers_changes_nothing_and_the_seed_everything() {
    let first = open_loop(1, 11);
    assert_eq!(open_loop(1, 11), first);
    assert_eq!(open_loop(2, 11), first);
    assert_eq!(open_loop(7, 11), first);
    assert_ne!(open_loop(2, 12), first);
}

#[test]
fn runs_of_one_seed_send_the_same_load_under_ids_of_their_own() {
    let run = |ids| {
        let server = Server::start(Behaviour::Answer);
        let load = poisson(400.0, StopCondition::after_requests(20), 11);
        let done = Bench { ids, ..Bench::new(server.url(), load) }.run();
        let mut bodies: Vec<Vec<u8>> = server.seen().into_iter().map(|seen| seen.body).collect();
        bodies.sort();
        let ids: HashSet<String> = done
            .records
            .iter()
            .flat_map(|record| {
                [record.identity.request_id.to_string(), (*record.identity.correlation_id).into()]
            })
            .collect();
        assert_eq!(ids.len(), 40);
        (bodies, ids)
    };
    let (first, second) = (run(1), run(2));
    assert_eq!(first.0, second.0);
    assert!(first.1.is_disjoint(&second.1));
    assert_eq!(run(1).1, first.1);
}

#[test]
fn one_worker_sends_simultaneous_arrivals_in_order() {
    let server = Server::start(Behaviour::Answer);
    let mut bench = Bench::new(server.url(), fixed(&[0, 0, 0, 0, 2, 2, 2, 40]));
    bench.workers = 1;
    let mut done = bench.run();
    done.records.sort_by_key(|record| record.instants.request_start);
    let numbers: Vec<i64> = done.records.iter().map(|record| record.identity.session_num).collect();
    assert_eq!(numbers, (0..8).collect::<Vec<_>>());
    assert!(
        done.records.iter().all(|record| *record.identity.correlation_id
            == *format!("fixed-schedule-{}", record.identity.session_id))
    );
}

#[test]
fn targets_take_turns_over_all_workers() {
    let servers = [Server::start(Behaviour::Answer), Server::start(Behaviour::Answer)];
    let mut bench = Bench::new(servers[0].url(), constant(500.0, StopCondition::after_requests(10)));
    bench.urls.push(servers[1].url());
    bench.workers = 3;
    let done = bench.run();
    let urls: Vec<i32> = done.records.iter().map(|record| record.identity.url_index).collect();
    assert_eq!(urls, [0, 1, 0, 1, 0, 1, 0, 1, 0, 1]);
    assert_eq!([servers[0].seen().len(), servers[1].seen().len()], [5, 5]);
}

#[test]
fn a_phase_starts_when_the_one_before_has_returned_and_sessions_go_on() {
    let server = Server::start(Behaviour::AnswerAfter(2));
    let mut bench = Bench::new(server.url(), constant(500.0, StopCondition::after_requests(6)));
    let load = closed(2, StopCondition::after_requests(5));
    let warmup = PhasePlan {
        phase: Phase::Warmup,
        index: 0,
        load,
        first_session: None,
        prefill: None,
        cancellation: None,
    };
    bench.phases[0].index = 1;
    bench.phases.insert(0, warmup);
    bench.source = Source { timing: TurnTiming::Immediately, ..Source::default() };
    let done = bench.run();
    let [warmup, profiling] = &done.report.phases[..] else { panic!("two phases") };
    assert!(warmup.end <= profiling.start);
    assert_eq!((warmup.counts.ok, profiling.counts.ok), (5, 6));
    let rows: Vec<i64> = done.records.iter().filter_map(|record| record.identity.source_row).collect();
    assert_eq!(rows, (0..11).collect::<Vec<_>>());
    let numbers: Vec<i64> = done.records.iter().map(|record| record.identity.session_num).collect();
    assert_eq!(numbers, [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 5]);
    for record in &done.records {
        let phase = if record.identity.phase == Phase::Warmup { warmup } else { profiling };
        assert!(record.instants.request_start.unwrap() >= phase.start);
        assert!(record.instants.end.unwrap() <= phase.end);
    }
}
