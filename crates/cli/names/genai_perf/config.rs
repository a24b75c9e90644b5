//! `input_config` of GenAI-Perf's JSON: its options in its own sections, defaults filled in.

use loadgen_wire::{REDACTED, redact_field, redact_url};
use serde_json::{Map, Value, json};

use super::fields::typed;
use super::line::Line;
use super::load::Load;

/// Renders it.
pub(super) fn dump(line: &Line<'_>, kind: &str, load: &Load) -> Value {
    let number = |name: &str, default: Value| line.one(name).map_or(default, typed);
    let text = |name: &str, default: &str| Value::from(line.one(name).unwrap_or(default));
    let switch = |name: &str| Value::from(line.values(name).is_some());
    let count = line.passed.request_count.as_deref().or(line.one("--request-count"));
    let interval = line.passed.interval_ms.as_deref().or(line.one("--measurement-interval"));
    let (mode, num) = match (count, interval) {
        (None, Some(interval)) => ("interval", typed(interval)),
        (count, _) => ("request_count", count.map_or(Value::Null, typed)),
    };
    json!({
        "model_names": line.values("--model").unwrap_or_default(),
        "subcommand": "profile",
        "verbose": switch("--verbose"),
        "endpoint": {
            "model_selection_strategy": text("--model-selection-strategy", "round_robin"),
            "custom": line.one("--endpoint").map(|path| redact_url(path.trim_start_matches([' ', '/']))),
            "type": kind,
            "service_kind": "openai",
            "streaming": switch("--streaming"),
            "server_metrics_urls": line
                .values("--server-metrics-url")
                .unwrap_or_default()
                .iter()
                .map(|url| redact_url(url))
                .collect::<Vec<_>>(),
            "url": line.one("--url").map_or_else(|| "localhost:8000".into(), redact_url),
        },
        "perf_analyzer": {
            "verbose": line.passed.verbose,
            "stimulus": { load.key: load.value },
            "stability_percentage": number("--stability-percentage", json!(999)),
            "measurement": { "mode": mode, "num": num },
            "warmup_request_count": number("--warmup-request-count", json!(0)),
        },
        "input": {
            "batch_size": number("--batch-size-text", json!(1)),
            "extra": extra(line),
            "goodput": goodput(line),
            "header": line.each("--header").chain(&line.passed.headers).map(|header| {
                let name = header.split(':').next().unwrap_or_default();
                format!("{name}:{REDACTED}")
            }).collect::<Vec<_>>(),
            "file": line.one("--input-file"),
            "num_dataset_entries": number("--num-dataset-entries", json!(100)),
            "random_seed": number("--random-seed", json!(0)),
            "output_tokens": {
                "mean": number("--output-tokens-mean", Value::Null),
                "deterministic": false,
                "stddev": number("--output-tokens-stddev", json!(0)),
            },
            "synthetic_tokens": {
                "mean": number("--synthetic-input-tokens-mean", json!(550)),
                "stddev": number("--synthetic-input-tokens-stddev", json!(0)),
            },
            "prefix_prompt": {
                "num": number("--num-prefix-prompts", json!(0)),
                "length": number("--prefix-prompt-length", json!(100)),
            },
            "sessions": {
                "num": number("--num-sessions", json!(0)),
                "turns": {
                    "mean": number("--session-turns-mean", json!(1)),
                    "stddev": number("--session-turns-stddev", json!(0)),
                },
                "turn_delay": {
                    "mean": number("--session-turn-delay-mean", json!(0)),
                    "stddev": number("--session-turn-delay-stddev", json!(0)),
                    "ratio": number("--session-delay-ratio", json!(1.0)),
                },
            },
        },
        "output": {
            "artifact_directory": text("--artifact-dir", "artifacts"),
            "profile_export_file": text("--profile-export-file", "profile_export.json"),
            "generate_plots": switch("--generate-plots"),
        },
        "tokenizer": {
            "name": line.one("--tokenizer").or_else(|| line.one("--model")),
            "revision": text("--tokenizer-revision", "main"),
            "trust_remote_code": switch("--tokenizer-trust-remote-code"),
        },
    })
}

/// Extra inputs as one mapping; those that look like secrets do not show.
fn extra(line: &Line<'_>) -> Value {
    let mut fields = Map::new();
    for field in line.each("--extra-inputs") {
        if let Ok(Value::Object(object)) = serde_json::from_str(field) {
            fields.extend(object);
        } else {
            let (name, value) = field.split_once(':').unwrap_or((field, ""));
            fields.insert(name.to_owned(), typed(value));
        }
    }
    for (name, value) in &mut fields {
        *value = redact_field(name, value);
    }
    if fields.is_empty() { Value::Null } else { Value::Object(fields) }
}

fn goodput(line: &Line<'_>) -> Value {
    let Some(targets) = line.values("--goodput") else { return Value::Null };
    let pairs = targets.iter().filter_map(|pair| {
        let (tag, value) = pair.split_once(':')?;
        Some((tag.to_owned(), json!(value.parse::<f64>().ok()?)))
    });
    Value::Object(pairs.collect())
}
