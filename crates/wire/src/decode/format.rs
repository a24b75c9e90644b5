//! How the responses of an endpoint are read.

use std::fmt;
use std::sync::Arc;

use jmespath::Expression;

use crate::endpoint::EndpointKind;

/// What a decoder must know before the first byte. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ResponseFormat {
    /// Whose responses they are.
    pub kind: EndpointKind,
    /// Where the answer stands, for the endpoints that are told.
    pub field: Option<ResponseField>,
    /// Whether the usage that comes with the first content is kept as well as the last one.
    pub keeps_first_usage: bool,
    /// Whether the server was asked to keep the answer, so that its id stands for it.
    pub keeps_response_id: bool,
}

impl From<EndpointKind> for ResponseFormat {
    fn from(kind: EndpointKind) -> Self {
        Self { kind, field: None, keeps_first_usage: false, keeps_response_id: false }
    }
}

/// Where the answer stands in a response: a JMESPath expression.
#[derive(Clone)]
pub struct ResponseField {
    expression: Arc<Expression<'static>>,
    /// Whether a response without it has no answer; else the answer is looked for.
    pub(super) is_strict: bool,
}

impl ResponseField {
    /// Compiles an expression. The error says where it is wrong.
    pub fn new(expression: &str, is_strict: bool) -> Result<Self, String> {
        let expression = jmespath::compile(expression)
            .map_err(|error| format!("{expression:?} is no JMESPath expression: {error}"))?;
        Ok(Self { expression: Arc::new(expression), is_strict })
    }

    /// What stands there; `None` where nothing does.
    pub(super) fn find(&self, response: &serde_json::Value) -> Option<serde_json::Value> {
        let found = self.expression.search(response).ok()?;
        serde_json::to_value(&*found).ok()
    }
}

impl fmt::Debug for ResponseField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ResponseField").field(&self.expression.as_str()).finish()
    }
}
