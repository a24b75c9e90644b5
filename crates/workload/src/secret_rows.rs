//! Which rows of a trace hold secrets, and what may be kept of them.
//!
//! Found once, when a trace is loaded, so that a request of any other row costs nothing. What a secret is, whoever
//! asks says.

use std::collections::HashMap;

use bytes::Bytes;

use crate::trace::{Input, Row};

/// The rows that hold secrets, by their position: of a ready body, and of the tools beside ready messages, what
/// may be kept.
#[derive(Default)]
pub(crate) struct SecretRows(HashMap<u64, Option<Bytes>>);

impl SecretRows {
    /// Looks through all rows. `clean` gives a JSON object without its secrets, and nothing for one without any.
    pub(crate) fn among(rows: &[Row], clean: impl Fn(&[u8]) -> Option<Vec<u8>>) -> Self {
        let found = rows.iter().enumerate().filter_map(|(position, row)| {
            let shown = match &row.input {
                Input::Payload(body) => clean(body),
                Input::Messages { tools: Some(tools), .. } => clean_tools(tools, &clean),
                _ => None,
            };
            let extra =
                row.extra.as_deref().is_some_and(|extra| clean(format!("{{{extra}}}").as_bytes()).is_some());
            (extra || shown.is_some()).then(|| (position as u64, shown.map(Bytes::from)))
        });
        Self(found.collect())
    }

    /// Whether the row holds any.
    pub(crate) fn has(&self, position: u64) -> bool {
        !self.0.is_empty() && self.0.contains_key(&position)
    }

    /// What may be kept of the row's body or tools, where that is not all.
    pub(crate) fn shown(&self, position: u64) -> Option<Bytes> {
        if self.0.is_empty() {
            return None;
        }
        self.0.get(&position).cloned().flatten()
    }
}

/// The array of tools without its secrets, if it has any.
fn clean_tools(tools: &[u8], clean: impl Fn(&[u8]) -> Option<Vec<u8>>) -> Option<Vec<u8>> {
    const BEFORE: &[u8] = b"{\"tools\":";
    let cleaned = clean(&[BEFORE, tools, b"}"].concat())?;
    Some(cleaned.strip_prefix(BEFORE)?.strip_suffix(b"}")?.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Calls `x` a secret.
    fn clean(object: &[u8]) -> Option<Vec<u8>> {
        let text = String::from_utf8_lossy(object);
        text.contains('x').then(|| text.replace('x', "-").into_bytes())
    }

    #[test]
    fn rows_with_secrets_are_found_and_others_are_none() {
        let row = |input: Input, extra: Option<&str>| Row {
            index: 0,
            line: 1,
            input,
            timestamp_ms: None,
            delay_ms: None,
            output_length: None,
            extra: extra.map(Into::into),
        };
        let messages =
            |tools: &'static str| Input::Messages { messages: "[]".into(), tools: Some(tools.into()) };
        let rows = [
            row(Input::Payload(r#"{"a":"x"}"#.into()), None),
            row(Input::Payload(r#"{"a":"b"}"#.into()), None),
            row(messages(r#"[{"a":"x"}]"#), None),
            row(messages(r#"[{"a":"b"}]"#), None),
            row(Input::Text("x".into()), None),
            row(Input::Text("x".into()), Some(r#""a":"x""#)),
        ];
        let found = SecretRows::among(&rows, clean);
        let shown =
            |position| found.shown(position).map(|shown| String::from_utf8_lossy(&shown).into_owned());
        assert_eq!(shown(0).as_deref(), Some(r#"{"a":"-"}"#));
        assert_eq!(shown(2).as_deref(), Some(r#"[{"a":"-"}]"#));
        assert_eq!([1, 3, 4, 5].map(shown), [None, None, None, None]);
        let has: Vec<u64> = (0..6).filter(|position| found.has(*position)).collect();
        assert_eq!(has, [0, 2, 5]);
    }
}
