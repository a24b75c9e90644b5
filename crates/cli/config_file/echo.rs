//! The configuration as the files of a run echo it: what the file set, and what flags put in its place, in
//! AIPerf's normalised form and order. Secrets do not show.

use loadgen_wire::{REDACTED, is_secret_name, redact_field, redact_url};
use serde_json::{Map, Number, Value, json};

use super::given::Given;
use super::paths;
use super::schema::{
    BENCHMARK, FILE, GAMMA_KEYS, PHASE, PUBLIC, RATE_KEYS, SCHEDULE_KEYS, SYNTHETIC, USER_KEYS,
};
use super::shape::{Does, Key, Shape, as_bool, as_int, as_number, below, seconds};
use super::yaml::{Node, Yaml, plain};
use crate::args::values;

/// Flags of the measured phase, and their keys in it.
const PHASE_FLAGS: [(&str, &str); 13] = [
    ("--concurrency", "concurrency"),
    ("--request-count", "requests"),
    ("--benchmark-duration", "duration"),
    ("--num-conversations", "sessions"),
    ("--prefill-concurrency", "prefill_concurrency"),
    ("--benchmark-grace-period", "grace_period"),
    ("--request-rate", "rate"),
    ("--user-centric-rate", "rate"),
    ("--num-users", "users"),
    ("--arrival-smoothness", "smoothness"),
    ("--fixed-schedule-start-offset", "start_offset"),
    ("--fixed-schedule-end-offset", "end_offset"),
    ("--failed-request-threshold", "failed_request_threshold"),
];

/// Flags of the warm-up, and their keys in it.
const WARMUP_FLAGS: [(&str, &str); 6] = [
    ("--warmup-request-count", "requests"),
    ("--warmup-duration", "duration"),
    ("--num-warmup-sessions", "sessions"),
    ("--warmup-concurrency", "concurrency"),
    ("--warmup-request-rate", "rate"),
    ("--warmup-grace-period", "grace_period"),
];

/// Flags of lengths, and their keys in a dataset: of synthetic prompts, then of a file's.
const LENGTH_FLAGS: [(&str, &str, &str); 8] = [
    ("--isl", "prompts.isl.mean", ""),
    ("--isl-stddev", "prompts.isl.stddev", ""),
    ("--osl", "prompts.osl.mean", "osl.mean"),
    ("--osl-stddev", "prompts.osl.stddev", "osl.stddev"),
    ("--conversation-turn-mean", "turns.mean", ""),
    ("--conversation-turn-stddev", "turns.stddev", ""),
    ("--conversation-turn-delay-mean", "turn_delay.mean", ""),
    ("--conversation-turn-delay-stddev", "turn_delay.stddev", ""),
];

/// A benchmark with the flags put into it. `value` gives a flag's one value, where it was typed as several.
pub(super) fn benchmark(
    benchmark: &Node,
    given: &[Given],
    value: &dyn Fn(&Given) -> Vec<String>,
) -> Map<String, Value> {
    let mut tree = benchmark.clone();
    for option in given {
        override_with(&mut tree, option, &value(option));
    }
    if tree.get("network_latency").is_none() {
        tree.set("network_latency", Node::from_json(&json!({ "enabled": false })));
    }
    fields(&tree, BENCHMARK, "")
}

/// Puts a flag's values where they belong. What has no place in a benchmark is left out.
fn override_with(tree: &mut Node, option: &Given, values: &[String]) {
    let first = || Node::bare(values.first().map_or(Yaml::Bool(true), |value| plain(value)));
    let mut put = |path: &str, node: Node| {
        // A path that is not in this file has nothing to echo.
        let _ = paths::put(tree, path, node);
    };
    let find =
        |table: &[(&str, &'static str)]| table.iter().find(|(flag, _)| option.is(flag)).map(|(_, key)| *key);
    if let Some(key) = find(&PHASE_FLAGS) {
        if option.is("--request-rate") {
            put("phases.profiling.type", Node::bare(Yaml::Text("poisson".to_owned())));
        }
        return put(&format!("phases.profiling.{key}"), first());
    }
    if option.is("--arrival-pattern") {
        return put("phases.profiling.type", first());
    }
    if let Some(key) = find(&WARMUP_FLAGS) {
        add_warmup(tree);
        let _ = paths::put(tree, &format!("phases.warmup.{key}"), first());
        return;
    }
    let (name, kind) = dataset_of(tree);
    if let Some((_, synthetic, file)) = LENGTH_FLAGS.iter().find(|(flag, ..)| option.is(flag)) {
        let key = if kind == "synthetic" { synthetic } else { file };
        let _ = paths::put(tree, &format!("datasets.{name}.{key}"), first());
        return;
    }
    let mut put = |path: &str, value: Value| {
        let _ = paths::put(tree, path, Node::from_json(&value));
    };
    if option.is("--model") {
        let items: Vec<Value> =
            values.iter().flat_map(|v| v.split(',')).map(|name| json!({ "name": name })).collect();
        put("models.items", Value::from(items));
    } else if option.is("--header") || option.is("--extra-inputs") {
        let key = if option.is("--header") { "headers" } else { "extra" };
        for (name, value) in values.iter().filter_map(|value| values::pairs(value).ok()).flatten() {
            put(&format!("endpoint.{key}.{}", name.replace('.', "_")), value);
        }
    } else if option.is("--goodput") {
        for (tag, limit) in
            values.iter().flat_map(|v| v.split_whitespace()).filter_map(|pair| pair.split_once(':'))
        {
            put(&format!("slos.{tag}"), limit.parse::<f64>().map_or(Value::Null, Value::from));
        }
    } else if option.is("--export-level") {
        let level = values.first().map(|level| values::word(level)).unwrap_or_default();
        put("artifacts.records", if level == "summary" { json!(false) } else { json!(["jsonl"]) });
        put("artifacts.raw", json!(level == "raw"));
    } else if option.is("--no-server-metrics") || option.is("--no-gpu-telemetry") {
        let key = if option.is("--no-gpu-telemetry") { "gpu_telemetry" } else { "server_metrics" };
        put(&format!("{key}.enabled"), json!(false));
    } else if option.is("--server-metrics") || option.is("--gpu-telemetry") {
        let key = if option.is("--gpu-telemetry") { "gpu_telemetry" } else { "server_metrics" };
        put(&format!("{key}.enabled"), json!(true));
        put(&format!("{key}.urls"), json!(values));
    } else if option.is("--server-metrics-formats") {
        put("server_metrics.formats", json!(values));
    } else if let Some((path, shape)) = route(option, &name, &kind) {
        let node = match (shape, values) {
            (Shape::List(_), values) => Node::from_json(&json!(values)),
            (_, [value]) => Node::bare(plain(value)),
            _ => Node::bare(Yaml::Bool(true)),
        };
        let _ = paths::put(tree, &path, node);
    }
}

/// Flags may make a warm-up where the file has none.
fn add_warmup(tree: &mut Node) {
    let Some(Yaml::List(phases)) = tree.get_mut("phases").map(|phases| &mut phases.value) else { return };
    let is_warmup = |phase: &Node| phase.get("kind").and_then(Node::text) == Some("warmup");
    if !phases.iter().any(is_warmup) {
        let kind = phases.first().and_then(|phase| phase.get("type")).and_then(Node::text);
        let phase = json!({ "name": "warmup", "kind": "warmup", "type": kind.unwrap_or("concurrency") });
        phases.insert(0, Node::from_json(&phase));
    }
}

fn dataset_of(tree: &Node) -> (String, String) {
    let dataset = tree.get("datasets").and_then(|datasets| datasets.items().first());
    let text =
        |key: &str| dataset.and_then(|dataset| dataset.get(key)).map(Node::to_string).unwrap_or_default();
    (text("name"), text("type"))
}

fn dataset_keys(kind: &str) -> &'static [Key] {
    match kind {
        "file" => FILE,
        "public" => PUBLIC,
        _ => SYNTHETIC,
    }
}

/// Where the tables have the option.
fn route(option: &Given, dataset: &str, kind: &str) -> Option<(String, Shape)> {
    route_in(option, BENCHMARK, "")
        .or_else(|| route_in(option, dataset_keys(kind), &format!("datasets.{dataset}")))
}

fn route_in(option: &Given, keys: &'static [Key], path: &str) -> Option<(String, Shape)> {
    keys.iter().find_map(|key| {
        let path = below(path, key.name);
        match (key.does, key.shape) {
            (Does::Option(flag) | Does::Switch(flag), shape) if option.is(flag) => Some((path, shape)),
            (Does::Section, Shape::Map(keys)) => route_in(option, keys, &path),
            _ => None,
        }
    })
}

/// The fields of a mapping, in the table's order.
fn fields(node: &Node, keys: &[Key], path: &str) -> Map<String, Value> {
    let mut fields = Map::new();
    for key in keys {
        let Some(value) = node.get(key.name).filter(|value| !value.is_null()) else { continue };
        fields.insert(key.name.to_owned(), canonical(value, key, &below(path, key.name)));
    }
    fields
}

fn canonical(node: &Node, key: &Key, path: &str) -> Value {
    match path {
        "endpoint.api_key" => return REDACTED.into(),
        "endpoint.urls" => {
            return node.items().iter().map(|url| redact_url(&url.to_string()).into_owned()).collect();
        }
        "endpoint.headers" => return without_secrets(node),
        "endpoint.extra" | "endpoint.template" => return redact_field("", &node.to_json()),
        "gpu_telemetry.urls" | "server_metrics.urls" => {
            return node.items().iter().map(|url| redact_url(&url.to_string()).into_owned()).collect();
        }
        "datasets" => {
            return node.items().iter().map(|dataset| Value::Object(dataset_fields(dataset))).collect();
        }
        "phases" => return node.items().iter().map(|phase| Value::Object(phase_fields(phase))).collect(),
        _ => {}
    }
    without_credentials(shaped(node, key.shape, path))
}

/// Places without the secrets of their queries.
fn without_credentials(value: Value) -> Value {
    match value {
        Value::String(text) if text.contains("://") || text.starts_with('/') => {
            redact_url(&text).into_owned().into()
        }
        Value::Array(items) => items.into_iter().map(without_credentials).collect(),
        Value::Object(fields) => {
            Value::Object(fields.into_iter().map(|(key, value)| (key, without_credentials(value))).collect())
        }
        other => other,
    }
}

fn dataset_fields(dataset: &Node) -> Map<String, Value> {
    let kind = dataset.get("type").map(Node::to_string).unwrap_or_default();
    let mut fields = fields(dataset, dataset_keys(&kind), "dataset");
    if let Some(Value::String(path)) = fields.get_mut("path") {
        *path = path.trim_start_matches("./").to_owned();
    }
    fields
}

fn phase_fields(phase: &Node) -> Map<String, Value> {
    let extra = [RATE_KEYS, GAMMA_KEYS, USER_KEYS, SCHEDULE_KEYS];
    let keys: Vec<Key> = PHASE.iter().chain(extra.into_iter().flatten()).copied().collect();
    fields(phase, &keys, "phase")
}

fn shaped(node: &Node, shape: Shape, path: &str) -> Value {
    match shape {
        Shape::Int(..) => as_int(node).map_or_else(|| node.to_json(), Value::from),
        Shape::Bool => as_bool(node).map_or_else(|| node.to_json(), Value::from),
        Shape::NonNegative | Shape::Positive | Shape::Share | Shape::Fraction => float(as_number(node), node),
        Shape::Time => float(seconds(node), node),
        Shape::Ramp | Shape::Distribution => match &node.value {
            Yaml::Map(entries) => Value::Object(
                entries
                    .iter()
                    .map(|entry| (entry.key.clone(), float(seconds(&entry.node), &entry.node)))
                    .collect(),
            ),
            _ => float(seconds(node), node),
        },
        Shape::Map(keys) | Shape::SwitchOr(keys) | Shape::TextOr(keys)
            if matches!(node.value, Yaml::Map(_)) =>
        {
            Value::Object(fields(node, keys, path))
        }
        Shape::List(inner) | Shape::OneOrMany(inner) => match &node.value {
            Yaml::List(items) => items.iter().map(|item| shaped(item, *inner, path)).collect(),
            _ => shaped(node, *inner, path),
        },
        Shape::FalseOr(inner) if matches!(node.value, Yaml::List(_)) => shaped(node, *inner, path),
        Shape::Numbers => Value::Object(
            node.entries()
                .iter()
                .map(|entry| (entry.key.clone(), float(as_number(&entry.node), &entry.node)))
                .collect(),
        ),
        Shape::Word(_) => Value::from(node.to_string().to_ascii_lowercase()),
        _ => node.to_json(),
    }
}

/// A number as a float; what is none, and infinity, as it stands.
fn float(value: Option<f64>, node: &Node) -> Value {
    value.and_then(Number::from_f64).map_or_else(|| node.to_json(), Value::Number)
}

fn without_secrets(node: &Node) -> Value {
    let hidden = |entry: &super::yaml::Entry| {
        let value = if is_secret_name(&entry.key) { REDACTED.into() } else { entry.node.to_json() };
        (entry.key.clone(), value)
    };
    Value::Object(node.entries().iter().map(hidden).collect())
}
