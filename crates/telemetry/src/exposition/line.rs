//! One line of an exposition.

use super::Sample;

/// What a line says.
pub(super) enum Line<'a> {
    /// Nothing: blank, or a comment.
    Nothing,
    /// That the text ends here.
    End,
    /// What a family is about.
    Help(&'a str, String),
    /// What a family is.
    Type(&'a str, &'a str),
    /// A figure.
    Sample(Sample),
}

impl<'a> Line<'a> {
    /// Reads a line; an error says what is wrong with it.
    pub(super) fn parse(line: &'a str) -> Result<Self, &'static str> {
        let line = line.trim();
        let Some(comment) = line.strip_prefix('#') else {
            return if line.is_empty() { Ok(Self::Nothing) } else { sample(line).map(Self::Sample) };
        };
        let (word, rest) = word(comment.trim_start());
        Ok(match word {
            "HELP" => {
                let (name, help) = self::word(rest);
                if name.is_empty() { Self::Nothing } else { Self::Help(name, unescaped(help, false)) }
            }
            "TYPE" => {
                let (name, kind) = self::word(rest);
                if name.is_empty() { Self::Nothing } else { Self::Type(name, kind.trim()) }
            }
            "EOF" if rest.is_empty() => Self::End,
            _ => Self::Nothing,
        })
    }
}

/// The first word, and what stands behind the blanks that follow it.
fn word(text: &str) -> (&str, &str) {
    match text.find(char::is_whitespace) {
        Some(end) => (&text[..end], text[end..].trim_start()),
        None => (text, ""),
    }
}

fn sample(line: &str) -> Result<Sample, &'static str> {
    let end = line.find(|c: char| c == '{' || c.is_whitespace()).ok_or("it has no value")?;
    let (mut name, mut rest) = (line[..end].to_owned(), line[end..].trim_start());
    let mut labels = Vec::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = read_labels(inner, &mut name, &mut labels)?;
    }
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | ':');
    if name.is_empty()
        || (end > 0 && !name.chars().all(is_name))
        || name.starts_with(|c: char| c.is_ascii_digit())
    {
        return Err("its name is none");
    }
    let (value, rest) = word(rest.trim_start());
    let value: f64 = value.parse().map_err(|_| "its value is no number")?;
    // A timestamp, or in OpenMetrics an example: neither is of use here.
    let (timestamp, _) = word(rest);
    if !timestamp.is_empty() && !timestamp.starts_with('#') && timestamp.parse::<f64>().is_err() {
        return Err("what follows its value is no timestamp");
    }
    Ok(Sample { name, labels, value })
}

/// Reads labels up to the closing brace and gives what follows it. A quoted text without a value is the
/// sample's name, where none stands before the brace.
fn read_labels<'a>(
    mut text: &'a str,
    name: &mut String,
    labels: &mut Vec<(String, String)>,
) -> Result<&'a str, &'static str> {
    loop {
        text = text.trim_start();
        if let Some(rest) = text.strip_prefix('}') {
            return Ok(rest);
        }
        let (key, rest) = if text.starts_with('"') {
            let (key, rest) = quoted(text)?;
            if !rest.trim_start().starts_with('=') && name.is_empty() {
                *name = key;
                text = after_comma(rest)?;
                continue;
            }
            (key, rest)
        } else {
            let end = text.find('=').ok_or("a label has no value")?;
            (text[..end].trim().to_owned(), &text[end..])
        };
        if key.is_empty() {
            return Err("a label has no name");
        }
        let rest = rest.trim_start().strip_prefix('=').ok_or("a label has no value")?;
        let (value, rest) = quoted(rest.trim_start())?;
        labels.push((key, value));
        text = after_comma(rest)?;
    }
}

/// What follows a label: behind a comma, or the closing brace itself.
fn after_comma(text: &str) -> Result<&str, &'static str> {
    let text = text.trim_start();
    match text.strip_prefix(',') {
        Some(rest) => Ok(rest),
        None if text.starts_with('}') => Ok(text),
        None => Err("its labels are not closed"),
    }
}

/// A quoted text, unescaped, and what follows it.
fn quoted(text: &str) -> Result<(String, &str), &'static str> {
    let inner = text.strip_prefix('"').ok_or("a label's value is not quoted")?;
    let mut is_escaped = false;
    for (index, c) in inner.char_indices() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return Ok((unescaped(&inner[..index], true), &inner[index + 1..])),
            _ => {}
        }
    }
    Err("a label's value is not closed")
}

/// Escapes undone: backslash and line feed, and quotes where they are.
fn unescaped(text: &str, with_quotes: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match rest.next() {
            Some('\\') => out.push('\\'),
            Some('n') => out.push('\n'),
            Some('"') if with_quotes => out.push('"'),
            other => {
                out.push('\\');
                out.extend(other);
            }
        }
    }
    out
}
