//! Names to addresses, remembered for a while.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};

use loadgen_core::Nanos;

use super::IpVersion;

/// How long an answer is remembered, as AIPerf does: 300 s.
const REMEMBER_NS: i64 = 300_000_000_000;

/// The addresses of one name and port, and when they were asked for.
type Answer = (Nanos, Vec<SocketAddr>);

/// Resolves names through the system and remembers the answers.
#[derive(Debug)]
pub(super) struct Resolver {
    version: IpVersion,
    /// By host and port. Locked only while connections are opened.
    answers: Mutex<HashMap<(String, u16), Answer>>,
}

impl Resolver {
    pub(super) fn new(version: IpVersion) -> Self {
        Self { version, answers: Mutex::default() }
    }

    /// The addresses of `host`, the ones to try first in front. Never empty.
    pub(super) async fn resolve(&self, host: &str, port: u16, now: Nanos) -> io::Result<Vec<SocketAddr>> {
        let key = (host.to_owned(), port);
        {
            let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((asked_at, addresses)) = answers.get(&key)
                && now.since(*asked_at) < REMEMBER_NS
            {
                return Ok(addresses.clone());
            }
        }
        let found: Vec<SocketAddr> = tokio::net::lookup_host((host, port)).await?.collect();
        let addresses = preferred(self.version, found);
        if addresses.is_empty() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
        }
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.insert(key, (now, addresses.clone()));
        Ok(addresses)
    }
}

fn preferred(version: IpVersion, mut addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    match version {
        IpVersion::Auto => {}
        // Stable sorts: within a version the resolver's order stands.
        IpVersion::V4 => addresses.sort_by_key(SocketAddr::is_ipv6),
        IpVersion::V6 => addresses.sort_by_key(SocketAddr::is_ipv4),
    }
    addresses
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_asked_version_comes_first_and_the_other_stays_as_a_fallback() {
        let v4: SocketAddr = "127.0.0.1:1".parse().unwrap();
        let v6: SocketAddr = "[::1]:1".parse().unwrap();
        assert_eq!(preferred(IpVersion::V4, vec![v6, v4]), [v4, v6]);
        assert_eq!(preferred(IpVersion::V6, vec![v4, v6]), [v6, v4]);
        assert_eq!(preferred(IpVersion::Auto, vec![v6, v4]), [v6, v4]);
        assert_eq!(preferred(IpVersion::V4, vec![v6]), [v6]);
    }
}
