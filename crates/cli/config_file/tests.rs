//! Whole files: what they become, what flags do to them, and what is wrong with others.
//!
//! The files are those that AIPerf 0.13 was run with, and `REFUSED` and `TAKEN` hold what its own
//! `config validate` said of the same keys.

#![allow(clippy::unwrap_used)]

use serde_json::json;

use super::*;

const CHAT: &str = r#"schemaVersion: "2.0"
randomSeed: 1
benchmark:
  model: mock-model
  endpoint: {url: http://127.0.0.1:18160, type: chat, streaming: true}
  tokenizer: {name: builtin}
  dataset:
    type: synthetic
    entries: 10
    prompts: {isl: 32, osl: 8}
  phases: {type: concurrency, concurrency: 2, requests: 10}
  slos: {time_to_first_token: 1000}
  artifacts: {dir: ./artifacts}
  runtime: {ui: none}
"#;

const MOONCAKE: &str = r#"schemaVersion: "2.0"
randomSeed: 1
benchmark:
  model: mock-model
  endpoint: {url: http://127.0.0.1:18160, type: chat, streaming: true}
  tokenizer: {name: builtin}
  dataset: {type: file, path: ./trace.jsonl, format: mooncake_trace}
  phases: {type: fixed_schedule, autoOffset: true}
  artifacts: {dir: ./artifacts}
  runtime: {ui: none}
"#;

const RATE_WARMUP: &str = r#"schemaVersion: "2.0"
randomSeed: 1
variables: {r: 10}
benchmark:
  model: ${MODEL_NAME:mock-model}
  endpoint: {url: http://127.0.0.1:18160, type: chat, streaming: true}
  tokenizer: {name: builtin}
  dataset:
    type: synthetic
    isl: {mean: 32, stddev: 4}
    osl: {mean: 8, stddev: 1}
  warmup: {type: concurrency, requests: 4, concurrency: 2}
  profiling: {type: poisson, rate: "{{ r * 2 }}", duration: 2s, concurrency: 8, gracePeriod: 5s}
  artifacts: {dir: ./artifacts, summary: [json], records: [jsonl], sliceDuration: 1}
  serverMetrics: {enabled: false}
  gpuTelemetry: {enabled: false}
  runtime: {ui: none}
"#;

/// The file that the short tests change.
const BASE: &str = "benchmark:
  model: mock-model
  endpoint: {url: http://127.0.0.1:18160, streaming: true}
  dataset: {type: synthetic, prompts: {isl: 32, osl: 8}}
  phases: {type: concurrency, concurrency: 2, requests: 4}
";

fn read(text: &str) -> Result<ConfigFile> {
    ConfigFile::parse("c.yaml".to_owned(), text, &|_| None)
}

fn refused(text: &str) -> String {
    match read(text) {
        Err(why) => why.to_string(),
        Ok(file) => panic!("taken: {text}\n{:?}", file.settings),
    }
}

/// A file beside the flags of a command line.
fn beside(text: &str, flags: &[&str]) -> ConfigFile {
    let argv: Vec<OsString> =
        ["loadgen", "profile", "-f", "c.yaml"].iter().chain(flags).map(OsString::from).collect();
    let argv = crate::argv::normalise(argv);
    let mut file = read(text).unwrap();
    let given = given::given(&argv);
    file.argv = given::merge_goodput(&mut file.settings, &given, argv);
    file.given = given;
    file
}

/// The words that a file becomes, behind the name of the command.
fn words(file: &ConfigFile) -> Vec<String> {
    let words = file.words(&file.settings).into_iter();
    words.map(|word| word.into_string().unwrap()).skip(2).collect()
}

fn args(file: &ConfigFile) -> ProfileArgs {
    parse_profile(&file.words(&file.settings), &[]).unwrap()
}

#[test]
fn a_file_becomes_the_options_that_say_the_same() {
    assert_eq!(
        words(&beside(CHAT, &[])),
        [
            "--random-seed=1",
            "--endpoint-type=chat",
            "--streaming",
            "--url=http://127.0.0.1:18160",
            "--tokenizer=builtin",
            "--artifact-dir=./artifacts",
            "--ui=none",
            "--model=mock-model",
            "--goodput=time_to_first_token:1000",
            "--num-dataset-entries=10",
            "--isl=32",
            "--osl=8",
            "--request-count=10",
            "--concurrency=2",
            "-f",
            "c.yaml",
        ]
    );
    let trace = words(&beside(MOONCAKE, &[]));
    for word in ["--input-file=./trace.jsonl", "--custom-dataset-type=mooncake_trace", "--fixed-schedule"] {
        assert!(trace.contains(&word.to_owned()), "{word}: {trace:?}");
    }
    assert!(!trace.contains(&"--no-fixed-schedule".to_owned()));
}

#[test]
fn environment_templates_and_phases_are_read() {
    let file = beside(RATE_WARMUP, &[]);
    let words = words(&file);
    for word in [
        "--model=mock-model",
        "--isl=32",
        "--isl-stddev=4",
        "--request-rate=20",
        "--arrival-pattern=poisson",
        "--benchmark-duration=2",
        "--benchmark-grace-period=5",
        "--concurrency=8",
        "--warmup-request-count=4",
        "--warmup-concurrency=2",
        "--slice-duration=1",
        "--no-server-metrics",
        "--no-gpu-telemetry",
        "--num-dataset-entries=100",
    ] {
        assert!(words.contains(&word.to_owned()), "{word}: {words:?}");
    }
    assert!(file.settings.own_warmup, "the warm-up is not paced by the measured rate");
}

#[test]
fn every_option_of_a_file_is_one_that_the_parser_knows() {
    for text in [CHAT, MOONCAKE, RATE_WARMUP] {
        args(&beside(text, &[]));
    }
}

#[test]
fn flags_win_and_the_echo_shows_what_won() {
    let flags =
        ["--concurrency", "3", "--request-count", "12", "--osl", "5", "--url", "http://localhost:18160"];
    let file = beside(CHAT, &[&flags[..], &["--export-level", "summary"]].concat());
    let args = args(&file);
    assert_eq!(args.load.concurrency.as_ref().map(crate::args::swept::Swept::first), Some(3));
    assert_eq!(args.endpoint.urls, ["http://localhost:18160"]);
    let echo = file.input_config(&args);
    assert_eq!(
        echo["datasets"],
        json!([{"name": "default", "type": "synthetic", "entries": 10,
                "prompts": {"isl": {"value": 32.0}, "osl": {"mean": 5.0}}}])
    );
    assert_eq!(
        echo["phases"],
        json!([{"name": "profiling", "kind": "profiling", "type": "concurrency", "requests": 12, "concurrency": 3}])
    );
    assert_eq!(echo["endpoint"]["urls"], json!(["http://localhost:18160"]));
    assert_eq!(echo["artifacts"], json!({"dir": "./artifacts", "records": false, "raw": false}));
    assert_eq!(echo["slos"], json!({"time_to_first_token": 1000.0}));
    let keys: Vec<&String> = echo.as_object().unwrap().keys().collect();
    let order = [
        "models",
        "endpoint",
        "datasets",
        "phases",
        "artifacts",
        "slos",
        "tokenizer",
        "network_latency",
        "runtime",
    ];
    assert_eq!(keys, order);
}

#[test]
fn secrets_of_a_file_are_not_echoed() {
    let text = BASE.replace(
        "streaming: true}",
        "streaming: true, apiKey: sk-1, headers: {Authorization: Bearer sk-2, X-A: b}, extra: {api_token: sk-3, n: 1}}",
    );
    let file = beside(&text, &["-H", "Cookie: sk-4"]);
    let echo = file.input_config(&args(&file)).to_string();
    for secret in ["sk-1", "sk-2", "sk-3", "sk-4"] {
        assert!(!echo.contains(secret), "{echo}");
    }
    assert!(echo.contains("\"X-A\":\"b\""), "{echo}");
    let words = words(&file);
    assert!(words.contains(&"--header={\"Authorization\":\"Bearer sk-2\"}".to_owned()), "{words:?}");
}

#[test]
fn a_list_on_the_command_line_is_one_value_in_each_run() {
    let file = beside(CHAT, &["--concurrency", "1,2"]);
    let words = file.words(&file.settings);
    for value in ["1", "2"] {
        let args = parse_profile(&words, &["--concurrency".into(), value.into()]).unwrap();
        let concurrency = file.input_config(&args)["phases"][0]["concurrency"].clone();
        assert_eq!(concurrency, json!(value.parse::<u64>().unwrap()));
    }
}

#[test]
fn sweeps_make_a_command_line_of_each_point() {
    let text = format!(
        "{CHAT}sweep:\n  type: grid\n  parameters:\n    concurrency: [1, 2]\n    datasets.default.prompts.osl: [4, 8]\n"
    );
    let file = beside(&text, &["--request-count", "6"]);
    let origin = Origin { config: Some(Arc::new(file)), ..Origin::default() };
    let points = variations(&origin).unwrap().unwrap();
    let found: Vec<(String, String, u64, u64)> = points
        .iter()
        .map(|(variation, args)| {
            let first = crate::args::swept::Swept::first;
            let (slots, osl) =
                (args.load.concurrency.as_ref().map(first), args.lengths.osl.as_ref().map(first));
            (variation.folder.clone(), variation.label.clone(), slots.unwrap(), osl.unwrap())
        })
        .collect();
    let point = |osl: u64, slots: u64| {
        let label = format!("datasets.default.prompts.osl={osl}, phases.profiling.concurrency={slots}");
        (format!("osl_{osl}__concurrency_{slots}"), label, slots, osl)
    };
    assert_eq!(found, [point(4, 1), point(4, 2), point(8, 1), point(8, 2)]);
    let (_, last) = &points[3];
    let echo = last.origin.config.as_ref().unwrap().input_config(last);
    assert_eq!(echo["datasets"][0]["prompts"]["osl"], json!({"value": 8.0}));
    assert_eq!(echo["phases"][0]["requests"], 6);
    assert_eq!(last.load.request_count.as_ref().map(crate::args::swept::Swept::first), Some(6));
}

#[test]
fn scenarios_and_variables_make_points_too() {
    let text = format!(
        "{BASE}sweep:\n  type: scenarios\n  runs:\n    - name: short\n      benchmark: {{dataset: {{prompts: {{isl: 16}}}}}}\n    \
         - name: busy\n      benchmark: {{profiling: {{concurrency: 9}}}}\n"
    );
    let origin = Origin { config: Some(Arc::new(beside(&text, &[]))), ..Origin::default() };
    let points = variations(&origin).unwrap().unwrap();
    let first = crate::args::swept::Swept::first;
    assert_eq!(points[0].0.label, "short");
    assert_eq!(points[0].1.lengths.isl.as_ref().map(first), Some(16));
    assert_eq!(points[0].1.lengths.osl.as_ref().map(first), Some(8));
    assert_eq!(points[1].0.folder, "busy");
    assert_eq!(points[1].1.load.concurrency.as_ref().map(first), Some(9));
    assert_eq!(points[1].1.load.request_count.as_ref().map(first), Some(4));

    let text = BASE.replace("requests: 4", "requests: '{{ n * 2 }}'")
        + "variables: {n: 1}\nsweep: {type: zip, parameters: {variables.n: [3, 5]}}\n";
    let origin = Origin { config: Some(Arc::new(beside(&text, &[]))), ..Origin::default() };
    let points = variations(&origin).unwrap().unwrap();
    let counts: Vec<_> = points.iter().map(|(_, args)| args.load.request_count.as_ref().map(first)).collect();
    assert_eq!(counts, [Some(6), Some(10)]);
}

#[test]
fn a_list_beside_a_sweep_is_refused() {
    let text = format!("{BASE}sweep: {{parameters: {{concurrency: [1, 2]}}}}\n");
    let file = beside(&text, &["--isl", "8,16"]);
    let origin = Origin { config: Some(Arc::new(file)), ..Origin::default() };
    assert!(
        variations(&origin).unwrap_err().to_string().contains("--isl: a list of values cannot stand beside")
    );
}

#[test]
fn what_aiperf_refuses_is_refused_with_its_line() {
    for (change, said) in REFUSED {
        let text = change(BASE);
        let why = refused(&text);
        assert!(why.contains(said), "{text}\n{why}");
        assert!(why.contains("c.yaml"), "{why}");
    }
}

#[test]
fn what_aiperf_takes_is_taken() {
    for change in TAKEN {
        let text = change(BASE);
        let read = read(&text);
        assert!(read.is_ok(), "{text}\n{}", read.unwrap_err());
    }
}

#[test]
fn what_is_not_built_yet_is_right_and_says_so() {
    for (change, said) in [
        ("isl: {mean: 5, median: 4}", "isl.median: is not built yet"),
        ("isl: 32, osl: {value: 8, max: 9}", "osl.max: is not built yet"),
    ] {
        let text = BASE.replace("isl: 32, osl: 8", change);
        let unbuilt = read(&text).unwrap().unbuilt().unwrap();
        assert!(unbuilt.contains(said), "{unbuilt}");
    }
    for ramp in ["concurrencyRamp: 3", "concurrencyRamp: {duration: 3, strategy: linear}"] {
        let text = BASE.replace("concurrency: 2", &format!("concurrency: 2, {ramp}"));
        let unbuilt = read(&text).unwrap().unbuilt().unwrap();
        assert!(unbuilt.contains("concurrency_ramp: ramps are not built yet"), "{unbuilt}");
    }
    for sweep in [
        "{type: adaptive_search, planner: bayesian, searchSpace: [{path: concurrency, low: 1, high: 64}], objectives: []}",
        "{type: sobol, samples: 8, dimensions: [{path: concurrency, low: 1, high: 64}], scramble: true}",
        "{type: latin-hypercube, samples: 8}",
    ] {
        let unbuilt = read(&format!("{BASE}sweep: {sweep}\n")).unwrap().unbuilt().unwrap();
        assert!(unbuilt.contains("sweep.type: ") && unbuilt.contains(" is not built yet"), "{unbuilt}");
        assert_eq!(unbuilt.lines().count(), 1, "{unbuilt}");
    }
    for (key, instead) in [
        ("accuracy: {benchmark: mmlu}", "benchmark.accuracy: is not built yet"),
        ("otel: {metricsUrl: http://h:1}", "benchmark.otel: is not built yet"),
        ("mlflow: {trackingUri: http://h:1}", "benchmark.mlflow: is not built yet"),
        ("wandb: {project: p}", "benchmark.wandb: is not built yet"),
        ("artifacts: {summary: false}", "benchmark.artifacts.summary: false is not built yet"),
    ] {
        let unbuilt = read(&format!("{BASE}  {key}\n")).unwrap().unbuilt().unwrap();
        assert!(unbuilt.contains(instead), "{unbuilt}");
    }
    let second = BASE.replace(
        "{type: concurrency, concurrency: 2, requests: 4}",
        "[{name: a, kind: profiling, type: concurrency, requests: 3}, {name: b, kind: profiling, type: concurrency, requests: 3}]",
    );
    assert!(read(&second).unwrap().unbuilt().unwrap().contains("benchmark.phases.b: a second phase"));
}

#[test]
fn messages_are_traced_back_to_the_file() {
    let file = beside(CHAT, &["--osl", "5"]);
    let place = file.origin_of("--concurrency: expected a whole number").unwrap();
    assert_eq!(place, "--concurrency is benchmark.phases.profiling.concurrency in c.yaml:11");
    assert_eq!(file.origin_of("--osl: too small"), None, "the user's own flag");
    assert_eq!(file.origin_of("--concurrency-ramp-duration: no"), None);
}

/// The names of AIPerf 0.13's templates.
const AIPERFS: [&str; 27] = [
    "audio_multimodal",
    "embeddings",
    "env_var_production",
    "fixed_schedule",
    "goodput_slo",
    "gpu_telemetry",
    "http_trace_metrics",
    "inline_dataset",
    "jinja2_variables",
    "kv_cache_test",
    "latency_test",
    "long_context",
    "minimal",
    "multi_turn_conversation",
    "multi_url_load_balancing",
    "multimodal_vision",
    "public_dataset",
    "ramping",
    "request_cancellation",
    "scenario_workload_profiles",
    "speed_bench_sweep",
    "sweep_distributions",
    "sweep_with_plot",
    "time_based_soak",
    "trace_replay",
    "user_files",
    "warmup_profiling",
];

#[test]
fn each_of_aiperfs_templates_is_there_or_says_what_it_needs() {
    let ours = TEMPLATES.iter().map(|template| template.name);
    let mut names: Vec<&str> = ours.chain(MISSING.iter().map(|missing| missing.name)).collect();
    names.sort_unstable();
    assert_eq!(names, AIPERFS);
}

#[test]
fn templates_are_right() {
    for template in TEMPLATES {
        let file = read(&template.filled(Some("m"), Some("http://h:1"))).unwrap();
        assert_eq!(file.unbuilt(), None, "{}", template.name);
        let mut file = file;
        file.argv = vec!["loadgen".into(), "profile".into()];
        if file.points.is_empty() {
            args(&file);
        } else {
            let origin = Origin { config: Some(Arc::new(file)), ..Origin::default() };
            variations(&origin).unwrap();
        }
        assert!(!template.filled(Some("m"), Some("http://h:1")).contains("my-model"), "{}", template.name);
    }
}

type Change = fn(&str) -> String;

const REFUSED: &[(Change, &str)] = &[
    (|text| format!("{text}benchmrk: {{}}\n"), "benchmrk: unknown key: did you mean \"benchmark\"?"),
    (|text| format!("{text}  foo: 1\n"), "c.yaml:6:3: benchmark.foo: unknown key"),
    (
        |text| text.replace("requests: 4", "requests: 4, concurency: 3"),
        "benchmark.phases.profiling.concurency: unknown key: did you mean \"concurrency\"?",
    ),
    (
        |text| format!("{text}schemaVersion: '1.0'\n"),
        "schema_version: expected \"2.0\", found the text \"1.0\"",
    ),
    (|text| format!("{text}schemaVersion: 2.0\n"), "schema_version: expected \"2.0\", found a number 2.0"),
    (|text| format!("{text}  datasets: [{{name: a}}]\n"), "cannot stand beside \"datasets\""),
    (
        |text| format!("{text}  warmup: {{type: concurrency, requests: 1}}\n"),
        "cannot stand beside \"warmup\"",
    ),
    (|text| text.replace("  phases", "  # phases"), "benchmark.phases: is missing"),
    (|text| text.replace("  dataset", "  # dataset"), "benchmark.datasets: is missing"),
    (|text| text.replace("  model", "  # model"), "benchmark.models: is missing"),
    (
        |text| {
            text.replace(
                "dataset: {type: synthetic, prompts: {isl: 32, osl: 8}}",
                "datasets: [{name: a}, {name: b}]",
            )
        },
        "expected exactly one dataset, found 2",
    ),
    (|text| text.replace(", requests: 4", ""), "never ends"),
    (
        |text| text.replace("concurrency: 2", "rate: 3"),
        "phases.profiling.rate: belongs to a phase of type poisson, constant, gamma, user_centric: this one is of \
         type concurrency",
    ),
    (|text| text.replace("type: concurrency", "type: request_rate"), "\"request_rate\" is not known"),
    (|text| text.replace("type: concurrency, concurrency: 2", "type: poisson"), "needs a rate"),
    (
        |text| {
            text.replace(
                "{type: concurrency, concurrency: 2, requests: 4}",
                "[{name: a, type: concurrency, requests: 3}]",
            )
        },
        "needs a `kind`",
    ),
    (|text| format!("{text}  tokenizer: builtin\n"), "benchmark.tokenizer: expected a mapping"),
    (|text| format!("{text}  serverMetrics: false\n"), "benchmark.server_metrics: expected a mapping"),
    (
        |text| text.replace("model: mock-model", "model: ${NOPE_X}"),
        "the environment variable NOPE_X is not set",
    ),
    (|text| text.replace("model: mock-model", "model: ${NOPE_X"), "without its }"),
    (|text| text.replace("requests: 4", "requests: '{{ nope }}'"), "cannot be rendered"),
    (
        |text| format!("{text}multiRun: {{numRuns: 11}}\n"),
        "multi_run.num_runs: expected a whole number from 1 to 10",
    ),
    (
        |text| format!("{text}multiRun: {{numRuns: 5, convergence: {{metric: x, minRuns: 6}}}}\n"),
        "min_runs (6) must be at most num_runs (5)",
    ),
    (
        |text| format!("{text}sweep: {{type: zip, parameters: {{concurrency: [1, 2], requests: [3]}}}}\n"),
        "must be of equal length",
    ),
    (
        |text| format!("{text}sweep: {{type: grid, parameters: {{phases.nope.concurrency: [1, 2]}}}}\n"),
        "there is no \"nope\"",
    ),
    (
        |text| format!("{text}sweep: {{type: grid, parameters: {{bogus: [1, 2]}}}}\n"),
        "c.yaml:6:34: benchmark.bogus: unknown key",
    ),
    (
        |text| format!("{text}sweep: {{type: grid, parameters: {{concurrency: [1, a]}}}}\n"),
        "c.yaml:6:51: benchmark.phases.profiling.concurrency: expected a whole number",
    ),
    (
        |text| format!("{text}sweep: {{type: grid, parameters: {{foo.bar: [1, 2]}}}}\n"),
        "c.yaml:6:34: benchmark.foo: unknown key",
    ),
    (
        |text| format!("{text}  artifacts: {{summary: [json, csv]}}\n"),
        "expected \"json\", found the text \"csv\"",
    ),
    (
        |text| {
            text.replace("streaming: true", "streaming: false")
                .replace("requests: 4", "requests: 4, prefillConcurrency: 1")
        },
        "needs responses as streams",
    ),
    (|_| String::new(), "the file is empty"),
    (|_| "- a\n".to_owned(), "expected a mapping with `benchmark:`, found a list"),
    (|_| "1: a\n".to_owned(), "only text keys are allowed"),
    (|_| "a: [\n".to_owned(), "invalid YAML"),
    (|_| "benchmark:\n  model: a\n  model: b\n".to_owned(), "c.yaml:3:3: the key \"model\" stands twice"),
    (
        |text| {
            text.replace(
                "model: mock-model",
                "models: {strategy: weighted, items: [{name: a, weight: 0.5}, {name: b, weight: 0.4}]}",
            )
        },
        "weights must sum to 1, not 0.9",
    ),
    (
        |text| text.replace("concurrency: 2", "concurrency: [1, 2]"),
        "expected a whole number of at least 1, found a list",
    ),
    (|text| text.replace("requests: 4", "requests: 4, gracePeriod: 3"), "give duration too"),
    (|text| text.replace("url: http://127.0.0.1:18160", "url: 127.0.0.1:18160"), "needs http:// or https://"),
    (|text| text.replace("http://127.0.0.1:18160", "ftp://h"), "needs http:// or https://"),
    (|text| text.replace("http://127.0.0.1:18160", "http://"), "\"http://\" names no host"),
    (
        |text| text.replace("model: mock-model", "models: {items: [{name: a, wieght: 1}]}"),
        "benchmark.models.items[0].wieght: unknown key: did you mean \"weight\"?",
    ),
    (
        |text| {
            text.replace(
                "{type: concurrency, concurrency: 2, requests: 4}",
                "[{name: 1x, kind: profiling, type: concurrency, requests: 3}]",
            )
        },
        "1x",
    ),
    (|text| text.replace("concurrency: 2", "concurrencyRamp: {duration: 3, strategy: steep}"), "steep"),
    (
        |text| format!("{text}  artifacts: {{summary: true}}\n"),
        "benchmark.artifacts.summary: expected [json]",
    ),
    (|text| format!("{text}  artifacts: {{records: [csv]}}\n"), "benchmark.artifacts.records"),
    (|text| format!("{text}  artifacts: {{records: true}}\n"), "benchmark.artifacts.records"),
    (|text| text.replace("streaming: true", "path: v1/chat"), "must begin with a slash"),
    (
        |text| {
            format!("{text}  runtime: {{ui: dashboard}}\nsweep: {{parameters: {{concurrency: [1, 2]}}}}\n")
        },
        "dashboard shows one run, not a sweep",
    ),
];

const TAKEN: &[Change] = &[
    |text| text.to_owned(),
    |text| format!("{text}  server_metrics: {{enabled: false}}\nrandom_seed: 3\n"),
    |text| text.replace("requests: 4", "requests: 4, duration: 10s"),
    |text| format!("{text}  serverMetrics: http://127.0.0.1:1/metrics\n"),
    |text| text.replace("mock-model", "${NOPE_X:abc}"),
    |text| text.replace("requests: 4", "requests: '${NOPE_N:7}'"),
    |text| text.replace("http://127.0.0.1:18160", "'http://${NOPE_H:127.0.0.1}:18160'"),
    |text| text.replace("streaming: true", "urls: [http://x]"),
    |text| text.replace("streaming: true", "type: Chat_Embeddings"),
    |text| text.replace("streaming: true", "type: chat-embeddings"),
    |text| format!("{text}  runtime: {{ui: NONE}}\n"),
    |text| format!("{text}  artifacts: {{summary: false, records: false}}\n"),
    |text| text.replace("concurrency: 2", "concurrencyRamp: 3"),
    |text| text.replace("concurrency: 2", "concurrencyRamp: {duration: 3, strategy: exponential}"),
    |text| text.replace("concurrency: 2", "concurrency_ramp: {duration: 3, strategy: poisson}"),
    |text| text.replace("{type: concurrency, concurrency: 2, requests: 4}", "{type: fixed_schedule}"),
    // The older form, without an envelope.
    |text| text.trim_start_matches("benchmark:\n").replace("\n  ", "\n").trim_start().to_owned(),
];

#[test]
fn a_phase_without_a_name_is_one_fault() {
    let phases = "[{type: concurrency, requests: 3}]";
    let said = refused(&BASE.replace("{type: concurrency, concurrency: 2, requests: 4}", phases));
    assert!(said.contains("benchmark.phases.0: needs a name"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}
