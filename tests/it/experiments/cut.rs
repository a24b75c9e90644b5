//! Experiments that the user ends: what was measured is kept, and nothing is made of what was not.

use super::*;

#[test]
fn an_interrupt_ends_the_experiment_and_what_was_measured_is_aggregated() {
    let (workspace, mock) = at_once();
    let mut command = workspace.profiling(&mock.url);
    command.args(words(COMMON)).args(words(
        "--concurrency 1 --request-count 2 --num-profile-runs 3 --profile-run-cooldown-seconds 600",
    ));
    // It rests after the first run, for longer than any test.
    let held = Held::start_until(Stdio::null(), command, |said| said.contains("resting for 600 s"));
    held.interrupt();
    // One run says nothing about how runs scatter, as in AIPerf.
    let said = held.finish().expect_code(1).stderr();
    assert!(said.contains("1 of 3 runs succeeded"), "{said}");
    let (runs, aggregates) = runs_and_aggregates(&workspace.results("out"));
    assert_eq!((runs, aggregates), (set(&["profile_runs/run_0001"]), set(&[])));
    assert_eq!(workspace.results("out").json("experiment.json")["runs"].as_array().unwrap().len(), 1);
}

#[test]
fn a_sweep_that_is_interrupted_says_how_far_it_came_and_compares_no_half_of_a_run() {
    let (workspace, mock) = at_once();
    let mut command = workspace.profiling(&mock.url);
    command
        .args(words(COMMON))
        .args(words("--concurrency 1 --stats-interval 0.05 --variant request-count=3"))
        .args(["--variant", "request-count=100000, request-rate=50", "--variant", "request-count=3"]);
    // The second point has answers once its records begin to be written.
    let held = Held::start_until(Stdio::piped(), command, |said| {
        said.split_once("run 2 of 3").is_some_and(|(_, second)| {
            second.lines().any(|line| line.contains(" ok") && !line.contains(" 0 ok"))
        })
    });
    held.interrupt();
    let told = held.finish().expect_code(0).stdout();
    drop(mock);
    let again = workspace.run(&["report", "out"]).expect_code(0).stdout();
    for told in [told, again] {
        assert!(
            told.contains("Incomplete: 2 of 3 planned runs made, 1 cut short (v1): 2/2 successful"),
            "{told}"
        );
        assert!(!told.contains("All runs complete"), "{told}");
        assert!(told.contains("† cut short"), "{told}");
    }
    let sweep = workspace.results("out").json("sweep_aggregate/profile_export_aiperf_sweep.json");
    let ours = &sweep["loadgen"];
    assert_eq!(ours["cut_short"][0]["request-count"], 100_000);
    assert_eq!(ours["best_configurations"]["best_throughput"]["parameters"]["request-count"], 3);
}

#[test]
fn an_interrupt_before_the_first_answer_is_no_fault_of_the_command() {
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, "fixed?ttft=600s&itl=1ms");
    let mut command = workspace.profiling(&mock.url);
    command.args(words(COMMON)).args(words("--concurrency 2 --request-count 2"));
    let held = Held::start(command);
    held.interrupt();
    let finished = held.finish().expect_code(1);
    let said = finished.stderr();
    assert!(said.contains("error: interrupted before any request succeeded"), "{said}");
    assert!(!said.contains("check --url"), "{said}");
}
