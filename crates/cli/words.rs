//! A command line's words, understood: which of them name options, and which were given for what.
//!
//! What is shown of a command line is made from these, and not from what was typed: what may be shown of a
//! value depends on its option, however that was spelled. What this does not do: judge what is secret.

use std::ffi::OsString;

use clap::Arg;

/// A word, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Word {
    /// A subcommand, an option's name, or `--`.
    Name(String),
    /// What was given for an option.
    Value {
        /// What stands before it in the same word: `--url=` or `-u`; empty where it is a word of its own.
        joined: String,
        /// The option's own name, whichever of its spellings was typed; empty where nobody knows the option.
        option: String,
        /// The value.
        text: String,
    },
}

impl Word {
    /// A value that is a word of its own.
    pub(crate) fn value(option: &str, text: &str) -> Self {
        Self::joined("", option, text)
    }

    /// A value behind its option's name in one word.
    pub(crate) fn joined(before: &str, option: &str, text: &str) -> Self {
        Self::Value { joined: before.to_owned(), option: option.to_owned(), text: text.to_owned() }
    }
}

/// The words behind the program's name, in the grammar of `profile`.
pub(crate) fn of_profile(argv: &[OsString]) -> Vec<Word> {
    let command = crate::args::command();
    let options: Vec<&Arg> =
        command.find_subcommand("profile").into_iter().flat_map(clap::Command::get_arguments).collect();
    let mut words = Vec::new();
    let mut option = String::new();
    for argument in argv.iter().skip(1) {
        let text = argument.to_string_lossy();
        let is_option = text.len() > 1 && text.starts_with('-') && text.parse::<f64>().is_err();
        if !is_option {
            let is_subcommand = words.is_empty();
            words.push(if is_subcommand {
                Word::Name(text.into_owned())
            } else {
                Word::value(&option, &text)
            });
            continue;
        }
        let (word, of) = if text.starts_with("--") { long(&text, &options) } else { short(&text, &options) };
        words.push(word);
        option = of;
    }
    words
}

/// `--name`, or `--name=value`; and the option.
fn long(text: &str, options: &[&Arg]) -> (Word, String) {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (text, None),
    };
    let plain = name.trim_start_matches('-');
    let is_called = |option: &&&Arg| {
        let aliases = option.get_all_aliases().unwrap_or_default();
        option.get_long().into_iter().chain(aliases).any(|name| name == plain)
    };
    let option = options.iter().find(is_called).map(|option| own_name(option)).unwrap_or_default();
    let word = match value {
        Some(value) => Word::joined(&format!("{name}="), &option, value),
        None => Word::Name(name.to_owned()),
    };
    (word, option)
}

/// `-n`, `-nVALUE`, `-n=VALUE`, or several switches before one of these; and the option.
fn short(text: &str, options: &[&Arg]) -> (Word, String) {
    let mut last = String::new();
    for (at, letter) in text.char_indices().skip(1) {
        let is_called = |option: &&&Arg| {
            let aliases = option.get_all_short_aliases().unwrap_or_default();
            option.get_short().into_iter().chain(aliases).any(|short| short == letter)
        };
        let Some(option) = options.iter().find(is_called) else {
            return (Word::joined(&text[..at], "", &text[at..]), String::new());
        };
        last = own_name(option);
        let behind = at + letter.len_utf8();
        let rest = &text[behind..];
        let takes_value = option.get_action().takes_values() && !option.is_require_equals_set();
        if let Some(value) = rest.strip_prefix('=') {
            return (Word::joined(&text[..=behind], &last, value), last);
        }
        if takes_value && !rest.is_empty() {
            return (Word::joined(&text[..behind], &last, rest), last);
        }
    }
    (Word::Name(text.to_owned()), last)
}

/// The name that an option goes by, whichever was typed.
fn own_name(option: &Arg) -> String {
    option.get_long().map_or_else(|| option.get_id().to_string(), |long| format!("--{long}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(typed: &[&str]) -> Vec<Word> {
        let argv: Vec<OsString> =
            ["aiperf", "profile"].iter().chain(typed).copied().map(OsString::from).collect();
        of_profile(&argv).split_off(1)
    }

    #[test]
    fn a_value_belongs_to_its_option_however_that_is_spelled() {
        for (typed, joined, option, text) in [
            (&["-HX: 1"][..], "-H", "--header", "X: 1"),
            (&["-H=X: 1"], "-H=", "--header", "X: 1"),
            (&["-vHX: 1"], "-vH", "--header", "X: 1"),
            (&["-uhttp://h/?a=b"], "-u", "--url", "http://h/?a=b"),
            (&["--custom-endpoint=/a?b=c"], "--custom-endpoint=", "--endpoint", "/a?b=c"),
            (&["--sweep-variant", "a=b"], "", "--variant", "a=b"),
            (&["-u", "a", "b"], "", "--url", "b"),
            (&["-b", "-2"], "", "--prompt-batch-size", "-2"),
            (&["--nobody-knows", "b"], "", "", "b"),
            (&["-Zb"], "-", "", "Zb"),
        ] {
            let found = words(typed);
            assert_eq!(found.last(), Some(&Word::joined(joined, option, text)), "{typed:?}");
        }
        assert_eq!(words(&["--streaming"]), [Word::Name("--streaming".to_owned())]);
    }
}
