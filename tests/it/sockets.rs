//! Which connections requests take, from where, and what happens when there are too few.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{IpAddr, TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use std::sync::mpsc;

use serde_json::Value;

use crate::support::{Finished, Mock, Workspace, words};

/// The requests of each connection, as the server numbered them.
fn by_connection(truth: &[Value]) -> BTreeMap<u64, Vec<u64>> {
    let mut connections: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for request in truth {
        let number = request["connection_request"].as_u64().unwrap();
        connections.entry(request["connection"].as_u64().unwrap()).or_default().push(number);
    }
    connections
}

#[test]
fn connections_are_shared_unless_told_otherwise() {
    for (strategy, most) in [("pooled", 2), ("never", 12)] {
        let workspace = Workspace::new();
        let mock = Mock::start(&workspace, "fixed?ttft=2ms&itl=1ms");
        let mut arguments = words("--streaming --concurrency 2 --request-count 12 --isl 10 --osl 2");
        arguments.extend(["--connection-reuse-strategy", strategy]);
        workspace.profile(&mock, &arguments).expect_code(0);
        let results = workspace.results("out");
        let connections = by_connection(&mock.truth());
        match strategy {
            "pooled" => assert!(connections.len() <= most, "{connections:?}"),
            _ => assert_eq!(connections.len(), most, "one request each"),
        }
        let reused = results.rows().iter().filter(|row| row.connection.reused).count();
        assert_eq!(reused, 12 - connections.len(), "{strategy}: the records say the same");
    }
}

#[test]
fn a_sticky_session_keeps_its_connection_and_shares_it_with_none() {
    let workspace = Workspace::new();
    let rows: Vec<String> = (0..3)
        .flat_map(|turn| (0..4).map(move |session| (turn, session)))
        .map(|(turn, session)| {
            let when =
                if turn == 0 { format!(r#""timestamp": {}"#, session * 10) } else { r#""delay": 5"#.into() };
            format!(r#"{{{when}, "session_id": "s{session}", "input_length": 10, "output_length": 2}}"#)
        })
        .collect();
    workspace.file("trace.jsonl", &rows.join("\n"));
    let mock = Mock::start(&workspace, "fixed?ttft=2ms&itl=1ms");
    let arguments = words(
        "--streaming --input-file trace.jsonl --custom-dataset-type mooncake_trace \
         --connection-reuse-strategy sticky-user-sessions",
    );
    workspace.profile(&mock, &arguments).expect_code(0);
    let truth = mock.truth();
    assert_eq!(truth.len(), 12);
    let connections = by_connection(&truth);
    assert!(connections.values().all(|requests| requests == &[0, 1, 2]), "{connections:?}");
    let pairs: BTreeSet<_> = truth
        .iter()
        .map(|request| (request["correlation_id"].as_str().unwrap(), request["connection"].as_u64().unwrap()))
        .collect();
    assert_eq!(pairs.len(), 4, "a session is a connection: {pairs:?}");
}

/// Answers everything it is sent, one request a connection, and tells where each came from.
fn answering() -> (String, mpsc::Receiver<IpAddr>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let sender = sender.clone();
            std::thread::spawn(move || answer(stream, &sender));
        }
    });
    (url, receiver)
}

fn answer(mut stream: TcpStream, sender: &mpsc::Sender<IpAddr>) {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    let body_begins = loop {
        match stream.read(&mut buffer) {
            Ok(length) if length > 0 => request.extend_from_slice(&buffer[..length]),
            _ => return,
        }
        if let Some(at) = request.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            break at + 4;
        }
    };
    let head = String::from_utf8_lossy(&request[..body_begins]).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    let mut rest = length.unwrap_or(0_usize).saturating_sub(request.len() - body_begins);
    while rest > 0 {
        match stream.read(&mut buffer) {
            Ok(length) if length > 0 => rest = rest.saturating_sub(length),
            _ => return,
        }
    }
    let body = r#"{"object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"a b"},"finish_reason":"stop"}]}"#;
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    if head.starts_with("post ") {
        sender.send(stream.peer_addr().unwrap().ip()).unwrap();
    }
    let _ = stream.write_all(answer.as_bytes());
}

#[test]
fn connections_leave_from_the_given_addresses_in_turn() {
    let addresses = ["127.0.0.2", "127.0.0.3"];
    if addresses.iter().any(|address| UdpSocket::bind((*address, 0)).is_err()) {
        eprintln!("skipped: this host has no {addresses:?}");
        return;
    }
    let workspace = Workspace::new();
    let (url, came_from) = answering();
    let output = workspace
        .profiling(&url)
        .args(words("--concurrency 1 --request-count 6 --isl 10"))
        .args(["--source-addresses", &addresses.join(",")])
        .output()
        .unwrap();
    Finished(output).expect_code(0);
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for address in came_from.try_iter() {
        *counts.entry(address.to_string()).or_default() += 1;
    }
    assert_eq!(counts, addresses.map(|address| (address.to_owned(), 3)).into());
}

#[test]
fn requests_go_over_tls_where_the_url_says_so() {
    let workspace = Workspace::new();
    let mock = Mock::start_with(&workspace, "fixed?ttft=2ms&itl=1ms", &["--tls"]);
    assert!(mock.url.starts_with("https://"), "{}", mock.url);
    let arguments = words("--streaming --concurrency 2 --request-count 6 --isl 10 --osl 3");
    let refused = workspace.profile(&mock, &arguments).expect_code(1);
    assert!(refused.stdout().contains("certificate"), "{}", refused.stdout());
    workspace.profile(&mock, &[&arguments[..], &["--insecure"]].concat()).expect_code(0);
    let results = workspace.results("out");
    let rows = results.rows();
    assert!(rows.iter().all(|row| row.outcome.name() == "ok" && row.tokens.output == Some(3)));
    assert!(rows.iter().all(|row| row.connection.tls_ns.is_some() != row.connection.reused));
    let told = &results.json("provenance.json")["facts"]["network.tls_version"]["value"][&mock.url];
    assert!(told.is_string(), "{told}");
}

/// Whether this host has the program.
fn has(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
}

#[test]
fn a_run_that_needs_more_files_than_it_may_have_is_refused() {
    if !has("prlimit") {
        eprintln!("skipped: this host has no prlimit");
        return;
    }
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, "fixed?ttft=1ms&itl=1ms");
    let output = workspace
        .profiling_under(&["prlimit", "--nofile=128:128"], &mock.url)
        .args(words("--streaming --concurrency 500 --request-count 1000 --isl 10 --osl 2"))
        .output()
        .unwrap();
    let finished = Finished(output).expect_code(1);
    let stderr = finished.stderr();
    assert!(stderr.contains("580 open files") && stderr.contains("ulimit -Hn"), "{stderr}");
    assert!(!workspace.path("out").exists(), "nothing is written");
    assert_eq!(mock.truth().len(), 0, "nothing is sent");
}

#[test]
fn a_low_limit_of_open_files_is_raised_to_what_the_run_needs() {
    if !has("prlimit") {
        eprintln!("skipped: this host has no prlimit");
        return;
    }
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, "fixed?ttft=500ms&itl=1ms");
    let output = workspace
        .profiling_under(&["prlimit", "--nofile=64:1024"], &mock.url)
        .args(words("--streaming --concurrency 150 --request-count 150 --isl 10 --osl 2"))
        .output()
        .unwrap();
    Finished(output).expect_code(0);
    assert!(workspace.results("out").rows().iter().all(|row| row.outcome.name() == "ok"));
}

#[test]
fn a_run_out_of_file_descriptors_was_limited_by_the_client() {
    if !has("prlimit") {
        eprintln!("skipped: this host has no prlimit");
        return;
    }
    let workspace = Workspace::new();
    // No connection is free again before the last request has left.
    let mock = Mock::start(&workspace, "fixed?ttft=4s&itl=1ms");
    let output = workspace
        .profiling_under(&["prlimit", "--nofile=128:128"], &mock.url)
        .args(words(
            "--streaming --request-rate 200 --arrival-pattern constant --request-count 300 --isl 10 --osl 2 \
             --fail-if-client-limited",
        ))
        .output()
        .unwrap();
    let finished = Finished(output).expect_code(4);
    assert!(finished.stderr().contains("the client was the limit"), "{}", finished.stderr());
    let results = workspace.results("out");
    assert!(results.reasons().contains(&"schedule_not_sent".to_owned()), "{:?}", results.reasons());
    let starved = results.rows().iter().filter(|row| row.outcome.name() == "connect_error").count();
    assert!(starved > 100, "{starved} of 300 found no file descriptor");
}
