//! Every way a response can end that is not a good one.

use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use loadgen_core::{Clock as _, FailureKind, Outcome};
use loadgen_wire::{ConnectorConfig, EndpointConfig, EndpointKind, Observation};

use crate::client::{Client, output_of, run, send_to};
use crate::server::{STREAM_HEAD, Script, Server, chunk, event, read_request, stream};

fn failed_as(seen: &Observation, kind: FailureKind, error_type: &str) {
    assert_eq!(seen.outcome, Some(Outcome::Failed(kind)), "{seen:?}");
    assert_eq!(seen.error.as_ref().unwrap().error_type, error_type, "{seen:?}");
}

fn answer(bytes: impl Into<Vec<u8>>) -> Observation {
    send_to(&Server::answering(vec![bytes.into()]).url())
}

#[test]
fn nobody_listens() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let seen = send_to(&format!("http://{free}"));
    failed_as(&seen, FailureKind::ConnectError, "ClientConnectorError");
    let error = seen.error.unwrap();
    assert!(error.code.is_none() && !error.cause_chain.is_empty());
    assert!(seen.instants.send_start.is_none() && seen.connection.connect_ns.is_some());
    let connect_ns = seen.connection.connect_ns.unwrap();
    assert!(seen.instants.end.unwrap().since(seen.instants.request_start.unwrap()) >= connect_ns);
}

#[test]
fn a_name_that_does_not_exist() {
    let seen = send_to("http://no-such-host.invalid:1");
    failed_as(&seen, FailureKind::ConnectError, "ClientConnectorDNSError");
}

#[test]
fn a_connect_timeout_is_kept() {
    // A listener whose queue is full answers no further connection.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&"127.0.0.1:0".parse::<std::net::SocketAddr>().unwrap().into()).unwrap();
    socket.listen(0).unwrap();
    let addr = socket.local_addr().unwrap().as_socket().unwrap();
    let config = ConnectorConfig { connect_timeout_ns: Some(50_000_000), ..ConnectorConfig::default() };
    run(async {
        let client =
            Client::with(&format!("http://{addr}"), EndpointConfig::new(EndpointKind::Chat, true), config);
        let mut open = Vec::new();
        for _ in 0..16 {
            let mut seen = client.observation();
            match client.connector.connect(&client.target, &mut seen).await {
                Ok(connection) => open.push(connection),
                Err(_) => return failed_as(&seen, FailureKind::ConnectError, "ConnectionTimeoutError"),
            }
        }
        panic!("sixteen connections fit into a queue of none");
    });
}

#[test]
fn an_error_status_keeps_its_phrase_and_body_and_the_connection() {
    let script: Script = Box::new(|wire| {
        read_request(wire);
        wire.write_all(b"HTTP/1.1 500 Oh No\r\nContent-Length: 7\r\n\r\n{\"e\":1}").unwrap();
        read_request(wire);
        wire.write_all(&stream(&["ok"])).unwrap();
    });
    let server = Server::plain(vec![script]);
    run(async {
        let client = Client::new(&server.url());
        let mut connection = client.connect().await;
        let mut seen = client.observation();
        connection.exchange(client.request(), &mut seen).await;
        failed_as(&seen, FailureKind::HttpError, "Oh No");
        let error = seen.error.unwrap();
        assert_eq!((error.code, error.message.as_str(), seen.status), (Some(500), "{\"e\":1}", Some(500)));
        assert!(connection.is_reusable());
        let mut seen = client.observation();
        connection.exchange(client.request(), &mut seen).await;
        assert_eq!(seen.outcome, Some(Outcome::Ok));
    });
}

#[test]
fn closed_before_the_head() {
    let seen = answer("");
    failed_as(&seen, FailureKind::StreamError, "ServerDisconnectedError");
    assert!(!seen.is_stale && seen.instants.first_byte.is_none() && seen.instants.send_start.is_some());
    assert!(seen.instants.end >= seen.instants.send_end, "over when the client learned of it");
}

#[test]
fn closed_within_the_head() {
    failed_as(&answer("HTTP/1.1 200 OK\r\nConte"), FailureKind::StreamError, "ServerDisconnectedError");
}

#[test]
fn garbage_for_a_head() {
    failed_as(&answer("\u{1}\u{2}garbage\r\n\r\n"), FailureKind::InvalidResponse, "ClientResponseError");
}

#[test]
fn cut_within_the_stream() {
    let seen = answer(format!("{STREAM_HEAD}{}{}", chunk(&event("a")), chunk(&event("b"))));
    failed_as(&seen, FailureKind::StreamError, "ClientPayloadError");
    assert_eq!(output_of(&seen), "ab");
    assert!(seen.instants.end.is_some() && seen.instants.last_token.is_some());
}

#[test]
fn a_stream_that_broke_is_over_when_the_break_was_seen() {
    let (let_go, may_break) = channel::<()>();
    let script: Script = Box::new(move |wire| {
        read_request(wire);
        wire.write_all(format!("{STREAM_HEAD}{}", chunk(&event("a"))).as_bytes()).unwrap();
        // Holds on until the client says so, then breaks off.
        may_break.recv().unwrap();
    });
    let server = Server::plain(vec![script]);
    run(async {
        let client = Client::new(&server.url());
        let mut connection = client.connect().await;
        let mut seen = client.observation();
        let told = {
            let exchange = connection.exchange(client.request(), &mut seen);
            let tell = async {
                tokio::time::sleep(Duration::from_millis(50)).await;
                let told = client.clock.now();
                let_go.send(()).unwrap();
                told
            };
            tokio::join!(exchange, tell).1
        };
        failed_as(&seen, FailureKind::StreamError, "ClientPayloadError");
        assert!(seen.instants.end.unwrap() >= told, "{seen:?}");
    });
}

#[test]
fn reset_within_the_stream() {
    let serve = |stream: std::net::TcpStream, script: Script| {
        let mut wire = stream.try_clone().unwrap();
        script(&mut wire);
        socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    };
    let script: Script = Box::new(|wire| {
        read_request(wire);
        wire.write_all(format!("{STREAM_HEAD}{}", chunk(&event("a"))).as_bytes()).unwrap();
    });
    let server = Server::on("127.0.0.1".parse().unwrap(), vec![script], serve).unwrap();
    let seen = send_to(&server.url());
    // A reset throws away what was not read yet, so how far the response came is open.
    assert_eq!(seen.outcome, Some(Outcome::Failed(FailureKind::StreamError)));
    assert!(!seen.is_stale);
}

#[test]
fn an_exchange_that_is_dropped_keeps_what_it_saw() {
    let (wrote, has_written) = channel::<()>();
    let script: Script = Box::new(move |wire| {
        read_request(wire);
        wire.write_all(format!("{STREAM_HEAD}{}", chunk(&event("a"))).as_bytes()).unwrap();
        wrote.send(()).unwrap();
        // Stays open until the client is gone.
        read_request(wire);
    });
    let server = Server::plain(vec![script]);
    run(async {
        let client = Client::new(&server.url());
        let mut connection = client.connect().await;
        let mut seen = client.observation();
        tokio::select! {
            biased;
            () = connection.exchange(client.request(), &mut seen) => unreachable!("the stream has no end"),
            () = a_while_after(&has_written) => {}
        }
        assert_eq!((output_of(&seen).as_str(), seen.outcome, seen.status), ("a", None, Some(200)));
        assert!(seen.instants.send_end.is_some() && seen.instants.end.is_some());
        assert!(!connection.is_reusable());
    });
}

/// Ends some turns of the event loop after the signal: what was written before it has been read.
async fn a_while_after(signal: &Receiver<()>) {
    while signal.try_recv().is_err() {
        tokio::task::yield_now().await;
    }
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

#[test]
fn no_content_at_all() {
    failed_as(&answer(stream(&[""])), FailureKind::InvalidResponse, "InvalidInferenceResultError");
    let html = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>";
    failed_as(&answer(html), FailureKind::InvalidResponse, "InvalidInferenceResultError");
}

#[test]
fn an_error_event_leaves_the_connection_behind() {
    let script: Script = Box::new(|wire| {
        read_request(wire);
        let error = chunk("event: error\ndata: {\"message\":\"boom\"}\n\n");
        wire.write_all(format!("{STREAM_HEAD}{}{error}", chunk(&event("a"))).as_bytes()).unwrap();
        // Stays open until the client is gone.
        read_request(wire);
    });
    let server = Server::plain(vec![script]);
    run(async {
        let client = Client::new(&server.url());
        let mut connection = client.connect().await;
        let mut seen = client.observation();
        connection.exchange(client.request(), &mut seen).await;
        failed_as(&seen, FailureKind::StreamError, "SSEResponseError");
        assert_eq!((seen.error.unwrap().code, seen.chunks.len()), (Some(502), 1));
        assert!(!connection.is_reusable());
    });
}

#[test]
fn a_request_that_the_server_took_before_it_closed_has_failed() {
    // Keeps the connection for one response, takes the second request, and closes without a word.
    let script: Script = Box::new(|wire| {
        read_request(wire);
        wire.write_all(&stream(&["a"])).unwrap();
        read_request(wire);
    });
    let server = Server::plain(vec![script]);
    run(async {
        let client = Client::new(&server.url());
        let mut connection = client.connect().await;
        connection.exchange(client.request(), &mut client.observation()).await;
        let mut seen = client.observation();
        connection.exchange(client.request(), &mut seen).await;
        assert!(!seen.is_stale, "the request was not sent in vain");
        failed_as(&seen, FailureKind::StreamError, "ServerDisconnectedError");
    });
}

#[test]
fn a_request_that_the_server_left_unread_before_it_closed_is_stale() {
    let serve = |stream: std::net::TcpStream, script: Script| {
        script(&mut stream.try_clone().unwrap());
        // Closes with the second request unread, which its host answers with a reset.
        stream.peek(&mut [0]).unwrap();
    };
    let script: Script = Box::new(|wire| {
        read_request(wire);
        wire.write_all(&stream(&["a"])).unwrap();
    });
    let server = Server::on("127.0.0.1".parse().unwrap(), vec![script], serve).unwrap();
    run(async {
        let client = Client::new(&server.url());
        let mut connection = client.connect().await;
        connection.exchange(client.request(), &mut client.observation()).await;
        let mut seen = client.observation();
        connection.exchange(client.request(), &mut seen).await;
        assert!(seen.is_stale, "{seen:?}");
        assert!(!connection.is_reusable());
    });
}

#[test]
fn a_reset_of_a_fresh_connection_is_a_failure() {
    let serve = |stream: std::net::TcpStream, _script: Script| {
        stream.peek(&mut [0]).unwrap();
    };
    let server = Server::on("127.0.0.1".parse().unwrap(), vec![Box::new(|_| ())], serve).unwrap();
    let seen = send_to(&server.url());
    failed_as(&seen, FailureKind::StreamError, "ClientOSError");
    assert!(!seen.is_stale && seen.instants.end >= seen.instants.send_start);
}

#[test]
fn a_connection_the_server_gave_up_is_stale_and_not_an_error_of_the_request() {
    // Answers one request and closes while nobody looks.
    let first: Script = Box::new(|wire| {
        read_request(wire);
        wire.write_all(&stream(&["a"])).unwrap();
    });
    let second: Script = Box::new(|wire| {
        read_request(wire);
        wire.write_all(&stream(&["b"])).unwrap();
    });
    let server = Server::plain(vec![first, second]);
    run(async {
        let client = Client::new(&server.url());
        let mut connection = client.connect().await;
        let mut seen = client.observation();
        connection.exchange(client.request(), &mut seen).await;
        assert_eq!(seen.outcome, Some(Outcome::Ok));
        while connection.is_reusable() {
            tokio::task::yield_now().await;
        }

        let mut seen = client.observation();
        seen.connection.blocked_ns = Some(7);
        let start = seen.instants.request_start;
        connection.exchange(client.request(), &mut seen).await;
        assert!(seen.is_stale, "{seen:?}");
        assert!(!connection.is_reusable());

        seen.reset_for_retry();
        assert!(!seen.is_stale && seen.outcome.is_none() && seen.error.is_none());
        assert_eq!((seen.instants.request_start, seen.connection.blocked_ns), (start, Some(7)));
        let mut fresh = client.connector.connect(&client.target, &mut seen).await.unwrap();
        fresh.exchange(client.request(), &mut seen).await;
        assert_eq!((seen.outcome, output_of(&seen).as_str()), (Some(Outcome::Ok), "b"));
    });
}

#[test]
fn a_server_that_closes_after_a_response_is_noticed_before_the_next() {
    let server = Server::answering(vec![stream(&["a"])]);
    run(async {
        let client = Client::new(&server.url());
        let mut connection = client.connect().await;
        connection.exchange(client.request(), &mut client.observation()).await;
        while connection.is_reusable() {
            tokio::task::yield_now().await;
        }
    });
}

#[test]
fn the_servers_wish_to_close_is_honoured() {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
    let server = Server::answering(vec![format!("{head}{}", event("a")).into_bytes()]);
    run(async {
        let client = Client::new(&server.url());
        let mut connection = client.connect().await;
        let mut seen = client.observation();
        connection.exchange(client.request(), &mut seen).await;
        assert_eq!((seen.outcome, output_of(&seen).as_str()), (Some(Outcome::Ok), "a"));
        assert!(!connection.is_reusable());
    });
}
