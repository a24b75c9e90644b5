//! Where requests go: a URL, parsed once.
//!
//! Invariant: neither `Debug` nor `Display` shows the user part or the query; both may carry secrets.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine as _;
use thiserror::Error;
use url::{Host, Url};

use crate::redact::redact_url;

/// A server under test, and the path under which it serves. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Target(Arc<Parts>);

#[derive(PartialEq, Eq, Hash)]
struct Parts {
    is_tls: bool,
    host: String,
    ip: Option<IpAddr>,
    port: u16,
    authority: String,
    /// Without a trailing slash; empty at the root.
    path: String,
    query: Option<String>,
    basic_auth: Option<String>,
}

/// A URL that is none, or none of ours.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum TargetError {
    /// Not a URL.
    #[error("{url}: not a URL ({reason}); write --url http://HOST:PORT")]
    NotAUrl {
        /// What was given, secrets removed.
        url: String,
        /// Why it does not parse.
        reason: String,
    },
    /// A scheme other than http and https.
    #[error("{url}: the scheme {scheme} is not supported; --url takes http:// and https://")]
    Scheme {
        /// What was given, secrets removed.
        url: String,
        /// Its scheme.
        scheme: String,
    },
}

impl Target {
    /// Parses a URL. Without a scheme it is `http://`; a trailing slash is trimmed; the user part
    /// becomes basic authorization; a query is kept and sent with every request.
    pub fn parse(text: &str) -> Result<Self, TargetError> {
        let text = text.trim();
        let with_scheme = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let not_a_url = |reason: String| TargetError::NotAUrl { url: redact_url(text).into_owned(), reason };
        let url = Url::parse(&with_scheme).map_err(|error| not_a_url(error.to_string()))?;
        let is_tls = match url.scheme() {
            "http" => false,
            "https" => true,
            other => {
                return Err(TargetError::Scheme {
                    url: redact_url(text).into_owned(),
                    scheme: other.to_owned(),
                });
            }
        };
        let (host, ip) = match url.host() {
            Some(Host::Domain(name)) => (name.to_owned(), None),
            Some(Host::Ipv4(ip)) => (ip.to_string(), Some(IpAddr::V4(ip))),
            Some(Host::Ipv6(ip)) => (ip.to_string(), Some(IpAddr::V6(ip))),
            None => return Err(not_a_url("it has no host".to_owned())),
        };
        let default_port = if is_tls { 443 } else { 80 };
        let port = url.port().unwrap_or(default_port);
        let bracketed = if matches!(ip, Some(IpAddr::V6(_))) { format!("[{host}]") } else { host.clone() };
        let authority = if port == default_port { bracketed } else { format!("{bracketed}:{port}") };
        Ok(Self(Arc::new(Parts {
            is_tls,
            host,
            ip,
            port,
            authority,
            path: url.path().trim_end_matches('/').to_owned(),
            query: url.query().filter(|query| !query.is_empty()).map(str::to_owned),
            basic_auth: basic_auth(&url),
        })))
    }

    /// Host and port as the `Host` header has them: the scheme's own port is left out, an IPv6
    /// address stands in brackets.
    pub fn authority(&self) -> &str {
        &self.0.authority
    }

    /// Scheme, host and port: `http://127.0.0.1:8000`.
    pub fn origin(&self) -> String {
        format!("{}://{}", if self.0.is_tls { "https" } else { "http" }, self.0.authority)
    }

    /// Whether it is spoken to over TLS.
    pub fn is_tls(&self) -> bool {
        self.0.is_tls
    }

    /// The host's name or address, without brackets.
    pub fn host(&self) -> &str {
        &self.0.host
    }

    /// The host's address, if the URL gives it literally.
    pub fn ip(&self) -> Option<IpAddr> {
        self.0.ip
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.0.port
    }

    /// Whether requests to `other` may share a connection with requests to this one.
    pub fn has_origin_of(&self, other: &Self) -> bool {
        (self.0.is_tls, &self.0.host, self.0.port) == (other.0.is_tls, &other.0.host, other.0.port)
    }

    /// The value of an `Authorization` header from the URL's user part.
    pub(crate) fn basic_auth(&self) -> Option<&str> {
        self.0.basic_auth.as_deref()
    }

    /// The path and query of a request to `endpoint` under this target.
    ///
    /// An endpoint path that the target already ends with is not repeated, nor is a `/v1` that both
    /// have; the target's query is kept; an empty endpoint path adds nothing.
    pub fn path_to(&self, endpoint: &str) -> String {
        let (endpoint, endpoint_query) =
            endpoint.split_once('?').map_or((endpoint, None), |(path, query)| (path, Some(query)));
        let endpoint = endpoint.trim_start_matches('/');
        let base = self.0.path.as_str();
        let has_it_all = base.strip_prefix('/').is_some_and(|base| {
            base.strip_suffix(endpoint.trim_end_matches('/'))
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
        });
        let mut path = String::with_capacity(base.len() + endpoint.len() + 1);
        path.push_str(base);
        if !endpoint.is_empty() && !has_it_all {
            let tail = match endpoint.strip_prefix("v1/") {
                Some(tail) if base.ends_with("/v1") => tail,
                _ => endpoint,
            };
            path.push('/');
            path.push_str(tail);
        }
        if path.is_empty() {
            path.push('/');
        }
        let queries = self.0.query.as_deref().into_iter().chain(endpoint_query);
        for (index, query) in queries.enumerate() {
            path.push(if index == 0 { '?' } else { '&' });
            path.push_str(query);
        }
        path
    }

    /// The path and query of a request for something that stands beside the API which this target leads into,
    /// as `/v1/models` and `/version` do: what lies behind the target's `/v1` is left off, and so is the `/v1`
    /// itself for a path that does not begin with one. A target without a `/v1` is gone below, as by
    /// [`path_to`](Self::path_to).
    pub fn path_beside_api(&self, path: &str) -> String {
        let base = self.0.path.as_str();
        let Some(root) = base.match_indices("/v1").map(|(at, _)| at).find(|at| {
            let behind = &base[at + "/v1".len()..];
            behind.is_empty() || behind.starts_with('/')
        }) else {
            return self.path_to(path);
        };
        let query = self.0.query.as_deref().map(|query| format!("?{query}")).unwrap_or_default();
        format!("{}/{}{query}", &base[..root], path.trim_start_matches('/'))
    }

    /// The target and the path (with query) that `location` means, seen from a request to
    /// `path` of this target.
    pub(crate) fn resolve_location(&self, path: &str, location: &str) -> Option<(Self, String)> {
        let base = Url::parse(&format!("{}{path}", self.origin())).ok()?;
        let url = base.join(location).ok()?;
        let path = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        let target = Self::parse(&url[..url::Position::BeforePath]).ok()?;
        Some((target, path))
    }
}

fn basic_auth(url: &Url) -> Option<String> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let user = percent_decoded(url.username());
    let password = percent_decoded(url.password().unwrap_or_default());
    let encoded = base64::engine::general_purpose::STANDARD.encode([&user[..], b":", &password[..]].concat());
    Some(format!("Basic {encoded}"))
}

/// `text` with its percent escapes undone.
pub(crate) fn percent_decoded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let escaped = tail
            .get(..2)
            .filter(|_| first == b'%')
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        bytes.push(escaped.unwrap_or(first));
        rest = if escaped.is_some() { &tail[2..] } else { tail };
    }
    bytes
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin(), self.0.path)
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({self})")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn paths_join_without_repeating_themselves() {
        let cases = [
            ("localhost:8000", "/v1/chat/completions", "/v1/chat/completions"),
            ("http://h/", "/v1/chat/completions", "/v1/chat/completions"),
            ("http://h/v1", "/v1/chat/completions", "/v1/chat/completions"),
            ("http://h/openai/v1/", "v1/chat/completions", "/openai/v1/chat/completions"),
            ("http://h/v1/chat/completions", "/v1/chat/completions", "/v1/chat/completions"),
            ("http://h/a?k=v", "/v1/x", "/a/v1/x?k=v"),
            ("http://h/a?k=v", "/x?y=1", "/a/x?k=v&y=1"),
            ("http://h/a", "", "/a"),
            ("http://h", "", "/"),
            ("http://h/xv1", "v1/y", "/xv1/v1/y"),
        ];
        for (url, endpoint, path) in cases {
            assert_eq!(Target::parse(url).unwrap().path_to(endpoint), path, "{url} + {endpoint}");
        }
    }

    #[test]
    fn what_stands_beside_an_api_is_looked_for_there() {
        for (url, models, version) in [
            ("http://h", "/v1/models", "/version"),
            ("http://h/v1", "/v1/models", "/version"),
            ("http://h/v1/a?k=v", "/v1/models?k=v", "/version?k=v"),
            ("http://h/p/v1/chat/completions", "/p/v1/models", "/p/version"),
            ("http://h/p", "/p/v1/models", "/p/version"),
            ("http://h/v10/a", "/v10/a/v1/models", "/v10/a/version"),
        ] {
            let target = Target::parse(url).unwrap();
            assert_eq!(target.path_beside_api("/v1/models"), models, "{url}");
            assert_eq!(target.path_beside_api("/version"), version, "{url}");
        }
    }

    #[test]
    fn hosts_ports_and_users_are_told_apart() {
        let v6 = Target::parse("https://[::1]:8443/v1").unwrap();
        assert_eq!((v6.host(), v6.port(), v6.authority(), v6.is_tls()), ("::1", 8443, "[::1]:8443", true));
        let named = Target::parse("http://u:p%40q@example.test?key=z").unwrap();
        assert_eq!((named.authority(), named.port()), ("example.test", 80));
        assert_eq!(named.basic_auth(), Some("Basic dTpwQHE="));
        assert_eq!(format!("{named} {named:?}"), "http://example.test Target(http://example.test)");
        assert!(matches!(Target::parse("ftp://h"), Err(TargetError::Scheme { .. })));
        let error = Target::parse("http://u:p@:99999").unwrap_err().to_string();
        assert!(!error.contains("u:p"), "{error}");
    }

    #[test]
    fn redirects_resolve_against_the_request() {
        let here = Target::parse("http://h:1/v1").unwrap();
        let (same, path) = here.resolve_location("/v1/x", "/real/x?a=1").unwrap();
        assert!(same.has_origin_of(&here));
        assert_eq!(path, "/real/x?a=1");
        let (other, path) = here.resolve_location("/v1/x", "https://h2/y").unwrap();
        assert!(!other.has_origin_of(&here));
        assert_eq!((other.authority(), path.as_str()), ("h2", "/y"));
    }
}
