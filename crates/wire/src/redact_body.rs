//! Request bodies as they may be kept: what extra fields hold of secrets is replaced, all else stays byte for
//! byte.
//!
//! Whether a field is a secret, its name decides, at any depth, by the rule for headers. What is asked of the
//! model is no configuration and is not looked into: a tool may well have a parameter `token`.

use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::redact::redact_named;

/// Fields of bodies that hold what is asked, and shapes of what is to be answered.
const CONTENT: [&str; 18] = [
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
    "tools",
    "functions",
    "response_format",
    "guided_json",
    "model",
    "image_data",
];

/// `body` without its secrets; `None` if it has none, or is no JSON object.
pub fn redact_body(body: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(body).ok()?;
    let replaced = serde_json::Deserializer::from_str(text).deserialize_map(Secrets).ok()?;
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

/// Finds the values of a body that hold secrets, each with what is to stand in its place.
struct Secrets;

impl<'de> Visitor<'de> for Secrets {
    type Value = Vec<(&'de RawValue, String)>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a request body")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
        let mut found = Vec::new();
        while let Some((name, value)) = fields.next_entry::<String, &'de RawValue>()? {
            let may_hold =
                value.get().starts_with(['"', '{', '[', '-']) || value.get().as_bytes()[0].is_ascii_digit();
            if !may_hold || CONTENT.contains(&name.as_str()) {
                continue;
            }
            if let Ok(value_of) = serde_json::from_str::<Value>(value.get()) {
                let shown = redact_named(&name, &value_of);
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
                r#"{"nvext":{"auth":{"password":"S","on":true},"top":1.0},"api_key":"S"}"#,
                r#"{"nvext":{"auth":{"password":"<redacted>","on":true},"top":1.0},"api_key":"<redacted>"}"#,
            ),
            (r#"{"password":83746583746}"#, r#"{"password":"<redacted>"}"#),
        ] {
            assert_eq!(shown(body), kept);
        }
    }

    #[test]
    fn what_is_asked_is_not_looked_into() {
        for body in [
            r#"{"messages":[{"role":"user","content":"api_key=S","token":"S"}]}"#,
            r#"{"tools":[{"function":{"parameters":{"properties":{"token":{"type":"string"}}}}}]}"#,
            r#"{"prompt":"Bearer S","note":"Bearer S","stop_token_ids":[1,2],"add_special_tokens":false}"#,
            r#"["api_key"]"#,
            "api_key: S",
        ] {
            assert_eq!(redact_body(body.as_bytes()), None, "{body}");
        }
    }
}
