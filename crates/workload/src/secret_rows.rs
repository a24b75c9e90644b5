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
