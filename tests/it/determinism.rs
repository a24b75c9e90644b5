//! The same seed gives the same requests at the same intended times, on any number of workers.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::support::{Mock, Workspace};

/// SHA-256 over (order, intended offset, body) of every request of a run, the bodies as the server
/// hashed them.
fn fingerprint(seed: &str, workers: &str) -> Vec<u8> {
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, "fixed?ttft=2ms&itl=1ms");
    let arguments = [
        "--streaming",
        "--request-rate",
        "200",
        "--request-count",
        "60",
        "--isl",
        "40",
        "--isl-stddev",
        "10",
        "--osl",
        "4",
        "--osl-stddev",
        "1",
        "--num-prefix-prompts",
        "3",
        "--prefix-prompt-length",
        "12",
        "--random-seed",
        seed,
        "--workers-max",
        workers,
    ];
    workspace.profile(&mock, &arguments).expect_code(0);
    let rows = workspace.results("out").rows();
    let bodies: BTreeMap<String, String> = mock
        .truth()
        .iter()
        .filter_map(|request| {
            Some((request["request_id"].as_str()?.to_owned(), request["body_sha256"].as_str()?.to_owned()))
        })
        .collect();
    let mut sent: Vec<_> = rows
        .iter()
        .map(|row| {
            let body = &bodies[&row.identity.request_id.to_string()];
            (row.identity.session_num, row.instants.scheduled.unwrap().0, body.clone())
        })
        .collect();
    sent.sort();
    assert_eq!(sent.len(), 60);
    let start = sent[0].1;
    let mut hash = Sha256::new();
    for (order, scheduled, body) in &sent {
        hash.update(order.to_be_bytes());
        hash.update((scheduled - start).to_be_bytes());
        hash.update(body);
    }
    hash.finalize().to_vec()
}

#[test]
fn the_seed_alone_decides_what_is_sent_and_when() {
    let reference = fingerprint("11", "1");
    assert_eq!(fingerprint("11", "2"), reference, "two workers");
    assert_eq!(fingerprint("11", "7"), reference, "seven workers");
    assert_ne!(fingerprint("12", "2"), reference, "another seed");
}

/// What each turn asked for, by conversation and turn: tokens, the body of first turns as the server hashed
/// it. Later turns repeat answers, which are the server's to give.
fn conversations(seed: &str, workers: &str) -> Vec<(String, i32, Option<i64>, String)> {
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, "fixed?ttft=2ms&itl=1ms");
    let arguments = [
        "--streaming",
        "--concurrency",
        "3",
        "--num-conversations",
        "8",
        "--conversation-turn-mean",
        "2",
        "--conversation-turn-stddev",
        "1",
        "--conversation-turn-delay-mean",
        "3",
        "--seq-dist",
        "40|6,6|2:50;20,3:50",
        "--user-context-prompt-length",
        "9",
        "--image-width-mean",
        "12",
        "--image-height-mean",
        "8",
        "--image-width-stddev",
        "3",
        "--image-format",
        "random",
        "--dataset-sampling-strategy",
        "shuffle",
        "--random-seed",
        seed,
        "--workers-max",
        workers,
    ];
    workspace.profile(&mock, &arguments).expect_code(0);
    let bodies: BTreeMap<String, String> = mock
        .truth()
        .iter()
        .filter_map(|request| {
            Some((request["request_id"].as_str()?.to_owned(), request["body_sha256"].as_str()?.to_owned()))
        })
        .collect();
    let mut asked: Vec<_> = workspace
        .results("out")
        .rows()
        .iter()
        .map(|row| {
            let body = &bodies[&row.identity.request_id.to_string()];
            let body = if row.identity.turn_index == 0 { body.clone() } else { String::new() };
            let asked_for = row.tokens.requested_output;
            (row.identity.session_id.to_string(), row.identity.turn_index, asked_for, body)
        })
        .collect();
    asked.sort();
    asked
}

#[test]
fn conversations_and_images_follow_the_seed_on_any_number_of_workers() {
    let reference = conversations("5", "1");
    let sessions: std::collections::BTreeSet<_> = reference.iter().map(|(session, ..)| session).collect();
    assert_eq!(sessions.len(), 8);
    assert!(reference.len() > 8, "some have several turns");
    assert_eq!(conversations("5", "2"), reference, "two workers");
    assert_eq!(conversations("5", "7"), reference, "seven workers");
    assert_ne!(conversations("6", "2"), reference, "another seed");
}
