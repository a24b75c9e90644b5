//! A client that knows just enough HTTP to see everything.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use loadgen_mock::{MockConfig, MockServer, RunningMock};
use serde_json::Value;

/// Starts a mock with this profile.
pub(crate) fn start(profile: &str) -> RunningMock {
    start_with(profile, |_| {})
}

/// Starts a mock with this profile and further settings.
pub(crate) fn start_with(profile: &str, change: impl FnOnce(&mut MockConfig)) -> RunningMock {
    let mut config = MockConfig { profile: profile.parse().unwrap(), ..MockConfig::default() };
    change(&mut config);
    MockServer::spawn(config).unwrap()
}

/// How a response ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// As its framing says.
    Whole,
    /// The connection was closed before that.
    Closed,
    /// The connection was reset before that.
    Reset,
    /// Nothing more came within the client's patience.
    Silent,
}

/// A response as it came.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) head: String,
    /// The body, freed of its chunk framing.
    pub(crate) body: Vec<u8>,
    /// How many chunks it had.
    pub(crate) chunks: usize,
    pub(crate) end: End,
}

impl Response {
    pub(crate) fn status(&self) -> u16 {
        self.head.split(' ').nth(1).map_or(0, |status| status.parse().unwrap())
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.into_iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The data of each event; what is not JSON as a string.
    pub(crate) fn events(&self) -> Vec<Value> {
        let events = self.text().split("\n\n").filter(|event| !event.is_empty());
        let data = events.filter_map(|event| event.split_once("data: ").map(|(_, data)| data));
        data.map(|data| serde_json::from_str(data).unwrap_or_else(|_| data.into())).collect()
    }

    /// The contents of all events, those without any left out.
    pub(crate) fn contents(&self) -> Vec<String> {
        let events = self.events();
        let choices = events.iter().map(|event| &event["choices"][0]);
        let contents =
            choices.filter_map(|choice| choice["delta"]["content"].as_str().or(choice["text"].as_str()));
        contents.filter(|text| !text.is_empty()).map(ToOwned::to_owned).collect()
    }
}

/// A connection.
pub(crate) struct Client {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Client {
    pub(crate) fn connect(addr: SocketAddr) -> Self {
        Self::patient(addr, Duration::from_secs(20))
    }

    /// A client that gives up when nothing comes for so long.
    pub(crate) fn patient(addr: SocketAddr, patience: Duration) -> Self {
        let stream = TcpStream::connect(addr).unwrap();
        stream.set_read_timeout(Some(patience)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, read: Vec::new() }
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        // A server that refuses may be gone already.
        let _ = self.stream.write_all(bytes);
    }

    pub(crate) fn get(&mut self, path: &str) -> Response {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: mock\r\n\r\n").as_bytes());
        self.receive()
    }

    pub(crate) fn post(&mut self, path: &str, body: &str) -> Response {
        self.send_post(path, body);
        self.receive()
    }

    pub(crate) fn send_post(&mut self, path: &str, body: &str) {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: mock\r\nContent-Type: application/json\r\nX-Request-ID: id-{}\r\n\
             Content-Length: {}\r\n\r\n",
            body.len(),
            body.len()
        );
        self.send(head.as_bytes());
        self.send(body.as_bytes());
    }

    /// Reads more; the end, if it is one.
    fn fill(&mut self) -> Option<End> {
        let mut buffer = [0; 4096];
        match self.stream.read(&mut buffer) {
            Ok(0) => Some(End::Closed),
            Ok(count) => {
                self.read.extend_from_slice(&buffer[..count]);
                None
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                Some(End::Silent)
            }
            Err(_) => Some(End::Reset),
        }
    }

    /// Takes bytes up to and with a mark; on an end before it, what there is.
    fn take_line(&mut self, mark: &[u8]) -> Result<Vec<u8>, (Vec<u8>, End)> {
        loop {
            if let Some(at) = self.read.windows(mark.len()).position(|window| window == mark) {
                return Ok(self.read.drain(..at + mark.len()).collect());
            }
            if let Some(end) = self.fill() {
                return Err((std::mem::take(&mut self.read), end));
            }
        }
    }

    fn take_bytes(&mut self, count: usize) -> Result<Vec<u8>, (Vec<u8>, End)> {
        while self.read.len() < count {
            if let Some(end) = self.fill() {
                return Err((std::mem::take(&mut self.read), end));
            }
        }
        Ok(self.read.drain(..count).collect())
    }

    /// Reads until these bytes have come.
    pub(crate) fn wait_for(&mut self, mark: &[u8]) {
        self.take_line(mark).unwrap();
    }

    pub(crate) fn shutdown(&self, how: Shutdown) {
        self.stream.shutdown(how).unwrap();
    }

    /// The head, and all that follows it until the connection closes.
    pub(crate) fn read_to_end(&mut self) -> (String, String) {
        let head = String::from_utf8(self.take_line(b"\r\n\r\n").unwrap()).unwrap();
        while self.fill().is_none() {}
        (head, String::from_utf8(std::mem::take(&mut self.read)).unwrap())
    }

    /// Reads a response to its end.
    pub(crate) fn receive(&mut self) -> Response {
        let mut response = Response { head: String::new(), body: Vec::new(), chunks: 0, end: End::Whole };
        if let Err((_, end)) = self.take_response(&mut response) {
            response.end = end;
        }
        response
    }

    fn take_response(&mut self, response: &mut Response) -> Result<(), (Vec<u8>, End)> {
        response.head = String::from_utf8(self.take_line(b"\r\n\r\n")?).unwrap();
        if let Some(length) = response.header("content-length") {
            let length = length.parse().unwrap();
            response.body =
                self.take_bytes(length).inspect_err(|(part, _)| response.body.clone_from(part))?;
            return Ok(());
        }
        assert_eq!(response.header("transfer-encoding"), Some("chunked"));
        loop {
            let line = self.take_line(b"\r\n")?;
            let size = usize::from_str_radix(std::str::from_utf8(&line).unwrap().trim(), 16).unwrap();
            let chunk = self.take_bytes(size + 2)?;
            if size == 0 {
                return Ok(());
            }
            response.body.extend_from_slice(&chunk[..size]);
            response.chunks += 1;
        }
    }
}

/// A chat request's body with these further fields.
pub(crate) fn chat(model: &str, fields: &str) -> String {
    format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":"one two three"}}]{fields}}}"#)
}

/// A completion request's body with these further fields.
pub(crate) fn completion(model: &str, fields: &str) -> String {
    format!(r#"{{"model":"{model}","prompt":"one two three"{fields}}}"#)
}

/// A fast profile with given times.
pub(crate) const QUICK: &str = "fixed?ttft=2ms&itl=1ms";
