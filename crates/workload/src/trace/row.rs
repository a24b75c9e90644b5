//! The line of a trace, as a type: what the tools write, and what the schema describes.
//!
//! Reading a trace for a run goes through [`parse_line`](super::parse_line), which is lenient where
//! AIPerf is, names the field it stumbles over, and keeps less.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

/// One request of a trace (`mooncake_trace`): a line of JSON. Exactly one of `input_length`,
/// `text_input`, `messages` and `payload` is given.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TraceRow {
    /// When the request is sent, in milliseconds of trace time. Lines need not be sorted.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "as_short_number")]
    pub timestamp: Option<f64>,
    /// Milliseconds to wait after the answer to the session's previous request; for lines after a
    /// session's first. Where the trace's own times are replayed, a timestamp goes before it.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "as_short_number")]
    pub delay: Option<f64>,
    /// Tokens of the prompt, whose text is made up: from `hash_ids` as far as they go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 16_777_216))]
    pub input_length: Option<u32>,
    /// Tokens to ask for. 0 or less asks for 1, with a warning. Without it, `--osl` decides; without that
    /// too, a line with an `input_length` asks for 1, with a warning, and one with `text_input` or
    /// `messages` sets no limit. A `payload` says for itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_length: Option<i64>,
    /// One id for each block of the prompt; equal ids stand for equal text. Only with `input_length`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash_ids: Option<Vec<i64>>,
    /// The prompt itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text_input: Option<String>,
    /// The messages of a chat request; every one has a `role`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub messages: Option<Vec<Map<String, Value>>>,
    /// The tools of a chat request. Only with `messages`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub tools: Option<Vec<Map<String, Value>>>,
    /// A whole request body, sent as it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("minProperties" = 1))]
    pub payload: Option<Map<String, Value>>,
    /// Lines with the same id are the turns of one conversation, in the order of the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// Fields merged last into the request's body (not into a `payload`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extra: Option<Map<String, Value>>,
    /// The name of this format.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<TraceKind>,
}

/// The name of a trace's format in a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TraceKind {
    /// Mooncake's.
    #[serde(rename = "mooncake_trace")]
    Mooncake,
}

/// Whole numbers are written without a fraction, as traces in the wild have them.
// `serialize_with` hands over a reference to the field.
#[allow(clippy::ref_option, clippy::trivially_copy_pass_by_ref)]
fn as_short_number<S: Serializer>(number: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    /// Whole numbers up to here are exact.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match number {
        None => serializer.serialize_none(),
        Some(number) if number.fract() == 0.0 && number.abs() < EXACT => {
            serializer.serialize_i64(*number as i64)
        }
        Some(number) => serializer.serialize_f64(*number),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_row_is_written_as_traces_have_it() {
        let row = TraceRow {
            timestamp: Some(3000.0),
            input_length: Some(6758),
            output_length: Some(500),
            hash_ids: Some(vec![0, 1, 2]),
            ..TraceRow::default()
        };
        let line = serde_json::to_string(&row).unwrap();
        assert_eq!(line, r#"{"timestamp":3000,"input_length":6758,"output_length":500,"hash_ids":[0,1,2]}"#);
        assert_eq!(serde_json::from_str::<TraceRow>(&line).unwrap(), row);
        let half = TraceRow { timestamp: Some(0.5), ..TraceRow::default() };
        assert_eq!(serde_json::to_string(&half).unwrap(), r#"{"timestamp":0.5}"#);
    }

    #[test]
    fn the_schema_names_every_field() {
        let schema = serde_json::to_value(schemars::schema_for!(TraceRow)).unwrap();
        let fields: Vec<&String> = schema["properties"].as_object().unwrap().keys().collect();
        assert_eq!(fields.len(), 12);
        let length = &schema["properties"]["input_length"];
        assert_eq!((&length["minimum"], &length["maximum"]), (&1.into(), &crate::LONGEST_PROMPT.into()));
    }
}
