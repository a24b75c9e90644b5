//! What is told of an experiment before anything is sent: faults, plans, options without effect.

use super::*;

#[test]
fn what_cannot_be_meant_is_refused_before_anything_is_sent() {
    let (workspace, mock) = at_once();
    for (arguments, says) in [
        ("--num-profile-runs 11", "--num-profile-runs"),
        ("--confidence-level 1", "--confidence-level"),
        ("--profile-run-cooldown-seconds 3", "--profile-run-cooldown-seconds: is about repeats"),
        ("--convergence-metric request_latency", "--convergence-metric"),
        ("--convergence-stat p50", "--convergence-metric"),
        (
            "--num-profile-runs 3 --convergence-metric request_latency --convergence-mode distribution",
            "--export-level",
        ),
        ("--num-profile-runs 3 --convergence-metric request_latency --convergence-mode median", "ci-width"),
        (
            "--num-profile-runs 3 --concurrency 1,2 --convergence-metric request_latency",
            "--parameter-sweep-mode independent",
        ),
        ("--concurrency 1,2 --request-count 1,2,3 --sweep-type zip", "of equal length"),
        ("--concurrency 1,2 --sweep-type diagonal", "grid or zip"),
        ("--sweep-type 1", "grid or zip"),
        ("--num-profile-runs 3 --convergence-metric request_latncy", "did you mean request_latency"),
        ("--parameter-sweep-mode sideways --concurrency 1,2", "repeated or independent"),
        ("--variant osl=2", "at least two"),
        ("--variant osl=2 --variant osl=3 --concurrency 1,2", "exclude each other"),
        ("--variant osl=2 --variant frobnicate=3", "frobnicate"),
        ("--variant a:osl=2 --variant a:osl=3", "name of two points"),
        ("--variant a:osl=2 --variant logs:osl=3", "--variant: point 2: \"logs\" is what a folder"),
        ("--variant experiment.json:osl=2 --variant a:osl=3", "--variant: point 1: \"experiment.json\" is"),
        ("--variant url=http://a --variant url=http://b", "takes a list"),
        ("--variant api_key=sk-1 --variant osl=3", "is a secret"),
        ("--sweep-sla request_latency:p98:le:1 --concurrency 1,2", "p98"),
        ("--concurrency 1,0", "--concurrency"),
    ] {
        let finished = profile(&workspace, &mock, arguments).expect_code(1);
        assert!(finished.stderr().contains(says), "{arguments}: {}", finished.stderr());
        assert!(!workspace.path("out").exists(), "{arguments}");
    }
    assert_eq!(mock.truth().len(), 0);
}

#[test]
fn a_dry_run_of_a_sweep_shows_every_point_and_sends_nothing() {
    let (workspace, mock) = at_once();
    let finished = profile(&workspace, &mock, "--concurrency 1,2 --request-count 2 --dry-run").expect_code(0);
    for label in ["phases.profiling.concurrency=1", "phases.profiling.concurrency=2"] {
        assert!(finished.stdout().contains(label), "{}", finished.stdout());
    }
    assert!(!workspace.path("out").exists());
    let said = finished.stdout();
    let shown: Vec<&str> =
        said.lines().filter_map(|line| line.strip_prefix("results")).map(str::trim).collect();
    let folder = |name: &str| workspace.path("out").join(name).display().to_string();
    assert_eq!(shown, [folder("concurrency_1"), folder("concurrency_2")]);
    let seeds: Vec<&str> = said.lines().filter_map(|line| line.strip_prefix("seed")).map(str::trim).collect();
    assert_eq!(seeds, ["42", "43"], "each point's own");

    let said = profile(&workspace, &mock, "--num-profile-runs 3 --request-count 2 --dry-run").expect_code(0);
    let (first, last) = (folder("profile_runs/run_0001"), folder("profile_runs/run_0003"));
    assert!(said.stdout().contains(&format!("{first} to {last}")), "{}", said.stdout());
    assert_eq!(mock.truth().len(), 0);
}

#[test]
fn what_is_said_of_repeats_and_sweeps_that_there_are_not_is_told_to_have_no_effect() {
    let (workspace, mock) = at_once();
    let idle = "--confidence-level 0.9 --sweep-type zip --parameter-sweep-cooldown-seconds 3";
    let arguments = format!("--concurrency 1 --request-count 1 --ui simple {idle}");
    let run = workspace.profiling(&mock.url).args(words(COMMON)).args(words(&arguments)).output().unwrap();
    let dry =
        profile(&workspace, &mock, &format!("--request-count 1 --dry-run {idle}")).expect_code(0).stdout();
    for said in [String::from_utf8_lossy(&run.stderr).into_owned(), dry] {
        for flag in ["--confidence-level", "--sweep-type", "--parameter-sweep-cooldown-seconds"] {
            assert_eq!(said.matches(&format!("{flag} has no effect")).count(), 1, "{flag}: {said}");
        }
    }
    let said =
        profile(&workspace, &mock, "--request-count 1 --dry-run --confidence-level 0.95").expect_code(0);
    assert!(!said.stdout().contains("no effect"), "{}", said.stdout());
}
