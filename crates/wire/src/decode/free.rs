//! Answers of any shape, for the template and the raw endpoint.
//!
//! What is no JSON, or is empty JSON, counts as text as it stands: `[DONE]` too, as in AIPerf. Of JSON, the
//! answer is what the user's expression finds; without one, the first of embeddings, rankings and text that
//! is there (`text`, `content`, `response`, `output`, `result`; OpenAI's `choices`). An expression that finds
//! nothing leaves the template endpoint without an answer; the raw endpoint then looks as without one.

use serde_json::Value;

use super::event::in_band_error_of;
use super::format::ResponseField;
use super::said::{Said, escaped};

/// Reads one object, or one text.
pub(super) fn take(field: Option<&ResponseField>, text: &str, said: &mut Said<'_>) {
    let response = match serde_json::from_str::<Value>(text) {
        Ok(response) if !is_falsy(&response) => response,
        _ => {
            said.output(&escaped(text));
            return;
        }
    };
    said.error(response.get("error").and_then(in_band_error_of));
    if let Some(field) = field {
        let found = field.find(&response).filter(|value| !is_falsy(value));
        if found.is_some_and(|value| take_value(&value, said)) || field.is_strict {
            return;
        }
    }
    look(&response, said);
}

/// Finds the answer where servers usually put it.
fn look(response: &Value, said: &mut Said<'_>) {
    if !response.is_object() {
        take_value(response, said);
        return;
    }
    if has_embeddings(response) || ["rankings", "results"].iter().any(|name| response[*name].is_array()) {
        said.wordless();
        return;
    }
    for name in ["text", "content", "response", "output", "result"] {
        match &response[name] {
            Value::String(text) => {
                said.output(&escaped(text));
                return;
            }
            Value::Array(items) if !items.is_empty() && items.iter().all(Value::is_string) => {
                let text: String = items.iter().filter_map(Value::as_str).collect();
                said.output(&escaped(&text));
                return;
            }
            _ => {}
        }
    }
    let choice = &response["choices"][0];
    let texts = [&choice["text"], &choice["message"]["content"], &choice["delta"]["content"]];
    let text = texts.into_iter().filter_map(Value::as_str).find(|text| !text.is_empty());
    said.output(&escaped(text.unwrap_or_default()));
}

/// Takes a value by its type: vectors and scores are content without text. Whether it was any.
fn take_value(value: &Value, said: &mut Said<'_>) -> bool {
    match value {
        Value::String(text) if !text.is_empty() => {
            said.output(&escaped(text));
            true
        }
        Value::Array(items) => {
            let first = items.first();
            let is_any =
                first.is_some_and(|first| first.is_object() || is_vector(first) || first.is_number());
            if is_any {
                said.wordless();
            }
            is_any
        }
        _ => false,
    }
}

fn has_embeddings(response: &Value) -> bool {
    let first = &response["data"][0];
    let in_data = first["object"] == "embedding"
        && response["data"]
            .as_array()
            .is_some_and(|data| data.iter().any(|item| item.get("embedding").is_some()));
    in_data
        || ["embeddings", "embedding"].iter().any(|name| {
            let first = response[*name].get(0);
            first.is_some_and(|first| first.is_number() || first.is_array())
        })
}

fn is_vector(value: &Value) -> bool {
    value.get(0).is_some_and(Value::is_number)
}

/// What Python takes for false.
fn is_falsy(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(flag) => !flag,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
    }
}
