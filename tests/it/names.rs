//! The program under its other names: the links and packages of `--install-aliases`, GenAI-Perf's command line
//! and files, and AIPerf's configuration file.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::{Finished, Mock, Workspace, words};

/// Runs `program` in the workspace, with the environment of its other programs.
fn run(workspace: &Workspace, program: &Path, arguments: &[&str]) -> Finished {
    let plain = workspace.loadgen();
    let mut command = Command::new(program);
    for (name, value) in plain.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.env("PYTHONPATH", workspace.path("bin/python"));
    command.current_dir(workspace.path("")).args(arguments).stdin(Stdio::null());
    Finished(command.output().unwrap())
}

fn installed() -> Workspace {
    let workspace = Workspace::new();
    let told = workspace.run(&["--install-aliases", "bin"]).expect_code(0).stdout();
    assert!(told.contains("export PATH=") && told.contains("export PYTHONPATH="), "{told}");
    workspace
}

#[test]
fn of_a_wrong_command_standard_output_says_nothing() {
    let workspace = installed();
    workspace.file("taken", "a file");
    let head = "profile -m m -u http://127.0.0.1:9 --tokenizer builtin --osl 5 --artifact-dir out";
    for (wrong, says) in [
        (&["--session-header", "x y"][..], "--session-header x y"),
        (&["-H", "X: a\r\nb"], "--header X"),
        (&["--isl", "99999999999"], "--isl"),
        (&["--endpoint-type", "raw"], "--endpoint-type raw"),
        (&["--endpoint-type", "template"], "payload_template"),
        (&["--artifact-dir", "taken/below"], "--artifact-dir"),
    ] {
        let head: Vec<&str> = head.split(' ').collect();
        let cut = if wrong[0] == "--artifact-dir" { head.len() - 2 } else { head.len() };
        let line = [&head[..cut], wrong].concat();
        let finished = run(&workspace, &workspace.path("bin/aiperf"), &line).expect_code(1);
        assert_eq!(finished.stdout(), "", "{wrong:?}");
        assert!(finished.stderr().contains(says), "{wrong:?}: {}", finished.stderr());
        assert!(!workspace.path("out").exists(), "{wrong:?}: nothing is written");
    }
}

#[test]
fn links_and_packages_answer_to_their_names() {
    let workspace = installed();
    let aiperf = run(&workspace, &workspace.path("bin/aiperf"), &["--version"]).expect_code(0);
    assert_eq!(aiperf.stdout(), "0.13.0\n");
    let genai_perf = run(&workspace, &workspace.path("bin/genai-perf"), &["--version"]).expect_code(0);
    assert_eq!(genai_perf.stdout(), "genai-perf 0.0.16\n");
    let help = run(&workspace, &workspace.path("bin/aiperf"), &["profile", "--help"]).expect_code(0).stdout();
    assert!(help.contains("aiperf profile"), "{help}");
    // Again over its own links, and never over what is someone else's.
    workspace.run(&["--install-aliases", "bin"]).expect_code(0);
    std::fs::create_dir(workspace.path("theirs")).unwrap();
    workspace.file("theirs/aiperf", "#!/bin/sh\n");
    let refused = workspace.run(&["--install-aliases=theirs"]).expect_code(1);
    assert!(refused.stderr().contains("is no link to loadgen"), "{}", refused.stderr());
    assert!(!workspace.path("theirs/genai-perf").exists());

    let python = Path::new("/usr/bin/python3");
    if python.exists() {
        for (module, said) in [("aiperf", "0.13.0\n"), ("genai_perf", "genai-perf 0.0.16\n")] {
            let version = run(&workspace, python, &["-m", module, "--version"]).expect_code(0);
            assert_eq!(version.stdout(), said);
        }
        let told =
            run(&workspace, python, &["-c", "import aiperf; print(aiperf.__version__)"]).expect_code(0);
        assert_eq!(told.stdout(), "0.13.0\n");
    }
}

#[test]
fn a_run_of_genai_perf_leaves_genai_perfs_files() {
    let workspace = installed();
    let mock = Mock::start(&workspace, "fixed?ttft=1ms&itl=1ms");
    let line = format!(
        "profile -m org/demo --tokenizer builtin --endpoint-type chat --streaming -u {} \
         --synthetic-input-tokens-mean 20 --output-tokens-mean 6 --extra-input ignore_eos:true --concurrency 2 \
         --num-prompts 4 --warmup-request-count 2 --artifact-dir out --profile-export-file my_run.json --goodput \
         time_to_first_token:10000 request_latency:10000 --stability-percentage 50 -- --request-count=8 --async -H \
         Authorization:Bearer:hush",
        mock.url.trim_start_matches("http://")
    );
    let finished = run(&workspace, &workspace.path("bin/genai-perf"), &words(&line)).expect_code(0);
    let stderr = finished.stderr();
    assert!(stderr.contains("--stability-percentage") && stderr.contains("behind --: --async"), "{stderr}");

    let results = workspace.results("out/org_demo-openai-chat-concurrency2");
    let summary = results.json("my_run_genai_perf.json");
    let keys: Vec<&String> = summary.as_object().unwrap().keys().collect();
    let wanted = [
        "request_throughput",
        "request_latency",
        "request_count",
        "time_to_first_token",
        "time_to_second_token",
        "inter_token_latency",
        "output_token_throughput",
        "output_token_throughput_per_user",
        "output_sequence_length",
        "input_sequence_length",
        "request_goodput",
        "input_config",
    ];
    assert_eq!(keys, wanted);
    assert_eq!(summary["request_count"], json!({"unit": "count", "avg": 8.0}));
    assert_eq!(summary["output_sequence_length"]["avg"], 6.0);
    assert_eq!(summary["input_sequence_length"]["unit"], "tokens");
    assert_eq!(summary["input_config"]["model_names"], json!(["org/demo"]));
    assert_eq!(summary["input_config"]["perf_analyzer"]["warmup_request_count"], 2);

    let csv = results.text("my_run_genai_perf.csv");
    let rows: Vec<&str> = csv.split("\r\n").collect();
    assert_eq!(rows[0], "Metric,avg,min,max,p99,p95,p90,p75,p50,p25,p10,p5,p1");
    assert!(rows[1].starts_with("Time To First Token (ms),"), "{csv}");
    assert!(rows.contains(&"Request Count (count),8.00") && rows.contains(&"Metric,Value"), "{csv}");

    let export = results.json("my_run.json");
    let requests = export["experiments"][0]["requests"].as_array().unwrap();
    assert_eq!(requests.len(), 8, "the measured requests");
    assert!(requests.iter().all(|request| {
        let stamps = request["response_timestamps"].as_array().unwrap();
        stamps.len() == 6 && stamps[0].as_i64() > request["timestamp"].as_i64()
    }));
    assert_eq!(results.json("inputs.json")["data"].as_array().map(Vec::len), Some(4));
    let payload = &results.json("inputs.json")["data"][0]["payloads"][0];
    assert_eq!((&payload["max_tokens"], &payload["ignore_eos"]), (&json!(6), &json!(true)));
    for absent in ["profile_export_aiperf.json", "my_run_aiperf.json", "phase_manifest.json"] {
        assert!(!results.path(absent).exists(), "{absent}");
    }
    for (name, bytes) in results.files() {
        assert!(!String::from_utf8_lossy(&bytes).contains("Bearer:hush"), "{name}");
    }

    // The same files from the journal alone.
    let (json, csv, export) =
        (results.text("my_run_genai_perf.json"), csv.clone(), results.text("my_run.json"));
    for name in ["my_run_genai_perf.json", "my_run_genai_perf.csv", "my_run.json"] {
        std::fs::remove_file(results.path(name)).unwrap();
    }
    workspace.run(&["report", "out/org_demo-openai-chat-concurrency2"]).expect_code(0);
    assert_eq!(results.text("my_run_genai_perf.json"), json);
    assert_eq!(results.text("my_run_genai_perf.csv"), csv);
    assert_eq!(results.text("my_run.json"), export);
}

#[test]
fn genai_perf_refuses_other_servers_and_subcommands_by_name() {
    let workspace = installed();
    let genai_perf = workspace.path("bin/genai-perf");
    for (line, said) in [
        ("profile -m ensemble --service-kind triton --backend tensorrtllm", "--service-kind triton"),
        ("analyze -m x --sweep-type concurrency", "`genai-perf analyze` is not built"),
        ("profile -m x --endpoint-type chat --no-such-option", "unrecognized argument: --no-such-option"),
        ("profile -m x --endpoint-type chat --concurrency 1 --request-rate 2", "cannot stand beside"),
    ] {
        let refused = run(&workspace, &genai_perf, &words(line)).expect_code(1);
        assert!(refused.stderr().contains(said), "{line}: {}", refused.stderr());
        assert_eq!(refused.stdout(), "");
        assert!(!workspace.path("artifacts").exists());
    }
}

const CONFIG: &str = r#"schemaVersion: "2.0"
randomSeed: 1
benchmark:
  model: demo
  endpoint: {url: "${SERVER:mock://fixed}", streaming: true}
  tokenizer: {name: builtin}
  dataset: {type: synthetic, entries: 4, prompts: {isl: 16, osl: 4}}
  phases: {type: concurrency, concurrency: 2, requests: 6}
  artifacts: {dir: ./out}
  runtime: {ui: none}
"#;

#[test]
fn a_configuration_file_runs_below_the_flags() {
    let workspace = installed();
    workspace.file("chat.yaml", CONFIG);
    let line = words("profile -f chat.yaml --request-count 5 --url mock://fixed?ttft=1ms&itl=1ms");
    run(&workspace, &workspace.path("bin/aiperf"), &line).expect_code(0);
    let summary = workspace.results("out").summary();
    assert_eq!(summary["request_count"]["avg"], 5.0);
    assert_eq!(summary["output_sequence_length"]["avg"], 4.0);
    let echo = &summary["input_config"];
    assert_eq!(echo["phases"][0]["requests"], 5);
    assert_eq!(echo["datasets"][0]["prompts"], json!({"isl": {"value": 16.0}, "osl": {"value": 4.0}}));
    let dir = workspace.path("out").canonicalize().unwrap();
    assert_eq!(Path::new(echo["artifacts"]["dir"].as_str().unwrap()).canonicalize().unwrap(), dir);
    let command = summary["run_info"]["cli_command"].as_str().unwrap();
    assert!(command.starts_with("aiperf profile -f 'chat.yaml' --request-count 5"), "{command}");
}

#[test]
fn a_wrong_configuration_file_stops_before_anything_is_sent() {
    let workspace = Workspace::new();
    workspace.file("typo.yaml", &CONFIG.replace("concurrency: 2", "concurency: 2"));
    let refused = workspace.run(&["profile", "-f", "typo.yaml"]).expect_code(1);
    let said = "error: typo.yaml:8:31: benchmark.phases.profiling.concurency: unknown key: did you mean \"concurrency\"?";
    assert!(refused.stderr().contains(said), "{}", refused.stderr());
    let refused = workspace.run(&["profile", "-f", "nowhere.yaml"]).expect_code(1);
    assert!(refused.stderr().contains("--config: cannot read nowhere.yaml"), "{}", refused.stderr());
    workspace.file("good.yaml", CONFIG);
    let refused = workspace.run(&words("profile -f good.yaml --sweep-type zip")).expect_code(1);
    assert!(refused.stderr().contains("--sweep-type cannot stand beside a file"), "{}", refused.stderr());
    // What only the plan finds is traced back to its line.
    workspace.file(
        "path.yaml",
        &CONFIG.replace("type: synthetic, entries: 4", "type: synthetic, entries: 99999999999"),
    );
    let refused = workspace.run(&["profile", "-f", "path.yaml"]).expect_code(1);
    let stderr = refused.stderr();
    assert!(
        stderr.contains("hint: --num-dataset-entries is benchmark.datasets.default.entries in path.yaml:7"),
        "{stderr}"
    );
    assert!(!workspace.path("out").exists());
}

#[test]
fn configuration_files_are_written_expanded_and_checked() {
    let workspace = Workspace::new();
    workspace
        .run(&words("config init -t sweep_distributions -m demo -u http://h:1 -o s.yaml"))
        .expect_code(0);
    let checked = workspace.run(&words("config validate s.yaml")).expect_code(0);
    assert_eq!(checked.stdout(), "Configuration valid: s.yaml\n");
    let text = workspace.run(&words("config expand s.yaml")).expect_code(0).stdout();
    assert!(
        text.starts_with("Sweep type: GridSweep (6 variations)\n\n[0] dir=isl_256__rate_2  label="),
        "{text}"
    );
    let listed = workspace.run(&words("config expand s.yaml -i 5 -f json")).expect_code(0).stdout();
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed["variations"][0]["dir_name"], "isl_1024__rate_10");
    let benchmark = &listed["variations"][0]["benchmark"];
    assert_eq!(benchmark["phases"][0]["rate"], 10.0);
    // AIPerf's defaults are filled in, in the order in which it writes them.
    assert_eq!(
        (&benchmark["artifacts"]["dir"], &benchmark["endpoint"]["timeout"]),
        (&json!("artifacts"), &json!(21600.0))
    );
    let keys: Vec<&String> = benchmark.as_object().unwrap().keys().collect();
    assert_eq!(keys[..4], ["models", "endpoint", "datasets", "phases"]);
    let full = workspace.run(&words("config expand s.yaml -F -i 0")).expect_code(0).stdout();
    assert!(full.contains("\n    models:\n      strategy: round_robin\n"), "{full}");
    workspace.run(&words("config expand s.yaml -i 6")).expect_code(1);
    workspace.run(&words("config init -t nope")).expect_code(1);
    let needs = workspace.run(&words("config init -t ramping")).expect_code(1).stderr();
    assert!(needs.contains("needs what is not built yet: ramps"), "{needs}");
    assert!(workspace.run(&words("config init --list")).expect_code(0).stdout().contains("warmup_profiling"));
}
