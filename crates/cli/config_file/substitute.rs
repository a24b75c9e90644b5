//! `${VAR}` from the environment and `{{ … }}` from the file's own variables, in text values.
//!
//! Keys are never touched. A value that is nothing but a reference takes the type of what comes in its
//! place; within longer text it stays text.

use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior};
use serde_json::{Map, Value};

use super::faults::Faults;
use super::shape::below;
use super::yaml::{Node, Yaml, plain};

/// Below these keys text is a template for requests, not for this file.
const VERBATIM: [&str; 6] =
    ["template", "body", "payload_template", "payloadTemplate", "user_files", "userFiles"];

/// Replaces every reference to the environment, which `variable` looks up.
pub(super) fn environment(
    node: &mut Node,
    path: &str,
    variable: &dyn Fn(&str) -> Option<String>,
    faults: &mut Faults,
) {
    let at = node.at;
    match &mut node.value {
        Yaml::Text(text) if text.contains("${") => match expand(text, variable) {
            Ok(Some(value)) => node.value = value,
            Ok(None) => {}
            Err(what) => faults.add(at, path, what),
        },
        Yaml::List(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                environment(item, &format!("{path}[{index}]"), variable, faults);
            }
        }
        Yaml::Map(entries) => {
            for entry in entries {
                environment(&mut entry.node, &below(path, &entry.key), variable, faults);
            }
        }
        _ => {}
    }
}

fn expand(text: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<Option<Yaml>, String> {
    let mut expanded = String::new();
    let mut rest = text;
    let mut is_whole = false;
    while let Some(start) = rest.find("${") {
        // A doubled dollar keeps the reference as text.
        if rest[..start].ends_with('$') {
            expanded.push_str(&rest[..start - 1]);
            expanded.push_str("${");
            rest = &rest[start + 2..];
            continue;
        }
        let inner = &rest[start + 2..];
        let end = inner.find(['}', '\n']).filter(|end| inner.as_bytes()[*end] == b'}').ok_or_else(|| {
            format!("{text:?} has a ${{ without its }}: close it, or write $${{ for the text itself")
        })?;
        let (name, default) = match inner[..end].split_once(':') {
            Some((name, default)) => (name, Some(default)),
            None => (&inner[..end], None),
        };
        let value = variable(name).or_else(|| default.map(str::to_owned)).ok_or_else(|| {
            format!(
                "the environment variable {name} is not set: set it, or give a default as ${{{name}:value}}"
            )
        })?;
        is_whole = start == 0 && end + 3 == text.len();
        expanded.push_str(&rest[..start]);
        expanded.push_str(&value);
        rest = &inner[end + 1..];
    }
    expanded.push_str(rest);
    Ok(Some(if is_whole { typed(&expanded) } else { Yaml::Text(expanded) }))
}

/// Text as the boolean or number that it spells.
fn typed(text: &str) -> Yaml {
    match text.to_ascii_lowercase().as_str() {
        "true" => Yaml::Bool(true),
        "false" => Yaml::Bool(false),
        _ => match plain(text) {
            number @ (Yaml::Int(_) | Yaml::Float(_)) => number,
            _ => text
                .parse()
                .ok()
                .filter(|value: &f64| value.is_finite() && !text.is_empty())
                .map_or_else(|| Yaml::Text(text.to_owned()), Yaml::Float),
        },
    }
}

/// Renders every template of the file. An unknown name is a fault.
pub(super) fn templates(root: &mut Node, faults: &mut Faults) {
    if !has_template(root) {
        return;
    }
    let mut engine = Environment::new();
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    let mut names = flattened(root);
    if let Some(variables) = root.get_mut("variables") {
        render_variables(variables, &engine, &mut names, faults);
    }
    render(root, "", &engine, &names, faults);
}

/// Variables may use one another: those that can be rendered are, until nothing more can.
fn render_variables(
    variables: &mut Node,
    engine: &Environment<'_>,
    names: &mut Map<String, Value>,
    faults: &mut Faults,
) {
    let Yaml::Map(entries) = &mut variables.value else { return };
    for entry in entries.iter().filter(|entry| !has_template(&entry.node)) {
        names.insert(entry.key.clone(), entry.node.to_json());
    }
    for entry in entries.iter().filter(|entry| has_template(&entry.node)) {
        names.remove(&entry.key);
    }
    loop {
        let mut progress = false;
        for entry in entries.iter_mut().filter(|entry| has_template(&entry.node)) {
            let mut attempt = entry.node.clone();
            let mut doubts = Faults::default();
            render(&mut attempt, &entry.key, engine, names, &mut doubts);
            if doubts.is_empty() {
                names.insert(entry.key.clone(), attempt.to_json());
                entry.node = attempt;
                progress = true;
            }
        }
        if !progress {
            break;
        }
    }
    for entry in entries.iter_mut().filter(|entry| has_template(&entry.node)) {
        render(&mut entry.node, &below("variables", &entry.key), engine, names, faults);
        // It was said once; what is left must not be rendered again.
        entry.node.value = Yaml::Null;
    }
}

fn render(
    node: &mut Node,
    path: &str,
    engine: &Environment<'_>,
    names: &Map<String, Value>,
    faults: &mut Faults,
) {
    let at = node.at;
    match &mut node.value {
        Yaml::Text(text) if is_template(text) => {
            match engine.render_str(text, minijinja::Value::from(Serde(names))) {
                Ok(rendered) => node.value = typed(&rendered),
                Err(error) => {
                    let why = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
                    faults.add(at, path, format!("the template {text:?} cannot be rendered: {why}"));
                }
            }
        }
        Yaml::List(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                render(item, &format!("{path}[{index}]"), engine, names, faults);
            }
        }
        Yaml::Map(entries) => {
            for entry in entries.iter_mut().filter(|entry| !VERBATIM.contains(&entry.key.as_str())) {
                render(&mut entry.node, &below(path, &entry.key), engine, names, faults);
            }
        }
        _ => {}
    }
}

fn is_template(text: &str) -> bool {
    text.contains("{{") || text.contains("{%")
}

fn has_template(node: &Node) -> bool {
    node.text().is_some_and(is_template)
        || node.items().iter().any(has_template)
        || node
            .entries()
            .iter()
            .any(|entry| !VERBATIM.contains(&entry.key.as_str()) && has_template(&entry.node))
}

/// The names that templates may use: the file's own keys, from the top and from `benchmark`; entries of
/// lists by their name.
fn flattened(root: &Node) -> Map<String, Value> {
    let mut names = Map::new();
    for node in [root.get("benchmark"), Some(root)].into_iter().flatten() {
        if let Value::Object(fields) = by_name(node) {
            names.extend(fields);
        }
    }
    names
}

fn by_name(node: &Node) -> Value {
    match &node.value {
        Yaml::Map(entries) => {
            Value::Object(entries.iter().map(|entry| (entry.key.clone(), by_name(&entry.node))).collect())
        }
        Yaml::List(items) if !items.is_empty() && items.iter().all(|item| name_of(item).is_some()) => {
            Value::Object(items.iter().filter_map(|item| Some((name_of(item)?, by_name(item)))).collect())
        }
        _ => node.to_json(),
    }
}

fn name_of(node: &Node) -> Option<String> {
    node.get("name").and_then(Node::text).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::super::yaml::parse;
    use super::*;

    fn substituted(text: &str) -> (Value, String) {
        let mut root = parse(text).unwrap().unwrap();
        let mut faults = Faults::default();
        let variable = |name: &str| match name {
            "HOST" => Some("h".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        environment(&mut root, "", &variable, &mut faults);
        templates(&mut root, &mut faults);
        (root.to_json(), faults.to_string())
    }

    #[test]
    fn references_take_the_type_of_what_they_stand_for() {
        let (tree, faults) = substituted(
            "{a: '${NOPE:7}', b: '${NOPE:abc}', c: 'http://${HOST}:${NOPE:80}', d: '${NOPE:true}', \
             e: '${EMPTY}', f: '${NOPE:}', g: '$${HOST}', h: '${NOPE:1.5}', i: '${NOPE:http://x:1/y}'}",
        );
        assert_eq!(faults, "");
        assert_eq!(
            tree,
            json!({"a": 7, "b": "abc", "c": "http://h:80", "d": true, "e": "", "f": "", "g": "${HOST}",
                   "h": 1.5, "i": "http://x:1/y"})
        );
    }

    #[test]
    fn references_that_lead_nowhere_are_faults() {
        assert!(substituted("a: ${NOPE}").1.contains("1:4: a: the environment variable NOPE is not set"));
        assert!(substituted("a: '${NOPE'").1.contains("without its }"));
    }

    #[test]
    fn templates_see_variables_and_the_files_own_keys() {
        let (tree, faults) = substituted(
            "variables: {r: 10, twice: '{{ r * 2 }}'}\nbenchmark:\n  model: 'm-{{ twice }}'\n  \
             phases: [{name: profiling, rate: '{{ twice }}', requests: '{{ phases.profiling.users * 3 }}', users: 2}]\n",
        );
        assert_eq!(faults, "");
        assert_eq!(tree["benchmark"]["phases"][0]["rate"], 20);
        assert_eq!(tree["benchmark"]["phases"][0]["requests"], 6);
        assert_eq!(tree["benchmark"]["model"], "m-20");
    }

    #[test]
    fn templates_of_unknown_names_and_circles_are_faults() {
        let (_, faults) = substituted("a: '{{ nope }}'");
        assert!(faults.contains("a: the template \"{{ nope }}\" cannot be rendered"), "{faults}");
        let (_, faults) = substituted("variables: {a: '{{ b }}', b: '{{ a }}'}");
        assert!(faults.contains("variables.a") && faults.contains("variables.b"), "{faults}");
    }

    #[test]
    fn templates_of_requests_stay() {
        let (tree, _) = substituted("benchmark: {endpoint: {template: {body: '{{ text }}'}}}");
        assert_eq!(tree["benchmark"]["endpoint"]["template"]["body"], "{{ text }}");
    }
}
