//! Who a server says it is.

use std::time::Duration;

use loadgen_core::{Clock, SystemClock};
use loadgen_wire::{Connector, EndpointConfig, Observation, Request, Target};
use serde_json::Value;

use crate::caller::{Caller, headers_for};
use crate::readiness::model_ids;

/// How long a server may take to answer all questions.
const DEADLINE: Duration = Duration::from_secs(2);
/// How long a server may take to list its models.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longest answer read, in bytes.
const ANSWER_BYTES: usize = 1 << 20;

/// What a server told; `None` where it did not.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ServerFacts {
    /// Time for a TCP connection to be opened, which is one round trip, ns.
    pub round_trip_ns: Option<i64>,
    /// The HTTP version it answered with.
    pub http_version: Option<String>,
    /// The TLS version.
    pub tls_version: Option<String>,
    /// Its `Server` header.
    pub server_header: Option<String>,
    /// The answer of `/version`.
    pub version: Option<Value>,
    /// The ids in the answer of `/v1/models`.
    pub models: Option<Value>,
}

/// Asks all servers, at once, and waits at most some seconds for the slowest.
///
/// The API key and headers of `endpoint` go with the questions: they go to the same servers that the
/// load goes to.
pub fn observe_servers(
    targets: &[Target],
    connector: &Connector,
    endpoint: &EndpointConfig,
    clock: SystemClock,
) -> Vec<ServerFacts> {
    let nothing = || vec![ServerFacts::default(); targets.len()];
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return nothing();
    };
    runtime.block_on(tokio::task::LocalSet::new().run_until(async {
        let asked: Vec<_> = targets
            .iter()
            .map(|target| {
                let (connector, target, endpoint) = (connector.clone(), target.clone(), endpoint.clone());
                tokio::task::spawn_local(async move { ask(&connector, &target, &endpoint, clock).await })
            })
            .collect();
        let mut facts = Vec::with_capacity(asked.len());
        for answer in asked {
            facts.push(answer.await.unwrap_or_default());
        }
        facts
    }))
}

/// Asks one server. What it told before the deadline is kept.
async fn ask(
    connector: &Connector,
    target: &Target,
    endpoint: &EndpointConfig,
    clock: SystemClock,
) -> ServerFacts {
    let mut facts = ServerFacts::default();
    // Running out of time is one way of not being told.
    let _ = tokio::time::timeout(DEADLINE, questions(connector, target, endpoint, clock, &mut facts)).await;
    facts
}

async fn questions(
    connector: &Connector,
    target: &Target,
    endpoint: &EndpointConfig,
    clock: SystemClock,
    facts: &mut ServerFacts,
) -> Option<()> {
    let mut observation = Observation::starting_at(clock.now());
    let mut connection = connector.connect(target, &mut observation).await.ok()?;
    facts.round_trip_ns = observation.connection.connect_ns;
    facts.tls_version = connection.tls_version().map(str::to_owned);
    for path in ["/v1/models", "/version"] {
        if !connection.is_reusable() {
            connection = connector.connect(target, &mut observation).await.ok()?;
        }
        let answer = connection.fetch(question(target, path, endpoint)?, ANSWER_BYTES).await.ok()?;
        facts.http_version.get_or_insert_with(|| answer.http_version.clone());
        if facts.server_header.is_none() {
            facts.server_header = answer.header("server").map(str::to_owned);
        }
        if answer.status != 200 {
            continue;
        }
        match path {
            "/v1/models" => facts.models = model_ids(&answer.body).map(Value::from),
            _ => facts.version = serde_json::from_slice(&answer.body).ok(),
        }
    }
    Some(())
}

fn question(target: &Target, path: &str, endpoint: &EndpointConfig) -> Option<Request> {
    let headers = headers_for(endpoint);
    let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    Request::get(target, &target.path_beside_api(path), headers.chain([("accept", "application/json")]))
}

/// The models that the first server lists, for a user who names none; an error says in a few words why it
/// cannot be told.
pub fn served_models(target: &Target, caller: &Caller) -> Result<Vec<String>, String> {
    let path = target.path_beside_api("/v1/models");
    let place = format!("{}{}", target.origin(), path.split('?').next().unwrap_or_default());
    let answer = Caller::block_on(caller.call("GET", target, &path, None, PATIENCE), &|| false);
    let answer =
        answer.map_err(|error| error.to_string())?.unwrap_or_else(|| unreachable!("nobody gives up"));
    let answer = answer.map_err(|silence| format!("{place}: {silence}"))?;
    if answer.status != 200 {
        return Err(format!("{place} answers with status {}", answer.status));
    }
    let models = model_ids(&answer.body).ok_or_else(|| format!("{place} is no list of models"))?;
    if models.is_empty() { Err(format!("{place} lists no model")) } else { Ok(models) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use loadgen_wire::{ApiKey, EndpointKind};

    use super::*;
    use crate::testing::{Fake, connector};

    #[test]
    fn a_server_is_asked_with_its_own_kind_of_key_and_beside_its_api() {
        let fake = Fake::start(|line, _| match line {
            "GET /v1/models" => (200, "application/json", "{\"data\": [{\"id\": \"m\"}]}".to_owned()),
            _ => (404, "text/plain", String::new()),
        });
        let clock = SystemClock::start();
        for (kind, key) in
            [(EndpointKind::Messages, "x-api-key: sk-1"), (EndpointKind::Chat, "authorization: bearer sk-1")]
        {
            let mut endpoint = EndpointConfig::new(kind, true);
            endpoint.api_key = ApiKey::find(Some("sk-1")).unwrap();
            let target = Target::parse(&format!("{}/v1/a", fake.url)).unwrap();
            let facts = observe_servers(&[target], &connector(clock), &endpoint, clock);
            assert_eq!(facts[0].models, Some(Value::from(vec!["m"])));
            for asked in fake.asked().iter().rev().take(2) {
                assert!(asked.headers.contains(key), "{}", asked.headers);
                assert_eq!(asked.headers.matches("sk-1").count(), 1, "{}", asked.headers);
            }
        }
        assert_eq!(fake.lines(), ["GET /v1/models", "GET /version"].repeat(2));
    }

    #[test]
    fn ids_are_taken_from_a_list_of_models() {
        let list = br#"{ "object": "list", "data": [{ "id": "a" }, { "object": "model" }, { "id": "b" }] }"#;
        assert_eq!(model_ids(list), Some(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(model_ids(br#"{ "models": [] }"#), None);
    }
}
