//! `loadgen schemas`: the JSON Schemas of loadgen's files, made from the types that write them.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::args::SchemasArgs;
use crate::exit::ExitStatus;
use crate::ui::say;

/// Writes the schemas, or checks that the written ones are current.
pub(crate) fn run(args: &SchemasArgs) -> Result<ExitStatus> {
    let mut files = Vec::new();
    for (name, schema) in schemas() {
        files.push((args.dir.join(format!("{name}.json")), serde_json::to_string_pretty(&schema)? + "\n"));
    }
    write_or_check(files, args.check, "schemas")
}

/// Writes generated files, or checks that the written ones are current; `command` makes them.
pub(super) fn write_or_check(
    files: impl IntoIterator<Item = (PathBuf, String)>,
    check: bool,
    command: &str,
) -> Result<ExitStatus> {
    let mut stale = Vec::new();
    for (path, text) in files {
        if !check {
            if let Some(dir) = path.parent() {
                fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
            }
            fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        } else if fs::read_to_string(&path).is_ok_and(|written| written == text) {
            // Current.
        } else {
            stale.push(path.display().to_string());
        }
    }
    if stale.is_empty() {
        return Ok(ExitStatus::Success);
    }
    say!(
        "error: out of date: {}\nhint: run `cargo run -- {command}` and commit what it writes",
        stale.join(", ")
    );
    Ok(ExitStatus::Failure)
}

/// Every schema, by the name of its file.
fn schemas() -> Vec<(&'static str, Value)> {
    let mut schemas = loadgen_report::schemas();
    schemas.extend(loadgen_run::schemas());
    schemas.extend(loadgen_study::schemas());
    schemas.sort_by_key(|(name, _)| *name);
    schemas
}
