//! Killed without warning, a run still reports what it had: nothing that ended more than a second
//! before is missing.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::support::{Mock, Workspace, words};

/// How many times a run is killed.
const KILLS: u64 = 20;

#[test]
fn report_rebuilds_a_killed_run() {
    for kill in 0..KILLS {
        let workspace = Workspace::new();
        let mock = Mock::start(&workspace, "fixed?ttft=10ms&itl=2ms");
        let mut child = workspace
            .profiling(&mock.url)
            .args(words("--streaming --isl 20 --osl 10 --random-seed 5"))
            .args(["--request-rate", "100", "--benchmark-duration", "30"])
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        // Wait until it runs, then a while that differs from kill to kill.
        while !workspace.path("out/journal").exists() {
            std::thread::sleep(Duration::from_millis(5));
        }
        std::thread::sleep(Duration::from_millis(1500 + (kill * 7919) % 1000));
        child.kill().unwrap();
        let killed_ns = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as i64;
        child.wait().unwrap();

        workspace.run(&["report", "out"]).expect_code(0);
        let results = workspace.results("out");
        let rows = results.rows();
        let kept: std::collections::BTreeSet<String> = rows
            .iter()
            .filter(|row| row.outcome.name() == "ok")
            .map(|row| row.identity.request_id.to_string())
            .collect();
        let mut must_be_there = 0;
        for request in mock.truth() {
            let finished_ns = request["end_ns"].as_i64().unwrap_or(i64::MAX);
            let complete = request["finished"] == "complete";
            if complete && finished_ns < killed_ns - 1_000_000_000 {
                must_be_there += 1;
                let id = request["request_id"].as_str().unwrap();
                assert!(kept.contains(id), "kill {kill}: {id} ended a second before and is missing");
            }
        }
        assert!(must_be_there > 0, "kill {kill}: the run had something to lose");
        let summary = results.summary();
        assert_eq!(summary["is_complete"], false);
        assert_eq!(summary["request_count"]["avg"], kept.len() as f64);
        assert_eq!(results.records().len(), rows.iter().filter(|row| row.outcome.is_reported()).count());
        let in_flight = rows.iter().filter(|row| row.outcome.name() == "aborted").count();
        assert_eq!(rows.len(), results.records().len() + in_flight, "kill {kill}: the rest was in flight");
    }
}

#[test]
fn report_makes_the_same_files_again() {
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, "fixed?ttft=5ms&itl=1ms&fault=500&every=4");
    let arguments = words(
        "--streaming --concurrency 2 --request-count 12 --isl 15 --osl 6 --goodput \
         time_to_first_token:1000",
    );
    workspace.profile(&mock, &arguments).expect_code(0);
    let before = workspace.results("out").files();
    workspace.run(&["report", "out"]).expect_code(0);
    let after = workspace.results("out").files();
    let names = |files: &[(String, Vec<u8>)]| files.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&before), names(&after));
    for ((name, old), (_, new)) in before.iter().zip(&after) {
        assert!(old == new, "{name} differs after report");
    }
}

#[test]
fn report_on_a_folder_without_a_run_says_so() {
    let workspace = Workspace::new();
    std::fs::create_dir(workspace.path("empty")).unwrap();
    let finished = workspace.run(&["report", "empty"]).expect_code(1);
    assert!(finished.stderr().contains("journal"), "{}", finished.stderr());
}
