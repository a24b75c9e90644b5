//! The listening server: sockets, threads, shutdown.
//!
//! Each server thread has a listener of its own on the same address, a current-thread runtime, and a
//! shard; they meet only in the numbers of requests and in the truth log.

use std::future::Future;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use loadgen_core::Clock;
use rustls::ServerConfig;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{oneshot, watch};
use tokio::task::spawn_local;
use tokio_rustls::TlsAcceptor;

use crate::config::{MockConfig, MockError, ServeReport};
use crate::connection::{Watch, WatchedSocket, reset};
use crate::http;
use crate::perf;
use crate::shard::{Common, Shard, raise_open_files};
use crate::socket::Socket as Stream;
use crate::truth_log::{Line, LogFile, TruthLog, Writer};

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 8192;

/// A server that listens, and answers once [`MockServer::serve`] runs.
#[derive(Debug)]
pub struct MockServer {
    addr: SocketAddr,
    listeners: Vec<std::net::TcpListener>,
    truth_log: Option<LogFile>,
    tls: Option<Arc<ServerConfig>>,
    config: MockConfig,
}

impl MockServer {
    /// Starts listening; connections queue until [`MockServer::serve`].
    pub fn bind(config: MockConfig) -> Result<Self, MockError> {
        // What the profile cannot do is said before anything listens.
        perf::build(&config.profile.perf, loadgen_core::Seed(config.seed), 0)?;
        let tls = config.tls.as_ref().map(|tls| tls.server(config.host)).transpose()?;
        let mut addr = SocketAddr::new(config.host, config.port);
        let mut listeners = Vec::new();
        for _ in 0..config.threads.max(1) {
            let listener =
                listen(addr, config.threads > 1).map_err(|source| MockError::Bind { addr, source })?;
            // The first one settles the port.
            addr = listener.local_addr()?;
            listeners.push(listener);
        }
        // Only now, so that a port in use costs nobody the log of whoever uses it.
        let truth_log = config.truth_log.as_deref().map(LogFile::create).transpose()?;
        Ok(Self { addr, listeners, truth_log, tls, config })
    }

    /// The address it listens on, with the port that was taken.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Where clients find it: the scheme and the address.
    pub fn url(&self) -> String {
        format!("{}://{}", if self.tls.is_some() { "https" } else { "http" }, self.addr)
    }

    /// Serves until `shutdown` is ready. Blocks the calling thread, on which it runs a runtime of its
    /// own (`shutdown` is polled there, so tokio's signals and pipes work in it); further threads are
    /// started as configured. Requests in flight at the end are dropped, and logged as such; when it
    /// returns, the truth log is complete.
    pub fn serve(self, shutdown: impl Future<Output = ()>) -> Result<ServeReport, MockError> {
        // Where the limit stays low, accepting waits for descriptors instead.
        let _ = raise_open_files();
        let common = Arc::new(Common::new(&self.config));
        let (log, writer) = self.truth_log.map(LogFile::start).transpose()?.unzip();
        if let Some(log) = &log {
            log.note(Line::Server {
                format: 1,
                addr: self.addr,
                profile: self.config.profile.to_string(),
                seed: self.config.seed,
                threads: self.listeners.len(),
                started_ns: common.clock.anchor().0,
            });
        }
        let (stop, stopped) = watch::channel(());
        let mut listeners = self.listeners.into_iter().enumerate();
        let first = listeners.next().map(|(_, listener)| listener);
        let mut threads: Vec<JoinHandle<Result<ServeReport, MockError>>> = Vec::new();
        for (replica, listener) in listeners {
            let (common, tls, log) = (Arc::clone(&common), self.tls.clone(), log.clone());
            let mut stopped = stopped.clone();
            let thread = std::thread::Builder::new().name(format!("mock-{replica}"));
            threads.push(thread.spawn(move || {
                serve_shard(listener, common, tls, log, replica, async move {
                    // An error means that the sender is gone, which is the sign to stop.
                    let _ = stopped.changed().await;
                })
            })?);
        }
        let mut outcome = first.map_or(Ok(ServeReport::default()), |listener| {
            serve_shard(listener, Arc::clone(&common), self.tls, log.clone(), 0, shutdown)
        });
        drop(stop);
        for thread in threads {
            let other = thread.join().expect("a server thread does not panic");
            outcome = outcome.and_then(|mut report| {
                report.absorb(other?);
                Ok(report)
            });
        }
        let report = outcome?;
        if let Some(log) = log {
            log.note(Line::Summary(report.clone()));
        }
        writer.map_or(Ok(()), Writer::close)?;
        Ok(report)
    }

    /// Binds, and serves on a thread of its own.
    pub fn spawn(config: MockConfig) -> Result<RunningMock, MockError> {
        let server = Self::bind(config)?;
        let addr = server.addr();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::Builder::new().name("mock".to_owned()).spawn(move || {
            server.serve(async {
                // A dropped sender stops the server as well.
                let _ = stopped.await;
            })
        })?;
        Ok(RunningMock { addr, stop, thread })
    }
}

/// A server on a thread of its own. Dropping it without [`RunningMock::stop`] stops it too, unawaited.
#[derive(Debug)]
pub struct RunningMock {
    addr: SocketAddr,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<Result<ServeReport, MockError>>,
}

impl RunningMock {
    /// The address it listens on.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Stops it and waits until its truth log is on disk.
    pub fn stop(self) -> Result<ServeReport, MockError> {
        drop(self.stop);
        self.thread.join().expect("the server thread does not panic")
    }
}

fn listen(addr: SocketAddr, shared: bool) -> std::io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Runs one server thread until `shutdown` is ready.
fn serve_shard(
    listener: std::net::TcpListener,
    common: Arc<Common>,
    tls: Option<Arc<ServerConfig>>,
    log: Option<TruthLog>,
    replica: usize,
    shutdown: impl Future<Output = ()>,
) -> Result<ServeReport, MockError> {
    let tls = tls.map(TlsAcceptor::from);
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default())?;
    let shard = runtime.block_on(async {
        let listener = TcpListener::from_std(listener)?;
        let shard = Shard::new(common, log, replica)?;
        tokio::select! {
            () = shutdown => {}
            () = shard.drive() => {}
            () = accept(&listener, tls.as_ref(), &shard) => {}
        }
        Ok::<_, MockError>(shard)
    })?;
    // Open connections end with the runtime, each logging its request on the way.
    shard.stop();
    drop(runtime);
    let report = shard.report().clone();
    Ok(report)
}

/// Accepts connections for ever.
async fn accept(listener: &TcpListener, tls: Option<&TlsAcceptor>, shard: &Rc<Shard>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors, mostly; the connection stays in the queue until there are some.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let accepted_ns = shard.clock().now().0;
        let number = shard.common().next_connection();
        shard.report().connections += 1;
        if shard.common().faults.refuses(number) {
            reset(&stream);
            shard.count_fault("refuse");
            if let Some(log) = shard.log() {
                log.note(Line::Refused { connection: number, accepted_ns });
            }
            continue;
        }
        let watch = Watch::new(Rc::clone(shard), number, accepted_ns);
        spawn_local(converse(stream, tls.cloned(), watch, Rc::clone(shard)));
    }
}

/// Answers what comes on one connection.
async fn converse(stream: TcpStream, tls: Option<TlsAcceptor>, watch: Rc<Watch>, shard: Rc<Shard>) {
    // Each token is to leave at once; where that cannot be set, the connection is gone.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let stream = match tls {
        None => Stream::Plain(stream),
        // Who cannot agree on TLS is gone.
        Some(tls) => match tls.accept(stream).await {
            Ok(stream) => Stream::Tls(Box::new(stream)),
            Err(_) => return,
        },
    };
    let socket = WatchedSocket::new(stream, Rc::clone(&watch));
    let service = service_fn(|request| http::handle(Rc::clone(&shard), Rc::clone(&watch), request));
    // A connection's failure is its client's, or a planned one; the truth log has both.
    let _ = http1::Builder::new().header_read_timeout(None).serve_connection(socket, service).await;
}
