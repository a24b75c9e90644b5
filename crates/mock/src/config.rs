//! What a mock server is started with, what can go wrong, and what it reports at the end.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::faults::FaultRule;
use crate::profile::Profile;
use crate::tls::{Tls, TlsError};

/// What a mock server is started with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MockConfig {
    /// Address to listen on; loopback unless told otherwise.
    pub host: IpAddr,
    /// Port to listen on; 0 takes a free one.
    pub port: u16,
    /// What makes it speak TLS; `None` for plain HTTP.
    pub tls: Option<Tls>,
    /// How fast and how faithfully it answers.
    pub profile: Profile,
    /// Faults on top of the profile's own.
    pub faults: Vec<FaultRule>,
    /// Where to log what really happened, as JSON lines.
    pub truth_log: Option<PathBuf>,
    /// Root of everything random: jitter, chance of faults, natural lengths.
    pub seed: u64,
    /// Server threads. Each is a replica with a performance model and a prefix cache of its own; the
    /// kernel spreads new connections over them (`SO_REUSEPORT`).
    pub threads: usize,
    /// Names that `/v1/models` lists. Requests may name any model.
    pub models: Vec<String>,
}

impl Default for MockConfig {
    fn default() -> Self {
        Self {
            host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 0,
            tls: None,
            profile: Profile::default(),
            faults: Vec::new(),
            truth_log: None,
            seed: 0,
            threads: 1,
            models: vec!["mock-model".to_owned()],
        }
    }
}

/// Why a mock server did not start, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum MockError {
    /// The address could not be listened on.
    #[error("cannot listen on {addr}; choose another --host or --port (0 takes a free port)")]
    Bind {
        /// The address asked for.
        addr: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The truth log could not be written.
    #[error("--truth-log {}: cannot be written", path.display())]
    TruthLog {
        /// The file asked for.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A server thread could not start.
    #[error("cannot start a server thread")]
    Runtime(#[from] std::io::Error),
    /// TLS was asked for and cannot be had.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The profile's table of measured times does not fit its options.
    #[error("profile splitwise: {0}")]
    Table(String),
}

/// What a mock server did while it served.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServeReport {
    /// Connections accepted.
    pub connections: u64,
    /// Generation requests whose body was read.
    pub requests: u64,
    /// Generation requests that were answered to the end as they should be.
    pub complete: u64,
    /// Token events handed to connections.
    pub tokens: u64,
    /// Faults applied, by name; `refuse` counts connections, the others requests.
    pub faults: BTreeMap<String, u64>,
}

impl ServeReport {
    /// Adds what another server thread did.
    pub(crate) fn absorb(&mut self, other: Self) {
        self.connections += other.connections;
        self.requests += other.requests;
        self.complete += other.complete;
        self.tokens += other.tokens;
        for (name, count) in other.faults {
            *self.faults.entry(name).or_default() += count;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_config_is_read_with_its_defaults_and_survives_a_round_trip() {
        let text = r#"{"profile": "fixed?ttft=5ms&fault=cut&every=3", "threads": 2, "truth_log": "t.jsonl"}"#;
        let config: MockConfig = serde_json::from_str(text).unwrap();
        assert_eq!((config.port, config.threads, config.profile.faults.len()), (0, 2, 1));
        assert!(config.host.is_loopback());
        let again: MockConfig = serde_json::from_str(&serde_json::to_string(&config).unwrap()).unwrap();
        assert_eq!(again, config);
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        let said = |text| serde_json::from_str::<MockConfig>(text).unwrap_err().to_string();
        assert!(said(r#"{"profile": "fast"}"#).contains("no mock profile named"));
        assert!(said(r#"{"ports": 1}"#).contains("unknown field"));
    }
}
