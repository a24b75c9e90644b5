//! What of a body counts as input where extra fields bring text of their own, beside what the turn says.
//!
//! A turn knows the tokens of its own prompt. Extra inputs and a row's extra fields may put tools or a system
//! prompt beside it, or another prompt in its place; then the body itself is counted, as AIPerf counts every one.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::value::RawValue;

/// The fields of a body that hold text which a server reads.
const TEXTS: [&str; 9] =
    ["messages", "input", "prompt", "query", "passages", "inputs", "tools", "instructions", "system"];

/// Whether one of these fields brings text.
pub(super) fn bring_text<'a>(mut names: impl Iterator<Item = &'a String>) -> bool {
    names.any(|name| TEXTS.contains(&name.as_str()))
}

/// Whether a row's extra fields may bring text: they name a field that does, at whatever depth.
pub(super) fn may_bring_text(extra: &str) -> bool {
    TEXTS.iter().any(|name| extra.contains(name))
}

/// The fields of a body that hold text. Others, which may be secret, are left out.
pub(super) fn texts_of(body: &[u8]) -> Option<Bytes> {
    let mut fields: BTreeMap<String, &RawValue> = serde_json::from_slice(body).ok()?;
    fields.retain(|name, _| TEXTS.contains(&name.as_str()));
    Some(serde_json::to_vec(&fields).ok()?.into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn fields_with_text_are_told_from_others() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert!(bring_text(names(&["temperature", "tools"]).iter()));
        assert!(!bring_text(names(&["temperature", "min_tokens", "toolset"]).iter()));
        assert!(may_bring_text(r#""system":"be kind""#) && !may_bring_text(r#""top_p":0.1"#));
    }

    #[test]
    fn what_is_counted_of_a_body_is_its_texts() {
        let body = br#"{"messages":[{"role":"user","content":"a"}],"model":"m","api_key":"s","tools":[{}]}"#;
        let kept = texts_of(body).unwrap();
        assert_eq!(&kept[..], br#"{"messages":[{"role":"user","content":"a"}],"tools":[{}]}"#);
        assert_eq!(texts_of(b"no JSON"), None);
    }
}
