//! Small differences between AIPerf's grammar and clap's, settled before parsing.

use std::ffi::OsString;

/// Option names may be written with underscores (`--request_rate`), `-vv` is a name of its own, values may
/// follow an option's `=` (`--url=a b`). The first word, the program's own name, stays.
pub(crate) fn normalise(argv: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut only_values = false;
    argv.into_iter()
        .enumerate()
        .flat_map(|(position, argument)| {
            if position == 0 {
                return vec![argument];
            }
            only_values |= argument == "--";
            if only_values {
                vec![argument]
            } else if argument == "-vv" {
                vec!["--extra-verbose".into()]
            } else {
                apart(dashed(argument))
            }
        })
        .collect()
}

/// Parts `--url=a` into `--url a` for the options that take several values, which clap would end at the
/// `=`. A value that looks like an option stays attached.
fn apart(argument: OsString) -> Vec<OsString> {
    let parts = argument.to_str().and_then(|text| text.split_once('=')).and_then(|(name, value)| {
        let takes_several = crate::compat::takes_several(name);
        (takes_several && !value.starts_with('-')).then(|| vec![name.into(), value.into()])
    });
    parts.unwrap_or_else(|| vec![argument])
}

fn dashed(argument: OsString) -> OsString {
    let Some(option) = argument.to_str().and_then(|text| text.strip_prefix("--")) else { return argument };
    let (name, value) = match option.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (option, None),
    };
    if !name.contains('_') || name.contains(char::is_whitespace) {
        return argument;
    }
    let name = name.replace('_', "-");
    value.map_or_else(|| format!("--{name}"), |value| format!("--{name}={value}")).into()
}

/// Which words of a command line are not text, by the option that each belongs to: what it says may be a
/// secret. `None` where all are.
pub(crate) fn not_text(words: &[OsString]) -> Option<String> {
    let mut named: Vec<String> = Vec::new();
    for (position, word) in words.iter().enumerate().filter(|(_, word)| word.to_str().is_none()) {
        let before = position.checked_sub(1).and_then(|before| words[before].to_str());
        named.push(match (option_of(&word.to_string_lossy()), before.and_then(option_of)) {
            (Some(option), _) | (None, Some(option)) => format!("the value of {option}"),
            (None, None) => format!("argument {position}"),
        });
    }
    let verb = if named.len() == 1 { "is" } else { "are" };
    (!named.is_empty()).then(|| format!("{} {verb} not UTF-8 text", named.join(" and ")))
}

/// The option's name of a word that begins with one: of a short one the first letter.
fn option_of(word: &str) -> Option<String> {
    match word.strip_prefix("--") {
        Some("") => None,
        Some(name) => Some(format!("--{}", name.split('=').next().unwrap_or_default())),
        None => {
            let letter = word.strip_prefix('-')?.chars().next().filter(char::is_ascii_alphabetic)?;
            Some(format!("-{letter}"))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn underscores_in_option_names_become_dashes_and_values_stay() {
        let argv = ["aiperf", "profile", "--request_rate", "a_b", "--endpoint_type=x_y", "--", "--as_is"];
        let normal = normalise(argv.map(OsString::from));
        assert_eq!(
            normal,
            ["aiperf", "profile", "--request-rate", "a_b", "--endpoint-type=x_y", "--", "--as_is"]
        );
    }

    #[test]
    fn what_is_no_text_is_named_by_its_option_and_not_shown() {
        use std::os::unix::ffi::OsStringExt as _;

        let words: [&[u8]; 7] =
            [b"x", b"profile", b"-m", b"a\xff", b"--header=B: secret\xff", b"-Hc: secret\xff", b"\xfe"];
        let words = words.map(|word| OsString::from_vec(word.to_vec()));
        let said = not_text(&words).unwrap();
        assert_eq!(
            said,
            "the value of -m and the value of --header and the value of -H and argument 6 are not UTF-8 text"
        );
        assert_eq!(not_text(&words[..3]), None);
        assert_eq!(not_text(&words[..4]).unwrap(), "the value of -m is not UTF-8 text");
    }

    #[test]
    fn several_values_may_follow_the_equals_sign() {
        let argv = ["x", "profile", "--url=a", "b", "-u=c", "-H=--d", "--osl=5", "-vv"];
        let normal = normalise(argv.map(OsString::from));
        let expected = ["x", "profile", "--url", "a", "b", "-u", "c", "-H=--d", "--osl=5", "--extra-verbose"];
        assert_eq!(normal, expected);
    }
}
