//! The JSON of one event or one whole response, decoded once, with borrowed slices, and only as far
//! as it is needed.
//!
//! Text stays as it came: the inside of a JSON string, escapes and all. What is not of the expected
//! type counts as absent, because a server's oddity in one field must not cost the others.

use std::borrow::Cow;
use std::fmt;

use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// What one JSON object of a response may say.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Frame<'a> {
    #[serde(borrow, default)]
    pub(super) object: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) choices: FirstChoice<'a>,
    #[serde(borrow, default)]
    pub(super) usage: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) error: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) metrics: Option<&'a RawValue>,
}

/// The first entry of `choices`; the others are skipped.
#[derive(Debug, Default)]
pub(super) struct FirstChoice<'a>(pub(super) Option<Choice<'a>>);

/// One choice of a chat or a completions response.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Choice<'a> {
    #[serde(borrow, default)]
    pub(super) delta: Option<Delta<'a>>,
    #[serde(borrow, default)]
    pub(super) message: Option<Delta<'a>>,
    #[serde(borrow, default)]
    pub(super) text: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) finish_reason: Option<&'a RawValue>,
}

/// What a chat response adds, or is.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Delta<'a> {
    #[serde(borrow, default)]
    pub(super) content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) reasoning_content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) reasoning: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) tool_calls: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) function_call: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
struct ToolCall<'a> {
    #[serde(borrow, default)]
    function: Option<ToolFunction<'a>>,
}

#[derive(Debug, Deserialize)]
struct ToolFunction<'a> {
    #[serde(borrow, default)]
    name: Option<&'a RawValue>,
    #[serde(borrow, default)]
    arguments: Option<&'a RawValue>,
}

/// The parts of an error that a server reports inside a response.
#[derive(Debug, Default)]
pub(super) struct InBandError {
    pub(super) code: Option<i32>,
    pub(super) error_type: Option<String>,
    pub(super) message: String,
}

impl<'de: 'a, 'a> Deserialize<'de> for FirstChoice<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct First;
        impl<'de> Visitor<'de> for First {
            type Value = FirstChoice<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of choices")
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(FirstChoice(None))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
                let first = entries.next_element::<Option<Choice<'de>>>()?.flatten();
                while entries.next_element::<IgnoredAny>()?.is_some() {}
                Ok(FirstChoice(first))
            }
        }
        deserializer.deserialize_any(First)
    }
}

impl<'a> Frame<'a> {
    /// Decodes `json`; `None` if it is no JSON object of the expected shape.
    pub(super) fn decode(json: &'a str) -> Option<Self> {
        serde_json::from_str(json).ok()
    }

    /// The `object` field, if it is a plain string.
    pub(super) fn object(&self) -> &'a str {
        self.object.and_then(text_of).unwrap_or_default()
    }

    /// The reported error, if there is one that says anything.
    pub(super) fn error(&self) -> Option<InBandError> {
        in_band_error(self.error)
    }
}

/// The error in a field of that name, if it says anything.
pub(super) fn in_band_error(field: Option<&RawValue>) -> Option<InBandError> {
    let raw = field?.get();
    if matches!(raw, "null" | "false" | "\"\"" | "{}" | "[]") {
        return None;
    }
    Some(InBandError::from_json(raw))
}

/// The same of a value that is parsed already.
pub(super) fn in_band_error_of(value: &serde_json::Value) -> Option<InBandError> {
    in_band_error(Some(&*RawValue::from_string(value.to_string()).ok()?))
}

impl InBandError {
    pub(super) fn from_json(raw: &str) -> Self {
        let value: serde_json::Value = serde_json::from_str(raw).unwrap_or_default();
        let field = |name: &str| value.get(name);
        let code = field("code").and_then(|code| match code {
            serde_json::Value::String(text) => text.parse().ok(),
            other => other.as_i64().and_then(|code| i32::try_from(code).ok()),
        });
        let error_type = field("type").and_then(|name| name.as_str()).map(str::to_owned);
        let message = value.as_str().or_else(|| field("message").and_then(|text| text.as_str()));
        Self { code, error_type, message: message.unwrap_or(raw).to_owned() }
    }
}

/// The inside of a JSON string, still escaped; `None` if the value is something else or empty.
pub(super) fn text_of(value: &RawValue) -> Option<&str> {
    let text = value.get().strip_prefix('"')?.strip_suffix('"')?;
    (!text.is_empty()).then_some(text)
}

/// A JSON string as plain text; `None` if the value is something else or empty.
pub(super) fn plain_text_of(value: &RawValue) -> Option<Cow<'_, str>> {
    let escaped = text_of(value)?;
    if escaped.contains('\\') {
        return serde_json::from_str(value.get()).ok().map(Cow::Owned);
    }
    Some(Cow::Borrowed(escaped))
}

/// Hands over the name and the arguments of each tool call, still escaped, in order.
pub(super) fn for_each_tool_text<'a>(calls: &'a RawValue, mut take: impl FnMut(&'a str)) {
    let Ok(calls) = serde_json::from_str::<Vec<Option<ToolCall<'a>>>>(calls.get()) else {
        return;
    };
    let functions = calls.into_iter().flatten().filter_map(|call| call.function);
    for function in functions {
        for text in [function.name, function.arguments] {
            if let Some(text) = text.and_then(text_of) {
                take(text);
            }
        }
    }
}
