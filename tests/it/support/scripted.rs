//! A server that answers as a test says, by the request and by how many came before, and keeps what it was asked.
//!
//! For what the mock server does not do: odd streams, redirects, exporters of metrics. It answers one request
//! after another on a connection, and stops when it is dropped.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: String,
    /// With its query.
    pub(crate) path: String,
    /// Its lines, as written.
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Asked {
    /// A header by its name, in any case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The body, read as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {:?}", self.body))
    }

    /// Whether it is a request of the load: scrapes and control calls are none.
    pub(crate) fn is_load(&self) -> bool {
        self.method == "POST" && self.path.starts_with("/v1/")
    }
}

/// What a server answers: its pieces leave one by one, each after its pause.
pub(crate) struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    pieces: Vec<(Duration, Vec<u8>)>,
}

const JSON: &str = "application/json";

impl Answer {
    pub(crate) fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("Content-Type", content_type.to_owned())];
        Self { status, headers, pieces: vec![(Duration::ZERO, body.into())] }
    }

    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::new(status, JSON, body.to_string())
    }

    /// An event stream: what stands behind each `data: `, and the mark of its end.
    pub(crate) fn events<T: ToString>(events: impl IntoIterator<Item = T>) -> Self {
        let mut stream = Self::new(200, "text/event-stream", "");
        for event in events {
            stream = stream.then(Duration::ZERO, &format!("data: {}\n\n", event.to_string()));
        }
        stream.then(Duration::ZERO, "data: [DONE]\n\n")
    }

    /// These deltas of a chat, one event each.
    pub(crate) fn deltas(deltas: impl IntoIterator<Item = Value>) -> Self {
        Self::events(deltas.into_iter().map(|delta| chunk(&delta)))
    }

    /// The body, whole.
    pub(crate) fn text(&self) -> String {
        self.pieces.iter().map(|(_, piece)| String::from_utf8_lossy(piece)).collect()
    }

    /// One more piece, after a pause.
    pub(crate) fn then(mut self, pause: Duration, piece: &str) -> Self {
        self.pieces.push((pause, piece.as_bytes().to_vec()));
        self
    }

    pub(crate) fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// A chunk of a chat with this delta.
pub(crate) fn chunk(delta: &Value) -> Value {
    json!({ "object": "chat.completion.chunk", "choices": [{ "index": 0, "delta": delta }] })
}

/// A chat's answer of these words, streamed or not, as the request wants it, with the server's own counts.
pub(crate) fn chat(asked: &Asked, words: &[&str]) -> Answer {
    let usage = json!({
        "prompt_tokens": 5, "completion_tokens": words.len(), "total_tokens": 5 + words.len(),
    });
    if asked.json()["stream"] != true {
        let message = json!({ "role": "assistant", "content": words.concat() });
        let choices = json!([{ "index": 0, "message": message, "finish_reason": "stop" }]);
        return Answer::json(
            200,
            &json!({ "object": "chat.completion", "choices": choices, "usage": usage }),
        );
    }
    let last = json!({ "object": "chat.completion.chunk", "choices": [], "usage": usage });
    Answer::events(words.iter().map(|word| chunk(&json!({ "content": word }))).chain([last]))
}

/// Decides by the request and the requests before it.
type Script = Box<dyn FnMut(&Asked) -> Answer + Send>;

/// A server on a port of its own.
pub(crate) struct Scripted {
    address: SocketAddr,
    stopped: Arc<AtomicBool>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Scripted {
    pub(crate) fn start(script: impl FnMut(&Asked) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stopped = Arc::new(AtomicBool::new(false));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let script: Arc<Mutex<Script>> = Arc::new(Mutex::new(Box::new(script)));
        let (is_stopped, log) = (Arc::clone(&stopped), Arc::clone(&asked));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if is_stopped.load(Ordering::Relaxed) {
                    return;
                }
                let (stream, script, log) = (stream.unwrap(), Arc::clone(&script), Arc::clone(&log));
                // A client that goes away ends its connection, and nothing else.
                std::thread::spawn(move || drop(serve(&stream, &script, &log)));
            }
        });
        Self { address, stopped, asked }
    }

    /// A server of chats; anything else is not found.
    pub(crate) fn chats(mut answer: impl FnMut(&Asked) -> Answer + Send + 'static) -> Self {
        Self::start(move |asked| {
            let path = asked.path.split('?').next();
            if path == Some("/v1/chat/completions") && asked.method == "POST" {
                return answer(asked);
            }
            Answer::json(404, &json!({ "error": "not found" }))
        })
    }

    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        // The listener waits for a connection: give it one.
        drop(TcpStream::connect(self.address));
    }
}

fn serve(stream: &TcpStream, script: &Mutex<Script>, log: &Mutex<Vec<Asked>>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let mut words = line.split_whitespace().map(str::to_owned);
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let mut headers = Vec::new();
        loop {
            let mut header = String::new();
            reader.read_line(&mut header)?;
            let Some((name, value)) = header.trim_end().split_once(':') else { break };
            headers.push((name.to_owned(), value.trim().to_owned()));
        }
        let mut asked = Asked { method, path, headers, body: String::new() };
        let length = asked.header("content-length").map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        asked.body = String::from_utf8_lossy(&body).into_owned();
        log.lock().unwrap().push(asked.clone());
        let answer = script.lock().unwrap()(&asked);
        write(stream, &answer, asked.method == "HEAD")?;
    }
}

fn write(mut stream: &TcpStream, answer: &Answer, is_head: bool) -> std::io::Result<()> {
    let length: usize = answer.pieces.iter().map(|(_, piece)| piece.len()).sum();
    let mut head = format!("HTTP/1.1 {} Scripted\r\nContent-Length: {length}\r\n", answer.status);
    for (name, value) in &answer.headers {
        let _ = write!(head, "{name}: {value}\r\n");
    }
    stream.write_all((head + "\r\n").as_bytes())?;
    if is_head {
        return Ok(());
    }
    for (pause, piece) in &answer.pieces {
        std::thread::sleep(*pause);
        stream.write_all(piece)?;
    }
    Ok(())
}
