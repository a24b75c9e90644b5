//! The command line as it may be shown: values quoted as AIPerf quotes them, secrets removed.

use std::ffi::OsString;

use loadgen_wire::{REDACTED, is_secret_name, redact, redact_url};
use serde_json::Value;

/// Renders the command line of a program of this name.
pub(super) fn echo(program: &str, argv: &[OsString]) -> String {
    let mut words = vec![program.to_owned()];
    let mut option = String::new();
    for argument in argv.iter().skip(1) {
        let text = argument.to_string_lossy();
        let is_option = text.starts_with('-') && text.parse::<f64>().is_err();
        if !is_option {
            words.push(value(&option, &text, words.len() == 1));
            continue;
        }
        match text.split_once('=') {
            Some((name, given)) => words.push(format!("{name}={}", value(name, given, false))),
            None => words.push(text.clone().into_owned()),
        }
        text.split('=').next().unwrap_or_default().clone_into(&mut option);
    }
    words.join(" ")
}

fn value(option: &str, text: &str, is_subcommand: bool) -> String {
    let shown = without_secrets(option, text);
    let plain = is_subcommand || text.parse::<f64>().is_ok() || matches!(text, "true" | "false");
    if plain { shown } else { format!("'{}'", shown.replace('\'', r"'\''")) }
}

fn without_secrets(option: &str, text: &str) -> String {
    match option {
        "--api-key" => REDACTED.to_owned(),
        "-u" | "--url" | "--server-metrics" | "--gpu-telemetry" => {
            text.split(',').map(redact_url).collect::<Vec<_>>().join(",")
        }
        "-H" | "--header" | "--extra-inputs" | "--provenance" => {
            if let Ok(Value::Object(fields)) = serde_json::from_str(text) {
                return Value::Object(fields.into_iter().map(without_secret).collect()).to_string();
            }
            let separator = if option == "--provenance" { '=' } else { ':' };
            match text.split_once(separator) {
                Some((name, _)) if is_secret_name(name.trim_matches(|c: char| !c.is_alphanumeric())) => {
                    format!("{name}{separator}{REDACTED}")
                }
                _ => redact(text).into_owned(),
            }
        }
        "--variant" | "--sweep-variant" => {
            text.split(',').map(without_secret_setting).collect::<Vec<_>>().join(",")
        }
        _ if text.contains("://") => redact_url(text).into_owned(),
        _ => text.to_owned(),
    }
}

/// A setting of a point of a sweep, `api-key=…`, its value hidden when the option is a secret.
fn without_secret_setting(setting: &str) -> String {
    match setting.split_once('=') {
        Some((option, _)) if option.replace('_', "-").ends_with("api-key") => format!("{option}={REDACTED}"),
        _ => redact(setting).into_owned(),
    }
}

/// A field of a JSON object, its value hidden when its name is a secret's.
fn without_secret((name, value): (String, Value)) -> (String, Value) {
    let is_secret = value.is_string() && is_secret_name(&name);
    (name, if is_secret { REDACTED.into() } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn echoed(words: &[&str]) -> String {
        let argv: Vec<OsString> =
            std::iter::once("aiperf").chain(words.iter().copied()).map(OsString::from).collect();
        echo("loadgen", &argv)
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
                "a:1 b:2"
            ]),
            "loadgen profile -m 'mock-model' --streaming --concurrency 2 --goodput 'a:1 b:2'"
        );
        assert_eq!(
            echoed(&["profile", "--streaming=true", "-x", "-2"]),
            "loadgen profile --streaming=true -x -2"
        );
    }

    #[test]
    fn secrets_do_not_show() {
        let line = echoed(&[
            "profile",
            "--api-key",
            "sk-secret1",
            "--api-key=sk-secret2",
            "-H",
            "Authorization: Bearer secret3",
            "-H",
            "X-Trace: visible",
            "-u",
            "http://user:secret4@host/?api_key=secret5",
            "--extra-inputs",
            "auth_token:secret6",
            "--extra-inputs",
            r#"{"password":"secret7","n":1}"#,
            "--server-metrics",
            "http://user:secret8@host:1",
            "user:secret9@host:2",
            "--gpu-telemetry=http://user:secret0@host:3",
            "--goodput",
            "time_to_first_token:500",
        ]);
        for secret in 0..=9 {
            assert!(!line.contains(&format!("secret{secret}")), "{line}");
        }
        assert!(
            line.contains("visible") && line.contains("host") && line.contains("time_to_first_token:500")
        );
    }
}
