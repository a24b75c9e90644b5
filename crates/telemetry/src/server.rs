//! Who a server says it is.

use std::time::Duration;

use loadgen_core::{Clock, SystemClock};
use loadgen_wire::{Body, Connector, ConnectorConfig, EndpointConfig, Fetched, Observation, Request, Target};
use serde_json::Value;

/// How long a server may take to answer all questions.
const DEADLINE: Duration = Duration::from_secs(2);
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
    connector: &ConnectorConfig,
    endpoint: &EndpointConfig,
    clock: SystemClock,
) -> Vec<ServerFacts> {
    let nothing = || vec![ServerFacts::default(); targets.len()];
    let Ok(connector) = Connector::new(connector.clone(), clock) else { return nothing() };
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
            facts.server_header = header(&answer, "server");
        }
        let told =
            (answer.status == 200).then(|| serde_json::from_slice::<Value>(&answer.body).ok()).flatten();
        match path {
            "/v1/models" => facts.models = told.as_ref().and_then(model_ids),
            _ => facts.version = told,
        }
    }
    Some(())
}

fn question(target: &Target, path: &str, endpoint: &EndpointConfig) -> Option<Request> {
    let authorization =
        endpoint.api_key.as_ref().map(|key| ("authorization".to_owned(), format!("Bearer {}", key.expose())));
    let accept = ("accept".to_owned(), "application/json".to_owned());
    let headers = endpoint.headers.iter().cloned().chain(authorization).chain([accept]);
    // The types of a method and of headers are wire's business: they are made from text.
    let headers = headers.map(|(name, value)| Some((name.parse().ok()?, value.parse().ok()?)));
    let headers = headers.collect::<Option<_>>()?;
    Some(Request::plain("GET".parse().ok()?, target, &target.path_to(path), headers, Body::default()))
}

fn header(answer: &Fetched, name: &str) -> Option<String> {
    Some(answer.headers.get(name)?.to_str().ok()?.to_owned())
}

/// The ids of an OpenAI list of models.
fn model_ids(list: &Value) -> Option<Value> {
    let ids: Vec<Value> =
        list.get("data")?.as_array()?.iter().filter_map(|model| model.get("id").cloned()).collect();
    Some(Value::Array(ids))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ids_are_taken_from_a_list_of_models() {
        let list = json!({ "object": "list", "data": [{ "id": "a" }, { "object": "model" }, { "id": "b" }] });
        assert_eq!(model_ids(&list), Some(json!(["a", "b"])));
        assert_eq!(model_ids(&json!({ "models": [] })), None);
    }
}
