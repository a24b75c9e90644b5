//! Keeping secrets off every log, file and screen.
//!
//! Four shapes are covered: a header by its name, a URL by its user part and query, JSON by its fields' names,
//! and free text (error messages) by the patterns in which credentials come. What it does not do: recognise a
//! secret that stands alone in prose.

use std::borrow::Cow;

use serde_json::Value;

/// What stands in a secret's place.
pub const REDACTED: &str = "<redacted>";

/// A header, parameter or field whose name contains one of these is a secret.
const SECRET_PARTS: [&str; 16] = [
    "auth",
    "token",
    "secret",
    "password",
    "passwd",
    "credential",
    "cookie",
    "apikey",
    "api-key",
    "api_key",
    "session",
    "signature",
    "sas-key",
    "access-key",
    "private-key",
    "xsrf",
];

/// Secrets by their exact name, lower case.
const SECRET_NAMES: [&str; 8] = [
    "ocp-apim-subscription-key",
    "x-goog-api-key",
    "x-functions-key",
    "x-csrf",
    "csrf",
    "key",
    "passphrase",
    "pwd",
];

/// A number in a field whose name contains one of these is a count, or an id in a vocabulary.
const COUNTS: [&str; 6] = ["tokens", "token_id", "token-id", "token_count", "token_budget", "sessions"];

/// Query parameters whose value is a secret, lower case; `x-amz-…` besides.
const SECRET_PARAMETERS: [&str; 11] = [
    "key",
    "api_key",
    "apikey",
    "api-key",
    "token",
    "access_token",
    "secret",
    "password",
    "sig",
    "signature",
    "subscription-key",
];

/// A word of a text that ends like this is followed by a secret, if by an assignment.
const TEXT_SECRETS: [&str; 11] = [
    "api_key",
    "api-key",
    "apikey",
    "token",
    "secret",
    "password",
    "passwd",
    "signature",
    "authorization",
    "cookie",
    "private_key",
];

/// Those whose secret goes on to the end of the line, or of the quotes: several words, or pairs.
const LINE_SECRETS: [&str; 2] = ["authorization", "cookie"];

/// How keys of well-known providers begin.
const KEY_PREFIXES: [&str; 6] = ["sk-", "nvapi-", "hf_", "gsk_", "xai-", "AIza"];
/// Shorter words are no keys, whatever they begin with.
const SHORTEST_KEY: usize = 12;

/// Whether the value of a header (or field) of this name must not be shown.
pub fn is_secret_name(name: &str) -> bool {
    // A tokenizer is none.
    let name = name.to_ascii_lowercase().replace("tokenizer", "");
    SECRET_NAMES.contains(&name.as_str()) || SECRET_PARTS.iter().any(|part| name.contains(part))
}

fn is_secret_parameter(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    // An escape in a name hides what it is.
    SECRET_PARAMETERS.contains(&name.as_str())
        || name.starts_with("x-amz-")
        || name.contains('%')
        || is_secret_name(&name)
}

/// A field of JSON as it may be shown: what stands below the name of a secret is replaced, at any depth, but
/// for numbers that count (`max_tokens`); texts lose what looks like credentials.
pub fn redact_field(name: &str, value: &Value) -> Value {
    redact_below(Named { reads_texts: true, ..Named::default() }.and(name), value)
}

/// The same by names alone: texts stay as they are, whatever they look like.
pub(crate) fn redact_named(name: &str, value: &Value) -> Value {
    redact_below(Named::default().and(name), value)
}

/// The texts in a field of JSON that are secrets by their names.
pub(crate) fn secrets_in(name: &str, value: &Value, found: &mut Vec<Box<str>>) {
    collect_below(Named::default().and(name), value, found);
}

fn collect_below(named: Named, value: &Value, found: &mut Vec<Box<str>>) {
    match value {
        Value::String(text) if named.hides_text => found.push(text.as_str().into()),
        Value::Number(number) if named.hides_numbers => found.push(number.to_string().into()),
        Value::Array(items) => items.iter().for_each(|item| collect_below(named, item, found)),
        Value::Object(fields) => {
            fields.iter().for_each(|(name, value)| collect_below(named.and(name), value, found));
        }
        _ => {}
    }
}

/// What the names on the way to a value say of it.
#[derive(Debug, Clone, Copy, Default)]
struct Named {
    hides_text: bool,
    hides_numbers: bool,
    /// Whether texts without a secret's name lose what looks like credentials.
    reads_texts: bool,
}

impl Named {
    fn and(self, name: &str) -> Self {
        let is_secret = is_secret_name(name);
        let lower = name.to_ascii_lowercase();
        let counts = COUNTS.iter().any(|part| lower.contains(part));
        Self {
            hides_text: self.hides_text || is_secret,
            hides_numbers: self.hides_numbers || (is_secret && !counts),
            ..self
        }
    }
}

fn redact_below(named: Named, value: &Value) -> Value {
    match value {
        Value::String(_) if named.hides_text => REDACTED.into(),
        Value::Number(_) if named.hides_numbers => REDACTED.into(),
        // JSON within a text has names, too.
        Value::String(text) => match serde_json::from_str::<Value>(text) {
            Ok(inner) if inner.is_object() || inner.is_array() => {
                let shown = redact_below(named, &inner);
                if shown == inner { value.clone() } else { shown.to_string().into() }
            }
            _ if named.reads_texts => redact(text).into(),
            _ => value.clone(),
        },
        Value::Array(items) => items.iter().map(|item| redact_below(named, item)).collect(),
        Value::Object(fields) => Value::Object(
            fields.iter().map(|(name, value)| (name.clone(), redact_below(named.and(name), value))).collect(),
        ),
        other => other.clone(),
    }
}

/// `url` with its user part and the values of secret query parameters replaced.
pub fn redact_url(url: &str) -> Cow<'_, str> {
    let (before_query, query) = url.split_once('?').map_or((url, None), |(path, query)| (path, Some(query)));
    let authority_start = before_query.find("://").map_or(0, |at| at + 3);
    let authority_end =
        before_query[authority_start..].find('/').map_or(before_query.len(), |at| authority_start + at);
    let user_end = before_query[authority_start..authority_end]
        .rfind('@')
        .or_else(|| user_end_behind_slash(&before_query[authority_start..]));
    let hides_query = query.is_some_and(|query| {
        query.split('&').any(|pair| is_secret_parameter(pair.split('=').next().unwrap_or_default()))
    });
    if user_end.is_none() && !hides_query {
        return Cow::Borrowed(url);
    }
    let mut shown = before_query[..authority_start].to_owned();
    if let Some(at) = user_end {
        shown.push_str(REDACTED);
        shown.push_str(&before_query[authority_start + at..]);
    } else {
        shown.push_str(&before_query[authority_start..]);
    }
    if let Some(query) = query {
        for (index, pair) in query.split('&').enumerate() {
            shown.push(if index == 0 { '?' } else { '&' });
            match pair.split_once('=') {
                Some((name, _)) if is_secret_parameter(name) => {
                    shown.push_str(name);
                    shown.push('=');
                    shown.push_str(REDACTED);
                }
                _ => shown.push_str(pair),
            }
        }
    }
    Cow::Owned(shown)
}

/// Where the user part ends if its password has a slash that should have been escaped: what such a URL
/// has for a port is no number.
fn user_end_behind_slash(behind_scheme: &str) -> Option<usize> {
    let (authority, _) = behind_scheme.split_once('/')?;
    let (_, port) = authority.rsplit_once(':')?;
    let is_port = port.bytes().all(|byte| byte.is_ascii_digit()) || port.ends_with(']');
    if is_port { None } else { behind_scheme.rfind('@') }
}

/// `text` with what looks like credentials replaced: the user parts and secret parameters of URLs,
/// `Authorization`-like values (`Bearer …`, `Basic …`), and `api_key=…` or `"api_key": "…"` pairs.
pub fn redact(text: &str) -> Cow<'_, str> {
    if !looks_suspicious(text) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, word, after)) = next_word(rest) {
        shown.push_str(before);
        rest = after;
        if word.eq_ignore_ascii_case("bearer") || word.eq_ignore_ascii_case("basic") {
            shown.push_str(word);
            rest = hide_value(rest, " ", false, &mut shown);
        } else if word.contains("://") {
            shown.push_str(&redact_url(word));
        } else if looks_like_a_key(word) {
            shown.push_str(REDACTED);
        } else if is_assigned_a_secret(word) {
            shown.push_str(word);
            let takes_line = ends_with_any(word, &LINE_SECRETS);
            rest = hide_value(rest, "\\\"'=: ", takes_line, &mut shown);
        } else {
            shown.push_str(word);
        }
    }
    shown.push_str(rest);
    Cow::Owned(shown)
}

/// Whether what is assigned to `word` in free text is a secret. Stricter than for headers: texts
/// speak of `max_tokens` and sessions all the time.
fn is_assigned_a_secret(word: &str) -> bool {
    ends_with_any(word, &TEXT_SECRETS)
}

fn ends_with_any(word: &str, endings: &[&str]) -> bool {
    let word = word.to_ascii_lowercase();
    endings.iter().any(|ending| word.ends_with(ending))
}

/// Whether `word` is a key by the way providers begin theirs.
fn looks_like_a_key(word: &str) -> bool {
    KEY_PREFIXES.iter().any(|prefix| word.starts_with(prefix)) && word.len() >= SHORTEST_KEY
}

fn looks_suspicious(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let marks = ["://", "bearer ", "basic "];
    marks.iter().chain(&TEXT_SECRETS).any(|mark| lower.contains(mark))
        || KEY_PREFIXES.iter().any(|prefix| text.contains(prefix))
}

/// The next word of `text`: what stands before it, itself, and what follows. A URL is one word.
fn next_word(text: &str) -> Option<(&str, &str, &str)> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let start = text.find(is_plain)?;
    let tail = &text[start..];
    let plain_len = tail.find(|c: char| !is_plain(c)).unwrap_or(tail.len());
    let len = if tail[plain_len..].starts_with("://") {
        tail.find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>' | ')' | ','))
            .unwrap_or(tail.len())
    } else {
        plain_len
    };
    Some((&text[..start], &tail[..len], &tail[len..]))
}

/// Copies the separators at the head of `rest`, then [`REDACTED`] for the value after them; gives
/// what follows the value. Where an assignment is expected and there is none, hides nothing.
///
/// The value is a word; one that `takes_line` goes to the end of the line or of its quotes, unless it
/// begins with a scheme behind which a single word stands.
fn hide_value<'a>(rest: &'a str, separators: &str, takes_line: bool, shown: &mut String) -> &'a str {
    let value_start = rest.find(|c: char| !separators.contains(c)).unwrap_or(rest.len());
    let (separator, value) = rest.split_at(value_start);
    let assigns = separators == " " || separator.contains(['=', ':']);
    if separator.is_empty() || !assigns {
        return rest;
    }
    shown.push_str(separator);
    // An authorization value is two words: the scheme says nothing, the word after it all.
    let scheme = ["bearer ", "basic "]
        .into_iter()
        .find(|scheme| value.get(..scheme.len()).is_some_and(|head| head.eq_ignore_ascii_case(scheme)));
    let takes_line = takes_line && scheme.is_none();
    let (scheme, value) = value.split_at(scheme.map_or(0, str::len));
    shown.push_str(scheme);
    let ends_word = |c: char| c.is_whitespace() || matches!(c, ',' | '&' | ';' | '}' | ')' | ']');
    let ends = |c: char| matches!(c, '"' | '\'' | '\\' | '\n' | '\r') || (!takes_line && ends_word(c));
    let end = value.find(ends).unwrap_or(value.len());
    if end > 0 {
        shown.push_str(REDACTED);
    }
    &value[end..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_carry_credentials_are_secret() {
        for name in ["Authorization", "X-Api-Key", "Set-Cookie", "X-Session-Affinity", "x-goog-api-key"] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in ["Content-Type", "X-Request-ID", "Host", "Accept", "tokenizer"] {
            assert!(!is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn urls_lose_their_user_part_and_their_secret_parameters() {
        assert_eq!(
            redact_url("http://u:p@host:1/v1?api_key=z&a=b"),
            "http://<redacted>@host:1/v1?api_key=<redacted>&a=b"
        );
        assert_eq!(redact_url("http://host/v1?a=b"), "http://host/v1?a=b");
        assert_eq!(redact_url("u:p@host/x"), "<redacted>@host/x");
        assert_eq!(redact_url("http://u:p/w@host/x"), "http://<redacted>@host/x");
        assert_eq!(redact_url("http://host:80/v1/@model"), "http://host:80/v1/@model");
        assert_eq!(redact_url("/v1/chat?auth=S&a=b"), "/v1/chat?auth=<redacted>&a=b");
        assert_eq!(redact_url("/v1/chat?api%5Fkey=S"), "/v1/chat?api%5Fkey=<redacted>");
    }

    #[test]
    fn fields_lose_what_stands_below_a_secrets_name() {
        let shown =
            |text: &str| redact_field("", &serde_json::from_str(text).unwrap_or_default()).to_string();
        for (given, kept) in [
            (r#"{"nvext":{"auth":{"password":"S"}}}"#, r#"{"nvext":{"auth":{"password":"<redacted>"}}}"#),
            (r#"{"auth":{"user":"S","n":5}}"#, r#"{"auth":{"user":"<redacted>","n":"<redacted>"}}"#),
            (r#"{"list":[{"api_key":"S"},1]}"#, r#"{"list":[{"api_key":"<redacted>"},1]}"#),
            (r#"{"tokens":["S"]}"#, r#"{"tokens":["<redacted>"]}"#),
            (r#"{"password":12345678901}"#, r#"{"password":"<redacted>"}"#),
            (r#"{"inner":"{\"auth\":\"S\"}"}"#, r#"{"inner":"{\"auth\":\"<redacted>\"}"}"#),
            (r#"{"note":"Bearer S"}"#, r#"{"note":"Bearer <redacted>"}"#),
            (
                r#"{"max_tokens":5,"stop_token_ids":[1],"return_token":true}"#,
                r#"{"max_tokens":5,"stop_token_ids":[1],"return_token":true}"#,
            ),
        ] {
            assert_eq!(shown(given), kept);
        }
    }

    #[test]
    fn texts_lose_what_looks_like_credentials() {
        let cases = [
            ("Authorization: Bearer sk-1 denied", "Authorization: Bearer <redacted> denied"),
            ("bad key: Bearer sk-1", "bad key: Bearer <redacted>"),
            (r#"{"api_key": "sk-2", "a": 1}"#, r#"{"api_key": "<redacted>", "a": 1}"#),
            ("no route to http://u:p@h/x, sorry", "no route to http://<redacted>@h/x, sorry"),
            ("api_key=abc&x=1", "api_key=<redacted>&x=1"),
            ("too many tokens in the prompt", "too many tokens in the prompt"),
            (
                r#"{"max_tokens": 5, "key": "x", "session": 1}"#,
                r#"{"max_tokens": 5, "key": "x", "session": 1}"#,
            ),
            ("Incorrect API key: sk-abcdefghijkl.", "Incorrect API key: <redacted>."),
            ("the token expired", "the token expired"),
            ("Authorization: Token abc def\nHost: h", "Authorization: <redacted>\nHost: h"),
            (r#"{"Cookie": "a=1; b=2", "x": 1}"#, r#"{"Cookie": "<redacted>", "x": 1}"#),
            (
                r#"{"e": "{\"api_key\": \"abc\", \"a\": 1}"}"#,
                r#"{"e": "{\"api_key\": \"<redacted>\", \"a\": 1}"}"#,
            ),
            ("no such key: AIzaSyA-1234567", "no such key: <redacted>"),
            ("x-auth-token: abc", "x-auth-token: <redacted>"),
            (
                "This model's maximum context length is 8 tokens",
                "This model's maximum context length is 8 tokens",
            ),
        ];
        for (text, shown) in cases {
            assert_eq!(redact(text), shown);
        }
    }
}
