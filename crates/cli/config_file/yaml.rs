//! YAML text to a tree whose every node knows its line.
//!
//! As AIPerf reads its files: a key may stand once in a mapping, keys are text, one document a file. Plain
//! scalars are typed by YAML 1.1's words (`yes`, `on`, `~`), as PyYAML types them. What the keys mean is
//! none of this module's business.

use std::fmt;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span, StrInput, Tag};
use serde_json::{Number, Value};

/// Deeper nesting is refused, as AIPerf refuses it.
const DEEPEST: usize = 256;
/// Aliases may repeat parts of a file, but not blow it up.
const MOST_NODES: usize = 100_000;

/// A place in a file, counted from 1; line 0 is no place in it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

impl From<&Marker> for Mark {
    fn from(marker: &Marker) -> Self {
        Self { line: marker.line(), column: marker.col() + 1 }
    }
}

/// A value, and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) value: Yaml,
    pub(crate) at: Mark,
}

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Yaml {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key with its value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) at: Mark,
    pub(crate) node: Node,
}

/// What is wrong with the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct YamlError {
    pub(crate) at: Mark,
    pub(crate) what: String,
}

impl Node {
    /// A value that stands in no file.
    pub(crate) fn bare(value: Yaml) -> Self {
        Self { value, at: Mark::default() }
    }

    /// The entries of a mapping; none of anything else.
    pub(crate) fn entries(&self) -> &[Entry] {
        match &self.value {
            Yaml::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The value below `key`.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        self.entries().iter().find(|entry| entry.key == key).map(|entry| &entry.node)
    }

    /// The value below each key of a dotted path of keys.
    pub(crate) fn at_path(&self, path: &str) -> Option<&Self> {
        path.split('.').try_fold(self, |node, key| node.get(key))
    }

    /// The value below `key`, to change.
    pub(crate) fn get_mut(&mut self, key: &str) -> Option<&mut Self> {
        match &mut self.value {
            Yaml::Map(entries) => {
                entries.iter_mut().find(|entry| entry.key == key).map(|entry| &mut entry.node)
            }
            _ => None,
        }
    }

    /// Puts a value below `key`, in place of what is there. What is no mapping becomes one.
    pub(crate) fn set(&mut self, key: &str, node: Self) {
        if let Some(old) = self.get_mut(key) {
            *old = node;
            return;
        }
        if !matches!(self.value, Yaml::Map(_)) {
            self.value = Yaml::Map(Vec::new());
        }
        if let Yaml::Map(entries) = &mut self.value {
            entries.push(Entry { key: key.to_owned(), at: node.at, node });
        }
    }

    /// Takes the value below `key` out.
    pub(crate) fn take(&mut self, key: &str) -> Option<Self> {
        let Yaml::Map(entries) = &mut self.value else { return None };
        let place = entries.iter().position(|entry| entry.key == key)?;
        Some(entries.remove(place).node)
    }

    /// The items of a list; none of anything else.
    pub(crate) fn items(&self) -> &[Self] {
        match &self.value {
            Yaml::List(items) => items,
            _ => &[],
        }
    }

    /// The text of a string.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Yaml::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The number of an integer or a float.
    pub(crate) fn number(&self) -> Option<f64> {
        match self.value {
            Yaml::Int(value) => Some(value as f64),
            Yaml::Float(value) => Some(value),
            _ => None,
        }
    }

    /// Whether nothing stands there.
    pub(crate) fn is_null(&self) -> bool {
        self.value == Yaml::Null
    }

    /// What kind of value it is, for people.
    pub(crate) fn kind(&self) -> &'static str {
        match self.value {
            Yaml::Null => "nothing",
            Yaml::Bool(_) => "a boolean",
            Yaml::Int(_) => "a whole number",
            Yaml::Float(_) => "a number",
            Yaml::Text(_) => "text",
            Yaml::List(_) => "a list",
            Yaml::Map(_) => "a mapping",
        }
    }

    /// The value as JSON. A float that is not finite becomes text.
    pub(crate) fn to_json(&self) -> Value {
        match &self.value {
            Yaml::Null => Value::Null,
            Yaml::Bool(value) => Value::Bool(*value),
            Yaml::Int(value) => Value::from(*value),
            Yaml::Float(value) => {
                Number::from_f64(*value).map_or_else(|| Value::from(self.to_string()), Value::Number)
            }
            Yaml::Text(text) => Value::from(text.as_str()),
            Yaml::List(items) => items.iter().map(Self::to_json).collect(),
            Yaml::Map(entries) => {
                Value::Object(entries.iter().map(|entry| (entry.key.clone(), entry.node.to_json())).collect())
            }
        }
    }

    /// A tree of JSON's values.
    pub(crate) fn from_json(value: &Value) -> Self {
        Self::bare(match value {
            Value::Null => Yaml::Null,
            Value::Bool(value) => Yaml::Bool(*value),
            Value::Number(number) => match number.as_i64() {
                Some(whole) => Yaml::Int(whole),
                None => Yaml::Float(number.as_f64().unwrap_or(f64::INFINITY)),
            },
            Value::String(text) => Yaml::Text(text.clone()),
            Value::Array(items) => Yaml::List(items.iter().map(Self::from_json).collect()),
            Value::Object(fields) => Yaml::Map(
                fields
                    .iter()
                    .map(|(key, value)| Entry {
                        key: key.clone(),
                        at: Mark::default(),
                        node: Self::from_json(value),
                    })
                    .collect(),
            ),
        })
    }
}

impl fmt::Display for Node {
    /// A scalar as it would be typed behind a flag; lists and mappings as JSON.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Yaml::Null => f.write_str("null"),
            Yaml::Bool(value) => write!(f, "{value}"),
            Yaml::Int(value) => write!(f, "{value}"),
            Yaml::Float(value) => write!(f, "{value:?}"),
            Yaml::Text(text) => f.write_str(text),
            Yaml::List(_) | Yaml::Map(_) => write!(f, "{}", self.to_json()),
        }
    }
}

/// Reads the one document of a text; `None` when there is none.
pub(crate) fn parse(text: &str) -> Result<Option<Node>, YamlError> {
    Composer { events: Parser::new_from_str(text), anchors: Vec::new(), nodes: 0 }.document()
}

/// Makes a tree from a parser's events.
struct Composer<'text> {
    events: Parser<'text, StrInput<'text>>,
    /// Nodes with an anchor, by its number.
    anchors: Vec<(usize, Node)>,
    nodes: usize,
}

impl<'text> Composer<'text> {
    fn document(mut self) -> Result<Option<Node>, YamlError> {
        let mut root = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => return Ok(root),
                Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd | Event::Nothing => {}
                _ if root.is_some() => {
                    return Err(wrong(&span, "expected a single document in the file, found another"));
                }
                event => root = Some(self.node(event, &span, 0)?),
            }
        }
    }

    fn next(&mut self) -> Result<(Event<'text>, Span), YamlError> {
        match self.events.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => {
                Err(YamlError { at: error.marker().into(), what: format!("invalid YAML: {}", error.info()) })
            }
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn node(&mut self, event: Event<'text>, span: &Span, depth: usize) -> Result<Node, YamlError> {
        self.nodes += 1;
        if depth > DEEPEST {
            return Err(wrong(span, format!("nested more than {DEEPEST} levels deep")));
        }
        if self.nodes > MOST_NODES {
            return Err(wrong(span, format!("more than {MOST_NODES} values")));
        }
        let at = Mark::from(&span.start);
        let (value, anchor) = match event {
            Event::Alias(anchor) => {
                let found = self.anchors.iter().rev().find(|(number, _)| *number == anchor);
                let Some((_, node)) = found else {
                    return Err(wrong(span, "an alias of something that holds it: it would never end"));
                };
                let node = Node { at, ..node.clone() };
                self.nodes += size(&node);
                return Ok(node);
            }
            Event::Scalar(text, style, anchor, tag) => (scalar(&text, style, tag.as_deref()), anchor),
            Event::SequenceStart(anchor, _) => (self.list(depth)?, anchor),
            Event::MappingStart(anchor, _) => (self.map(depth)?, anchor),
            _ => return Err(wrong(span, "invalid YAML: expected a value")),
        };
        let node = Node { value, at };
        if anchor > 0 {
            self.anchors.push((anchor, node.clone()));
        }
        Ok(node)
    }

    fn list(&mut self, depth: usize) -> Result<Yaml, YamlError> {
        let mut items = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::SequenceEnd {
                return Ok(Yaml::List(items));
            }
            items.push(self.node(event, &span, depth + 1)?);
        }
    }

    fn map(&mut self, depth: usize) -> Result<Yaml, YamlError> {
        let mut entries: Vec<Entry> = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                return Ok(Yaml::Map(entries));
            }
            let key = self.node(event, &span, depth + 1)?;
            let Yaml::Text(name) = key.value else {
                return Err(wrong(
                    &span,
                    format!("the key {key} is {}: only text keys are allowed", key.kind()),
                ));
            };
            if entries.iter().any(|entry| entry.key == name) {
                return Err(wrong(&span, format!("the key {name:?} stands twice in the same mapping")));
            }
            let (event, span) = self.next()?;
            let node = self.node(event, &span, depth + 1)?;
            entries.push(Entry { key: name, at: key.at, node });
        }
    }
}

fn wrong(span: &Span, what: impl Into<String>) -> YamlError {
    YamlError { at: Mark::from(&span.start), what: what.into() }
}

fn size(node: &Node) -> usize {
    1 + node.items().iter().map(size).sum::<usize>()
        + node.entries().iter().map(|entry| size(&entry.node)).sum::<usize>()
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Yaml {
    if let Some(tag) = tag
        && tag.is_yaml_core_schema()
    {
        return if tag.suffix == "str" { Yaml::Text(text.to_owned()) } else { plain(text) };
    }
    if style == ScalarStyle::Plain { plain(text) } else { Yaml::Text(text.to_owned()) }
}

/// A plain scalar's type, by YAML 1.1's words.
pub(crate) fn plain(text: &str) -> Yaml {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Yaml::Null,
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => return Yaml::Bool(true),
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => return Yaml::Bool(false),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Yaml::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return Yaml::Float(f64::NEG_INFINITY),
        ".nan" | ".NaN" | ".NAN" => return Yaml::Float(f64::NAN),
        _ => {}
    }
    integer(text)
        .map(Yaml::Int)
        .or_else(|| float(text).map(Yaml::Float))
        .unwrap_or_else(|| Yaml::Text(text.to_owned()))
}

fn integer(text: &str) -> Option<i64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    if !digits.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    let plain = digits.replace('_', "");
    let value = match (plain.strip_prefix("0x"), plain.strip_prefix("0o")) {
        (Some(hex), _) => i64::from_str_radix(hex, 16),
        (_, Some(octal)) => i64::from_str_radix(octal, 8),
        // A leading zero makes an octal number in YAML 1.1, and nothing that anyone means.
        _ if plain.len() > 1 && plain.starts_with('0') => i64::from_str_radix(&plain, 8),
        _ => plain.parse(),
    };
    value.ok().map(|value| sign * value)
}

/// A float has a point; `1e3` without one is text, as in PyYAML.
fn float(text: &str) -> Option<f64> {
    let unsigned = text.trim_start_matches(['-', '+']);
    let begins = unsigned.starts_with(|first: char| first.is_ascii_digit() || first == '.');
    let known = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-' | b'_');
    if !begins || !text.contains('.') || !text.bytes().all(known) {
        return None;
    }
    text.replace('_', "").parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    fn json(text: &str) -> Value {
        parse(text).unwrap().unwrap().to_json()
    }

    fn refused(text: &str) -> (usize, String) {
        let error = parse(text).unwrap_err();
        (error.at.line, error.what)
    }

    #[test]
    fn scalars_have_the_types_that_aiperf_sees() {
        assert_eq!(
            json(
                "{a: 1, b: 1.5, c: yes, d: ~, e: '1', f: 1e3, g: 1_000, h: 0x10, i: -2, j: 10s, k: 2.0e1, l: \"no\"}"
            ),
            json!({"a": 1, "b": 1.5, "c": true, "d": null, "e": "1", "f": "1e3", "g": 1000, "h": 16, "i": -2,
                   "j": "10s", "k": 20.0, "l": "no"})
        );
        assert_eq!(json("a: !!str 5"), json!({"a": "5"}));
    }

    #[test]
    fn every_value_knows_its_line() {
        let root = parse("a: 1\nb:\n  c: [x,\n      y]\n").unwrap().unwrap();
        assert_eq!(root.get("a").unwrap().at, Mark { line: 1, column: 4 });
        assert_eq!(root.at_path("b.c").unwrap().items()[1].at.line, 4);
        assert_eq!(root.get("b").unwrap().entries()[0].at, Mark { line: 3, column: 3 });
    }

    #[test]
    fn anchors_are_followed() {
        assert_eq!(json("a: &x {k: [1, 2]}\nb: *x\n"), json!({"a": {"k": [1, 2]}, "b": {"k": [1, 2]}}));
        let (line, what) = refused("a: &x\n  b: *x\n");
        assert!(line == 2 && what.contains("never end"), "{what}");
    }

    #[test]
    fn what_aiperf_refuses_is_refused_with_its_line() {
        let (line, what) = refused("benchmark:\n  model: a\n  model: b\n");
        assert!(line == 3 && what.contains("\"model\" stands twice"), "{what}");
        let (line, what) = refused("1: a\n");
        assert!(line == 1 && what.contains("key 1 is a whole number"), "{what}");
        assert!(refused("a: [\n").1.contains("invalid YAML"));
        assert!(refused("a: 1\n---\nb: 2\n").1.contains("single document"));
        let deep: Vec<String> = (0..300).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
        assert!(refused(&deep.concat()).1.contains("nested"));
        assert_eq!(parse("").unwrap(), None);
    }

    #[test]
    fn aliases_cannot_blow_a_file_up() {
        let mut levels = vec!["a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned()];
        for level in 1..9 {
            let below = level - 1;
            let many = vec![format!("*a{below}"); 10].join(",");
            levels.push(format!("a{level}: &a{level} [{many}]\n"));
        }
        assert!(refused(&levels.concat()).1.contains("more than"));
    }
}
