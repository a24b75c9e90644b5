//! How much is sent, of what length, and that what is global is not split among workers.

use crate::support::scripted::{Scripted, chat};
use crate::support::{Finished, Mock, Workspace, words};

const FAST: &str = "fixed?ttft=1ms&itl=1ms";

#[test]
fn a_schedule_is_sent_whole_whatever_the_request_count() {
    for count in ["3", "9"] {
        let workspace = Workspace::new();
        let mock = Mock::start(&workspace, FAST);
        let rows: Vec<String> = (0..6)
            .map(|row| format!(r#"{{"timestamp": {}, "input_length": 20, "output_length": 4}}"#, row * 5))
            .collect();
        workspace.file("trace.jsonl", &rows.join("\n"));
        let mut arguments =
            words("--streaming --input-file trace.jsonl --custom-dataset-type mooncake_trace");
        arguments.extend(["--fixed-schedule", "--request-count", count]);
        workspace.profile(&mock, &arguments).expect_code(0);
        let results = workspace.results("out");
        assert_eq!(results.records().len(), 6);
        let phase = &results.summary()["input_config"]["phases"][0];
        assert_eq!(phase["requests"].to_string(), count, "the echo is what the user said: {phase}");
    }
}

#[test]
fn a_schedule_ends_with_its_duration_and_its_requests_may_be_given_up() {
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, "fixed?ttft=3s&itl=1ms");
    // The last row is a day away.
    let rows = [0, 5, 86_400_000]
        .map(|at| format!(r#"{{"timestamp": {at}, "input_length": 20, "output_length": 2}}"#));
    workspace.file("trace.jsonl", &rows.join("\n"));
    let arguments = words(
        "--streaming --input-file trace.jsonl --custom-dataset-type mooncake_trace --fixed-schedule \
         --benchmark-duration 1 --request-cancellation-rate 100 --request-cancellation-delay 0.05",
    );
    // Nothing succeeded.
    workspace.profile(&mock, &arguments).expect_code(1);
    let codes: Vec<_> =
        workspace.results("out").records().iter().map(|record| record["error"]["code"].clone()).collect();
    assert_eq!(codes, [499, 499]);
    assert_eq!(mock.truth().len(), 2);
}

#[test]
fn a_schedule_in_unix_time_starts_at_once() {
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, FAST);
    let rows: Vec<String> = (0..4)
        .map(|row| {
            format!(
                r#"{{"timestamp": {}, "input_length": 20, "output_length": 2}}"#,
                1_700_000_000_000_i64 + row * 5
            )
        })
        .collect();
    workspace.file("trace.jsonl", &rows.join("\n"));
    let arguments =
        words("--streaming --input-file trace.jsonl --custom-dataset-type mooncake_trace --fixed-schedule");
    workspace.profile(&mock, &arguments).expect_code(0);
    let mut rows = workspace.results("out").rows();
    rows.sort_by_key(|row| row.identity.source_row);
    let start = rows[0].instants.scheduled.unwrap();
    let offsets: Vec<i64> =
        rows.iter().map(|row| row.instants.scheduled.unwrap().since(start) / 1_000_000).collect();
    assert_eq!(offsets, [0, 5, 10, 15]);
}

#[test]
fn a_deviation_of_input_lengths_alone_varies_around_550() {
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, FAST);
    let arguments = words("--streaming --isl-stddev 100 --osl 2 --request-count 30 --random-seed 1");
    workspace.profile(&mock, &arguments).expect_code(0);
    let lengths = &workspace.results("out").summary()["input_sequence_length"];
    let of = |figure: &str| lengths[figure].as_f64().unwrap();
    assert!(of("std") > 30.0, "{lengths}");
    // Thirty of them: their mean is within four standard errors of 18.3.
    assert!((of("avg") - 550.0).abs() < 73.0, "{lengths}");
}

#[test]
fn servers_take_turns_over_the_whole_run_and_not_for_each_worker() {
    let servers = [(); 2].map(|()| Scripted::chats(|asked| chat(asked, &[" a", " b"])));
    let workspace = Workspace::new();
    let mut command = workspace.profiling(&servers[0].url());
    command.args(["--url", &servers[1].url(), "--ui", "none", "--workers-max", "3"]);
    command.args(words("--streaming --concurrency 3 --request-count 10 --isl 10 --osl 2"));
    command.args(words("--no-server-metrics --no-gpu-telemetry"));
    Finished(command.output().unwrap()).expect_code(0);
    let sent = |server: &Scripted| server.asked().iter().filter(|asked| asked.is_load()).count();
    assert_eq!(servers.each_ref().map(sent), [5, 5]);
    let mut rows = workspace.results("out").rows();
    rows.sort_by_key(|row| row.identity.session_num);
    let turns: Vec<i32> = rows.iter().map(|row| row.identity.url_index).collect();
    assert_eq!(turns, [0, 1, 0, 1, 0, 1, 0, 1, 0, 1]);
}
