//! Round trips to the servers, measured beside the load: the time that a TCP connection takes to open.
//!
//! Each probe is a connection of its own, opened and closed, so nothing of a server's work is in it; names are
//! resolved once, before. One that fails is a line too, and stops nothing.

use std::net::SocketAddr;
use std::time::Duration;

use loadgen_core::{Clock, Nanos, SystemClock};
use loadgen_wire::Target;
use serde::{Deserialize, Serialize};

/// When round trips are measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RttProbe {
    /// From one probe to the next.
    pub interval: Duration,
    /// How long a connection may take to open.
    pub patience: Duration,
    /// So many are to succeed for each server: what the run was too short for is made up at its end.
    pub least: u32,
    /// No longer than this, at the end of the run.
    pub make_up_within: Duration,
}

impl Default for RttProbe {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(1),
            patience: Duration::from_secs(5),
            least: 5,
            make_up_within: Duration::from_secs(3),
        }
    }
}

/// One probe: a line of `profile_export_network_latency.jsonl`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RttSample {
    /// When it began, ns since the Unix epoch.
    pub timestamp_ns: Nanos,
    /// The server, credentials removed.
    pub target_url: String,
    /// Its host.
    pub target_host: String,
    /// Its port.
    pub target_port: u16,
    /// What was done: `tcp_connect`.
    pub probe_type: String,
    /// How long it took, ns; absent when it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtt_ns: Option<i64>,
    /// Whether it succeeded.
    pub success: bool,
    /// Why it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<RttError>,
}

/// Why a probe failed, in AIPerf's terms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RttError {
    /// The class of the error.
    #[serde(rename = "type")]
    pub error_type: String,
    /// What was said.
    pub message: String,
}

/// A server whose round trips are measured.
#[derive(Debug, Clone)]
pub(crate) struct RttTarget {
    url: String,
    host: String,
    port: u16,
    address: Option<SocketAddr>,
}

impl RttTarget {
    /// One for each distinct host and port.
    pub(crate) fn of(targets: &[Target]) -> Vec<Self> {
        let mut distinct: Vec<Self> = Vec::new();
        for target in targets {
            let (host, port) = (target.host().to_owned(), target.port());
            if !distinct.iter().any(|known| known.host == host && known.port == port) {
                distinct.push(Self { url: target.to_string(), host, port, address: None });
            }
        }
        distinct
    }

    /// Resolves the name, so that no probe has to.
    pub(crate) async fn resolve(&mut self) {
        let resolved = tokio::net::lookup_host((self.host.as_str(), self.port)).await;
        // As connections of the load, which prefer IPv4 unless told otherwise.
        let mut addresses: Vec<SocketAddr> = resolved.map(Iterator::collect).unwrap_or_default();
        addresses.sort_by_key(SocketAddr::is_ipv6);
        self.address = addresses.first().copied();
    }

    pub(crate) async fn probe(&self, patience: Duration, clock: SystemClock) -> RttSample {
        let began = clock.now();
        let opened = match self.address {
            Some(address) => tokio::time::timeout(patience, tokio::net::TcpStream::connect(address)).await,
            None => Ok(Err(std::io::Error::new(std::io::ErrorKind::NotFound, "the host has no address"))),
        };
        let rtt_ns = clock.now().since(began);
        let error = match opened {
            Ok(Ok(_closed_here)) => None,
            Ok(Err(error)) => Some(RttError { error_type: "OSError".to_owned(), message: error.to_string() }),
            Err(_elapsed) => {
                let message = format!("no connection within {} s", patience.as_secs_f64());
                Some(RttError { error_type: "TimeoutError".to_owned(), message })
            }
        };
        RttSample {
            timestamp_ns: began,
            target_url: self.url.clone(),
            target_host: self.host.clone(),
            target_port: self.port,
            probe_type: "tcp_connect".to_owned(),
            rtt_ns: error.is_none().then_some(rtt_ns),
            success: error.is_none(),
            error,
        }
    }
}

/// The mean of the probes that succeeded, ns; `None` without any.
pub fn mean_rtt_ns<'a>(lines: impl IntoIterator<Item = &'a [u8]>) -> Option<f64> {
    let samples = lines.into_iter().filter_map(|line| serde_json::from_slice::<RttSample>(line).ok());
    let (sum, count) = samples
        .filter_map(|sample| sample.rtt_ns)
        .fold((0.0, 0_u64), |(sum, count), rtt| (sum + rtt as f64, count + 1));
    (count > 0).then(|| sum / count as f64)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn run<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
    }

    #[test]
    fn a_probe_is_a_line_whether_it_succeeds_or_not() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let urls = [format!("http://u:p@127.0.0.1:{port}/v1?key=z"), format!("127.0.0.1:{port}")];
        let targets: Vec<_> = urls.iter().map(|url| Target::parse(url).unwrap()).collect();
        let mut distinct = RttTarget::of(&targets);
        assert_eq!(distinct.len(), 1);
        let clock = SystemClock::start();
        run(distinct[0].resolve());
        let good = run(distinct[0].probe(Duration::from_secs(5), clock));
        assert!(good.success && good.rtt_ns.unwrap() > 0, "{good:?}");
        drop(listener);
        let bad = run(distinct[0].probe(Duration::from_secs(5), clock));
        assert!(!bad.success && bad.rtt_ns.is_none() && bad.error.is_some(), "{bad:?}");
        let lines = [good.clone(), bad].map(|sample| serde_json::to_vec(&sample).unwrap());
        assert!(!String::from_utf8_lossy(&lines[0]).contains("u:p"));
        let mean = mean_rtt_ns(lines.iter().map(Vec::as_slice)).unwrap();
        assert_eq!(mean, good.rtt_ns.unwrap() as f64);
        assert_eq!(mean_rtt_ns([&b"{"[..]]), None);
    }
}
