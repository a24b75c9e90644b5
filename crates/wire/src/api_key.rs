//! The API key, from wherever it is kept.
//!
//! Invariant: the key itself is shown by nothing but [`ApiKey::expose`]; `Debug` and `Serialize`
//! give the redaction mark. It is not read back: a stored plan holds no secret.

use std::fmt;
use std::fs;
use std::sync::Arc;

use serde::{Serialize, Serializer};
use thiserror::Error;

use crate::endpoint::EndpointKind;
use crate::redact::REDACTED;

/// The variable that gives the key when nothing else does.
const FALLBACK_VARIABLE: &str = "OPENAI_API_KEY";
/// The same for Anthropic's API: one vendor's key is not sent to another.
const ANTHROPIC_VARIABLE: &str = "ANTHROPIC_API_KEY";

/// A secret that is sent as `Authorization: Bearer …`.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(Arc<str>);

/// A key that could not be read.
#[derive(Debug, Error)]
pub enum ApiKeyError {
    /// The named environment variable is not set.
    #[error("--api-key env:{name}: the environment variable {name} is not set")]
    NoVariable {
        /// Its name.
        name: String,
    },
    /// The named file cannot be read.
    #[error("--api-key @{path}: {source}")]
    NoFile {
        /// Its path.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// Nothing is left of the key.
    #[error("--api-key: the key from {origin} is empty")]
    Empty {
        /// Where it came from.
        origin: String,
    },
    /// A key that cannot stand in a header.
    #[error("--api-key: the key from {origin} has characters that no header may carry")]
    NotAHeader {
        /// Where it came from.
        origin: String,
    },
}

impl ApiKey {
    /// Finds the key: `env:NAME`, `@FILE` (its first line), or the key itself; without any, the
    /// variable `OPENAI_API_KEY`, if it is set and not empty.
    pub fn find(given: Option<&str>) -> Result<Option<Self>, ApiKeyError> {
        Self::find_for(EndpointKind::Chat, given)
    }

    /// The same for an endpoint: Anthropic's messages look into `ANTHROPIC_API_KEY`.
    pub fn find_for(kind: EndpointKind, given: Option<&str>) -> Result<Option<Self>, ApiKeyError> {
        Self::find_with(kind, given, |name| std::env::var(name).ok())
    }

    fn find_with(
        kind: EndpointKind,
        given: Option<&str>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, ApiKeyError> {
        let Some(given) = given else {
            let name = if kind == EndpointKind::Messages { ANTHROPIC_VARIABLE } else { FALLBACK_VARIABLE };
            let fallback = variable(name).filter(|key| !key.trim().is_empty());
            return fallback.map(|key| Self::checked(&key, name)).transpose();
        };
        if let Some(name) = given.strip_prefix("env:") {
            let key = variable(name).ok_or_else(|| ApiKeyError::NoVariable { name: name.to_owned() })?;
            return Self::checked(&key, given).map(Some);
        }
        if let Some(path) = given.strip_prefix('@') {
            let text = fs::read_to_string(path)
                .map_err(|source| ApiKeyError::NoFile { path: path.to_owned(), source })?;
            return Self::checked(text.lines().next().unwrap_or_default(), given).map(Some);
        }
        Self::checked(given, "the command line").map(Some)
    }

    fn checked(key: &str, origin: &str) -> Result<Self, ApiKeyError> {
        let key = key.trim();
        if key.is_empty() {
            return Err(ApiKeyError::Empty { origin: origin.to_owned() });
        }
        if http::HeaderValue::from_str(key).is_err() {
            return Err(ApiKeyError::NotAHeader { origin: origin.to_owned() });
        }
        Ok(Self(key.into()))
    }

    /// The key itself, for the one header that carries it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKey({REDACTED})")
    }
}

impl Serialize for ApiKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(REDACTED)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Write as _;

    use super::*;

    fn find(given: Option<&str>) -> Result<Option<ApiKey>, ApiKeyError> {
        ApiKey::find_with(EndpointKind::Chat, given, |name| (name == "MINE").then(|| "from-env".to_owned()))
    }

    #[test]
    fn a_key_is_found_where_it_is_said_to_be() {
        assert_eq!(find(Some("sk-1")).unwrap().unwrap().expose(), "sk-1");
        assert_eq!(find(Some("env:MINE")).unwrap().unwrap().expose(), "from-env");
        assert!(find(None).unwrap().is_none());
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "from-file\nnot this").unwrap();
        let given = format!("@{}", file.path().display());
        assert_eq!(find(Some(&given)).unwrap().unwrap().expose(), "from-file");
        for (kind, name) in
            [(EndpointKind::Responses, "OPENAI_API_KEY"), (EndpointKind::Messages, "ANTHROPIC_API_KEY")]
        {
            let fallback = ApiKey::find_with(kind, None, |name| Some(format!("value-of-{name}")));
            assert_eq!(fallback.unwrap().unwrap().expose(), format!("value-of-{name}"));
        }
    }

    #[test]
    fn a_key_that_cannot_be_used_says_why_and_never_itself() {
        assert_eq!(
            find(Some("env:OTHER")).unwrap_err().to_string(),
            "--api-key env:OTHER: the environment variable OTHER is not set"
        );
        assert!(matches!(find(Some(" ")), Err(ApiKeyError::Empty { .. })));
        assert!(!find(Some("se\ncret")).unwrap_err().to_string().contains("cret"));
        let key = find(Some("sk-1")).unwrap().unwrap();
        assert_eq!(format!("{key:?}"), "ApiKey(<redacted>)");
        assert_eq!(serde_json::to_string(&key).unwrap(), r#""<redacted>""#);
    }
}
