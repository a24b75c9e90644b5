//! Request bodies as they may be kept: what they hold of secrets is replaced, all else stays byte for byte.
//!
//! Whether a field is a secret, its name decides, at any depth, by the rule for headers. What is asked of the
//! model is no configuration and is not looked into: a message may well speak of a `token`. The declarations of
//! tools are, for servers of tools are given their credentials there, but not the shapes of what tools take.
//! What extra inputs hide though no name says so (a URL with a password, a `Bearer …`) is found again by its text.

use std::collections::HashMap;

use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::redact::{redact_named, texts_hidden};

/// Fields of bodies that hold what is asked, and shapes of what is to be answered.
const CONTENT: [&str; 17] = [
    "messages",
    "input",
    "inputs",
    "prompt",
    "system",
    "instructions",
    "text",
    "texts",
    "query",
    "queries",
    "passages",
    "documents",
    "functions",
    "response_format",
    "guided_json",
    "model",
    "image_data",
];

/// A secret that is shorter may be the text of any field.
const SHORTEST_TEXT: usize = 8;

/// `body` without its secrets; `None` if it has none, or is no JSON object.
pub fn redact_body(body: &[u8]) -> Option<Vec<u8>> {
    BodySecrets::default().redact(body)
}

/// What is known of the secrets in the bodies of one endpoint.
#[derive(Debug, Default)]
pub(crate) struct BodySecrets {
    /// Whole texts of extra inputs that may not be shown, and what may.
    texts: HashMap<String, String>,
    /// Whether they may stand in what is asked.
    are_in_content: bool,
}

impl BodySecrets {
    /// What the extra inputs bring. `are_anywhere`: they may be put into any field.
    pub(crate) fn of(extra_inputs: &Map<String, Value>, are_anywhere: bool) -> Self {
        let mut texts = HashMap::new();
        let mut are_in_content = are_anywhere;
        for (name, value) in extra_inputs {
            let before = texts.len();
            texts_hidden(name, value, &mut texts);
            are_in_content |= texts.len() > before && CONTENT.contains(&name.as_str());
        }
        // A short text that no more than its name makes a secret is left to its name.
        texts.retain(|text, shown| text.len() >= SHORTEST_TEXT || shown != crate::redact::REDACTED);
        are_in_content &= !texts.is_empty();
        Self { texts, are_in_content }
    }

    /// `body` without its secrets; `None` if it has none, or is no JSON object.
    pub(crate) fn redact(&self, body: &[u8]) -> Option<Vec<u8>> {
        let text = std::str::from_utf8(body).ok()?;
        let replaced = serde_json::Deserializer::from_str(text).deserialize_map(Fields(self)).ok()?;
        if replaced.is_empty() {
            return None;
        }
        let mut shown = Vec::with_capacity(body.len());
        let mut from = 0;
        for (value, replacement) in replaced {
            // The value is a slice of the body; this says where it begins.
            let at = (value.get().as_ptr() as usize).checked_sub(text.as_ptr() as usize)?;
            shown.extend_from_slice(body.get(from..at)?);
            shown.extend_from_slice(replacement.as_bytes());
            from = at + value.get().len();
        }
        shown.extend_from_slice(body.get(from..)?);
        Some(shown)
    }

    /// A field's value as it may be kept.
    fn shown(&self, name: &str, value: &Value) -> Value {
        if self.texts.is_empty() {
            return redact_named(name, value);
        }
        let known = self.without_known(value);
        if CONTENT.contains(&name) { known } else { redact_named(name, &known) }
    }

    fn without_known(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => self.texts.get(text).unwrap_or(text).as_str().into(),
            Value::Array(items) => items.iter().map(|item| self.without_known(item)).collect(),
            Value::Object(fields) => Value::Object(
                fields.iter().map(|(name, value)| (name.clone(), self.without_known(value))).collect(),
            ),
            other => other.clone(),
        }
    }
}

/// Finds the values of a body that hold secrets, each with what is to stand in its place.
struct Fields<'a>(&'a BodySecrets);

impl<'de> Visitor<'de> for Fields<'_> {
    type Value = Vec<(&'de RawValue, String)>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a request body")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
        let mut found = Vec::new();
        while let Some((name, value)) = fields.next_entry::<String, &'de RawValue>()? {
            let may_hold =
                value.get().starts_with(['"', '{', '[', '-']) || value.get().as_bytes()[0].is_ascii_digit();
            if !may_hold || (!self.0.are_in_content && CONTENT.contains(&name.as_str())) {
                continue;
            }
            if let Ok(value_of) = serde_json::from_str::<Value>(value.get()) {
                let shown = self.0.shown(&name, &value_of);
                if shown != value_of {
                    found.push((value, shown.to_string()));
                }
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn shown(body: &str) -> String {
        redact_body(body.as_bytes())
            .map_or_else(|| body.to_owned(), |shown| String::from_utf8(shown).unwrap())
    }

    #[test]
    fn secrets_go_and_every_other_byte_stays() {
        for (body, kept) in [
            (
                r#"{"messages":[{"content":"a"}], "api_key" : "S","n":1.50,"max_tokens":5}"#,
                r#"{"messages":[{"content":"a"}], "api_key" : "<redacted>","n":1.50,"max_tokens":5}"#,
            ),
            (
                r#"{"nvext":{"auth":{"password":"S","on":true},"top":1.0},"privateKey":"S"}"#,
                r#"{"nvext":{"auth":{"password":"<redacted>","on":true},"top":1.0},"privateKey":"<redacted>"}"#,
            ),
            (r#"{"password":83746583746}"#, r#"{"password":"<redacted>"}"#),
            (
                r#"{"tools":[{"type":"mcp","authorization":"S","headers":{"Authorization":"Bearer S"}}]}"#,
                r#"{"tools":[{"type":"mcp","authorization":"<redacted>","headers":{"Authorization":"<redacted>"}}]}"#,
            ),
        ] {
            assert_eq!(shown(body), kept);
        }
    }

    #[test]
    fn what_is_asked_is_not_looked_into() {
        for body in [
            r#"{"messages":[{"role":"user","content":"api_key=S","token":"S"}]}"#,
            r#"{"tools":[{"function":{"parameters":{"properties":{"token":{"type":"string"}}}}}]}"#,
            r#"{"tools":[{"name":"login","input_schema":{"properties":{"auth":{"description":"a token"}}}}]}"#,
            r#"{"prompt":"Bearer S","note":"Bearer S","stop_token_ids":[1,2],"add_special_tokens":false}"#,
            r#"{"top_k":5,"seed":1,"logit_bias":{"5":-100},"prompt_cache_key":"p","cache_salt":"s","stop":["a"]}"#,
            r#"["api_key"]"#,
            "api_key: S",
        ] {
            assert_eq!(redact_body(body.as_bytes()), None, "{body}");
        }
    }

    #[test]
    fn what_extra_inputs_hide_is_found_again_by_its_text() {
        let extra: Map<String, Value> = serde_json::from_str(
            r#"{"callback":"http://u:S@x/","h":"Bearer S","t":[{"server_url":"http://u:S@y/"}],"user":"open",
                "api_key":"long-enough-key"}"#,
        )
        .unwrap();
        let body = br#"{"messages":[{"content":"Bearer S"}],"h":"Bearer S","t":[{"server_url":"http://u:S@y/"}],"user":"open","callback":"http://u:S@x/","note":"Bearer T"}"#;
        let kept = BodySecrets::of(&extra, false).redact(body).unwrap();
        assert_eq!(
            String::from_utf8(kept).unwrap(),
            r#"{"messages":[{"content":"Bearer S"}],"h":"Bearer <redacted>","t":[{"server_url":"http://<redacted>@y/"}],"user":"open","callback":"http://<redacted>@x/","note":"Bearer T"}"#
        );
        // A template may put them anywhere.
        let body = br#"{"inputs":{"of":"long-enough-key"}}"#;
        assert_eq!(BodySecrets::of(&extra, false).redact(body), None);
        let kept = BodySecrets::of(&extra, true).redact(body).unwrap();
        assert_eq!(String::from_utf8(kept).unwrap(), r#"{"inputs":{"of":"<redacted>"}}"#);
    }
}
