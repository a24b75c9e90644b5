//! HTTP/1.1 at its corners: what a server may do beside answering a request in full and in order.

use std::sync::mpsc::channel;

use bytes::Bytes;
use http::{HeaderMap, Method};
use loadgen_core::{FailureKind, Message, Outcome, Prompt, Role};
use loadgen_wire::{Body, Observation, Request};

use crate::client::{Client, output_of, run, send_to, turn_of};
use crate::server::{LAST_CHUNK, STREAM_HEAD, Script, Server, chunk, event, read_request, stream};

/// One request over a fresh connection, and whether the connection may carry another.
fn sent(script: Script) -> (Observation, bool) {
    let server = Server::plain(vec![script]);
    run(async {
        let client = Client::new(&server.url());
        let mut connection = client.connect().await;
        let mut seen = client.observation();
        connection.exchange(client.request(), &mut seen).await;
        assert_eq!(connection.may_be_kept(), connection.is_reusable());
        (seen, connection.may_be_kept())
    })
}

/// Answers with `bytes`, and holds the connection open until the client is gone.
fn answers(bytes: Vec<u8>) -> Script {
    Box::new(move |wire| {
        read_request(wire);
        wire.write_all(&bytes).unwrap();
        read_request(wire);
    })
}

#[test]
fn an_answer_that_does_not_wait_for_the_body_is_taken_and_ends_the_connection() {
    let (let_go, is_over) = channel::<()>();
    let script: Script = Box::new(move |wire| {
        // Reads the head alone, and refuses.
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            wire.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        wire.write_all(b"HTTP/1.1 413 Too Large\r\nContent-Length: 4\r\n\r\nmuch").unwrap();
        is_over.recv().unwrap();
    });
    let server = Server::plain(vec![script]);
    run(async {
        let client = Client::new(&server.url());
        // More than the two sockets' buffers hold.
        let text = std::iter::repeat_n(Bytes::from(vec![b'x'; 1 << 20]), 64).collect();
        let request = client.request_of(&turn_of(Prompt::Messages(vec![Message::new(Role::User, text)])));
        let mut connection = client.connect().await;
        let mut seen = client.observation();
        connection.exchange(request, &mut seen).await;
        assert_eq!(seen.outcome, Some(Outcome::Failed(FailureKind::HttpError)), "{seen:?}");
        let error = seen.error.unwrap();
        assert_eq!((error.code, error.message.as_str()), (Some(413), "much"));
        assert!(seen.instants.send_start.is_some() && seen.instants.send_end.is_none());
        assert!(!connection.may_be_kept(), "half a request is on it");
        let_go.send(()).unwrap();
    });
}

#[test]
fn interim_answers_are_no_answer() {
    let interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n";
    let (seen, is_kept) = sent(answers([interim.as_bytes(), &stream(&["a"])].concat()));
    assert_eq!((seen.outcome, seen.status, output_of(&seen).as_str()), (Some(Outcome::Ok), Some(200), "a"));
    assert!(is_kept);
}

#[test]
fn bytes_behind_a_response_end_the_connection_and_nothing_else() {
    let (seen, is_kept) = sent(answers([&stream(&["a"])[..], b"HTTP/1.1 200 OK\r\n"].concat()));
    assert_eq!((seen.outcome, output_of(&seen).as_str()), (Some(Outcome::Ok), "a"));
    assert!(!is_kept);
}

#[test]
fn trailers_belong_to_the_response() {
    let body = format!("{STREAM_HEAD}{}0\r\nServer-Timing: x\r\n\r\n", chunk(&event("a")));
    let (seen, is_kept) = sent(answers(body.into_bytes()));
    assert_eq!((seen.outcome, output_of(&seen).as_str(), is_kept), (Some(Outcome::Ok), "a", true));
    assert_eq!(seen.connection.response_bytes, event("a").len() as i64);
}

#[test]
fn an_old_server_says_by_closing_that_it_is_done() {
    let head = "HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";
    let seen = send_to(&Server::answering(vec![format!("{head}{}", event("a")).into_bytes()]).url());
    assert_eq!((seen.outcome, output_of(&seen).as_str()), (Some(Outcome::Ok), "a"));
}

#[test]
fn a_stream_that_is_not_chunked_as_it_says_is_invalid() {
    let body = format!("{STREAM_HEAD}{}zz\r\n", chunk(&event("a")));
    let (seen, is_kept) = sent(answers(body.into_bytes()));
    assert_eq!(seen.outcome, Some(Outcome::Failed(FailureKind::InvalidResponse)));
    assert_eq!((output_of(&seen).as_str(), is_kept), ("a", false), "what came before is kept");
    let error = seen.error.unwrap();
    assert_eq!(error.error_type, "ClientPayloadError");
    assert!(error.cause.unwrap().contains("0x7a"));
}

#[test]
fn lengths_that_contradict_each_other_are_no_http() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab";
    let seen = send_to(&Server::answering(vec![head.into()]).url());
    assert_eq!(seen.outcome, Some(Outcome::Failed(FailureKind::InvalidResponse)));
    assert_eq!(seen.error.unwrap().error_type, "ClientResponseError");
}

#[test]
fn a_head_has_no_body_whatever_it_says() {
    let script: Script = Box::new(|wire| {
        for _ in 0..2 {
            read_request(wire);
            wire.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n").unwrap();
        }
    });
    let server = Server::plain(vec![script]);
    run(async {
        let client = Client::new(&server.url());
        let mut connection = client.connect().await;
        for _ in 0..2 {
            let request =
                Request::plain(Method::HEAD, &client.target, "/", HeaderMap::new(), Body::default());
            let page = connection.fetch(request, 10).await.unwrap();
            assert_eq!((page.status, page.http_version.as_str(), page.body.len()), (200, "HTTP/1.1", 0));
        }
    });
}

#[test]
fn a_server_that_never_pauses_leaves_others_their_turn() {
    const EVENTS: usize = 40_000;
    let script: Script = Box::new(|wire| {
        read_request(wire);
        wire.write_all(STREAM_HEAD.as_bytes()).unwrap();
        let many: String = (0..EVENTS / 100).map(|_| chunk(&event("x"))).collect();
        for _ in 0..100 {
            wire.write_all(many.as_bytes()).unwrap();
        }
        wire.write_all(LAST_CHUNK.as_bytes()).unwrap();
    });
    let server = Server::plain(vec![script]);
    run(async {
        let client = Client::new(&server.url());
        let mut turns = 0_u32;
        let others = async {
            loop {
                turns += 1;
                tokio::task::yield_now().await;
            }
        };
        let seen = tokio::select! {
            biased;
            seen = client.send() => seen,
            () = others => unreachable!("they never end"),
        };
        assert_eq!((seen.outcome, seen.chunks.len()), (Some(Outcome::Ok), EVENTS));
        assert!(turns > 1);
    });
}
