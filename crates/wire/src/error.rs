//! Failures in AIPerf's terms: its error types' names, so that tools that group by them keep working.

use std::error::Error;

use loadgen_core::{ErrorDetail, Exchange};

use crate::redact::{REDACTED, redact};

/// A detail without a code.
pub(crate) fn detail(error_type: &str, message: &str) -> ErrorDetail {
    ErrorDetail {
        code: None,
        error_type: redact(error_type).into_owned(),
        message: redact(message).into_owned(),
        cause: None,
        cause_chain: Vec::new(),
    }
}

/// A detail with the causes of `error` listed.
pub(crate) fn detail_of(error_type: &str, message: &str, error: &(dyn Error + 'static)) -> ErrorDetail {
    let mut chain = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        chain.push(redact(&error.to_string()).into_owned());
        next = error.source();
    }
    ErrorDetail { cause: chain.last().cloned(), cause_chain: chain, ..detail(error_type, message) }
}

/// The shortest credential that is looked for: a shorter one would tear words apart, and guards nothing.
const SHORTEST_CREDENTIAL: usize = 4;

/// Takes a secret out of a detail, whatever it looks like.
pub(crate) fn hide(detail: &mut ErrorDetail, secret: &str) {
    let texts = [&mut detail.error_type, &mut detail.message];
    let texts = texts.into_iter().chain(&mut detail.cause).chain(&mut detail.cause_chain);
    texts.for_each(|text| hide_in_text(text, secret));
}

/// The same for what is kept of an exchange, of its response's body what was not looked at before: `seen` bytes
/// were. In a body stars take the secret's place, one for each byte: what ends where stays as it is.
pub(crate) fn hide_in_exchange(exchange: &mut Exchange, secret: &str, seen: usize) {
    exchange.reason.iter_mut().for_each(|reason| hide_in_text(reason, secret));
    exchange.response_headers.iter_mut().for_each(|(_, value)| hide_in_text(value, secret));
    let body = &mut exchange.response_body;
    // One may have begun in what was seen.
    let mut from = (seen + 1).saturating_sub(secret.len()).min(body.len());
    while let Some(at) = memchr::memmem::find(&body[from..], secret.as_bytes()) {
        let begin = from + at;
        from = begin + secret.len();
        body[begin..from].fill(b'*');
    }
}

fn hide_in_text(text: &mut String, secret: &str) {
    if text.contains(secret) {
        *text = text.replace(secret, REDACTED);
    }
}

/// What is secret in a header's value: of `Bearer KEY` the key, of `a=1; b=2` what stands behind each
/// name; the longest first, for one may hold another.
pub(crate) fn parts(credential: &str) -> Vec<&str> {
    let words: Vec<&str> = credential.split([' ', '\t', ';', ',']).filter(|word| !word.is_empty()).collect();
    let is_scheme = |position: usize, word: &str| position == 0 && words.len() > 1 && !word.contains('=');
    let values = words.iter().enumerate().filter(|(position, word)| !is_scheme(*position, word));
    let mut parts: Vec<&str> = values
        .flat_map(|(_, word)| [*word, word.split_once('=').map_or("", |(_, value)| value)])
        .filter(|part| part.len() >= SHORTEST_CREDENTIAL)
        .collect();
    parts.sort_by_key(|part| std::cmp::Reverse(part.len()));
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_hidden_whatever_it_looks_like() {
        let mut told =
            detail("AuthenticationError", "no key hunter2plain, nor hunter2 (Bearer hunter2plain)");
        told.cause = Some("hunter2plain".to_owned());
        for part in &parts("Bearer hunter2plain") {
            hide(&mut told, part);
        }
        assert_eq!(told.message, "no key <redacted>, nor hunter2 (Bearer <redacted>)");
        assert_eq!(told.cause.as_deref(), Some("<redacted>"));
        assert_eq!(told.error_type, "AuthenticationError");
    }

    #[test]
    fn a_credential_is_starred_out_of_a_body_in_place() {
        let mut exchange =
            Exchange { response_body: b"key hunter2plain, hunter2plain.".to_vec(), ..Exchange::default() };
        exchange.response_headers = vec![("X".to_owned(), "for hunter2plain".to_owned())];
        hide_in_exchange(&mut exchange, "hunter2plain", 0);
        assert_eq!(exchange.response_body, b"key ************, ************.");
        exchange.response_body.extend_from_slice(b" hunter2");
        let seen = exchange.response_body.len();
        exchange.response_body.extend_from_slice(b"plain");
        hide_in_exchange(&mut exchange, "hunter2plain", seen);
        assert_eq!(exchange.response_body, b"key ************, ************. ************");
        assert_eq!(exchange.response_headers[0].1, "for <redacted>");
    }

    #[test]
    fn the_parts_of_a_credential_are_its_secrets() {
        assert_eq!(parts("Bearer abcd"), ["abcd"]);
        assert_eq!(parts("plainkey"), ["plainkey"]);
        assert_eq!(parts("Basic dXNlcg=="), ["dXNlcg=="]);
        assert_eq!(parts("id=12345; theme=x"), ["id=12345", "theme=x", "12345"]);
        assert!(parts("abc").is_empty() && parts("").is_empty());
    }
}
