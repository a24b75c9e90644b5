//! Where a server's metrics are.

use std::fmt;

use loadgen_wire::{Request, Target, TargetError, redact_url};

/// The URL of a server's metrics.
#[derive(Clone, PartialEq, Eq)]
pub struct MetricsUrl {
    target: Target,
    path: String,
    shown: String,
}

impl MetricsUrl {
    /// The metrics of a server under test: beside its URL's path, without the credentials and the query that
    /// the URL may have. Those are for the load; whoever serves the metrics has no business with them.
    pub fn of_server(server: &Target) -> Self {
        let bare = Target::parse(&server.to_string()).unwrap_or_else(|_| server.clone());
        Self::at(bare)
    }

    /// The URL that `text` means: `http://` may be missing, and so may `/metrics`. Credentials in it are sent
    /// there, and shown nowhere.
    pub fn parse(text: &str) -> Result<Self, TargetError> {
        Target::parse(text.trim()).map(Self::at)
    }

    fn at(target: Target) -> Self {
        let path = target.path_to("/metrics");
        Self { shown: redact_url(&format!("{}{path}", target.origin())).into_owned(), target, path }
    }

    /// Where some servers keep their metrics when `/metrics` is something else; `None` if this is there already.
    pub fn fallback(&self) -> Option<Self> {
        let base = self.path.strip_suffix("/metrics").filter(|base| !base.ends_with("/prometheus"))?;
        let path = format!("{base}/prometheus/metrics");
        let shown = format!("{}{path}", self.target.origin());
        Some(Self { target: self.target.clone(), path, shown })
    }

    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    /// A request for it. None of the load's headers and keys go along.
    pub(crate) fn request(&self, method: &str) -> Request {
        let accept = [("accept", "*/*"), ("user-agent", concat!("loadgen/", env!("CARGO_PKG_VERSION")))];
        Request::of_text(method, &self.target, &self.path, accept, loadgen_wire::Body::default())
            .expect("these headers and methods can be sent, and a URL's credentials are encoded")
    }
}

impl fmt::Display for MetricsUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for MetricsUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MetricsUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_url_gets_its_scheme_and_its_path() {
        for (given, shown) in [
            ("localhost:8000", "http://localhost:8000/metrics"),
            ("http://h:1/", "http://h:1/metrics"),
            ("http://h:1/metrics", "http://h:1/metrics"),
            ("http://h:1/metrics/", "http://h:1/metrics"),
            ("http://h:1/v1/x", "http://h:1/v1/x/metrics"),
            ("https://h/v1", "https://h/v1/metrics"),
        ] {
            assert_eq!(MetricsUrl::parse(given).unwrap().to_string(), shown, "{given}");
        }
    }

    #[test]
    fn a_servers_credentials_do_not_go_to_its_metrics() {
        let server = Target::parse("http://u:p@h:1/v1?api_key=z").unwrap();
        let url = MetricsUrl::of_server(&server);
        assert_eq!(url.to_string(), "http://h:1/v1/metrics");
        assert!(!url.request("GET").headers().contains_key("authorization"));
        let own = MetricsUrl::parse("http://u:p@h:1").unwrap();
        assert_eq!(own.request("GET").headers()["authorization"], "Basic dTpw");
        assert!(!format!("{own} {own:?}").contains("u:p"));
    }

    #[test]
    fn the_fallback_is_tried_where_it_is_another_place() {
        let url = MetricsUrl::parse("h:1").unwrap();
        let fallback = url.fallback().unwrap();
        assert_eq!(fallback.to_string(), "http://h:1/prometheus/metrics");
        assert_eq!(fallback.fallback(), None);
    }
}
