//! `loadgen config`: write, expand and check configuration files.

use std::fmt::Write as _;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::study::with_defaults;
use crate::args::config::{ConfigArgs, ConfigKind, ExpandArgs, Format, InitArgs, ValidateArgs};
use crate::config_file::{ConfigFile, Expanded, MISSING, TEMPLATES, Template, to_yaml};
use crate::exit::ExitStatus;
use crate::nearest::did_you_mean;
use crate::ui::say;

/// Runs it.
pub(crate) fn run(args: &ConfigArgs) -> Result<ExitStatus> {
    match &args.kind {
        ConfigKind::Init(args) => init(args)?,
        ConfigKind::Expand(args) => expand(args)?,
        ConfigKind::Validate(args) => validate(args)?,
    }
    Ok(ExitStatus::Success)
}

fn validate(args: &ValidateArgs) -> Result<()> {
    let path = args.file.path();
    let file = ConfigFile::read(&path)?;
    super::print(&format!("Configuration valid: {}\n", path.display()))?;
    for note in file.notes() {
        say!("{note}");
    }
    if let Some(unbuilt) = file.unbuilt() {
        say!("note: `profile` cannot run it yet: {unbuilt}");
    }
    Ok(())
}

fn expand(args: &ExpandArgs) -> Result<()> {
    let file = ConfigFile::read(&args.file.path())?;
    let kind = sweep_name(file.sweep_type().as_deref());
    let all = file.expanded();
    let count = all.len();
    let shown: Vec<Expanded> = match args.index {
        None => all,
        Some(index) => match all.into_iter().nth(index) {
            Some(one) => vec![one],
            None => bail!("--index {index} is out of range: the sweep has {count} variation(s), from 0"),
        },
    };
    let full = args.full || (args.index.is_some() && args.format != Format::Text);
    if args.format == Format::Text {
        return super::print(&in_words(kind, count, &shown, args.full));
    }
    let variations: Vec<Value> = shown.iter().map(|one| as_json(one, full)).collect();
    let listed = json!({ "sweep_type": kind, "variations": variations });
    super::print(&match args.format {
        Format::Yaml => to_yaml(&listed),
        _ => serde_json::to_string_pretty(&listed)? + "\n",
    })
}

/// AIPerf's name of a sweep's type.
fn sweep_name(kind: Option<&str>) -> &'static str {
    match kind {
        None => "none",
        Some("zip") => "ZipSweep",
        Some("scenarios") => "ScenarioSweep",
        Some(_) => "GridSweep",
    }
}

fn in_words(kind: &str, count: usize, shown: &[Expanded], full: bool) -> String {
    let many = if count == 1 { "1 variation".to_owned() } else { format!("{count} variations") };
    let mut text = if shown.len() == count {
        format!("Sweep type: {kind} ({many})\n\n")
    } else {
        format!("Sweep type: {kind} (showing {} of {count})\n\n", shown.len())
    };
    for Expanded { variation, benchmark } in shown {
        let _ = writeln!(text, "[{}] dir={}  label={}", variation.index, variation.folder, variation.label);
        if full {
            for line in to_yaml(&filled(benchmark)).lines() {
                let _ = writeln!(text, "    {line}");
            }
        }
    }
    text
}

/// A run's configuration with AIPerf's defaults, and its folder.
fn filled(benchmark: &Value) -> Value {
    let mut benchmark = with_defaults(benchmark);
    if let Some(artifacts) = benchmark.get_mut("artifacts").filter(|artifacts| artifacts.get("dir").is_none())
    {
        let mut fields = serde_json::Map::from_iter([("dir".to_owned(), json!("artifacts"))]);
        fields.extend(artifacts.as_object().cloned().unwrap_or_default());
        *artifacts = Value::Object(fields);
    }
    benchmark
}

fn as_json(one: &Expanded, full: bool) -> Value {
    let variation = &one.variation;
    let mut fields = json!({
        "index": variation.index,
        "dir_name": variation.folder,
        "label": variation.label,
        "values": variation.values,
    });
    if full {
        fields["benchmark"] = filled(&one.benchmark);
    }
    fields
}

fn init(args: &InitArgs) -> Result<()> {
    let Some(name) = &args.template else {
        if !args.list && args.search.is_none() && args.category.is_none() {
            return super::print("Say which template with --template NAME; --list shows them all.\n");
        }
        return super::print(&listed(args));
    };
    let Some(template) = TEMPLATES.iter().find(|template| template.name == name.as_str()) else {
        if let Some(missing) = MISSING.iter().find(|missing| missing.name == name.as_str()) {
            bail!("--template: {name} needs what is not built yet: {}", missing.needs);
        }
        let names: Vec<&str> = TEMPLATES.iter().map(|template| template.name).collect();
        let hint = did_you_mean(name, names.iter().copied());
        bail!("--template: {name:?} is not known: expected one of {}{hint}", names.join(", "));
    };
    let text = template.filled(args.model.as_deref(), args.url.as_deref());
    let Some(path) = &args.output else { return super::print(&text) };
    std::fs::write(path, text).with_context(|| format!("--output: cannot write {}", path.display()))?;
    super::print(&format!("Wrote {name} template to {}\n", path.display()))
}

fn listed(args: &InitArgs) -> String {
    let word = args.search.as_deref().unwrap_or_default().to_ascii_lowercase();
    let category = args.category.as_deref().unwrap_or_default().to_ascii_lowercase();
    let wanted = |template: &&Template| {
        let about = format!("{} {} {}", template.name, template.title, template.about).to_ascii_lowercase();
        about.contains(&word) && template.category.to_ascii_lowercase().contains(&category)
    };
    let mut text = String::new();
    let mut heading = "";
    for template in TEMPLATES.iter().filter(wanted) {
        if template.category != heading {
            heading = template.category;
            let _ = writeln!(text, "{}{heading}", if text.is_empty() { "" } else { "\n" });
        }
        let _ = writeln!(text, "  {:<28}{}: {}", template.name, template.title, template.about);
    }
    if text.is_empty() {
        text.push_str("No template fits.\n");
    }
    if args.verbose {
        text.push_str("\nNot built yet\n");
        for missing in MISSING {
            let _ = writeln!(text, "  {:<28}needs {}", missing.name, missing.needs);
        }
    }
    text + "\nWrite one with: config init --template NAME --output FILE\n"
}
