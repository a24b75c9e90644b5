//! Some 380 command lines that AIPerf 0.13.0 was given, with what it said: `parse.jsonl` is its parser's
//! verdict, `together.jsonl` that of its configuration, where options meet. Ours is the same, but for the
//! exceptions listed here, each with its reason.
#![allow(clippy::unwrap_used)]

use std::ffi::OsString;
use std::path::Path;

use clap::FromArgMatches;
use serde_json::Value;

use crate::args::{Cli, Command, ProfileArgs};
use crate::commands::study::{self, Asked, Experiment};
use crate::names::Origin;
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

/// Reads a command line as the program does, up to its plan and dataset; nothing is sent. A model, a
/// server and a tokenizer are added where the line has none.
fn say(argv: &[String], folder: &Path) -> Said {
    let has = |names: &[&str]| argv.iter().any(|word| names.iter().any(|name| word.starts_with(name)));
    let mut words: Vec<OsString> = vec!["loadgen".into(), "profile".into()];
    for (names, value) in [
        (&["-m", "--model", "-f"][..], "m"),
        (&["-u", "--url"], "http://127.0.0.1:9"),
        // A hub's name would be looked up in the network.
        (&["--tokenizer"], "builtin"),
    ] {
        if !has(names) {
            words.extend([names[names.len().min(2) - 1].into(), value.into()]);
        }
    }
    words.extend(argv.iter().map(|word| in_folder(word, folder).into()));
    let words = crate::argv::normalise(words);
    let mut origin = Origin::default();
    let words = match crate::config_file::apply(words, &mut origin, &mut Vec::new()) {
        Ok(words) => words,
        Err(error) => return Said::Refused(format!("{error:#}")),
    };
    let matches = match crate::args::command().try_get_matches_from(&words) {
        Ok(matches) => matches,
        Err(error) => return Said::Refused(error.to_string()),
    };
    if super::judge(matches.subcommand_matches("profile").unwrap()).is_err() {
        return Said::NotBuilt;
    }
    let Command::Profile(mut args) = Cli::from_arg_matches(&matches).unwrap().command else {
        panic!("a line of another subcommand")
    };
    args.origin = origin;
    prepare(&args, &words).map_or_else(|error| Said::Refused(format!("{error:#}")), |()| Said::Accepted)
}

fn prepare(args: &ProfileArgs, argv: &[OsString]) -> anyhow::Result<()> {
    let servers = Servers { urls: args.endpoint.urls.clone(), mock: false };
    let environment = Environment::default();
    if let Asked::Many(experiment) = Experiment::of(args, argv)? {
        study::rehearse(&experiment, args, argv, &environment, &servers)?;
        return Ok(());
    }
    let planned = plan::resolve(args, argv, &environment, &servers)?;
    if args.input.input_file.is_some() {
        loadgen_run::rehearse(&planned.run)?;
    }
    Ok(())
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
    assert!(exceptions.iter().all(|exception| !exception.reason.is_empty()));
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
    wrong.extend(excepted.iter().map(|line| format!("{line}\n    is an exception and no line")));
    wrong
}

/// AIPerf's parser hands these on, and a later step of AIPerf refuses them: here there is one step.
const LATER: &str = "AIPerf refuses it too, a step after its parser";
/// Goodput that cannot be counted keeps AIPerf waiting for records that never come.
const HANGS: &str = "AIPerf sends its requests and then hangs";

const PARSER: &[Exception] = &[
    Exception {
        reason: LATER,
        lines: &[
            "--concurrency 0 -m a",
            "--custom-dataset-type mooncake_trace -m a",
            "--custom-dataset-type mooncake-trace -m a",
            "--custom-dataset-type MOONCAKE_TRACE -m a",
            "--custom-dataset-type=single-turn -m a",
            "--url localhost:8000 localhost:8001 -m m",
            "--url  -m m",
            "--url grpc://x:8001 -m m",
            "--input-file /tmp -m m",
            "--seq-dist {\"pairs\":[]} -m m",
            "--seq-dist bad -m m",
            "--benchmark-grace-period inf -m m",
            "--variant a:b -m m",
            "--osl -5 -m m",
            "--osl=-5 -m m",
            "-m m --config /nonexist.yaml",
            "-m m -f out/x.yaml",
            "-f out/x.yaml",
            "-m m --benchmark-duration 0",
            "-m m --request-count 0",
            "-m m --isl -1",
            "-m m --variant name=a,isl=5",
        ],
    },
    Exception {
        reason: HANGS,
        lines: &[
            "--goodput a:1 b:2 -m m",
            "--goodput=a:1 -m m",
            "--goodput time_to_first_token:100 -m m",
            "-m m --goodput a:1  b:2",
            "-m m --goodput a:-1",
        ],
    },
    Exception {
        reason: "not built, and said by name",
        lines: &["--gpu-telemetry pynvml http://x:1 -m m", "-m m --audio-format mp3"],
    },
    Exception {
        reason: "scripts turn these off so: no time limit, no warm-up",
        lines: &["--request-timeout-seconds 0 -m m", "-m m --warmup-request-count 0"],
    },
    Exception {
        reason: "a comma may stand within a header's value",
        lines: &["-m m -H Accept: text/html, application/json"],
    },
    Exception { reason: "a seed has 64 bits", lines: &["-m m --random-seed 18446744073709551616"] },
    Exception {
        reason: "a model without a name is a slip of the pen: no server has it",
        lines: &["-m a,b,,c", "-m "],
    },
];

const TOGETHER: &[Exception] = &[
    Exception {
        reason: "AIPerf fails too, once its services have started and the dataset is made",
        lines: &["--fixed-schedule", "--prefix-prompt-length 10", "--isl 0"],
    },
    Exception {
        reason: "the trace is replayed at its times anyway, as AIPerf itself promotes it",
        lines: &[
            "--fixed-schedule-auto-offset --input-file out/t.jsonl --custom-dataset-type mooncake_trace",
        ],
    },
    Exception {
        reason: "older AIPerf took it, and scripts have it: the slash is put in front",
        lines: &["--endpoint v1/chat/completions"],
    },
    Exception { reason: "at the server's own path", lines: &["--endpoint "] },
    Exception {
        reason: HANGS,
        lines: &["--goodput foo:1", "--goodput time_to_first_token:-1", "--goodput time_to_first_token:100"],
    },
    Exception { reason: "a seed has 64 bits", lines: &["--random-seed 99999999999999999999"] },
];

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
