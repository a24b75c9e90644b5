//! TLS: trusted, not trusted, and not asked.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use loadgen_core::{FailureKind, Message, Outcome, Prompt, Role};
use loadgen_wire::{ConnectorConfig, EndpointConfig, EndpointKind, Observation};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::client::{Client, output_of, run, turn_of};
use crate::server::{Script, Server, chunk, event, read_request, stream};

pub(crate) struct Certified {
    pub(crate) server: Arc<ServerConfig>,
    ca_file: tempfile::NamedTempFile,
}

/// A server with a self-signed certificate that is nothing but a server's.
pub(crate) fn certified(name: &str) -> Certified {
    self_signed(&rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap())
}

/// One as `openssl req -x509` makes it: self-signed, CA:TRUE.
fn self_made_authority(name: &str) -> rcgen::CertificateParams {
    let mut params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params
}

fn self_signed(params: &rcgen::CertificateParams) -> Certified {
    let pair = rcgen::KeyPair::generate().unwrap();
    let cert = params.self_signed(&pair).unwrap();
    let mut ca_file = tempfile::NamedTempFile::new().unwrap();
    ca_file.write_all(cert.pem().as_bytes()).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(pair.serialize_der()));
    let server = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    Certified { server: Arc::new(server), ca_file }
}

fn serve(config: &Arc<ServerConfig>, scripts: Vec<Script>) -> Server {
    serve_on(IpAddr::V4(Ipv4Addr::LOCALHOST), config, scripts).unwrap()
}

pub(crate) fn serve_on(
    ip: IpAddr,
    config: &Arc<ServerConfig>,
    scripts: Vec<Script>,
) -> std::io::Result<Server> {
    let config = Arc::clone(config);
    Server::on(ip, scripts, move |stream, script| {
        let mut tls = StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), stream);
        script(&mut tls);
        tls.conn.send_close_notify();
        let _ = tls.flush();
    })
}

fn send(server: &Server, config: ConnectorConfig) -> Observation {
    let url = format!("https://{}", server.addr);
    run(async { Client::with(&url, EndpointConfig::new(EndpointKind::Chat, true), config).send().await })
}

#[test]
fn a_trusted_server_is_timed_and_stamped_below_tls() {
    let certified = certified("127.0.0.1");
    let script: Script = Box::new(|wire| {
        read_request(wire);
        wire.write_all(&stream(&["a", "b"])).unwrap();
    });
    let server = serve(&certified.server, vec![script]);
    let ca_file = Some(certified.ca_file.path().to_owned());
    let seen = send(&server, ConnectorConfig { ca_file, ..ConnectorConfig::default() });
    assert_eq!((seen.outcome, output_of(&seen).as_str()), (Some(Outcome::Ok), "ab"), "{seen:?}");
    assert!(seen.connection.tls_ns.is_some());
    let at = seen.instants;
    let order =
        [at.request_start, at.send_start, at.first_byte, at.headers, at.first_token, at.last_token, at.end];
    assert!(order.iter().all(Option::is_some) && order.is_sorted(), "{at:?}");
    if cfg!(target_os = "linux") {
        assert_eq!((u64::from(seen.stamps.kernel), seen.unstamped_reads), (seen.stamps.total(), 0));
    }
}

#[test]
fn an_unknown_certificate_is_refused_unless_nobody_asks() {
    let certified = certified("127.0.0.1");
    let refused: Script = Box::new(|wire| {
        let _ = wire.read(&mut [0]);
    });
    let server = serve(&certified.server, vec![refused]);
    let seen = send(&server, ConnectorConfig::default());
    assert_eq!(seen.outcome, Some(Outcome::Failed(FailureKind::ConnectError)));
    assert_eq!(seen.error.unwrap().error_type, "ClientConnectorCertificateError");

    let script: Script = Box::new(|wire| {
        read_request(wire);
        wire.write_all(&stream(&["a"])).unwrap();
    });
    let server = serve(&certified.server, vec![script]);
    let seen = send(&server, ConnectorConfig { verify_tls: false, ..ConnectorConfig::default() });
    assert_eq!(output_of(&seen), "a");
}

/// What a client that trusts `trusted` gets from a server that shows `shown`.
fn ask(shown: &Certified, trusted: &Certified) -> Observation {
    let script: Script = Box::new(|wire| {
        // Where the client refuses the handshake there is nothing to read or to answer.
        let mut first = [0];
        if matches!(wire.read(&mut first), Ok(1)) {
            read_request(wire);
            wire.write_all(&stream(&["a"])).unwrap();
        }
    });
    let server = serve(&shown.server, vec![script]);
    let ca_file = Some(trusted.ca_file.path().to_owned());
    send(&server, ConnectorConfig { ca_file, ..ConnectorConfig::default() })
}

fn refused(seen: &Observation) -> &str {
    assert_eq!(seen.outcome, Some(Outcome::Failed(FailureKind::ConnectError)), "{seen:?}");
    let error = seen.error.as_ref().unwrap();
    assert_eq!(error.error_type, "ClientConnectorCertificateError");
    &error.message
}

#[test]
fn a_trusted_self_signed_certificate_is_taken_though_it_says_it_is_an_authority() {
    let certified = self_signed(&self_made_authority("127.0.0.1"));
    let seen = ask(&certified, &certified);
    assert_eq!((seen.outcome, output_of(&seen).as_str()), (Some(Outcome::Ok), "a"), "{seen:?}");
}

#[test]
fn an_authority_that_is_not_trusted_itself_is_refused_with_a_way_out() {
    let shown = self_signed(&self_made_authority("127.0.0.1"));
    let seen = ask(&shown, &self_signed(&self_made_authority("127.0.0.1")));
    let message = refused(&seen);
    assert!(message.contains("--ca-file") && message.contains("--insecure"), "{message}");
    assert!(message.contains("CA:TRUE"), "{message}");
}

#[test]
fn a_trusted_self_signed_certificate_is_good_for_its_name_and_its_time_alone() {
    let elsewhere = self_signed(&self_made_authority("example.org"));
    let message = refused(&ask(&elsewhere, &elsewhere)).to_owned();
    assert!(message.contains("not valid for name"), "{message}");

    let mut params = self_made_authority("127.0.0.1");
    params.not_before = rcgen::date_time_ymd(2001, 1, 1);
    params.not_after = rcgen::date_time_ymd(2002, 1, 1);
    let expired = self_signed(&params);
    let message = refused(&ask(&expired, &expired)).to_owned();
    assert!(message.contains("expired"), "{message}");
}

#[test]
fn a_large_rope_goes_through_tls_whole() {
    let certified = certified("127.0.0.1");
    let script: Script = Box::new(|wire| {
        let request = read_request(wire);
        assert!(request.len() > 2_000_000 && request.ends_with(b"}"));
        wire.write_all(&stream(&["a"])).unwrap();
    });
    let server = serve(&certified.server, vec![script]);
    let text = std::iter::repeat_n(bytes::Bytes::from(vec![b'x'; 50_000]), 40).collect();
    let prompt = Prompt::Messages(vec![Message::new(Role::User, text)]);
    run(async {
        let config = ConnectorConfig { verify_tls: false, ..ConnectorConfig::default() };
        let url = format!("https://{}", server.addr);
        let client = Client::with(&url, EndpointConfig::new(EndpointKind::Chat, true), config);
        let mut seen = client.observation();
        client.connect().await.exchange(client.request_of(&turn_of(prompt)), &mut seen).await;
        assert_eq!((seen.outcome, output_of(&seen).as_str()), (Some(Outcome::Ok), "a"));
    });
}

#[test]
fn an_event_cut_into_records_belongs_to_the_read_that_completed_it() {
    let certified = certified("127.0.0.1");
    let script: Script = Box::new(|wire| {
        read_request(wire);
        let whole = format!("{}{}0\r\n\r\n", crate::server::STREAM_HEAD, chunk(&event("a")));
        // A record of its own for each byte.
        for byte in whole.as_bytes() {
            wire.write_all(&[*byte]).unwrap();
            wire.flush().unwrap();
        }
    });
    let server = serve(&certified.server, vec![script]);
    let seen = send(&server, ConnectorConfig { verify_tls: false, ..ConnectorConfig::default() });
    assert_eq!((seen.outcome, output_of(&seen).as_str()), (Some(Outcome::Ok), "a"));
    assert!(seen.instants.first_byte <= seen.instants.headers);
    assert!(seen.instants.headers <= seen.instants.first_token);
}

#[test]
fn a_plain_server_is_no_tls_server() {
    let server = Server::answering(vec![b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()]);
    // What arrives is no request; the script reads until it gives up on a blank line.
    let url = format!("https://{}", server.addr);
    let seen = run(async {
        let client = Client::with(
            &url,
            EndpointConfig::new(EndpointKind::Chat, true),
            ConnectorConfig { connect_timeout_ns: Some(300_000_000), ..ConnectorConfig::default() },
        );
        client.send().await
    });
    assert_eq!(seen.outcome, Some(Outcome::Failed(FailureKind::ConnectError)));
}

#[test]
fn a_silent_server_is_given_up_within_the_connect_timeout() {
    // Connections wait in its queue, and nobody ever says a word.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let limit_ns = 100_000_000;
    let config = ConnectorConfig { connect_timeout_ns: Some(limit_ns), ..ConnectorConfig::default() };
    let url = format!("https://{}", silent.local_addr().unwrap());
    let seen =
        run(async { Client::with(&url, EndpointConfig::new(EndpointKind::Chat, true), config).send().await });
    assert_eq!(seen.outcome, Some(Outcome::Failed(FailureKind::ConnectError)));
    let error = seen.error.unwrap();
    assert_eq!(error.error_type, "ConnectionTimeoutError");
    assert!(error.message.contains("within 0.1 s") && error.message.contains("TLS"), "{}", error.message);
    assert!(seen.instants.end.unwrap().since(seen.instants.request_start.unwrap()) >= limit_ns);
}

#[test]
fn a_ca_file_that_is_none_is_refused_at_once() {
    let clock = loadgen_core::SystemClock::start();
    let file = tempfile::NamedTempFile::new().unwrap();
    let config = ConnectorConfig { ca_file: Some(file.path().to_owned()), ..ConnectorConfig::default() };
    let error = loadgen_wire::Connector::new(config, clock).unwrap_err().to_string();
    assert!(error.contains("no PEM certificate"), "{error}");
}

#[test]
fn a_connection_that_is_closed_in_order_says_goodbye() {
    let certified = certified("127.0.0.1");
    let (told, hears) = std::sync::mpsc::channel();
    let script: Script = Box::new(move |wire| {
        read_request(wire);
        wire.write_all(&stream(&["hi"])).unwrap();
        // Without a goodbye, this is an unexpected end.
        told.send(wire.read(&mut [0; 16]).map_err(|error| error.kind())).unwrap();
    });
    let server = serve(&certified.server, vec![script]);
    let url = format!("https://{}", server.addr);
    let connector = ConnectorConfig { verify_tls: false, ..ConnectorConfig::default() };
    let seen = run(async {
        Client::with(&url, EndpointConfig::new(EndpointKind::Chat, true), connector).send().await
    });
    assert_eq!(seen.outcome, Some(Outcome::Ok), "{:?}", seen.error);
    assert_eq!(hears.recv().unwrap(), Ok(0));
}
