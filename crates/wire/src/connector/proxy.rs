//! Proxies from the environment, for those who ask for them.
//!
//! `http` targets go through a proxy by absolute-form requests, `https` targets through a `CONNECT`
//! tunnel. Lower-case variables win over upper-case ones, as in curl. NO_PROXY lists hosts, domain
//! suffixes (with or without a leading dot), addresses, or `*`; a port may follow.

use std::io;
use std::net::IpAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::ConnectorError;
use crate::target::{Target, TargetError};

/// Which proxy serves which target.
#[derive(Debug)]
pub(super) struct Proxies {
    http: Option<Target>,
    https: Option<Target>,
    exceptions: Vec<String>,
}

/// The way to a target.
#[derive(Debug)]
pub(super) enum Route<'a> {
    /// Straight there.
    Direct,
    /// Through a proxy that is told the whole URL.
    Forward(&'a Target),
    /// Through a tunnel that a proxy opens.
    Tunnel(&'a Target),
}

impl Route<'_> {
    /// Where the TCP connection goes: host, its address if literal, port.
    pub(super) fn endpoint<'t>(&'t self, target: &'t Target) -> (&'t str, Option<IpAddr>, u16) {
        let first_hop = match self {
            Self::Direct => target,
            Self::Forward(proxy) | Self::Tunnel(proxy) => proxy,
        };
        (first_hop.host(), first_hop.ip(), first_hop.port())
    }
}

impl Proxies {
    pub(super) fn none() -> Self {
        Self { http: None, https: None, exceptions: Vec::new() }
    }

    pub(super) fn from_env() -> Result<Self, ConnectorError> {
        Self::from_variables(|name| std::env::var(name).ok())
    }

    pub(super) fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Self, ConnectorError> {
        let either_case = |name: &str| {
            let lower = name.to_ascii_lowercase();
            let found = variable(&lower).map(|value| (lower, value));
            found
                .or_else(|| variable(name).map(|value| (name.to_owned(), value)))
                .filter(|(_, value)| !value.is_empty())
        };
        let proxy = |name: &str| -> Result<Option<Target>, ConnectorError> {
            let Some((variable, url)) = either_case(name).or_else(|| either_case("ALL_PROXY")) else {
                return Ok(None);
            };
            let target = Target::parse(&url).map_err(|error| ConnectorError::Proxy {
                variable: variable.clone(),
                // Nobody wrote --url here.
                reason: match error {
                    TargetError::NotAUrl { url, reason } => {
                        format!("{url}: not a URL ({reason}); write http://HOST:PORT")
                    }
                    TargetError::Scheme { url, scheme } => {
                        format!("{url}: the scheme {scheme} is not supported; use http://")
                    }
                },
            })?;
            if target.is_tls() {
                let reason = format!("{target}: proxies that speak TLS are not supported; use http://");
                return Err(ConnectorError::Proxy { variable, reason });
            }
            Ok(Some(target))
        };
        let exceptions = either_case("NO_PROXY").map_or_else(Vec::new, |(_, list)| {
            list.split(',')
                .map(|entry| entry.trim().to_ascii_lowercase())
                .filter(|entry| !entry.is_empty())
                .collect()
        });
        Ok(Self { http: proxy("HTTP_PROXY")?, https: proxy("HTTPS_PROXY")?, exceptions })
    }

    pub(super) fn route(&self, target: &Target) -> Route<'_> {
        if self.exceptions.iter().any(|entry| is_exception(entry, target)) {
            return Route::Direct;
        }
        match (target.is_tls(), &self.http, &self.https) {
            (false, Some(proxy), _) => Route::Forward(proxy),
            (true, _, Some(proxy)) => Route::Tunnel(proxy),
            _ => Route::Direct,
        }
    }
}

fn is_exception(entry: &str, target: &Target) -> bool {
    let host = target.host().to_ascii_lowercase();
    let (name, port) = match entry.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') || name.ends_with(']') => (name, port.parse::<u16>().ok()),
        _ => (entry, None),
    };
    if port.is_some_and(|port| port != target.port()) {
        return false;
    }
    let name = name.trim_start_matches('[').trim_end_matches(']');
    let suffix = name.trim_start_matches('.');
    name == "*" || host == suffix || host.strip_suffix(suffix).is_some_and(|rest| rest.ends_with('.'))
}

/// Asks `proxy` at the other end of `stream` for a tunnel to `target`. Gives how many bytes it answered.
pub(super) async fn open_tunnel(stream: &mut TcpStream, proxy: &Target, target: &Target) -> io::Result<u64> {
    /// More than any proxy says.
    const MOST_HEAD_BYTES: usize = 16 * 1024;
    let host =
        if target.host().contains(':') { format!("[{}]", target.host()) } else { target.host().to_owned() };
    let place = format!("{host}:{}", target.port());
    let authorization =
        proxy.basic_auth().map_or_else(String::new, |basic| format!("Proxy-Authorization: {basic}\r\n"));
    let head = format!("CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n{authorization}\r\n");
    stream.write_all(head.as_bytes()).await?;
    // One byte at a time: what follows the head belongs to the tunnel.
    let mut answer = Vec::with_capacity(256);
    while !answer.ends_with(b"\r\n\r\n") {
        if answer.len() == MOST_HEAD_BYTES {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "its answer never ends"));
        }
        answer.push(stream.read_u8().await?);
    }
    let status_line = answer.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let status_line = String::from_utf8_lossy(status_line);
    match status_line.split(' ').nth(1) {
        Some(status) if status.starts_with('2') => Ok(answer.len() as u64),
        _ => Err(io::Error::new(io::ErrorKind::ConnectionRefused, status_line.into_owned())),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn proxies(variables: &[(&str, &str)]) -> Result<Proxies, ConnectorError> {
        Proxies::from_variables(|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn targets_take_the_proxy_of_their_scheme() {
        let found = proxies(&[
            ("http_proxy", "http://p:1"),
            ("HTTPS_PROXY", "q:2"),
            ("NO_PROXY", "127.0.0.1, .local"),
        ])
        .unwrap();
        let route = |url: &str| {
            let target = Target::parse(url).unwrap();
            match found.route(&target) {
                Route::Direct => "direct".to_owned(),
                Route::Forward(proxy) => format!("forward {}", proxy.authority()),
                Route::Tunnel(proxy) => format!("tunnel {}", proxy.authority()),
            }
        };
        assert_eq!(route("http://a"), "forward p:1");
        assert_eq!(route("https://a"), "tunnel q:2");
        assert_eq!(route("http://127.0.0.1:8000"), "direct");
        assert_eq!(route("https://a.local"), "direct");
        assert_eq!(route("https://alocal"), "tunnel q:2");
    }

    #[test]
    fn a_broken_proxy_names_its_variable() {
        let error = proxies(&[("ALL_PROXY", "socks5://x")]).unwrap_err().to_string();
        assert!(error.starts_with("the proxy in ALL_PROXY"), "{error}");
        for wrong in ["socks5://x", "http://x:port"] {
            let error = proxies(&[("HTTP_PROXY", wrong)]).unwrap_err().to_string();
            assert!(error.contains("http://") && !error.contains("--url"), "{error}");
        }
    }
}
