//! `loadgen calibrate`, and the runs that cite what it found.

use serde_json::Value;

use crate::support::{Mock, Workspace, words};

#[test]
fn a_calibration_is_made_kept_and_cited_by_runs_of_its_host_and_version() {
    let workspace = Workspace::new();
    let made = workspace.run(&words("calibrate --quick")).expect_code(0);
    let stdout = made.stdout();
    for expected in
        ["requests/s", "token events/s", "open streams", "time to first token", "gap between tokens"]
    {
        assert!(stdout.contains(expected), "{expected} is not in\n{stdout}");
    }
    let kept = workspace.path("cache/loadgen/calibration.json");
    let mut calibration: Value = serde_json::from_str(&std::fs::read_to_string(&kept).unwrap()).unwrap();
    let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/calibration.json");
    let schema = serde_json::from_str(&std::fs::read_to_string(schema).unwrap()).unwrap();
    jsonschema::validator_for(&schema).unwrap().validate(&calibration).unwrap();
    assert_eq!(calibration["timing_error"]["tokens"], 6400);
    assert_eq!(calibration["quick"], true);
    for axis in ["requests_per_second", "token_events_per_second", "open_streams"] {
        assert!(!calibration[axis]["trials"].as_array().unwrap().is_empty(), "{axis} was tried");
    }

    let mock = Mock::start(&workspace, "fixed?ttft=1ms&itl=1ms");
    let cited = |more: &[&str]| {
        let mut arguments = words("--streaming --concurrency 1 --request-count 2 --isl 10 --osl 2");
        arguments.extend(more);
        let finished = workspace.profile(&mock, &arguments).expect_code(0);
        (workspace.results("out").quality()["ceiling"].clone(), finished.stderr())
    };
    let (ceiling, _) = cited(&[]);
    assert!(ceiling.to_string().contains(&*kept.to_string_lossy()), "{ceiling}");
    assert_eq!(cited(&["--calibration", "none"]).0, Value::Null);

    calibration["loadgen_version"] = "0.0.0".into();
    workspace.file("other.json", &calibration.to_string());
    let (ceiling, stderr) = cited(&["--calibration", "other.json"]);
    assert_eq!(ceiling, Value::Null);
    assert!(stderr.contains("other.json was made on another host or by another version"), "{stderr}");
}
