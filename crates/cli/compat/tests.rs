//! The tables against AIPerf's own lists, and against what clap knows.
#![allow(clippy::unwrap_used)]

use std::collections::HashMap;

use serde_json::Value;

use super::*;
use crate::args;

/// The options of `aiperf profile --help` of AIPerf 0.13.0: names, how they take values, choices.
const AIPERF: &str = include_str!("aiperf-0.13-options.json");

fn aiperf() -> Vec<Value> {
    serde_json::from_str(AIPERF).unwrap()
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().map(|text| text.as_str().unwrap().to_owned()).collect()
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names
}

#[test]
fn every_option_of_aiperf_is_in_the_table_once_with_all_its_spellings() {
    let theirs = aiperf();
    assert_eq!(theirs.len(), 264);
    assert_eq!(flags().count(), 264);
    let ours: HashMap<String, &Flag> =
        flags().map(|flag| (sorted(flag.names().map(str::to_owned).collect()).join(" "), flag)).collect();
    assert_eq!(ours.len(), 264, "no option is there twice");
    for option in &theirs {
        let names = sorted(texts(&option["names"])).join(" ");
        let flag = ours.get(&names).unwrap_or_else(|| panic!("{names} is not in the table"));
        let negatives: Vec<_> = flag.negatives().map(str::to_owned).collect();
        assert_eq!(negatives, texts(&option["negative"]), "{names}");
        let takes = match (option["value"].as_str().unwrap(), &option["several_after_one_flag"]) {
            ("none", _) => Takes::Switch,
            (_, Value::Bool(true)) => Takes::Several,
            _ if option["repeatable"] == true => Takes::Each,
            _ => Takes::One,
        };
        // One quoted string in AIPerf; GenAI-Perf's several strings are understood too.
        let takes = if names == "--goodput" { Takes::Several } else { takes };
        assert_eq!(flag.takes, takes, "{names}");
    }
    let groups: Vec<_> = table::GROUPS.iter().map(|group| group.name).collect();
    for option in &theirs {
        assert!(groups.contains(&option["group"].as_str().unwrap()));
    }
}

#[test]
fn what_works_is_an_argument_with_exactly_its_spellings_and_nothing_else_is() {
    let profile = args::profile_without_missing();
    let mut of_argument = HashMap::new();
    for argument in profile.get_arguments() {
        let all = spellings(argument);
        for spelling in &all {
            of_argument.insert(spelling.clone(), all.clone());
        }
    }
    let mut wrong = Vec::new();
    for flag in flags() {
        // `-vv` is rewritten to its long name before clap sees it.
        let names: Vec<String> = flag.names().filter(|name| *name != "-vv").map(str::to_owned).collect();
        let defined = of_argument.get(&names[0]);
        match (flag.works(), defined) {
            (true, None) => wrong.push(format!("{} works in the table and is no argument", names[0])),
            (false, Some(_)) => {
                wrong.push(format!("{} is an argument and does not work in the table", names[0]));
            }
            (true, Some(all)) if sorted(all.clone()) != sorted(names.clone()) => {
                wrong.push(format!("{names:?} is spelled {all:?}"));
            }
            _ => {}
        }
        for negative in flag.negatives().filter(|_| flag.works()) {
            if !of_argument.contains_key(negative) {
                wrong.push(format!("{negative} is no argument"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_choice_of_aiperf_has_a_standing() {
    for (option, choices) in choices::CHOICES {
        let theirs = aiperf();
        let theirs =
            theirs.iter().find(|known| texts(&known["names"]).contains(&(*option).to_owned())).unwrap();
        for value in texts(&theirs["choices"]) {
            assert_eq!(
                choices.iter().filter(|choice| choice.stands_for(&value)).count(),
                1,
                "{option} {value}"
            );
        }
    }
    let refused = refuse_choice("--endpoint-type", "Image-Generation");
    assert!(
        refused.starts_with("image_generation: loadgen measures servers of language models"),
        "{refused}"
    );
    let unknown = refuse_choice("--endpoint-type", "nvidia_rag");
    assert!(unknown.starts_with("\"nvidia_rag\" is not known: expected chat, "), "{unknown}");
}

#[test]
fn options_are_consumed_and_judged_all_together() {
    let judge = |words: &[&str]| {
        let argv = [&["loadgen", "profile", "-m", "m"], words].concat();
        let matches = args::command().try_get_matches_from(argv).unwrap();
        judge(matches.subcommand_matches("profile").unwrap()).map_err(|faults| faults.to_string())
    };
    assert_eq!(judge(&[]), Ok(None));
    assert_eq!(judge(&["--auto-plot=false", "--cache-bust", "NONE"]), Ok(None));
    assert_eq!(judge(&["--no-auto-plot"]), Ok(None));
    assert_eq!(judge(&["--force-min-tokens", "--no-open-loop-replay=false"]), Ok(None));
    assert!(judge(&["--no-open-loop-replay"]).is_err());
    let note = judge(&["--zmq-host", "h", "--zmq-dual-bind"]).unwrap().unwrap();
    assert_eq!(
        note,
        "note: without effect here: --zmq-host, --zmq-dual-bind (loadgen is one process with threads)"
    );
    let refused = judge(&["--scenario", "s", "--mlflow-tag", "a:1", "b:2", "--auto-plot"]).unwrap_err();
    let lines: Vec<_> = refused.lines().collect();
    assert_eq!(lines.len(), 3, "{refused}");
    assert!(lines[0].starts_with("--scenario: not built yet"), "{refused}");
    assert!(lines[1].contains("--auto-plot: loadgen draws"), "{refused}");
    assert!(lines[2].contains("--mlflow-tag: not built yet"), "{refused}");
}

#[test]
fn every_option_that_is_not_built_or_refused_is_refused_by_its_name() {
    let mut refused = 0;
    for flag in
        flags().filter(|flag| matches!(flag.standing, Standing::NotYet { .. } | Standing::Refused { .. }))
    {
        // A switch that is on by itself asks for something by its opposite.
        let asked_by = if flag.on_by_default { flag.negatives().next().unwrap() } else { flag.name() };
        let value = (flag.takes != Takes::Switch).then_some("9");
        let argv = ["loadgen", "profile", "-m", "m", asked_by].into_iter().chain(value);
        let matches = args::command().try_get_matches_from(argv).unwrap();
        let said = judge(matches.subcommand_matches("profile").unwrap()).unwrap_err().to_string();
        assert!(said.starts_with(&format!("{}: ", shortest(flag))), "{asked_by}: {said}");
        assert!(said.ends_with(&flag.standing.in_words()), "{asked_by}: {said}");
        refused += 1;
    }
    assert!(refused > 50, "{refused}");
}

#[test]
fn subcommands_that_do_not_work_are_refused_by_name() {
    let refused = |words: &[&str]| {
        let argv: Vec<_> = std::iter::once(&"loadgen").chain(words).map(Into::into).collect();
        refuse_subcommand(&argv)
    };
    for name in ["plot", "analyze", "chat", "plugins", "proxy", "service", "kube", "validate"] {
        assert!(refused(&[name, "--x"]).unwrap().contains(name), "{name}");
    }
    assert_eq!(refused(&["profile", "-m", "m"]), None);
    assert_eq!(refused(&["synthesize", "sinusoidal"]), None);
    assert_eq!(refused(&["nonsense"]), None, "clap says what it thinks of that");
    assert!(refused(&["synthesize", "--target", "x"]).is_some());
}

#[test]
fn what_is_accepted_of_an_option_that_is_not_built_is_in_the_table() {
    let accepted = |name: &str| flags().find(|flag| flag.name() == name).unwrap().accepted();
    let replay = accepted("--open-loop-replay").unwrap();
    assert!(replay.starts_with("`--open-loop-replay` is what happens by itself"), "{replay}");
    let wrap = accepted("--allow-dataset-wrap").unwrap();
    assert!(wrap.starts_with("`--no-allow-dataset-wrap` is what"), "{wrap}");
    assert!(accepted("--force-min-tokens").unwrap().starts_with("`--force-min-tokens`"));
    assert!(accepted("--cache-bust").unwrap().starts_with("`none` is accepted"));
    assert_eq!(accepted("--scenario"), None);
}
