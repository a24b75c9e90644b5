//! What a configuration holds of secrets, to be found again in what servers say and in bodies.
//!
//! Invariant: short texts are left out, for they may be words of any answer. What this does not know: the
//! credentials in a request's own headers, which its exchange looks for itself.

use serde_json::{Map, Value};
use url::Url;

use super::EndpointConfig;
use crate::error::parts;
use crate::redact::{pieces_hidden, redact, redact_field, redact_url, secrets_in};
use crate::secret_name::is_secret_name;
use crate::target::percent_decoded;

/// The shortest secret that is looked for.
const SHORTEST: usize = 8;

/// What is secret in a URL or a path: its user part, and the values of its secret parameters.
pub fn secrets_of_place(place: &str) -> Vec<String> {
    let mut found = Vec::new();
    pieces_hidden(place, &redact_url(place), &mut found);
    // As it goes out: some of it in escapes that were not given.
    let with_scheme = if place.contains("://") { place.to_owned() } else { format!("http://{place}") };
    if let Some(url) = Url::parse(&with_scheme).ok().filter(|_| !place.starts_with('/')) {
        pieces_hidden(url.as_str(), &redact_url(url.as_str()), &mut found);
    }
    let plain: Vec<String> =
        found.iter().filter_map(|secret| String::from_utf8(percent_decoded(secret)).ok()).collect();
    found.extend(plain);
    found
}

impl EndpointConfig {
    /// All that is secret in it, the longest first: what a server that repeats it must not get into a file.
    pub fn secrets(&self) -> Vec<String> {
        let headers = self.headers.iter().filter(|(name, _)| is_secret_name(name));
        let sent = headers.flat_map(|(_, value)| parts(value)).map(str::to_owned);
        let key = self.api_key.iter().map(|key| key.expose().to_owned());
        ordered(self.secrets_beside_headers().chain(sent).chain(key))
    }

    /// What is secret in it but for the headers that are secrets themselves.
    pub(super) fn secrets_that_no_header_carries(&self) -> Vec<String> {
        ordered(self.secrets_beside_headers())
    }

    fn secrets_beside_headers(&self) -> impl Iterator<Item = String> {
        let mut found: Vec<String> = self.other_secrets.clone();
        found.extend(self.path.iter().flat_map(|path| secrets_of_place(path)));
        self.extra_inputs.iter().for_each(|(name, value)| secrets_in(name, value, &mut found));
        for (_, value) in self.headers.iter().filter(|(name, _)| !is_secret_name(name)) {
            pieces_hidden(value, &redact(value), &mut found);
        }
        found.into_iter().filter(|secret| secret.len() >= SHORTEST)
    }
}

/// Each once, the longest first, for one may hold another.
fn ordered(secrets: impl Iterator<Item = String>) -> Vec<String> {
    let mut secrets: Vec<String> = secrets.filter(|secret| !secret.is_empty()).collect();
    secrets.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    secrets.dedup();
    secrets
}

/// Whether extra inputs have anything that may not be shown.
pub(super) fn hold_secrets(extra_inputs: &Map<String, Value>) -> bool {
    extra_inputs.iter().any(|(name, value)| redact_field(name, value) != *value)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::endpoint::EndpointKind;

    #[test]
    fn places_hold_secrets_as_given_as_sent_and_as_meant() {
        let found = secrets_of_place("http://user:pass%2Bword@host/v1?sig=abc%2Bdefgh&a=b&key=it's-long");
        for secret in ["pass%2Bword", "pass+word", "abc%2Bdefgh", "abc+defgh", "it's-long", "it%27s-long"] {
            assert!(found.iter().any(|known| known == secret), "{secret} is not in {found:?}");
        }
        assert!(!found.iter().any(|known| known == "b" || known == "user"), "{found:?}");
        assert_eq!(secrets_of_place("/v1/chat?access_key=abc&n=5"), ["abc", "abc"]);
        assert!(secrets_of_place("http://host/v1?max=5").is_empty());
    }

    #[test]
    fn a_configuration_knows_all_its_secrets_but_no_common_words() {
        let mut config = EndpointConfig::new(EndpointKind::Chat, false);
        config.path = Some("/echo?sig=in-the-path&api_key=short".to_owned());
        config.headers = [("X-Auth", "Token in-a-header"), ("X-Info", "Bearer in-an-open-header")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec();
        config.extra_inputs = serde_json::from_str(
            r#"{"callback":"http://u:in-extra-inputs@x/","jwt":"in-a-field","top_k":5,"user":"nobody-special"}"#,
        )
        .unwrap();
        config.other_secrets = vec!["in-a-hooks-path".to_owned()];
        let known = config.secrets();
        for secret in [
            "in-the-path",
            "in-a-header",
            "in-an-open-header",
            "in-extra-inputs",
            "in-a-field",
            "in-a-hooks-path",
        ] {
            assert!(known.iter().any(|known| known == secret), "{secret} is not in {known:?}");
        }
        assert!(!known.iter().any(|known| known == "short" || known.contains("nobody")), "{known:?}");
        assert!(known.is_sorted_by_key(|secret| std::cmp::Reverse(secret.len())), "{known:?}");
    }

    #[test]
    fn bodies_are_looked_into_only_where_something_may_be_secret() {
        let holds = |extra: &str| hold_secrets(&serde_json::from_str(extra).unwrap());
        for open in [
            r#"{"max_tokens":5,"stop":["a"],"nvext":{"ignore_eos":true},"stop_token_ids":[1]}"#,
            r#"{"tools":[{"function":{"parameters":{"properties":{"token":{"type":"string"}}}}}]}"#,
            "{}",
        ] {
            assert!(!holds(open), "{open}");
        }
        for secret in [
            r#"{"jwt":"a"}"#,
            r#"{"a":{"b":"Bearer c"}}"#,
            r#"{"tools":[{"type":"mcp","authorization":"a"}]}"#,
        ] {
            assert!(holds(secret), "{secret}");
        }
    }
}
