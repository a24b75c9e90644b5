//! Parsers of single option values, in AIPerf's grammar.

use std::time::Duration;

use super::swept::{Swept, list};

/// A switch's value: `--flag`, `--flag=true`, `--flag=no`, `--flag=1`.
pub(crate) fn switch(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "y" | "on" | "t" => Ok(true),
        "false" | "0" | "no" | "n" | "off" | "f" => Ok(false),
        _ => Err("expected true or false".to_owned()),
    }
}

/// Gives an argument that stands for itself AIPerf's grammar: `--flag`, or `--flag=BOOL`.
pub(crate) fn as_switch(argument: clap::Arg) -> clap::Arg {
    argument
        .action(clap::ArgAction::Set)
        .num_args(0..=1)
        .require_equals(true)
        .default_missing_value("true")
        .default_value("false")
        .hide_default_value(true)
        .value_name("BOOL")
        .value_parser(switch)
}

/// A server's URL; one without a scheme is of `http`.
pub(crate) fn url(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("expected a URL such as http://127.0.0.1:8000".to_owned()),
        url if url.contains("://") => Ok(url.to_owned()),
        url => Ok(format!("http://{url}")),
    }
}

/// A model's name.
pub(crate) fn model(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("expected a model's name, and between commas another".to_owned()),
        name => Ok(name.to_owned()),
    }
}

/// An integer; underscores may part the digits, and `1.0` is one too.
pub(crate) fn integer(text: &str) -> Result<u64, String> {
    one_value(text)?;
    match text.trim().split_once('.') {
        Some((whole, zeros)) if !zeros.is_empty() && zeros.bytes().all(|digit| digit == b'0') => {
            strict_integer(whole)
        }
        _ => strict_integer(text),
    }
}

/// An integer as Python's `int` reads it: no point. The options that can be swept take these.
pub(crate) fn strict_integer(text: &str) -> Result<u64, String> {
    let digits = text.trim();
    let digits = digits.strip_prefix('+').unwrap_or(digits);
    let parts = digits.split('_');
    let is_number = parts.clone().all(|part| !part.is_empty() && part.bytes().all(|c| c.is_ascii_digit()));
    if !is_number {
        return Err("expected a whole number, such as 128".to_owned());
    }
    digits.replace('_', "").parse().map_err(|_| format!("expected a whole number of at most {}", u64::MAX))
}

/// One or more integers.
pub(crate) fn integers(text: &str) -> Result<Swept<u64>, String> {
    list(text, strict_integer)
}

/// One or more integers of at least 1.
pub(crate) fn positive_integers(text: &str) -> Result<Swept<u64>, String> {
    list(text, |item| match strict_integer(item)? {
        0 => Err("expected a whole number of at least 1".to_owned()),
        value => Ok(value),
    })
}

/// One or more finite numbers of at least 0.
pub(crate) fn non_negatives(text: &str) -> Result<Swept<f64>, String> {
    list(text, non_negative)
}

/// One or more numbers above 0, or `inf`.
pub(crate) fn rates(text: &str) -> Result<Swept<f64>, String> {
    list(text, |item| match item.to_ascii_lowercase().as_str() {
        "inf" | "+inf" | "infinity" | "+infinity" => Ok(f64::INFINITY),
        _ => positive(item),
    })
}

/// One or more lengths of time, seconds, more than 0.
pub(crate) fn all_positive_seconds(text: &str) -> Result<Swept<Duration>, String> {
    list(text, positive_seconds)
}

/// An integer of at least 1.
pub(crate) fn positive_integer(text: &str) -> Result<u64, String> {
    match integer(text)? {
        0 => Err("expected a whole number of at least 1".to_owned()),
        value => Ok(value),
    }
}

/// A finite number of at least 0.
pub(crate) fn non_negative(text: &str) -> Result<f64, String> {
    one_value(text)?;
    match text.trim().replace('_', "").parse::<f64>() {
        Ok(value) if value.is_finite() && value >= 0.0 => Ok(value),
        _ => Err("expected a number of at least 0".to_owned()),
    }
}

/// A finite number above 0.
pub(crate) fn positive(text: &str) -> Result<f64, String> {
    match non_negative(text) {
        Ok(value) if value > 0.0 => Ok(value),
        Err(list) if text.contains(',') => Err(list),
        _ => Err("expected a number above 0".to_owned()),
    }
}

/// A percentage above 0, at most 100.
pub(crate) fn percent(text: &str) -> Result<f64, String> {
    match positive(text) {
        Err(list) if text.contains(',') => Err(list),
        Ok(value) if value <= 100.0 => Ok(value),
        _ => Err("expected a percentage above 0 and at most 100".to_owned()),
    }
}

/// Seconds, at least 0.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    Duration::try_from_secs_f64(non_negative(text)?).map_err(|_| "expected a number of seconds".to_owned())
}

/// Seconds, more than 0.
pub(crate) fn positive_seconds(text: &str) -> Result<Duration, String> {
    positive(text)?;
    seconds(text)
}

/// Seconds, at least 0, or `inf`: no limit.
pub(crate) fn seconds_or_forever(text: &str) -> Result<Patience, String> {
    if matches!(text.to_ascii_lowercase().as_str(), "inf" | "+inf" | "infinity") {
        return Ok(Patience::Forever);
    }
    seconds(text).map(Patience::Until)
}

/// How long to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// This long.
    Until(Duration),
    /// Without end.
    Forever,
}

fn one_value(text: &str) -> Result<(), String> {
    if text.contains(',') {
        return Err("expected one value: no sweep goes over this option".to_owned());
    }
    Ok(())
}

/// `key:value` pairs, comma-separated, or a JSON object: AIPerf's `--extra-inputs` and `--header`.
pub(crate) fn pairs(text: &str) -> Result<Vec<(String, serde_json::Value)>, String> {
    if text.trim_start().starts_with('{') {
        let object: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(text).map_err(|error| format!("not a JSON object: {error}"))?;
        return Ok(object.into_iter().collect());
    }
    text.split(',')
        .enumerate()
        .map(|(at, item)| {
            // A value may be a secret, and is not shown.
            let (key, value) =
                item.split_once(':').ok_or_else(|| format!("item {} is not key:value", at + 1))?;
            if key.trim().is_empty() {
                return Err("a value has no key before its colon".to_owned());
            }
            Ok((key.trim().to_owned(), scalar(value.trim())))
        })
        .collect()
}

/// A scalar as AIPerf coerces it: booleans, null, decimal integers without a leading zero, simple
/// decimals; everything else is a string.
pub(crate) fn scalar(text: &str) -> serde_json::Value {
    use serde_json::Value;
    match text.to_ascii_lowercase().as_str() {
        "true" => return Value::Bool(true),
        "false" => return Value::Bool(false),
        "none" | "null" => return Value::Null,
        _ => {}
    }
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let no_leading_zero = |part: &str| part == "0" || !part.starts_with('0');
    if !digits.is_empty()
        && plain(digits)
        && no_leading_zero(digits)
        && let Ok(value) = text.parse::<i64>()
    {
        return Value::from(value);
    }
    // Rust reads what Python does: `.5` and `5.` too, and not a point alone.
    if let Some((whole, fraction)) = digits.split_once('.')
        && plain(whole)
        && plain(fraction)
        && let Ok(value) = text.parse::<f64>()
    {
        return Value::from(value);
    }
    Value::from(text)
}

/// Headers: as [`pairs`], but values stay text.
pub(crate) fn headers(text: &str) -> Result<Vec<(String, String)>, String> {
    if text.trim_start().starts_with('{') {
        return Ok(pairs(text)?
            .into_iter()
            .map(|(name, value)| (name, value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
            .collect());
    }
    let mut headers: Vec<(String, String)> = Vec::new();
    for item in text.split(',') {
        match (header(item), headers.last_mut()) {
            (Some(header), _) => headers.push(header),
            // A comma within a value: `Accept: text/html, application/json`.
            (None, Some((_, value))) => {
                value.push(',');
                value.push_str(item.trim_end());
            }
            (None, None) => return Err("expected 'Name: value'".to_owned()),
        }
    }
    Ok(headers)
}

/// `Name: value`, if the text begins with a header's name. `http://` after a comma is no name.
fn header(item: &str) -> Option<(String, String)> {
    let (name, value) = item.split_once(':')?;
    let name = name.trim();
    let is_name = name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.!#$%&'*+^`|~".contains(&byte));
    (is_name && !value.starts_with("//")).then(|| (name.to_owned(), value.trim().to_owned()))
}

/// A declared fact: `key=value`.
pub(crate) fn declaration(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("expected key=value".to_owned())?;
    if key.is_empty() {
        return Err("expected a key before the =".to_owned());
    }
    Ok((key.to_owned(), value.to_owned()))
}

/// A choice's word, its case folded and `-` read as `_`, as AIPerf matches choices.
pub(crate) fn word(text: &str) -> String {
    text.to_ascii_lowercase().replace('-', "_")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn scalars_are_coerced_as_aiperf_coerces_them() {
        let parsed = pairs("a:true,b:null,c:1.5,d:-3,e:007,f:1e5,g:x:y,h:.5,i:-5.,j:.,k:-").unwrap();
        let values: Vec<_> = parsed.into_iter().map(|(_, value)| value).collect();
        assert_eq!(
            values,
            [
                json!(true),
                json!(null),
                json!(1.5),
                json!(-3),
                json!("007"),
                json!("1e5"),
                json!("x:y"),
                json!(0.5),
                json!(-5.0),
                json!("."),
                json!("-")
            ]
        );
    }

    #[test]
    fn json_objects_keep_their_order() {
        let parsed = pairs(r#"{"b":{"c":[1,2]},"a":1}"#).unwrap();
        assert_eq!(parsed[0].0, "b");
        assert_eq!(parsed[1], ("a".to_owned(), json!(1)));
    }

    #[test]
    fn pairs_without_a_colon_are_refused() {
        assert!(pairs("a").is_err());
        assert!(pairs("a:[1,2]").is_err());
        assert!(pairs("{a:1}").is_err());
    }

    #[test]
    fn header_values_may_hold_colons() {
        assert_eq!(headers("A: http://x:80/y").unwrap(), [("A".to_owned(), "http://x:80/y".to_owned())]);
        assert!(headers("A=b").is_err());
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(headers("A:b,C: d").unwrap(), [pair("A", "b"), pair("C", "d")]);
        assert_eq!(
            headers("Accept: text/html, application/json").unwrap(),
            [pair("Accept", "text/html, application/json")]
        );
        assert_eq!(headers("Link: a, http://x").unwrap(), [pair("Link", "a, http://x")]);
    }

    #[test]
    fn numbers_say_what_they_expect() {
        assert_eq!(integer("1_000").unwrap(), 1000);
        assert!(integer("128.").is_err());
        assert_eq!(integer("1.0").unwrap(), 1);
        assert!(integer("1.5").is_err() && integer("1e2").is_err() && integer("0x10").is_err());
        assert!(strict_integer("1.0").is_err() && strict_integer("1__0").is_err());
        assert!(integer("1,2").unwrap_err().contains("sweep"));
        assert!(rates("inf").unwrap().first().is_infinite() && rates("nan").is_err());
        assert!(positive("0").is_err());
        assert!(positive("NaN").is_err());
        assert_eq!(percent("100").unwrap(), 100.0);
        assert!(percent("100.1").is_err() && percent("0").is_err());
        assert_eq!(seconds_or_forever("inf").unwrap(), Patience::Forever);
    }

    #[test]
    fn a_url_without_a_scheme_is_of_http() {
        assert_eq!(url("localhost:8000").unwrap(), "http://localhost:8000");
        assert_eq!(url("https://x/v1?a=http://y").unwrap(), "https://x/v1?a=http://y");
        assert_eq!(url("mock://").unwrap(), "mock://");
        assert!(url(" ").is_err());
    }

    #[test]
    fn a_model_has_a_name() {
        assert_eq!(model(" a/b").unwrap(), "a/b");
        assert!(model("").is_err() && model(" ").is_err());
    }

    #[test]
    fn switches_accept_the_usual_words() {
        assert!(switch("yes").unwrap());
        assert!(!switch("False").unwrap());
        assert!(switch("maybe").is_err());
    }
}
