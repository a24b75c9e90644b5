//! A host without file descriptors fails requests as such, counts them, and says so: a process of its
//! own, since the limit is the process's.

#![allow(clippy::unwrap_used)]
#![cfg(target_os = "linux")]

#[path = "../it/fake.rs"]
#[allow(dead_code)]
mod fake;
#[path = "../it/server.rs"]
#[allow(dead_code)]
mod server;

use std::net::TcpListener;

use loadgen_core::{FailureKind, Outcome, Seed};
use loadgen_engine::Load;
use loadgen_engine::limits::{self, LimitError, Need};
use loadgen_schedule::{ArrivalProcess, Schedule, StopCondition};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use fake::{Bench, closed};
use server::{Behaviour, Server};

/// Descriptors that the run may open.
const SPARE: u64 = 40;

#[test]
fn a_host_out_of_descriptors_is_told_and_the_limit_is_raised_where_it_can_be() {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    let open = std::fs::read_dir("/proc/self/fd").unwrap().count() as u64;
    setrlimit(Resource::RLIMIT_NOFILE, open + SPARE, hard).unwrap();

    // A hundred at once, against a port where connections are taken by the kernel and by nobody else.
    let stop = StopCondition::after_requests(100);
    let schedule = Schedule::new(ArrivalProcess::Burst, stop, Seed(0));
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let mut bench = Bench::new(url, Load::Open { schedule, cap: None });
    bench.timeout_ns = Some(300_000_000);
    let done = bench.run();
    let counts = done.report.phases[0].counts;
    assert!(counts.is_balanced(), "{counts:?}");
    // Workers and listener take some of the descriptors that were left.
    assert!(counts.starved > 100 - SPARE && counts.timeouts > 0, "{counts:?}");
    let starved: Vec<_> = done
        .records
        .iter()
        .filter(|record| record.outcome == Outcome::Failed(FailureKind::ConnectError))
        .filter_map(|record| record.error.as_ref())
        .filter(|error| error.message.contains("Too many open files"))
        .collect();
    assert_eq!(starved.len() as u64, counts.starved);

    // With the limit raised first, the same number finds what it needs.
    let need = Need { least: 200, most: Some(200), short_lived: Some(0) };
    assert_eq!(limits::ensure_open_files(&need, 2), Ok(None));
    assert!(getrlimit(Resource::RLIMIT_NOFILE).unwrap().0 >= limits::required_files(200, 2));
    let server = Server::start(Behaviour::Answer);
    let done = Bench::new(server.url(), closed(100, StopCondition::after_requests(100))).run();
    assert_eq!((done.report.phases[0].counts.ok, done.report.phases[0].counts.starved), (100, 0));

    let need = Need { least: hard, most: Some(hard), short_lived: Some(0) };
    let refused = limits::ensure_open_files(&need, 2);
    assert!(matches!(refused, Err(LimitError::OpenFiles { hard: told, .. }) if told == hard), "{refused:?}");
}
