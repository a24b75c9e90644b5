//! Which variations a sweep has: axes, how they combine, and what each variation is called.
//!
//! Axes are sorted by their dotted path; the last one varies fastest. A variation is named by what sets
//! it apart: its label says every path and value, its folder the last part of each path and the value.
//!
//! Invariant: no two variations of a sweep have the same folder. What this module does not know: what a
//! path means, and how a variation becomes a run.

mod names;

use std::collections::HashSet;

use serde_json::{Map, Value};

use loadgen_report::python_text;
pub use names::sanitised;

/// Something that is swept.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// Where it stands in AIPerf's configuration: `phases.profiling.concurrency`.
    pub path: String,
    /// The values it takes, in the order given.
    pub values: Vec<Value>,
}

/// How several axes combine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pairing {
    /// Every combination of their values.
    #[default]
    Grid,
    /// Their first values together, then their second ones, and so on.
    Zip,
}

/// One point of a sweep.
#[derive(Debug, Clone, PartialEq)]
pub struct Variation {
    /// Its number, from 0.
    pub index: usize,
    /// What sets it apart: `path=value, path=value`, or a scenario's name; `base` without a sweep.
    pub label: String,
    /// The name of its folder: `osl_4__concurrency_1`, or a scenario's name.
    pub folder: String,
    /// The values that set it apart, by path.
    pub values: Map<String, Value>,
}

/// Why axes do not make a sweep.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SweepError {
    /// An axis has no values.
    #[error("{path} has no values to sweep")]
    Empty {
        /// Which.
        path: String,
    },
    /// Two axes are the same.
    #[error("{path} is swept twice: give it once, with all its values")]
    Twice {
        /// Which.
        path: String,
    },
    /// Axes that go together differ in length.
    #[error("with --sweep-type zip all lists must be of equal length, and these are not: {lengths}")]
    Lengths {
        /// Each axis and how many values it has.
        lengths: String,
    },
}

impl Variation {
    /// The only variation there is where nothing is swept.
    pub fn base() -> Self {
        Self { index: 0, label: "base".to_owned(), folder: "base".to_owned(), values: Map::new() }
    }

    /// A hand-written one: its name is its label and, as far as file names allow, its folder.
    pub fn named(index: usize, name: &str, values: Map<String, Value>) -> Self {
        let folder = sanitised(name);
        let folder = if folder.is_empty() { format!("scenario_{index}") } else { folder };
        Self { index, label: name.to_owned(), folder, values }
    }

    fn of(index: usize, values: Map<String, Value>) -> Self {
        let label: Vec<String> =
            values.iter().map(|(path, value)| format!("{path}={}", python_text(value))).collect();
        let folder: Vec<String> = values
            .iter()
            .map(|(path, value)| format!("{}_{}", names::last_part(path), python_text(value)))
            .collect();
        Self { index, label: label.join(", "), folder: sanitised(&folder.join("__")), values }
    }
}

/// The variations of a sweep over these axes, in the order in which they run.
pub fn expand(mut axes: Vec<Axis>, pairing: Pairing) -> Result<Vec<Variation>, SweepError> {
    axes.sort_by(|a, b| a.path.cmp(&b.path));
    if let Some(axis) = axes.iter().find(|axis| axis.values.is_empty()) {
        return Err(SweepError::Empty { path: axis.path.clone() });
    }
    if let Some(pair) = axes.windows(2).find(|pair| pair[0].path == pair[1].path) {
        return Err(SweepError::Twice { path: pair[0].path.clone() });
    }
    let points = match pairing {
        Pairing::Grid => grid(&axes),
        Pairing::Zip => zip(&axes)?,
    };
    let variations = points.into_iter().enumerate().map(|(index, values)| Variation::of(index, values));
    Ok(with_own_folders(variations.collect()))
}

/// What an experiment puts into its folder, and below `aggregate`, beside the variations' own.
const SHARED: [&str; 5] = ["logs", "aggregate", "sweep_aggregate", "profile_runs", "experiment.json"];

/// Whether a folder of this name belongs to the whole experiment, so that no variation's run may have it.
pub fn is_shared(folder: &str) -> bool {
    SHARED.contains(&folder)
}

/// Gives variations that would share a folder one each: the second `x` becomes `x__2`. A value that is
/// listed twice is run twice, and neither run may write over the other. Nor may one over what belongs to them all:
/// a scenario of a file called `logs` becomes `logs__2`.
pub fn with_own_folders(mut variations: Vec<Variation>) -> Vec<Variation> {
    let mut taken: HashSet<String> = SHARED.map(str::to_owned).into();
    for variation in &mut variations {
        let name = variation.folder.clone();
        for number in 2.. {
            if taken.insert(variation.folder.clone()) {
                break;
            }
            variation.folder = format!("{name}__{number}");
        }
    }
    variations
}

fn grid(axes: &[Axis]) -> Vec<Map<String, Value>> {
    let mut points = vec![Map::new()];
    for axis in axes {
        points = points
            .into_iter()
            .flat_map(|point| {
                axis.values.iter().map(move |value| {
                    let mut point = point.clone();
                    point.insert(axis.path.clone(), value.clone());
                    point
                })
            })
            .collect();
    }
    points
}

fn zip(axes: &[Axis]) -> Result<Vec<Map<String, Value>>, SweepError> {
    let length = axes.first().map_or(1, |axis| axis.values.len());
    if axes.iter().any(|axis| axis.values.len() != length) {
        let lengths = axes.iter().map(|axis| format!("{} has {}", axis.path, axis.values.len()));
        return Err(SweepError::Lengths { lengths: lengths.collect::<Vec<_>>().join(", ") });
    }
    let point = |at: usize| axes.iter().map(|axis| (axis.path.clone(), axis.values[at].clone())).collect();
    Ok((0..length).map(point).collect())
}

/// The name under which each path shows in a sweep's results: its last part, or the whole of it where
/// two paths end alike.
pub fn shown_names(variations: &[Variation]) -> Vec<(String, String)> {
    let mut paths: Vec<&String> = Vec::new();
    for path in variations.iter().flat_map(|variation| variation.values.keys()) {
        if !paths.contains(&path) {
            paths.push(path);
        }
    }
    let endings = |part: &str| paths.iter().filter(|path| names::last_part(path) == part).count();
    let shown = paths.iter().map(|path| {
        let part = names::last_part(path);
        ((*path).clone(), if endings(part) == 1 { part.to_owned() } else { (*path).clone() })
    });
    shown.collect()
}

#[cfg(test)]
mod tests;
