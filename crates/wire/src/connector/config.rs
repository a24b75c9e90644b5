//! How connections are opened, as a run's configuration has it.

use std::net::IpAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Which IP version is asked for first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IpVersion {
    /// IPv4; IPv6 only for names that have no IPv4 address.
    #[default]
    V4,
    /// IPv6; IPv4 only for names that have no IPv6 address.
    V6,
    /// As the resolver orders them.
    Auto,
}

/// Who stamps the arrival of bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Timestamps {
    /// The kernel, when the very segment reached the host, seen by a packet socket. To a connection it is
    /// as [`Self::Kernel`], and the observation also says where in the stream its parts were
    /// ([`Observation::trail`](crate::Observation::trail)); whoever watches the packets does the rest.
    Packet,
    /// The kernel, where it can (Linux); this process elsewhere.
    #[default]
    Kernel,
    /// This process, when it reads.
    User,
}

impl Timestamps {
    /// Whether the kernel is asked to stamp what a socket reads.
    pub(crate) fn are_the_kernels(self) -> bool {
        cfg!(target_os = "linux") && self != Self::User
    }
}

/// How long opening a connection may take unless the configuration says otherwise, ns.
const CONNECT_TIMEOUT_NS: i64 = 30_000_000_000;

/// How connections are opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ConnectorConfig {
    /// Whether certificates are verified.
    pub verify_tls: bool,
    /// A file of PEM certificates that are trusted beside the system's.
    pub ca_file: Option<PathBuf>,
    /// Whether HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY are honoured.
    pub proxy_from_env: bool,
    /// How long opening a connection may take, ns: name resolution, TCP, a proxy's tunnel and the TLS
    /// handshake together. By default 30 s, since a port that takes connections and says nothing (a
    /// plain server asked for `https://`) would hold a request for its whole timeout. `None`: as long
    /// as the system lets it.
    pub connect_timeout_ns: Option<i64>,
    /// Who stamps arrivals.
    pub timestamps: Timestamps,
    /// The local addresses that connections leave from, taken in turn; those of the other IP version
    /// than the server's are passed over. Empty: as the system chooses.
    pub source_addresses: Vec<IpAddr>,
    /// Which IP version is asked for first.
    pub ip_version: IpVersion,
}

impl Default for ConnectorConfig {
    fn default() -> Self {
        Self {
            verify_tls: true,
            ca_file: None,
            proxy_from_env: false,
            connect_timeout_ns: Some(CONNECT_TIMEOUT_NS),
            timestamps: Timestamps::default(),
            source_addresses: Vec::new(),
            ip_version: IpVersion::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn opening_a_connection_is_limited_unless_told_otherwise() {
        assert_eq!(ConnectorConfig::default().connect_timeout_ns, Some(30_000_000_000));
        let read: ConnectorConfig = serde_json::from_str(r#"{"connect_timeout_ns":null}"#).unwrap();
        assert_eq!(read.connect_timeout_ns, None);
        let read: ConnectorConfig = serde_json::from_str("{}").unwrap();
        assert_eq!(read, ConnectorConfig::default());
    }
}
