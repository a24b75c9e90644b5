//! Kernel stamps: right however late the reader is, and honest where segments were merged.
//!
//! Server and client share one clock, so what the server did and what the client says can be put in
//! order; nothing here asserts how long anything took.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use loadgen_core::{Clock, Nanos, SystemClock};
use loadgen_wire::{ConnectorConfig, EndpointConfig, EndpointKind, Observation, Timestamps};

use crate::client::{Client, run};
use crate::server::{LAST_CHUNK, STREAM_HEAD, Script, Server, Wire, chunk, event, read_request};

/// The wall clock and the timeline are compared once in a while; between, they may part by this.
const SLACK_NS: i64 = 500_000;

/// When the server's write of an event began and ended.
type Written = (Nanos, Nanos);

struct Held {
    seen: Observation,
    written: Vec<Written>,
    released_at: Nanos,
}

/// The server's side of holding the client back.
struct Grip {
    clock: Receiver<SystemClock>,
    ask: Sender<()>,
    is_held: Receiver<()>,
    release: Sender<Nanos>,
    has_read: Receiver<()>,
    log: Sender<Written>,
}

/// A stream whose last `late` events are all written while the client's thread is held back.
fn held_back(early: usize, late: usize, timestamps: Timestamps) -> Held {
    let config = ConnectorConfig { timestamps, ..ConnectorConfig::default() };
    let (give_clock, clock) = channel();
    let (ask, asked) = channel();
    let (hold, is_held) = channel();
    let (release, released) = channel();
    let (read, has_read) = channel();
    let (log, logged) = channel();
    let grip = Grip { clock, ask, is_held, release, has_read, log };
    let server = Server::plain(vec![Box::new(move |wire| write_late(wire, &grip, early, late))]);
    let client = Client::with(&server.url(), EndpointConfig::new(EndpointKind::Chat, true), config);
    give_clock.send(client.clock).unwrap();
    let held_until = async {
        while asked.try_recv().is_err() {
            tokio::task::yield_now().await;
        }
        let_others_read().await;
        hold.send(()).unwrap();
        // Blocks the thread, and the exchange with it.
        let released_at = released.recv().unwrap();
        let_others_read().await;
        read.send(()).unwrap();
        released_at
    };
    let (seen, released_at) = run(async { tokio::join!(client.send(), held_until) });
    drop(server);
    Held { seen, written: logged.iter().collect(), released_at }
}

/// Some turns of the event loop: what is in the socket by now is read in them.
async fn let_others_read() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

fn write_late(wire: &mut dyn Wire, grip: &Grip, early: usize, late: usize) {
    let clock = grip.clock.recv().unwrap();
    read_request(wire);
    wire.write_all(STREAM_HEAD.as_bytes()).unwrap();
    for index in 0..early + late {
        if index == early {
            grip.ask.send(()).unwrap();
            grip.is_held.recv().unwrap();
        }
        let data = chunk(&event("x"));
        let began = clock.now();
        wire.write_all(data.as_bytes()).unwrap();
        grip.log.send((began, clock.now())).unwrap();
        std::thread::sleep(Duration::from_millis(5));
    }
    grip.release.send(clock.now()).unwrap();
    // The end comes in a read of its own.
    grip.has_read.recv().unwrap();
    wire.write_all(LAST_CHUNK.as_bytes()).unwrap();
}

fn arrival(seen: &Observation, index: usize) -> Nanos {
    seen.instants.request_start.unwrap() + seen.chunks.offset_ns[index]
}

#[test]
#[cfg(target_os = "linux")]
fn a_late_reader_still_tells_when_a_chunk_came() {
    let Held { seen, written, released_at } = held_back(2, 1, Timestamps::Kernel);
    assert_eq!((seen.chunks.len(), seen.stamps.kernel, seen.unstamped_reads), (3, 3, 0));
    for (index, (began, _)) in written.iter().enumerate() {
        let stamp = arrival(&seen, index);
        assert!(*began <= stamp + SLACK_NS, "chunk {index} came after it was sent");
    }
    let read_at = arrival(&seen, 2) + seen.chunks.read_lag_ns[2];
    assert_eq!(seen.chunks.uncertainty_ns[2], 0, "it came alone");
    assert!(arrival(&seen, 2) < released_at, "it came while the reader was held");
    assert!(read_at > released_at, "and was read after");
}

#[test]
#[cfg(target_os = "linux")]
fn merged_chunks_say_so_and_the_truth_lies_inside() {
    let Held { seen, written, .. } = held_back(2, 4, Timestamps::Kernel);
    assert_eq!(seen.chunks.len(), 6);
    let offsets = &seen.chunks.offset_ns;
    assert!(offsets.is_sorted());
    assert!(offsets[2..].iter().all(|offset| *offset == offsets[2]), "four were read at once: {offsets:?}");
    for (index, (began, ended)) in written.iter().enumerate().skip(2) {
        let width = seen.chunks.uncertainty_ns[index];
        assert!(width > 0, "chunk {index} is not shown as exact");
        let (from, to) = (arrival(&seen, index) - width, arrival(&seen, index));
        assert!(
            from <= *ended + SLACK_NS && *began <= to + SLACK_NS,
            "chunk {index} came within its interval"
        );
    }
}

#[test]
fn without_the_kernel_the_reader_says_when_it_read() {
    let Held { seen, released_at, .. } = held_back(1, 1, Timestamps::User);
    assert_eq!((u64::from(seen.stamps.user), seen.unstamped_reads), (seen.stamps.total(), 0));
    assert!(seen.chunks.read_lag_ns.iter().all(|lag| *lag == 0));
    assert!(arrival(&seen, 1) > released_at);
}

#[test]
fn each_chunk_has_the_stamp_of_its_own_read() {
    const EVENTS: usize = 50;
    let (give_clock, clock) = channel::<SystemClock>();
    let (log, logged) = channel();
    let script: Script = Box::new(move |wire| {
        let clock = clock.recv().unwrap();
        read_request(wire);
        wire.write_all(STREAM_HEAD.as_bytes()).unwrap();
        for index in 0..EVENTS {
            // Every other event in pieces, so that one frame takes several reads.
            let data = chunk(&event("x"));
            let pieces = if index % 2 == 0 { 1 } else { 4 };
            log.send(clock.now()).unwrap();
            for piece in data.as_bytes().chunks(data.len().div_ceil(pieces)) {
                wire.write_all(piece).unwrap();
            }
            std::thread::sleep(Duration::from_millis(3));
        }
        wire.write_all(LAST_CHUNK.as_bytes()).unwrap();
    });
    let server = Server::plain(vec![script]);
    let client = Client::new(&server.url());
    give_clock.send(client.clock).unwrap();
    let seen = run(client.send());
    drop(server);

    assert_eq!(seen.chunks.len(), EVENTS);
    assert!(seen.chunks.offset_ns.is_sorted());
    assert!(seen.chunks.read_lag_ns.iter().all(|lag| *lag >= 0));
    let written: Vec<Nanos> = logged.iter().collect();
    let mut exact = 0;
    let mut after_the_next = 0;
    for index in 0..EVENTS - 1 {
        let is_shared = seen.chunks.offset_ns[index] == seen.chunks.offset_ns[index + 1];
        assert!(!is_shared || seen.chunks.uncertainty_ns[index..=index + 1].iter().all(|width| *width > 0));
        assert!(written[index] <= arrival(&seen, index) + SLACK_NS, "no chunk comes before it is sent");
        if seen.chunks.uncertainty_ns[index] == 0 {
            exact += 1;
            after_the_next += usize::from(arrival(&seen, index) > written[index + 1] + SLACK_NS);
        }
    }
    // A stamp taken from the wrong read would be that of the next event, nearly always. A busy host
    // may deliver a few segments late.
    assert!(after_the_next * 4 <= exact, "{after_the_next} of {exact} stamps are another event's");
}
