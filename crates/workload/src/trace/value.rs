//! One value of a line, read by the rule of its field: types as lenient as pydantic's, faults by name.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny};
use serde_json::value::RawValue;

use super::fault::LineFault;
use crate::config::LONGEST_PROMPT;

/// A string, borrowed unless it has escapes.
#[derive(Deserialize)]
pub(super) struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

/// Any JSON object.
pub(super) struct Object;

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        std::collections::BTreeMap::<IgnoredKey, IgnoredAny>::deserialize(deserializer).map(|_| Self)
    }
}

/// A key that nobody asks for.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct IgnoredKey;

impl<'de> Deserialize<'de> for IgnoredKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}

pub(super) fn mismatch(field: &'static str, expected: &'static str, raw: &RawValue) -> LineFault {
    LineFault::Type { field, expected, found: excerpt(raw.get()) }
}

/// The start of a value, short enough for a message.
fn excerpt(text: &str) -> String {
    const LONGEST: usize = 40;
    match text.char_indices().nth(LONGEST) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text.to_owned(),
    }
}

pub(super) fn string<'a>(field: &'static str, raw: &'a RawValue) -> Result<Cow<'a, str>, LineFault> {
    serde_json::from_str::<Text<'a>>(raw.get())
        .map(|text| text.0)
        .map_err(|_| mismatch(field, "a string", raw))
}

/// A number as pydantic reads it: also from a string, and from true and false.
enum Number {
    Whole(i64),
    Real(f64),
}

fn number(raw: &RawValue) -> Option<Number> {
    let unquoted;
    let text = match raw.get() {
        "true" => return Some(Number::Whole(1)),
        "false" => return Some(Number::Whole(0)),
        text if text.starts_with('"') => {
            unquoted = string("", raw).ok()?;
            unquoted.trim()
        }
        text => text,
    };
    if let Ok(whole) = text.parse() {
        return Some(Number::Whole(whole));
    }
    text.parse().ok().map(Number::Real)
}

pub(super) fn integer(field: &'static str, raw: &RawValue) -> Result<i64, LineFault> {
    /// Beyond this a double no longer tells whole numbers apart.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match number(raw) {
        Some(Number::Whole(whole)) => Ok(whole),
        Some(Number::Real(real)) if !real.is_finite() => {
            Err(LineFault::NotFinite { field: field.to_owned(), value: excerpt(raw.get()) })
        }
        Some(Number::Real(real)) if real.fract() == 0.0 && real.abs() <= EXACT => Ok(real as i64),
        _ => Err(mismatch(field, "a whole number", raw)),
    }
}

pub(super) fn milliseconds(field: &'static str, raw: &RawValue) -> Result<f64, LineFault> {
    /// Instants are nanoseconds in 64 bits: 292 years either way.
    const REACH_MS: f64 = 9.2e12;
    match number(raw) {
        Some(Number::Whole(whole)) if (whole as f64).abs() <= REACH_MS => Ok(whole as f64),
        Some(Number::Real(real)) if real.abs() <= REACH_MS => Ok(real),
        Some(Number::Real(real)) if !real.is_finite() => {
            Err(LineFault::NotFinite { field: field.to_owned(), value: excerpt(raw.get()) })
        }
        _ => Err(mismatch(field, "milliseconds as a number, below 9.2e12", raw)),
    }
}

/// A prompt's length: 1 to [`LONGEST_PROMPT`].
pub(super) fn positive(length: i64, raw: &RawValue) -> Result<u32, LineFault> {
    if length <= 0 {
        return Err(LineFault::InputLength(length));
    }
    u32::try_from(length)
        .ok()
        .filter(|tokens| *tokens <= LONGEST_PROMPT)
        .ok_or_else(|| mismatch("input_length", "at most 16777216 tokens", raw))
}

pub(super) fn integers(raw: &RawValue) -> Result<Vec<i64>, LineFault> {
    // The common case in one go; the lenient one, id by id, only when that fails.
    if let Ok(ids) = serde_json::from_str::<Vec<i64>>(raw.get()) {
        return Ok(ids);
    }
    let ids: Vec<&RawValue> =
        serde_json::from_str(raw.get()).map_err(|_| mismatch("hash_ids", "a list of whole numbers", raw))?;
    // Some traces have 64-bit hashes for ids. Their upper half is kept as negative numbers: all that is
    // asked of an id is to differ from the others.
    let read = |id: &RawValue| match id.get().parse::<u64>() {
        Ok(hash) => Ok(hash.cast_signed()),
        Err(_) => integer("hash_ids", id),
    };
    ids.into_iter().map(read).collect()
}

/// A JSON array, not empty, whose items all read as `T`.
pub(super) fn objects<'a, T: Deserialize<'a>>(
    field: &'static str,
    expected: &'static str,
    raw: &'a RawValue,
) -> Result<Bytes, LineFault> {
    match serde_json::from_str::<Vec<T>>(raw.get()) {
        Ok(items) if !items.is_empty() => Ok(compact(raw.get()).into()),
        _ => Err(mismatch(field, expected, raw)),
    }
}

/// The inside of a JSON object, compact; `None` when it is empty.
pub(super) fn inside(field: &'static str, raw: &RawValue) -> Result<Option<String>, LineFault> {
    let text = compact(raw.get());
    let inside = text
        .strip_prefix('{')
        .and_then(|text| text.strip_suffix('}'))
        .ok_or_else(|| mismatch(field, "an object", raw))?;
    Ok(Some(inside).filter(|inside| !inside.is_empty()).map(str::to_owned))
}

/// JSON without the blanks between its values, as AIPerf sends it; names, strings and numbers stay as they stand.
pub(super) fn compact(json: &str) -> String {
    let (mut is_string, mut is_escaped) = (false, false);
    let is_kept = |character: &char| {
        let is_inside = is_string;
        match character {
            '"' if !is_escaped => is_string = !is_string,
            _ => {}
        }
        is_escaped = is_inside && *character == '\\' && !is_escaped;
        is_inside || !matches!(character, ' ' | '\t' | '\n' | '\r')
    };
    json.chars().filter(is_kept).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn blanks_stay_in_strings_alone() {
        assert_eq!(
            compact("{ \"a b\" :\t[1.50,\r\n -2e3 ], \"c\\\" d\\\\\" : \" é \\u00e9\" }"),
            "{\"a b\":[1.50,-2e3],\"c\\\" d\\\\\":\" é \\u00e9\"}"
        );
    }

    proptest! {
        #[test]
        fn compact_json_says_the_same(text in "[ \"\\\\{}\\[\\]a\n]{0,20}", number: f64) {
            let value = serde_json::json!({ (text.clone()): [text, number, { "x": null }] });
            let spread = serde_json::to_string_pretty(&value).expect("a value is JSON");
            prop_assert_eq!(compact(&spread), value.to_string());
        }
    }
}
