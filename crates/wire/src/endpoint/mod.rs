//! Endpoints: how a turn becomes a request.
//!
//! What is the same for every request (paths, header names, the fields after the prompt) is made
//! once; a request costs its variable bytes. What this does not know: how responses are read.

mod body;
mod headers;

use http::Method;
use loadgen_core::{Identity, Turn};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use thiserror::Error;

use crate::api_key::ApiKey;
use crate::decode::ResponseDecoder;
use crate::redact::{REDACTED, is_secret_name, redact};
use crate::request::{Body, Request};
use crate::target::Target;
use body::BodyPlan;
use headers::HeaderPlan;

/// The family of endpoints that is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndpointKind {
    /// `/v1/chat/completions`.
    Chat,
    /// `/v1/completions`.
    Completions,
}

impl EndpointKind {
    /// Where it is served by default.
    pub fn default_path(self) -> &'static str {
        match self {
            Self::Chat => "/v1/chat/completions",
            Self::Completions => "/v1/completions",
        }
    }
}

/// Headers that carry the correlation id for routers that keep a session on one server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct AffinityHeaders {
    /// `X-Session-Affinity`.
    pub session_affinity: bool,
    /// `X-Session-ID`.
    pub session_id: bool,
    /// `X-SMG-Routing-Key`.
    pub smg_routing_key: bool,
    /// `X-Dynamo-Session-ID`.
    pub dynamo_session_id: bool,
}

impl Default for AffinityHeaders {
    /// As AIPerf: `X-Session-Affinity` alone.
    fn default() -> Self {
        Self { session_affinity: true, session_id: false, smg_routing_key: false, dynamo_session_id: false }
    }
}

/// How requests are made. Serialised, it holds no secret.
#[derive(Debug, Clone, Serialize)]
pub struct EndpointConfig {
    /// Which endpoint.
    pub kind: EndpointKind,
    /// Whether responses are asked for as streams.
    pub streaming: bool,
    /// Where it is served, if not at its default path; empty: at the target's own path.
    pub path: Option<String>,
    /// Whether chat asks with `max_tokens` instead of `max_completion_tokens`.
    pub use_legacy_max_tokens: bool,
    /// Whether chat asks for the usage so far with every chunk.
    pub per_chunk_usage: bool,
    /// Fields added to every body; they replace fields of the same name.
    #[serde(serialize_with = "fields_without_secrets")]
    pub extra_inputs: Map<String, Value>,
    /// Headers added to every request, in order.
    #[serde(serialize_with = "headers_without_secrets")]
    pub headers: Vec<(String, String)>,
    /// The key for `Authorization: Bearer …`.
    pub api_key: Option<ApiKey>,
    /// The header that carries the correlation id, if not `X-Correlation-ID`.
    pub session_header: Option<String>,
    /// Which routing headers are sent.
    pub affinity: AffinityHeaders,
}

impl EndpointConfig {
    /// The given endpoint, with everything else at its default.
    pub fn new(kind: EndpointKind, streaming: bool) -> Self {
        Self {
            kind,
            streaming,
            path: None,
            use_legacy_max_tokens: false,
            per_chunk_usage: false,
            extra_inputs: Map::new(),
            headers: Vec::new(),
            api_key: None,
            session_header: None,
            affinity: AffinityHeaders::default(),
        }
    }
}

fn headers_without_secrets<S: Serializer>(
    headers: &[(String, String)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(headers.iter().map(|(name, value)| {
        let shown = if is_secret_name(name) { REDACTED.into() } else { redact(value) };
        (name, shown)
    }))
}

fn fields_without_secrets<S: Serializer>(
    fields: &Map<String, Value>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(fields.iter().map(|(name, value)| {
        // A count of tokens is no secret: only text can be one.
        let is_secret = value.is_string() && is_secret_name(name);
        (name, if is_secret { Value::from(REDACTED) } else { value.clone() })
    }))
}

/// A request that cannot be made.
#[derive(Debug, Error)]
pub enum EndpointError {
    /// A header that cannot be sent.
    #[error("--header {name}: not a valid HTTP header ({reason})")]
    Header {
        /// Its name; the value may be a secret.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A turn that the completions endpoint cannot express.
    #[error(
        "--endpoint-type completions sends one prompt a request, and this turn has {found}; use --endpoint-type chat"
    )]
    NotOnePrompt {
        /// What the turn has.
        found: String,
    },
    /// Extra fields of a dataset row that are no JSON.
    #[error("the extra fields of session {session_id} are not the inside of a JSON object: {reason}")]
    Extra {
        /// The session whose turn has them.
        session_id: String,
        /// Why they do not parse.
        reason: String,
    },
    /// A path that cannot be requested.
    #[error("--endpoint {path}: not a valid request path")]
    Path {
        /// What was given.
        path: String,
    },
}

/// An endpoint, ready to make requests. Immutable, shared by all workers.
#[derive(Debug)]
pub struct Endpoint {
    kind: EndpointKind,
    streaming: bool,
    path: String,
    body: BodyPlan,
    headers: HeaderPlan,
}

impl Endpoint {
    /// Checks the configuration and prepares what all requests share.
    pub fn new(config: EndpointConfig) -> Result<Self, EndpointError> {
        let (kind, streaming) = (config.kind, config.streaming);
        let (body, headers) = (BodyPlan::new(&config), HeaderPlan::new(&config)?);
        let path = config.path.unwrap_or_else(|| kind.default_path().to_owned());
        if path.parse::<http::uri::PathAndQuery>().is_err() && !path.is_empty() {
            return Err(EndpointError::Path { path });
        }
        Ok(Self { kind, streaming, path, body, headers })
    }

    /// Which endpoint it is.
    pub fn kind(&self) -> EndpointKind {
        self.kind
    }

    /// Whether responses are asked for as streams.
    pub fn is_streaming(&self) -> bool {
        self.streaming
    }

    /// The body that asks for `turn`: compact JSON around the prompt's own pieces, which are shared
    /// and not copied.
    pub fn body(&self, turn: &Turn) -> Result<Body, EndpointError> {
        self.body.render(turn)
    }

    /// The request that carries `body` to `target` on behalf of `identity`.
    pub fn request(&self, target: &Target, turn: &Turn, identity: &Identity, body: Body) -> Request {
        debug_assert_eq!(turn.session_id, identity.session_id, "a turn goes out under its own identity");
        Request {
            method: Method::POST,
            target: target.clone(),
            path: target.path_to(&self.path),
            headers: self.headers.render(target, identity),
            body,
            kind: Some(self.kind),
        }
    }

    /// A decoder for one response.
    pub fn decoder(&self) -> ResponseDecoder {
        ResponseDecoder::new(self.kind)
    }
}
