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
    groups: HashMap<(Option<i32>, String, String), (ErrorDetail, u64)>,
    ungrouped: u64,
}

/// Groups in order, and the errors that found no place.
pub(super) struct Grouped {
    pub(super) groups: Vec<(ErrorDetail, u64)>,
    pub(super) ungrouped: u64,
}

impl ErrorGroups {
    pub(super) fn add(&mut self, record: &RequestRecord) {
        let detail = record.error.clone().unwrap_or_else(|| unexplained(record));
        let key = (detail.code, detail.error_type.clone(), detail.message.clone());
        if let Some((_, count)) = self.groups.get_mut(&key) {
            *count += 1;
        } else if self.groups.len() < GROUPS {
            self.groups.insert(key, (detail, 1));
        } else {
            self.ungrouped += 1;
        }
    }

    /// Most frequent first; of equally frequent ones in the order of what they say.
    pub(super) fn finish(self) -> Grouped {
        let mut groups: Vec<_> = self.groups.into_values().collect();
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
