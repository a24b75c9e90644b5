//! What becomes of a folder that holds an experiment: reported again, logged, left alone, replaced.

use super::*;

#[test]
fn report_makes_an_experiment_again_from_its_folder() {
    let (workspace, mock) = at_once();
    profile(
        &workspace,
        &mock,
        "--concurrency 1,2 --request-count 2 --parameter-sweep-mode independent --num-profile-runs 2",
    )
    .expect_code(0);
    drop(mock);
    let results = workspace.results("out");
    let before = results.files();
    for (name, _) in
        before.iter().filter(|(name, _)| name.contains("aggregate") || name.contains("_aiperf.csv"))
    {
        std::fs::remove_file(results.path(name)).unwrap();
    }
    workspace.run(&["report", "out"]).expect_code(0);
    let names = |files: &[(String, Vec<u8>)]| files.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    let after = results.files();
    assert_eq!(names(&after), names(&before));
    for ((name, old), (_, new)) in before.iter().zip(&after) {
        if name.contains("aggregate") {
            assert_eq!(String::from_utf8_lossy(old), String::from_utf8_lossy(new), "{name}");
        }
    }
}

#[test]
fn a_run_that_cannot_be_read_keeps_no_other_from_being_reported() {
    let (workspace, mock) = at_once();
    profile(&workspace, &mock, "--concurrency 1 --request-count 2 --num-profile-runs 4").expect_code(0);
    drop(mock);
    let results = workspace.results("out");
    let summary = |run: &str| results.path(&format!("profile_runs/{run}/profile_export_aiperf.csv"));
    for run in ["run_0001", "run_0004"] {
        std::fs::remove_file(summary(run)).unwrap();
    }
    // Both copies of the head of one, all of another.
    for entry in std::fs::read_dir(results.path("profile_runs/run_0002/journal")).unwrap() {
        std::fs::write(entry.unwrap().path(), "no longer a journal").unwrap();
    }
    std::fs::remove_dir_all(results.path("profile_runs/run_0003/journal")).unwrap();

    let finished = workspace.run(&["report", "out"]).expect_code(1);
    assert!(summary("run_0001").is_file() && summary("run_0004").is_file(), "the others are reported");
    let said = finished.stderr();
    for run in ["run_0002", "run_0003"] {
        assert!(said.contains(&format!("cannot report out/profile_runs/{run}")), "{said}");
    }
    assert_eq!(said.matches("cannot report").count(), 2, "{said}");
    let metadata = &results.json("aggregate/profile_export_aiperf_aggregate.json")["metadata"];
    assert_eq!(metadata["num_successful_runs"], 2);
    let failed = metadata["failed_runs"].as_array().unwrap().iter().map(|run| run["label"].as_str().unwrap());
    assert_eq!(failed.collect::<Vec<_>>(), ["run_0002", "run_0003"]);
}

#[test]
fn the_log_of_an_experiment_tells_which_runs_were_made_and_what_they_came_to() {
    let (workspace, mock) = at_once();
    let run = |mut command: std::process::Command, arguments: &str| {
        command.args(["profile", "-m", "demo", "--url", &mock.url, "--tokenizer", "builtin"]);
        let finished = Finished(command.args(words(COMMON)).args(words(arguments)).output().unwrap());
        finished.expect_code(0).stdout()
    };
    let repeats = "--concurrency 1 --request-count 2 --num-profile-runs 2 --artifact-dir repeats \
                   --convergence-metric time_to_first_token --convergence-threshold 0.9";
    let stdout = run(workspace.called("aiperf"), repeats);
    let log = workspace.results("repeats").text("logs/aiperf.log");
    let told = |line: &str| log.lines().any(|told| told.ends_with(&format!(" - loadgen - INFO - {line}")));
    for line in [
        "Starting Multi-Run Benchmark",
        "  Configurations: 1",
        "  Trials per config: 2",
        "  Total runs: 2",
        "  Confidence level: 95%",
        "  Cooldown between runs: 0.0s",
        "  Convergence mode: ci_width",
        "  Convergence metric: time_to_first_token",
        "  Convergence threshold: 0.9",
        "Starting multi-run benchmark (repeated): 2 trials x 1 variations",
        "[v0 t0] Executing run_0001...",
        "[v0 t1] Executing run_0002...",
        "AGGREGATE STATISTICS SUMMARY",
        "Successful Runs: 2",
        "All runs complete: 2/2 successful",
    ] {
        assert!(told(line), "{line}\n{log}");
        assert!(stdout.contains(line), "{line}\n{stdout}");
    }
    assert!(!log.contains("Phase profiling"), "what a run did is in its own log");
    assert!(
        workspace
            .results("repeats/profile_runs/run_0002")
            .text("logs/aiperf.log")
            .contains("Phase profiling")
    );

    // Under its own name it has words of its own for the screen, and the same for the log.
    let sweep = "--concurrency 1,2 --request-count 2 --artifact-dir sweep";
    let stdout = run(workspace.loadgen(), sweep);
    let log = workspace.results("sweep").text("logs/aiperf.log");
    for line in ["  Configurations: 2", "[v1 t0] Executing run_0001...", "All runs complete: 2/2 successful"]
    {
        assert!(log.contains(line), "{line}\n{log}");
    }
    assert!(!stdout.contains("Executing"), "{stdout}");
}

#[test]
fn a_report_of_a_journal_without_a_success_leaves_no_results_of_an_earlier_one() {
    let (workspace, mock) = at_once();
    profile(&workspace, &mock, "--concurrency 1 --request-count 3").expect_code(0);
    let results = workspace.results("out");
    let told = ["profile_export_aiperf.json", "profile_export_aiperf.csv", ".aiperf_results_ready.json"];
    assert!(told.iter().all(|name| results.path(name).exists()));
    // All that is left of the journal is its head, of which there are two.
    let segment = results.path("journal/segment-000001.journal");
    let mut journal = std::fs::read(&segment).unwrap();
    let key = b"\"benchmark_id\":";
    let heads: Vec<usize> = (0..journal.len()).filter(|at| journal[*at..].starts_with(key)).take(2).collect();
    journal.truncate(heads[1]);
    std::fs::write(&segment, journal).unwrap();
    let finished = workspace.run(&["report", "out"]).expect_code(1);
    assert!(finished.stderr().contains("interrupted before any request succeeded"), "{}", finished.stderr());
    assert!(!finished.stderr().contains("check --url"), "{}", finished.stderr());
    assert!(told.iter().all(|name| !results.path(name).exists()));
}

#[test]
fn a_run_of_its_own_replaces_an_experiment_in_its_folder() {
    let (workspace, mock) = at_once();
    profile(&workspace, &mock, "--concurrency 1 --request-count 1 --num-profile-runs 2").expect_code(0);
    profile(&workspace, &mock, "--concurrency 1 --request-count 3").expect_code(0);
    let told = workspace.run(&["report", "out"]).expect_code(0).stdout();
    assert!(!told.contains("AGGREGATE STATISTICS SUMMARY"), "{told}");
    assert_eq!(workspace.results("out").summary()["request_count"]["avg"], 3.0);
}

#[test]
fn a_command_that_cannot_begin_leaves_an_earlier_experiment_alone() {
    let (workspace, mock) = at_once();
    profile(&workspace, &mock, "--concurrency 1 --request-count 1 --num-profile-runs 2").expect_code(0);
    let before = workspace.results("out").files();
    workspace.file("broken.jsonl", "{\"text\": 3\n");
    let broken =
        "--endpoint-type chat --request-count 1 --input-file broken.jsonl --custom-dataset-type single_turn";
    for more in ["", " --num-profile-runs 3", " --concurrency 1,2"] {
        workspace.profile(&mock, &words(&format!("{broken}{more}"))).expect_code(1);
        assert!(workspace.results("out").files() == before, "{more}");
    }
    assert_eq!(mock.truth().len(), 2);
}
