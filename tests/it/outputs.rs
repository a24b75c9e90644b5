//! What a run writes beside its figures: what went over the wire, answers, the log; and what happens when
//! a file cannot be written.

use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::scripted::{Answer, Scripted};
use crate::support::{Finished, Mock, Results, Workspace, words};

const EVERYTHING: &str = "--export-level raw --export-http-trace --export-outputs-json --show-trace-timing";

fn lines(results: &Results, name: &str) -> Vec<Value> {
    results.text(name).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn id(line: &Value) -> &str {
    line["metadata"]["x_request_id"].as_str().unwrap()
}

#[test]
fn what_went_over_the_wire_says_the_same_as_the_records() {
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, "fixed?ttft=3ms&itl=1ms");
    let finished = workspace
        .profile(
            &mock,
            &words(&format!("--streaming --concurrency 3 --request-count 12 --isl 20 --osl 6 {EVERYTHING}")),
        )
        .expect_code(0);
    assert!(finished.stdout().contains("HTTP Trace Timing"), "{}", finished.stdout());
    let results = workspace.results("out");
    let (records, raw) = (results.records(), lines(&results, "profile_export_raw.jsonl"));
    assert_eq!((records.len(), raw.len()), (12, 12));
    let inputs = results.json("inputs.json");
    for (record, raw) in records.iter().zip(&raw) {
        assert_eq!(record["metadata"], raw["metadata"], "lines stand in the same order");
        let of = |tag: &str| record["metrics"][tag]["value"].as_f64().unwrap();
        let start = raw["start_perf_ns"].as_i64().unwrap();
        let content: Vec<i64> = raw["responses"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|message| {
                let value = message["packets"][0]["value"].as_str().unwrap();
                let chunk: Option<Value> = serde_json::from_str(value).ok();
                let text = chunk.as_ref().and_then(|chunk| chunk["choices"][0]["delta"]["content"].as_str());
                text.is_some_and(|text| !text.is_empty())
            })
            .map(|message| message["perf_ns"].as_i64().unwrap() - start)
            .collect();
        assert_eq!(content.len(), 6);
        assert!((content[0] as f64 / 1e6 - of("time_to_first_token")).abs() < 1e-6, "to the nanosecond");
        assert!((content[5] as f64 / 1e6 - of("request_latency")).abs() < 1e-6);
        assert_eq!(raw["responses"].as_array().unwrap().last().unwrap()["packets"][0]["value"], "[DONE]");
        let session = record["metadata"]["conversation_id"].as_str().unwrap();
        let input = inputs["data"].as_array().unwrap().iter().find(|entry| entry["session_id"] == session);
        assert_eq!(input.unwrap()["payloads"][0], raw["payload"], "the body as it was to be sent");
        assert_eq!(raw["request_headers"]["X-Request-ID"], record["metadata"]["x_request_id"]);
        assert_eq!(raw["request_headers"]["X-Session-Affinity"], "<redacted>");

        let trace = &record["trace_data"];
        let ms = |key: &str| trace[key].as_i64().unwrap() as f64 / 1e6;
        for (key, tag) in [
            ("sending_ns", "http_req_sending"),
            ("waiting_ns", "http_req_waiting"),
            ("receiving_ns", "http_req_receiving"),
            ("duration_ns", "http_req_duration"),
        ] {
            assert!((ms(key) - of(tag)).abs() < 1e-6, "{key}");
        }
        let reads = trace["response_chunks"].as_array().unwrap();
        assert_eq!(reads.len() as i64, trace["response_chunks_count"].as_i64().unwrap());
        let bytes: i64 = reads.iter().map(|read| read[1].as_i64().unwrap()).sum();
        assert_eq!(bytes, trace["response_bytes_total"].as_i64().unwrap());
        let is_new = trace.get("tcp_connect_start_ns").is_some();
        assert_eq!(is_new, trace.get("connection_reused_ns").is_none());
        assert_eq!(trace["remote_port"].as_i64().unwrap(), i64::from(port(&mock.url)));
    }
    let answers = results.json("outputs.json");
    let answers = answers["data"].as_array().unwrap();
    let numbers: Vec<i64> = answers.iter().map(|entry| entry["session_num"].as_i64().unwrap()).collect();
    assert_eq!(numbers, (0..12).collect::<Vec<_>>());
    for answer in answers {
        let record = records.iter().find(|record| id(record) == answer["x_request_id"]).unwrap();
        let said = answer["response_text"].as_str().unwrap();
        let raw = raw.iter().find(|raw| id(raw) == id(record)).unwrap();
        let deltas: String = raw["responses"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|message| {
                serde_json::from_str::<Value>(message["packets"][0]["value"].as_str()?).ok()
            })
            .filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str().map(str::to_owned))
            .collect();
        assert_eq!(said, deltas);
        assert_eq!(answer["metrics"]["request_latency"], record["metrics"]["request_latency"]["value"]);
    }
    // All of it is in the journal.
    let before = results.files();
    workspace.run(&["report", "out"]).expect_code(0);
    let stable = |files: Vec<(String, Vec<u8>)>| -> Vec<(String, Vec<u8>)> {
        let wanted = ["profile_export.jsonl", "profile_export_raw.jsonl", "outputs.json"];
        files.into_iter().filter(|(name, _)| wanted.contains(&name.as_str())).collect()
    };
    assert_eq!(stable(results.files()), stable(before));
}

fn port(url: &str) -> u16 {
    url.rsplit(':').next().unwrap().trim_end_matches('/').parse().unwrap()
}

#[test]
fn without_being_asked_nothing_of_the_wire_is_kept() {
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, "fixed?ttft=1ms&itl=1ms");
    std::fs::create_dir(workspace.path("out")).unwrap();
    workspace.file("out/outputs.json", "of an earlier run");
    workspace.file("out/profile_export_raw.jsonl", "of an earlier run");
    workspace
        .profile(&mock, &words("--streaming --concurrency 1 --request-count 2 --isl 20 --osl 3"))
        .expect_code(0);
    let results = workspace.results("out");
    assert!(!results.path("outputs.json").exists() && !results.path("profile_export_raw.jsonl").exists());
    assert!(results.records().iter().all(|record| record.get("trace_data").is_none()));
}

#[test]
fn bodies_that_could_not_be_kept_are_counted_where_a_reader_looks_with_what_helps() {
    let workspace = Workspace::new();
    let mut answered = 0;
    let server = Scripted::chats(move |_| {
        answered += 1;
        // Beyond what the journal keeps of a body; the answer itself is short.
        let padding = "x".repeat(if answered == 2 { 17 << 20 } else { 0 });
        let message = json!({ "role": "assistant", "content": "a b c" });
        let choices = json!([{ "index": 0, "message": message, "finish_reason": "stop" }]);
        Answer::json(200, &json!({ "object": "chat.completion", "choices": choices, "padding": padding }))
    });
    let arguments = words(
        "--endpoint-type chat --concurrency 1 --request-count 3 --isl 20 --osl 3 --no-server-metrics \
         --no-gpu-telemetry --export-level raw",
    );
    let finished = workspace.profile_at(&server.url(), &arguments).expect_code(0);
    let results = workspace.results("out");
    let marked: Vec<bool> = lines(&results, "profile_export_raw.jsonl")
        .iter()
        .map(|line| line["loadgen_bodies_dropped"] == true && line.get("payload").is_none())
        .collect();
    assert_eq!(marked, [false, true, false]);
    assert_eq!(results.quality()["bodies_dropped"], 1);
    let said = finished.stdout().split_whitespace().collect::<Vec<_>>().join(" ");
    let told = "Note: requests without payload and responses in the raw export: 1 (their lines say";
    assert!(said.contains(told) && said.contains("faster disk"), "{said}");
    assert!(results.text("report.html").contains("in the raw export: 1 "), "the page says it too");
    // It is a fact of the journal, so that a report made again says it again.
    let again = workspace.run(&["report", "out"]).expect_code(0);
    assert!(again.stdout().contains("in the raw export: 1 "), "{}", again.stdout());
}

#[test]
fn the_log_tells_the_run_in_aiperfs_words() {
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, "fixed?ttft=1ms&itl=1ms&fault=500&every=4");
    let arguments =
        words("--streaming --concurrency 2 --request-count 8 --warmup-request-count 2 --isl 20 --osl 3");
    workspace.profile(&mock, &arguments).expect_code(0);
    let log = workspace.results("out").text("logs/aiperf.log");
    let messages: Vec<&str> = log.lines().map(|line| line.splitn(4, " - ").nth(3).unwrap()).collect();
    let place = |start: &str| {
        let found = messages.iter().position(|message| message.starts_with(start));
        found.unwrap_or_else(|| panic!("{start}: {log}"))
    };
    let places = [
        place("Using --osl without ignore_eos"),
        place("AIPerf System is PROFILING"),
        place("Phase warmup (warmup) started | phase_index=0 | target: 2 requests"),
        place("Phase profiling (profiling) started | phase_index=1 | profiling_index=0 | target: 8 requests"),
        place("Phase profiling (profiling) sending complete | sent=8, "),
        place(
            "Phase profiling (profiling) complete | completed=8, cancelled=0, errors=2 | sessions: completed=8, \
             cancelled=0 | elapsed=",
        ),
        place("Processed 6 valid requests and 2 errors (8 total)."),
    ];
    assert!(places.is_sorted(), "{log}");
}

#[test]
fn the_log_counts_sessions_beside_requests_and_names_the_limits_that_were_given() {
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, "fixed?ttft=1ms&itl=1ms");
    let log = |arguments: &str| {
        workspace.profile(&mock, &words(arguments)).expect_code(0);
        workspace.results("out").text("logs/aiperf.log")
    };
    let turns = log("--streaming --concurrency 2 --num-conversations 3 --conversation-turn-mean 2 \
                     --conversation-turn-stddev 0 --isl 20 --osl 3");
    assert!(turns.contains("profiling_index=0 | target: 3 sessions\n"), "{turns}");
    assert!(turns.contains("sending complete | sent=6, completed="), "{turns}");
    let told =
        "complete | completed=6, cancelled=0, errors=0 | sessions: completed=3, cancelled=0 | elapsed=";
    assert!(turns.contains(told), "{turns}");
    // A rate says how long the requests should take; that is no limit, and its passing no timeout.
    let paced = log("--streaming --request-rate 500 --concurrency 1 --request-count 8 --isl 20 --osl 3");
    assert!(paced.contains("profiling_index=0 | target: 8 requests\n"), "{paced}");
    assert!(paced.contains("sending complete | sent=8, ") && !paced.contains("timeout_triggered"), "{paced}");
}

#[test]
fn called_as_aiperf_its_lines_are_on_standard_output() {
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, "fixed?ttft=1ms&itl=1ms");
    let link = workspace.path("aiperf");
    std::os::unix::fs::symlink(workspace.loadgen().get_program(), &link).unwrap();
    let output = std::process::Command::new(link)
        .current_dir(workspace.path(""))
        .args(["profile", "-m", "demo", "--tokenizer", "builtin", "-u", &mock.url, "--artifact-dir", "out"])
        .args(words(
            "--endpoint-type chat --streaming --ui none --concurrency 1 --request-count 2 --isl 9 --osl 3",
        ))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let finished = Finished(output).expect_code(0);
    let stdout = finished.stdout();
    let notice = stdout.lines().find(|line| line.contains("Phase profiling (profiling) complete")).unwrap();
    let (time, rest) = notice.split_once(' ').unwrap();
    assert!(time.len() == 12 && time.as_bytes()[8] == b'.', "{notice}");
    assert!(rest.starts_with("NOTICE   Phase"), "{notice}");
    assert!(stdout.contains("INFO     Processed 2 valid requests and 0 errors (2 total)."), "{stdout}");
    assert!(stdout.contains("WARNING  Using --osl without ignore_eos"), "{stdout}");
}

#[test]
fn a_file_that_cannot_be_written_takes_none_of_the_others_with_it() {
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, "fixed?ttft=1ms&itl=1ms");
    // Where the file would be begun there is a folder.
    let blocked = workspace.path("out/profile_export.parquet.partial");
    std::fs::create_dir_all(&blocked).unwrap();
    let finished = workspace
        .profile(&mock, &words("--streaming --concurrency 1 --request-count 3 --isl 20 --osl 3"))
        .expect_code(1);
    let stderr = finished.stderr();
    let errors: Vec<&str> = stderr.lines().filter(|line| line.starts_with("error")).collect();
    assert_eq!(errors.len(), 1, "{stderr}");
    assert!(
        errors[0].contains("profile_export.parquet") && errors[0].contains("loadgen report "),
        "{stderr}"
    );
    assert_eq!(stderr.matches("Is a directory").count(), 1, "the cause is told once: {stderr}");
    assert!(finished.stdout().contains("Request Latency"), "what was measured is shown");
    let results = workspace.results("out");
    assert_eq!(results.summary()["request_count"]["avg"], 3.0);
    assert_eq!(results.records().len(), 3);
    assert_eq!(results.json(".aiperf_results_ready.json")["partial"], true, "not everything is there");

    std::fs::remove_dir(blocked).unwrap();
    workspace.run(&["report", "out"]).expect_code(0);
    assert_eq!(results.rows().len(), 3);
    assert_eq!(results.json(".aiperf_results_ready.json")["partial"], false);
}
