//! What became of a request. Failures are data: each keeps its instants and says why.

use serde::{Deserialize, Serialize};

/// What became of a scheduled request. Every scheduled request ends as exactly one of these, so
/// `scheduled = ok + failed + cancelled + aborted + not_sent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Outcome {
    /// A complete response with content.
    Ok,
    /// Failed, in one of five ways.
    Failed(FailureKind),
    /// Cancelled by plan (a cancellation rate).
    Cancelled,
    /// In flight when the run ended: deadline plus grace, or an interrupt.
    Aborted,
    /// Scheduled, but its turn to be sent never came before the run ended.
    NotSent,
}

/// How a request failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum FailureKind {
    /// A status outside 200..=299.
    HttpError,
    /// No connection: refused, unreachable, name not found, TLS refused.
    ConnectError,
    /// Not finished within the request timeout.
    Timeout,
    /// The connection or the stream broke, or the server reported an error inside it.
    StreamError,
    /// A complete response without any content we could read.
    InvalidResponse,
}

impl Outcome {
    /// Every outcome, in the order of the record's dictionary.
    pub const ALL: [Self; 9] = [
        Self::Ok,
        Self::Failed(FailureKind::HttpError),
        Self::Failed(FailureKind::ConnectError),
        Self::Failed(FailureKind::Timeout),
        Self::Failed(FailureKind::StreamError),
        Self::Failed(FailureKind::InvalidResponse),
        Self::Cancelled,
        Self::Aborted,
        Self::NotSent,
    ];

    /// The name in every file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed(FailureKind::HttpError) => "http_error",
            Self::Failed(FailureKind::ConnectError) => "connect_error",
            Self::Failed(FailureKind::Timeout) => "timeout",
            Self::Failed(FailureKind::StreamError) => "stream_error",
            Self::Failed(FailureKind::InvalidResponse) => "invalid_response",
            Self::Cancelled => "cancelled",
            Self::Aborted => "aborted",
            Self::NotSent => "not_sent",
        }
    }

    /// Whether AIPerf would have written a record of it: all but those cut off by the end of the run.
    pub fn is_reported(self) -> bool {
        !matches!(self, Self::Aborted | Self::NotSent)
    }

    /// Whether it counts as an error in AIPerf's sense: reported, and not a success.
    pub fn is_error(self) -> bool {
        self.is_reported() && self != Self::Ok
    }
}

/// Why a request failed, in AIPerf's terms.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ErrorDetail {
    /// The HTTP status, 499 for a planned cancellation, 502 for an error event in a stream; absent
    /// where no code applies.
    pub code: Option<i32>,
    /// The class of the error: a reason phrase, or an error type's name.
    pub error_type: String,
    /// What was said, secrets removed.
    pub message: String,
    /// The underlying cause, if one is known.
    pub cause: Option<String>,
    /// The chain of causes, outermost first.
    pub cause_chain: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinct_and_only_the_cut_off_go_unreported() {
        let names: std::collections::BTreeSet<_> =
            Outcome::ALL.iter().map(|outcome| outcome.name()).collect();
        assert_eq!(names.len(), Outcome::ALL.len());
        let silent: Vec<_> = Outcome::ALL.into_iter().filter(|outcome| !outcome.is_reported()).collect();
        assert_eq!(silent, [Outcome::Aborted, Outcome::NotSent]);
        assert!(!Outcome::Ok.is_error());
        assert!(Outcome::Cancelled.is_error());
    }
}
