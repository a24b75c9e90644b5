//! Where in the connection's byte stream the parts of a response were, as the server counts its bytes.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use loadgen_core::{Outcome, StreamTrail};
use loadgen_wire::{ConnectorConfig, EndpointConfig, EndpointKind, Timestamps};
use rustls::{ServerConnection, StreamOwned};

use crate::client::{Client, run};
use crate::server::{LAST_CHUNK, STREAM_HEAD, Script, Server, chunk, event, read_request};
use crate::tls::certified;

/// A stream that counts what is written to it.
struct Counted {
    stream: TcpStream,
    written: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        self.stream.read(room)
    }
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.stream.write(bytes)?;
        self.written.fetch_add(count as u64, Ordering::SeqCst);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// Two responses of three chunks each. Tells how much was written after each part: the head, the chunks,
/// the end.
fn serve(log: Sender<u64>, written: Arc<AtomicU64>) -> Script {
    Box::new(move |wire| {
        for _ in 0..2 {
            read_request(wire);
            let texts = ["a", "bc", "d"].map(|text| chunk(&event(text)));
            for part in [STREAM_HEAD, &texts[0], &texts[1], &texts[2], LAST_CHUNK] {
                wire.write_all(part.as_bytes()).unwrap();
                wire.flush().unwrap();
                log.send(written.load(Ordering::SeqCst)).unwrap();
            }
        }
    })
}

/// The trails of two requests over one connection, and what the server wrote for each.
fn trails(url: &str, timestamps: Timestamps, log: &Receiver<u64>) -> Vec<(Option<StreamTrail>, Vec<u64>)> {
    let config = ConnectorConfig { timestamps, verify_tls: false, ..ConnectorConfig::default() };
    run(async {
        let client = Client::with(url, EndpointConfig::new(EndpointKind::Chat, true), config);
        let mut connection = client.connect().await;
        let mut trails = Vec::new();
        for _ in 0..2 {
            let mut seen = client.observation();
            connection.exchange(client.request(), &mut seen).await;
            assert_eq!((seen.outcome, seen.chunks.len()), (Some(Outcome::Ok), 3));
            trails.push((seen.trail.map(|trail| *trail), log.iter().take(5).collect()));
        }
        trails
    })
}

#[test]
fn positions_are_those_of_the_bytes_that_the_server_wrote() {
    let (log, logged) = channel();
    let written = Arc::new(AtomicU64::new(0));
    let script = serve(log, Arc::clone(&written));
    let server = Server::on(IpAddr::V4(Ipv4Addr::LOCALHOST), vec![script], move |stream, script| {
        script(&mut Counted { stream, written: Arc::clone(&written) });
    })
    .unwrap();
    let mut before = 0;
    for (trail, written) in trails(&server.url(), Timestamps::Packet, &logged) {
        let trail = trail.unwrap();
        assert_eq!(trail.remote, server.addr);
        assert_eq!((trail.first_byte, trail.headers), (Some(before + 1), Some(written[0])));
        // An event ends before the CRLF that closes its chunk.
        let ends: Vec<_> = written[1..4].iter().map(|end| Some(end - 2)).collect();
        assert_eq!(trail.chunks, ends);
        assert_eq!(
            trail.body,
            Some((written[0] + chunk(&event("a")).find("data").unwrap() as u64 + 1, written[3] - 2))
        );
        assert_eq!(trail.end, Some(written[4]));
        if cfg!(target_os = "linux") {
            assert!(trail.anchor.is_some_and(|(position, _)| position == written[4]));
        }
        before = written[4];
    }
}

#[test]
fn under_tls_a_part_ends_where_its_record_does() {
    let (log, logged) = channel();
    let written = Arc::new(AtomicU64::new(0));
    let script = serve(log, Arc::clone(&written));
    let config = certified("127.0.0.1").server;
    let server = Server::on(IpAddr::V4(Ipv4Addr::LOCALHOST), vec![script], move |stream, script| {
        let stream = Counted { stream, written: Arc::clone(&written) };
        let mut tls = StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), stream);
        script(&mut tls);
        tls.conn.send_close_notify();
        let _ = tls.flush();
    })
    .unwrap();
    for (trail, written) in trails(&format!("https://{}", server.addr), Timestamps::Packet, &logged) {
        let trail = trail.unwrap();
        assert_eq!((trail.first_byte, trail.headers), (Some(written[0]), Some(written[0])));
        assert_eq!(trail.chunks, [Some(written[1]), Some(written[2]), Some(written[3])]);
        assert_eq!((trail.body, trail.end), (Some((written[1], written[3])), Some(written[4])));
    }
}

#[test]
fn nobody_follows_the_trail_unless_packets_are_watched() {
    let (log, logged) = channel();
    let server = Server::plain(vec![serve(log, Arc::default())]);
    for (trail, _) in trails(&server.url(), Timestamps::Kernel, &logged) {
        assert_eq!(trail, None);
    }
}
