//! What stands behind `--`: perf_analyzer's own options, in getopt's grammar.
//!
//! Those that say what is sent or how much take effect, and win over GenAI-Perf's own, as the later words of
//! perf_analyzer's command line do. Threads and the like have no effect here, which is said; what is given
//! for them is not shown, as nobody here knows what it is.

use crate::words::Word;

/// Options that take effect, with what GenAI-Perf calls theirs.
const KNOWN: [(&str, &str); 6] = [
    ("-H", "--header"),
    ("-p", "--measurement-interval"),
    ("--request-count", "--request-count"),
    ("--measurement-interval", "--measurement-interval"),
    ("--warmup-request-count", "--warmup-request-count"),
    ("--concurrency-range", "--concurrency"),
];

/// Switches that take effect.
const VERBOSE: [&str; 4] = ["-v", "-vv", "--verbose", "--extra-verbose"];

/// What perf_analyzer's options ask for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Passed {
    pub(super) verbose: bool,
    pub(super) headers: Vec<String>,
    pub(super) request_count: Option<String>,
    pub(super) interval_ms: Option<String>,
    pub(super) concurrency: Option<String>,
    pub(super) warmup_requests: Option<String>,
    /// The names of options without an effect.
    pub(super) idle: Vec<String>,
}

/// An option, or a word that belongs to none.
#[derive(Debug, Default)]
struct Part {
    /// Its name; empty for a word that belongs to no option.
    name: String,
    /// What GenAI-Perf calls it; empty where it has no effect.
    option: &'static str,
    value: Option<String>,
    /// Whether the value stands in the same word, behind `=` or nothing.
    joined: Option<&'static str>,
}

/// Takes them apart.
fn parts(words: &[String]) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut rest = words.iter().peekable();
    while let Some(word) = rest.next() {
        if VERBOSE.contains(&word.as_str()) {
            parts.push(Part { name: word.clone(), ..Part::default() });
            continue;
        }
        if word.len() < 2 || !word.starts_with('-') {
            parts.push(Part { value: Some(word.clone()), ..Part::default() });
            continue;
        }
        let (name, attached) = name_and_rest(word);
        let (value, joined) = match attached.strip_prefix('=') {
            Some(value) => (Some(value.to_owned()), Some("=")),
            None if attached.is_empty() => (None, None),
            None => (Some(attached.to_owned()), Some("")),
        };
        let option = KNOWN.iter().find(|(known, _)| *known == name).map_or("", |(_, option)| option);
        // An option that is not known takes what can be its value.
        let takes_next = |next: &&String| !option.is_empty() || !next.starts_with('-');
        let value = value.or_else(|| rest.next_if(takes_next).cloned());
        parts.push(Part { name: name.to_owned(), option, value, joined });
    }
    parts
}

/// An option's name, and what is attached to it. A short one is a letter; a long one ends where no name goes on.
fn name_and_rest(word: &str) -> (&str, &str) {
    let end = if word.starts_with("--") {
        word.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_'))
    } else {
        word.char_indices().nth(2).map(|(at, _)| at)
    };
    word.split_at(end.unwrap_or(word.len()))
}

/// Reads them.
pub(super) fn read(words: &[String]) -> Result<Passed, String> {
    let mut passed = Passed::default();
    for part in parts(words) {
        let name = part.name;
        if VERBOSE.contains(&name.as_str()) {
            passed.verbose = true;
            continue;
        }
        if part.option.is_empty() {
            passed.idle.push(if name.is_empty() {
                "a word that belongs to no option".to_owned()
            } else {
                name
            });
            continue;
        }
        let value = part.value.ok_or_else(|| format!("{name}, behind --: expected a value"))?;
        match part.option {
            "--header" => passed.headers.push(value),
            "--request-count" => passed.request_count = Some(value),
            "--measurement-interval" => passed.interval_ms = Some(value),
            "--warmup-request-count" => passed.warmup_requests = Some(value),
            _ if value.contains(':') => {
                return Err(format!(
                    "{name} {value}, behind --: a range of loads is several runs: give one value"
                ));
            }
            _ => passed.concurrency = Some(value),
        }
    }
    Ok(passed)
}

/// The words as they were understood, to be shown.
pub(super) fn words(words: &[String]) -> Vec<Word> {
    let mut understood = Vec::new();
    for Part { name, option, value, joined } in parts(words) {
        match (value, joined) {
            (Some(value), Some(by)) => understood.push(Word::joined(&format!("{name}{by}"), option, &value)),
            (value, _) => {
                understood.extend((!name.is_empty()).then_some(Word::Name(name)));
                understood.extend(value.map(|value| Word::value(option, &value)));
            }
        }
    }
    understood
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn passed(words: &str) -> Passed {
        read(&words.split(' ').map(str::to_owned).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn what_scripts_pass_takes_effect_or_is_named() {
        let found = passed("-v --max-threads 120 --async --request-count=1 -p 4000 --concurrency-range 8");
        assert!(found.verbose);
        assert_eq!(found.idle, ["--max-threads", "--async"]);
        assert_eq!(found.request_count.as_deref(), Some("1"));
        assert_eq!(found.interval_ms.as_deref(), Some("4000"));
        assert_eq!(found.concurrency.as_deref(), Some("8"));
        assert!(read(&["--concurrency-range".to_owned(), "1:8".to_owned()]).is_err());
        assert!(read(&["-H".to_owned()]).is_err());
    }

    #[test]
    fn headers_may_be_attached_and_what_is_unknown_is_named_only() {
        let typed = ["-HAuthorization: Bearer a b", "-p4000", "-Zc", "--ssl:d", "--ssl-x", "e", "-v", "f:g"];
        let found = read(&typed.map(str::to_owned)).unwrap();
        assert_eq!(found.headers, ["Authorization: Bearer a b"]);
        assert_eq!(found.interval_ms.as_deref(), Some("4000"));
        assert_eq!(found.idle, ["-Z", "--ssl", "--ssl-x", "a word that belongs to no option"]);
        let hidden = words(&typed.map(str::to_owned)).into_iter().filter_map(|word| match word {
            Word::Value { option, text, .. } if option.is_empty() => Some(text),
            _ => None,
        });
        assert_eq!(hidden.collect::<Vec<_>>(), ["c", ":d", "e", "f:g"]);
    }
}
