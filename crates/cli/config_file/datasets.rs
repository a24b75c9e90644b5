//! What is sent: the one dataset of a file, as settings.

use super::faults::Faults;
use super::schema::{FILE, HOW_LENGTHS_ARE_DRAWN, PUBLIC, SYNTHETIC};
use super::settings::{Settings, mapping};
use super::shape::{as_int, below};
use super::yaml::{Node, Yaml};

/// The one dataset. Returns where it stands.
pub(super) fn dataset<'a>(
    benchmark: &'a Node,
    settings: &mut Settings,
    faults: &mut Faults,
) -> Option<&'a Node> {
    let datasets = benchmark.get("datasets")?;
    let [dataset] = datasets.items() else {
        if matches!(datasets.value, Yaml::List(_)) {
            let what = format!("expected exactly one dataset, found {}", datasets.items().len());
            faults.add(datasets.at, "benchmark.datasets", what);
        }
        return None;
    };
    let name = dataset.get("name").and_then(Node::text).unwrap_or("0");
    let path = format!("benchmark.datasets.{name}");
    if dataset.get("name").and_then(Node::text).is_none() {
        faults.add(dataset.at, &path, "needs a name");
    }
    let kind = dataset.get("type").and_then(Node::text).unwrap_or_default();
    let keys = match kind {
        "synthetic" => SYNTHETIC,
        "file" => FILE,
        "public" => PUBLIC,
        _ => {
            let what = format!("{kind:?} is not known: expected synthetic, file or public");
            faults.add(dataset.at, &format!("{path}.type"), what);
            return None;
        }
    };
    mapping(dataset, keys, &path, settings, faults);
    match kind {
        "synthetic" => synthetic(dataset, &path, settings, faults),
        "file" => {
            if dataset.get("path").is_none_or(Node::is_null) && dataset.get("records").is_none() {
                faults.add(dataset.at, &path, "needs the path of a file");
            }
            if dataset.get("format").is_none() {
                settings.value("--custom-dataset-type", "single_turn", &path, dataset.at);
            }
        }
        _ => {
            for filter in dataset.get("filters").map(Node::entries).unwrap_or_default() {
                let (value, at) = (format!("{}={}", filter.key, filter.node), filter.at);
                settings.value("--dataset-filter", value, &format!("{path}.filters"), at);
            }
        }
    }
    if kind != "synthetic" {
        length(dataset, "osl", ("--osl", "--osl-stddev"), &path, settings, faults);
    }
    if let Some(seed) = dataset.get("random_seed").filter(|seed| !seed.is_null()) {
        let what = "a seed of the dataset's own is not built yet: give randomSeed at the top level";
        faults.unbuilt(seed.at, &format!("{path}.random_seed"), what);
    }
    Some(dataset)
}

fn synthetic(dataset: &Node, path: &str, settings: &mut Settings, faults: &mut Faults) {
    if dataset.get("entries").is_none_or(Node::is_null) {
        settings.value("--num-dataset-entries", "100", path, dataset.at);
    }
    if let Some(prompts) = dataset.get("prompts") {
        let path = below(path, "prompts");
        length(prompts, "isl", ("--isl", "--isl-stddev"), &path, settings, faults);
        length(prompts, "osl", ("--osl", "--osl-stddev"), &path, settings, faults);
        sequences(prompts, &path, settings);
    }
    length(
        dataset,
        "turns",
        ("--conversation-turn-mean", "--conversation-turn-stddev"),
        path,
        settings,
        faults,
    );
    let delay = ("--conversation-turn-delay-mean", "--conversation-turn-delay-stddev");
    length(dataset, "turn_delay", delay, path, settings, faults);
    if let Some(images) = dataset.get("images") {
        let path = below(path, "images");
        length(images, "width", ("--image-width-mean", "--image-width-stddev"), &path, settings, faults);
        length(images, "height", ("--image-height-mean", "--image-height-stddev"), &path, settings, faults);
        // The file's own default; the flag's is another.
        if images.get("format").is_none() {
            settings.value("--image-format", "jpeg", &path, images.at);
        }
    }
    if let Some(audio) = dataset.get("audio") {
        let flags = ("--audio-length-mean", "--audio-length-stddev");
        length(audio, "length", flags, &below(path, "audio"), settings, faults);
    }
    if let Some(rankings) = dataset.get("rankings") {
        let path = below(path, "rankings");
        for (key, flags) in [
            ("passages", ("--rankings-passages-mean", "--rankings-passages-stddev")),
            (
                "passage_tokens",
                ("--rankings-passages-prompt-token-mean", "--rankings-passages-prompt-token-stddev"),
            ),
            ("query_tokens", ("--rankings-query-prompt-token-mean", "--rankings-query-prompt-token-stddev")),
        ] {
            length(rankings, key, flags, &path, settings, faults);
        }
    }
}

/// Weighted pairs of lengths, as the flag spells them.
fn sequences(prompts: &Node, path: &str, settings: &mut Settings) {
    let Some(list) = prompts.get("sequence_distribution").filter(|list| !list.items().is_empty()) else {
        return;
    };
    let side = |item: &Node, mean: &str, stddev: &str| {
        let spread = item.get(stddev).map(|spread| format!("|{spread}")).unwrap_or_default();
        format!("{}{spread}", item.get(mean).map(Node::to_string).unwrap_or_default())
    };
    let pairs: Vec<String> = list
        .items()
        .iter()
        .map(|item| {
            let probability = item.get("probability").map(Node::to_string).unwrap_or_default();
            format!("{},{}:{probability}", side(item, "isl", "isl_stddev"), side(item, "osl", "osl_stddev"))
        })
        .collect();
    settings.value("--seq-dist", pairs.join(";"), &below(path, "sequence_distribution"), list.at);
}

/// A length as a mean and a spread.
fn length(
    node: &Node,
    key: &str,
    (mean_flag, stddev_flag): (&'static str, &'static str),
    path: &str,
    settings: &mut Settings,
    faults: &mut Faults,
) {
    let Some(length) = node.get(key).filter(|length| !length.is_null()) else { return };
    let path = below(path, key);
    let given = |key: &str| length.get(key).filter(|value| !value.is_null());
    let drawn_otherwise =
        ["median", "min", "max", "peaks", "points"].into_iter().find(|key| given(key).is_some());
    if let Some(other) = drawn_otherwise {
        let what = format!("is not built yet: {HOW_LENGTHS_ARE_DRAWN}");
        return faults.unbuilt(length.at, &below(&path, other), what);
    }
    let Some(mean) = given("value").or_else(|| given("mean")) else {
        return faults.add(length.at, &path, format!("has no mean: {HOW_LENGTHS_ARE_DRAWN}"));
    };
    // Lengths are whole numbers wherever the flag takes one: tokens, turns.
    let value = as_int(mean).map_or_else(|| mean.to_string(), |whole| whole.to_string());
    settings.value(mean_flag, value, &path, length.at);
    if let Some(stddev) = given("stddev") {
        let value = as_int(stddev).map_or_else(|| stddev.to_string(), |whole| whole.to_string());
        settings.value(stddev_flag, value, &below(&path, "stddev"), stddev.at);
    }
}
