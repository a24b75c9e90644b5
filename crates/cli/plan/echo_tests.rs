//! Some 170 command lines and AIPerf's echo of each.
//!
//! `cases/input_config.jsonl` holds options, and what AIPerf 0.13.0's own parser and resolver make of them
//! (`model_dump(exclude_unset=True, exclude_none=True)`, as its files have it). A line says of the echo what is
//! not as without options. An option that is spelled out with its default is not told apart from none, and is not
//! among them.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::ffi::OsString;

use serde_json::Value;

use super::{Environment, Servers, resolve};
use crate::args::parse_profile;

const CASES: &str = include_str!("cases/input_config.jsonl");

/// What the options take for input.
const FILES: [(&str, &str); 8] = [
    ("sys.txt", "You are kind.\n"),
    (
        "single.jsonl",
        "{\"text\": \"Hello there general\"}\n{\"text\": \"What is it?\", \"output_length\": 5}\n",
    ),
    (
        "multi.jsonl",
        "{\"session_id\": \"a\", \"turns\": [{\"text\": \"hi\"}, {\"text\": \"more\", \"delay\": 30}]}\n",
    ),
    ("pool.jsonl", "{\"text\": \"one\"}\n{\"text\": \"two\", \"image\": \"http://h/y.png\"}\n"),
    ("pooldir/q.jsonl", "{\"text\": \"q one\"}\n"),
    ("raw.jsonl", "{\"messages\": [{\"role\": \"user\", \"content\": \"raw\"}]}\n"),
    ("inputs.json", "{\"data\": [{\"session_id\": \"i\", \"payloads\": [{\"messages\": []}]}]}\n"),
    (
        "trace.jsonl",
        "{\"timestamp\": 100, \"input_length\": 30, \"output_length\": 6, \"hash_ids\": [1]}\n\
         {\"timestamp\": 250, \"input_length\": 40, \"output_length\": 5, \"hash_ids\": [2]}\n\
         {\"timestamp\": 200, \"text_input\": \"plain text\", \"output_length\": 4}\n",
    ),
];

/// The echo of a command line; without the options that stand here for all.
fn echo_of(options: &str) -> Result<Value, String> {
    let has = |flag: &str| options.split(' ').any(|word| word == flag);
    let mut words = vec!["loadgen", "profile", "-u", "http://h:1", "--tokenizer", "builtin"];
    for (flag, value) in [("-m", "m"), ("--ui", "none"), ("--endpoint-type", "chat")] {
        if !has(flag) {
            words.extend([flag, value]);
        }
    }
    words.extend(options.split_whitespace());
    let argv: Vec<OsString> = crate::argv::normalise(words.into_iter().map(OsString::from));
    let args = parse_profile(&argv, &[]).map_err(|error| error.to_string())?;
    let servers = Servers { urls: args.endpoint.urls.clone(), mock: false };
    let planned =
        resolve(&args, &argv, &Environment::default(), &servers).map_err(|faults| faults.to_string())?;
    Ok(planned.run.report.input_config)
}

#[test]
fn what_was_set_is_echoed_as_aiperf_echoes_it() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in FILES {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let place = folder.path().display().to_string();
    let here = format!("{}/", std::env::current_dir().unwrap().display());
    let cases: Vec<Value> =
        CASES.lines().map(|line| serde_json::from_str(&line.replace("{data}", &place)).unwrap()).collect();
    let usual = &cases[0]["echo"];
    let mut found = Vec::new();
    for case in &cases {
        let options = case["options"].as_str().unwrap();
        let mut wanted = usual.as_object().unwrap().clone();
        wanted.extend(case["echo"].as_object().unwrap().clone());
        let mut ours = match echo_of(options) {
            Ok(echo) => echo,
            Err(said) => {
                found.push(format!("{options}: refused: {said}"));
                continue;
            }
        };
        let folder = ours["artifacts"]["dir"].as_str().unwrap().replacen(&here, "", 1);
        ours["artifacts"]["dir"] = folder.into();
        let sections: BTreeSet<_> = wanted.keys().chain(ours.as_object().unwrap().keys()).collect();
        for section in sections {
            let (theirs, mine) = (wanted.get(section), ours.get(section));
            // As text: the order of keys is AIPerf's, too.
            if theirs.map(Value::to_string) != mine.map(Value::to_string) {
                found.push(format!("{options}: {section}\n    {mine:?}\n    AIPerf {theirs:?}"));
            }
        }
    }
    assert!(found.is_empty(), "{} differ:\n{}", found.len(), found.join("\n"));
    assert!(cases.len() > 160, "{}", cases.len());
}
