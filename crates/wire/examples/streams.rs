//! What a streamed token costs this crate alone: many streams at once over kept connections, no engine,
//! no journal. Prints CPU time (user + system) per content chunk, and the most memory that was in use.
//!
//!     cargo run --release -p loadgen-wire --example streams -- http://127.0.0.1:8000 512 10
//!
//! takes the server, how many streams, and for how many seconds. Run `wrk` against the same server with as
//! many connections beside it: only the ratio of the two means anything.

use std::cell::Cell;
use std::error::Error;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use loadgen_core::{
    Clock as _, Identity, InputTokens, Message, Nanos, Outcome, Phase, Prompt, Role, SystemClock, Turn,
    TurnTiming,
};
use loadgen_wire::{
    Connector, ConnectorConfig, Endpoint, EndpointConfig, EndpointKind, Observation, Target, Timestamps,
};
use nix::sys::resource::{UsageWho, getrusage};

#[derive(Default)]
struct Totals {
    requests: Cell<u64>,
    failed: Cell<u64>,
    chunks: Cell<u64>,
    uncertain: Cell<u64>,
    reads: Cell<i64>,
}

struct Client {
    connector: Connector,
    endpoint: Endpoint,
    target: Target,
    clock: SystemClock,
    until: Nanos,
    totals: Totals,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut next = |otherwise: &str| arguments.next().unwrap_or_else(|| otherwise.to_owned());
    let target = Target::parse(&next("http://127.0.0.1:8000"))?;
    let streams: usize = next("512").parse()?;
    let seconds: i64 = next("10").parse()?;
    let timestamps = if next("kernel") == "user" { Timestamps::User } else { Timestamps::Kernel };

    let clock = SystemClock::start();
    let config = ConnectorConfig { timestamps, verify_tls: false, ..ConnectorConfig::default() };
    let client = Rc::new(Client {
        connector: Connector::new(config, clock)?,
        endpoint: Endpoint::new(EndpointConfig::new(EndpointKind::Chat, true))?,
        target,
        clock,
        until: clock.now() + seconds * 1_000_000_000,
        totals: Totals::default(),
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = tokio::task::LocalSet::new();
    let before = cpu_us()?;
    local.block_on(&runtime, async {
        let running: Vec<_> = (0..streams)
            .map(|index| {
                let client = Rc::clone(&client);
                tokio::task::spawn_local(async move {
                    // Not all at once: a burst of connections says nothing about tokens.
                    tokio::time::sleep(Duration::from_micros(500 * index as u64)).await;
                    stream(&client).await;
                })
            })
            .collect();
        for stream in running {
            let _ = stream.await;
        }
    });
    let (user, system) = cpu_us()?;
    let (user, system) = (user - before.0, system - before.1);
    let totals = &client.totals;
    let per_chunk = |us: i64| us as f64 / totals.chunks.get().max(1) as f64;
    println!(
        "{} requests ({} failed), {} chunks, {} reads, {:.2} % uncertain; CPU per chunk {:.2} µs ({:.2} user, {:.2} system); peak memory {} KiB",
        totals.requests.get(),
        totals.failed.get(),
        totals.chunks.get(),
        totals.reads.get(),
        100.0 * totals.uncertain.get() as f64 / totals.chunks.get().max(1) as f64,
        per_chunk(user + system),
        per_chunk(user),
        per_chunk(system),
        // Linux counts it in KiB.
        getrusage(UsageWho::RUSAGE_SELF)?.max_rss(),
    );
    Ok(())
}

/// One request after the other until the time is over.
async fn stream(client: &Client) {
    let turn = turn();
    let mut kept = None;
    while client.clock.now() < client.until {
        let mut seen = Observation::starting_at(client.clock.now());
        let mut connection = match kept.take() {
            Some(connection) => connection,
            None => match client.connector.connect(&client.target, &mut seen).await {
                Ok(connection) => connection,
                Err(failure) => return eprintln!("{failure}"),
            },
        };
        let body = match client.endpoint.body(&turn) {
            Ok(body) => body,
            Err(error) => return eprintln!("{error}"),
        };
        let request = client.endpoint.request(&client.target, &turn, &identity(), body);
        connection.exchange(request, &mut seen).await;
        kept = connection.is_reusable().then_some(connection);
        count(&client.totals, &seen);
    }
}

fn count(totals: &Totals, seen: &Observation) {
    let add = |count: &Cell<u64>, more: usize| count.set(count.get() + more as u64);
    add(&totals.requests, 1);
    add(&totals.failed, usize::from(seen.outcome != Some(Outcome::Ok)));
    add(&totals.chunks, seen.chunks.len());
    add(&totals.uncertain, seen.chunks.uncertainty_ns.iter().filter(|width| **width > 0).count());
    totals.reads.set(totals.reads.get() + i64::from(seen.connection.reads));
}

/// CPU time of this process so far, user and system, µs.
fn cpu_us() -> Result<(i64, i64), nix::Error> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let us = |time: nix::sys::time::TimeVal| time.tv_sec() * 1_000_000 + time.tv_usec();
    Ok((us(usage.user_time()), us(usage.system_time())))
}

fn turn() -> Turn {
    Turn {
        prompt: Prompt::Messages(vec![Message::new(
            Role::User,
            Bytes::from_static(b"Say something.").into(),
        )]),
        input_tokens: InputTokens::Unknown,
        max_output_tokens: Some(128),
        model: "mock".into(),
        session_id: "s".into(),
        turn_index: 0,
        is_last: true,
        timing: TurnTiming::Immediately,
        extra: None,
        holds_secrets: false,
        source_row: None,
        hash_ids: None,
        labels: Vec::new(),
    }
}

fn identity() -> Identity {
    Identity {
        request_id: uuid::Uuid::from_u128(1),
        correlation_id: "c".into(),
        session_id: "s".into(),
        model: "mock".into(),
        url_index: 0,
        worker_id: 0,
        source_row: None,
        session_num: 0,
        turn_index: 0,
        phase: Phase::Profiling,
        phase_index: 0,
        hash_ids: None,
        labels: Vec::new(),
    }
}
