//! The client's side of the tests.

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use loadgen_core::{
    Clock, Identity, InputTokens, Message, Phase, Prompt, Role, SystemClock, Turn, TurnTiming,
};
use loadgen_wire::{
    Connection, Connector, ConnectorConfig, Endpoint, EndpointConfig, EndpointKind, Observation, Request,
    Target,
};

/// Runs `work` as a worker does, and fails the test rather than hang.
pub(crate) fn run<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        tokio::time::timeout(Duration::from_mins(1), work).await.expect("no test takes a minute")
    })
}

pub(crate) struct Client {
    pub(crate) clock: SystemClock,
    pub(crate) connector: Connector,
    pub(crate) endpoint: Endpoint,
    pub(crate) target: Target,
}

impl Client {
    pub(crate) fn new(url: &str) -> Self {
        Self::with(url, EndpointConfig::new(EndpointKind::Chat, true), ConnectorConfig::default())
    }

    pub(crate) fn with(url: &str, endpoint: EndpointConfig, connector: ConnectorConfig) -> Self {
        let clock = SystemClock::start();
        Self {
            clock,
            connector: Connector::new(connector, clock).unwrap(),
            endpoint: Endpoint::new(endpoint).unwrap(),
            target: Target::parse(url).unwrap(),
        }
    }

    pub(crate) fn request(&self) -> Request {
        self.request_of(&turn("hello"))
    }

    pub(crate) fn request_of(&self, turn: &Turn) -> Request {
        let body = self.endpoint.body(turn).unwrap();
        self.endpoint.request(&self.target, turn, &identity(), body)
    }

    pub(crate) fn observation(&self) -> Observation {
        Observation::starting_at(self.clock.now())
    }

    pub(crate) async fn connect(&self) -> Connection {
        self.connector.connect(&self.target, &mut self.observation()).await.unwrap()
    }

    /// One request over a fresh connection.
    pub(crate) async fn send(&self) -> Observation {
        let mut observation = self.observation();
        if let Ok(mut connection) = self.connector.connect(&self.target, &mut observation).await {
            connection.exchange(self.request(), &mut observation).await;
        }
        observation
    }
}

/// One request to a server, from connecting to its end.
pub(crate) fn send_to(url: &str) -> Observation {
    run(async { Client::new(url).send().await })
}

pub(crate) fn turn(text: &'static str) -> Turn {
    turn_of(Prompt::Messages(vec![Message::new(Role::User, Bytes::from_static(text.as_bytes()).into())]))
}

pub(crate) fn turn_of(prompt: Prompt) -> Turn {
    Turn {
        prompt,
        input_tokens: InputTokens::Unknown,
        max_output_tokens: Some(8),
        model: "m".into(),
        session_id: "s".into(),
        turn_index: 0,
        is_last: true,
        timing: TurnTiming::Immediately,
        extra: None,
        holds_secrets: false,
        source_row: None,
        hash_ids: None,
        labels: Vec::new(),
    }
}

pub(crate) fn identity() -> Identity {
    Identity {
        request_id: uuid::Uuid::from_u128(1),
        correlation_id: "corr".into(),
        session_id: "s".into(),
        model: "m".into(),
        url_index: 0,
        worker_id: 0,
        source_row: None,
        session_num: 0,
        turn_index: 0,
        phase: Phase::Profiling,
        phase_index: 0,
        hash_ids: None,
        labels: Vec::new(),
    }
}

pub(crate) fn output_of(observation: &Observation) -> String {
    String::from_utf8(observation.chunks.output.clone()).unwrap()
}
