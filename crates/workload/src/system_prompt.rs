//! The user's system message in front of messages that stand ready as JSON.

use bytes::Bytes;
use serde_json::{Map, Value, json};

/// `messages` with `prompt` in front: joined to a system message that stands first already, by a blank line,
/// since many servers take only one; else as a message of its own.
pub(crate) fn before_messages(prompt: &str, messages: &Bytes) -> Bytes {
    // Messages were read once when the file was.
    let Ok(Value::Array(mut list)) = serde_json::from_slice(messages) else { return messages.clone() };
    match list.first_mut().and_then(Value::as_object_mut).filter(|first| is_system(first)) {
        Some(first) => {
            let joined = match first.get("content") {
                Some(Value::String(own)) => json!(format!("{prompt}\n\n{own}")),
                Some(Value::Array(parts)) => {
                    let lead = json!({ "type": "text", "text": format!("{prompt}\n\n") });
                    Value::Array(std::iter::once(lead).chain(parts.iter().cloned()).collect())
                }
                _ => json!(prompt),
            };
            first.insert("content".to_owned(), joined);
        }
        None => list.insert(0, json!({ "role": "system", "content": prompt })),
    }
    Value::Array(list).to_string().into()
}

fn is_system(message: &Map<String, Value>) -> bool {
    message.get("role").and_then(Value::as_str) == Some("system")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn before(messages: &'static str) -> String {
        String::from_utf8_lossy(&before_messages("be \"brief\"", &Bytes::from_static(messages.as_bytes())))
            .into_owned()
    }

    #[test]
    fn it_joins_a_system_message_and_leads_others() {
        assert_eq!(
            before(r#"[{"role":"system","content":"be kind","x":1},{"role":"user","content":"a"}]"#),
            r#"[{"role":"system","content":"be \"brief\"\n\nbe kind","x":1},{"role":"user","content":"a"}]"#
        );
        assert_eq!(
            before(r#"[{"role":"user","content":"a"}]"#),
            r#"[{"role":"system","content":"be \"brief\""},{"role":"user","content":"a"}]"#
        );
        assert_eq!(
            before(r#"[{"role":"system","content":[{"type":"text","text":"b"}]}]"#),
            r#"[{"role":"system","content":[{"type":"text","text":"be \"brief\"\n\n"},{"type":"text","text":"b"}]}]"#
        );
    }
}
