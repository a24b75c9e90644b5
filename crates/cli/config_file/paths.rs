//! Dotted paths into a benchmark, as sweeps name them: list entries by their name, phases also by number.

use super::yaml::{Mark, Node, Yaml};

/// Bare names that stand for `phases.profiling.NAME`.
const OF_PHASE: [&str; 13] = [
    "concurrency",
    "prefill_concurrency",
    "rate",
    "requests",
    "duration",
    "sessions",
    "users",
    "smoothness",
    "grace_period",
    "concurrency_ramp",
    "prefill_ramp",
    "rate_ramp",
    "rate_series",
];

/// The full path that a path stands for.
pub(super) fn full(path: &str) -> Result<String, String> {
    if path.starts_with("benchmark.") {
        return Err(format!("{path}: paths begin below benchmark: leave out \"benchmark.\""));
    }
    let first = path.split('.').next().unwrap_or_default();
    if matches!(first, "sweep" | "multi_run" | "random_seed") {
        return Err(format!("{path}: {first} cannot be swept"));
    }
    Ok(if OF_PHASE.contains(&path) { format!("phases.profiling.{path}") } else { path.to_owned() })
}

/// Puts a value at a path, making mappings on the way; the entries of lists must be there.
pub(super) fn put(benchmark: &mut Node, path: &str, value: Node) -> Result<(), String> {
    put_at(benchmark, path, value.at, value)
}

/// The same, of a path that stands at `key` in the file.
pub(super) fn put_at(benchmark: &mut Node, path: &str, key: Mark, mut value: Node) -> Result<(), String> {
    let mut parts: Vec<&str> = path.split('.').collect();
    let last = parts.pop().filter(|part| !part.is_empty()).ok_or_else(|| format!("{path:?} is no path"))?;
    let mut node = benchmark;
    for part in parts {
        node = step(node, part, path, key)?;
    }
    if let Yaml::List(_) = node.value {
        *step(node, last, path, key)? = value;
        return Ok(());
    }
    // A length that was fixed gives way to one that is drawn, and the other way round.
    if matches!(last, "mean" | "stddev") {
        node.take("value");
    }
    // A new key stands where the path does, its value where it is listed.
    let at = std::mem::replace(&mut value.at, key);
    node.set(last, value);
    if let Some(value) = node.get_mut(last) {
        value.at = at;
    }
    Ok(())
}

/// One step down a path. A mapping that is made on the way stands at `at`.
fn step<'a>(node: &'a mut Node, part: &str, path: &str, at: Mark) -> Result<&'a mut Node, String> {
    if matches!(node.value, Yaml::Map(_) | Yaml::Null) {
        if node.get(part).is_none_or(Node::is_null) {
            node.set(part, Node { value: Yaml::Map(Vec::new()), at });
        }
        return node.get_mut(part).ok_or_else(|| format!("{path}: {part:?} cannot be reached"));
    }
    let kind = node.kind();
    let Yaml::List(items) = &mut node.value else {
        return Err(format!("{path}: {part:?} leads below {kind}"));
    };
    let names: Vec<String> =
        items.iter().map(|item| item.get("name").map(Node::to_string).unwrap_or_default()).collect();
    let place = names
        .iter()
        .position(|name| name == part)
        .or_else(|| part.parse().ok().filter(|index| *index < items.len()));
    match place {
        Some(place) => Ok(&mut items[place]),
        None => Err(format!("{path}: there is no {part:?}: expected one of {}", names.join(", "))),
    }
}

/// Merges a mapping into another, key by key; lists of named entries by their names. The second wins.
pub(super) fn merge(base: &mut Node, over: &Node) {
    match (&mut base.value, &over.value) {
        (Yaml::Map(_), Yaml::Map(entries)) => {
            for entry in entries {
                match base.get_mut(&entry.key) {
                    Some(old) => merge(old, &entry.node),
                    None => base.set(&entry.key, entry.node.clone()),
                }
            }
        }
        (Yaml::List(items), Yaml::List(others))
            if !others.is_empty() && others.iter().all(|other| other.get("name").is_some()) =>
        {
            for other in others {
                match items
                    .iter_mut()
                    .find(|item| item.get("name") == other.get("name") || same_name(item, other))
                {
                    Some(item) => merge(item, other),
                    None => items.push(other.clone()),
                }
            }
        }
        _ => *base = over.clone(),
    }
}

fn same_name(a: &Node, b: &Node) -> bool {
    a.get("name").and_then(Node::text).is_some_and(|name| b.get("name").and_then(Node::text) == Some(name))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::super::yaml::parse;
    use super::*;

    fn tree() -> Node {
        parse(
            "{phases: [{name: profiling, rate: 1}], datasets: [{name: d, prompts: {osl: {value: 8}}}], s: x}",
        )
        .unwrap()
        .unwrap()
    }

    #[test]
    fn bare_names_are_of_the_measured_phase() {
        assert_eq!(full("concurrency"), Ok("phases.profiling.concurrency".to_owned()));
        assert_eq!(full("datasets.d.prompts.osl"), Ok("datasets.d.prompts.osl".to_owned()));
        assert!(full("benchmark.endpoint.timeout").is_err());
        assert!(full("random_seed").is_err());
    }

    #[test]
    fn list_entries_go_by_name_and_number() {
        let mut tree = tree();
        put(&mut tree, "phases.profiling.rate", Node::bare(Yaml::Int(5))).unwrap();
        put(&mut tree, "phases.0.requests", Node::bare(Yaml::Int(7))).unwrap();
        put(&mut tree, "datasets.d.prompts.osl.mean", Node::bare(Yaml::Int(4))).unwrap();
        put(&mut tree, "endpoint.timeout", Node::bare(Yaml::Int(3))).unwrap();
        assert_eq!(
            tree.to_json(),
            json!({"phases": [{"name": "profiling", "rate": 5, "requests": 7}],
                   "datasets": [{"name": "d", "prompts": {"osl": {"mean": 4}}}], "s": "x",
                   "endpoint": {"timeout": 3}})
        );
    }

    #[test]
    fn paths_that_lead_nowhere_say_what_there_is() {
        let mut tree = tree();
        let wrong = put(&mut tree, "phases.nope.rate", Node::bare(Yaml::Null)).unwrap_err();
        assert!(wrong.contains("no \"nope\": expected one of profiling"), "{wrong}");
        assert!(
            put(&mut tree, "s.below.it", Node::bare(Yaml::Null)).unwrap_err().contains("leads below text")
        );
    }

    #[test]
    fn merging_keeps_what_is_not_named() {
        let mut base = tree();
        merge(&mut base, &parse("{phases: [{name: profiling, requests: 2}], s: y}").unwrap().unwrap());
        assert_eq!(base.to_json()["phases"], json!([{"name": "profiling", "rate": 1, "requests": 2}]));
        assert_eq!(base.to_json()["s"], "y");
    }
}
