//! Errors grouped by what they say.

use std::collections::HashMap;

use loadgen_core::{ErrorDetail, RequestRecord};

/// Most distinct errors kept; a server that puts a request id into every message has one for each.
const GROUPS: usize = 1000;

/// What an error's body says, lower case, when the prompt was too long for the model.
const OVERFLOW_PHRASES: [&str; 4] =
    ["context length", "maximum context", "context_length_exceeded", "prompt is too long"];

/// Errors by (code, type, message).
#[derive(Debug, Clone, Default)]
pub(super) struct ErrorGroups {
    /// By message, so that an error seen before is found without a copy of its texts.
    groups: HashMap<String, Vec<(ErrorDetail, u64)>>,
    /// Groups under all messages.
    distinct: usize,
    ungrouped: u64,
}

/// Groups in order, and the errors that found no place.
pub(super) struct Grouped {
    pub(super) groups: Vec<(ErrorDetail, u64)>,
    pub(super) ungrouped: u64,
}

impl ErrorGroups {
    pub(super) fn add(&mut self, record: &RequestRecord) {
        match &record.error {
            Some(detail) => self.count(detail),
            None => self.count(&unexplained(record)),
        }
    }

    pub(super) fn count(&mut self, detail: &ErrorDetail) {
        let is_same =
            |known: &ErrorDetail| (known.code, &known.error_type) == (detail.code, &detail.error_type);
        let same_message = self.groups.get_mut(&detail.message);
        if let Some((_, count)) =
            same_message.and_then(|groups| groups.iter_mut().find(|(known, _)| is_same(known)))
        {
            *count += 1;
        } else if self.distinct < GROUPS {
            self.distinct += 1;
            self.groups.entry(detail.message.clone()).or_default().push((detail.clone(), 1));
        } else {
            self.ungrouped += 1;
        }
    }

    /// Most frequent first; of equally frequent ones in the order of what they say.
    pub(super) fn finish(self) -> Grouped {
        let mut groups: Vec<_> = self.groups.into_values().flatten().collect();
        groups.sort_unstable_by(|(left, many), (right, few)| few.cmp(many).then_with(|| left.cmp(right)));
        Grouped { groups, ungrouped: self.ungrouped }
    }
}

/// An error without a word: its kind must do.
fn unexplained(record: &RequestRecord) -> ErrorDetail {
    ErrorDetail {
        code: record.status.map(i32::from).filter(|code| !(200..300).contains(code)),
        error_type: record.outcome.name().to_owned(),
        message: String::new(),
        cause: None,
        cause_chain: Vec::new(),
    }
}

pub(super) fn is_context_overflow(record: &RequestRecord) -> bool {
    let Some(error) = &record.error else { return false };
    let message = error.message.to_ascii_lowercase();
    OVERFLOW_PHRASES.iter().any(|phrase| message.contains(phrase))
}
