//! Headers, extra inputs and values as GenAI-Perf reads them.

use serde_json::{Value, json};

/// A header as JSON, so that commas in its value stay.
pub(super) fn header_field(header: &str) -> Result<String, String> {
    let (name, value) = header.split_once(':').ok_or("--header: a header is not of the form Name:value")?;
    Ok(json!({ name.trim(): value.trim() }).to_string())
}

/// An extra input as JSON: a value of GenAI-Perf's types, commas and all.
pub(super) fn extra_field(field: &str, kind: &str) -> Result<String, String> {
    if field.starts_with('{') {
        return Ok(field.to_owned());
    }
    let (name, value) = match field.split_once(':') {
        Some((name, value)) => (name, Some(value)),
        None => (field, None),
    };
    if name.is_empty() || value.is_some_and(str::is_empty) {
        return Err(format!("--extra-inputs: {name:?} is not of the form name:value"));
    }
    if kind == "rankings" && field == "rankings:tei" {
        return Ok("{}".to_owned());
    }
    Ok(json!({ name: value.map_or(Value::Null, typed) }).to_string())
}

/// A value with the type that it spells.
pub(super) fn typed(text: &str) -> Value {
    let text = text.trim();
    match text.to_ascii_lowercase().as_str() {
        "true" => return Value::Bool(true),
        "false" => return Value::Bool(false),
        _ => {}
    }
    if !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && let Ok(whole) = text.parse::<u64>()
    {
        return Value::from(whole);
    }
    let digits = text.replacen('.', "", 1);
    if text.contains('.')
        && !digits.is_empty()
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && let Ok(number) = text.parse::<f64>()
    {
        return Value::from(number);
    }
    Value::from(text)
}
