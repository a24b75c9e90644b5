//! Keeping secrets off every log, file and screen.
//!
//! Four shapes are covered: a header by its name, a URL by its user part and query, JSON by its fields' names,
//! and free text (error messages) by the patterns in which credentials come. What it does not do: recognise a
//! secret that stands alone in prose.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::Value;

use crate::secret_name::{
    counts, is_secret_in_text, is_secret_name, is_secret_parameter, may_name_a_secret, normal,
    takes_line_in_text,
};

/// What stands in a secret's place.
pub const REDACTED: &str = "<redacted>";

/// How keys of well-known providers begin.
const KEY_PREFIXES: [&str; 6] = ["sk-", "nvapi-", "hf_", "gsk_", "xai-", "AIza"];
/// Shorter words are no keys, whatever they begin with.
const SHORTEST_KEY: usize = 12;

/// A field of JSON as it may be shown: what stands below the name of a secret is replaced, at any depth, but
/// for numbers that count (`max_tokens`); texts lose what looks like credentials.
pub fn redact_field(name: &str, value: &Value) -> Value {
    redact_below(Named { reads_texts: true, ..Named::default() }.and(name), value)
}

/// The same by names alone: texts stay as they are, whatever they look like.
pub(crate) fn redact_named(name: &str, value: &Value) -> Value {
    redact_below(Named::default().and(name), value)
}

/// What is secret in a field of JSON: by its names, and what texts lose.
pub(crate) fn secrets_in(name: &str, value: &Value, found: &mut Vec<String>) {
    let named = Named { reads_texts: true, ..Named::default() }.and(name);
    collect_below(named, value, &mut |text, shown| match shown {
        REDACTED => found.push(text.to_owned()),
        shown => pieces_hidden(text, shown, found),
    });
}

/// The texts of a field of JSON that may not be shown as they are, each with what may.
pub(crate) fn texts_hidden(name: &str, value: &Value, found: &mut HashMap<String, String>) {
    let named = Named { reads_texts: true, ..Named::default() }.and(name);
    collect_below(named, value, &mut |text, shown| {
        found.insert(text.to_owned(), shown.to_owned());
    });
}

/// Hands over each text (and each number under a secret's name) that may not be shown, and what may.
fn collect_below(named: Named, value: &Value, found: &mut impl FnMut(&str, &str)) {
    match value {
        Value::String(text) if named.hides_text => found(text, REDACTED),
        Value::Number(number) if named.hides_numbers => found(&number.to_string(), REDACTED),
        Value::String(text) => match within(text) {
            Some(inner) => collect_below(named, &inner, found),
            None => {
                if let Cow::Owned(shown) = redact(text)
                    && shown != *text
                {
                    found(text, &shown);
                }
            }
        },
        Value::Array(items) => items.iter().for_each(|item| collect_below(named.below(), item, found)),
        Value::Object(fields) => {
            fields.iter().for_each(|(name, value)| collect_below(named.below().and(name), value, found));
        }
        _ => {}
    }
}

/// The parts of `text` in whose place `shown` has [`REDACTED`]; of a user part, the password, too. None where
/// the two differ otherwise.
pub(crate) fn pieces_hidden(text: &str, shown: &str, found: &mut Vec<String>) {
    let mut kept = shown.split(REDACTED);
    let Some(mut rest) = kept.next().and_then(|first| text.strip_prefix(first)) else { return };
    let mut kept = kept.peekable();
    while let Some(behind) = kept.next() {
        let is_last = kept.peek().is_none();
        let end = if is_last { rest.len().checked_sub(behind.len()) } else { rest.find(behind) };
        let Some((piece, further)) = end.and_then(|end| rest.split_at_checked(end)) else { return };
        found.push(piece.to_owned());
        if let Some((_, password)) = piece.split_once(':').filter(|_| behind.starts_with('@')) {
            found.push(password.to_owned());
        }
        rest = further.get(behind.len()..).unwrap_or_default();
    }
}

/// JSON within a text has names, too.
fn within(text: &str) -> Option<Value> {
    let is_likely = text.trim_start().starts_with(['{', '[']);
    is_likely.then(|| serde_json::from_str(text).ok()).flatten()
}

/// What the names on the way to a value say of it.
#[derive(Debug, Clone, Copy, Default)]
struct Named {
    hides_text: bool,
    hides_numbers: bool,
    /// Whether texts without a secret's name lose what looks like credentials.
    reads_texts: bool,
    place: Place,
}

/// Where a value stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Anywhere,
    /// In the declarations of tools.
    Tools,
    /// In the shape of what a tool takes, or of an answer. Its names are those of fields to come, so that a name
    /// says nothing of what is told of it below; only a text right under it is its value.
    Shape,
}

impl Named {
    fn and(self, name: &str) -> Self {
        let is_secret = is_secret_name(name);
        let place = match (self.place, name) {
            // Of what is hidden already no shape is to be seen.
            (Place::Anywhere | Place::Tools, _) if self.hides_text => self.place,
            (Place::Shape, _) | (_, "response_format" | "guided_json" | "json_schema" | "functions") => {
                Place::Shape
            }
            (Place::Tools, "parameters" | "input_schema" | "function") => Place::Shape,
            (_, name) if name.ends_with("tools") => Place::Tools,
            (place, _) => place,
        };
        Self {
            hides_text: self.hides_text || is_secret,
            hides_numbers: self.hides_numbers || (is_secret && !counts(name)),
            reads_texts: self.reads_texts,
            place,
        }
    }

    /// The same for what stands one level deeper.
    fn below(self) -> Self {
        match self.place {
            Place::Shape => Self { hides_text: false, hides_numbers: false, ..self },
            Place::Anywhere | Place::Tools => self,
        }
    }
}

fn redact_below(named: Named, value: &Value) -> Value {
    match value {
        Value::String(_) if named.hides_text => REDACTED.into(),
        Value::Number(_) if named.hides_numbers => REDACTED.into(),
        Value::String(text) => match within(text) {
            Some(inner) => {
                let shown = redact_below(named, &inner);
                if shown == inner { value.clone() } else { shown.to_string().into() }
            }
            None if named.reads_texts => redact(text).into(),
            None => value.clone(),
        },
        Value::Array(items) => items.iter().map(|item| redact_below(named.below(), item)).collect(),
        Value::Object(fields) => Value::Object(
            fields
                .iter()
                .map(|(name, value)| (name.clone(), redact_below(named.below().and(name), value)))
                .collect(),
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
        } else if is_in_a_query(&shown) && rest.starts_with('=') && is_secret_parameter(word) {
            shown.push_str(word);
            rest = hide_value(rest, "=", false, &mut shown);
        } else if is_secret_in_text(word) {
            shown.push_str(word);
            rest = hide_value(rest, "\\\"'=: ", takes_line_in_text(word), &mut shown);
        } else {
            shown.push_str(word);
        }
    }
    shown.push_str(rest);
    Cow::Owned(shown)
}

/// Whether what follows `before` is the name of a URL's parameter: texts have paths without their server.
fn is_in_a_query(before: &str) -> bool {
    before.ends_with(['?', '&']) || before.ends_with("&amp;")
}

/// Whether `word` is a key by the way providers begin theirs.
fn looks_like_a_key(word: &str) -> bool {
    KEY_PREFIXES.iter().any(|prefix| word.starts_with(prefix)) && word.len() >= SHORTEST_KEY
}

fn looks_suspicious(text: &str) -> bool {
    let normal = normal(text);
    text.contains("://")
        || (text.contains(['?', '&']) && text.contains('='))
        || ["bearer", "basic"].iter().any(|scheme| normal.contains(scheme))
        || may_name_a_secret(&normal)
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
            (r#"{"privateKey":"S","top_k":5}"#, r#"{"privateKey":"<redacted>","top_k":5}"#),
            (
                r#"{"tools":[{"type":"mcp","authorization":"S","headers":{"X-Auth":"S"}}]}"#,
                r#"{"tools":[{"type":"mcp","authorization":"<redacted>","headers":{"X-Auth":"<redacted>"}}]}"#,
            ),
            (
                r#"{"tools":[{"parameters":{"properties":{"token":{"type":"string"}},"api_key":"S"}}]}"#,
                r#"{"tools":[{"parameters":{"properties":{"token":{"type":"string"}},"api_key":"<redacted>"}}]}"#,
            ),
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
                "no /echo?sig=a&key=b&x=1&amp;pass=c here",
                "no /echo?sig=<redacted>&key=<redacted>&x=1&amp;pass=<redacted> here",
            ),
            ("openai_key=abc, privateKey: abc", "openai_key=<redacted>, privateKey: <redacted>"),
            ("eos_token: x, prompt_cache_key=y", "eos_token: x, prompt_cache_key=y"),
            (
                "This model's maximum context length is 8 tokens",
                "This model's maximum context length is 8 tokens",
            ),
        ];
        for (text, shown) in cases {
            assert_eq!(redact(text), shown);
        }
    }

    #[test]
    fn what_a_field_hides_is_known_piece_by_piece() {
        let found = |text: &str| {
            let mut found = Vec::new();
            let fields: serde_json::Map<String, Value> = serde_json::from_str(text).unwrap_or_default();
            fields.iter().for_each(|(name, value)| secrets_in(name, value, &mut found));
            found
        };
        assert_eq!(found(r#"{"api_key":"S","n":5,"password":12}"#), ["S", "12"]);
        assert_eq!(found(r#"{"callback":"http://u:S@x/?sig=T","h":"Bearer V"}"#), ["u:S", "S", "T", "V"]);
        assert_eq!(found(r#"{"inner":"{\"auth\":\"S\"}","open":"a b"}"#), ["S"]);
        assert_eq!(found(r#"{"tools":[{"parameters":{"token":{"type":"string"}}}]}"#), [""; 0]);
    }
}
