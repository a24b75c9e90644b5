//! `-f FILE`: AIPerf's configuration file, version 2.0, as settings below the command line's flags.
//!
//! The way of a file: text ▸ tree ([`yaml`]) ▸ environment and templates ([`substitute`]) ▸ one form
//! ([`normalise`]) ▸ checked, and turned into options ([`settings`], by the tables in [`schema`]) ▸ the words
//! of a command line, before those that the user typed. So a file means what flags mean, and a flag wins.
//! A sweep makes several such command lines of one file. What the options mean is not decided here.

mod beside;
mod datasets;
mod echo;
mod faults;
mod given;
mod normalise;
mod paths;
mod phases;
mod schema;
mod settings;
mod shape;
mod substitute;
mod sweep;
mod templates;
#[cfg(test)]
mod tests;
mod write;
mod yaml;

use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, anyhow, bail};
use loadgen_study::Variation;
use serde_json::Value;

use crate::args::{ProfileArgs, parse_profile};
use crate::names::Origin;
use faults::Faults;
use given::Given;
use settings::Settings;
use sweep::Point;
pub(crate) use templates::{MISSING, TEMPLATES, Template};
pub(crate) use write::to_yaml;
use yaml::{Mark, Node};

/// A configuration file, read and checked, and the flags beside it.
#[derive(Debug, Clone)]
pub(crate) struct ConfigFile {
    /// The file, as the user names it.
    name: String,
    /// Its tree, in the one form.
    root: Node,
    /// What it asks for.
    settings: Settings,
    /// What its sweep makes of it.
    points: Vec<Point>,
    /// The flags on the command line.
    given: Vec<Given>,
    /// The words of the command line.
    argv: Vec<OsString>,
    /// What the user should know.
    notes: Vec<String>,
    /// What it asks for that cannot be run here yet.
    unbuilt: Faults,
}

/// A variation as `config expand` lists it: what it is, and its whole configuration.
#[derive(Debug, Clone)]
pub(crate) struct Expanded {
    pub(crate) variation: Variation,
    /// As the files of its run echo it, without the defaults.
    pub(crate) benchmark: Value,
}

/// Puts the settings of the file that the command line names before its flags. Without `-f` the words come
/// back as they are.
pub(crate) fn apply(
    argv: Vec<OsString>,
    origin: &mut Origin,
    notes: &mut Vec<String>,
) -> Result<Vec<OsString>> {
    if argv.get(1).is_none_or(|command| command != "profile") || !argv.iter().any(names_a_file) {
        return Ok(argv);
    }
    let given = given::given(&argv);
    let Some(path) = given::config_path(&given) else { return Ok(argv) };
    let unrouted = given::unrouted(&given);
    if !unrouted.is_empty() {
        bail!(
            "--config: {} cannot stand beside a file, which would not hear of them: set them in {path}, or leave \
             the file out",
            unrouted.join(", ")
        );
    }
    origin.typed.clone_from(&argv);
    let mut file = ConfigFile::read(Path::new(path))?;
    if let Some(unbuilt) = file.unbuilt() {
        bail!("{unbuilt}");
    }
    notes.append(&mut file.notes);
    file.argv = given::merge_goodput(&mut file.settings, &given, argv);
    file.given = given;
    let words = file.words(&file.settings);
    origin.own_warmup = file.settings.own_warmup;
    origin.config = Some(Arc::new(file));
    Ok(words)
}

/// Whether a word may be `-f` or `--config`, in any of their forms.
fn names_a_file(word: &OsString) -> bool {
    word.to_str().is_some_and(|word| word.starts_with("-f") || word.starts_with("--config"))
}

/// The variations of the sweep in the file that a run's options come from; `None` without a sweep.
pub(crate) fn variations(origin: &Origin) -> Result<Option<Vec<(Variation, ProfileArgs)>>> {
    let Some(file) = origin.config.as_ref().filter(|file| !file.points.is_empty()) else { return Ok(None) };
    let mut variations = Vec::with_capacity(file.points.len());
    for point in &file.points {
        let mut faults = Faults::default();
        let settings = settings::settings(&point.root, &mut faults);
        if !faults.is_empty() {
            bail!("{}\nhint: this is variation {}", faults.of_file(&file.name), point.variation.label);
        }
        let words = file.words(&settings);
        let mut args = parse_profile(&words, &[])
            .map_err(|error| anyhow!("{}: variation {}: {error}", file.name, point.variation.label))?;
        if let Some(axis) = args.axes().first() {
            bail!(
                "{}: a list of values cannot stand beside the sweep of {}: give one value",
                axis.flag,
                file.name
            );
        }
        let mut own = ConfigFile::clone(file);
        own.root = point.root.clone();
        own.settings = settings;
        own.points = Vec::new();
        args.origin =
            Origin { own_warmup: own.settings.own_warmup, config: Some(Arc::new(own)), ..origin.clone() };
        variations.push((point.variation.clone(), args));
    }
    Ok(Some(variations))
}

impl ConfigFile {
    /// Reads and checks a file, its sweep too.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::InvalidData => anyhow!("--config: {name} is not UTF-8 text"),
            _ => anyhow!("--config: cannot read {name}: {error}"),
        })?;
        Self::parse(name, &text, &|variable| std::env::var(variable).ok())
    }

    fn parse(name: String, text: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<Self> {
        let mut faults = Faults::default();
        let root = match yaml::parse(text) {
            Ok(root) => root,
            Err(error) => {
                faults.add(error.at, "", error.what);
                bail!("{}", faults.of_file(&name));
            }
        };
        let Some(mut raw) = root.filter(|root| !root.is_null()) else { bail!("{name}: the file is empty") };
        if !matches!(raw.value, yaml::Yaml::Map(_)) {
            bail!("{name}: expected a mapping with `benchmark:`, found {}", raw.kind());
        }
        substitute::environment(&mut raw, "", variable, &mut faults);
        let checked = |faults: &Faults| {
            if faults.is_right() { Ok(()) } else { Err(anyhow!("{}", faults.of_file(&name))) }
        };
        checked(&faults)?;
        let (root, mut notes) = shaped(raw.clone(), &mut faults);
        checked(&faults)?;
        let settings = settings::settings(&root, &mut faults);
        checked(&faults)?;
        let points = sweep::points(&raw, &root, &mut faults);
        for point in &points {
            if faults.is_right() {
                settings::settings(&point.root, &mut faults);
            }
        }
        checked(&faults)?;
        if !points.is_empty()
            && root.at_path("benchmark.runtime.ui").and_then(Node::text) == Some("dashboard")
        {
            bail!("{name}: benchmark.runtime.ui: dashboard shows one run, not a sweep: give simple or none");
        }
        notes.extend(settings.notes.iter().cloned());
        let notes = notes.into_iter().map(|note| format!("{name}: {note}")).collect();
        let unbuilt = faults;
        Ok(Self { name, root, settings, points, given: Vec::new(), argv: Vec::new(), notes, unbuilt })
    }

    /// What the user should know about the file.
    pub(crate) fn notes(&self) -> &[String] {
        &self.notes
    }

    /// What the file asks for, rightly, that cannot be run here yet.
    pub(crate) fn unbuilt(&self) -> Option<String> {
        (!self.unbuilt.is_empty()).then(|| self.unbuilt.of_file(&self.name))
    }

    /// The kind of the file's sweep, if it has one.
    pub(crate) fn sweep_type(&self) -> Option<String> {
        let sweep = self.root.get("sweep").filter(|sweep| !sweep.is_null())?;
        Some(sweep.get("type").map_or_else(|| "grid".to_owned(), Node::to_string))
    }

    /// Every variation of the file; the one there is where nothing is swept.
    pub(crate) fn expanded(&self) -> Vec<Expanded> {
        if self.points.is_empty() {
            return vec![Expanded { variation: Variation::base(), benchmark: benchmark_of(&self.root) }];
        }
        self.points
            .iter()
            .map(|point| Expanded {
                variation: point.variation.clone(),
                benchmark: benchmark_of(&point.root),
            })
            .collect()
    }

    /// The whole command line: the file's settings, then the user's words.
    fn words(&self, settings: &Settings) -> Vec<OsString> {
        let (head, rest) = self.argv.split_at(self.argv.len().min(2));
        let settings = given::words(settings, &self.given);
        head.iter().cloned().chain(settings).chain(rest.iter().cloned()).collect()
    }

    /// The configuration as the files echo it. A flag that was given several values has, in `args`, the one
    /// of this run.
    pub(crate) fn input_config(&self, args: &ProfileArgs) -> Value {
        echoed(&self.root, &self.given, &|option| one_value(option, args))
    }

    /// Where in the file the options stand that a message names, for people.
    pub(crate) fn origin_of(&self, message: &str) -> Option<String> {
        let names = |flag: &str| {
            message.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).any(|word| word == flag)
        };
        let mut places: Vec<String> = Vec::new();
        for setting in self.settings.list.iter().filter(|setting| names(setting.flag)) {
            if self.given.iter().any(|option| option.is(setting.flag)) {
                continue;
            }
            let line = match setting.at {
                Mark { line: 0, .. } => String::new(),
                Mark { line, .. } => format!(":{line}"),
            };
            let place = format!("{} is {} in {}{line}", setting.flag, setting.path, self.name);
            if !places.contains(&place) {
                places.push(place);
            }
        }
        (!places.is_empty()).then(|| places.join("\nhint: "))
    }
}

/// Renders a tree's templates and brings it into the one form.
fn shaped(mut raw: Node, faults: &mut Faults) -> (Node, Vec<String>) {
    substitute::templates(&mut raw, faults);
    let notes = normalise::normalise(&mut raw, faults);
    (raw, notes)
}

/// A file's benchmark without flags over it.
fn benchmark_of(root: &Node) -> Value {
    echoed(root, &[], &|_| Vec::new())
}

fn echoed(root: &Node, given: &[Given], value: &dyn Fn(&Given) -> Vec<String>) -> Value {
    let empty = Node::bare(yaml::Yaml::Map(Vec::new()));
    Value::Object(echo::benchmark(root.get("benchmark").unwrap_or(&empty), given, value))
}

/// The values of a flag in one run: those that sweep are typed as a list.
fn one_value(option: &Given, args: &ProfileArgs) -> Vec<String> {
    let whole = |swept: Option<u64>| swept.map(|value| value.to_string());
    let load = &args.load;
    let swept = [
        ("--concurrency", whole(load.concurrency.as_ref().map(crate::args::swept::Swept::first))),
        ("--request-count", whole(load.request_count.as_ref().map(crate::args::swept::Swept::first))),
        (
            "--num-conversations",
            whole(args.input.num_conversations.as_ref().map(crate::args::swept::Swept::first)),
        ),
        ("--isl", whole(args.lengths.isl.as_ref().map(crate::args::swept::Swept::first))),
        ("--osl", whole(args.lengths.osl.as_ref().map(crate::args::swept::Swept::first))),
        ("--request-rate", load.request_rate.as_ref().map(|swept| swept.first().to_string())),
        (
            "--benchmark-duration",
            load.benchmark_duration.as_ref().map(|swept| swept.first().as_secs_f64().to_string()),
        ),
    ];
    let one = swept.into_iter().find(|(flag, _)| option.is(flag)).and_then(|(_, value)| value);
    one.map_or_else(|| option.values.clone(), |value| vec![value])
}
