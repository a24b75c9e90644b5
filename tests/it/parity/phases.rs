//! From options to phases: what a warm-up takes from the measured load, what a trace is replayed by, and how the
//! phases are echoed. What is expected is what AIPerf 0.13 echoed for the same options and rows.

use serde_json::{Value, json};

use crate::support::{Finished, Mock, Workspace, words};

const FAST: &str = "fixed?ttft=1ms&itl=1ms&output=3";
const TRACE: &str = r#"{"timestamp": 5000.5, "input_length": 40, "output_length": 4}
{"timestamp": 5040, "input_length": 20, "session_id": "S1", "output_length": 3}

{"input_length": 10, "session_id": "S1", "delay": 5, "output_length": 3}
"#;

/// Runs a command beside the trace, and gives the phases that its results echo, and those of its plan.
fn phases(arguments: &str) -> (Value, Value) {
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, FAST);
    workspace.file("trace.jsonl", TRACE);
    let common = "--streaming --no-server-metrics --no-gpu-telemetry";
    workspace.profile(&mock, &[words(common), words(arguments)].concat()).expect_code(0);
    let results = workspace.results("out");
    let plan = &results.json("provenance.json")["facts"]["run.plan"]["value"];
    (results.summary()["input_config"]["phases"].clone(), plan.clone())
}

#[test]
fn a_warm_up_takes_from_the_measured_load_what_its_own_options_leave_open() {
    let (echo, plan) = phases(
        "--request-rate 200 --arrival-smoothness 2 --concurrency 9 --warmup-request-count 3 --isl 10 --osl 2",
    );
    let warmup = json!({ "name": "warmup", "kind": "warmup", "type": "poisson", "exclude_from_results": true,
        "requests": 3, "concurrency": 9, "rate": 200.0 });
    let profiling = json!({ "name": "profiling", "kind": "profiling", "type": "gamma", "requests": 10,
        "concurrency": 9, "rate": 200.0, "smoothness": 2.0 });
    assert_eq!(echo, json!([warmup, profiling]), "smoothness alone makes gamma, of the measured load");
    assert_eq!(plan["warmup"]["shape"]["rate"]["cap"], 9);
    assert!(plan["profiling"]["shape"]["rate"]["process"].get("gamma").is_some(), "{plan}");

    // A rate of its own beside a closed load: the slots that are given cap it.
    let (echo, plan) = phases(
        "--concurrency 4 --warmup-request-rate 90 --warmup-request-count 3 --warmup-arrival-pattern gamma",
    );
    let warmup = json!({ "name": "warmup", "kind": "warmup", "type": "gamma", "exclude_from_results": true,
        "requests": 3, "concurrency": 4, "rate": 90.0 });
    let profiling = json!({ "name": "profiling", "kind": "profiling", "type": "concurrency", "requests": 10,
        "concurrency": 4 });
    assert_eq!(echo, json!([warmup, profiling]));
    assert_eq!(plan["warmup"]["shape"]["rate"]["cap"], 4);
    // Slots that nobody gave cap nothing.
    let (_, plan) = phases("--warmup-request-rate 90 --warmup-request-count 3");
    assert_eq!(plan["warmup"]["shape"]["rate"]["cap"], Value::Null);
}

#[test]
fn options_of_a_warm_up_that_nothing_asks_for_make_none_and_the_default_is_ten_requests() {
    let (echo, plan) =
        phases("--warmup-concurrency 3 --warmup-request-rate 9 --warmup-arrival-pattern constant");
    let profiling =
        json!({ "name": "profiling", "kind": "profiling", "type": "concurrency", "requests": 10 });
    assert_eq!(echo[0]["requests"], 10);
    assert_eq!(echo, json!([profiling]));
    assert_eq!(plan.get("warmup"), Some(&Value::Null));
}

#[test]
fn a_list_of_concurrencies_does_not_warm_up_at_them() {
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, FAST);
    let arguments = words(
        "--streaming --concurrency 2,3 --warmup-request-count 4 --request-count 6 --isl 10 --osl 2 \
         --no-server-metrics --no-gpu-telemetry",
    );
    workspace.profile(&mock, &arguments).expect_code(0);
    for (folder, slots) in [("out/concurrency_2", 2), ("out/concurrency_3", 3)] {
        let phases = &workspace.results(folder).summary()["input_config"]["phases"];
        assert_eq!((&phases[0]["concurrency"], &phases[1]["concurrency"]), (&json!(1), &json!(slots)));
        assert_eq!((&phases[0]["requests"], &phases[1]["requests"]), (&json!(4), &json!(6)));
    }
}

#[test]
fn a_warm_up_that_is_a_phase_of_a_file_takes_nothing_from_the_measured_one() {
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, FAST);
    let config = format!(
        "benchmark:\n  model: demo\n  endpoint: {{urls: [\"{}\"], streaming: true}}\n  tokenizer: {{name: builtin}}\n  \
         dataset: {{type: synthetic, entries: 4, prompts: {{isl: 10, osl: 2}}}}\n  phases:\n    \
         - {{name: warmup, kind: warmup, type: poisson, rate: 100, requests: 3}}\n    \
         - {{name: profiling, kind: profiling, type: constant, rate: 200, concurrency: 2, prefill_concurrency: 1, requests: 4}}\n",
        mock.url
    );
    workspace.file("run.yaml", &config);
    let finished = workspace.run(&words("profile -f run.yaml --artifact-dir out --ui none"));
    finished.expect_code(0);
    let plan = &workspace.results("out").json("provenance.json")["facts"]["run.plan"]["value"];
    let shape = &plan["warmup"]["shape"]["rate"];
    assert_eq!(shape["cap"], Value::Null);
    assert_eq!(shape["process"], json!({ "poisson": { "constant": 100.0 } }));
    assert!(plan["warmup"].get("prefill").is_none_or(Value::is_null), "{}", plan["warmup"]);
    assert_eq!(
        (&plan["profiling"]["prefill"], &plan["profiling"]["shape"]["rate"]["cap"]),
        (&json!(1), &json!(2))
    );
}

#[test]
fn a_trace_that_is_named_as_one_is_replayed_at_its_times() {
    let (echo, _) = phases(
        "--input-file trace.jsonl --custom-dataset-type mooncake_trace --concurrency 3 --warmup-request-count 1 \
         --warmup-request-rate 30 --synthesis-speedup-ratio 2",
    );
    let warmup = json!({ "name": "warmup", "kind": "warmup", "type": "poisson", "exclude_from_results": true,
        "requests": 1, "concurrency": 3, "rate": 30.0 });
    let profiling = json!({ "name": "profiling", "kind": "profiling", "type": "fixed_schedule", "requests": 3,
        "concurrency": 3 });
    assert_eq!(echo, json!([warmup, profiling]), "the echo counts the rows");

    // Whose type is only found out, it is a list of requests.
    let (echo, _) = phases("--input-file trace.jsonl");
    let profiling =
        json!({ "name": "profiling", "kind": "profiling", "type": "concurrency", "requests": 10 });
    assert_eq!(echo, json!([profiling]));

    let (echo, _) = phases(
        "--input-file trace.jsonl --custom-dataset-type mooncake_trace --no-fixed-schedule --request-rate 90 \
         --arrival-pattern gamma --arrival-smoothness 3 --num-conversations 3 --warmup-duration 0.1 \
         --warmup-grace-period 2",
    );
    let warmup = json!({ "name": "warmup", "kind": "warmup", "type": "gamma", "exclude_from_results": true,
        "duration": 0.1, "grace_period": 2.0, "rate": 90.0, "smoothness": 3.0 });
    let profiling = json!({ "name": "profiling", "kind": "profiling", "type": "gamma", "sessions": 3,
        "rate": 90.0, "smoothness": 3.0 });
    assert_eq!(echo, json!([warmup, profiling]));
}

#[test]
fn a_window_of_a_trace_starts_where_it_says_and_else_at_its_first_row() {
    let window = |arguments: &str| {
        let common = "--input-file trace.jsonl --custom-dataset-type mooncake_trace --fixed-schedule";
        let (echo, plan) = phases(&format!("{common} {arguments}"));
        let of = |key: &str| plan["workload"][key].clone();
        (echo[0].clone(), [of("auto_offset"), of("start_offset_ms"), of("end_offset_ms")])
    };
    let (echo, offsets) = window("--fixed-schedule-end-offset 5050");
    assert_eq!(offsets, [json!(true), Value::Null, json!(5050.0)], "it starts at its first row");
    assert_eq!((echo.get("auto_offset"), &echo["end_offset"]), (None, &json!(5050)));

    let (echo, offsets) = window(
        "--fixed-schedule-start-offset 5000 --fixed-schedule-end-offset 9000 --request-cancellation-rate 5 \
         --benchmark-duration 20",
    );
    assert_eq!(offsets[1..], [json!(5000.0), json!(9000.0)]);
    let expected = json!({ "name": "profiling", "kind": "profiling", "type": "fixed_schedule", "requests": 3,
        "auto_offset": false, "start_offset": 5000, "end_offset": 9000, "cancellation": { "rate": 5.0 },
        "duration": 20.0, "grace_period": 30.0 });
    assert_eq!(echo, expected);
    assert_eq!(window("--fixed-schedule-auto-offset").0["auto_offset"], true);
}

#[test]
fn lists_and_rates_do_not_go_with_a_schedule() {
    let workspace = Workspace::new();
    workspace.file("trace.jsonl", TRACE);
    let refused = |arguments: &str| {
        let Finished(output) = workspace.run(&words(&format!(
            "profile -m demo -u http://127.0.0.1:9 --tokenizer builtin --streaming --input-file trace.jsonl \
             --custom-dataset-type mooncake_trace {arguments}"
        )))
        .expect_code(1);
        assert!(output.stdout.is_empty());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    for (arguments, named) in [
        ("--concurrency 1,2", "--no-fixed-schedule"),
        ("--fixed-schedule --concurrency 1,2", "a list sweeps, and a fixed schedule"),
        ("--request-rate 5", "--no-fixed-schedule"),
        ("--fixed-schedule --request-rate 5", "--request-rate"),
        ("--fixed-schedule --fixed-schedule-auto-offset --fixed-schedule-start-offset 5", "auto-offset"),
    ] {
        let said = refused(arguments);
        assert!(said.contains(named), "{arguments}: {said}");
    }
    assert!(!workspace.path("artifacts").exists(), "nothing is written");
}
