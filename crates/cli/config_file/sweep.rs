//! The sweep of a file: which benchmarks it makes of the one.

use loadgen_study::{Axis, Pairing, Variation, expand, with_own_folders};
use loadgen_wire::redact_field;
use serde_json::{Map, Value};

use super::faults::Faults;
use super::yaml::{Mark, Node, Yaml};
use super::{normalise, paths, shaped};

/// A point of a sweep: what sets it apart, and the file's tree with its values.
#[derive(Debug, Clone)]
pub(super) struct Point {
    pub(super) variation: Variation,
    pub(super) root: Node,
}

/// The points of a file's sweep; none where it has none. `raw` is the file's tree before its templates were
/// rendered, because variables may be swept.
pub(super) fn points(raw: &Node, root: &Node, faults: &mut Faults) -> Vec<Point> {
    let Some(sweep) = root.get("sweep").filter(|sweep| !sweep.is_null()) else { return Vec::new() };
    let kind = sweep.get("type").map_or_else(|| "grid".to_owned(), Node::to_string);
    match super::shape::fold(&kind).as_str() {
        "grid" => product(raw, sweep, Pairing::Grid, faults),
        "zip" => product(raw, sweep, Pairing::Zip, faults),
        "scenarios" => scenarios(raw, sweep, faults),
        kind if UNBUILT.contains(&kind) => {
            let what = format!("{kind} is not built yet: list the values to try, as grid, zip or scenarios");
            faults.unbuilt(sweep.at, "sweep.type", what);
            Vec::new()
        }
        _ => Vec::new(),
    }
}

/// Sweeps that find their points themselves.
const UNBUILT: [&str; 3] = ["sobol", "latin_hypercube", "adaptive_search"];

/// Whether a sweep is of a type that is built, so that its keys are known.
pub(super) fn is_built(sweep: &Node) -> bool {
    sweep.get("type").is_none_or(|kind| !UNBUILT.contains(&super::shape::fold(&kind.to_string()).as_str()))
}

fn product(raw: &Node, sweep: &Node, pairing: Pairing, faults: &mut Faults) -> Vec<Point> {
    let Some(parameters) = sweep.get("parameters").filter(|parameters| !parameters.entries().is_empty())
    else {
        faults.add(sweep.at, "sweep.parameters", "is missing: give paths and their lists of values");
        return Vec::new();
    };
    let mut axes = Vec::new();
    for entry in parameters.entries() {
        let path = format!("sweep.parameters.{}", entry.key);
        match (paths::full(&entry.key), &entry.node.value) {
            (Ok(path), Yaml::List(items)) => {
                axes.push(Axis { path, values: items.iter().map(Node::to_json).collect() });
            }
            (Ok(_), _) => faults.add(entry.node.at, &path, "expected a list of values"),
            (Err(what), _) => faults.add(entry.at, &path, what),
        }
    }
    if !faults.is_right() {
        return Vec::new();
    }
    let variations = match expand(axes, pairing) {
        Ok(variations) => variations,
        Err(error) => {
            faults.add(parameters.at, "sweep.parameters", error.to_string());
            return Vec::new();
        }
    };
    let mut points = Vec::new();
    for variation in variations {
        let values = variation.values.clone();
        if let Some(root) = with_values(raw, &values, None, sweep, faults) {
            points.push(Point { variation, root });
        }
    }
    points
}

fn scenarios(raw: &Node, sweep: &Node, faults: &mut Faults) -> Vec<Point> {
    let runs = sweep.get("runs").map(Node::items).unwrap_or_default();
    if runs.is_empty() {
        faults.add(sweep.at, "sweep.runs", "is missing: give a list of runs, each with what it changes");
        return Vec::new();
    }
    let mut variations: Vec<(Variation, Node)> = Vec::new();
    for (index, run) in runs.iter().enumerate() {
        let name =
            run.get("name").and_then(Node::text).map_or_else(|| format!("scenario_{index}"), str::to_owned);
        let is_folder = !name.contains(['/', '\\']) && !name.contains("..") && name.chars().any(|c| c != '.');
        if !is_folder {
            let what = format!("{name:?} cannot be the name of a folder");
            faults.add(run.at, &format!("sweep.runs[{index}].name"), what);
        }
        if variations.iter().any(|(earlier, _)| earlier.label == name) {
            let what = format!("the name {name:?} is taken: names must differ");
            faults.add(run.at, &format!("sweep.runs[{index}].name"), what);
        }
        // As AIPerf lists them: the values that are named, or else all that the run changes.
        let mut changes = run.clone();
        changes.take("name");
        let values = match run.get("values").unwrap_or(&changes).to_json() {
            Value::Object(values) => values,
            _ => Map::new(),
        };
        variations.push((Variation::named(index, &name, values), run.clone()));
    }
    let (named, runs): (Vec<_>, Vec<_>) = variations.into_iter().unzip();
    let mut points = Vec::new();
    for (variation, run) in with_own_folders(named).into_iter().zip(runs) {
        let values = run.get("values").map(|_| variation.values.clone()).unwrap_or_default();
        if let Some(root) = with_values(raw, &values, Some(&run), &run, faults) {
            points.push(Point { variation: without_secrets(variation), root });
        }
    }
    points
}

/// What sets a point apart, as the results may show it.
fn without_secrets(mut variation: Variation) -> Variation {
    for (name, value) in &mut variation.values {
        *value = redact_field(name, value);
    }
    variation
}

/// The file's tree with the values of one point.
fn with_values(
    raw: &Node,
    values: &Map<String, Value>,
    scenario: Option<&Node>,
    place: &Node,
    faults: &mut Faults,
) -> Option<Node> {
    let mut raw = raw.clone();
    let mut variables = raw.take("variables").unwrap_or_else(|| Node::bare(Yaml::Map(Vec::new())));
    for entry in
        scenario.and_then(|scenario| scenario.get("variables")).map(Node::entries).unwrap_or_default()
    {
        variables.set(&entry.key, entry.node.clone());
    }
    for (path, value) in values {
        if let Some(name) = path.strip_prefix("variables.") {
            variables.set(name, Node::from_json(value));
        }
    }
    if !variables.entries().is_empty() {
        raw.set("variables", variables);
    }
    let (mut root, _) = shaped(raw, faults);
    let benchmark = root.get_mut("benchmark")?;
    if let Some(overlay) = scenario.and_then(|scenario| scenario.get("benchmark")) {
        let overlay = opened(overlay.clone(), benchmark, faults);
        paths::merge(benchmark, &overlay);
    }
    for (path, value) in values.iter().filter(|(path, _)| !path.starts_with("variables.")) {
        let (key, at) = place_of(place, path, value);
        let node = Node { at, ..Node::from_json(value) };
        let put = paths::full(path).and_then(|path| paths::put_at(benchmark, &path, key, node));
        if let Err(what) = put {
            faults.add(key, "sweep", what);
            return None;
        }
    }
    normalise::open(benchmark, faults);
    Some(root)
}

/// Where a point's path stands in the file, and its value: in the list of the path, or a scenario's own.
fn place_of(place: &Node, path: &str, value: &Value) -> (Mark, Mark) {
    let lists = ["parameters", "values"].into_iter().filter_map(|name| place.get(name));
    let is_it = |key: &str| key == path || paths::full(key).is_ok_and(|full| full == path);
    let Some(entry) = lists.flat_map(Node::entries).find(|entry| is_it(&entry.key)) else {
        return (place.at, place.at);
    };
    let item = entry.node.items().iter().find(|item| item.to_json() == *value);
    (entry.at, item.map_or(entry.node.at, |item| item.at))
}

/// What a scenario changes, in the one form: its dataset takes the name of the benchmark's own, and a phase
/// without a type is a part of the measured one.
fn opened(mut overlay: Node, benchmark: &Node, faults: &mut Faults) -> Node {
    let dataset_name =
        benchmark.get("datasets").and_then(|datasets| datasets.items().first()?.get("name").cloned());
    if let (Some(dataset), Some(name)) = (overlay.get_mut("dataset"), dataset_name)
        && dataset.get("name").is_none()
    {
        dataset.set("name", name);
    }
    // What is not said about the dataset is the benchmark's, its type too.
    let kind = benchmark.get("datasets").and_then(|datasets| datasets.items().first()?.get("type").cloned());
    if let (Some(dataset), Some(kind)) = (overlay.get_mut("dataset"), kind)
        && dataset.get("type").is_none()
    {
        dataset.set("type", kind);
    }
    if let Some(phases) = overlay.get_mut("phases")
        && matches!(phases.value, Yaml::Map(_))
    {
        let mut phase = std::mem::replace(phases, Node::bare(Yaml::Null));
        if phase.get("name").is_none() {
            phase.set("name", Node::bare(Yaml::Text("profiling".to_owned())));
        }
        *phases = Node::bare(Yaml::List(vec![phase]));
    }
    normalise::open(&mut overlay, faults);
    overlay
}
