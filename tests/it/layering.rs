//! Who may depend on whom. Dependencies run downward only, crates of one layer never depend on each
//! other, and each heavy library stays behind the crates that exist to hide it.
//!
//! What a crate may `use` is what its manifest declares, so declared dependencies are what is checked.
//! Dev-dependencies are exempt: tests may bring in whatever proves their point.

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};

/// Every crate of the workspace and its layer, as in ARCHITECTURE.md.
const LAYERS: &[(&str, u8)] = &[
    ("loadgen-core", 0),
    ("loadgen-tokens", 1),
    ("loadgen-schedule", 1),
    ("loadgen-wire", 1),
    ("loadgen-record", 1),
    ("loadgen-metrics", 1),
    ("loadgen-workload", 2),
    ("loadgen-engine", 2),
    ("loadgen-report", 2),
    ("loadgen-mock", 2),
    ("loadgen-telemetry", 2),
    ("loadgen-run", 3),
    ("loadgen-study", 4),
    ("loadgen", 5),
];

/// Downward, and yet not allowed: from, to, why.
const FORBIDDEN: &[(&str, &str, &str)] = &[
    ("loadgen-mock", "loadgen-wire", "a codec that both ends share would hide its bugs from both"),
    ("loadgen-run", "loadgen-mock", "a run must not know what kind of server it measures"),
    ("loadgen-workload", "loadgen-wire", "what is sent does not depend on how"),
    ("loadgen-report", "loadgen-record", "what is rendered does not depend on how it was stored"),
];

/// Libraries with one home, or a few: names (a trailing `*` stands for any ending) and where they may be.
const HOMES: &[(&[&str], &[&str])] = &[
    (&["clap*"], &["loadgen"]),
    (&["anyhow"], &["loadgen"]),
    (&["hyper*", "http-body-util"], &["loadgen-mock"]),
    (&["rustls*", "tokio-rustls"], &["loadgen-wire", "loadgen-mock"]),
    (&["arrow*", "parquet"], &["loadgen-record", "loadgen-workload", "loadgen-run"]),
    (&["tokenizers"], &["loadgen-tokens"]),
    (
        &["tokio"],
        &[
            "loadgen-wire",
            "loadgen-engine",
            "loadgen-mock",
            "loadgen-telemetry",
            "loadgen-run",
            "loadgen-study",
            "loadgen",
        ],
    ),
];

/// One declared dependency: from, to.
type Edge = (String, String);

fn layer(name: &str) -> Option<u8> {
    LAYERS.iter().find(|(known, _)| *known == name).map(|(_, layer)| *layer)
}

fn matches(pattern: &str, name: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == name, |start| name.starts_with(start))
}

/// Every broken rule, a sentence each.
fn violations(edges: &[Edge]) -> Vec<String> {
    let mut found = Vec::new();
    for (from, to) in edges {
        let Some(own) = layer(from) else {
            found.push(format!("{from} has no layer; add it to LAYERS and to ARCHITECTURE.md"));
            continue;
        };
        if let Some(below) = layer(to)
            && below >= own
        {
            found.push(format!(
                "{from} (layer {own}) depends on {to} (layer {below}); only lower layers may be"
            ));
        }
        for (_, _, why) in FORBIDDEN.iter().filter(|(a, b, _)| a == from && b == to) {
            found.push(format!("{from} depends on {to}: {why}"));
        }
        for (libraries, homes) in HOMES {
            let is_held = libraries.iter().any(|library| matches(library, to));
            if is_held && !homes.contains(&from.as_str()) {
                found.push(format!("{from} depends on {to}, which belongs in {} only", homes.join(", ")));
            }
        }
    }
    found
}

fn metadata() -> Metadata {
    MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .no_deps()
        .other_options(["--offline".to_owned()])
        .exec()
        .unwrap()
}

fn declared_edges() -> Vec<Edge> {
    let metadata = metadata();
    let packages = metadata.packages.iter();
    packages
        .flat_map(|package| {
            let used = package
                .dependencies
                .iter()
                .filter(|dependency| dependency.kind != DependencyKind::Development);
            used.map(|dependency| (package.name.to_string(), dependency.name.clone()))
        })
        .collect()
}

#[test]
fn dependencies_run_downward_and_libraries_stay_at_home() {
    let found = violations(&declared_edges());
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn every_crate_has_a_layer_and_every_layer_its_crates() {
    let mut members: Vec<String> =
        metadata().packages.iter().map(|package| package.name.to_string()).collect();
    let mut known: Vec<&str> = LAYERS.iter().map(|(name, _)| *name).collect();
    members.sort_unstable();
    known.sort_unstable();
    assert_eq!(members, known);
}

#[test]
fn the_architecture_page_shows_the_same_layers() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/ARCHITECTURE.md")).unwrap();
    let shown: Vec<(String, u8)> = page
        .lines()
        .filter_map(|line| {
            let mut cells = line.strip_prefix("| ")?.split(" | ");
            let layer = cells.next()?.parse().ok()?;
            Some((cells.next()?.strip_prefix('`')?.split('`').next()?.to_owned(), layer))
        })
        .collect();
    let known: Vec<(String, u8)> = LAYERS.iter().map(|(name, layer)| ((*name).to_owned(), *layer)).collect();
    assert_eq!(shown, known);
}

/// A rule about a library that nobody uses guards nothing: it was renamed, or it is gone.
#[test]
fn every_rule_about_a_library_still_speaks_of_one_in_use() {
    let edges = declared_edges();
    for (libraries, _) in HOMES {
        for library in *libraries {
            assert!(edges.iter().any(|(_, to)| matches(library, to)), "nothing depends on {library}");
        }
    }
}

#[test]
fn each_kind_of_violation_is_found() {
    for (from, to, says) in [
        ("loadgen-wire", "loadgen-metrics", "only lower layers"),
        ("loadgen-core", "loadgen-run", "only lower layers"),
        ("loadgen-mock", "loadgen-wire", "hide its bugs"),
        ("loadgen-engine", "clap_complete", "belongs in loadgen only"),
        ("loadgen-metrics", "arrow-array", "belongs in loadgen-record"),
        ("loadgen-new", "serde", "has no layer"),
    ] {
        let found = violations(&[(from.to_owned(), to.to_owned())]);
        assert!(found.len() == 1 && found[0].contains(says), "{from} on {to}: {found:?}");
    }
}
