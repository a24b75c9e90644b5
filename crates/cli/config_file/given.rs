//! The flags that stand on the command line beside a configuration file, and what they do to it.
//!
//! A flag replaces the file's setting of the same option. Some cannot: they have no place in a file, and
//! would be read by nobody. Which option a spelling is, clap says.

use std::ffi::OsString;

use clap::parser::ValueSource;

use super::settings::{Setting, Settings};

/// Flags that AIPerf does not take beside a file.
const UNROUTED: [&str; 38] = [
    "--public-dataset",
    "--hf-weka-dataset",
    "--sweep-type",
    "--no-fixed-schedule",
    "--variant",
    "--parameter-sweep-mode",
    "--parameter-sweep-cooldown-seconds",
    "--parameter-sweep-same-seed",
    "--no-parameter-sweep-same-seed",
    "--convergence-mode",
    "--convergence-stat",
    "--concurrency-min",
    "--concurrency-max",
    "--concurrency-steps",
    "--isl-min",
    "--isl-max",
    "--isl-steps",
    "--osl-min",
    "--osl-max",
    "--osl-steps",
    "--isl-osl-pairs",
    "--ttft-sla-ms",
    "--itl-sla-ms",
    "--tpot-sla-ms",
    "--e2e-sla-ms",
    "--error-rate-sla",
    "--slo-attainment-fraction",
    "--search-style",
    "--search-recipe",
    "--degradation-threshold",
    "--degradation-metric-tag",
    "--degradation-stat",
    "--search-metric",
    "--search-stat",
    "--search-direction",
    "--search-space",
    "--search-sla",
    "--search-sla-tier",
];

/// Flags that say the opposite of one another, or one of which makes the others moot: when the user gives
/// the first, the file's others do not hold.
const REPLACES: [(&str, &[&str]); 7] = [
    ("--server-metrics", &["--no-server-metrics"]),
    ("--server-metrics-formats", &["--no-server-metrics"]),
    ("--no-server-metrics", &["--server-metrics", "--server-metrics-formats"]),
    ("--gpu-telemetry", &["--no-gpu-telemetry"]),
    ("--no-gpu-telemetry", &["--gpu-telemetry"]),
    ("--fixed-schedule", &["--no-fixed-schedule", "--request-rate", "--arrival-pattern"]),
    (
        "--request-rate",
        &["--fixed-schedule", "--fixed-schedule-auto-offset", "--user-centric-rate", "--num-users"],
    ),
];

/// Flags whose mappings are merged with the file's, and not put in their place.
const MERGED: [&str; 2] = ["--header", "--extra-inputs"];

/// An option that was given, with its values as they were typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Given {
    /// Every spelling that the option has.
    pub(super) names: Vec<String>,
    /// Its values.
    pub(super) values: Vec<String>,
}

impl Given {
    /// Whether this is the option with that spelling.
    pub(super) fn is(&self, flag: &str) -> bool {
        self.names.iter().any(|name| name == flag)
    }
}

/// The options on a command line of `profile`. What is wrong with it is left to the parser to say.
pub(super) fn given(argv: &[OsString]) -> Vec<Given> {
    let command = crate::args::command().ignore_errors(true);
    let Ok(matches) = command.clone().try_get_matches_from(argv) else { return Vec::new() };
    let (Some(profile), Some(found)) =
        (command.find_subcommand("profile"), matches.subcommand_matches("profile"))
    else {
        return Vec::new();
    };
    profile
        .get_arguments()
        .filter(|argument| {
            let id = argument.get_id().as_str();
            found.try_contains_id(id).is_ok() && found.value_source(id) == Some(ValueSource::CommandLine)
        })
        .map(|argument| {
            let longs = argument.get_long().into_iter().chain(argument.get_all_aliases().unwrap_or_default());
            let shorts =
                argument.get_short().into_iter().chain(argument.get_all_short_aliases().unwrap_or_default());
            let raw = found.get_raw(argument.get_id().as_str()).into_iter().flatten();
            Given {
                names: longs
                    .map(|name| format!("--{name}"))
                    .chain(shorts.map(|name| format!("-{name}")))
                    .collect(),
                values: raw.map(|value| value.to_string_lossy().into_owned()).collect(),
            }
        })
        .collect()
}

/// The file that the command line names, if it does.
pub(super) fn config_path(given: &[Given]) -> Option<&str> {
    given.iter().find(|option| option.is("--config"))?.values.last().map(String::as_str)
}

/// Flags that cannot stand beside a file.
pub(super) fn unrouted(given: &[Given]) -> Vec<&'static str> {
    let mut flags: Vec<&'static str> =
        UNROUTED.into_iter().filter(|flag| given.iter().any(|option| option.is(flag))).collect();
    flags.sort_unstable();
    flags
}

/// The settings of a file that the flags leave in force, as words to stand before them.
pub(super) fn words(settings: &Settings, given: &[Given]) -> Vec<OsString> {
    let mut words = Vec::new();
    for setting in settings.list.iter().filter(|setting| !is_replaced(setting, given)) {
        for word in setting.words() {
            words.push(OsString::from(word));
        }
    }
    words
}

/// Whether the user's flags take a setting's place.
fn is_replaced(setting: &Setting, given: &[Given]) -> bool {
    let is_given = |flag: &str| given.iter().any(|option| option.is(flag));
    if MERGED.contains(&setting.flag) {
        return setting.flag == "--header" && is_same_header(setting, given);
    }
    is_given(setting.flag)
        || REPLACES.iter().any(|(flag, others)| others.contains(&setting.flag) && is_given(flag))
}

/// Whether the user gives a header of the same name.
fn is_same_header(setting: &Setting, given: &[Given]) -> bool {
    let name = setting.path.rsplit('.').next().unwrap_or_default();
    given.iter().filter(|option| option.is("--header")).flat_map(|option| &option.values).any(|value| {
        let typed = value.split_once(':').map_or("", |(name, _)| name);
        typed.trim().eq_ignore_ascii_case(name)
    })
}

impl Setting {
    /// The option as words of a command line.
    fn words(&self) -> Vec<String> {
        if self.values.is_empty() {
            return vec![self.flag.to_owned()];
        }
        self.values.iter().map(|value| format!("{}={value}", self.flag)).collect()
    }
}

/// Joins the file's objectives with those of the command line, which win; the command line's own words for
/// them go.
pub(super) fn merge_goodput(settings: &mut Settings, given: &[Given], argv: Vec<OsString>) -> Vec<OsString> {
    let Some(typed) =
        given.iter().find(|option| option.is("--goodput")).and_then(|option| option.values.first())
    else {
        return argv;
    };
    let Some(setting) = settings.list.iter_mut().find(|setting| setting.flag == "--goodput") else {
        return argv;
    };
    let named = |pair: &str| pair.split(':').next().unwrap_or_default().to_owned();
    let replaced: Vec<String> = typed.split_whitespace().map(named).collect();
    let file = setting.values.first().cloned().unwrap_or_default();
    let kept = file.split_whitespace().filter(|pair| !replaced.contains(&named(pair)));
    setting.values = vec![kept.chain(typed.split_whitespace()).collect::<Vec<_>>().join(" ")];
    let mut rest = argv.into_iter();
    let mut words = Vec::new();
    while let Some(word) = rest.next() {
        if word == "--goodput" {
            rest.next();
        } else if !word.to_string_lossy().starts_with("--goodput=") {
            words.push(word);
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::super::yaml::Mark;
    use super::*;

    fn argv(words: &[&str]) -> Vec<OsString> {
        ["loadgen", "profile"].iter().chain(words).map(OsString::from).collect()
    }

    fn setting(flag: &'static str, value: &str) -> Setting {
        let values = if value.is_empty() { vec![] } else { vec![value.to_owned()] };
        Setting {
            flag,
            values,
            path: format!("x.{}", value.split('"').nth(1).unwrap_or_default()),
            at: Mark::default(),
        }
    }

    fn left(settings: Vec<Setting>, words_given: &[&str]) -> Vec<String> {
        let settings = Settings { list: settings, ..Settings::default() };
        let given = given(&argv(words_given));
        words(&settings, &given).into_iter().map(|word| word.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn flags_are_found_by_any_of_their_spellings() {
        let found = given(&argv(&["-f", "c.yaml", "--num-requests", "5", "-u", "http://h", "--streaming"]));
        assert!(found.iter().any(|option| option.is("--request-count") && option.values == ["5"]));
        assert!(found.iter().any(|option| option.is("--url")));
        assert_eq!(config_path(&found), Some("c.yaml"));
        assert_eq!(config_path(&given(&argv(&["--config=d.yaml"]))), Some("d.yaml"));
        assert_eq!(config_path(&given(&argv(&["-m", "x"]))), None);
    }

    #[test]
    fn flags_replace_the_files_settings_of_the_same_option() {
        let file = || vec![setting("--request-count", "10"), setting("--concurrency", "2")];
        assert_eq!(left(file(), &["--num-requests", "5"]), ["--concurrency=2"]);
        assert_eq!(
            left(vec![setting("--no-server-metrics", "")], &["--server-metrics", "http://h:1"]),
            [""; 0]
        );
        assert_eq!(
            left(vec![setting("--extra-inputs", "a:1")], &["--extra-inputs", "b:2"]),
            ["--extra-inputs=a:1"]
        );
        let headers = || vec![setting("--header", r#"{"X-A":"1"}"#), setting("--header", r#"{"X-B":"2"}"#)];
        assert_eq!(left(headers(), &["-H", "x-a: 3"]), [r#"--header={"X-B":"2"}"#]);
    }

    #[test]
    fn objectives_are_merged() {
        let mut settings = Settings { list: vec![setting("--goodput", "a:1 b:2")], ..Settings::default() };
        let typed = argv(&["--goodput", "b:3 c:4", "--streaming"]);
        let rest = merge_goodput(&mut settings, &given(&typed), typed);
        assert_eq!(settings.list[0].values, ["a:1 b:3 c:4"]);
        assert_eq!(rest, ["loadgen", "profile", "--streaming"]);
    }

    #[test]
    fn flags_without_a_place_in_a_file_are_named_in_order() {
        let found = given(&argv(&["--public-dataset", "sharegpt", "--parameter-sweep-mode", "independent"]));
        assert_eq!(unrouted(&found), ["--parameter-sweep-mode", "--public-dataset"]);
    }
}
