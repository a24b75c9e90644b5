//! Values in Python's notation, which is how AIPerf writes them into labels, folder names and CSV cells.

use serde_json::Value;

/// A value as Python's `str` writes it: text as it is, all else as [`python`].
pub fn python_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => python(other),
    }
}

/// A value as Python's `repr` writes it: `20.0`, `True`, `None`, text in quotes, `{'a': [1, 2]}`.
pub fn python(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Number(number) if number.is_f64() => float(number.as_f64().unwrap_or_default()),
        Value::Number(number) => number.to_string(),
        Value::String(text) => quoted(text),
        Value::Array(items) => format!("[{}]", items.iter().map(python).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(key, value)| format!("{}: {}", quoted(key), python(value)));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
        }
    }
}

/// A list of texts: `['run_0001', 'run_0002']`.
pub(crate) fn python_list(items: &[String]) -> String {
    format!("[{}]", items.iter().map(|item| quoted(item)).collect::<Vec<_>>().join(", "))
}

fn quoted(text: &str) -> String {
    if text.contains('\'') && !text.contains('"') {
        return format!("\"{}\"", text.replace('\\', "\\\\"));
    }
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// The shortest digits that read back as the same number; below 1e-4 and from 1e16 on with an exponent
/// of at least two digits.
fn float(value: f64) -> String {
    if value == 0.0 || (1e-4..1e16).contains(&value.abs()) {
        return format!("{value:?}");
    }
    let text = format!("{value:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |exponent| ('-', exponent));
    format!("{digits}e{sign}{exponent:0>2}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_read_as_in_python() {
        for (value, text) in [
            (json!(1), "1"),
            (json!(20.0), "20.0"),
            (json!(0.0001), "0.0001"),
            (json!(0.00001), "1e-05"),
            (json!(1e16), "1e+16"),
            (json!(1.5e-7), "1.5e-07"),
            (json!(-0.5), "-0.5"),
            (json!(true), "True"),
            (json!(null), "None"),
            (json!("poisson"), "'poisson'"),
            (json!({"mean": 4.0, "kind": "a"}), "{'mean': 4.0, 'kind': 'a'}"),
            (json!([1, "it's"]), "[1, \"it's\"]"),
        ] {
            assert_eq!(python(&value), text);
        }
        assert_eq!(python_text(&json!("poisson")), "poisson");
        assert_eq!(python_list(&["a".to_owned()]), "['a']");
    }
}
