//! The listening server: sockets in, threads, shutdown.

use std::future::Future;
use std::net::SocketAddr;

use crate::config::{MockConfig, MockError, ServeReport};

/// A server that listens, and answers once [`MockServer::serve`] runs.
#[derive(Debug)]
pub struct MockServer {
    addr: SocketAddr,
    listener: std::net::TcpListener,
    config: MockConfig,
}

impl MockServer {
    /// Starts listening; connections queue until [`MockServer::serve`].
    pub fn bind(config: MockConfig) -> Result<Self, MockError> {
        let addr = SocketAddr::new(config.host, config.port);
        let listener =
            std::net::TcpListener::bind(addr).map_err(|source| MockError::Bind { addr, source })?;
        let addr = listener.local_addr()?;
        Ok(Self { addr, listener, config })
    }

    /// The address it listens on, with the port that was taken.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Serves until `shutdown` is ready. Blocks the calling thread, on which it runs a runtime of its
    /// own (`shutdown` is polled there, so tokio's signals and pipes work in it); further threads are
    /// started as configured. Requests in flight at the end are dropped, and logged as such.
    pub fn serve(self, shutdown: impl Future<Output = ()>) -> Result<ServeReport, MockError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(shutdown);
        drop((self.listener, self.config));
        Ok(ServeReport::default())
    }

    /// Binds, and serves on a thread of its own.
    pub fn spawn(config: MockConfig) -> Result<RunningMock, MockError> {
        let server = Self::bind(config)?;
        let addr = server.addr();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
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
    stop: tokio::sync::oneshot::Sender<()>,
    thread: std::thread::JoinHandle<Result<ServeReport, MockError>>,
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
