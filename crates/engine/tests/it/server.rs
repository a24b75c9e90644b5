//! A small server on loopback that does one thing to every request, and keeps count.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// What happens to a request once it has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behaviour {
    /// A short stream.
    Answer,
    /// A short stream after so many ms.
    AnswerAfter(u64),
    /// A 500.
    Fail,
    /// One chunk of a stream, then the connection is closed.
    Cut,
    /// Nothing, until the client goes away.
    Stall,
    /// One chunk of a stream, then nothing until the client goes away.
    Dangle,
    /// Nothing is read for so many ms; then as [`Behaviour::Stall`].
    ReadAfter(u64),
    /// A short stream, and the connection is closed.
    AnswerAndClose,
    /// A short stream; the connection is closed once the next request has come, which stays unread.
    AnswerAndReset,
    /// A short stream; a second request on the same connection is taken, and the connection closed.
    OncePerConnection,
}

/// A request as the server read it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) request_id: String,
    pub(crate) body: Vec<u8>,
}

#[derive(Debug, Default)]
struct State {
    seen: Mutex<Vec<Seen>>,
    arrived: Condvar,
    in_flight: AtomicUsize,
    max_in_flight: AtomicUsize,
    connections: AtomicUsize,
    closing: AtomicBool,
}

/// A running server; it stops taking connections when dropped.
pub(crate) struct Server {
    address: SocketAddr,
    state: Arc<State>,
}

impl Server {
    pub(crate) fn start(behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if shared.closing.load(SeqCst) {
                    return;
                }
                shared.connections.fetch_add(1, SeqCst);
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || serve(&stream, behaviour, &shared));
            }
        });
        Self { address, state }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.state.seen.lock().unwrap().clone()
    }

    pub(crate) fn max_in_flight(&self) -> usize {
        self.state.max_in_flight.load(SeqCst)
    }

    /// Connections that were taken.
    pub(crate) fn connections(&self) -> usize {
        self.state.connections.load(SeqCst)
    }

    /// Returns once `count` requests have been read, and fails the test rather than hang.
    pub(crate) fn wait_for(&self, count: usize) {
        let seen = self.state.seen.lock().unwrap();
        let minute = Duration::from_mins(1);
        let arrived = self.state.arrived.wait_timeout_while(seen, minute, |seen| seen.len() < count);
        assert!(!arrived.unwrap().1.timed_out(), "fewer than {count} requests came whole");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.state.closing.store(true, SeqCst);
        // Wakes the accepting thread.
        let _ = TcpStream::connect(self.address);
    }
}

/// An address on loopback where nobody listens.
pub(crate) fn nobody() -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

fn serve(stream: &TcpStream, behaviour: Behaviour, state: &State) {
    let mut reader = BufReader::new(stream);
    let mut served = 0;
    if let Behaviour::ReadAfter(ms) = behaviour {
        std::thread::sleep(Duration::from_millis(ms));
    }
    while let Some(seen) = read_request(&mut reader) {
        served += 1;
        let now = state.in_flight.fetch_add(1, SeqCst) + 1;
        state.max_in_flight.fetch_max(now, SeqCst);
        state.seen.lock().unwrap().push(seen);
        state.arrived.notify_all();
        if behaviour == Behaviour::OncePerConnection && served == 2 {
            state.in_flight.fetch_sub(1, SeqCst);
            break;
        }
        if let Behaviour::AnswerAfter(ms) = behaviour {
            std::thread::sleep(Duration::from_millis(ms));
        }
        let mut out = stream;
        // Counted down before the last byte: the client may be back before this thread is.
        let written = match behaviour {
            Behaviour::Fail => {
                state.in_flight.fetch_sub(1, SeqCst);
                out.write_all(b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 4\r\n\r\noops")
            }
            Behaviour::Cut => {
                state.in_flight.fetch_sub(1, SeqCst);
                let _ = out.write_all(&stream_head());
                let _ = out.write_all(&chunk("one"));
                let _ = stream.shutdown(Shutdown::Both);
                break;
            }
            Behaviour::Stall | Behaviour::ReadAfter(_) | Behaviour::Dangle => {
                if behaviour == Behaviour::Dangle {
                    let _ = out.write_all(&stream_head());
                    let _ = out.write_all(&chunk("one "));
                }
                let _ = reader.read(&mut [0]);
                state.in_flight.fetch_sub(1, SeqCst);
                break;
            }
            Behaviour::Answer
            | Behaviour::AnswerAfter(_)
            | Behaviour::AnswerAndClose
            | Behaviour::AnswerAndReset
            | Behaviour::OncePerConnection => {
                let _ = out.write_all(&stream_head());
                let _ = out.write_all(&chunk("one "));
                let _ = out.write_all(&chunk("two"));
                state.in_flight.fetch_sub(1, SeqCst);
                out.write_all(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")
            }
        };
        if behaviour == Behaviour::AnswerAndReset {
            // Closing with bytes unread makes the kernel answer them with a reset.
            let _ = stream.peek(&mut [0]);
            break;
        }
        if written.is_err() || behaviour == Behaviour::AnswerAndClose {
            break;
        }
    }
}

fn stream_head() -> Vec<u8> {
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec()
}

fn chunk(text: &str) -> Vec<u8> {
    let event = format!(
        "data: {{\"id\":\"1\",\"object\":\"chat.completion.chunk\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}},\"finish_reason\":null}}]}}\n\n"
    );
    format!("{:x}\r\n{event}\r\n", event.len()).into_bytes()
}

fn read_request(reader: &mut BufReader<&TcpStream>) -> Option<Seen> {
    let mut length = 0;
    let mut request_id = String::new();
    let mut line = String::new();
    loop {
        line.clear();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            if line.trim_end().is_empty() {
                break;
            }
            continue;
        };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().ok()?,
            "x-request-id" => value.clone_into(&mut request_id),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Seen { request_id, body })
}
