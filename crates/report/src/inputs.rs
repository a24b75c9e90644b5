//! `inputs.json`: what would be sent, one entry a conversation, written as it is made.
//!
//! Payloads come as ready JSON and go out re-indented byte by byte: numbers and strings stay as they
//! were written, and a conversation is all that is ever in memory.

use std::io::{self, Write};

/// Writes the file conversation by conversation.
#[derive(Debug)]
pub struct InputsJson<W: Write> {
    out: W,
    is_first: bool,
}

impl<W: Write> InputsJson<W> {
    /// Begins the file.
    pub fn new(mut out: W) -> io::Result<Self> {
        out.write_all(b"{\n  \"data\": [")?;
        Ok(Self { out, is_first: true })
    }

    /// Adds one conversation: its id, and for each turn the body as it would be sent.
    ///
    /// `payloads` must be valid JSON; anything else would make the file invalid too.
    pub fn session<'a>(
        &mut self,
        session_id: &str,
        payloads: impl IntoIterator<Item = &'a [u8]>,
    ) -> io::Result<()> {
        let id = serde_json::to_string(session_id)?;
        let comma = if self.is_first { "" } else { "," };
        self.is_first = false;
        write!(self.out, "{comma}\n    {{\n      \"session_id\": {id},\n      \"payloads\": [")?;
        let mut text = Vec::new();
        for (index, payload) in payloads.into_iter().enumerate() {
            text.clear();
            text.extend_from_slice(if index == 0 { b"\n        " } else { b",\n        " });
            indent(payload, 4, &mut text);
            self.out.write_all(&text)?;
        }
        // A list without entries closes where it opened.
        let end = if text.is_empty() { "]" } else { "\n      ]" };
        write!(self.out, "{end}\n    }}")
    }

    /// Ends the file and gives the writer back, flushed.
    pub fn finish(mut self) -> io::Result<W> {
        let end: &[u8] = if self.is_first { b"]\n}" } else { b"\n  ]\n}" };
        self.out.write_all(end)?;
        self.out.flush()?;
        Ok(self.out)
    }
}

/// Appends valid JSON indented by two spaces a level, its first line `depth` levels in already.
fn indent(json: &[u8], mut depth: usize, out: &mut Vec<u8>) {
    let mut in_string = false;
    let mut is_escaped = false;
    let mut is_open = false;
    let line = |out: &mut Vec<u8>, depth: usize| {
        out.push(b'\n');
        out.resize(out.len() + depth * 2, b' ');
    };
    for &byte in json {
        if in_string {
            out.push(byte);
            in_string = byte != b'"' || is_escaped;
            is_escaped = byte == b'\\' && !is_escaped;
            continue;
        }
        let closes = matches!(byte, b'}' | b']');
        if byte.is_ascii_whitespace() {
            continue;
        }
        // Whatever follows a bracket, except its own close, begins a line; so `{}` stays together.
        if is_open && !closes {
            line(out, depth);
        }
        match byte {
            b'{' | b'[' => {
                out.push(byte);
                depth += 1;
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                if !is_open {
                    line(out, depth);
                }
                out.push(byte);
            }
            b',' => {
                out.push(byte);
                line(out, depth);
            }
            b':' => out.extend_from_slice(b": "),
            _ => {
                in_string = byte == b'"';
                out.push(byte);
            }
        }
        is_open = matches!(byte, b'{' | b'[');
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn write(sessions: &[(&str, Vec<String>)]) -> String {
        let mut inputs = InputsJson::new(Vec::new()).unwrap();
        for (id, payloads) in sessions {
            inputs.session(id, payloads.iter().map(String::as_bytes)).unwrap();
        }
        String::from_utf8(inputs.finish().unwrap()).unwrap()
    }

    #[test]
    fn the_file_looks_as_aiperf_writes_it() {
        let body = r#"{"messages":[{"role":"user","content":"a \"quoted\" {word}, [x]: \\"}],"model":"m","stream":true,"stop":[],"max_completion_tokens":8,"stream_options":{"include_usage":true}}"#;
        insta::assert_snapshot!(write(&[("session_000000", vec![body.to_owned()])]), @r#"
        {
          "data": [
            {
              "session_id": "session_000000",
              "payloads": [
                {
                  "messages": [
                    {
                      "role": "user",
                      "content": "a \"quoted\" {word}, [x]: \\"
                    }
                  ],
                  "model": "m",
                  "stream": true,
                  "stop": [],
                  "max_completion_tokens": 8,
                  "stream_options": {
                    "include_usage": true
                  }
                }
              ]
            }
          ]
        }
        "#);
    }

    #[test]
    fn nothing_to_send_is_an_empty_list() {
        assert_eq!(write(&[]), "{\n  \"data\": []\n}");
        let parsed: Value = serde_json::from_str(&write(&[("a", vec![])])).unwrap();
        assert_eq!(parsed, json!({"data": [{"session_id": "a", "payloads": []}]}));
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".*".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::vec((".*", inner), 0..5)
                    .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
            ]
        })
    }

    proptest! {
        /// Re-indenting is exactly what a pretty printer would have written.
        #[test]
        fn indenting_equals_pretty_printing(value in any_json()) {
            let mut out = Vec::new();
            indent(value.to_string().as_bytes(), 0, &mut out);
            prop_assert_eq!(String::from_utf8(out).unwrap(), serde_json::to_string_pretty(&value).unwrap());
        }
    }
}
