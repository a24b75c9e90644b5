//! What a configuration may look like: shapes of values, checked with the place of each fault.
//!
//! Numbers and booleans may stand as text (`"7"`), as AIPerf takes them; text may not stand as a number.
//! What a value means, and which values go together, is settled elsewhere.

use super::faults::Faults;
use super::yaml::{Mark, Node, Yaml};
use crate::nearest::nearest;

/// What a value may be.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    /// Anything at all.
    Any,
    /// `true` or `false`.
    Bool,
    /// Text.
    Text,
    /// One of these words, in any case, with `-` or `_`.
    Word(&'static [&'static str]),
    /// Exactly one of these texts.
    Exact(&'static [&'static str]),
    /// A whole number within these bounds.
    Int(i64, i64),
    /// A number of at least 0.
    NonNegative,
    /// A number above 0.
    Positive,
    /// A share, from 0 to 1.
    Share,
    /// A number above 0 and below 1.
    Fraction,
    /// A time: a number of seconds, or `30s`, `5m`, `2h`, `inf`.
    Time,
    /// A ramp: a time, or `{duration, strategy}`.
    Ramp,
    /// How a length is drawn: a number, or a mapping.
    Distribution,
    /// A mapping with these keys, and no others.
    Map(&'static [Key]),
    /// `true`, `false`, or a mapping.
    SwitchOr(&'static [Key]),
    /// `false`, or this.
    FalseOr(&'static Shape),
    /// Text for short, or a mapping.
    TextOr(&'static [Key]),
    /// A list of these.
    List(&'static Shape),
    /// One of these or a list of them.
    OneOrMany(&'static Shape),
    /// A mapping of names to numbers.
    Numbers,
    /// A mapping of names to anything.
    Free,
}

/// A key of a mapping.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) shape: Shape,
    pub(super) does: Does,
}

/// What becomes of a key's value.
#[derive(Debug, Clone, Copy)]
pub(super) enum Does {
    /// It is the value of this option; a list gives the option once for each item.
    Option(&'static str),
    /// `true` gives this option.
    Switch(&'static str),
    /// `true` gives the first option, `false` the second.
    Either(&'static str, &'static str),
    /// The mapping below has options of its own.
    Section,
    /// It is read by name, where the option depends on more than the value.
    Read,
    /// It is accepted and said once to have no effect, for this reason.
    Idle(&'static str),
    /// It is refused unless it asks for nothing: what it asks for is not built yet.
    Unbuilt(&'static str),
}

/// A key whose value is an option's.
pub(super) const fn option(name: &'static str, shape: Shape, flag: &'static str) -> Key {
    Key { name, shape, does: Does::Option(flag) }
}

/// A key that gives an option when it is true.
pub(super) const fn switch(name: &'static str, flag: &'static str) -> Key {
    Key { name, shape: Shape::Bool, does: Does::Switch(flag) }
}

/// A key that gives one option when it is true and another when it is false.
pub(super) const fn either(name: &'static str, yes: &'static str, no: &'static str) -> Key {
    Key { name, shape: Shape::Bool, does: Does::Either(yes, no) }
}

/// A key with a mapping below it.
pub(super) const fn section(name: &'static str, keys: &'static [Key]) -> Key {
    Key { name, shape: Shape::Map(keys), does: Does::Section }
}

/// A key that is read by name.
pub(super) const fn read(name: &'static str, shape: Shape) -> Key {
    Key { name, shape, does: Does::Read }
}

/// A key without an effect here.
pub(super) const fn idle(name: &'static str, shape: Shape, why: &'static str) -> Key {
    Key { name, shape, does: Does::Idle(why) }
}

/// A key whose capability is not built yet.
pub(super) const fn unbuilt(name: &'static str, shape: Shape, instead: &'static str) -> Key {
    Key { name, shape, does: Does::Unbuilt(instead) }
}

/// Checks a value against its shape. `path` says where it stands, in dotted keys.
pub(super) fn check(node: &Node, shape: Shape, path: &str, faults: &mut Faults) {
    // An empty value is a default, wherever a default may stand.
    if node.is_null() {
        return;
    }
    let fault = match shape {
        Shape::Any => None,
        Shape::SwitchOr(_) | Shape::FalseOr(_) if as_bool(node) == Some(false) => None,
        Shape::SwitchOr(_) if as_bool(node) == Some(true) => None,
        Shape::FalseOr(inner) => return check(node, *inner, path, faults),
        Shape::TextOr(_) if node.text().is_some() => None,
        Shape::Map(keys) | Shape::SwitchOr(keys) | Shape::TextOr(keys) => {
            return check_map(node, keys, path, faults);
        }
        Shape::List(inner) => match &node.value {
            Yaml::List(items) => return check_items(items, *inner, path, faults),
            _ => Some("expected a list".to_owned()),
        },
        Shape::OneOrMany(inner) => match &node.value {
            Yaml::List(items) => return check_items(items, *inner, path, faults),
            _ => return check(node, *inner, path, faults),
        },
        Shape::Numbers => match &node.value {
            Yaml::Map(entries) => {
                for entry in entries {
                    check(&entry.node, Shape::NonNegative, &below(path, &entry.key), faults);
                }
                None
            }
            _ => Some("expected a mapping of names to numbers".to_owned()),
        },
        Shape::Free => {
            (!matches!(node.value, Yaml::Map(_))).then(|| "expected a mapping of names to values".to_owned())
        }
        Shape::Ramp if matches!(node.value, Yaml::Map(_)) => return check_map(node, RAMP, path, faults),
        Shape::Distribution if matches!(node.value, Yaml::Map(_)) => {
            return check_map(node, DISTRIBUTION, path, faults);
        }
        scalar => check_scalar(node, scalar),
    };
    if let Some(what) = fault {
        faults.add(node.at, path, format!("{what}, found {}", found(node)));
    }
}

fn check_items(items: &[Node], shape: Shape, path: &str, faults: &mut Faults) {
    for (index, item) in items.iter().enumerate() {
        check(item, shape, &format!("{path}[{index}]"), faults);
    }
}

fn check_map(node: &Node, keys: &[Key], path: &str, faults: &mut Faults) {
    let Yaml::Map(entries) = &node.value else {
        faults.add(node.at, path, format!("expected a mapping, found {}", found(node)));
        return;
    };
    for entry in entries {
        match keys.iter().find(|key| key.name == entry.key) {
            Some(key) => check(&entry.node, key.shape, &below(path, &entry.key), faults),
            None => unknown(entry.at, &entry.key, keys, path, faults),
        }
    }
}

/// Says that a key is not known, and which one was probably meant.
pub(super) fn unknown(at: Mark, key: &str, keys: &[Key], path: &str, faults: &mut Faults) {
    let hint = if let Some(name) = nearest(key, keys.iter().map(|known| known.name)) {
        format!("did you mean {name:?}?")
    } else {
        let names: Vec<&str> = keys.iter().map(|key| key.name).collect();
        format!("expected one of {}", names.join(", "))
    };
    faults.add(at, &below(path, key), format!("unknown key: {hint}"));
}

fn check_scalar(node: &Node, shape: Shape) -> Option<String> {
    let expected = match shape {
        Shape::Bool => as_bool(node).is_none().then(|| "true or false".to_owned()),
        Shape::Text => node.text().is_none().then(|| "text (put it in quotes)".to_owned()),
        Shape::Word(words) => {
            let given = node.text().map(fold);
            (!given.is_some_and(|given| words.contains(&given.as_str()))).then(|| one_of(words))
        }
        Shape::Exact(words) => {
            (!node.text().is_some_and(|text| words.contains(&text))).then(|| one_of(words))
        }
        Shape::Int(least, most) => match as_int(node) {
            Some(value) if (least..=most).contains(&value) => None,
            _ if most == i64::MAX => Some(format!("a whole number of at least {least}")),
            _ => Some(format!("a whole number from {least} to {most}")),
        },
        Shape::NonNegative => number_where(node, |value| value >= 0.0, "a number of at least 0"),
        Shape::Positive => number_where(node, |value| value > 0.0, "a number above 0"),
        Shape::Share => number_where(node, |value| (0.0..=1.0).contains(&value), "a number from 0 to 1"),
        Shape::Fraction => {
            number_where(node, |value| value > 0.0 && value < 1.0, "a number above 0 and below 1")
        }
        Shape::Time | Shape::Ramp => {
            seconds(node).is_none().then(|| "seconds, as a number or such as 30s, 5m, 2h".to_owned())
        }
        Shape::Distribution => {
            number_where(node, |value| value >= 0.0, "a length: a number, or {mean, stddev}")
        }
        _ => None,
    };
    expected.map(|expected| format!("expected {expected}"))
}

fn number_where(node: &Node, fits: impl Fn(f64) -> bool, expected: &str) -> Option<String> {
    (!as_number(node).is_some_and(fits)).then(|| expected.to_owned())
}

fn one_of(words: &[&str]) -> String {
    match words {
        [word] => format!("{word:?}"),
        words => words.join(", "),
    }
}

/// A word as choices are compared: AIPerf ignores case and takes `-` for `_`.
pub(super) fn fold(text: &str) -> String {
    text.to_ascii_lowercase().replace('-', "_")
}

/// A path with one more key.
pub(super) fn below(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

fn found(node: &Node) -> String {
    match &node.value {
        Yaml::List(_) | Yaml::Map(_) | Yaml::Null => node.kind().to_owned(),
        Yaml::Text(text) => format!("the text {text:?}"),
        _ => format!("{} {node}", node.kind()),
    }
}

/// A boolean, or its word.
pub(super) fn as_bool(node: &Node) -> Option<bool> {
    match &node.value {
        Yaml::Bool(value) => Some(*value),
        Yaml::Int(0) => Some(false),
        Yaml::Int(1) => Some(true),
        Yaml::Text(text) => crate::args::values::switch(text).ok(),
        _ => None,
    }
}

/// A whole number, which may be written as `8.0` or as text.
pub(super) fn as_int(node: &Node) -> Option<i64> {
    match &node.value {
        Yaml::Int(value) => Some(*value),
        Yaml::Float(value) if value.fract() == 0.0 && value.abs() < 9e15 => Some(*value as i64),
        Yaml::Text(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// A number, which may be written as text.
pub(super) fn as_number(node: &Node) -> Option<f64> {
    match &node.value {
        Yaml::Text(text) => text.trim().parse().ok().filter(|value: &f64| !value.is_nan()),
        _ => node.number().filter(|value| !value.is_nan()),
    }
}

/// A time in seconds; infinity for `inf`.
pub(super) fn seconds(node: &Node) -> Option<f64> {
    if let Some(value) = as_number(node) {
        return (value >= 0.0).then_some(value);
    }
    let text = node.text()?.trim();
    let (number, scale) = [('s', 1.0), ('m', 60.0), ('h', 3600.0)]
        .into_iter()
        .find_map(|(unit, scale)| Some((text.strip_suffix(unit)?, scale)))?;
    let value: f64 = number.trim().parse().ok()?;
    (value >= 0.0 && value.is_finite()).then_some(value * scale)
}

/// A time in seconds, as flags take it.
pub(super) fn time_text(node: &Node) -> String {
    match seconds(node) {
        Some(value) if value.is_infinite() => "inf".to_owned(),
        Some(value) => value.to_string(),
        None => node.to_string(),
    }
}

const RAMP: &[Key] =
    &[read("duration", Shape::Time), read("strategy", Shape::Word(&["linear", "exponential", "poisson"]))];

const DISTRIBUTION: &[Key] = &[
    read("type", Shape::Text),
    read("value", Shape::NonNegative),
    read("mean", Shape::NonNegative),
    read("stddev", Shape::NonNegative),
    read("median", Shape::Positive),
    read("min", Shape::NonNegative),
    read("max", Shape::NonNegative),
    read("peaks", Shape::List(&Shape::Any)),
    read("points", Shape::List(&Shape::Any)),
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::yaml::parse;
    use super::*;

    const KEYS: &[Key] = &[
        option("concurrency", Shape::Int(1, i64::MAX), "--concurrency"),
        read("rate", Shape::Positive),
        read("grace", Shape::Time),
        read("mode", Shape::Word(&["ci_width", "cv"])),
        read("isl", Shape::Distribution),
        read("raw", Shape::FalseOr(&Shape::List(&Shape::Exact(&["json"])))),
    ];

    fn faults(text: &str) -> String {
        let mut faults = Faults::default();
        check(&parse(text).unwrap().unwrap(), Shape::Map(KEYS), "p", &mut faults);
        faults.to_string()
    }

    #[test]
    fn what_fits_is_not_complained_about() {
        let good = "{concurrency: '7', rate: 1, grace: 2m, mode: CI-Width, isl: {mean: 3}, raw: false}";
        assert_eq!(faults(good), "");
        assert_eq!(faults("{concurrency: 8.0, rate: ~, grace: inf, isl: 4, raw: [json]}"), "");
    }

    #[test]
    fn faults_say_where_and_what_instead() {
        for (text, said) in [
            ("\nconcurency: 3", "2:1: p.concurency: unknown key: did you mean \"concurrency\"?"),
            ("zzz: 3", "p.zzz: unknown key: expected one of concurrency, rate"),
            ("concurrency: [1, 2]", "p.concurrency: expected a whole number of at least 1, found a list"),
            ("concurrency: 0", "found a whole number 0"),
            ("rate: fast", "expected a number above 0, found the text \"fast\""),
            ("grace: 5d", "such as 30s"),
            ("mode: x", "expected ci_width, cv"),
            ("isl: {mena: 3}", "p.isl.mena: unknown key: did you mean \"mean\"?"),
            ("raw: [json, csv]", "p.raw[1]: expected \"json\", found the text \"csv\""),
        ] {
            let found = faults(text);
            assert!(found.contains(said), "{text}: {found}");
        }
    }

    #[test]
    fn times_have_units() {
        let time = |text: &str| seconds(&Node::bare(Yaml::Text(text.to_owned())));
        assert_eq!(time("30s"), Some(30.0));
        assert_eq!(time("1.5m"), Some(90.0));
        assert_eq!(time("2h"), Some(7200.0));
        assert_eq!(time("inf"), Some(f64::INFINITY));
        assert_eq!(time("-1s"), None);
        assert_eq!(time("s"), None);
    }
}
