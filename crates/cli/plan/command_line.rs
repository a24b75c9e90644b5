//! The command line as it may be shown: values quoted as AIPerf quotes them, secrets removed.
//!
//! What may be shown of a value, its option decides: of the few that are known to hold no secret all, of the
//! others what is left without credentials, of what belongs to no known option nothing.

use loadgen_report::python;
use loadgen_wire::{REDACTED, is_secret_name, redact, redact_field, redact_url};
use serde_json::Value;

use crate::args::values::scalar;
use crate::names::Personality;
use crate::words::Word;

/// Renders a command line of the program of this name.
pub(super) fn echo(personality: Personality, words: &[Word]) -> String {
    // AIPerf reads values as Python does before it shows them.
    let in_python = personality != Personality::GenaiPerf;
    let mut line = personality.program().to_owned();
    for word in words {
        line.push(' ');
        match word {
            Word::Name(name) => line.push_str(name),
            Word::Value { joined, option, text } => {
                line.push_str(joined);
                line.push_str(&value(&without_secrets(option, text), joined, in_python));
            }
        }
    }
    line
}

/// A value as AIPerf writes it: text in quotes, and what Python has other names for as Python writes it.
fn value(shown: &str, joined: &str, in_python: bool) -> String {
    let is_bare = match scalar(shown) {
        // A word that begins with a dash goes without quotes, its value with it, unless a shell would part them.
        Value::String(text) => in_python && !joined.is_empty() && text.chars().all(is_safe),
        read if in_python && joined.is_empty() => return python(&read),
        _ => true,
    };
    if is_bare { shown.to_owned() } else { format!("'{}'", shown.replace('\'', r"'\''")) }
}

/// Whether a letter means nothing to a shell.
fn is_safe(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "-_./:,=+@%".contains(letter)
}

fn without_secrets(option: &str, text: &str) -> String {
    match option {
        // Thresholds by the names of metrics, some of which end in `token`.
        "--goodput" => text.to_owned(),
        "" | "--api-key" => REDACTED.to_owned(),
        "--url" | "--server-metrics" | "--gpu-telemetry" | "--server-metrics-url" => {
            text.split(',').map(redact_url).collect::<Vec<_>>().join(",")
        }
        "--header" => fields(text, ':', |name, _| is_secret_name(name)),
        "--provenance" => fields(text, '=', |name, _| is_secret_name(name)),
        "--extra-inputs" => fields(text, ':', |name, value| {
            let value = value.parse::<f64>().map_or_else(|_| Value::from(value), Value::from);
            redact_field(name, &value) == REDACTED
        }),
        "--variant" => text.split(',').map(setting).collect::<Vec<_>>().join(","),
        _ if names_a_secret(option) => REDACTED.to_owned(),
        _ => free(text),
    }
}

/// Whether what is given for an option of this name is a secret itself.
fn names_a_secret(option: &str) -> bool {
    option.ends_with("-token")
        || ["password", "secret", "credential", "api-key"].iter().any(|part| option.contains(part))
}

/// Names and values, or JSON.
fn fields(text: &str, separator: char, hides: impl Fn(&str, &str) -> bool) -> String {
    if let Some(json) = json(text) {
        return json;
    }
    let mut shown = Vec::new();
    for item in text.split(',') {
        match item.split_once(separator) {
            Some((name, value)) if hides(name.trim(), value.trim()) => {
                // Whatever follows may be the same secret's: it may hold commas.
                shown.push(format!("{name}{separator}{REDACTED}"));
                break;
            }
            _ => shown.push(free(item)),
        }
    }
    shown.join(",")
}

/// An object or a list without its secrets, if the text is one.
fn json(text: &str) -> Option<String> {
    let value: Value = serde_json::from_str(text).ok()?;
    (value.is_object() || value.is_array()).then(|| redact_field("", &value).to_string())
}

/// A setting of a point of a sweep, `endpoint=/v1/chat`.
fn setting(setting: &str) -> String {
    match setting.split_once('=') {
        Some((option, value)) => format!("{option}={}", shown_value(option, value)),
        None => free(setting),
    }
}

/// What is given for an option of any name, as it may be shown.
pub(crate) fn shown_value(option: &str, value: &str) -> String {
    if names_a_secret(&option.replace('_', "-")) { REDACTED.to_owned() } else { free(value) }
}

/// Text of which nothing is known: JSON, a place with its query, or words.
fn free(text: &str) -> String {
    if let Some(json) = json(text) {
        return json;
    }
    let is_place = text.contains("://") || text.trim_start().starts_with('/') || text.contains('?');
    if !is_place {
        return redact(text).into_owned();
    }
    let places: Vec<_> = text.split(',').map(redact_url).collect();
    redact(&places.join(",")).into_owned()
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;
    use crate::words;

    fn echoed(words: &[&str]) -> String {
        let argv: Vec<OsString> =
            std::iter::once("aiperf").chain(words.iter().copied()).map(OsString::from).collect();
        echo(Personality::Loadgen, &words::of_profile(&argv))
    }

    #[test]
    fn strings_are_quoted_and_numbers_are_not() {
        assert_eq!(
            echoed(&[
                "profile",
                "-m",
                "mock-model",
                "--streaming",
                "--concurrency",
                "2",
                "--goodput",
                "time_to_first_token:1 b:2"
            ]),
            "loadgen profile -m 'mock-model' --streaming --concurrency 2 --goodput 'time_to_first_token:1 b:2'"
        );
        assert_eq!(
            echoed(&["profile", "--streaming=true", "-b", "-2", "--ui", "none", "-mx", "--model=a b"]),
            "loadgen profile --streaming=true -b -2 --ui None -mx --model='a b'"
        );
    }

    #[test]
    fn the_program_goes_by_the_name_it_was_called_by_without_its_folder() {
        let argv = ["/opt/bin/aiperf", "profile", "--ui", "none"].map(OsString::from);
        assert_eq!(echo(Personality::Aiperf, &words::of_profile(&argv)), "aiperf profile --ui None");
    }

    /// What AIPerf 0.13 writes for each of these words.
    #[test]
    fn values_are_read_before_they_are_shown() {
        for (typed, shown) in [
            ("None", "None"),
            ("null", "None"),
            ("TRUE", "True"),
            ("no", "'no'"),
            ("0", "0"),
            ("007", "'007'"),
            ("1.50", "1.5"),
            ("0.10", "0.1"),
            ("100.0", "100.0"),
            ("00.5", "0.5"),
            (".5", "0.5"),
            ("1e3", "'1e3'"),
            ("inf", "'inf'"),
            ("+2", "'+2'"),
            ("1,2", "'1,2'"),
        ] {
            assert_eq!(echoed(&["profile", "--isl", typed]), format!("loadgen profile --isl {shown}"));
        }
    }

    /// A secret in each place that has one, in every spelling.
    const SECRETS: &[&[&str]] = &[
        &["--api-key", "S3CRET"],
        &["--api-key", "837465837465"],
        &["--api-key=S3CRET"],
        &["--api_key=S3CRET"],
        &["-H", "Authorization: Bearer S3CRET"],
        &["-HAuthorization: Bearer S3CRET"],
        &["-H=Authorization: Token S3CRET"],
        &["-vHX-Api-Key: S3CRET"],
        &["--header", "X-Trace:1,X-Custom-Auth:S3CRET"],
        &["--header", "Cookie: a=1, b=S3CRET"],
        &["--header", r#"{"X-Auth":"S3CRET"}"#],
        &["-u", "http://u:S3CRET@host/?a=b"],
        &["-uhttp://u:S3CRET@host/v1"],
        &["-u=http://host/v1?token=S3CRET"],
        &["--url", "a", "u:S3CRET@host:2"],
        &["--endpoint", "/v1/chat/completions?api_key=S3CRET"],
        &["--custom-endpoint=/v1?auth=S3CRET"],
        &["--reset-kv-cache-path", "/r?token=S3CRET"],
        &["--server-profiler-start-path", "/s?key=S3CRET"],
        &["--extra-inputs", "auth_token:S3CRET"],
        &["--extra-inputs", "a:1,password:S3CRET,b:2"],
        &["--extra-inputs", "password:837465837465"],
        &["--extra-inputs", r#"{"nvext":{"auth":{"password":"S3CRET"}}}"#],
        &["--extra-inputs", r#"{"a":[{"api_key":"S3CRET"},{"session":{"id":["S3CRET"]}}]}"#],
        &["--extra-inputs", r#"{"password":837465837465}"#],
        &["--extra-inputs", r#"nvext:{"auth_token":"S3CRET"}"#],
        &["--provenance", "api_key=S3CRET"],
        &["--provenance", "note=Bearer S3CRET"],
        &["--variant", "a: endpoint=/v1?auth=S3CRET"],
        &["--variant", "api_key=S3CRET"],
        &["--server-metrics", "http://user:S3CRET@host:1"],
        &["--gpu-telemetry=http://user:S3CRET@host:3"],
        &["--system-prompt", "my password: S3CRET"],
        &["--nobody-knows", "S3CRET"],
    ];

    #[test]
    fn secrets_do_not_show_in_any_spelling() {
        for typed in SECRETS {
            let line = echoed(&[&["profile"], *typed].concat());
            assert!(!line.contains("S3CRET") && !line.contains("837465837465"), "{line}");
            assert!(line.contains(REDACTED), "{line}");
        }
    }

    #[test]
    fn what_is_no_secret_stays() {
        for (option, text) in [
            ("-H", "X-Trace: visible"),
            ("-H", "Accept: text/html, application/json"),
            ("--extra-inputs", "max_tokens:256,ignore_eos:true"),
            ("--extra-inputs", r#"{"nvext":{"ignore_eos":true},"stop_token_ids":[1,2]}"#),
            ("--url", "mock://fixed?ttft=1ms&tokenizer=builtin"),
            ("--tokenizer", "org/model"),
            ("--endpoint", "/v1/chat/completions?a=b"),
            ("--variant", "a: concurrency=1, isl=5"),
            ("--provenance", "server=h200"),
        ] {
            assert_eq!(echoed(&["profile", option, text]), format!("loadgen profile {option} '{text}'"));
        }
    }
}
