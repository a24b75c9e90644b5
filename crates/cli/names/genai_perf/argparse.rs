//! Argparse's grammar, over a table of options.
//!
//! Unique prefixes of long names are accepted, values may follow `=` or, for short names, stand attached; an
//! option that takes several values takes all up to the next option. Names are case-sensitive, and `_` is
//! not `-`.

use super::table::{Flag, Takes};
use crate::nearest::did_you_mean;
use crate::words::Word;

/// An option as it was given: which, and its values.
pub(super) type Given = (&'static Flag, Vec<String>);

/// Takes a command line apart. What belongs to no option is an error.
pub(super) fn parse(words: &[String], flags: &'static [Flag]) -> Result<Vec<Given>, String> {
    let mut given = Vec::new();
    let mut rest = words.iter().peekable();
    while let Some(word) = rest.next() {
        if !is_option(word, flags) {
            return Err(unrecognized(word));
        }
        let (flag, name, attached) = find(word, flags)?;
        let mut values: Vec<String> = attached.into_iter().collect();
        match flag.takes {
            Takes::Nothing if !values.is_empty() => {
                return Err(format!("{name}: takes no value, and one is attached to it"));
            }
            Takes::Nothing => {}
            Takes::One | Takes::Each => {
                if values.is_empty() {
                    let value = rest.next_if(|word| !is_option(word, flags));
                    values.push(value.ok_or_else(|| format!("{name}: expected one value"))?.clone());
                }
            }
            Takes::Many | Takes::Any => {
                if values.is_empty() {
                    while let Some(value) = rest.next_if(|word| !is_option(word, flags)) {
                        values.push(value.clone());
                    }
                }
                if values.is_empty() && flag.takes == Takes::Many {
                    return Err(format!("{name}: expected at least one value"));
                }
            }
        }
        given.push((flag, values));
    }
    Ok(given)
}

/// The words as they are understood, to be shown: each value with its option's name, however that is spelled.
pub(super) fn words(typed: &[String], flags: &'static [Flag]) -> Vec<Word> {
    let mut option = "";
    let understood = typed.iter().map(|word| {
        if !is_option(word, flags) {
            return Word::value(option, word);
        }
        let Ok((flag, _, attached)) = find(word, flags) else {
            option = "";
            return Word::value(option, word);
        };
        option = flag.names[0];
        match attached {
            Some(value) => Word::joined(&word[..word.len() - value.len()], option, &value),
            None => Word::Name(word.clone()),
        }
    });
    understood.collect()
}

/// Whether a word is an option and not a value: it begins with a dash, and is no negative number. With a
/// blank in it, it is one only if it begins with an option's name.
fn is_option(word: &str, flags: &'static [Flag]) -> bool {
    word.len() > 1
        && word.starts_with('-')
        && word.parse::<f64>().is_err()
        && (!word.contains(' ') || find(word, flags).is_ok())
}

/// That a word is not understood. What may be a value is not shown: it may be a secret.
fn unrecognized(word: &str) -> String {
    let ends = |c: char| c.is_whitespace() || matches!(c, ':' | '=' | '@' | '?' | '{' | '"');
    let letter = word.char_indices().nth(2).filter(|_| word.starts_with('-') && !word.starts_with("--"));
    match letter.map(|(end, _)| end).or_else(|| word.find(ends)) {
        Some(end) => format!("unrecognized argument: {}…", &word[..end]),
        None => format!("unrecognized argument: {word}"),
    }
}

/// The option that a word names, the name as the table has it, and the value attached to it.
fn find(word: &str, flags: &'static [Flag]) -> Result<(&'static Flag, &'static str, Option<String>), String> {
    let (typed, value) = match word.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (word, None),
    };
    let named = |name: &str| {
        flags
            .iter()
            .find_map(|flag| flag.names.iter().find(|known| **known == name).map(|known| (flag, *known)))
    };
    if let Some((flag, name)) = named(typed) {
        return Ok((flag, name, value));
    }
    if !word.starts_with("--") {
        // A short name with its value attached, as -b4; or a switch several times, as -vv.
        let (short, attached) = word.split_at(word.char_indices().nth(2).map_or(word.len(), |(at, _)| at));
        if let Some((flag, name)) = named(short) {
            let repeats = flag.takes == Takes::Nothing && attached.chars().all(|c| short.ends_with(c));
            return Ok((flag, name, (!repeats).then(|| attached.to_owned())));
        }
        return Err(unrecognized(word));
    }
    let mut begin: Vec<(&'static Flag, &'static str)> = flags
        .iter()
        .filter_map(|flag| flag.names.iter().find(|name| name.starts_with(typed)).map(|name| (flag, *name)))
        .collect();
    match begin.len() {
        1 => begin.pop().map(|(flag, name)| (flag, name, value)).ok_or_else(String::new),
        0 => {
            let names = flags.iter().flat_map(|flag| flag.names.iter().copied());
            Err(unrecognized(typed) + &did_you_mean(typed, names))
        }
        _ => {
            let names: Vec<&str> = begin.iter().map(|(_, name)| *name).collect();
            Err(format!("ambiguous option: {typed} could match {}", names.join(", ")))
        }
    }
}
