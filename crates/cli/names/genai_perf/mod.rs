//! GenAI-Perf's command line in this program's grammar: a pure function of its words.
//!
//! The grammar is argparse's ([`argparse`]), what each option becomes stands in a table ([`table`]), and what is
//! behind `--` was perf_analyzer's ([`passthrough`]). What differs in GenAI-Perf without being said is said
//! where a whole line is put together ([`line`]): its defaults, its run's folder, its evenly paced rate, `max_tokens`. No file is read and nothing is checked
//! that the plan checks anyway.

mod argparse;
mod config;
mod fields;
mod line;
mod load;
mod passthrough;
mod table;
#[cfg(test)]
mod tests;

use serde_json::Value;

use crate::words::Word;
use line::Line;
pub(crate) use table::compat_section;
use table::{Becomes, FLAGS, SUBCOMMANDS};

/// A command line of GenAI-Perf's, understood.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Translated {
    /// The words behind the program's name, in this program's grammar.
    pub(crate) words: Vec<String>,
    /// What the user should know.
    pub(crate) notes: Vec<String>,
    /// The configuration as GenAI-Perf's files echo it.
    pub(crate) config: Value,
    /// The words as they were typed, understood.
    pub(crate) typed: Vec<Word>,
}

/// What GenAI-Perf was asked.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Asked {
    /// To profile.
    Profile(Translated),
    /// Its version.
    Version,
    /// What it can do.
    Help,
}

/// What `genai-perf --help` prints.
pub(crate) fn help() -> String {
    let mut text = String::from(
        "usage: genai-perf profile -m MODEL --endpoint-type TYPE [options] [-- perf_analyzer's options]\n\n\
         GenAI-Perf's command line, run by loadgen. What each option becomes:\n\n",
    );
    for flag in FLAGS {
        let here = match flag.becomes {
            Becomes::Same(_) => String::new(),
            Becomes::Read(how) => how.to_owned(),
            Becomes::NoEffect(why) => format!("without effect: {why}"),
            Becomes::Refused(why) => format!("refused: {why}"),
        };
        text.push_str(format!("  {:<44} {here}", flag.names.join(", ")).trim_end());
        text.push('\n');
    }
    text
}

/// Translates the words behind the program's name.
pub(crate) fn translate(words: &[String]) -> Result<Asked, String> {
    let typed = as_typed(words);
    let (words, passed) = apart(words);
    let words = match words.split_first() {
        // Early versions had no subcommands; and without any word there is nothing to do but to explain.
        None => return Ok(Asked::Help),
        Some((first, rest)) if first == "profile" => rest,
        Some((first, _)) if !first.starts_with('-') => {
            let known = SUBCOMMANDS.iter().find(|(name, _)| name == first);
            return Err(match known {
                Some((name, instead)) => format!("`genai-perf {name}` is not built: {instead}"),
                None => format!("{first:?} is no subcommand of genai-perf: expected profile"),
            });
        }
        Some(_) => words,
    };
    let given = argparse::parse(words, FLAGS)?;
    let is_given = |name: &str| given.iter().any(|(flag, _)| flag.names.contains(&name));
    if is_given("--version") {
        return Ok(Asked::Version);
    }
    if is_given("--help") {
        return Ok(Asked::Help);
    }
    let line = Line { given: &given, passed: passthrough::read(passed)? };
    // The server's kind first: whatever else there is follows from it.
    line.check_service()?;
    for (flag, values) in &given {
        if let Becomes::Refused(why) = flag.becomes {
            let value = values.first().map(|value| format!(" {value}")).unwrap_or_default();
            return Err(format!("{}{value}: {why}", flag.names[0]));
        }
    }
    line.translated(typed).map(Asked::Profile)
}

/// GenAI-Perf's words, and those behind `--`.
fn apart(words: &[String]) -> (&[String], &[String]) {
    match words.iter().position(|word| word == "--") {
        Some(end) => (&words[..end], &words[end + 1..]),
        None => (words, &[]),
    }
}

/// The words as they were typed, understood.
fn as_typed(words: &[String]) -> Vec<Word> {
    let (own, passed) = apart(words);
    let (subcommand, own_options) =
        own.split_at(own.iter().take_while(|word| *word == "profile").count().min(1));
    let mut typed: Vec<Word> = subcommand.iter().cloned().map(Word::Name).collect();
    typed.extend(argparse::words(own_options, FLAGS));
    if words.len() > own.len() {
        typed.push(Word::Name("--".to_owned()));
        typed.extend(passthrough::words(passed));
    }
    typed
}
