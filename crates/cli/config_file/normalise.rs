//! One form for the many that a file may have: snake case, the envelope, no shorthand.
//!
//! Afterwards `benchmark` holds `models.items`, `endpoint.urls`, a list `datasets` and a list `phases` whose
//! entries have names and kinds, and lengths are mappings. Nothing is checked beyond what is needed for that.

use super::faults::Faults;
use super::shape::{as_number, below};
use super::yaml::{Entry, Node, Yaml};

/// Keys below which names are the user's, not the schema's.
const FREE: [&str; 9] =
    ["headers", "extra", "slos", "variables", "parameters", "values", "filters", "content", "metrics"];

/// Keys that stood at the top level before there was an envelope.
const FLAT: [&str; 14] = [
    "model",
    "models",
    "endpoint",
    "dataset",
    "datasets",
    "phases",
    "artifacts",
    "slos",
    "tokenizer",
    "gpu_telemetry",
    "server_metrics",
    "runtime",
    "logging",
    "accuracy",
];

/// Brings a file's tree into the one form. Returns what the user should know.
pub(super) fn normalise(root: &mut Node, faults: &mut Faults) -> Vec<String> {
    snake(root, "", faults);
    let mut notes = Vec::new();
    notes.extend(envelope(root));
    if let Some(benchmark) = root.get_mut("benchmark") {
        open(benchmark, faults);
    }
    notes
}

/// Opens the shorthands of a benchmark.
pub(super) fn open(benchmark: &mut Node, faults: &mut Faults) {
    models(benchmark, faults);
    endpoint(benchmark);
    datasets(benchmark, faults);
    phases(benchmark, faults);
    for key in ["gpu_telemetry", "server_metrics"] {
        if let Some(source) = benchmark.get_mut(key) {
            scraped(source);
        }
    }
}

/// Puts keys of the older, flat form below `benchmark`; keys that stand there already win.
fn envelope(root: &mut Node) -> Option<String> {
    let Yaml::Map(entries) = &mut root.value else { return None };
    let is_flat = |entry: &Entry| FLAT.contains(&entry.key.as_str());
    if !entries.iter().any(is_flat) {
        return None;
    }
    let (moved, kept): (Vec<Entry>, Vec<Entry>) = std::mem::take(entries).into_iter().partition(is_flat);
    *entries = kept;
    let names: Vec<String> = moved.iter().map(|entry| entry.key.clone()).collect();
    let mut benchmark = root.take("benchmark").unwrap_or_else(|| Node::bare(Yaml::Map(Vec::new())));
    for mut entry in moved {
        if benchmark.get(&entry.key).is_some() {
            continue;
        }
        if entry.key == "dataset" && benchmark.get("datasets").is_none() {
            "datasets".clone_into(&mut entry.key);
            entry.node = list_of(named(entry.node, "main"));
        }
        benchmark.set(&entry.key, entry.node);
    }
    root.set("benchmark", benchmark);
    Some(format!("{} stand at the top level, an older form: put them below `benchmark:`", names.join(", ")))
}

/// Turns `randomSeed` into `random_seed`, wherever keys are the schema's.
fn snake(node: &mut Node, path: &str, faults: &mut Faults) {
    match &mut node.value {
        Yaml::List(items) => items.iter_mut().for_each(|item| snake(item, path, faults)),
        Yaml::Map(entries) => {
            for index in 0..entries.len() {
                let key = snake_key(&entries[index].key);
                if entries[..index].iter().any(|earlier| earlier.key == key) {
                    let given = entries[index].key.clone();
                    faults.add(
                        entries[index].at,
                        &below(path, &given),
                        format!("the same key as {key:?}, which stands there already: keep one of them"),
                    );
                }
                if !FREE.contains(&key.as_str()) {
                    snake(&mut entries[index].node, &below(path, &key), faults);
                }
                entries[index].key = key;
            }
        }
        _ => {}
    }
}

fn snake_key(key: &str) -> String {
    let mut snake = String::with_capacity(key.len() + 4);
    for letter in key.chars() {
        if letter.is_ascii_uppercase() {
            if !snake.is_empty() {
                snake.push('_');
            }
            snake.push(letter.to_ascii_lowercase());
        } else {
            snake.push(letter);
        }
    }
    snake
}

fn models(benchmark: &mut Node, faults: &mut Faults) {
    let Some(models) = one_of_two(benchmark, "model", "models", faults) else { return };
    let items = match &models.value {
        Yaml::Text(_) => vec![model(models.clone())],
        Yaml::List(items) => items.iter().cloned().map(model).collect(),
        _ => return benchmark.set("models", models),
    };
    let at = models.at;
    let mut opened = Node { value: Yaml::Map(Vec::new()), at };
    opened.set("items", Node { value: Yaml::List(items), at });
    benchmark.set("models", opened);
}

/// A model given by its name alone.
fn model(node: Node) -> Node {
    if matches!(node.value, Yaml::Map(_)) {
        return node;
    }
    let mut model = Node { value: Yaml::Map(Vec::new()), at: node.at };
    model.set("name", node);
    model
}

/// Takes what stands below the short or the long name; both at once are a fault.
fn one_of_two(benchmark: &mut Node, short: &str, long: &str, faults: &mut Faults) -> Option<Node> {
    let (given, full) = (benchmark.take(short), benchmark.take(long));
    if let (Some(given), Some(_)) = (&given, &full) {
        faults.add(
            given.at,
            &format!("benchmark.{short}"),
            format!("cannot stand beside {long:?}: give one of them"),
        );
    }
    given.or(full)
}

fn endpoint(benchmark: &mut Node) {
    let Some(endpoint) = benchmark.get_mut("endpoint") else { return };
    urls(endpoint);
    if endpoint.get("template").is_some_and(|template| !template.is_null()) && endpoint.get("type").is_none()
    {
        endpoint.set("type", Node::bare(Yaml::Text("template".to_owned())));
    }
}

/// `url` and `urls` as one list; where both stand, `urls` wins.
fn urls(node: &mut Node) {
    let Some(url) = node.take("url") else {
        if let Some(urls) = node.get_mut("urls")
            && urls.text().is_some()
        {
            *urls = list_of(urls.clone());
        }
        return;
    };
    if node.get("urls").is_some() {
        return;
    }
    let list = if matches!(url.value, Yaml::List(_)) { url } else { list_of(url) };
    node.set("urls", list);
}

fn scraped(source: &mut Node) {
    if source.text().is_some() {
        let at = source.at;
        let url = std::mem::replace(source, Node { value: Yaml::Map(Vec::new()), at });
        source.set("enabled", Node::bare(Yaml::Bool(true)));
        source.set("urls", list_of(url));
        return;
    }
    urls(source);
}

fn datasets(benchmark: &mut Node, faults: &mut Faults) {
    if let Some(dataset) = benchmark.get("dataset") {
        if benchmark.get("datasets").is_some() {
            faults.add(
                dataset.at,
                "benchmark.dataset",
                "cannot stand beside \"datasets\": give `dataset` for one, or `datasets` for a list of one",
            );
            return;
        }
        let dataset = benchmark.take("dataset").unwrap_or_else(|| Node::bare(Yaml::Null));
        benchmark.set("datasets", list_of(named(dataset, "default")));
    }
    let Some(Yaml::List(items)) = benchmark.get_mut("datasets").map(|datasets| &mut datasets.value) else {
        return;
    };
    for item in items {
        dataset(item);
    }
}

fn dataset(dataset: &mut Node) {
    if !matches!(dataset.value, Yaml::Map(_)) {
        return;
    }
    if dataset.get("type").is_none() {
        dataset.set("type", Node::bare(Yaml::Text("synthetic".to_owned())));
    }
    if dataset.get("type").and_then(Node::text) == Some("synthetic") {
        for key in ["isl", "osl"] {
            let Some(length) = dataset.take(key) else { continue };
            let mut prompts = dataset.take("prompts").unwrap_or_else(|| Node::bare(Yaml::Map(Vec::new())));
            if prompts.get(key).is_none() {
                prompts.set(key, length);
            }
            dataset.set("prompts", prompts);
        }
        if let Some(prompts) = dataset.get_mut("prompts") {
            lengths(prompts, &["isl", "osl"]);
        }
        lengths(dataset, &["turns", "turn_delay"]);
        if let Some(images) = dataset.get_mut("images") {
            lengths(images, &["width", "height"]);
        }
        if let Some(audio) = dataset.get_mut("audio") {
            lengths(audio, &["length"]);
        }
        if let Some(rankings) = dataset.get_mut("rankings") {
            lengths(rankings, &["passages", "passage_tokens", "query_tokens"]);
        }
    } else {
        lengths(dataset, &["osl"]);
    }
}

/// A bare number is a fixed length.
fn lengths(node: &mut Node, keys: &[&str]) {
    for key in keys {
        if let Some(length) = node.get_mut(key)
            && as_number(length).is_some()
        {
            let at = length.at;
            let value = std::mem::replace(length, Node { value: Yaml::Map(Vec::new()), at });
            length.set("value", value);
        }
    }
}

fn phases(benchmark: &mut Node, faults: &mut Faults) {
    let (warmup, profiling) = (benchmark.take("warmup"), benchmark.take("profiling"));
    if let Some(first) = warmup.as_ref().or(profiling.as_ref()) {
        if benchmark.get("phases").is_some() {
            faults.add(
                first.at,
                "benchmark.phases",
                "cannot stand beside \"warmup\" or \"profiling\": give `phases`, or `warmup` and `profiling`",
            );
            return;
        }
        if profiling.is_none() {
            faults.add(first.at, "benchmark.warmup", "needs a `profiling` beside it");
        }
        let at = first.at;
        let list = [("warmup", warmup), ("profiling", profiling)]
            .into_iter()
            .filter_map(|(name, phase)| Some(named(phase?, name)))
            .collect();
        benchmark.set("phases", Node { value: Yaml::List(list), at });
    }
    let Some(phases) = benchmark.get_mut("phases") else { return };
    if matches!(phases.value, Yaml::Map(_)) {
        if phases.get("type").is_none() {
            faults.add(
                phases.at,
                "benchmark.phases",
                "expected a phase with a `type`, or a list of phases with a `name` each",
            );
            return;
        }
        let phase = std::mem::replace(phases, Node::bare(Yaml::Null));
        *phases = list_of(if phase.get("name").is_some() { phase } else { named(phase, "profiling") });
    }
    if let Yaml::List(items) = &mut phases.value {
        for phase in items {
            infer_kind(phase);
        }
    }
}

/// The two names that say their kind.
fn infer_kind(phase: &mut Node) {
    let name = phase.get("name").and_then(Node::text).map(str::to_ascii_lowercase);
    if let Some(name) = name
        && phase.get("kind").is_none_or(Node::is_null)
        && matches!(name.as_str(), "warmup" | "profiling")
    {
        phase.take("kind");
        insert_second(phase, "kind", Node::bare(Yaml::Text(name)));
    }
}

/// The phase or dataset under this name, which comes first.
fn named(mut node: Node, name: &str) -> Node {
    if let Yaml::Map(entries) = &mut node.value
        && !entries.iter().any(|entry| entry.key == "name")
    {
        let at = node.at;
        entries.insert(
            0,
            Entry { key: "name".to_owned(), at, node: Node { value: Yaml::Text(name.to_owned()), at } },
        );
    }
    node
}

fn insert_second(node: &mut Node, key: &str, value: Node) {
    if let Yaml::Map(entries) = &mut node.value {
        let place = entries.len().min(1);
        entries.insert(place, Entry { key: key.to_owned(), at: value.at, node: value });
    }
}

fn list_of(node: Node) -> Node {
    let at = node.at;
    Node { value: Yaml::List(vec![node]), at }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::super::yaml::parse;
    use super::*;

    fn normal(text: &str) -> (serde_json::Value, String, Vec<String>) {
        let mut root = parse(text).unwrap().unwrap();
        let mut faults = Faults::default();
        let notes = normalise(&mut root, &mut faults);
        (root.to_json(), faults.to_string(), notes)
    }

    #[test]
    fn shorthands_are_opened() {
        let (tree, faults, notes) = normal(
            "randomSeed: 1\nbenchmark:\n  model: m\n  endpoint: {url: http://h, useServerTokenCount: true}\n  \
             dataset: {isl: 32, prompts: {osl: {mean: 8}}}\n  \
             phases: {type: concurrency, requests: 1}\n  serverMetrics: http://h:1/metrics\n",
        );
        assert_eq!(faults, "");
        assert!(notes.is_empty());
        assert_eq!(
            tree,
            json!({"random_seed": 1, "benchmark": {
                "endpoint": {"use_server_token_count": true, "urls": ["http://h"]},
                "models": {"items": [{"name": "m"}]},
                "server_metrics": {"enabled": true, "urls": ["http://h:1/metrics"]},
                "datasets": [{"name": "default", "type": "synthetic",
                              "prompts": {"osl": {"mean": 8}, "isl": {"value": 32}}}],
                "phases": [{"name": "profiling", "kind": "profiling", "type": "concurrency", "requests": 1}]
            }})
        );
    }

    #[test]
    fn warmup_and_profiling_make_two_phases() {
        let (tree, faults, _) = normal(
            "benchmark: {warmup: {type: concurrency, requests: 1}, profiling: {type: poisson, rate: 2}}",
        );
        assert_eq!(faults, "");
        assert_eq!(tree["benchmark"]["phases"][0]["kind"], "warmup");
        assert_eq!(tree["benchmark"]["phases"][1]["name"], "profiling");
    }

    #[test]
    fn what_stands_twice_is_a_fault() {
        for (text, said) in [
            ("benchmark: {model: a, models: b}", "benchmark.model: cannot stand beside"),
            ("benchmark: {dataset: {}, datasets: []}", "benchmark.dataset: cannot stand beside"),
            ("benchmark: {phases: [], warmup: {}}", "benchmark.phases: cannot stand beside"),
            ("benchmark: {warmup: {type: x}}", "needs a `profiling`"),
            ("{randomSeed: 1, random_seed: 2}", "the same key as \"random_seed\""),
        ] {
            let (_, faults, _) = normal(text);
            assert!(faults.contains(said), "{text}: {faults}");
        }
    }

    #[test]
    fn the_flat_form_is_moved_below_benchmark_and_said() {
        let (tree, _, notes) = normal("model: m\ndataset: {type: synthetic}\n");
        assert_eq!(tree["benchmark"]["models"]["items"][0]["name"], "m");
        assert_eq!(tree["benchmark"]["datasets"][0]["name"], "main");
        assert!(notes[0].contains("model, dataset"));
    }

    #[test]
    fn names_of_the_users_own_stay_as_they_are() {
        let (tree, _, _) = normal("{variables: {myVar: 1}, benchmark: {endpoint: {headers: {X-Abc: b}}}}");
        assert_eq!(tree["variables"], json!({"myVar": 1}));
        assert_eq!(tree["benchmark"]["endpoint"]["headers"], json!({"X-Abc": "b"}));
    }
}
