//! What of a request body is counted: its messages, its texts, the tokens that it gives as numbers.

use std::borrow::Cow;

use serde_json::Value;

/// The messages of a request body, or an array of messages itself, as JSON.
pub(super) fn messages_of(value: &Value) -> Option<Vec<u8>> {
    let messages = if value.is_array() { value } else { value.get("messages")? };
    serde_json::to_vec(messages).ok()
}

/// The texts of a request body, or of an array of messages, in the order in which AIPerf counts them.
///
/// Messages (`messages`, or `input` where its items are objects): their contents, then the calls that they
/// repeat; tools: names, descriptions and parameters. Without messages, the first of `prompt`, `input`,
/// `query` with its passages, and `inputs` that is there. A system prompt beside the messages
/// (`instructions`, `system`) goes in front.
pub(super) fn body_texts(body: &Value) -> Vec<Cow<'_, str>> {
    let mut texts = Vec::new();
    if let Value::Array(messages) = body {
        for message in messages {
            message_texts(message, &mut texts);
        }
        return texts;
    }
    let mut has_messages = false;
    for name in ["messages", "input"] {
        let items = body[name].as_array().map_or(&[][..], Vec::as_slice);
        if items.iter().any(|item| item.get("role").or_else(|| item.get("type")).is_some()) {
            has_messages = true;
            for message in items {
                message_texts(message, &mut texts);
            }
        }
    }
    texts.append(&mut tool_texts(body));
    if !has_messages {
        flat_texts(body, &mut texts);
    }
    let mut front = Vec::new();
    for name in ["instructions", "system"] {
        match &body[name] {
            Value::Array(parts) => parts.iter().for_each(|part| part_texts(part, &mut front)),
            other => front.extend(other.as_str().map(Cow::Borrowed)),
        }
    }
    front.append(&mut texts);
    front
}

/// What a body's tools are called, what they do and what they take.
pub(super) fn tool_texts(body: &Value) -> Vec<Cow<'_, str>> {
    let mut texts = Vec::new();
    for tool in body["tools"].as_array().into_iter().flatten() {
        for source in [&tool["function"], tool] {
            push_strings(source, &["name", "description"], &mut texts);
            texts.extend(source.get("parameters").filter(|value| value.is_object()).map(compact));
        }
        texts.extend(tool.get("input_schema").filter(|value| value.is_object()).map(compact));
    }
    texts
}

/// The texts of one message.
fn message_texts<'a>(message: &'a Value, texts: &mut Vec<Cow<'a, str>>) {
    match &message["content"] {
        Value::Array(parts) => parts.iter().for_each(|part| part_texts(part, texts)),
        other => texts.extend(other.as_str().map(Cow::Borrowed)),
    }
    for call in message["tool_calls"].as_array().into_iter().flatten() {
        push_strings(&call["function"], &["name", "arguments"], texts);
    }
    match message["type"].as_str() {
        Some("function_call") => push_strings(message, &["name", "arguments"], texts),
        Some("function_call_output") => push_strings(message, &["output"], texts),
        _ => {}
    }
}

/// The texts of one part of a message.
fn part_texts<'a>(part: &'a Value, texts: &mut Vec<Cow<'a, str>>) {
    match part["type"].as_str() {
        Some("text" | "input_text" | "output_text") => push_strings(part, &["text"], texts),
        Some("tool_use") => {
            push_strings(part, &["name"], texts);
            texts.extend(part.get("input").filter(|value| value.is_object()).map(compact));
        }
        Some("tool_result") => match &part["content"] {
            Value::Array(parts) => parts.iter().for_each(|part| part_texts(part, texts)),
            other => texts.extend(other.as_str().map(Cow::Borrowed)),
        },
        None => texts.extend(part.as_str().map(Cow::Borrowed)),
        _ => {}
    }
}

/// The texts of a body without messages.
fn flat_texts<'a>(body: &'a Value, texts: &mut Vec<Cow<'a, str>>) {
    for name in ["prompt", "input"] {
        match &body[name] {
            Value::String(text) => return texts.push(text.into()),
            Value::Array(items) if items.iter().all(Value::is_string) => {
                return texts.extend(items.iter().filter_map(|item| item.as_str().map(Cow::Borrowed)));
            }
            _ => {}
        }
    }
    let query = body["query"].as_str().or_else(|| body["query"]["text"].as_str());
    if let Some(query) = query {
        texts.push(query.into());
        for passages in ["passages", "documents", "texts"].map(|name| body[name].as_array()) {
            let each = passages.into_iter().flatten();
            let each = each.filter_map(|passage| passage.as_str().or_else(|| passage["text"].as_str()));
            texts.extend(each.map(Cow::Borrowed));
        }
        return;
    }
    push_strings(body, &["inputs"], texts);
}

/// The fields of these names that are strings with anything in them.
fn push_strings<'a>(source: &'a Value, names: &[&str], texts: &mut Vec<Cow<'a, str>>) {
    let fields = names.iter().filter_map(|name| source.get(name)?.as_str());
    texts.extend(fields.filter(|text| !text.is_empty()).map(Cow::Borrowed));
}

fn compact(value: &Value) -> Cow<'static, str> {
    Cow::Owned(value.to_string())
}

/// Tokens of a body that gives them as numbers: of `prompt` or `input`, as one list or as several.
pub(super) fn given_tokens(body: &Value) -> usize {
    let count = |items: &Vec<Value>| {
        if !items.is_empty() && items.iter().all(Value::is_i64) {
            return Some(items.len());
        }
        let lists = items.iter().map(|item| item.as_array().filter(|list| list.iter().all(Value::is_i64)));
        lists.map(|list| list.map(Vec::len)).sum::<Option<usize>>().filter(|_| !items.is_empty())
    };
    ["prompt", "input"].iter().find_map(|name| count(body.get(name)?.as_array()?)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn text_parts_of_a_body_are_found_in_order() {
        let body = json!({"messages": [
            {"role": "system", "content": "be"},
            {"role": "user", "content": [{"type": "text", "text": "brief"}, {"type": "image_url"}]},
            {"role": "assistant", "content": null, "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]},
        ], "tools": [{"type": "function", "function": {"name": "g", "description": "d", "parameters": {"a": 1}}}]});
        assert_eq!(body_texts(&body), ["be", "brief", "f", "{}", "g", "d", "{\"a\":1}"]);
        assert_eq!(body_texts(&body["messages"]), ["be", "brief", "f", "{}"]);
        let responses = json!({"instructions": "be", "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "a"}], "type": "message"},
            {"role": "user", "content": [{"type": "text", "text": "chat's"}]},
            {"type": "function_call_output", "output": "o"},
        ]});
        assert_eq!(body_texts(&responses), ["be", "a", "chat's", "o"]);
        let anthropic = json!({"system": [{"type": "text", "text": "s"}], "messages": [{"role": "user", "content": [
            {"type": "tool_use", "name": "n", "input": {"x": 1}}, {"type": "tool_result", "content": "r"},
        ]}]});
        assert_eq!(body_texts(&anthropic), ["s", "n", "{\"x\":1}", "r"]);
        assert_eq!(body_texts(&json!({"input": ["a", "b"]})), ["a", "b"]);
        assert_eq!(body_texts(&json!({"query": {"text": "q"}, "passages": [{"text": "p"}]})), ["q", "p"]);
        assert_eq!(body_texts(&json!({"inputs": "i"})), ["i"]);
        assert!(
            body_texts(&json!({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}))
                .is_empty()
        );
    }

    #[test]
    fn tokens_that_are_given_as_numbers_are_counted_as_such() {
        assert_eq!(given_tokens(&json!({"input": [1, 2, 3]})), 3);
        assert_eq!(given_tokens(&json!({"prompt": [[1, 2], [3]]})), 3);
        assert_eq!(given_tokens(&json!({"input": ["a"]})) + given_tokens(&json!({"input": []})), 0);
    }
}
