//! The servers under test, as they are called before and after a load.

use std::time::Duration;

use loadgen_core::SystemClock;
use loadgen_wire::{
    Body, Connector, EndpointConfig, EndpointKind, Fetched, Request, SPOKEN_ANTHROPIC_VERSION, Target,
};

use crate::client::{Client, Unanswered};

/// Longest answer read, in bytes.
const LONGEST_ANSWER: usize = 4 << 20;
/// How often a wait looks whether it is still wanted.
const LOOK: Duration = Duration::from_millis(50);

/// Calls servers with the user's headers and key, outside the measured path.
#[derive(Debug)]
pub struct Caller {
    connector: Connector,
    clock: SystemClock,
    headers: Vec<(String, String)>,
}

impl Caller {
    /// Calls as `endpoint` is called: with its headers and its key, which is Anthropic's where the endpoint is.
    pub fn new(connector: Connector, endpoint: &EndpointConfig, clock: SystemClock) -> Self {
        Self { connector, clock, headers: headers_for(endpoint) }
    }

    /// Sends a request and gives the whole answer, if it comes in time. `content_type` goes with a body, also
    /// with an empty one.
    pub(crate) async fn call(
        &self,
        method: &str,
        target: &Target,
        path: &str,
        body: Option<(&str, Body)>,
        patience: Duration,
    ) -> Result<Fetched, Unanswered> {
        let (content_type, body) = body.unwrap_or_default();
        let own = [("accept", "*/*"), ("content-type", content_type)];
        let own = own.into_iter().filter(|(_, value)| !value.is_empty());
        let users = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let request = Request::of_text(method, target, path, own.chain(users), body);
        let request = request.expect("headers and paths were checked when the endpoint was made");
        let mut client = Client::new(self.connector.clone(), target.clone(), self.clock);
        client.ask(&request, LONGEST_ANSWER, patience).await
    }

    /// Does something that has to wait for answers, on this thread; `None` once `is_over` says that nobody
    /// waits for it any longer.
    pub(crate) fn block_on<T>(
        work: impl Future<Output = T>,
        is_over: &dyn Fn() -> bool,
    ) -> std::io::Result<Option<T>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let local = tokio::task::LocalSet::new();
        Ok(runtime.block_on(local.run_until(async {
            tokio::select! {
                done = work => Some(done),
                () = Self::over(is_over) => None,
            }
        })))
    }

    /// Returns once `is_over` says that nobody waits any longer.
    pub(crate) async fn over(is_over: &dyn Fn() -> bool) {
        while !is_over() {
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// The user's headers and key, as requests to `endpoint` carry them.
pub(crate) fn headers_for(endpoint: &EndpointConfig) -> Vec<(String, String)> {
    let mut headers = endpoint.headers.clone();
    let is_anthropic = endpoint.kind == EndpointKind::Messages;
    if let Some(key) = &endpoint.api_key {
        headers.push(if is_anthropic {
            ("x-api-key".to_owned(), key.expose().to_owned())
        } else {
            ("authorization".to_owned(), format!("Bearer {}", key.expose()))
        });
    }
    if is_anthropic && !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("anthropic-version")) {
        headers.push(("anthropic-version".to_owned(), SPOKEN_ANTHROPIC_VERSION.to_owned()));
    }
    headers
}

/// The distinct origins of servers, in order: scheme, host and port, without paths and queries.
pub(crate) fn origins(targets: &[Target]) -> Vec<Target> {
    let mut distinct: Vec<Target> = Vec::new();
    for target in targets {
        if !distinct.iter().any(|known| known.has_origin_of(target)) {
            distinct.push(Target::parse(&target.origin()).unwrap_or_else(|_| target.clone()));
        }
    }
    distinct
}
