//! Two shapes held against each other: all that AIPerf's folder has must be in ours, as it is there.
//!
//! What ours has beyond it is no difference: loadgen writes more files, metrics and keys.

use std::collections::BTreeMap;

use super::shape::{File, Folder, Node};

/// Whether a command gives the same numbers each time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counts {
    /// Yes: they must be equal.
    Steady,
    /// No: it was cut by time or by a signal, or a draw decides.
    Varying,
}

/// Every difference, in words.
pub(crate) fn differences(golden: &Folder, ours: &Folder, counts: Counts) -> Vec<String> {
    let mut found = Vec::new();
    for (name, theirs) in golden {
        let Some(mine) = ours.get(name) else {
            found.push(format!("no file {name}"));
            continue;
        };
        match (theirs, mine) {
            (File::Json(theirs), File::Json(mine)) => nodes(name, "", theirs, mine, counts, &mut found),
            (File::Csv { crlf, sections }, File::Csv { crlf: mine_crlf, sections: mine }) => {
                // Some of AIPerf's files lost it on their way here; it always writes CRLF.
                if *crlf && !mine_crlf {
                    found.push(format!("{name}: its lines do not end with CRLF, as AIPerf's do"));
                }
                for (index, theirs) in sections.iter().enumerate() {
                    let Some(mine) = mine.get(index) else {
                        found.push(format!("{name}: no section {index} ({:?})", theirs.columns));
                        continue;
                    };
                    if mine.columns != theirs.columns {
                        let (mine, theirs) = (&mine.columns, &theirs.columns);
                        found.push(format!(
                            "{name}: section {index} has columns {mine:?}, AIPerf's {theirs:?}"
                        ));
                    }
                    // A comment names the run.
                    let is_of_the_run = |row: &str| row.starts_with("# benchmark_id");
                    let rows = theirs.rows.iter().filter(|row| !is_of_the_run(row));
                    let missing = rows.filter(|row| !mine.rows.contains(row));
                    found.extend(missing.map(|row| format!("{name}: section {index} lacks row {row:?}")));
                }
            }
            (File::Lines { count, keys }, File::Lines { count: my_count, keys: mine }) => {
                if counts == Counts::Steady && count != my_count {
                    found.push(format!("{name}: {my_count} lines, AIPerf's {count}"));
                }
                keys_of_lines(name, keys, mine, &mut found);
            }
            (File::Present, _) => {}
            (theirs, mine) => found.push(format!("{name}: is {mine:?}, AIPerf's {theirs:?}")),
        }
    }
    found
}

fn keys_of_lines(
    name: &str,
    theirs: &BTreeMap<String, Option<String>>,
    mine: &BTreeMap<String, Option<String>>,
    found: &mut Vec<String>,
) {
    for (key, unit) in theirs {
        match mine.get(key) {
            None => found.push(format!("{name}: no line has {key}")),
            Some(mine) if unit.is_some() && mine != unit => {
                found.push(format!("{name}: {key} in {mine:?}, AIPerf's {unit:?}"));
            }
            Some(_) => {}
        }
    }
}

fn nodes(name: &str, path: &str, theirs: &Node, mine: &Node, counts: Counts, found: &mut Vec<String>) {
    match (theirs, mine) {
        (Node::Object(theirs), Node::Object(mine)) => {
            for (key, theirs) in theirs {
                match mine.get(key) {
                    None => found.push(format!("{name}: no {path}{key}")),
                    Some(mine) => nodes(name, &format!("{path}{key}."), theirs, mine, counts, found),
                }
            }
        }
        (Node::Leaf(theirs), Node::Leaf(mine)) => {
            let (theirs, mine) = (Metric::of(theirs), Metric::of(mine));
            let lacks: Vec<&str> =
                theirs.keys.split(' ').filter(|key| !mine.keys.split(' ').any(|mine| mine == *key)).collect();
            if theirs.unit != mine.unit || !lacks.is_empty() {
                found.push(format!("{name}: {path} is {mine:?}, AIPerf's {theirs:?}"));
            }
            if counts == Counts::Steady && theirs.steady != mine.steady {
                found.push(format!("{name}: {path} is {}, AIPerf's {}", mine.steady, theirs.steady));
            }
        }
        (theirs, mine) => found.push(format!("{name}: {path} is {mine:?}, AIPerf's {theirs:?}")),
    }
}

/// A leaf taken apart: what is no metric has its kind for a unit, and nothing else.
#[derive(Debug)]
struct Metric<'a> {
    unit: &'a str,
    keys: &'a str,
    steady: &'a str,
}

impl<'a> Metric<'a> {
    fn of(leaf: &'a str) -> Self {
        let Some((unit, rest)) = leaf.strip_prefix("metric ").and_then(|rest| rest.split_once(": ")) else {
            return Self { unit: leaf, keys: "", steady: "" };
        };
        let (keys, steady) = rest.split_once(" = ").unwrap_or((rest, ""));
        Self { unit, keys, steady }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(count: usize, unit: &str) -> Folder {
        let keys = [("metrics.x".to_owned(), Some(unit.to_owned()))].into();
        [("a.jsonl".to_owned(), File::Lines { count, keys })].into()
    }

    fn json(leaf: &str) -> Folder {
        let object = [("m".to_owned(), Node::Leaf(leaf.to_owned()))].into();
        [("a.json".to_owned(), File::Json(Node::Object(object)))].into()
    }

    #[test]
    fn what_lacks_or_differs_is_told_and_what_is_more_is_not() {
        let found = |golden: &Folder, ours: &Folder| differences(golden, ours, Counts::Steady).len();
        assert_eq!(found(&lines(3, "ms"), &lines(3, "ms")), 0);
        assert_eq!(found(&lines(3, "ms"), &lines(4, "s")), 2);
        assert_eq!(found(&lines(3, "ms"), &Folder::new()), 1);
        assert_eq!(found(&Folder::new(), &lines(3, "ms")), 0);
        assert_eq!(found(&json("metric ms: avg p50"), &json("metric ms: avg p50 p99")), 0);
        assert_eq!(found(&json("metric ms: avg p50"), &json("metric ms: avg")), 1);
        assert_eq!(found(&json("metric tokens: avg = 8.0"), &json("metric tokens: avg = 4.0")), 1);
        assert_eq!(found(&json("number"), &json("text")), 1);
    }

    #[test]
    fn counts_that_vary_are_not_held_against_each_other() {
        assert!(differences(&lines(3, "ms"), &lines(4, "ms"), Counts::Varying).is_empty());
    }
}
