//! Packet truth on the loopback: arrivals that stay exact however late the reader is.
//!
//! Server and client share one clock, so what the server did and what the tap says can be put in
//! order; nothing here asserts how long anything took. Where no packet socket may be opened the tests
//! say so and pass.
#![cfg(target_os = "linux")]

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd as _;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use loadgen_core::{
    ChunkKind, Clock as _, ConnectionFacts, InputTokens, Instants, Nanos, Outcome, RawChunks, RawRecord,
    RecordSink, StampCounts, Started, StreamTrail, SystemClock,
};
use loadgen_wire::{
    ConnectorConfig, EndpointConfig, EndpointKind, Observation, PacketError, PacketStats, PacketTap,
    TapConfig, Timestamps,
};

use crate::client::{Client, identity, run};
use crate::server::{LAST_CHUNK, STREAM_HEAD, Script, Server, Wire, chunk, event, read_request};
use crate::tls::{certified, serve_on};

/// The wall clock and the timeline are compared once in a while; between, they may part by this.
const SLACK_NS: i64 = 500_000;
const CHUNK: &[u8; 10] = b"0123456789";
const CHUNKS: usize = 20;

/// A tap on one port; `None`, and why, where none may be opened.
pub(crate) fn tap(port: u16, clock: SystemClock) -> Option<PacketTap> {
    match PacketTap::open(TapConfig { ports: vec![port, port], clock }) {
        Ok(tap) => Some(tap),
        Err(error @ PacketError::Permission { .. }) => {
            eprintln!("skipped: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// A sink that keeps what it gets.
#[derive(Clone, Default)]
pub(crate) struct Kept(Arc<Mutex<Vec<RawRecord>>>);

impl Kept {
    pub(crate) fn take(&self) -> Vec<RawRecord> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl RecordSink for Kept {
    fn started(&mut self, _: &Started) {}

    fn finished(&mut self, record: RawRecord) {
        self.0.lock().unwrap().push(record);
    }
}

/// A connection whose server writes chunks one by one while nobody reads, then reads them at once.
struct Late {
    local: SocketAddr,
    remote: SocketAddr,
    started: Nanos,
    /// When the server began to write each chunk.
    written: Vec<Nanos>,
    read_at: Nanos,
    /// The stamp of the read, as the socket told it.
    wall_ns: i64,
}

fn listen(ip: IpAddr) -> Option<TcpListener> {
    match TcpListener::bind((ip, 0)) {
        Ok(listener) => Some(listener),
        Err(error) => {
            eprintln!("skipped: {ip}: {error}");
            None
        }
    }
}

/// Connects; the server's end and ours.
fn connect(listener: &TcpListener) -> (TcpStream, TcpStream) {
    let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    nix::sys::socket::setsockopt(&ours, nix::sys::socket::sockopt::ReceiveTimestampns, &true).unwrap();
    let (server, _) = listener.accept().unwrap();
    server.set_nodelay(true).unwrap();
    (server, ours)
}

fn read_late(clock: SystemClock, server: &mut TcpStream, ours: &mut TcpStream) -> Late {
    let started = clock.now();
    let mut written = Vec::new();
    for _ in 0..CHUNKS {
        written.push(clock.now());
        server.write_all(CHUNK).unwrap();
        std::thread::sleep(Duration::from_millis(5));
    }
    let (count, wall_ns) = receive(ours);
    assert_eq!(count, CHUNKS * CHUNK.len(), "all came in one read");
    Late {
        local: ours.local_addr().unwrap(),
        remote: ours.peer_addr().unwrap(),
        started,
        written,
        read_at: clock.now(),
        wall_ns: wall_ns.expect("stamps are on"),
    }
}

/// One read, and its stamp as the kernel gives it.
fn receive(socket: &TcpStream) -> (usize, Option<i64>) {
    use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
    let mut room = vec![0; 1 << 16];
    let mut control = [0_u8; 64];
    let mut parts = [std::io::IoSliceMut::new(&mut room)];
    let message =
        recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut control), MsgFlags::empty()).unwrap();
    let stamp = message.cmsgs().unwrap().find_map(|control| match control {
        ControlMessageOwned::ScmTimestampns(at) => Some(at.tv_sec() * 1_000_000_000 + at.tv_nsec()),
        _ => None,
    });
    (message.bytes, stamp)
}

/// What a reader knows of a late read: one stamp for all, an interval, and where the bytes were.
fn record(late: &Late, first: u64, anchor: Option<(u64, i64)>) -> RawRecord {
    let offset = late.read_at.since(late.started);
    let ends: Vec<u64> = (1..=CHUNKS as u64).map(|index| first + index * CHUNK.len() as u64).collect();
    let last = ends.last().copied();
    let read = Some(late.read_at);
    RawRecord {
        identity: identity(),
        instants: Instants {
            request_start: Some(late.started),
            send_start: Some(late.started),
            first_byte: read,
            headers: read,
            first_token: read,
            first_output_token: read,
            last_token: read,
            end: read,
            ..Instants::default()
        },
        connection: ConnectionFacts { first_body: read, last_body: read, ..ConnectionFacts::default() },
        status: Some(200),
        outcome: Outcome::Ok,
        error: None,
        finish_reason: None,
        requested_output_tokens: None,
        input_tokens: InputTokens::Unknown,
        usage: None,
        stamps: StampCounts { kernel: CHUNKS as u32, ..StampCounts::default() },
        chunks: RawChunks {
            offset_ns: vec![offset; CHUNKS],
            uncertainty_ns: vec![offset; CHUNKS],
            read_lag_ns: vec![0; CHUNKS],
            kind: vec![ChunkKind::Text; CHUNKS],
            bytes: vec![10; CHUNKS],
            reasoning_end: vec![0; CHUNKS],
            output_end: vec![0; CHUNKS],
            ..RawChunks::default()
        },
        degraded: false,
        cancelled_at: None,
        images: 0,
        audio_ns: None,
        trail: Some(Box::new(StreamTrail {
            local: late.local,
            remote: late.remote,
            first_byte: Some(first + 1),
            headers: Some(first + 1),
            body: Some((ends[0], last.unwrap())),
            end: last,
            chunks: ends.into_iter().map(Some).collect(),
            anchor,
        })),
        exchange: None,
    }
}

/// Every chunk has its own arrival: in order, not before it was written, and before it was read.
fn assert_exact(record: &RawRecord, late: &Late) {
    assert_eq!(record.stamps, StampCounts { packet: CHUNKS as u32, ..StampCounts::default() });
    assert_eq!(record.chunks.uncertainty_ns, [0; CHUNKS]);
    let offsets = &record.chunks.offset_ns;
    assert!(offsets.is_sorted_by(|earlier, later| earlier < later), "each has its own: {offsets:?}");
    let mut after_the_next = 0;
    for (index, began) in late.written.iter().enumerate() {
        let at = late.started + offsets[index];
        assert!(*began <= at + SLACK_NS, "chunk {index} came after it was written");
        assert!(at <= late.read_at, "chunk {index} came before it was read");
        after_the_next += usize::from(late.written.get(index + 1).is_some_and(|next| at > *next + SLACK_NS));
    }
    // An arrival taken from the wrong packet would be that of the next chunk, nearly always. A busy host
    // may deliver a few segments late.
    assert!(after_the_next * 4 <= CHUNKS, "{after_the_next} arrivals are another chunk's");
    assert_eq!(record.instants.first_token, Some(late.started + offsets[0]));
    assert_eq!(record.instants.last_token, Some(late.started + offsets[CHUNKS - 1]));
    assert_eq!(record.instants.end, record.instants.last_token);
    assert!(record.trail.is_none(), "it is used up");
}

fn resolve(tap: PacketTap, record: RawRecord) -> (RawRecord, PacketStats) {
    let kept = Kept::default();
    let mut sink = tap.sink(Box::new(kept.clone()));
    sink.finished(record);
    drop(sink);
    let stats = tap.close();
    (kept.take().pop().unwrap(), stats)
}

fn read_all_at_once(ip: IpAddr) {
    let clock = SystemClock::start();
    let Some(listener) = listen(ip) else { return };
    let Some(tap) = tap(listener.local_addr().unwrap().port(), clock) else { return };
    let (mut server, mut ours) = connect(&listener);
    let late = read_late(clock, &mut server, &mut ours);
    let position = (CHUNKS * CHUNK.len()) as u64;
    let (record, stats) = resolve(tap, record(&late, 0, Some((position, late.wall_ns))));
    assert_exact(&record, &late);
    assert_eq!((stats.stamped_by_packet, stats.stamped_by_socket), (CHUNKS as u64, 0));
    assert_eq!((stats.flows, stats.unanchored_flows, stats.contradicted), (1, 0, 0));
    assert!(stats.packets > CHUNKS as u64, "the chunks and the opening: {stats:?}");
}

#[test]
fn twenty_segments_read_at_once_have_twenty_arrivals() {
    read_all_at_once(IpAddr::V4(Ipv4Addr::LOCALHOST));
}

#[test]
fn and_so_they_have_over_ipv6() {
    read_all_at_once(IpAddr::V6(Ipv6Addr::LOCALHOST));
}

#[test]
fn a_connection_opened_before_the_tap_is_tied_by_its_stamp() {
    let clock = SystemClock::start();
    let listener = listen(IpAddr::V4(Ipv4Addr::LOCALHOST)).unwrap();
    let (mut server, mut ours) = connect(&listener);
    server.write_all(b"what came before").unwrap();
    let (before, _) = receive(&ours);
    let Some(tap) = tap(listener.local_addr().unwrap().port(), clock) else { return };
    let late = read_late(clock, &mut server, &mut ours);
    let last = (before + CHUNKS * CHUNK.len()) as u64;
    let (record, stats) = resolve(tap, record(&late, before as u64, Some((last, late.wall_ns))));
    assert_exact(&record, &late);
    assert_eq!((stats.flows, stats.unanchored_flows, stats.contradicted), (1, 0, 0));
}

#[test]
fn without_a_stamp_to_tie_it_such_a_connection_keeps_its_sockets_word() {
    let clock = SystemClock::start();
    let listener = listen(IpAddr::V4(Ipv4Addr::LOCALHOST)).unwrap();
    let (mut server, mut ours) = connect(&listener);
    let Some(tap) = tap(listener.local_addr().unwrap().port(), clock) else { return };
    let late = read_late(clock, &mut server, &mut ours);
    let given = record(&late, 0, None);
    let (record, stats) = resolve(tap, given.clone());
    assert_eq!(
        (&record.chunks, record.instants, record.stamps),
        (&given.chunks, given.instants, given.stamps)
    );
    assert_eq!((stats.stamped_by_socket, stats.unanchored_flows), (CHUNKS as u64, 1));
}

#[test]
fn a_stopped_tap_leaves_records_as_they_are() {
    let clock = SystemClock::start();
    let listener = listen(IpAddr::V4(Ipv4Addr::LOCALHOST)).unwrap();
    let Some(tap) = tap(listener.local_addr().unwrap().port(), clock) else { return };
    let (mut server, mut ours) = connect(&listener);
    let late = read_late(clock, &mut server, &mut ours);
    let kept = Kept::default();
    let mut sink = tap.sink(Box::new(kept.clone()));
    tap.close();
    let given = record(&late, 0, None);
    sink.finished(given.clone());
    assert_eq!(kept.take(), [given]);
}

#[test]
fn records_come_out_in_the_order_they_went_in() {
    let clock = SystemClock::start();
    let Some(tap) = tap(1, clock) else { return };
    let kept = Kept::default();
    let mut sink = tap.sink(Box::new(kept.clone()));
    let nothing = Late {
        local: "127.0.0.1:1".parse().unwrap(),
        remote: "127.0.0.1:1".parse().unwrap(),
        started: clock.now(),
        written: Vec::new(),
        read_at: clock.now(),
        wall_ns: 0,
    };
    for number in 0..500 {
        let mut record = record(&nothing, 0, None);
        record.identity.session_num = number;
        // Some have nothing to resolve.
        record.trail = record.trail.filter(|_| number % 3 != 0);
        sink.finished(record);
    }
    tap.close();
    let order: Vec<i64> = kept.take().iter().map(|record| record.identity.session_num).collect();
    assert_eq!(order, (0..500).collect::<Vec<_>>());
}

#[test]
fn packets_of_other_ports_are_not_looked_at() {
    let clock = SystemClock::start();
    let listener = listen(IpAddr::V4(Ipv4Addr::LOCALHOST)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let Some(tap) = tap(port ^ 1, clock) else { return };
    let (mut server, mut ours) = connect(&listener);
    server.write_all(CHUNK).unwrap();
    ours.read_exact(&mut [0; 10]).unwrap();
    assert_eq!(tap.close(), PacketStats::default());
}

/// The server's side of holding a client back.
struct Grip {
    clock: SystemClock,
    ask: Sender<()>,
    is_held: Receiver<()>,
    release: Sender<Nanos>,
    log: Sender<Nanos>,
}

/// Answers each request with a stream that is written, but for its head, while the client is held.
fn write_while_held(wire: &mut dyn Wire, grips: &Receiver<Grip>) {
    while let Ok(Grip { clock, ask, is_held, release, log }) = grips.recv() {
        read_request(wire);
        let mut send = |text: &str| {
            wire.write_all(text.as_bytes()).unwrap();
            wire.flush().unwrap();
        };
        send(STREAM_HEAD);
        ask.send(()).unwrap();
        is_held.recv().unwrap();
        for _ in 0..CHUNKS {
            log.send(clock.now()).unwrap();
            send(&chunk(&event("x")));
            std::thread::sleep(Duration::from_millis(5));
        }
        send(LAST_CHUNK);
        release.send(clock.now()).unwrap();
    }
}

/// A response whose chunks were read late, all at once.
struct Held {
    seen: Observation,
    written: Vec<Nanos>,
    released_at: Nanos,
}

/// Sends so many requests over one connection, and holds the client back while each is answered.
async fn hold_back(client: &Client, grips: &Sender<Grip>, requests: usize) -> Vec<Held> {
    let mut ends = Vec::new();
    for _ in 0..requests {
        let ((ask, asked), (hold, is_held)) = (channel(), channel());
        let ((release, released), (log, logged)) = (channel(), channel());
        grips.send(Grip { clock: client.clock, ask, is_held, release, log }).unwrap();
        ends.push((asked, hold, released, logged));
    }
    let mut connection = client.connect().await;
    let mut all = Vec::new();
    for (asked, hold, released, logged) in ends {
        let mut seen = client.observation();
        let held = async {
            while asked.try_recv().is_err() {
                tokio::task::yield_now().await;
            }
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            hold.send(()).unwrap();
            // Blocks the thread, and the exchange with it.
            released.recv().unwrap()
        };
        let ((), released_at) = tokio::join!(connection.exchange(client.request(), &mut seen), held);
        all.push(Held { seen, written: logged.iter().collect(), released_at });
    }
    all
}

/// The record that an engine would make.
fn record_of(seen: Observation) -> RawRecord {
    RawRecord {
        identity: identity(),
        instants: seen.instants,
        connection: seen.connection,
        status: seen.status,
        outcome: seen.outcome.unwrap(),
        error: seen.error,
        finish_reason: seen.finish_reason,
        requested_output_tokens: None,
        input_tokens: InputTokens::Unknown,
        usage: seen.usage,
        stamps: seen.stamps,
        chunks: seen.chunks,
        degraded: false,
        cancelled_at: None,
        images: 0,
        audio_ns: None,
        trail: seen.trail,
        exchange: seen.exchange,
    }
}

fn arrivals_are_told(ip: IpAddr, is_encrypted: bool) {
    let (grips, to_hold) = channel();
    let script: Script = Box::new(move |wire| write_while_held(wire, &to_hold));
    let server = if is_encrypted {
        serve_on(ip, &certified("localhost").server, vec![script])
    } else {
        Server::on(ip, vec![script], |mut stream, script| script(&mut stream))
    };
    let server = match server {
        Ok(server) => server,
        Err(error) => return eprintln!("skipped: {ip}: {error}"),
    };
    let config =
        ConnectorConfig { timestamps: Timestamps::Packet, verify_tls: false, ..ConnectorConfig::default() };
    let scheme = if is_encrypted { "https" } else { "http" };
    let url = format!("{scheme}://{}", server.addr);
    let client = Client::with(&url, EndpointConfig::new(EndpointKind::Chat, true), config);
    let Some(tap) = tap(client.connector.endpoint_port(&client.target), client.clock) else { return };
    let responses = run(async { hold_back(&client, &grips, 3).await });
    drop(grips);

    let kept = Kept::default();
    let mut sink = tap.sink(Box::new(kept.clone()));
    for held in &responses {
        let offsets = &held.seen.chunks.offset_ns;
        assert_eq!(offsets.len(), CHUNKS);
        assert!(offsets.iter().all(|offset| *offset == offsets[0]), "all were read at once: {offsets:?}");
        sink.finished(record_of(held.seen.clone()));
    }
    let stats = tap.close();
    assert_eq!((stats.unanchored_flows, stats.contradicted, stats.stamped_by_socket), (0, 0, 0), "{stats:?}");
    let records = kept.take();
    assert_eq!(records.len(), responses.len());
    for (record, Held { seen, written, released_at }) in records.iter().zip(&responses) {
        assert_eq!(record.stamps, StampCounts { packet: CHUNKS as u32, ..StampCounts::default() });
        assert_eq!(record.chunks.uncertainty_ns, [0; CHUNKS]);
        let start = record.instants.request_start.unwrap();
        let offsets = &record.chunks.offset_ns;
        assert!(offsets.is_sorted_by(|earlier, later| earlier < later), "each has its own: {offsets:?}");
        for (index, began) in written.iter().enumerate() {
            let at = start + offsets[index];
            assert!(*began <= at + SLACK_NS, "chunk {index} came after it was written");
            assert!(at < *released_at + SLACK_NS, "and while the client was held");
            let read_at = |record: &RawChunks| record.offset_ns[index] + record.read_lag_ns[index];
            assert_eq!(read_at(&record.chunks), read_at(&seen.chunks), "when it was read stays");
        }
        let at = record.instants;
        let order = [at.send_start, at.first_byte, at.headers, at.first_token, at.last_token, at.end];
        assert!(order.iter().all(Option::is_some) && order.is_sorted(), "{at:?}");
        assert_eq!(at.first_token, Some(start + offsets[0]));
        assert_eq!(at.first_output_token, at.first_token);
        assert_eq!(at.last_token, Some(start + offsets[CHUNKS - 1]));
    }
}

#[test]
fn a_client_held_back_is_told_when_its_tokens_came() {
    arrivals_are_told(IpAddr::V4(Ipv4Addr::LOCALHOST), false);
    arrivals_are_told(IpAddr::V6(Ipv6Addr::LOCALHOST), false);
}

#[test]
fn and_so_it_is_under_tls() {
    arrivals_are_told(IpAddr::V4(Ipv4Addr::LOCALHOST), true);
    arrivals_are_told(IpAddr::V6(Ipv6Addr::LOCALHOST), true);
}
