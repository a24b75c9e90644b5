//! Redirects, as AIPerf's HTTP library follows them.

use http::Method;
use loadgen_core::{FailureKind, Outcome};
use loadgen_wire::{ApiKey, Body, ConnectorConfig, EndpointConfig, EndpointKind, Request};

use crate::client::{Client, output_of, run};
use crate::server::{Script, Server, read_request, stream};

fn redirect(status: u16, location: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status} Moved\r\nLocation: {location}\r\nContent-Length: 2\r\n\r\nno").into_bytes()
}

fn with_key(url: &str) -> Client {
    let mut config = EndpointConfig::new(EndpointKind::Chat, true);
    config.api_key = ApiKey::find(Some("sk-1")).unwrap();
    Client::with(url, config, ConnectorConfig::default())
}

#[test]
fn temporary_ones_send_the_request_again_over_the_same_connection() {
    let script: Script = Box::new(|wire| {
        let first = read_request(wire);
        wire.write_all(&redirect(307, "/real?a=1")).unwrap();
        let second = String::from_utf8(read_request(wire)).unwrap();
        assert!(second.starts_with("POST /real?a=1 HTTP/1.1\r\n"), "{second}");
        assert!(second.contains("Bearer sk-1"));
        let first = String::from_utf8(first).unwrap();
        assert_eq!(first.split("\r\n\r\n").nth(1), second.split("\r\n\r\n").nth(1));
        wire.write_all(&stream(&["there"])).unwrap();
    });
    let server = Server::plain(vec![script]);
    let seen = run(async { with_key(&server.url()).send().await });
    assert_eq!((seen.outcome, output_of(&seen).as_str(), seen.redirects), (Some(Outcome::Ok), "there", 1));
    assert_eq!(seen.status, Some(200));
    // The first send is where the time begins; all else is of the last answer. That may reach the host before
    // the call returns that wrote the last of the request.
    let instants = seen.instants;
    assert!(
        instants.send_start < instants.send_end && instants.send_start < instants.first_byte,
        "{instants:?}"
    );
}

#[test]
fn a_found_page_is_fetched_without_body_and_without_credentials_elsewhere() {
    let elsewhere = Server::answering(vec![stream(&["hi"])]);
    let here = Server::answering(vec![redirect(302, &format!("{}/page", elsewhere.url()))]);
    let seen = run(async {
        let client = with_key(&here.url());
        let mut headers = client.request().headers().clone();
        headers.insert("x-api-key", "sk-1-too".parse().unwrap());
        let path = client.request().path().to_owned();
        let request = Request::plain(Method::POST, &client.target, &path, headers, Body::default());
        let mut seen = client.observation();
        client.connect().await.exchange(request, &mut seen).await;
        seen
    });
    assert_eq!((seen.outcome, output_of(&seen).as_str()), (Some(Outcome::Ok), "hi"));
    let written = String::from_utf8(elsewhere.requests.recv().unwrap()).unwrap();
    assert!(written.starts_with("GET /page HTTP/1.1\r\n"), "{written}");
    assert!(written.contains(&format!("Host: {}\r\n", elsewhere.addr)));
    assert!(written.contains("Content-Type: application/json") && written.ends_with("\r\n\r\n"));
    assert!(!written.contains("sk-1"), "{written}");
}

#[test]
fn a_circle_ends() {
    let script: Script = Box::new(|wire| {
        while !read_request(wire).is_empty() {
            wire.write_all(&redirect(308, "/again")).unwrap();
        }
    });
    let server = Server::plain(vec![script]);
    let seen = run(async { with_key(&server.url()).send().await });
    assert_eq!((seen.outcome, seen.redirects), (Some(Outcome::Failed(FailureKind::HttpError)), 10));
    assert_eq!(seen.error.unwrap().error_type, "TooManyRedirects");
}

#[test]
fn a_redirect_to_nowhere_is_an_error_status() {
    let server = Server::answering(vec![b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n".to_vec()]);
    let seen = run(async { with_key(&server.url()).send().await });
    assert_eq!((seen.outcome, seen.status), (Some(Outcome::Failed(FailureKind::HttpError)), Some(302)));
}
