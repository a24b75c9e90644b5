//! The headers of a request, in AIPerf's order and with its layers: a later layer replaces a value
//! where it stands.
//!
//! Order: Host, User-Agent, X-Request-ID, X-Correlation-ID, the user's, Authorization, Accept,
//! Content-Type, routing headers; Content-Length is added on writing. The user's names go out as they were
//! written, the others with capital initials and abbreviations (`X-Request-ID`). No Accept-Encoding is sent.
//!
//! Anthropic's messages take the key as `x-api-key`, and want an `anthropic-version`, both written so.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use loadgen_core::Identity;

use super::{EndpointConfig, EndpointError, EndpointKind};
use crate::secret_name::is_secret_name;
use crate::spelling::Spellings;
use crate::target::Target;

/// What AIPerf 0.13 calls itself: some gateways route by it.
const USER_AGENT: HeaderValue = HeaderValue::from_static("aiperf/0.13.0");
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const X_CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");
const X_SESSION_AFFINITY: HeaderName = HeaderName::from_static("x-session-affinity");
const X_SESSION_ID: HeaderName = HeaderName::from_static("x-session-id");
const X_SMG_ROUTING_KEY: HeaderName = HeaderName::from_static("x-smg-routing-key");
const X_DYNAMO_SESSION_ID: HeaderName = HeaderName::from_static("x-dynamo-session-id");

const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const ANTHROPIC_VERSION: HeaderName = HeaderName::from_static("anthropic-version");
/// The version of Anthropic's API that is spoken, unless the user names another.
pub const SPOKEN_ANTHROPIC_VERSION: &str = "2023-06-01";

/// What the headers of all requests share.
#[derive(Debug)]
pub(super) struct HeaderPlan {
    correlation: HeaderName,
    /// The user's headers and the key, in the order they are laid on.
    user: Vec<(HeaderName, HeaderValue)>,
    accept: HeaderValue,
    affinity: Vec<HeaderName>,
    spellings: Spellings,
}

impl HeaderPlan {
    pub(super) fn new(config: &EndpointConfig) -> Result<Self, EndpointError> {
        let correlation = match &config.session_header {
            Some(name) => parse_name(name)
                .map_err(|reason| EndpointError::SessionHeader { name: name.clone(), reason })?,
            None => X_CORRELATION_ID,
        };
        let is_anthropic = config.kind == EndpointKind::Messages;
        let mut user = Vec::with_capacity(config.headers.len() + 3);
        if is_anthropic {
            user.push((header::CONTENT_TYPE, HeaderValue::from_static("application/json")));
        }
        for (name, value) in &config.headers {
            let mut value = HeaderValue::from_str(value.trim()).map_err(|_| EndpointError::Header {
                name: name.clone(),
                reason: "its value has characters that no header may carry",
            })?;
            value.set_sensitive(is_secret_name(name));
            user.push((header_name(name)?, value));
        }
        if let Some(key) = &config.api_key {
            let (name, value) = if is_anthropic {
                (X_API_KEY, key.expose().to_owned())
            } else {
                (header::AUTHORIZATION, format!("Bearer {}", key.expose()))
            };
            let mut value = HeaderValue::from_str(&value)
                .expect("an API key is checked to fit a header when it is found");
            value.set_sensitive(true);
            user.push((name, value));
        }
        if is_anthropic && !user.iter().any(|(name, _)| *name == ANTHROPIC_VERSION) {
            user.push((ANTHROPIC_VERSION, HeaderValue::from_static(SPOKEN_ANTHROPIC_VERSION)));
        }
        let routes = config.affinity;
        let affinity = [
            (routes.session_affinity, X_SESSION_AFFINITY),
            (routes.session_id, X_SESSION_ID),
            (routes.smg_routing_key, X_SMG_ROUTING_KEY),
            (routes.dynamo_session_id, X_DYNAMO_SESSION_ID),
        ];
        let own = if is_anthropic { &[X_API_KEY, ANTHROPIC_VERSION][..] } else { &[] };
        let own = own.iter().map(HeaderName::as_str);
        let users = config.session_header.iter().chain(config.headers.iter().map(|(name, _)| name));
        Ok(Self {
            spellings: Spellings::of(own.chain(users.map(|name| name.trim()))),
            correlation,
            user,
            accept: HeaderValue::from_static(if config.streaming {
                "text/event-stream"
            } else {
                "application/json"
            }),
            affinity: affinity.into_iter().filter_map(|(is_sent, name)| is_sent.then_some(name)).collect(),
        })
    }

    /// How the names are written.
    pub(super) fn spellings(&self) -> Spellings {
        self.spellings.clone()
    }

    pub(super) fn render(&self, target: &Target, identity: &Identity) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(12 + self.user.len());
        let text = |text: &str| HeaderValue::from_str(text).ok();
        if let Some(host) = text(target.authority()) {
            headers.insert(header::HOST, host);
        }
        headers.insert(header::USER_AGENT, USER_AGENT);
        let mut id = uuid::Uuid::encode_buffer();
        if let Some(id) = text(identity.request_id.hyphenated().encode_lower(&mut id)) {
            headers.insert(X_REQUEST_ID, id);
        }
        // A correlation id may come from a trace and hold anything: what no header carries stays out.
        let correlation_id = text(&identity.correlation_id);
        if let Some(id) = &correlation_id {
            headers.insert(self.correlation.clone(), id.clone());
        }
        if let Some(mut basic) = target.basic_auth().and_then(text) {
            basic.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, basic);
        }
        for (name, value) in &self.user {
            headers.insert(name.clone(), value.clone());
        }
        headers.insert(header::ACCEPT, self.accept.clone());
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(id) = &correlation_id {
            for name in &self.affinity {
                headers.insert(name.clone(), id.clone());
            }
        }
        headers
    }
}

fn header_name(name: &str) -> Result<HeaderName, EndpointError> {
    parse_name(name).map_err(|reason| EndpointError::Header { name: name.to_owned(), reason })
}

fn parse_name(name: &str) -> Result<HeaderName, &'static str> {
    HeaderName::from_bytes(name.trim().as_bytes())
        .map_err(|_| "its name has characters that no header may carry")
}
