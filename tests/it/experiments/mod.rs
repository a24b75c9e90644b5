//! Repeats and sweeps: which runs are made, where they leave their files, and what they come to together.
//!
//! * `said`: what is told of an experiment before anything is sent;
//! * `cut`: experiments that the user ends;
//! * `folders`: what becomes of a folder that holds an experiment: reported again, logged, left alone, replaced.

mod cut;
mod folders;
mod said;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::{Finished, Held, Mock, Results, Workspace, words};

/// What every run here has.
const COMMON: &str = "--endpoint-type chat --streaming --isl 20 --osl 4 --no-html --no-parquet --no-gpu-telemetry \
                      --no-server-metrics";

/// A folder, and a mock server that answers at once.
fn at_once() -> (Workspace, Mock) {
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, "fixed?ttft=1ms&itl=1ms");
    (workspace, mock)
}

fn profile(workspace: &Workspace, mock: &Mock, arguments: &str) -> Finished {
    workspace.profile(mock, &[words(COMMON), words(arguments)].concat())
}

/// The folders that hold a run, and those that hold aggregates.
fn runs_and_aggregates(results: &Results) -> (BTreeSet<String>, BTreeSet<String>) {
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
    let (runs, aggregates) = runs_and_aggregates(&results);
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
fn repeats_that_agree_end_a_point_of_an_independent_sweep() {
    let (workspace, mock) = at_once();
    // The number of output tokens is the same in every run.
    let finished = profile(
        &workspace,
        &mock,
        "--concurrency 1,2 --request-count 2 --num-profile-runs 4 --parameter-sweep-mode independent \
         --convergence-metric output_sequence_length --convergence-mode cv",
    )
    .expect_code(0);
    let (runs, aggregates) = runs_and_aggregates(&workspace.results("out"));
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
    let (workspace, mock) = at_once();
    profile(
        &workspace,
        &mock,
        "--concurrency 1 --request-count 2 --num-profile-runs 3 --convergence-metric output_sequence_length \
         --convergence-mode cv",
    )
    .expect_code(0);
    let results = workspace.results("out");
    let (runs, aggregates) = runs_and_aggregates(&results);
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
    let (workspace, mock) = at_once();
    let mut arguments = words(COMMON);
    arguments.extend(words("--request-count 2 --no-sweep-table --parameter-sweep-same-seed --random-seed 5"));
    arguments.extend(["--variant", "short: osl=2, concurrency=1", "--variant", "osl=3"]);
    let finished = workspace.profile(&mock, &arguments).expect_code(0);
    assert!(!finished.stdout().contains("\nSweep\n"));
    let results = workspace.results("out");
    let (runs, _) = runs_and_aggregates(&results);
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
fn no_key_reaches_a_file_of_an_experiment() {
    const KEY: &str = "sk-Zk3pWq8vN1xT5bRd7mLy";
    let (workspace, mock) = at_once();
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
    let (workspace, mock) = at_once();
    profile(
        &workspace,
        &mock,
        "--concurrency 1,2 --request-count 3 --num-profile-runs 3 --parameter-sweep-mode independent \
         --convergence-metric output_sequence_length --convergence-mode distribution --export-level records",
    )
    .expect_code(0);
    let (runs, _) = runs_and_aggregates(&workspace.results("out"));
    assert_eq!(runs.len(), 4, "the same lengths every time: two repeats of each are enough, {runs:?}");
}
