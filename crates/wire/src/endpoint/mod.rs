//! Endpoints: how a turn becomes a request.
//!
//! What is the same for every request (paths, header names, the fields after the prompt) is made
//! once; a request costs its variable bytes. What this does not know: how responses are read.

mod body;
mod counted;
mod headers;
mod kind;
mod secrets;

use std::sync::Arc;

use bytes::Bytes;
use http::Method;
use loadgen_core::{Identity, Turn};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use thiserror::Error;

use crate::api_key::ApiKey;
use crate::decode::{ResponseDecoder, ResponseField, ResponseFormat};
use crate::redact::{REDACTED, redact, redact_field, redact_url};
use crate::redact_body::BodySecrets;
use crate::request::{Body, Request};
use crate::secret_name::is_secret_name;
use crate::target::Target;
use body::BodyPlan;
pub(crate) use body::RESPONSE_FIELD;
use headers::HeaderPlan;
pub use headers::SPOKEN_ANTHROPIC_VERSION;
pub use kind::{EndpointFacts, EndpointKind, EndpointKindError};
pub use secrets::secrets_of_place;

/// How the bodies of the template endpoint are made, and its responses read.
#[derive(Debug, Clone, Serialize)]
pub struct TemplateConfig {
    /// The template: Jinja that renders a JSON object, or the name of one that is built in.
    #[serde(serialize_with = "text_without_secrets")]
    pub body: String,
    /// Where the answer stands in a response, as a JMESPath expression; found out where it is not given.
    pub response_field: Option<String>,
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
    /// Whether responses are asked for as streams; of no effect where the endpoint has none.
    pub streaming: bool,
    /// Where it is served, if not at its default path; empty: at the target's own path.
    #[serde(serialize_with = "path_without_secrets")]
    pub path: Option<String>,
    /// Whether chat asks with `max_tokens` instead of `max_completion_tokens`.
    pub use_legacy_max_tokens: bool,
    /// Whether chat asks for the usage so far with every chunk, and the first content chunk's is kept.
    pub per_chunk_usage: bool,
    /// Whether the server's token counts are needed: the responses endpoint asks for them only then.
    pub use_server_token_count: bool,
    /// Whether a message of one text is a list of parts all the same.
    pub force_content_parts: bool,
    /// The template of the template endpoint; without it, the extra inputs `payload_template` and
    /// `response_field` are.
    pub template: Option<TemplateConfig>,
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
    /// What else is secret, and may come back in an answer: of the servers' URLs, and of calls beside the load.
    #[serde(skip)]
    pub other_secrets: Vec<String>,
}

impl EndpointConfig {
    /// The given endpoint, with everything else at its default. Streams are not asked for where there are none.
    pub fn new(kind: EndpointKind, streaming: bool) -> Self {
        Self {
            kind,
            streaming: streaming && kind.facts().streams,
            path: None,
            use_legacy_max_tokens: false,
            per_chunk_usage: false,
            use_server_token_count: false,
            force_content_parts: false,
            template: None,
            extra_inputs: Map::new(),
            headers: Vec::new(),
            api_key: None,
            session_header: None,
            affinity: AffinityHeaders::default(),
            other_secrets: Vec::new(),
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
    serializer.collect_map(fields.iter().map(|(name, value)| (name, redact_field(name, value))))
}

fn text_without_secrets<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&redact(text))
}

#[allow(clippy::ref_option)] // serde hands a field over as it stands
fn path_without_secrets<S: Serializer>(path: &Option<String>, serializer: S) -> Result<S::Ok, S::Error> {
    path.as_deref().map(redact_url).serialize(serializer)
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
    /// A header for sessions that cannot be sent.
    #[error("--session-header {name}: not the name of an HTTP header ({reason})")]
    SessionHeader {
        /// Its name.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A turn that an endpoint without conversations cannot express.
    #[error(
        "--endpoint-type {kind} sends one prompt a request, and this turn has {found}; use --endpoint-type chat"
    )]
    NotOnePrompt {
        /// The endpoint.
        kind: &'static str,
        /// What the turn has.
        found: String,
    },
    /// A turn without messages, where there must be some.
    #[error(
        "--endpoint-type {kind} sends messages, and this turn has {found}; use the endpoint type it is made for"
    )]
    NoMessages {
        /// The endpoint.
        kind: &'static str,
        /// What the turn has.
        found: &'static str,
    },
    /// A turn that has nothing to rank.
    #[error(
        "--endpoint-type {kind} sends a query and passages to rank for it, and this turn has {found}; \
         give the rows of the input file the texts named query and passages, or leave --input-file out"
    )]
    NotRanking {
        /// The endpoint.
        kind: &'static str,
        /// What the turn has.
        found: &'static str,
    },
    /// A turn that is no ready body, where nothing is made.
    #[error(
        "--endpoint-type raw sends ready bodies, and this turn has {found}; \
         use --custom-dataset-type raw_payload or inputs_json, or another endpoint type"
    )]
    NotReady {
        /// What the turn has.
        found: &'static str,
    },
    /// Media that an endpoint does not take.
    #[error("--endpoint-type {kind} takes no {what}; leave it out, or use --endpoint-type chat")]
    Media {
        /// The endpoint.
        kind: &'static str,
        /// What it does not take.
        what: &'static str,
    },
    /// A sound whose data is not at hand.
    #[error("audio is sent as its data: give a file or a data:audio/… URL, not an http URL")]
    AudioUrl,
    /// Texts and images that do not go together.
    #[error(
        "--endpoint-type nim_embeddings sends pairs of a text and an image, and this turn has {texts} texts \
         and {images} images; give as many of one as of the other"
    )]
    Pairs {
        /// Texts of the turn.
        texts: usize,
        /// Images of the turn.
        images: usize,
    },
    /// No template.
    #[error(
        "--endpoint-type template needs its template: --extra-inputs payload_template:FILE, or the template \
         itself in a JSON object of extra inputs"
    )]
    NoTemplate,
    /// A template that is none, or gives no body.
    #[error("payload_template: {reason}")]
    Template {
        /// What is wrong.
        reason: String,
    },
    /// A template that does not come to its end.
    #[error(
        "--extra-inputs payload_template: a body was not rendered after {most} steps of the template, the most \
         that one may take: shorten its loops"
    )]
    TemplateSteps {
        /// Steps that a body may take.
        most: u64,
    },
    /// A JMESPath expression that is none.
    #[error("response_field: {reason}")]
    ResponseField {
        /// What is wrong.
        reason: String,
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
    streaming: bool,
    path: String,
    body: BodyPlan,
    /// Whether bodies have text that no turn knows of: a template's own, or that of extra inputs.
    brings_text: bool,
    headers: HeaderPlan,
    /// What answers must not show, beside the credentials in headers.
    secrets: Option<Arc<[Box<str>]>>,
    body_secrets: BodySecrets,
    /// Whether bodies may hold secrets that no turn knows of.
    brings_secrets: bool,
    format: ResponseFormat,
}

impl Endpoint {
    /// Checks the configuration and prepares what all requests share.
    pub fn new(mut config: EndpointConfig) -> Result<Self, EndpointError> {
        let kind = config.kind;
        config.streaming &= kind.facts().streams;
        let streaming = config.streaming;
        let format = ResponseFormat {
            kind,
            field: response_field(&config)?,
            keeps_first_usage: config.per_chunk_usage,
            keeps_response_id: kind == EndpointKind::Responses && stores(&config),
        };
        let secrets: Vec<Box<str>> =
            config.secrets_that_no_header_carries().into_iter().map(String::into_boxed_str).collect();
        let secrets = (!secrets.is_empty()).then(|| secrets.into());
        let is_template = kind == EndpointKind::Template;
        let body_secrets = BodySecrets::of(&config.extra_inputs, is_template);
        let brings_secrets = is_template || secrets::hold_secrets(&config.extra_inputs);
        let brings_text = match kind {
            EndpointKind::Template => true,
            // There they are parameters of the generation.
            EndpointKind::HuggingfaceGenerate => false,
            _ => counted::bring_text(config.extra_inputs.keys()),
        };
        let (body, headers) = (BodyPlan::new(&config)?, HeaderPlan::new(&config)?);
        let path = config.path.unwrap_or_else(|| kind.default_path(streaming).to_owned());
        if path.parse::<http::uri::PathAndQuery>().is_err() && !path.is_empty() {
            return Err(EndpointError::Path { path: redact_url(&path).into_owned() });
        }
        Ok(Self {
            streaming,
            path,
            body,
            brings_text,
            headers,
            secrets,
            body_secrets,
            brings_secrets,
            format,
        })
    }

    /// Which endpoint it is.
    pub fn kind(&self) -> EndpointKind {
        self.format.kind
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

    /// What of `body` is to be counted as input, where `turn` cannot know: fields from elsewhere bring text.
    pub fn counted(&self, turn: &Turn, body: &Body) -> Option<Bytes> {
        let has_more = self.brings_text || turn.extra.as_deref().is_some_and(counted::may_bring_text);
        let texts = has_more.then(|| counted::texts_of(&body.to_bytes())).flatten()?;
        Some(self.without_secrets(turn, &texts).map_or(texts, Bytes::from))
    }

    /// A body that was made for `turn`, or a part of one, as it may be kept; `None` as it is. Costs nothing where
    /// neither the configuration nor the dataset brings a secret.
    pub fn without_secrets(&self, turn: &Turn, body: &[u8]) -> Option<Vec<u8>> {
        self.may_show_secrets(turn).then(|| self.body_secrets.redact(body)).flatten()
    }

    /// Whether the body of `turn` may hold a secret.
    pub fn may_show_secrets(&self, turn: &Turn) -> bool {
        self.brings_secrets || turn.holds_secrets
    }

    /// The request that carries `body` to `target` on behalf of `identity`.
    pub fn request(&self, target: &Target, turn: &Turn, identity: &Identity, body: Body) -> Request {
        debug_assert_eq!(turn.session_id, identity.session_id, "a turn goes out under its own identity");
        Request {
            method: Method::POST,
            target: target.clone(),
            path: target.path_to(&self.path),
            headers: self.headers.render(target, identity),
            spellings: self.headers.spellings(),
            body,
            secrets: self.secrets.clone(),
            format: Some(self.format.clone()),
        }
    }

    /// A decoder for one response.
    pub fn decoder(&self) -> ResponseDecoder {
        ResponseDecoder::new(self.format.clone())
    }
}

/// Whether the server is asked to keep its answers.
fn stores(config: &EndpointConfig) -> bool {
    match config.extra_inputs.get("store") {
        Some(Value::Bool(stores)) => *stores,
        Some(Value::String(word)) => {
            matches!(word.to_ascii_lowercase().as_str(), "true" | "1" | "yes" | "on")
        }
        _ => false,
    }
}

/// Where the answer stands in a response, for the endpoints that are told.
fn response_field(config: &EndpointConfig) -> Result<Option<ResponseField>, EndpointError> {
    let given = match (config.kind, &config.template) {
        (EndpointKind::Template, Some(template)) => template.response_field.as_deref(),
        (EndpointKind::Template | EndpointKind::Raw, _) => {
            config.extra_inputs.get(RESPONSE_FIELD).and_then(Value::as_str)
        }
        _ => None,
    };
    // AIPerf takes this name for "find it out".
    let is_named =
        |field: &&str| !field.is_empty() && (config.kind != EndpointKind::Template || *field != "text");
    given
        .filter(is_named)
        .map(|field| ResponseField::new(field, config.kind == EndpointKind::Template))
        .transpose()
        .map_err(|reason| EndpointError::ResponseField { reason })
}
