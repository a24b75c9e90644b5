//! What goes out, and what a good response leaves behind.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::mpsc::channel;
use std::time::Duration;

use bytes::Bytes;
use loadgen_core::{Message, Outcome, Prompt, Role};
use loadgen_wire::{AffinityHeaders, ApiKey, Body, ConnectorConfig, EndpointConfig, EndpointKind, Request};

use crate::client::{Client, output_of, run, send_to, turn_of};
use crate::server::{Script, Server, event, read_request, stream};

#[test]
fn the_request_is_written_exactly() {
    let server = Server::answering(vec![stream(&["hi"])]);
    let mut config = EndpointConfig::new(EndpointKind::Chat, true);
    config.api_key = ApiKey::find(Some("sk-1")).unwrap();
    config.headers = vec![("X-Mine".to_owned(), "1".to_owned()), ("Accept".to_owned(), "nothing".to_owned())];
    let url = format!("{}/base?k=v", server.url());
    let seen = run(async { Client::with(&url, config, ConnectorConfig::default()).send().await });
    assert_eq!(seen.outcome, Some(Outcome::Ok));

    let body = r#"{"messages":[{"role":"user","content":"hello"}],"model":"m","stream":true,"max_completion_tokens":8,"stream_options":{"include_usage":true}}"#;
    let expected = [
        "POST /base/v1/chat/completions?k=v HTTP/1.1",
        &format!("Host: {}", server.addr),
        "User-Agent: aiperf/0.13.0",
        "X-Request-ID: 00000000-0000-0000-0000-000000000001",
        "X-Correlation-ID: corr",
        "X-Mine: 1",
        "Accept: text/event-stream",
        "Authorization: Bearer sk-1",
        "Content-Type: application/json",
        "X-Session-Affinity: corr",
        &format!("Content-Length: {}", body.len()),
        "",
        body,
    ]
    .join("\r\n");
    let written = String::from_utf8(server.requests.recv().unwrap()).unwrap();
    assert_eq!(written, expected);
    assert_eq!(seen.connection.request_bytes, body.len() as i64);
}

#[test]
fn the_users_names_of_headers_are_written_as_the_user_wrote_them() {
    let server = Server::answering(vec![stream(&["hi"])]);
    let mut config = EndpointConfig::new(EndpointKind::Messages, true);
    config.api_key = ApiKey::find(Some("sk-1")).unwrap();
    config.session_header = Some("x-conversation".to_owned());
    config.headers = vec![("x-tEam".to_owned(), "blue".to_owned())];
    run(async { Client::with(&server.url(), config, ConnectorConfig::default()).send().await });
    let written = String::from_utf8(server.requests.recv().unwrap()).unwrap();
    for header in ["x-tEam: blue", "x-conversation: corr", "x-api-key: sk-1", "anthropic-version: 2023-06-01"]
    {
        assert!(written.contains(&format!("\r\n{header}\r\n")), "{header} in {written}");
    }
    assert!(written.contains("\r\nContent-Type: ") && written.contains("\r\nX-Request-ID: "), "{written}");
}

#[test]
fn routing_headers_and_the_session_header_are_the_users_choice() {
    let server = Server::answering(vec![stream(&["hi"])]);
    let mut config = EndpointConfig::new(EndpointKind::Completions, false);
    config.session_header = Some("X-Conversation".to_owned());
    config.affinity = AffinityHeaders {
        session_affinity: false,
        session_id: true,
        smg_routing_key: true,
        dynamo_session_id: true,
    };
    run(async { Client::with(&server.url(), config, ConnectorConfig::default()).send().await });
    let written = String::from_utf8(server.requests.recv().unwrap()).unwrap();
    for header in
        ["X-Conversation: corr", "X-Session-ID: corr", "X-SMG-Routing-Key: corr", "X-Dynamo-Session-ID: corr"]
    {
        assert!(written.contains(&format!("{header}\r\n")), "{header} in {written}");
    }
    assert!(!written.contains("Affinity") && !written.contains("Correlation"), "{written}");
    assert!(written.contains("Accept: application/json\r\n"));
}

#[test]
fn a_session_header_that_is_none_is_named_by_its_own_flag() {
    let mut config = EndpointConfig::new(EndpointKind::Chat, true);
    config.session_header = Some("x y".to_owned());
    let refused = loadgen_wire::Endpoint::new(config).unwrap_err().to_string();
    assert!(refused.starts_with("--session-header x y: not the name of an HTTP header"), "{refused}");
}

#[test]
fn instants_are_all_there_and_in_order() {
    let server = Server::answering(vec![stream(&["a", "b"])]);
    let seen = send_to(&server.url());
    assert_eq!((seen.outcome, output_of(&seen).as_str()), (Some(Outcome::Ok), "ab"));
    let at = seen.instants;
    let order =
        [at.request_start, at.send_start, at.first_byte, at.headers, at.first_token, at.last_token, at.end];
    assert!(order.iter().all(Option::is_some), "{at:?}");
    assert!(order.is_sorted(), "{at:?}");
    assert!(at.send_end >= at.send_start);
    assert_eq!(at.first_output_token, at.first_token);
    let facts = seen.connection;
    assert!(facts.connect_ns.is_some() && facts.dns_ns.is_none() && facts.tls_ns.is_none());
    assert!(!facts.reused && facts.connection_id.is_some() && facts.reads >= 1);
    assert_eq!(facts.response_bytes, (event("a").len() * 2) as i64);
    assert_eq!((facts.first_body <= facts.last_body, seen.status), (true, Some(200)));
}

#[test]
fn one_connection_serves_many_requests() {
    let script: Script = Box::new(|wire| {
        for text in ["a", "b", "c"] {
            read_request(wire);
            wire.write_all(&stream(&[text])).unwrap();
        }
    });
    let server = Server::plain(vec![script]);
    run(async {
        let client = Client::new(&server.url());
        let mut connection = client.connect().await;
        for (index, text) in ["a", "b", "c"].into_iter().enumerate() {
            assert!(connection.is_reusable());
            let mut seen = client.observation();
            connection.exchange(client.request(), &mut seen).await;
            assert_eq!((seen.outcome, output_of(&seen).as_str()), (Some(Outcome::Ok), text));
            assert_eq!(seen.connection.reused, index > 0);
            assert_eq!(seen.connection.connection_id, Some(connection.id()));
        }
    });
}

#[test]
fn a_large_rope_arrives_whole() {
    let block = Bytes::from(vec![b'x'; 100_000]);
    let text = std::iter::repeat_n(block, 100).collect();
    let server = Server::answering(vec![stream(&["hi"])]);
    let seen = run(async {
        let client = Client::new(&server.url());
        let request = client.request_of(&turn_of(Prompt::Messages(vec![Message::new(Role::User, text)])));
        let expected = request.body().to_bytes();
        let mut seen = client.observation();
        client.connect().await.exchange(request, &mut seen).await;
        let written = server.requests.recv().unwrap();
        assert!(written.ends_with(&expected));
        seen
    });
    assert_eq!(seen.outcome, Some(Outcome::Ok));
    assert!(seen.connection.request_bytes > 10_000_000);
}

/// More than the two sockets' buffers hold, so that it is written whole only if the server reads.
fn a_request_too_large_for_the_buffers(client: &Client) -> Request {
    let text = std::iter::repeat_n(Bytes::from(vec![b'x'; 1 << 20]), 64).collect();
    client.request_of(&turn_of(Prompt::Messages(vec![Message::new(Role::User, text)])))
}

#[test]
fn a_request_is_written_when_the_kernel_has_all_of_it() {
    let (let_go, is_over) = channel::<()>();
    let reads_nothing: Script = Box::new(move |_| is_over.recv().unwrap());
    let reads_everything: Script = Box::new(|wire| {
        read_request(wire);
        // Stays open, unanswered, until the client is gone.
        read_request(wire);
    });
    let server = Server::plain(vec![reads_nothing, reads_everything]);
    run(async {
        let client = Client::new(&server.url());
        let request = a_request_too_large_for_the_buffers(&client);

        let mut connection = client.connect().await;
        let (written, mut seen) = (connection.next_written(), client.observation());
        tokio::select! {
            biased;
            () = connection.exchange(request.clone(), &mut seen) => unreachable!("nobody answers"),
            _ = written => unreachable!("nobody reads"),
            () = tokio::time::sleep(Duration::from_millis(20)) => {}
        }
        assert!(seen.instants.send_start.is_some());
        assert_eq!(seen.instants.send_end, None);
        let_go.send(()).unwrap();
        drop(connection);

        let mut connection = client.connect().await;
        let (written, mut seen) = (connection.next_written(), client.observation());
        let at = tokio::select! {
            biased;
            () = connection.exchange(request, &mut seen) => unreachable!("nobody answers"),
            at = written => at,
        };
        assert_eq!(seen.instants.send_end, Some(at));
        assert!(seen.instants.send_start < Some(at));
    });
}

#[test]
fn only_the_next_request_counts_as_the_next_one_written() {
    let script: Script = Box::new(|wire| {
        read_request(wire);
        wire.write_all(&stream(&["hi"])).unwrap();
        read_request(wire);
        read_request(wire);
    });
    let server = Server::plain(vec![script]);
    run(async {
        let client = Client::new(&server.url());
        let mut connection = client.connect().await;
        connection.exchange(client.request(), &mut client.observation()).await;
        let (written, mut seen) = (connection.next_written(), client.observation());
        let mut written = std::pin::pin!(written);
        tokio::select! {
            biased;
            _ = &mut written => unreachable!("the first request was written before"),
            () = std::future::ready(()) => {}
        }
        let at = tokio::select! {
            biased;
            () = connection.exchange(client.request(), &mut seen) => unreachable!("nobody answers"),
            at = written => at,
        };
        assert!(at >= seen.instants.request_start.unwrap());
    });
}

#[test]
fn ipv6_is_spoken_where_the_host_has_it() {
    let answer: Script = Box::new(|wire| {
        let request = read_request(wire);
        assert!(String::from_utf8_lossy(&request).contains("Host: [::1]:"));
        wire.write_all(&stream(&["six"])).unwrap();
    });
    let ip = IpAddr::V6(Ipv6Addr::LOCALHOST);
    let Ok(server) = Server::on(ip, vec![answer], |mut wire, script| script(&mut wire)) else { return };
    assert_eq!(output_of(&send_to(&server.url())), "six");
}

#[test]
fn names_are_resolved_in_their_own_time() {
    let server = Server::answering(vec![stream(&["a"]), stream(&["b"])]);
    run(async {
        let client = Client::new(&format!("http://localhost:{}", server.addr.port()));
        assert!(client.send().await.connection.dns_ns.is_some());
        assert_eq!(output_of(&client.send().await), "b");
    });
}

#[test]
fn whole_responses_can_be_fetched_outside_the_measured_path() {
    let page = b"HTTP/1.1 404 Not Found\r\nServer: x\r\nContent-Length: 4\r\n\r\nnope".to_vec();
    let server = Server::answering(vec![page.clone(), page]);
    run(async {
        let client = Client::new(&server.url());
        let get = || {
            let method = http::Method::GET;
            Request::plain(method, &client.target, "/v1/models", http::HeaderMap::new(), Body::default())
        };
        let page = client.connect().await.fetch(get(), 100).await.unwrap();
        assert_eq!(
            (page.status, &page.headers["server"], &page.body[..]),
            (404, &"x".parse().unwrap(), &b"nope"[..])
        );
        assert!(
            client.connect().await.fetch(get(), 3).await.unwrap_err().message.contains("more than 3 bytes")
        );
    });
}
