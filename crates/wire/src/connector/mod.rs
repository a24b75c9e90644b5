//! Opening connections: names, TCP, proxies, TLS, each step timed on its own.
//!
//! A connector is made once, checked whole, and shared by all workers. What it does not do: keep
//! connections. That is the caller's pool.

mod config;
mod dns;
mod proxy;
mod tls;

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use loadgen_core::{Clock, ErrorDetail, FailureKind, Nanos, Step, SystemClock};
use thiserror::Error;
use tokio::net::{TcpSocket, TcpStream};

use crate::arrivals::Arrivals;
use crate::connection::Connection;
use crate::error::{detail, detail_of};
use crate::link::Link;
use crate::observation::Observation;
use crate::python::Exception;
use crate::socket::{Socket, StampingOn, ask_for_stamps};
use crate::target::Target;
pub use config::{ConnectorConfig, IpVersion, Timestamps};
use dns::Resolver;
use proxy::{Proxies, Route};
use tls::Tls;

/// A configuration under which no connection could be opened.
#[derive(Debug, Error)]
pub enum ConnectorError {
    /// The file of trusted certificates cannot be used.
    #[error("--ca-file {path}: {reason}")]
    CaFile {
        /// Its path.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A proxy that is none.
    #[error("the proxy in {variable}: {reason}")]
    Proxy {
        /// The environment variable.
        variable: String,
        /// What is wrong with it.
        reason: String,
    },
    /// TLS cannot be set up.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
}

/// A connection that could not be opened. The observation has it too, as its outcome.
#[derive(Debug, Clone, Error)]
#[error("{}", .0.in_words())]
pub struct ConnectFailure(pub ErrorDetail);

/// Opens connections. Cheap to clone, shared by all workers.
#[derive(Debug, Clone)]
pub struct Connector(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    config: ConnectorConfig,
    clock: SystemClock,
    resolver: Resolver,
    proxies: Proxies,
    tls: Tls,
    /// Where the kernel is to stamp: so that it does before the first connection is open.
    _stamping: Option<StampingOn>,
    /// How many connections have been given a source address.
    sources_taken: AtomicUsize,
}

impl Shared {
    /// The address that the next connection to `remote` leaves from, if any was asked for.
    fn next_source(&self, remote: SocketAddr) -> Option<IpAddr> {
        let of_its_version =
            || self.config.source_addresses.iter().filter(|source| source.is_ipv4() == remote.is_ipv4());
        let count = of_its_version().count();
        if count == 0 {
            return None;
        }
        let turn = self.sources_taken.fetch_add(1, Ordering::Relaxed);
        of_its_version().nth(turn % count).copied()
    }
}

/// Connections are numbered through the whole process.
static NEXT_ID: AtomicI64 = AtomicI64::new(0);

impl Connector {
    /// Checks the configuration and loads what all connections share.
    pub fn new(config: ConnectorConfig, clock: SystemClock) -> Result<Self, ConnectorError> {
        let proxies = if config.proxy_from_env { Proxies::from_env()? } else { Proxies::none() };
        Self::with_proxies(config, clock, proxies)
    }

    fn with_proxies(
        config: ConnectorConfig,
        clock: SystemClock,
        proxies: Proxies,
    ) -> Result<Self, ConnectorError> {
        let tls = Tls::new(config.verify_tls, config.ca_file.as_deref())?;
        let resolver = Resolver::new(config.ip_version);
        let sources_taken = AtomicUsize::new(0);
        let stamping = config.timestamps.are_the_kernels().then(StampingOn::begin);
        Ok(Self(Arc::new(Shared {
            config,
            clock,
            resolver,
            proxies,
            tls,
            _stamping: stamping,
            sources_taken,
        })))
    }

    /// Loads what the first connection to `target` would have to load (the system's certificates, for
    /// TLS), so that no request is charged with it. Call it before a run; it reads files.
    pub fn warm_up(&self, target: &Target) -> Result<(), ConnectorError> {
        if target.is_tls() {
            self.0.tls.config()?;
        }
        Ok(())
    }

    /// Opens a connection to `target`, noting in `observation` how long each step took. When it
    /// fails, the observation has the outcome.
    ///
    /// The connection belongs to the thread that opened it.
    pub async fn connect(
        &self,
        target: &Target,
        observation: &mut Observation,
    ) -> Result<Connection, ConnectFailure> {
        // Boxed, so that whoever holds this beside a response under way does not keep room for it.
        let opening = Box::pin(self.open(target, observation));
        let opened = match self.0.config.connect_timeout_ns {
            None => opening.await,
            Some(limit_ns) => {
                let limit = Duration::from_nanos(u64::try_from(limit_ns).unwrap_or(0));
                match Box::pin(tokio::time::timeout(limit, opening)).await {
                    Ok(opened) => opened,
                    Err(_elapsed) => Err(connect_timeout(target, limit, observation)),
                }
            }
        };
        opened.map_err(|error| {
            observation.instants.end = Some(self.now());
            observation.fail(FailureKind::ConnectError, error.clone());
            ConnectFailure(error)
        })
    }

    async fn open(&self, target: &Target, observation: &mut Observation) -> Result<Connection, ErrorDetail> {
        let shared = &*self.0;
        let route = shared.proxies.route(target);
        let (host, ip, port) = route.endpoint(target);

        let opening = shared.clock.now();
        let addresses = if let Some(ip) = ip {
            vec![SocketAddr::new(ip, port)]
        } else {
            let resolved = shared.resolver.resolve(host, port, opening).await;
            let end = shared.clock.now();
            add(&mut observation.connection.dns_ns, end.since(opening));
            if let Some(exchange) = &mut observation.exchange {
                exchange.dns = Some(Step { start: opening, end });
            }
            resolved.map_err(|error| {
                Exception::lookup(&error).of_connector("ClientConnectorDNSError", at_end_of(&route, target))
            })?
        };

        let began = shared.clock.now();
        let connected = self.connect_to_any(&addresses).await;
        add(&mut observation.connection.connect_ns, shared.clock.now().since(began));
        let mut tcp = connected.map_err(|(address, error)| {
            Exception::connect(&error, address)
                .of_connector("ClientConnectorError", at_end_of(&route, target))
        })?;
        let mut position = 0;
        if let Route::Tunnel(proxy) = &route {
            position = proxy::open_tunnel(&mut tcp, proxy, target).await.map_err(|error| {
                detail_of("ClientHttpProxyError", &format!("the proxy refuses a tunnel: {error}"), &error)
            })?;
        }

        let socket = Socket::new(tcp, shared.clock);
        let wants_stamps = shared.config.timestamps.are_the_kernels();
        let arrivals = Arrivals::new(shared.clock, wants_stamps, !target.is_tls(), position);
        let link = if target.is_tls() {
            let shaking = shared.clock.now();
            let handshake = shared.tls.handshake(target, socket, arrivals, position).await;
            add(&mut observation.connection.tls_ns, shared.clock.now().since(shaking));
            handshake?
        } else {
            Link::plain(socket, arrivals)
        };
        if let Some(exchange) = &mut observation.exchange {
            exchange.connect = Some(Step { start: began, end: shared.clock.now() });
        }
        let watched = match shared.config.timestamps {
            Timestamps::Packet => link.ends().ok(),
            Timestamps::Kernel | Timestamps::User => None,
        };
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        let proxy = if let Route::Forward(proxy) = &route { Some((*proxy).clone()) } else { None };
        Ok(Connection::new(self.clone(), id, target.clone(), link, watched, proxy))
    }

    /// A connection to the first address that takes one; else the last one's refusal.
    async fn connect_to_any(&self, addresses: &[SocketAddr]) -> Result<TcpStream, (SocketAddr, io::Error)> {
        let nowhere = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
        let mut last = (nowhere, io::Error::new(io::ErrorKind::NotFound, "the host has no address"));
        for address in addresses {
            match self.connect_to(*address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = (*address, error),
            }
        }
        Err(last)
    }

    async fn connect_to(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let config = &self.0.config;
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        if let Some(source) = self.0.next_source(address) {
            socket.bind(SocketAddr::new(source, 0))?;
        }
        if config.timestamps.are_the_kernels() {
            ask_for_stamps(&socket);
        }
        let stream = socket.connect(address).await?;
        stream.set_nodelay(true)?;
        // As AIPerf: probes after 60 s of silence, 30 s apart, one is enough.
        let keepalive = socket2::TcpKeepalive::new()
            .with_time(Duration::from_mins(1))
            .with_interval(Duration::from_secs(30))
            .with_retries(1);
        socket2::SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
        Ok(stream)
    }

    /// The port that a connection to `target` really goes to: a proxy's, where there is one.
    pub fn endpoint_port(&self, target: &Target) -> u16 {
        self.0.proxies.route(target).endpoint(target).2
    }

    /// The timeline that observations are on.
    pub fn now(&self) -> Nanos {
        self.0.clock.now()
    }
}

/// Whom a connection is opened to: the target, or the proxy before it.
fn at_end_of<'a>(route: &Route<'a>, target: &'a Target) -> &'a Target {
    match route {
        Route::Direct => target,
        Route::Forward(proxy) | Route::Tunnel(proxy) => proxy,
    }
}

/// A connection that was not open in time. The observation knows how far it came.
fn connect_timeout(target: &Target, limit: Duration, observation: &Observation) -> ErrorDetail {
    let (origin, seconds) = (target.origin(), limit.as_secs_f64());
    let is_tls_missing = target.is_tls() && observation.connection.connect_ns.is_some();
    let hint = if is_tls_missing {
        "; TCP was connected, but the TLS handshake was not finished: does it speak TLS, or is the URL \
         to begin with http://?"
    } else {
        ""
    };
    detail("ConnectionTimeoutError", &format!("no connection to {origin} within {seconds} s{hint}"))
}

/// Adds to a duration that several hops may share.
fn add(total: &mut Option<i64>, nanoseconds: i64) {
    *total = Some(total.unwrap_or(0) + nanoseconds);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use http::{HeaderMap, Method};
    use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
    use tokio::net::TcpListener;

    use super::*;
    use crate::request::{Body, Request};

    /// A proxy that answers one request with `answer`, and what it was asked.
    async fn ask(target: &str, answer: &str) -> (Result<u16, String>, Vec<String>) {
        let proxy = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let place = format!("http://u:p@{}", proxy.local_addr().unwrap());
        let proxies = Proxies::from_variables(|name| (name == "ALL_PROXY").then(|| place.clone())).unwrap();
        let connector =
            Connector::with_proxies(ConnectorConfig::default(), SystemClock::start(), proxies).unwrap();
        let target = Target::parse(target).unwrap();
        let client = async {
            let mut connection = connector
                .connect(&target, &mut Observation::default())
                .await
                .map_err(|failure| failure.to_string())?;
            let request = Request::plain(Method::GET, &target, "/x?y", HeaderMap::new(), Body::default());
            let page = connection.fetch(request, 1000).await.map_err(|error| error.message)?;
            Ok(page.status)
        };
        let server = async {
            let (stream, _) = proxy.accept().await.unwrap();
            let mut stream = BufReader::new(stream);
            let mut asked = Vec::new();
            loop {
                let mut line = String::new();
                stream.read_line(&mut line).await.unwrap();
                if line == "\r\n" {
                    break;
                }
                asked.push(line.trim_end().to_owned());
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
            asked
        };
        tokio::join!(client, server)
    }

    #[test]
    fn source_addresses_are_taken_in_turn_within_the_servers_version() {
        let source_addresses = ["127.0.0.2", "::1", "127.0.0.3"].map(|ip| ip.parse().unwrap()).to_vec();
        let config = ConnectorConfig { source_addresses, ..ConnectorConfig::default() };
        let connector = Connector::new(config, SystemClock::start()).unwrap();
        let next =
            |remote: &str| connector.0.next_source(remote.parse().unwrap()).map(|source| source.to_string());
        let taken: Vec<_> = (0..3).map(|_| next("127.0.0.1:1").unwrap()).collect();
        assert_eq!(taken, ["127.0.0.2", "127.0.0.3", "127.0.0.2"]);
        assert_eq!(next("[::1]:1").unwrap(), "::1");
        let connector = Connector::new(ConnectorConfig::default(), SystemClock::start()).unwrap();
        assert_eq!(connector.0.next_source("127.0.0.1:1".parse().unwrap()), None);
    }

    fn run<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
    }

    #[test]
    fn a_proxy_for_http_is_told_the_whole_url() {
        let (status, asked) = run(ask("http://example.test:81", "HTTP/1.1 204 No Content\r\n\r\n"));
        assert_eq!(status, Ok(204));
        assert_eq!(asked[0], "GET http://example.test:81/x?y HTTP/1.1");
        assert!(asked.contains(&"Proxy-Authorization: Basic dTpw".to_owned()), "{asked:?}");
    }

    #[test]
    fn a_proxy_for_https_is_asked_for_a_tunnel_and_may_refuse() {
        let (status, asked) =
            run(ask("https://example.test", "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"));
        assert!(status.unwrap_err().contains("407 Proxy Authentication Required"));
        assert_eq!(asked[..2], ["CONNECT example.test:443 HTTP/1.1", "Host: example.test:443"]);
    }
}
