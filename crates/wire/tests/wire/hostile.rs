//! Servers that mean no good, or know no better: none may hang a request, keep it busy, or pass what is
//! not its answer for one. A test that hangs fails by the client's own limit.

use std::io::Write as _;
use std::net::TcpStream;
use std::sync::Arc;

use bytes::Bytes;
use loadgen_core::{FailureKind, Message, Outcome, Prompt, Role};
use loadgen_wire::{ApiKey, ConnectorConfig, EndpointConfig, EndpointKind, Observation, Request};
use rustls::{ServerConnection, StreamOwned};

use crate::client::{Client, output_of, run, send_to, turn_of};
use crate::server::{LAST_CHUNK, STREAM_HEAD, Script, Server, chunk, event, read_request, stream};
use crate::tls::{certified, serve_on};

/// More than the buffers of two sockets hold.
const MUCH: usize = 32 << 20;

fn large(client: &Client) -> Request {
    let text = std::iter::repeat_n(Bytes::from(vec![b'x'; 1 << 20]), MUCH >> 20).collect();
    client.request_of(&turn_of(Prompt::Messages(vec![Message::new(Role::User, text)])))
}

/// Sends a large request, and says whether its connection may be kept.
fn send_large(url: &str) -> (Observation, bool) {
    run(async {
        let connector = ConnectorConfig { verify_tls: false, ..ConnectorConfig::default() };
        let client = Client::with(url, EndpointConfig::new(EndpointKind::Chat, true), connector);
        let mut connection = client.connect().await;
        let mut seen = client.observation();
        connection.exchange(large(&client), &mut seen).await;
        (seen, connection.may_be_kept())
    })
}

/// Serves with the socket itself.
fn raw(serve: impl FnOnce(TcpStream) + Send + 'static) -> Server {
    let serve = std::sync::Mutex::new(Some(serve));
    Server::on("127.0.0.1".parse().unwrap(), vec![Box::new(|_| ())], move |stream, _| {
        serve.lock().unwrap().take().unwrap()(stream);
    })
    .unwrap()
}

#[test]
fn a_server_that_answers_at_length_before_it_reads_blocks_nobody() {
    let script = || -> Script {
        Box::new(|wire| {
            let events = chunk(&event("x")).repeat(1000);
            wire.write_all(STREAM_HEAD.as_bytes()).unwrap();
            for _ in 0..MUCH / events.len() {
                wire.write_all(events.as_bytes()).unwrap();
            }
            read_request(wire);
            wire.write_all(LAST_CHUNK.as_bytes()).unwrap();
        })
    };
    let certified = certified("127.0.0.1");
    let plain = Server::plain(vec![script()]);
    let tls = serve_on("127.0.0.1".parse().unwrap(), &certified.server, vec![script()]).unwrap();
    for url in [plain.url(), format!("https://{}", tls.addr)] {
        let (seen, _) = send_large(&url);
        assert_eq!(seen.outcome, Some(Outcome::Ok), "{url}: {:?}", seen.error);
        assert!(seen.instants.send_end.is_some());
    }
}

#[test]
fn an_answer_in_front_of_a_reset_is_taken() {
    // Closing with bytes unread is answered with a reset.
    let script: Script = Box::new(|wire| {
        let mut some = [0; 1000];
        wire.read_exact(&mut some).unwrap();
        wire.write_all(b"HTTP/1.1 429 Slow Down\r\nContent-Length: 4\r\n\r\nless").unwrap();
    });
    let server = Server::plain(vec![script]);
    let (seen, is_kept) = send_large(&server.url());
    assert_eq!((seen.outcome, is_kept), (Some(Outcome::Failed(FailureKind::HttpError)), false), "{seen:?}");
    assert_eq!(seen.error.unwrap().message, "less");
}

#[test]
fn an_old_server_may_keep_the_connection() {
    let script: Script = Box::new(|wire| {
        for text in ["a", "b"] {
            read_request(wire);
            let body = event(text);
            let head = "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Type: text/event-stream";
            wire.write_all(format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).as_bytes())
                .unwrap();
        }
    });
    let server = Server::plain(vec![script]);
    run(async {
        let client = Client::new(&server.url());
        let mut connection = client.connect().await;
        for text in ["a", "b"] {
            let mut seen = client.observation();
            connection.exchange(client.request(), &mut seen).await;
            assert_eq!((seen.outcome, output_of(&seen).as_str()), (Some(Outcome::Ok), text));
        }
    });
}

#[test]
fn what_comes_late_behind_a_response_is_not_the_next_one() {
    let (sent, is_sent) = std::sync::mpsc::channel();
    let (is_over, over) = std::sync::mpsc::channel::<()>();
    let script: Script = Box::new(move |wire| {
        read_request(wire);
        wire.write_all(&stream(&["mine"])).unwrap();
        over.recv().unwrap();
        wire.write_all(&stream(&["nobody's"])).unwrap();
        sent.send(()).unwrap();
        read_request(wire);
    });
    let server = Server::plain(vec![script]);
    run(async {
        let client = Client::new(&server.url());
        let mut connection = client.connect().await;
        let mut seen = client.observation();
        connection.exchange(client.request(), &mut seen).await;
        assert!(connection.may_be_kept());
        is_over.send(()).unwrap();
        is_sent.recv().unwrap();
        assert!(!connection.is_reusable());
        // Whoever sends all the same learns that the connection was of no use.
        let mut seen = client.observation();
        connection.exchange(client.request(), &mut seen).await;
        assert!(seen.is_stale && seen.chunks.is_empty() && seen.instants.send_start.is_none());
    });
}

#[test]
fn what_stands_behind_a_tls_goodbye_spoils_nothing() {
    let certified = certified("127.0.0.1");
    let config = Arc::clone(&certified.server);
    let server = raw(move |stream| {
        let mut tls = StreamOwned::new(ServerConnection::new(config).unwrap(), stream);
        read_request(&mut tls);
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";
        tls.write_all(format!("{head}{}", event("a")).as_bytes()).unwrap();
        tls.conn.send_close_notify();
        // In one write with what follows.
        let mut last = Vec::new();
        tls.conn.write_tls(&mut last).unwrap();
        last.extend_from_slice(b"plain text behind it");
        tls.sock.write_all(&last).unwrap();
    });
    let url = format!("https://{}", server.addr);
    let connector = ConnectorConfig { verify_tls: false, ..ConnectorConfig::default() };
    let seen = run(async {
        Client::with(&url, EndpointConfig::new(EndpointKind::Chat, true), connector).send().await
    });
    assert_eq!((seen.outcome, output_of(&seen).as_str()), (Some(Outcome::Ok), "a"), "{:?}", seen.error);
}

#[test]
fn what_swells_when_it_is_unpacked_is_given_up() {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    for _ in 0..200 {
        packed.write_all(&vec![b'x'; 1 << 20]).unwrap();
    }
    let packed = packed.finish().unwrap();
    for kind in ["text/event-stream", "application/json"] {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Encoding: gzip");
        let head = format!("{head}\r\nContent-Length: {}\r\n\r\n", packed.len());
        let server = raw({
            let answer = [head.as_bytes(), &packed].concat();
            move |mut stream| {
                read_request(&mut stream);
                // The client need not take all of it.
                let _ = stream.write_all(&answer);
            }
        });
        let seen = send_to(&server.url());
        assert_eq!(
            seen.outcome,
            Some(Outcome::Failed(FailureKind::InvalidResponse)),
            "{kind}: {:?}",
            seen.error
        );
        assert!(seen.chunks.output.is_empty());
    }
}

#[test]
fn an_urgent_byte_in_the_middle_of_an_answer_holds_nothing_up() {
    let (sent, is_sent) = std::sync::mpsc::channel();
    let server = raw(move |mut stream| {
        // All of it is there before the client looks, or the kernel would tell it of each part.
        stream.write_all(format!("{STREAM_HEAD}{}", chunk(&event("a"))).as_bytes()).unwrap();
        socket2::SockRef::from(&stream).send_out_of_band(b"!").unwrap();
        stream.write_all(format!("{}{LAST_CHUNK}", chunk(&event("b"))).as_bytes()).unwrap();
        sent.send(()).unwrap();
        read_request(&mut stream);
        // The connection stays open, so that its end tells nothing either.
        read_request(&mut stream);
    });
    let seen = run(async {
        let client = Client::new(&server.url());
        let mut connection = client.connect().await;
        let mut seen = client.observation();
        is_sent.recv().unwrap();
        connection.exchange(client.request(), &mut seen).await;
        seen
    });
    assert_eq!((seen.outcome, output_of(&seen).as_str()), (Some(Outcome::Ok), "ab"), "{:?}", seen.error);
}

#[test]
fn a_chunk_size_beyond_all_bounds_is_named() {
    let answer = format!("{STREAM_HEAD}{}fffffffffffffffff\r\n", chunk(&event("a")));
    let seen = send_to(&Server::answering(vec![answer.into_bytes()]).url());
    assert_eq!(seen.outcome, Some(Outcome::Failed(FailureKind::InvalidResponse)));
    assert_eq!(output_of(&seen), "a", "what came before is kept");
    let told = seen.error.unwrap().message;
    assert!(told.contains("the chunk size ffffffffffffffff… is beyond 64 bits"), "{told}");
}

#[test]
fn heads_and_chunks_without_end_are_given_up() {
    for (begins, goes_on) in [
        ("HTTP/1.1 200 OK\r\n", "A: b\r\n"),
        ("HTTP/1.1 200 OK\r\nA: ", "x"),
        ("", "\r\n"),
        ("", "HTTP/1.1 102 Processing\r\n\r\n"),
        (STREAM_HEAD, "0"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", "x"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", "A: b\r\n"),
        ("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: ", "x"),
        ("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n", "data: x\n"),
        ("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n", ": still here\n"),
    ] {
        let server = raw(move |mut stream| {
            read_request(&mut stream);
            let _ = stream.write_all(begins.as_bytes());
            let piece = goes_on.repeat(65_536 / goes_on.len());
            while stream.write_all(piece.as_bytes()).is_ok() {}
        });
        let seen = send_to(&server.url());
        assert!(matches!(seen.outcome, Some(Outcome::Failed(_))), "{begins:?} {goes_on:?}: {seen:?}");
    }
}

#[test]
fn a_server_that_repeats_the_key_does_not_get_it_told() {
    let body = "no such key: hunter2plain";
    let answers = [
        format!("HTTP/1.1 401 Unauthorized\r\nContent-Length: {}\r\n\r\n{body}", body.len()),
        format!("{STREAM_HEAD}{}", chunk(&format!("data: {{\"error\":{{\"message\":\"{body}\"}}}}\n\n"))),
    ];
    for answer in answers {
        let server = Server::answering(vec![answer.into_bytes()]);
        let mut endpoint = EndpointConfig::new(EndpointKind::Chat, true);
        endpoint.api_key = ApiKey::find(Some("hunter2plain")).unwrap();
        let seen =
            run(async { Client::with(&server.url(), endpoint, ConnectorConfig::default()).send().await });
        let told = format!("{:?}", seen.error.unwrap());
        assert!(told.contains("no such key: <redacted>") && !told.contains("hunter2"), "{told}");
    }
}
