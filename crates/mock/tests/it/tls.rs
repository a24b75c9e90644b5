//! The mock behind TLS, spoken to through a TLS library and still byte by byte above it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;

use loadgen_mock::{MockConfig, MockServer, Tls};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;

use crate::raw::chat;

fn connect(addr: SocketAddr, trusted: &Path) -> StreamOwned<ClientConnection, TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(trusted).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    StreamOwned::new(connection, TcpStream::connect(addr).unwrap())
}

fn talk(addr: SocketAddr, trusted: &Path) -> String {
    let mut stream = connect(addr, trusted);
    let body = chat("m", r#","stream":true,"max_tokens":5"#);
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: mock\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_stream_behind_tls_is_whole_and_logged() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name| folder.path().join(name);
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(path("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(path("key.pem"), made.signing_key.serialize_pem()).unwrap();
    let mock = MockServer::spawn(MockConfig {
        profile: "fixed?ttft=2ms&itl=1ms".parse().unwrap(),
        tls: Some(Tls::Files { cert: path("cert.pem"), key: path("key.pem") }),
        truth_log: Some(path("truth.jsonl")),
        ..MockConfig::default()
    })
    .unwrap();
    let answer = talk(mock.addr(), &path("cert.pem"));
    assert!(answer.contains("200 OK") && answer.trim_end().ends_with('0'), "{answer}");
    assert_eq!(answer.matches(r#""delta":{"content":" "#).count(), 5);
    assert!(answer.contains("[DONE]"));
    // Who does not speak TLS is let go, and disturbs nobody.
    let mut plain = TcpStream::connect(mock.addr()).unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let _ = plain.read_to_end(&mut Vec::new());
    assert!(talk(mock.addr(), &path("cert.pem")).contains("[DONE]"));
    mock.stop().unwrap();

    let log = std::fs::read_to_string(path("truth.jsonl")).unwrap();
    let requests: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|line| line["kind"] == "request")
        .collect();
    assert_eq!(requests.len(), 2);
    for request in requests {
        assert_eq!(request["finished"], "complete");
        let instants = |key: &str| request[key].as_array().unwrap().len();
        assert_eq!((instants("write_begin_ns"), instants("write_end_ns")), (5, 5));
    }
}

#[test]
fn the_url_says_how_to_speak_to_it() {
    let url = |tls| MockServer::bind(MockConfig { tls, ..MockConfig::default() }).unwrap().url();
    assert!(url(None).starts_with("http://127.0.0.1:"));
    assert!(url(Some(Tls::SelfSigned)).starts_with("https://127.0.0.1:"));
}
