//! A normalised file as settings: options with values, each knowing the line it came from.
//!
//! The options are those of the command line, so that a file can ask for nothing that flags could not; what
//! they cannot say is refused by name. Which settings the user's own flags replace is decided elsewhere.

use serde_json::{Value, json};

use super::beside::{gpu_telemetry, network_latency, server_metrics};
use super::datasets::dataset;
use super::faults::Faults;
use super::phases::phase_settings;
use super::schema::{BENCHMARK, ENVELOPE, RESET_KV_CACHE, SERVER_PROFILER, SWEEP};
use super::shape::{Does, Key, Shape, as_bool, as_int, as_number, below, check, time_text};
use super::sweep::is_built;
use super::yaml::{Mark, Node, Yaml};

/// An option with its values, from one place of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Setting {
    /// The option, as `--concurrency`.
    pub(super) flag: &'static str,
    /// Its values: none for a switch, several for an option that is given once for each.
    pub(super) values: Vec<String>,
    /// Where it stands, in dotted keys.
    pub(super) path: String,
    /// The line.
    pub(super) at: Mark,
}

/// What a file asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Settings {
    /// The options.
    pub(super) list: Vec<Setting>,
    /// What the user should know.
    pub(super) notes: Vec<String>,
    /// Whether it has a phase for the warm-up, which takes nothing from the measured one.
    pub(super) own_warmup: bool,
}

impl Settings {
    /// Adds an option with one value.
    pub(super) fn value(&mut self, flag: &'static str, value: impl Into<String>, path: &str, at: Mark) {
        self.list.push(Setting { flag, values: vec![value.into()], path: path.to_owned(), at });
    }

    /// Adds a switch.
    pub(super) fn switch(&mut self, flag: &'static str, path: &str, at: Mark) {
        self.list.push(Setting { flag, values: Vec::new(), path: path.to_owned(), at });
    }

    fn note(&mut self, path: &str, why: &str) {
        self.notes.push(format!("{path} has no effect: {why}"));
    }
}

/// Checks a normalised tree, and turns it into settings.
pub(super) fn settings(root: &Node, faults: &mut Faults) -> Settings {
    check(root, Shape::Map(ENVELOPE), "", faults);
    let Some(benchmark) = root.get("benchmark") else {
        faults.add(root.at, "benchmark", "is missing: it says what to run");
        return Settings::default();
    };
    for (key, what) in [
        ("models", "is missing: give the model's name, as `model: NAME`"),
        ("endpoint", "is missing: give the server, as `endpoint: {url: http://…}`"),
        ("datasets", "is missing: give what to send, as `dataset: {type: synthetic}`"),
        ("phases", "is missing: give the load, as `phases: {type: concurrency, requests: 10}`"),
    ] {
        if benchmark.get(key).is_none_or(Node::is_null) {
            faults.add(benchmark.at, &format!("benchmark.{key}"), what);
        }
    }
    let mut settings = Settings::default();
    section(root, ENVELOPE, "", &mut settings, faults);
    // Of a type that is not built the type is all there is to say: its keys are another table's.
    if let Some(sweep) = root.get("sweep").filter(|sweep| !sweep.is_null() && is_built(sweep)) {
        check(sweep, Shape::Map(SWEEP), "sweep", faults);
        section(sweep, SWEEP, "sweep", &mut settings, faults);
        sla_filters(sweep, &mut settings);
    }
    convergence(root, faults);
    by_name(benchmark, &mut settings, faults);
    settings
}

/// The options of a section, by its table.
pub(super) fn section(
    node: &Node,
    keys: &'static [Key],
    path: &str,
    settings: &mut Settings,
    faults: &mut Faults,
) {
    for entry in node.entries() {
        let Some(key) = keys.iter().find(|key| key.name == entry.key) else { continue };
        let (path, value) = (below(path, &entry.key), &entry.node);
        if value.is_null() {
            continue;
        }
        match key.does {
            Does::Option(flag) => {
                let values = match (&value.value, key.shape) {
                    (Yaml::List(items), _) => items.iter().map(Node::to_string).collect(),
                    (_, Shape::Time) => vec![time_text(value)],
                    _ => vec![value.to_string()],
                };
                settings.list.push(Setting { flag, values, path, at: entry.at });
            }
            Does::Switch(flag) if as_bool(value) == Some(true) => settings.switch(flag, &path, entry.at),
            Does::Either(yes, no) => {
                if let Some(value) = as_bool(value) {
                    settings.switch(if value { yes } else { no }, &path, entry.at);
                }
            }
            Does::Section => {
                if let Shape::Map(keys) = key.shape {
                    section(value, keys, &path, settings, faults);
                }
            }
            Does::Idle(why) if asks(value) => settings.note(&path, why),
            Does::Unbuilt(instead) if asks(value) => {
                faults.unbuilt(entry.at, &path, format!("is not built yet: {instead}"));
            }
            Does::Read | Does::Switch(_) | Does::Idle(_) | Does::Unbuilt(_) => {}
        }
    }
}

/// The options of a mapping that stands on its own.
pub(super) fn mapping(
    node: &Node,
    keys: &'static [Key],
    path: &str,
    settings: &mut Settings,
    faults: &mut Faults,
) {
    check(node, Shape::Map(keys), path, faults);
    section(node, keys, path, settings, faults);
}

/// Whether a value asks for anything: `false`, nothing and what is empty or disabled do not.
fn asks(node: &Node) -> bool {
    match &node.value {
        Yaml::Null | Yaml::Bool(false) => false,
        Yaml::List(items) => !items.is_empty(),
        Yaml::Map(entries) => {
            !entries.is_empty() && node.get("enabled").is_none_or(|enabled| as_bool(enabled) != Some(false))
        }
        _ => true,
    }
}

/// What depends on more than one value.
fn by_name(benchmark: &Node, settings: &mut Settings, faults: &mut Faults) {
    models(benchmark, settings, faults);
    if let Some(endpoint) = benchmark.get("endpoint") {
        endpoint_settings(endpoint, settings, faults);
    }
    artifacts(benchmark, settings, faults);
    slos(benchmark, settings);
    gpu_telemetry(benchmark, settings);
    server_metrics(benchmark, settings, faults);
    network_latency(benchmark, settings, faults);
    let dataset = dataset(benchmark, settings, faults);
    phase_settings(benchmark, dataset, settings, faults);
}

fn models(benchmark: &Node, settings: &mut Settings, faults: &mut Faults) {
    let Some(models) = benchmark.get("models") else { return };
    section(models, models_keys(), "benchmark.models", settings, faults);
    let items = models.get("items").map(Node::items).unwrap_or_default();
    if items.is_empty() {
        faults.add(models.at, "benchmark.models", "expected at least one model");
    }
    for (index, item) in items.iter().enumerate() {
        let path = format!("benchmark.models.items[{index}]");
        if item.get("name").and_then(Node::text).is_none() {
            faults.add(item.at, &path, "needs a name");
        }
        section(item, model_keys(), &path, settings, faults);
    }
    let names = items.iter().filter_map(|item| item.get("name")?.text().map(str::to_owned)).collect();
    let (path, at) = ("benchmark.models".to_owned(), models.at);
    settings.list.push(Setting { flag: "--model", values: names, path, at });

    let weights: Vec<f64> = items.iter().filter_map(|item| as_number(item.get("weight")?)).collect();
    if models.get("strategy").and_then(Node::text).is_some_and(|strategy| strategy == "weighted") {
        let sum: f64 = weights.iter().sum();
        if weights.len() != items.len() {
            faults.add(models.at, "benchmark.models", "every model needs a weight");
        } else if (sum - 1.0).abs() > 1e-6 {
            faults.add(models.at, "benchmark.models", format!("weights must sum to 1, not {sum}"));
        } else {
            faults.unbuilt(
                models.at,
                "benchmark.models.strategy",
                "weighted is not built yet: use round_robin or random",
            );
        }
    }
}

fn models_keys() -> &'static [Key] {
    keys_below(BENCHMARK, "models")
}

fn model_keys() -> &'static [Key] {
    match models_keys().iter().find(|key| key.name == "items").map(|key| key.shape) {
        Some(Shape::List(Shape::Map(keys))) => keys,
        _ => &[],
    }
}

/// The keys that a table has below one of its names.
pub(super) fn keys_below(keys: &'static [Key], name: &str) -> &'static [Key] {
    match keys.iter().find(|key| key.name == name).map(|key| key.shape) {
        Some(Shape::Map(keys) | Shape::SwitchOr(keys) | Shape::TextOr(keys)) => keys,
        _ => &[],
    }
}

fn endpoint_settings(endpoint: &Node, settings: &mut Settings, faults: &mut Faults) {
    const PATH: &str = "benchmark.endpoint";
    for url in endpoint.get("urls").map(Node::items).unwrap_or_default() {
        let Some(text) = url.text().filter(|text| !text.starts_with("mock://")) else { continue };
        let host = ["http://", "https://"].iter().find_map(|scheme| text.strip_prefix(scheme));
        let fault = match host {
            None => "needs http:// or https:// before it",
            Some(host) if host.is_empty() || host.starts_with(['/', ':', '?']) => "names no host",
            Some(_) => continue,
        };
        faults.add(url.at, "benchmark.endpoint.urls", format!("{text:?} {fault}"));
    }
    if endpoint.get("urls").is_none_or(|urls| urls.items().is_empty()) {
        faults.add(endpoint.at, PATH, "needs the server's url");
    }
    if let Some(path) = endpoint.get("path")
        && path.text().is_some_and(|text| !text.starts_with('/'))
    {
        faults.add(
            path.at,
            "benchmark.endpoint.path",
            format!("{path:?} must begin with a slash", path = path.to_string()),
        );
    }
    for header in endpoint.get("headers").map(Node::entries).unwrap_or_default() {
        let path = format!("{PATH}.headers.{}", header.key);
        settings.value(
            "--header",
            json!({ &header.key: header.node.to_string() }).to_string(),
            &path,
            header.at,
        );
    }
    if let Some(extra) = endpoint.get("extra").filter(|extra| !extra.entries().is_empty()) {
        settings.value("--extra-inputs", extra.to_json().to_string(), "benchmark.endpoint.extra", extra.at);
    }
    if let Some(template) = endpoint.get("template").filter(|template| !template.is_null()) {
        let mut fields = serde_json::Map::new();
        for (key, field) in [("body", "payload_template"), ("response_field", "response_field")] {
            if let Some(value) = template.get(key) {
                fields.insert(field.to_owned(), value.to_json());
            }
        }
        let path = "benchmark.endpoint.template";
        settings.value("--extra-inputs", Value::Object(fields).to_string(), path, template.at);
    }
    control(endpoint, "reset_kv_cache", "--reset-kv-cache", RESET_KV_CACHE, settings, faults);
    control(endpoint, "server_profiler", "--server-profiler", SERVER_PROFILER, settings, faults);
    if let Some(retry) = endpoint.at_path("reset_kv_cache.max_retry_seconds").and_then(as_number)
        && retry != 60.0
    {
        let path = "benchmark.endpoint.reset_kv_cache.max_retry_seconds";
        faults.unbuilt(endpoint.at, path, "only 60 is built: leave it out");
    }
}

/// A call to the server: a switch, or a mapping that turns it on.
fn control(
    endpoint: &Node,
    key: &str,
    flag: &'static str,
    keys: &'static [Key],
    settings: &mut Settings,
    faults: &mut Faults,
) {
    let Some(node) = endpoint.get(key) else { return };
    let path = format!("benchmark.endpoint.{key}");
    if as_bool(node) == Some(true) || matches!(node.value, Yaml::Map(_)) {
        settings.switch(flag, &path, node.at);
        section(node, keys, &path, settings, faults);
    }
}

fn artifacts(benchmark: &Node, settings: &mut Settings, faults: &mut Faults) {
    let Some(artifacts) = benchmark.get("artifacts") else { return };
    if let Some(summary) = artifacts.get("summary") {
        if as_bool(summary) == Some(false) {
            faults.unbuilt(summary.at, "benchmark.artifacts.summary", "false is not built yet: leave it out");
        } else if !summary.is_null() && summary.items().is_empty() {
            faults.add(summary.at, "benchmark.artifacts.summary", "expected [json]");
        }
    }
    let records = artifacts.get("records");
    if let Some(records) = records
        && matches!(&records.value, Yaml::List(items) if items.is_empty())
    {
        faults.add(records.at, "benchmark.artifacts.records", "expected [jsonl] or false");
    }
    let no_records = records.is_some_and(|records| as_bool(records) == Some(false));
    let raw = artifacts.get("raw").and_then(as_bool) == Some(true);
    let level = match (raw, no_records) {
        (true, true) => {
            let what = "raw needs the records too: leave out `records: false`";
            return faults.add(artifacts.at, "benchmark.artifacts.raw", what);
        }
        (true, false) => "raw",
        (false, true) => "summary",
        (false, false) => return,
    };
    let path = if raw { "benchmark.artifacts.raw" } else { "benchmark.artifacts.records" };
    settings.value("--export-level", level, path, artifacts.at);
}

fn slos(benchmark: &Node, settings: &mut Settings) {
    let Some(slos) = benchmark.get("slos").filter(|slos| !slos.entries().is_empty()) else { return };
    let pairs: Vec<String> =
        slos.entries().iter().map(|entry| format!("{}:{}", entry.key, entry.node)).collect();
    settings.value("--goodput", pairs.join(" "), "benchmark.slos", slos.at);
}

/// Conditions of a sweep's points, as METRIC:STAT:OP:THRESHOLD.
fn sla_filters(sweep: &Node, settings: &mut Settings) {
    for filter in sweep.get("sla_filters").map(Node::items).unwrap_or_default() {
        let text =
            |key: &str, default: &str| filter.get(key).map_or_else(|| default.to_owned(), Node::to_string);
        let value =
            [text("metric_tag", ""), text("stat", "p95"), text("op", ""), text("threshold", "")].join(":");
        settings.value("--sweep-sla", value, "sweep.sla_filters", filter.at);
    }
}

/// A criterion needs a metric, and no more runs than there are.
fn convergence(root: &Node, faults: &mut Faults) {
    let Some(convergence) = root.at_path("multi_run.convergence").filter(|node| !node.is_null()) else {
        return;
    };
    if convergence.get("metric").is_none_or(Node::is_null) {
        faults.add(convergence.at, "multi_run.convergence", "needs the `metric` that is to settle");
    }
    let runs = root.at_path("multi_run.num_runs").and_then(as_int).unwrap_or(1);
    let least = convergence.get("min_runs").and_then(as_int).unwrap_or(2);
    if least > runs {
        let what =
            format!("min_runs ({least}) must be at most num_runs ({runs}): lower one or raise the other");
        faults.add(convergence.at, "multi_run.convergence", what);
    }
}
