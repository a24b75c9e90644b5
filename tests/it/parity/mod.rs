//! Behaviours of AIPerf that a port gets wrong without noticing, and where each is held.
//!
//! `held/*.txt` lists them, a line each: `what is promised :: path/of/a/file.rs::its_test` (more tests behind
//! `, `). A line that begins with `#` is a comment. The tests here see to it that no line names a test that does
//! not exist or does not run; that the test holds what the line says is for who writes the line. The tests of
//! this module are those promises that take the whole program and had no other home.

mod answers;
mod beside;
mod config_files;
mod credentials;
mod exchanges;
mod failures;
mod files;
mod input_counts;
mod loads;
mod odd_requests;
mod phases;
mod refusals;
mod requests;
mod transcript;
mod unbuilt;
mod visible;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// A promise, and the tests that hold it: each a file and a function in it.
#[derive(Debug)]
struct Promise<'a> {
    statement: &'a str,
    tests: Vec<(&'a str, &'a str)>,
}

impl<'a> Promise<'a> {
    fn parse(line: &'a str) -> Result<Self, String> {
        let (statement, tests) = line.split_once(" :: ").ok_or("no ` :: ` between promise and tests")?;
        let statement = statement.trim();
        if statement.is_empty() {
            return Err("a test without a promise".to_owned());
        }
        let named = |test: &'a str| {
            let (file, name) = test.trim().split_once("::").unwrap_or_default();
            let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            let is_file = Path::new(file).extension().is_some_and(|extension| extension == "rs");
            (is_file && is_name).then_some((file, name)).ok_or(format!("{test:?} is no file.rs::test"))
        };
        Ok(Self { statement, tests: tests.split(',').map(named).collect::<Result<_, _>>()? })
    }
}

/// Whether a source has this test, and the test runs by itself.
fn has_test(source: &str, name: &str) -> bool {
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let begins = |line: &str| {
        let rest = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ");
        rest.and_then(|rest| rest.strip_prefix(name)).is_some_and(|rest| rest.starts_with(['(', '<']))
    };
    let is_written = lines.iter().enumerate().filter(|(_, line)| begins(line)).any(|(at, _)| {
        let above =
            lines[..at].iter().rev().take_while(|line| line.starts_with("#[") || line.starts_with("//"));
        let attributes: Vec<&str> = above.copied().filter(|line| line.starts_with("#[")).collect();
        attributes.iter().any(|line| ["#[test]", "#[tokio::test"].iter().any(|test| line.starts_with(test)))
            && !attributes.iter().any(|line| line.starts_with("#[ignore"))
    });
    // The golden cases are made into tests by a macro that is given their names.
    let mut lists =
        source.split("\ncases!(").skip(1).filter_map(|list| list.split_once(");")).map(|(list, _)| list);
    is_written
        || lines.contains(&"macro_rules! cases {")
            && lists.any(|list| {
                list.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|word| word == name)
            })
}

/// Every fault of the lists, each with its place.
fn faults(lists: &BTreeMap<String, String>, source: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let mut faults = Vec::new();
    let mut known: BTreeMap<&str, String> = BTreeMap::new();
    for (list, text) in lists {
        for (index, line) in text.lines().enumerate() {
            let place = format!("{list}:{}", index + 1);
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let promise = match Promise::parse(line) {
                Ok(promise) => promise,
                Err(fault) => {
                    faults.push(format!("{place}: {fault}"));
                    continue;
                }
            };
            if let Some(first) = known.insert(promise.statement, place.clone()) {
                faults.push(format!("{place}: the promise stands in {first} already"));
            }
            for (file, test) in promise.tests {
                match source(file) {
                    None => faults.push(format!("{place}: there is no {file}")),
                    Some(source) if has_test(&source, test) => {}
                    Some(_) => faults.push(format!("{place}: {file} has no test {test} that runs")),
                }
            }
        }
    }
    faults
}

#[test]
fn every_promise_names_tests_that_exist() {
    let folder = root().join("tests/it/parity/held");
    let lists: BTreeMap<String, String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().extension().is_some_and(|extension| extension == "txt"))
        .map(|entry| {
            let text = std::fs::read_to_string(entry.path()).unwrap();
            (entry.file_name().to_string_lossy().into_owned(), text)
        })
        .collect();
    assert!(!lists.is_empty(), "no list was found");
    let found = faults(&lists, |file| std::fs::read_to_string(root().join(file)).ok());
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn a_promise_that_nothing_holds_is_found() {
    let source = "#[test]\nfn runs() {}\n#[test]\n#[ignore = \"slow\"]\nfn sleeps() {}\nfn helps() {}\n\
                  #[tokio::test]\nasync fn waits() {}\nmacro_rules! cases {\n}\ncases!(Steady;\n    made, badly,\n);\n";
    let found = |line: &str| {
        let lists = BTreeMap::from([("list.txt".to_owned(), line.to_owned())]);
        faults(&lists, |file| (file == "a.rs").then(|| source.to_owned()))
    };
    for held in
        ["it does :: a.rs::runs", "it does :: a.rs::runs, a.rs::waits", "it does :: a.rs::made", "# no", ""]
    {
        assert_eq!(found(held), Vec::<String>::new());
    }
    for bare in [
        "it does",
        "it does :: ",
        " :: a.rs::runs",
        "it does :: a.rs",
        "it does :: a.txt::runs",
        "it does :: b.rs::runs",
        "it does :: a.rs::run",
        "it does :: a.rs::sleeps",
        "it does :: a.rs::helps",
        "it does :: a.rs::mad",
        "it does :: a.rs::runs, a.rs::gone",
        "it does :: a.rs::runs\nit does :: a.rs::waits",
    ] {
        assert_eq!(found(bare).len(), 1, "{bare}");
    }
}
