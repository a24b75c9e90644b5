//! Repeats and sweeps: which runs are made, where they leave their files, and what they come to together.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::{Finished, Held, Mock, Results, Workspace, words};

/// What every run here has.
const COMMON: &str = "--endpoint-type chat --streaming --isl 20 --osl 4 --no-html --no-parquet --no-gpu-telemetry \
                      --no-server-metrics";

fn profile(workspace: &Workspace, mock: &Mock, arguments: &str) -> Finished {
    workspace.profile(mock, &[words(COMMON), words(arguments)].concat())
}

/// The folders that hold a run, and those that hold aggregates.
fn folders(results: &Results) -> (BTreeSet<String>, BTreeSet<String>) {
    let names: Vec<String> = results.files().into_iter().map(|(name, _)| name).collect();
    let holding = |suffixes: &[&str]| {
        let found = names.iter().filter(|name| suffixes.iter().any(|suffix| name.ends_with(suffix)));
        found.map(|name| Path::new(name).parent().unwrap().display().to_string()).collect()
    };
    (
        holding(&["run_config.json"]),
        holding(&["profile_export_aiperf_aggregate.json", "profile_export_aiperf_sweep.json"]),
    )
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn a_sweep_of_two_by_two_with_repeats_leaves_every_run_and_what_they_come_to() {
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, "fixed?ttft=2ms&itl=1ms");
    let finished = profile(
        &workspace,
        &mock,
        "--concurrency 2,1 --request-count 3,4 --num-profile-runs 2 --random-seed 7 --warmup-request-count 1",
    )
    .expect_code(0);
    let results = workspace.results("out");
    let (runs, aggregates) = folders(&results);
    // Axes by their paths, the last fastest; values in the order given.
    let points = [
        "concurrency_2__requests_3",
        "concurrency_2__requests_4",
        "concurrency_1__requests_3",
        "concurrency_1__requests_4",
    ];
    let expected: BTreeSet<String> = (1..=2)
        .flat_map(|trial| points.map(|point| format!("profile_runs/trial_000{trial}/{point}")))
        .collect();
    assert_eq!(runs, expected);
    let expected: BTreeSet<String> = points
        .iter()
        .map(|point| format!("aggregate/{point}"))
        .chain(["aggregate/sweep_aggregate".to_owned()])
        .collect();
    assert_eq!(aggregates, expected);

    // Only the first repeat warms up; every variation has its own seed.
    let run =
        |trial: u32, point: &str| workspace.results(&format!("out/profile_runs/trial_000{trial}/{point}"));
    let first = run(1, points[1]).summary();
    assert!(first.get("warmup_metrics").is_some());
    let second = run(2, points[1]).summary();
    assert!(second.get("warmup_metrics").is_none());
    let facts = &second["run_info"];
    assert_eq!(
        (&facts["random_seed"], &facts["trial"], &facts["variation_index"]),
        (&json!(8), &json!(1), &json!(1))
    );
    assert_eq!(facts["run_label"], "run_0002");
    assert_eq!(facts["variation_label"], "phases.profiling.concurrency=2, phases.profiling.requests=4");
    assert_eq!(
        facts["variation_values"],
        json!({"phases.profiling.concurrency": 2, "phases.profiling.requests": 4})
    );
    assert_eq!(facts["sweep_id"], first["run_info"]["sweep_id"]);
    assert_eq!(second["benchmark_id"].as_str().unwrap().len(), 32);
    assert_ne!(second["benchmark_id"], first["benchmark_id"]);
    assert_eq!(second["request_count"]["avg"], 4.0);
    assert_eq!(second["input_config"]["logging"]["level"], "INFO", "defaults are filled in");
    let config = run(2, points[1]).json("run_config.json");
    assert_eq!(config["variation"]["index"], 1);
    assert_eq!((&config["trial"], &config["random_seed"]), (&json!(1), &json!(8)));
    // Repeats of a variation send the same; other variations do not.
    let records = |trial, point| run(trial, point).records().len();
    assert_eq!(records(1, points[0]), records(2, points[0]) + 1, "the warm-up's record comes first");
    assert_eq!(run(1, points[0]).text("inputs.json"), run(2, points[0]).text("inputs.json"));
    assert_ne!(run(1, points[0]).text("inputs.json"), run(1, points[2]).text("inputs.json"));

    let sweep = results.json("aggregate/sweep_aggregate/profile_export_aiperf_sweep.json");
    assert_eq!(
        sweep["metadata"]["sweep_parameters"],
        json!([{"name": "concurrency", "values": [2, 1]}, {"name": "requests", "values": [3, 4]}])
    );
    assert_eq!((&sweep["num_profile_runs"], &sweep["num_successful_runs"]), (&json!(8), &json!(8)));
    for (place, point) in points.iter().enumerate() {
        let combination = &sweep["per_combination_metrics"][place];
        let aggregate = results.json(&format!("aggregate/{point}/profile_export_aiperf_aggregate.json"));
        // The aggregate is over the two runs' own figures.
        let figures: Vec<f64> = (1..=2)
            .map(|trial| run(trial, point).summary()["request_latency"]["avg"].as_f64().unwrap())
            .collect();
        let mean = figures[0].midpoint(figures[1]);
        let half = (figures[0] - figures[1]).abs() / 2.0 * 12.706_204_736_174_694;
        let figure = &aggregate["metrics"]["request_latency_avg"];
        for (key, expected) in [("mean", mean), ("ci_low", mean - half), ("ci_high", mean + half)] {
            let found = figure[key].as_f64().unwrap();
            assert!(
                (found - expected).abs() < 1e-9 * expected.abs().max(1.0),
                "{point} {key}: {found} {expected}"
            );
        }
        assert_eq!(combination["metrics"]["request_latency_avg"]["mean"], figure["mean"]);
        assert_eq!(aggregate["metadata"]["variation_values"].as_object().unwrap().len(), 2);
    }
    assert_eq!(sweep["best_configurations"].as_object().unwrap().len(), 2);
    let csv = results.text("aggregate/sweep_aggregate/profile_export_aiperf_sweep.csv");
    assert!(csv.starts_with("concurrency,requests,"), "{csv}");
    let stdout = finished.stdout();
    assert!(
        stdout.contains("Best Configurations:") && stdout.contains("All runs complete: 8/8 successful"),
        "{stdout}"
    );

    // Repeats, not the warm-up alone: 4 points twice, 3 or 4 requests each, and a warm-up each first time.
    assert_eq!(mock.truth().len(), 2 * (3 + 4 + 3 + 4) + 4);
}

#[test]
fn report_makes_an_experiment_again_from_its_folder() {
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, "fixed?ttft=1ms&itl=1ms");
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
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, "fixed?ttft=1ms&itl=1ms");
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
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, "fixed?ttft=1ms&itl=1ms");
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
fn an_interrupt_ends_the_experiment_and_what_was_measured_is_aggregated() {
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, "fixed?ttft=1ms&itl=1ms");
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
    let (runs, aggregates) = folders(&workspace.results("out"));
    assert_eq!((runs, aggregates), (set(&["profile_runs/run_0001"]), set(&[])));
    assert_eq!(workspace.results("out").json("experiment.json")["runs"].as_array().unwrap().len(), 1);
}

#[test]
fn repeats_that_agree_end_a_point_of_an_independent_sweep() {
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, "fixed?ttft=1ms&itl=1ms");
    // The number of output tokens is the same in every run.
    let finished = profile(
        &workspace,
        &mock,
        "--concurrency 1,2 --request-count 2 --num-profile-runs 4 --parameter-sweep-mode independent \
         --convergence-metric output_sequence_length --convergence-mode cv",
    )
    .expect_code(0);
    let (runs, aggregates) = folders(&workspace.results("out"));
    let expected = [
        "concurrency_1/profile_runs/trial_0001",
        "concurrency_1/profile_runs/trial_0002",
        "concurrency_2/profile_runs/trial_0001",
        "concurrency_2/profile_runs/trial_0002",
    ];
    assert_eq!(runs, set(&expected), "{}", finished.stderr());
    assert_eq!(aggregates, set(&["concurrency_1/aggregate", "concurrency_2/aggregate", "sweep_aggregate"]));
}

#[test]
fn repeats_alone_are_all_made_and_their_requests_are_collated() {
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, "fixed?ttft=1ms&itl=1ms");
    profile(
        &workspace,
        &mock,
        "--concurrency 1 --request-count 2 --num-profile-runs 3 --convergence-metric output_sequence_length \
         --convergence-mode cv",
    )
    .expect_code(0);
    let results = workspace.results("out");
    let (runs, aggregates) = folders(&results);
    assert_eq!(runs, set(&["profile_runs/run_0001", "profile_runs/run_0002", "profile_runs/run_0003"]));
    assert_eq!(aggregates, set(&["aggregate"]));
    let collated = results.json("aggregate/profile_export_aiperf_collated.json");
    let latency = &collated["metrics"]["request_latency"];
    assert_eq!(latency["combined"]["count"], 6);
    assert_eq!(latency["per_run"].as_array().unwrap().len(), 3);
    assert_eq!(latency["per_run"][1]["label"], "run_0002");
    assert!(collated["metrics"].get("inter_chunk_latency").is_none(), "lists are not collated");
    let seeds: Vec<Value> = (1..=3)
        .map(|run| {
            workspace.results(&format!("out/profile_runs/run_000{run}")).summary()["run_info"]["random_seed"]
                .clone()
        })
        .collect();
    assert_eq!(seeds, [42, 42, 42], "AIPerf's seed for those who give none");
}

#[test]
fn points_by_hand_are_runs_under_their_names() {
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, "fixed?ttft=1ms&itl=1ms");
    let mut arguments = words(COMMON);
    arguments.extend(words("--request-count 2 --no-sweep-table --parameter-sweep-same-seed --random-seed 5"));
    arguments.extend(["--variant", "short: osl=2, concurrency=1", "--variant", "osl=3"]);
    let finished = workspace.profile(&mock, &arguments).expect_code(0);
    assert!(!finished.stdout().contains("\nSweep\n"));
    let results = workspace.results("out");
    let (runs, _) = folders(&results);
    assert_eq!(runs, set(&["short", "v1"]));
    let lengths = |run: &str| {
        workspace.results(&format!("out/{run}")).summary()["output_sequence_length"]["avg"].as_f64().unwrap()
    };
    assert_eq!((lengths("short"), lengths("v1")), (2.0, 3.0));
    let sweep = results.json("sweep_aggregate/profile_export_aiperf_sweep.json");
    assert_eq!(sweep["per_combination_metrics"][0]["parameters"], json!({"osl": 2, "concurrency": 1}));
    assert_eq!((&sweep["best_configurations"], &sweep["pareto_optimal"]), (&json!({}), &json!([])));
    assert!(sweep["loadgen"]["best_configurations"].get("best_throughput").is_some());
}

#[test]
fn what_cannot_be_meant_is_refused_before_anything_is_sent() {
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, "fixed?ttft=1ms&itl=1ms");
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
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, "fixed?ttft=1ms&itl=1ms");
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
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, "fixed?ttft=1ms&itl=1ms");
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

#[test]
fn a_command_that_cannot_begin_leaves_an_earlier_experiment_alone() {
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, "fixed?ttft=1ms&itl=1ms");
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

#[test]
fn a_sweep_that_is_interrupted_says_how_far_it_came_and_compares_no_half_of_a_run() {
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, "fixed?ttft=1ms&itl=1ms");
    let mut child = workspace
        .profiling(&mock.url)
        .args(words(COMMON))
        .args(words("--concurrency 1 --ui simple --stats-interval 0.05 --variant request-count=3"))
        .args(["--variant", "request-count=1000000, request-rate=50", "--variant", "request-count=3"])
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
    assert_eq!(ours["cut_short"][0]["request-count"], 1_000_000);
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

#[test]
fn a_report_of_a_journal_without_a_success_leaves_no_results_of_an_earlier_one() {
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, "fixed?ttft=1ms&itl=1ms");
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
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, "fixed?ttft=1ms&itl=1ms");
    profile(&workspace, &mock, "--concurrency 1 --request-count 1 --num-profile-runs 2").expect_code(0);
    profile(&workspace, &mock, "--concurrency 1 --request-count 3").expect_code(0);
    let told = workspace.run(&["report", "out"]).expect_code(0).stdout();
    assert!(!told.contains("AGGREGATE STATISTICS SUMMARY"), "{told}");
    assert_eq!(workspace.results("out").summary()["request_count"]["avg"], 3.0);
}

#[test]
fn no_key_reaches_a_file_of_an_experiment() {
    const KEY: &str = "sk-Zk3pWq8vN1xT5bRd7mLy";
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, "fixed?ttft=1ms&itl=1ms");
    let mut arguments = words(COMMON);
    arguments.extend(words("--concurrency 1,2 --request-count 1 --num-profile-runs 2 --api-key"));
    let header = format!("X-Auth-Token: {KEY}");
    arguments.extend([KEY, "-H", &header]);
    let finished = workspace.profile(&mock, &arguments).expect_code(0);
    assert!(!finished.stdout().contains(KEY) && !finished.stderr().contains(KEY));
    for (name, bytes) in workspace.results("out").files() {
        assert!(!String::from_utf8_lossy(&bytes).contains(KEY), "{name}");
    }
}

#[test]
fn repeats_are_compared_by_how_their_requests_are_distributed() {
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, "fixed?ttft=1ms&itl=1ms");
    profile(
        &workspace,
        &mock,
        "--concurrency 1,2 --request-count 3 --num-profile-runs 3 --parameter-sweep-mode independent \
         --convergence-metric output_sequence_length --convergence-mode distribution --export-level records",
    )
    .expect_code(0);
    let (runs, _) = folders(&workspace.results("out"));
    assert_eq!(runs.len(), 4, "the same lengths every time: two repeats of each are enough, {runs:?}");
}
