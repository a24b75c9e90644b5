//! Exceptions as Python shows them: AIPerf's error texts are the `repr` of what its HTTP library raised,
//! and tools tell errors apart by them.
//!
//! What this file does not know: when which is raised. Texts follow AIPerf 0.13 with aiohttp 3.14, seen
//! in runs against servers that fail in each of these ways.

use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;

use loadgen_core::ErrorDetail;

use crate::error::detail;
use crate::target::Target;

/// An exception: its class, and its `repr`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Exception {
    class: &'static str,
    repr: String,
}

impl Exception {
    /// `Class('text')`, and `Class()` for an empty text.
    pub(crate) fn said(class: &'static str, text: &str) -> Self {
        let argument = if text.is_empty() { String::new() } else { quoted(text) };
        Self { class, repr: format!("{class}({argument})") }
    }

    /// `Class(argument, argument)`, each argument a `repr` of its own.
    fn with(class: &'static str, arguments: &[&str]) -> Self {
        Self { class, repr: format!("{class}({})", arguments.join(", ")) }
    }

    /// An exception of aiohttp's HTTP parser, which shows itself in angle brackets.
    pub(crate) fn http(class: &'static str, text: &str) -> Self {
        Self { class, repr: format!("<{class}: 400, message={}>", quoted(text)) }
    }

    /// As the operating system's errors are raised: `ConnectionResetError(104, 'Connection reset by peer')`.
    pub(crate) fn os(error: &io::Error) -> Self {
        Self::os_saying(error, &quoted(&reason(error)))
    }

    /// A connect that failed, in asyncio's words.
    pub(crate) fn connect(error: &io::Error, address: SocketAddr) -> Self {
        let place = match address {
            SocketAddr::V4(v4) => format!("('{}', {})", v4.ip(), v4.port()),
            SocketAddr::V6(v6) => format!("('{}', {}, 0, {})", v6.ip(), v6.port(), v6.scope_id()),
        };
        // Where the host itself lacks something, no address is to blame.
        let says = match error.kind() {
            io::ErrorKind::ConnectionRefused
            | io::ErrorKind::TimedOut
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::ConnectionReset => format!("Connect call failed {place}"),
            _ => reason(error),
        };
        Self::os_saying(error, &quoted(&says))
    }

    fn os_saying(error: &io::Error, says: &str) -> Self {
        let class = match error.kind() {
            io::ErrorKind::ConnectionRefused => "ConnectionRefusedError",
            io::ErrorKind::ConnectionReset => "ConnectionResetError",
            io::ErrorKind::ConnectionAborted => "ConnectionAbortedError",
            io::ErrorKind::BrokenPipe => "BrokenPipeError",
            io::ErrorKind::TimedOut => "TimeoutError",
            io::ErrorKind::PermissionDenied => "PermissionError",
            _ => "OSError",
        };
        match error.raw_os_error() {
            Some(number) => Self::with(class, &[&number.to_string(), says]),
            None => Self::with(class, &[says]),
        }
    }

    /// A name that cannot be resolved.
    pub(crate) fn lookup(error: &io::Error) -> Self {
        let text = error.to_string();
        let says = text.strip_prefix("failed to lookup address information: ").unwrap_or(&text);
        // As the C library numbers them.
        let number = match says {
            "Name or service not known" => "-2",
            "Temporary failure in name resolution" => "-3",
            "Non-recoverable failure in name resolution" => "-4",
            "No address associated with hostname" => "-5",
            _ => return Self::with("OSError", &["None", &quoted(says)]),
        };
        Self::with("gaierror", &[number, &quoted(says)])
    }

    /// A connection that could not be opened to a host: what aiohttp makes of `self`.
    pub(crate) fn of_connector(self, class: &'static str, target: &Target) -> ErrorDetail {
        let key = format!(
            "ConnectionKey(host={}, port={}, is_ssl={}, ssl=True, proxy=None, proxy_auth=None, \
             proxy_headers_hash=None, server_hostname=None)",
            quoted(target.host()),
            target.port(),
            if target.is_tls() { "True" } else { "False" },
        );
        Self::with(class, &[&key, &self.repr]).because(&[self])
    }

    /// The detail of it, without a cause.
    pub(crate) fn alone(self) -> ErrorDetail {
        self.because(&[])
    }

    /// The detail of it, raised because of `causes`, outermost first.
    pub(crate) fn because(self, causes: &[Self]) -> ErrorDetail {
        let chain = std::iter::once(&self).chain(causes).map(|exception| exception.class.to_owned());
        let told = |text: &str| crate::redact::redact(text).into_owned();
        ErrorDetail {
            cause: causes.first().map(|cause| told(&cause.repr)),
            cause_chain: chain.collect(),
            ..detail(self.class, &self.repr)
        }
    }

    /// The same under another class's name, which is derived from it.
    pub(crate) fn named(self, class: &'static str) -> Self {
        let arguments = self.repr.strip_prefix(self.class).unwrap_or_default();
        Self { class, repr: format!("{class}{arguments}") }
    }

    /// Its `repr`.
    pub(crate) fn repr(&self) -> &str {
        &self.repr
    }
}

/// What the operating system says, without Rust's number behind it.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" (os error ") {
        Some((reason, _)) => reason.to_owned(),
        None => text,
    }
}

/// A text as Python quotes it: in single quotes, or in double ones where it has single ones only.
pub(crate) fn quoted(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut shown = String::with_capacity(text.len() + 2);
    shown.push(quote);
    for c in text.chars() {
        match c {
            '\\' => shown.push_str("\\\\"),
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            c if c == quote => {
                shown.push('\\');
                shown.push(c);
            }
            c if (c as u32) < 0x20 || c as u32 == 0x7f => {
                let _ = write!(shown, "\\x{:02x}", c as u32);
            }
            c => shown.push(c),
        }
    }
    shown.push(quote);
    shown
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn texts_are_quoted_as_python_quotes_them() {
        for (text, shown) in [
            ("plain", "'plain'"),
            ("it's", "\"it's\""),
            ("\"q\"", "'\"q\"'"),
            ("both ' and \"", "'both \\' and \"'"),
            ("a\\b\n\t\u{1}é", "'a\\\\b\\n\\t\\x01é'"),
        ] {
            assert_eq!(quoted(text), shown);
        }
    }

    #[test]
    fn a_refused_connection_reads_as_in_aiperfs_files() {
        let refused = io::Error::from_raw_os_error(111);
        let target = Target::parse("http://127.0.0.1:18999").unwrap();
        let cause = Exception::connect(&refused, "127.0.0.1:18999".parse().unwrap());
        let detail = cause.of_connector("ClientConnectorError", &target);
        assert_eq!(
            detail.message,
            "ClientConnectorError(ConnectionKey(host='127.0.0.1', port=18999, is_ssl=False, ssl=True, proxy=None, \
             proxy_auth=None, proxy_headers_hash=None, server_hostname=None), ConnectionRefusedError(111, \
             \"Connect call failed ('127.0.0.1', 18999)\"))"
        );
        assert_eq!(
            detail.cause.as_deref(),
            Some("ConnectionRefusedError(111, \"Connect call failed ('127.0.0.1', 18999)\")")
        );
        assert_eq!(detail.cause_chain, ["ClientConnectorError", "ConnectionRefusedError"]);
        assert_eq!((detail.error_type.as_str(), detail.code), ("ClientConnectorError", None));
    }

    #[test]
    fn the_operating_systems_errors_are_classes_of_their_own() {
        let os = |number| Exception::os(&io::Error::from_raw_os_error(number)).repr;
        assert_eq!(os(104), "ConnectionResetError(104, 'Connection reset by peer')");
        assert_eq!(os(32), "BrokenPipeError(32, 'Broken pipe')");
        let full = Exception::connect(&io::Error::from_raw_os_error(24), "[::1]:9".parse().unwrap());
        assert_eq!(full.repr, "OSError(24, 'Too many open files')");
        let unknown = io::Error::other("failed to lookup address information: Name or service not known");
        assert_eq!(Exception::lookup(&unknown).repr, "gaierror(-2, 'Name or service not known')");
    }
}
