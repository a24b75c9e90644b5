//! Points of a sweep written by hand: `--variant "[NAME:] OPTION=VALUE, OPTION=VALUE"`.

use std::collections::HashSet;
use std::ffi::OsString;

use loadgen_study::{Variation, is_shared, sanitised};
use serde_json::{Map, Value};

use super::design::is_secret;
use crate::args::ProfileArgs;
use crate::plan::{Faults, shown_value};

/// One point: its name, if it has one, and its settings in order.
#[derive(Debug, PartialEq, Eq)]
struct Variant {
    name: Option<String>,
    settings: Vec<(String, String)>,
}

/// The points and the options of each: the command's own, with the point's settings over them.
pub(super) fn variants(
    args: &ProfileArgs,
    argv: &[OsString],
    faults: &mut Faults,
) -> Vec<(Variation, ProfileArgs)> {
    let texts = &args.study.variant;
    if texts.len() < 2 {
        faults.add("--variant", "one point is no sweep: give at least two, or the options themselves");
        return Vec::new();
    }
    let mut names = HashSet::new();
    let mut points = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        // A point may hold what nobody is to see: faults say which point it is, not what it says.
        let fault = |what: &str| format!("point {}: {what}", index + 1);
        let variant = match parse(text) {
            Ok(variant) => variant,
            Err(what) => {
                faults.add(
                    "--variant",
                    fault(&format!("{what}: expected \"[NAME:] OPTION=VALUE, OPTION=VALUE\"")),
                );
                continue;
            }
        };
        let name = variant.name.unwrap_or_else(|| format!("v{index}"));
        if !names.insert(name.clone()) {
            faults
                .add("--variant", fault(&format!("{name:?} is the name of two points: each needs its own")));
        }
        if is_shared(&sanitised(&name)) {
            let what = format!(
                "{name:?} is what a folder or file of the whole experiment is called: give another name"
            );
            faults.add("--variant", fault(&what));
        }
        let mut options = variant.settings.iter().map(|(option, _)| option);
        if let Some(list) = options.clone().find(|option| takes_a_list(option)) {
            let what = format!("--{list} takes a list, and is the same for all points: set it beside them");
            faults.add("--variant", fault(&what));
            continue;
        }
        if let Some(secret) = options.find(|option| is_secret(option)) {
            let what =
                format!("--{secret} is a secret, and would show in the results: set it beside the points");
            faults.add("--variant", fault(&what));
            continue;
        }
        let words = variant
            .settings
            .iter()
            .flat_map(|(option, value)| [OsString::from(format!("--{option}")), OsString::from(value)]);
        match crate::args::parse_profile(argv, &words.collect::<Vec<_>>()) {
            Ok(mut point) => {
                point.origin = args.origin.clone();
                let settings = variant.settings.into_iter().map(|(option, value)| {
                    let shown = scalar(&shown_value(&option, &value));
                    (option, shown)
                });
                points.push((Variation::named(index, &name, settings.collect::<Map<_, _>>()), point));
            }
            // clap's own text is a page; its first line says what is wrong.
            Err(error) => {
                let said = error.to_string();
                let first = said.lines().next().unwrap_or_default().trim_start_matches("error: ");
                let what = format!("{first}; any option of profile may be set, without its --");
                faults.add("--variant", fault(&what));
            }
        }
    }
    points
}

/// Whether what is given for an option adds to what was given before.
fn takes_a_list(option: &str) -> bool {
    let command = crate::args::command();
    let profile = command.find_subcommand("profile");
    let argument = profile.and_then(|profile| {
        profile.get_arguments().find(|argument| {
            let aliases = argument.get_all_aliases().unwrap_or_default();
            argument.get_long().into_iter().chain(aliases).any(|name| name == option)
        })
    });
    argument.is_some_and(|argument| matches!(argument.get_action(), clap::ArgAction::Append))
}

fn parse(text: &str) -> Result<Variant, String> {
    let (name, body) = match text.split_once(':') {
        Some((head, tail)) if !head.contains('=') => {
            let name = head.trim();
            if name.is_empty() {
                return Err("no name before the colon".to_owned());
            }
            (Some(name.to_owned()), tail)
        }
        _ => (None, text),
    };
    let mut settings: Vec<(String, String)> = Vec::new();
    for item in body.split(',').map(str::trim).filter(|item| !item.is_empty()) {
        let (option, value) = item.split_once('=').ok_or("a setting without =")?;
        let option = option.trim().trim_start_matches("--").replace('_', "-");
        if option.is_empty() {
            return Err("no option before the =".to_owned());
        }
        if settings.iter().any(|(known, _)| *known == option) {
            return Err(format!("{option} is set twice"));
        }
        settings.push((option, unquoted(value.trim()).to_owned()));
    }
    if settings.is_empty() {
        return Err("no settings".to_owned());
    }
    Ok(Variant { name, settings })
}

fn unquoted(text: &str) -> &str {
    ['\'', '"'].into_iter().find_map(|quote| text.strip_prefix(quote)?.strip_suffix(quote)).unwrap_or(text)
}

/// A value as a point's facts show it: a number where it reads as one.
fn scalar(text: &str) -> Value {
    match text.to_ascii_lowercase().as_str() {
        "true" => return Value::Bool(true),
        "false" => return Value::Bool(false),
        _ => {}
    }
    let integer = text.parse::<i64>().ok().map(Value::from);
    let float = || text.parse::<f64>().ok().filter(|value| value.is_finite()).map(Value::from);
    integer.or_else(float).unwrap_or_else(|| Value::from(text))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(option, value)| ((*option).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_point_has_settings_and_may_have_a_name() {
        assert_eq!(
            parse("short: isl=128, request_rate=2.5").unwrap(),
            Variant {
                name: Some("short".to_owned()),
                settings: settings(&[("isl", "128"), ("request-rate", "2.5")])
            }
        );
        let unnamed = parse("url=http://host:80, --osl='7'").unwrap();
        assert_eq!(unnamed.name, None, "a colon after the first = belongs to a value");
        assert_eq!(unnamed.settings, settings(&[("url", "http://host:80"), ("osl", "7")]));
    }

    #[test]
    fn what_is_no_point_is_refused() {
        for wrong in ["", "a:b", ": isl=3", "name:", "isl", "isl=3,isl=4", "=3", "isl=3, isl=4"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn values_are_numbers_where_they_read_as_such() {
        assert_eq!(scalar("3"), Value::from(3));
        assert_eq!(scalar("2.5"), Value::from(2.5));
        assert_eq!(scalar("True"), Value::Bool(true));
        assert_eq!(scalar("inf"), Value::from("inf"));
        assert_eq!(scalar("poisson"), Value::from("poisson"));
    }
}
