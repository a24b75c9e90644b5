//! A server that follows a script, on a thread of its own, with blocking sockets.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;

/// What a connection is served with.
pub(crate) type Script = Box<dyn FnOnce(&mut dyn Wire) + Send>;

/// The server's end of a connection.
pub(crate) trait Wire: Read + Write {}
impl<T: Read + Write> Wire for T {}

/// A server; dropping it waits until its scripts have run.
pub(crate) struct Server {
    pub(crate) addr: SocketAddr,
    pub(crate) requests: Receiver<Vec<u8>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Serves one connection after the other, each by its script.
    pub(crate) fn plain(scripts: Vec<Script>) -> Self {
        Self::on(IpAddr::V4(Ipv4Addr::LOCALHOST), scripts, |stream, script| {
            let mut stream = stream;
            script(&mut stream);
        })
        .unwrap()
    }

    /// The same on any loopback address, and with each connection wrapped (for TLS).
    pub(crate) fn on(
        ip: IpAddr,
        scripts: Vec<Script>,
        serve: impl Fn(TcpStream, Script) + Send + 'static,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind((ip, 0))?;
        let addr = listener.local_addr()?;
        let (_sender, requests) = channel();
        let thread = std::thread::spawn(move || {
            for script in scripts {
                let (stream, _) = listener.accept().unwrap();
                stream.set_nodelay(true).unwrap();
                serve(stream, script);
            }
        });
        Ok(Self { addr, requests, thread: Some(thread) })
    }

    /// A server whose every request is answered with the same bytes, one connection each, then
    /// closed. The requests are kept.
    pub(crate) fn answering(responses: Vec<Vec<u8>>) -> Self {
        let (sender, requests) = channel();
        let scripts = responses
            .into_iter()
            .map(|response| -> Script {
                let sender = sender.clone();
                Box::new(move |wire| {
                    let request = read_request(wire);
                    let _ = sender.send(request);
                    let _ = wire.write_all(&response);
                })
            })
            .collect();
        let mut server = Self::plain(scripts);
        server.requests = requests;
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let thread = self.thread.take().unwrap();
        if !std::thread::panicking() {
            thread.join().unwrap();
        }
    }
}

/// Reads one request, body included.
pub(crate) fn read_request(wire: &mut dyn Wire) -> Vec<u8> {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") {
        match wire.read(&mut byte) {
            Ok(1) => request.push(byte[0]),
            _ => return request,
        }
    }
    let head = String::from_utf8_lossy(&request).to_ascii_lowercase();
    let length =
        head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
    let head_len = request.len();
    request.resize(head_len + length, 0);
    wire.read_exact(&mut request[head_len..]).unwrap();
    request
}

/// A chat event with this text.
pub(crate) fn event(text: &str) -> String {
    format!(
        "data: {{\"object\":\"chat.completion.chunk\",\"choices\":[{{\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n"
    )
}

/// `data` as one chunk of a chunked body.
pub(crate) fn chunk(data: &str) -> String {
    format!("{:x}\r\n{data}\r\n", data.len())
}

pub(crate) const STREAM_HEAD: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
pub(crate) const LAST_CHUNK: &str = "0\r\n\r\n";

/// A whole stream of one event a text.
pub(crate) fn stream(texts: &[&str]) -> Vec<u8> {
    let events: String = texts.iter().map(|text| chunk(&event(text))).collect();
    format!("{STREAM_HEAD}{events}{LAST_CHUNK}").into_bytes()
}
