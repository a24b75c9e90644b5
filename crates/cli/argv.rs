//! Small differences between AIPerf's grammar and clap's, settled before parsing.

use std::ffi::OsString;

/// Option names may be written with underscores (`--request_rate`); and a program called through a
/// link named `aiperf` or `genai-perf` still calls itself loadgen in its messages.
pub(crate) fn normalise(argv: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut only_values = false;
    argv.into_iter()
        .enumerate()
        .map(|(position, argument)| {
            if position == 0 {
                return "loadgen".into();
            }
            only_values |= argument == "--";
            if only_values { argument } else { dashed(argument) }
        })
        .collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn underscores_in_option_names_become_dashes_and_values_stay() {
        let argv = ["aiperf", "profile", "--request_rate", "a_b", "--endpoint_type=x_y", "--", "--as_is"];
        let normal = normalise(argv.map(OsString::from));
        assert_eq!(
            normal,
            ["loadgen", "profile", "--request-rate", "a_b", "--endpoint-type=x_y", "--", "--as_is"]
        );
    }
}
