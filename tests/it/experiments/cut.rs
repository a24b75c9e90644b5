//! Experiments that the user ends: what was measured is kept, and nothing is made of what was not.

use super::*;

#[test]
fn an_interrupt_ends_the_experiment_and_what_was_measured_is_aggregated() {
    let (workspace, mock) = at_once();
    let mut child = workspace
        .profiling(&mock.url)
        .args(words(COMMON))
        .args(words("--concurrency 1 --request-count 2 --num-profile-runs 3 --profile-run-cooldown-seconds 600 --ui simple"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It rests after the first run, for longer than any test.
    let mut stderr = child.stderr.take().unwrap();
    let (mut said, mut byte) = (Vec::new(), [0]);
    while !String::from_utf8_lossy(&said).contains("resting for 600 s") {
        assert_eq!(stderr.read(&mut byte).unwrap(), 1, "{}", String::from_utf8_lossy(&said));
        said.push(byte[0]);
    }
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
    stderr.read_to_end(&mut said).unwrap();
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(1), "one run says nothing about how runs scatter, as in AIPerf");
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(said.contains("1 of 3 runs succeeded"), "{said}");
    let (runs, aggregates) = runs_and_aggregates(&workspace.results("out"));
    assert_eq!((runs, aggregates), (set(&["profile_runs/run_0001"]), set(&[])));
    assert_eq!(workspace.results("out").json("experiment.json")["runs"].as_array().unwrap().len(), 1);
}

#[test]
fn a_sweep_that_is_interrupted_says_how_far_it_came_and_compares_no_half_of_a_run() {
    let (workspace, mock) = at_once();
    let mut child = workspace
        .profiling(&mock.url)
        .args(words(COMMON))
        .args(words("--concurrency 1 --ui simple --stats-interval 0.05 --variant request-count=3"))
        .args(["--variant", "request-count=100000, request-rate=50", "--variant", "request-count=3"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The second point has answers once its records begin to be written.
    let mut stderr = child.stderr.take().unwrap();
    let (mut said, mut byte) = (Vec::new(), [0]);
    let has_answers = |said: &[u8]| {
        let said = String::from_utf8_lossy(said).into_owned();
        said.split_once("run 2 of 3").is_some_and(|(_, second)| {
            second.lines().any(|line| line.contains(" ok") && !line.contains(" 0 ok"))
        })
    };
    while byte[0] != b'\n' || !has_answers(&said) {
        assert_eq!(stderr.read(&mut byte).unwrap(), 1, "{}", String::from_utf8_lossy(&said));
        said.push(byte[0]);
    }
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
    stderr.read_to_end(&mut said).unwrap();
    let told = child.wait_with_output().unwrap();
    assert_eq!(told.status.code(), Some(0), "{}", String::from_utf8_lossy(&said));
    drop(mock);
    let again = workspace.run(&["report", "out"]).expect_code(0).stdout();
    for told in [String::from_utf8_lossy(&told.stdout).into_owned(), again] {
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
