//! Values as YAML text, in block style.

use serde_json::Value;

use super::yaml::{Yaml, plain};

/// A value as YAML, with an end of line.
pub(crate) fn to_yaml(value: &Value) -> String {
    let mut text = String::new();
    match value {
        Value::Object(fields) if !fields.is_empty() => mapping(value, 0, false, &mut text),
        Value::Array(items) if !items.is_empty() => list(value, 0, &mut text),
        scalar => text = inline(scalar) + "\n",
    }
    text
}

fn mapping(value: &Value, depth: usize, follows_dash: bool, text: &mut String) {
    for (index, (key, value)) in value.as_object().into_iter().flatten().enumerate() {
        if index > 0 || !follows_dash {
            text.push_str(&" ".repeat(depth));
        }
        text.push_str(&scalar(key));
        text.push(':');
        below(value, depth, text);
    }
}

/// What follows a key.
fn below(value: &Value, depth: usize, text: &mut String) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            text.push('\n');
            mapping(value, depth + 2, false, text);
        }
        // As PyYAML: a list stands no deeper than its key.
        Value::Array(items) if !items.is_empty() => {
            text.push('\n');
            list(value, depth, text);
        }
        scalar => {
            text.push(' ');
            text.push_str(&inline(scalar));
            text.push('\n');
        }
    }
}

fn list(value: &Value, depth: usize, text: &mut String) {
    for item in value.as_array().into_iter().flatten() {
        text.push_str(&" ".repeat(depth));
        text.push_str("- ");
        match item {
            Value::Object(fields) if !fields.is_empty() => mapping(item, depth + 2, true, text),
            other => {
                text.push_str(&inline(other));
                text.push('\n');
            }
        }
    }
}

/// A value on one line. Lists within lists are written as JSON, which is YAML.
fn inline(value: &Value) -> String {
    match value {
        Value::String(text) => scalar(text),
        Value::Null => "null".to_owned(),
        other => other.to_string(),
    }
}

/// Text, quoted where it would be read as something else.
fn scalar(text: &str) -> String {
    let is_text = matches!(plain(text), Yaml::Text(_));
    let begins_plainly = text
        .chars()
        .next()
        .is_some_and(|first| first.is_alphanumeric() || matches!(first, '_' | '/' | '.' | '<'));
    let holds_nothing_special = !text.contains(": ")
        && !text.contains(" #")
        && !text.ends_with(':')
        && !text.contains(['\n', '\r', '\t']);
    let is_trimmed = text.trim() == text;
    if is_text && begins_plainly && holds_nothing_special && is_trimmed {
        return text.to_owned();
    }
    // A JSON string is a YAML string.
    Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::super::yaml::parse;
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        let value = json!({
            "a": {"b": [1, {"c": "x: y", "d": []}, [2, 3]], "e": {}}, "f": "yes", "g": "10", "h": null,
            "i": "http://h:1/x", "j": "two\nlines", "k": "", "l": 1.5, "m": true, "n": "- x", "o": "#no"
        });
        let text = to_yaml(&value);
        assert_eq!(parse(&text).unwrap().unwrap().to_json(), value, "{text}");
        assert!(text.contains("i: http://h:1/x\n"), "{text}");
    }
}
