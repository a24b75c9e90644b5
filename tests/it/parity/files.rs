//! What stands in files where there is nothing to say: absent, never null, never a number that is none.

use std::path::Path;

use serde_json::Value;

use crate::support::scripted::{Answer, Scripted, chat};
use crate::support::{Mock, Workspace, words};

/// Files that AIPerf has not, and bodies as they were sent.
const OURS: [&str; 4] = ["experiment.json", "provenance.json", "measurement_quality.json", "inputs.json"];

/// Every value of a document, with the names on the way to it.
fn walk<'a>(value: &'a Value, way: &str, seen: &mut dyn FnMut(&str, &'a Value)) {
    seen(way, value);
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                walk(value, &format!("{way}/{key}"), seen);
            }
        }
        Value::Array(items) => {
            for item in items {
                walk(item, way, seen);
            }
        }
        _ => {}
    }
}

/// The documents of a folder and of those in it: each JSON file and each line of lines, with its name.
fn documents(folder: &Path) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if path.file_name().unwrap() != "journal" {
                found.extend(documents(&path));
            }
            continue;
        }
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let parse = |text: &str| {
            let value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{name}: {error}: {text}"));
            (name.clone(), value)
        };
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("json") => found.push(parse(&std::fs::read_to_string(&path).unwrap())),
            Some("jsonl") => found.extend(std::fs::read_to_string(&path).unwrap().lines().map(parse)),
            _ => {}
        }
    }
    found
}

/// Answers of no words, of one, broken ones, and metrics that are no numbers: whatever divides by nothing.
fn degenerate() -> Scripted {
    let mut count = 0;
    Scripted::start(move |asked| {
        if !asked.is_load() {
            let page = "# TYPE demo_a gauge\ndemo_a NaN\n# TYPE demo_b gauge\ndemo_b +Inf\n# TYPE demo_c gauge\n\
                        demo_c 0\n# TYPE demo_d counter\ndemo_d_total NaN\n# TYPE demo_e_total counter\ndemo_e_total 0\n";
            return Answer::new(200, "text/plain; version=0.0.4", page);
        }
        count += 1;
        match count % 4 {
            0 => Answer::json(500, &serde_json::json!({ "error": "no" })),
            1 => chat(asked, &[]),
            _ => chat(asked, &[" a"]),
        }
    })
}

#[test]
fn no_file_holds_a_number_that_is_none() {
    let server = degenerate();
    let workspace = Workspace::new();
    let arguments = words(
        "--streaming --concurrency 2 --request-count 9 --isl 10 --osl 1 --num-profile-runs 2 --slice-duration 1 \
         --export-level raw --export-outputs-json --export-http-trace --no-gpu-telemetry --goodput \
         inter_token_latency:1 --server-metrics-formats json csv jsonl",
    );
    workspace.profile_at(&server.url(), &arguments).expect_code(0);
    let documents = documents(&workspace.path("out"));
    assert!(documents.len() > 50, "all of them are read: {}", documents.len());
    let word = |text: &str| {
        let text = text.trim_start_matches(['-', '+']).to_ascii_lowercase();
        matches!(text.as_str(), "nan" | "inf" | "infinity")
    };
    for (name, document) in &documents {
        walk(document, "", &mut |way, value| {
            assert!(!value.as_str().is_some_and(word), "{name}{way}: {value}");
            // AIPerf's own nulls: the spread of a mean of zero, the interval of a single run, no answer.
            let aiperfs = ["/cv", "/t_critical", "/response_text"].iter().any(|key| way.ends_with(key));
            let may_be_null = aiperfs || OURS.contains(&name.as_str());
            assert!(!value.is_null() || may_be_null, "{name}{way} is null");
        });
    }
    let mut cells = 0;
    for (name, bytes) in workspace.results("out").files() {
        if Path::new(&name).extension().is_some_and(|extension| extension == "csv") {
            let text = String::from_utf8(bytes).unwrap();
            // Of a mean of zero AIPerf writes a spread of `inf`, in the aggregate alone.
            let is_aggregate = name.ends_with("_aggregate.csv");
            for cell in text.lines().flat_map(|line| line.split(',')) {
                assert!(!word(cell.trim()) || (is_aggregate && cell == "inf"), "{name}: {cell}");
                cells += 1;
            }
        }
    }
    assert!(cells > 100, "{cells}");
}

#[test]
fn what_is_not_known_is_absent_and_counts_are_whole_numbers_where_aiperf_writes_them_so() {
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, "fixed?ttft=1ms&itl=1ms&fault=500&every=4");
    let arguments =
        words("--streaming --concurrency 2 --request-count 8 --isl 20 --osl 8 --export-outputs-json");
    workspace.profile(&mock, &arguments).expect_code(0);
    let results = workspace.results("out");

    let records = results.records();
    let (failed, fine): (Vec<_>, Vec<_>) = records.iter().partition(|record| record.get("error").is_some());
    assert_eq!((failed.len(), fine.len()), (2, 6));
    for record in &records {
        walk(record, "", &mut |way, value| assert!(!value.is_null(), "{way} is null"));
        assert_eq!(record["metadata"].get("cancellation_time_ns"), None);
    }
    for record in fine {
        assert_eq!(record["metrics"]["output_sequence_length"]["value"].to_string(), "8");
        assert_eq!(record["metrics"]["input_sequence_length"]["value"].to_string(), "20");
        assert!(record["metrics"]["request_latency"]["value"].is_f64());
    }

    let outputs = results.json("outputs.json");
    let outputs = outputs["data"].as_array().unwrap();
    let (failed, fine): (Vec<_>, Vec<_>) =
        outputs.iter().partition(|answer| answer["response_text"].is_null());
    assert_eq!((failed.len(), fine.len()), (2, 6));
    assert!(failed.iter().all(|answer| answer["metrics"] == serde_json::json!({})), "{failed:?}");
    for answer in fine {
        walk(answer, "", &mut |way, value| assert!(!value.is_null(), "{way} is null"));
        assert_eq!(answer["metrics"]["output_sequence_length"].to_string(), "8", "{answer}");
        assert!(answer["metrics"]["request_latency"].is_f64());
    }

    let summary = results.summary();
    let metrics = summary.as_object().unwrap().iter().filter(|(_, value)| value.get("unit").is_some());
    let (mut scalars, mut of_records) = (0, 0);
    for (tag, metric) in metrics {
        for (stat, value) in metric.as_object().unwrap().iter().filter(|(stat, _)| *stat != "unit") {
            assert_eq!(value.is_f64(), stat != "count", "{tag}.{stat} = {value}");
        }
        match metric.get("count") {
            Some(_) => {
                of_records += 1;
                // Those with infinitely large samples have none, as in AIPerf.
                let has_sum = !tag.starts_with("adj_");
                assert_eq!(metric.get("sum").is_some(), has_sum, "{tag} is of records");
            }
            None => scalars += 1,
        }
    }
    assert!(scalars > 10 && of_records > 10, "{scalars} {of_records}");
    for scalar in
        ["request_count", "request_throughput", "benchmark_duration", "total_osl", "error_request_count"]
    {
        let keys: Vec<&String> = summary[scalar].as_object().unwrap().keys().collect();
        assert_eq!(keys, ["unit", "avg"], "{scalar}");
    }
    let csv = results.text("profile_export_aiperf.csv");
    let head: Vec<&str> = csv.lines().next().unwrap().split(',').collect();
    let sum = head.iter().position(|column| *column == "sum").unwrap();
    let row = csv.lines().find(|line| line.starts_with("Output Sequence Length")).unwrap();
    assert_eq!(row.split(',').nth(sum), Some("48.00"), "{row}");
}

/// As AIPerf's, the prefix may lead into folders, below the run's or elsewhere; what it does not name stays.
#[test]
fn a_prefix_may_begin_with_folders() {
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, "fixed?ttft=1ms&itl=1ms");
    let elsewhere = workspace.path("else/where/run");
    for prefix in ["sub/run.json", "./run", elsewhere.to_str().unwrap()] {
        let arguments =
            "--streaming --concurrency 1 --request-count 2 --warmup-request-count 1 --isl 9 --osl 3";
        let arguments = [&words(arguments)[..], &["--profile-export-prefix", prefix]].concat();
        workspace.profile(&mock, &arguments).expect_code(0);
        let results = workspace.results("out");
        let base = workspace.path("out").join(prefix.trim_end_matches(".json"));
        let read = |end: &str| std::fs::read(format!("{}{end}", base.display())).unwrap();
        let files = [".json", ".csv", ".jsonl", ".parquet", "_console.txt"];
        let before = files.map(read);
        assert!(before.iter().all(|file| !file.is_empty()), "{prefix}");
        for name in ["inputs.json", "report.html", "phases/warmup/run.json", "phases/profiling/run.csv"] {
            assert!(results.path(name).is_file(), "{prefix}: {name}");
        }
        for end in files {
            std::fs::remove_file(format!("{}{end}", base.display())).unwrap();
        }
        // A copy of the run's folder has not those of the prefix.
        let _ = std::fs::remove_dir(base.parent().unwrap());
        workspace.run(&["report", "out"]).expect_code(0);
        assert!(files.map(read) == before, "{prefix}: made again from the journal");
    }
    // Runs in folders of their own must not replace one another's files.
    let sweep = ["--concurrency", "1,2", "--profile-export-prefix", "../run", "--request-count", "2"];
    let said = workspace.profile(&mock, &sweep).expect_code(1).stderr();
    assert!(said.contains("--profile-export-prefix ../run") && said.contains("each run"), "{said}");
    let said = workspace.profile(&mock, &["--profile-export-prefix", "sub/", "--request-count", "2"]);
    assert!(said.expect_code(1).stderr().contains("the beginning of a file's name"));
}
