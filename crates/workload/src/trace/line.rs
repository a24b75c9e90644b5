//! One line of a trace to one [`Line`]: lenient in types as AIPerf is, strict in meaning.
//!
//! The line is split into its fields once, unparsed; each field is then read by its own rule, so every
//! complaint names its field. Nothing here depends on other lines.

use std::sync::Arc;

use bytes::Bytes;
use loadgen_core::{Message, Rope};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::fault::LineFault;
use super::value::{
    Object, Text, compact, inside, integer, integers, milliseconds, mismatch, objects, positive, string,
};

/// A line of a trace, read.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// When, in ms of trace time; finite.
    pub timestamp_ms: Option<f64>,
    /// How long after the previous answer, in ms; finite.
    pub delay_ms: Option<f64>,
    /// What is asked.
    pub input: Input,
    /// Tokens asked for, as the line says: may be 0 or negative.
    pub output_length: Option<i64>,
    /// The conversation it belongs to.
    pub session_id: Option<Arc<str>>,
    /// Fields merged last into the body: the inside of a compact JSON object, never empty.
    pub extra: Option<Arc<str>>,
}

/// What a line asks. A line of a trace is in one of four modes: a length, a text, messages, a payload.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// A prompt made up to measure.
    Length {
        /// Its tokens; 1 to [`LONGEST_PROMPT`](crate::LONGEST_PROMPT).
        tokens: u32,
        /// The ids of its leading blocks; at most as many as it has blocks.
        hash_ids: Arc<[i64]>,
    },
    /// A prompt as it stands, JSON-escaped.
    Text(Bytes),
    /// Messages, and tools, as compact JSON arrays.
    Messages {
        /// The messages.
        messages: Bytes,
        /// The tools.
        tools: Option<Bytes>,
    },
    /// A message of text and media.
    Message(Arc<Message>),
    /// A query and passages to rank.
    Ranking {
        /// The query.
        query: Rope,
        /// The passages.
        passages: Arc<[Rope]>,
    },
    /// A whole body, compact.
    Payload(Bytes),
}

impl Input {
    /// The name of the mode's field.
    pub(super) fn mode(&self) -> &'static str {
        match self {
            Self::Length { .. } => "input_length",
            Self::Text(_) => "text_input",
            Self::Messages { .. } => "messages",
            Self::Message(_) => "texts and media",
            Self::Ranking { .. } => "passages to rank",
            Self::Payload(_) => "payload",
        }
    }
}

/// Ids, of which the last may stand for a short block, cut `tokens` into the sizes that they stand for.
pub(crate) fn block_sizes(tokens: u32, ids: usize, block_size: u32) -> impl Iterator<Item = u32> {
    (0..ids).map(move |at| {
        let before = u64::from(block_size) * at as u64;
        u64::from(tokens).saturating_sub(before).min(u64::from(block_size)) as u32
    })
}

/// Reads a line; `None` for a blank one. `block_size` is how many tokens a hash id stands for; at least 1.
pub fn parse_line(line: &[u8], block_size: u32) -> Result<Option<Line>, LineFault> {
    let line = line.trim_ascii();
    if line.is_empty() {
        return Ok(None);
    }
    let text = text_of(line)?;
    let fields: Fields<'_> = serde_json::from_str(text).map_err(|error| LineFault::not_json(text, &error))?;
    fields.read(block_size).map(Some)
}

/// A line as text.
pub(super) fn text_of(line: &[u8]) -> Result<&str, LineFault> {
    std::str::from_utf8(line)
        .map_err(|error| LineFault::NotJson(format!("not UTF-8 after byte {}", error.valid_up_to())))
}

/// The fields of a line that mean something, unparsed; of a repeated key the last.
#[derive(Default)]
struct Fields<'a> {
    timestamp: Option<&'a RawValue>,
    delay: Option<&'a RawValue>,
    input_length: Option<&'a RawValue>,
    output_length: Option<&'a RawValue>,
    hash_ids: Option<&'a RawValue>,
    text_input: Option<&'a RawValue>,
    messages: Option<&'a RawValue>,
    tools: Option<&'a RawValue>,
    payload: Option<&'a RawValue>,
    session_id: Option<&'a RawValue>,
    extra: Option<&'a RawValue>,
    kind: Option<&'a RawValue>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Whole;
        impl<'de> Visitor<'de> for Whole {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Fields<'de>, M::Error> {
                let mut fields = Fields::default();
                while let Some(key) = map.next_key::<Text<'de>>()? {
                    let Some(slot) = fields.slot(&key.0) else {
                        map.next_value::<IgnoredAny>()?;
                        continue;
                    };
                    // `null` reads as `None`: the field is as if it were not there.
                    *slot = map.next_value()?;
                }
                Ok(fields)
            }
        }
        deserializer.deserialize_map(Whole)
    }
}

impl<'a> Fields<'a> {
    fn slot(&mut self, key: &str) -> Option<&mut Option<&'a RawValue>> {
        Some(match key {
            "timestamp" => &mut self.timestamp,
            "delay" => &mut self.delay,
            "input_length" => &mut self.input_length,
            "output_length" => &mut self.output_length,
            "hash_ids" => &mut self.hash_ids,
            "text_input" => &mut self.text_input,
            "messages" => &mut self.messages,
            "tools" => &mut self.tools,
            "payload" => &mut self.payload,
            "session_id" => &mut self.session_id,
            "extra" => &mut self.extra,
            "type" => &mut self.kind,
            _ => return None,
        })
    }

    fn read(&self, block_size: u32) -> Result<Line, LineFault> {
        if let Some(kind) = self.kind
            && string("type", kind)? != "mooncake_trace"
        {
            return Err(mismatch("type", "\"mooncake_trace\"", kind));
        }
        Ok(Line {
            timestamp_ms: self.timestamp.map(|raw| milliseconds("timestamp", raw)).transpose()?,
            delay_ms: self.delay.map(|raw| milliseconds("delay", raw)).transpose()?,
            input: self.input(block_size)?,
            output_length: self.output_length.map(|raw| integer("output_length", raw)).transpose()?,
            session_id: match self.session_id {
                Some(raw) => Some(Arc::from(string("session_id", raw)?)),
                None => None,
            },
            extra: match self.extra {
                Some(raw) => inside("extra", raw)?.map(Arc::from),
                None => None,
            },
        })
    }

    fn input(&self, block_size: u32) -> Result<Input, LineFault> {
        let modes = [
            ("input_length", self.input_length),
            ("text_input", self.text_input),
            ("messages", self.messages),
            ("payload", self.payload),
        ];
        let mut given = modes.iter().filter_map(|(name, raw)| raw.map(|raw| (*name, raw)));
        let Some((mode, raw)) = given.next() else { return Err(LineFault::NoMode) };
        let others: Vec<&str> = given.map(|(name, _)| name).collect();
        if !others.is_empty() {
            return Err(LineFault::ManyModes(format!("{mode} and {}", others.join(" and "))));
        }
        let hash_ids = self.hash_ids.map(integers).transpose()?.unwrap_or_default();
        if mode != "input_length" && !hash_ids.is_empty() {
            return Err(LineFault::Needs { field: "hash_ids", with: "input_length" });
        }
        if mode != "messages" && self.tools.is_some() {
            return Err(LineFault::Needs { field: "tools", with: "messages" });
        }
        match mode {
            "input_length" => {
                let tokens = positive(integer("input_length", raw)?, raw)?;
                let blocks = tokens.div_ceil(block_size);
                if hash_ids.len() > blocks as usize {
                    let ids = hash_ids.len();
                    return Err(LineFault::TooManyIds { ids, input_length: tokens, blocks, block_size });
                }
                Ok(Input::Length { tokens, hash_ids: hash_ids.into() })
            }
            "text_input" => {
                // Read once, so that half a surrogate pair is found here and not by a tokenizer.
                string("text_input", raw)?;
                let quoted = raw.get();
                Ok(Input::Text(Bytes::copy_from_slice(&quoted.as_bytes()[1..quoted.len() - 1])))
            }
            "messages" => {
                #[derive(Deserialize)]
                struct Message {
                    #[serde(rename = "role")]
                    _role: IgnoredAny,
                }
                let messages = objects::<Message>(
                    "messages",
                    "a list, not empty, of objects that each have a role",
                    raw,
                )?;
                let tools = self
                    .tools
                    .map(|raw| objects::<Object>("tools", "a list, not empty, of objects", raw))
                    .transpose()?;
                Ok(Input::Messages { messages, tools })
            }
            _ => match inside("payload", raw)? {
                Some(_) => Ok(Input::Payload(compact(raw.get()).into())),
                None => Err(mismatch("payload", "an object, not empty", raw)),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn read(line: &str) -> Line {
        parse_line(line.as_bytes(), 512).unwrap().unwrap()
    }

    fn fault(line: &str) -> String {
        parse_line(line.as_bytes(), 512).unwrap_err().to_string()
    }

    #[test]
    fn a_line_of_the_real_trace() {
        let line = read(
            r#"{"timestamp": 27482, "input_length": 1030, "output_length": 52, "hash_ids": [46, 47, 2366]}"#,
        );
        assert_eq!(line.timestamp_ms, Some(27_482.0));
        assert_eq!(line.output_length, Some(52));
        assert_eq!(line.input, Input::Length { tokens: 1030, hash_ids: [46, 47, 2366].into() });
    }

    #[test]
    fn types_are_as_lenient_as_pydantic() {
        let line =
            read(r#"{"timestamp":"1.5","input_length":"12","output_length":7.0,"hash_ids":null,"x":{}}"#);
        assert_eq!(line.timestamp_ms, Some(1.5));
        assert_eq!(line.output_length, Some(7));
        assert_eq!(line.input, Input::Length { tokens: 12, hash_ids: [].into() });
        assert_eq!(
            read(r#"{"input_length":5,"hash_ids":[1.0]}"#).input,
            Input::Length { tokens: 5, hash_ids: [1].into() }
        );
        assert_eq!(
            read(r#"{"input_length":1024,"hash_ids":[1,18446744073709551615]}"#).input,
            Input::Length { tokens: 1024, hash_ids: [1, -1].into() }
        );
        assert_eq!(parse_line(b"  \n", 512), Ok(None));
    }

    #[test]
    fn the_other_modes_are_kept_as_they_stand_but_for_blanks() {
        assert_eq!(read(r#"{"text_input":"a\n\"b\""}"#).input, Input::Text(r#"a\n\"b\""#.into()));
        let line = read(
            r#"{"messages":[{"role":"user","content":"x"}],"tools":[{"a":1}],"extra":{ "temperature": 0.3 }}"#,
        );
        assert_eq!(
            line.input,
            Input::Messages {
                messages: r#"[{"role":"user","content":"x"}]"#.into(),
                tools: Some(r#"[{"a":1}]"#.into())
            }
        );
        assert_eq!(line.extra.as_deref(), Some(r#""temperature":0.3"#));
        assert_eq!(read(r#"{"payload":{ "zz": 1 }}"#).input, Input::Payload(r#"{"zz":1}"#.into()));
    }

    #[test]
    fn the_longest_prompt_is_read() {
        let line = read(r#"{"input_length":16777216}"#);
        assert_eq!(line.input, Input::Length { tokens: crate::LONGEST_PROMPT, hash_ids: [].into() });
    }

    #[test]
    fn every_fault_names_its_field() {
        let lines = [
            "{",
            "[1]",
            "7",
            r#"{"input_length":5} x"#,
            r#"{"timestamp": NaN, "input_length": 5}"#,
            r#"{"timestamp":0,"input_length":-Infinity}"#,
            r#"{"timestamp":"nan","input_length":5}"#,
            r#"{"timestamp":1e999,"input_length":5}"#,
            r#"{"timestamp":"soon","input_length":5}"#,
            r#"{"timestamp":1e13,"input_length":5}"#,
            r#"{"timestamp":0}"#,
            r#"{"input_length":5,"text_input":"x","payload":{"a":1}}"#,
            r#"{"input_length":0}"#,
            r#"{"input_length":-3}"#,
            r#"{"input_length":12.5}"#,
            r#"{"input_length":16777217}"#,
            r#"{"input_length":4294967296}"#,
            r#"{"input_length":5,"output_length":"many"}"#,
            r#"{"input_length":5,"hash_ids":7}"#,
            r#"{"input_length":5,"hash_ids":["a"]}"#,
            r#"{"input_length":512,"hash_ids":[1,2]}"#,
            r#"{"text_input":"x","hash_ids":[1]}"#,
            r#"{"text_input":"x","tools":[{}]}"#,
            r#"{"text_input":["x"]}"#,
            r#"{"text_input":"\ud800"}"#,
            r#"{"messages":[]}"#,
            r#"{"messages":[{"content":"no role"}]}"#,
            r#"{"messages":[{"role":"user"}],"tools":[]}"#,
            r#"{"payload":{}}"#,
            r#"{"payload":[1]}"#,
            r#"{"input_length":5,"session_id":7}"#,
            r#"{"input_length":5,"extra":"x"}"#,
            r#"{"input_length":5,"type":"bailian_trace"}"#,
        ];
        let report: Vec<String> = lines.iter().map(|line| format!("{line}\n  {}", fault(line))).collect();
        insta::assert_snapshot!(report.join("\n"));
        assert!(parse_line(b"{\"a\":\"\xff\"}", 512).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(line in prop::collection::vec(any::<u8>(), 0..200), block_size in 1_u32..1000) {
            let _ = parse_line(&line, block_size);
        }

        #[test]
        fn no_json_makes_it_panic(
            line in "\\{(\"(timestamp|input_length|hash_ids|text_input|payload|extra|messages)\":(NaN|-?[0-9]{1,25}|1e999|\"x\"|\\[1\\]|\\{\\}|null),?){0,4}\\}?",
        ) {
            let _ = parse_line(line.as_bytes(), 16);
        }

        #[test]
        fn whatever_is_written_is_read(
            timestamp in 0_u32.., tokens in 1_u32..100_000, output in 0_i64..5000, ids in prop::collection::vec(any::<i64>(), 0..40),
        ) {
            let ids: Vec<i64> = ids.into_iter().take(tokens.div_ceil(512) as usize).collect();
            let row = super::super::TraceRow {
                timestamp: Some(f64::from(timestamp)),
                input_length: Some(tokens),
                output_length: Some(output),
                hash_ids: Some(ids.clone()),
                ..Default::default()
            };
            let line = read(&serde_json::to_string(&row).unwrap());
            prop_assert_eq!(line.timestamp_ms, Some(f64::from(timestamp)));
            prop_assert_eq!(line.output_length, Some(output));
            prop_assert_eq!(line.input, Input::Length { tokens, hash_ids: ids.into() });
        }

        #[test]
        fn block_sizes_sum_to_the_tokens_they_cover(tokens in 1_u32..100_000, block_size in 1_u32..1000) {
            let blocks = tokens.div_ceil(block_size) as usize;
            prop_assert_eq!(block_sizes(tokens, blocks, block_size).sum::<u32>(), tokens);
            prop_assert!(block_sizes(tokens, blocks, block_size).all(|size| size > 0));
        }
    }
}
