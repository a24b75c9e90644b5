//! A tiny HTTP server that answers as a test says, and remembers what it was asked.

#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use loadgen_core::SystemClock;
use loadgen_wire::{Connector, ConnectorConfig, Target};

/// What was asked: method and path, headers in lower case, body.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) line: String,
    pub(crate) headers: String,
    pub(crate) body: String,
}

/// An answer: status, content type, body.
pub(crate) type Answer = (u16, &'static str, String);

/// A server on a port of its own, for as long as the test runs.
#[derive(Clone)]
pub(crate) struct Fake {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Fake {
    /// Answers with what `answer` makes of the request's line and of how many requests with that line came
    /// before.
    pub(crate) fn start(answer: impl Fn(&str, usize) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (log, answer) = (Arc::clone(&asked), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (log, answer) = (Arc::clone(&log), Arc::clone(&answer));
                std::thread::spawn(move || serve(&stream, &log, &*answer));
            }
        });
        Self { url, asked }
    }

    pub(crate) fn target(&self) -> Target {
        Target::parse(&self.url).unwrap()
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// Methods and paths of what was asked.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.line).collect()
    }
}

fn serve(stream: &TcpStream, log: &Mutex<Vec<Asked>>, answer: &(impl Fn(&str, usize) -> Answer + ?Sized)) {
    let mut reader = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).unwrap_or(0) == 0 {
                return;
            }
        }
        let (first, headers) = head.split_once("\r\n").unwrap();
        let line = first.trim_end_matches(" HTTP/1.1").to_owned();
        let headers = headers.to_ascii_lowercase();
        let length = headers.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        reader.read_exact(&mut body).unwrap();
        let before = {
            let mut log = log.lock().unwrap();
            let before = log.iter().filter(|asked| asked.line == line).count();
            let body = String::from_utf8(body).unwrap();
            log.push(Asked { line: line.clone(), headers, body });
            before
        };
        let (status, kind, body) = answer(&line, before);
        let shown = if line.starts_with("HEAD") { "" } else { &body };
        let text = format!(
            "HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{shown}",
            body.len()
        );
        if (&mut &*stream).write_all(text.as_bytes()).is_err() {
            return;
        }
    }
}

pub(crate) fn connector(clock: SystemClock) -> Connector {
    Connector::new(ConnectorConfig::default(), clock).unwrap()
}
