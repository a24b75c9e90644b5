//! Some 380 command lines that AIPerf 0.13.0 was given, with what it said: `parse.jsonl` is its parser's
//! verdict, `together.jsonl` that of its configuration, where options meet. Ours is the same, but for the
//! exceptions listed here, each with its reason.
#![allow(clippy::unwrap_used)]

use std::ffi::OsString;
use std::path::Path;

use clap::FromArgMatches;
use serde_json::Value;

use crate::args::{Cli, Command, ProfileArgs};
use crate::plan::{self, Environment, Servers};

/// What loadgen says to a command line.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    Accepted,
    Refused(String),
    /// Understood, and not built: all that asks for it is refused by name.
    NotBuilt,
}

/// Lines to which we say otherwise than AIPerf, for one reason.
struct Exception {
    reason: &'static str,
    /// The arguments, joined by blanks.
    lines: &'static [&'static str],
}

/// Reads a command line as the program does, up to its plan and dataset; nothing is sent.
fn say(argv: &[String], folder: &Path) -> Said {
    let argv: Vec<OsString> = ["loadgen", "profile", "-u", "http://127.0.0.1:9"]
        .into_iter()
        .filter(|word| !(names_url(argv) && word.contains("127") || names_url(argv) && *word == "-u"))
        .map(OsString::from)
        .chain(argv.iter().map(|word| in_folder(word, folder).into()))
        .collect();
    let argv = crate::argv::normalise(argv);
    let matches = match crate::args::command().try_get_matches_from(&argv) {
        Ok(matches) => matches,
        Err(error) => return Said::Refused(error.to_string()),
    };
    let profile = matches.subcommand_matches("profile").unwrap();
    if super::judge(profile).is_err() {
        return Said::NotBuilt;
    }
    let Command::Profile(mut args) = Cli::from_arg_matches(&matches).unwrap().command else {
        panic!("a line of another subcommand")
    };
    // Hub names would be looked up in the network.
    args.tokenizer.tokenizer = Some("builtin".to_owned());
    prepare(&args, &argv).map_or_else(Said::Refused, |()| Said::Accepted)
}

fn prepare(args: &ProfileArgs, argv: &[OsString]) -> Result<(), String> {
    let servers = Servers { urls: args.endpoint.urls.clone(), mock: false };
    let axes = args.axes();
    // A sweep's plans are made point by point: the first stands for all here.
    let settings = axes.iter().flat_map(|axis| {
        let first = axis.values[0].to_string();
        [OsString::from(axis.flag), first.into()]
    });
    let mut args = match axes.is_empty() {
        true => args.clone(),
        false => crate::args::parse_profile(argv, &settings.collect::<Vec<_>>())
            .map_err(|error| error.to_string())?,
    };
    args.tokenizer.tokenizer = Some("builtin".to_owned());
    let planned =
        plan::resolve(&args, argv, &Environment::default(), &servers).map_err(|faults| faults.to_string())?;
    if args.input.input_file.is_some() {
        loadgen_run::rehearse(&planned.run).map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn names_url(argv: &[String]) -> bool {
    argv.iter().any(|word| word.starts_with("-u") || word.starts_with("--url"))
}

/// Files of the lines stand in the test's own folder.
fn in_folder(word: &str, folder: &Path) -> String {
    match word.strip_prefix("out/") {
        Some(name) => folder.join(name).display().to_string(),
        None => word.to_owned(),
    }
}

fn folder_with_files() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let row = |time| {
        format!("{{\"timestamp\": {time}, \"input_length\": 20, \"output_length\": 4, \"hash_ids\": [1]}}\n")
    };
    std::fs::write(folder.path().join("t.jsonl"), row(0) + &row(100)).unwrap();
    std::fs::write(folder.path().join("q.jsonl"), "{\"text\": \"one\"}\n{\"text\": \"two\"}\n").unwrap();
    folder
}

/// Compares every line, and gives those that differ without an exception, and exceptions without need.
fn compare(lines: &str, exceptions: &[Exception]) -> Vec<String> {
    let folder = folder_with_files();
    let mut excepted: Vec<&str> = exceptions.iter().flat_map(|exception| exception.lines).copied().collect();
    let mut wrong = Vec::new();
    let mut seen = 0;
    for line in lines.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let argv: Vec<String> = serde_json::from_value(line["argv"].clone()).unwrap();
        let theirs = line["accepted"].as_bool().unwrap();
        let said = say(&argv, folder.path());
        let same = match &said {
            Said::Accepted => theirs,
            Said::Refused(_) => !theirs,
            // What is not built ends with exit code 1 and its reason, whatever AIPerf says.
            Said::NotBuilt => true,
        };
        let joined = argv.join(" ");
        let position = excepted.iter().position(|line| *line == joined);
        match (same, position) {
            (true, None) => {}
            (false, Some(position)) => {
                excepted.remove(position);
            }
            (false, None) => wrong.push(format!("{joined}\n    AIPerf accepts: {theirs}, ours: {said:?}")),
            (true, Some(_)) => wrong.push(format!("{joined}\n    is no exception any more")),
        }
        seen += 1;
    }
    assert!(seen > 100, "the lines are there");
    wrong
}

const PARSER: &[Exception] = &[];

const TOGETHER: &[Exception] = &[];

#[test]
fn the_grammar_is_aiperfs() {
    let wrong = compare(include_str!("parse.jsonl"), PARSER);
    assert!(wrong.is_empty(), "{} lines:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn options_meet_as_in_aiperf() {
    let wrong = compare(include_str!("together.jsonl"), TOGETHER);
    assert!(wrong.is_empty(), "{} lines:\n{}", wrong.len(), wrong.join("\n"));
}
