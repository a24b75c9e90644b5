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

impl ErrorDetail {
    /// What happened, in plain words: `message` is often an exception as Python shows it, as AIPerf has it.
    pub fn in_words(&self) -> String {
        if self.message.trim().is_empty() {
            return self.class();
        }
        let Some(arguments) = self.arguments() else { return self.message.clone() };
        let cause = self.cause.as_deref().map(said_by).unwrap_or_default();
        match self.error_type.as_str() {
            "ClientConnectorDNSError" => format!("cannot resolve {}: {cause}", self.host().0),
            "ClientConnectorError" => {
                let (host, port) = self.host();
                // What the system says of the number, where the text only says which address it was.
                let cause = match self.cause_chain.last().map(String::as_str) {
                    Some("ConnectionRefusedError") => "Connection refused".to_owned(),
                    Some("ConnectionResetError") => "Connection reset by peer".to_owned(),
                    Some("TimeoutError") => "Connection timed out".to_owned(),
                    _ => cause,
                };
                format!("cannot connect to {host} port {port}: {cause}")
            }
            "ClientOSError" => {
                format!("the connection broke before an answer came: {}", said_by(&self.message))
            }
            "ServerDisconnectedError" => "the server closed the connection without an answer".to_owned(),
            "ClientPayloadError" if self.is_of_coding() => {
                // Which coding stands at the end of what is said.
                let coding = unquoted(arguments).rsplit(": ").next().unwrap_or_default().trim().to_owned();
                format!("the body cannot be unpacked: it is marked as {coding}, and is not or is damaged")
            }
            "ClientPayloadError" => match self.cause.as_deref() {
                Some(told) if !told.starts_with('<') => {
                    format!("the connection broke before the response was complete: {told}")
                }
                _ => "the connection broke before the response was complete".to_owned(),
            },
            "TimeoutError" => "not finished within the request timeout".to_owned(),
            "InvalidInferenceResultError" => {
                let message = said_by(&self.message);
                let says = message.strip_prefix("Invalid inference result: ").unwrap_or(&message).to_owned();
                self.cause.clone().unwrap_or(says)
            }
            _ => unquoted(arguments),
        }
    }

    /// What it is called, where nothing more was said: `401 Unauthorized`.
    fn class(&self) -> String {
        match (self.code, self.error_type.trim()) {
            (Some(code), "") => format!("status {code}, without a word"),
            (Some(code), class) => format!("{code} {class}"),
            (None, "") => "failed without a word".to_owned(),
            (None, class) => class.to_owned(),
        }
    }

    /// Whether a body could not be unpacked.
    fn is_of_coding(&self) -> bool {
        self.cause_chain.iter().any(|class| class == "ContentEncodingError")
    }

    /// What stands in the parentheses of an exception that `message` shows.
    fn arguments(&self) -> Option<&str> {
        self.message.strip_prefix(self.error_type.as_str())?.strip_prefix('(')?.strip_suffix(')')
    }

    /// Host and port of an exception that names its connection.
    fn host(&self) -> (&str, &str) {
        let behind = |mark: &str| self.message.split_once(mark).map_or("", |(_, rest)| rest);
        let host = behind("host='").split('\'').next().unwrap_or_default();
        (host, behind("port=").split([',', ')']).next().unwrap_or_default())
    }
}

/// The last argument of an exception: what it says.
fn said_by(exception: &str) -> String {
    let arguments = exception.split_once('(').map_or(exception, |(_, rest)| rest);
    let arguments = arguments.strip_suffix(')').unwrap_or(arguments);
    // `Class(111, 'text')`: the text is behind the number.
    let text = match arguments.split_once(", ") {
        Some((number, text)) if number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') => text,
        _ => arguments,
    };
    unquoted(text)
}

/// A text without the quotes in which Python shows it.
fn unquoted(text: &str) -> String {
    let inside = ['\'', '"'].into_iter().find_map(|quote| text.strip_prefix(quote)?.strip_suffix(quote));
    inside.unwrap_or(text).replace("\\'", "'").replace("\\n", " ").replace("\\\\", "\\")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exception(error_type: &str, message: &str, cause: Option<&str>, chain: &[&str]) -> ErrorDetail {
        ErrorDetail {
            code: None,
            error_type: error_type.to_owned(),
            message: message.to_owned(),
            cause: cause.map(str::to_owned),
            cause_chain: chain.iter().map(|class| (*class).to_owned()).collect(),
        }
    }

    #[test]
    fn exceptions_are_told_in_plain_words() {
        let refused = exception(
            "ClientConnectorError",
            "ClientConnectorError(ConnectionKey(host='h', port=9, is_ssl=False), ConnectionRefusedError(111, \"Connect call failed ('127.0.0.1', 9)\"))",
            Some("ConnectionRefusedError(111, \"Connect call failed ('127.0.0.1', 9)\")"),
            &["ClientConnectorError", "ConnectionRefusedError"],
        );
        assert_eq!(refused.in_words(), "cannot connect to h port 9: Connection refused");
        let unknown = exception(
            "ClientConnectorDNSError",
            "ClientConnectorDNSError(ConnectionKey(host='no.where', port=80), gaierror(-2, 'Name or service not known'))",
            Some("gaierror(-2, 'Name or service not known')"),
            &["ClientConnectorDNSError", "gaierror"],
        );
        assert_eq!(unknown.in_words(), "cannot resolve no.where: Name or service not known");
        let full = exception(
            "ClientConnectorError",
            "ClientConnectorError(ConnectionKey(host='h', port=9), OSError(24, 'Too many open files'))",
            Some("OSError(24, 'Too many open files')"),
            &["ClientConnectorError", "OSError"],
        );
        assert_eq!(full.in_words(), "cannot connect to h port 9: Too many open files");
        let reset = "ClientOSError(104, 'Connection reset by peer')";
        assert_eq!(
            exception("ClientOSError", reset, None, &[]).in_words(),
            "the connection broke before an answer came: Connection reset by peer"
        );
        let event = "SSEResponseError('Error occurred in SSE response: it\\'s over')";
        assert_eq!(
            exception("SSEResponseError", event, None, &[]).in_words(),
            "Error occurred in SSE response: it's over"
        );
        let empty = "InvalidInferenceResultError('Invalid inference result: nothing came')";
        let invalid = |cause| exception("InvalidInferenceResultError", empty, cause, &[]).in_words();
        assert_eq!(invalid(None), "nothing came");
        assert_eq!(invalid(Some("the server answered with text/html")), "the server answered with text/html");
        let plain = exception("Too Many Requests", "{\"detail\": \"slow\"}", None, &[]);
        assert_eq!(plain.in_words(), "{\"detail\": \"slow\"}");
    }

    #[test]
    fn an_error_without_a_word_is_told_by_its_class() {
        let silent = |code, class: &str, message: &str| {
            ErrorDetail { code, ..exception(class, message, None, &[]) }.in_words()
        };
        assert_eq!(silent(Some(401), "Unauthorized", ""), "401 Unauthorized");
        assert_eq!(silent(Some(307), "Temporary Redirect", "\r\n"), "307 Temporary Redirect");
        assert_eq!(silent(Some(401), "", ""), "status 401, without a word");
        assert_eq!(silent(None, "SomeError", ""), "SomeError");
        assert_eq!(silent(Some(401), "Unauthorized", "no key"), "no key");
    }

    #[test]
    fn a_body_that_cannot_be_unpacked_is_told_as_that() {
        let says = "ClientPayloadError('400, message:\\n  Can not decode content-encoding: gzip')";
        let cause = "<ContentEncodingError: 400, message='Can not decode content-encoding: gzip'>";
        let broken = exception(
            "ClientPayloadError",
            says,
            Some(cause),
            &["ClientPayloadError", "ContentEncodingError", "error"],
        );
        assert_eq!(
            broken.in_words(),
            "the body cannot be unpacked: it is marked as gzip, and is not or is damaged"
        );
    }

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
