//! What a user sees of a run beside its files: warnings, the log, the console, and the variables that move them.

use std::process::Command;

use serde_json::json;

use crate::support::scripted::{Answer, Scripted, chat};
use crate::support::{Finished, Mock, Workspace, words};

/// `aiperf profile` against a server, with small requests unless `more` gives lengths.
fn aiperf(workspace: &Workspace, url: &str, more: &str) -> Command {
    let mut command = workspace.called("aiperf");
    command.args(["profile", "-m", "demo", "--url", url, "--artifact-dir", "out"]);
    command.args(words("--tokenizer builtin --ui none --endpoint-type chat --streaming"));
    command.args(words("--concurrency 1 --extra-inputs ignore_eos:true"));
    if !more.contains("--isl") {
        command.args(words("--isl 9 --osl 3"));
    }
    command.args(words(more));
    command
}

fn run(mut command: Command) -> Finished {
    Finished(command.output().unwrap()).expect_code(0)
}

/// The warnings among lines of the log, as a stream shows them.
fn warnings(stdout: &str) -> Vec<&str> {
    stdout.lines().filter_map(|line| line.split_once(" WARNING  ")).map(|(_, message)| message).collect()
}

#[test]
fn that_certificates_are_not_verified_is_warned_of() {
    const SAYS: &str = "SSL certificate verification is DISABLED";
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, "fixed?ttft=1ms&itl=1ms");
    let warned = |verify: Option<&str>| {
        let mut command = aiperf(&workspace, &mock.url, "--request-count 1");
        if let Some(verify) = verify {
            command.env("AIPERF_HTTP_SSL_VERIFY", verify);
        }
        let stdout = run(command).stdout();
        let log = workspace.results("out").text("logs/aiperf.log");
        let is_warned = warnings(&stdout).iter().any(|message| message.starts_with(SAYS));
        assert_eq!(log.contains(&format!(" - WARNING - {SAYS}")), is_warned, "{log}");
        is_warned
    };
    assert!(warned(Some("false")) && warned(Some("off")));
    assert!(!warned(Some("1")) && !warned(None));
}

#[test]
fn the_wait_for_the_servers_is_told_on_standard_error() {
    const SAYS: &str = "loadgen - INFO - Waiting for endpoint readiness (mode=inference, timeout=";
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, "fixed?ttft=1ms&itl=1ms");
    let finished = run(aiperf(&workspace, &mock.url, "--request-count 1 --wait-for-model-timeout 60"));
    assert!(finished.stderr().contains(SAYS), "{}", finished.stderr());
    assert!(!finished.stdout().contains("readiness"), "{}", finished.stdout());

    // Servers that never become ready leave standard output to what the run would have said.
    let nowhere = "--request-count 1 --wait-for-model-timeout 0.2 --wait-for-model-interval 0.1";
    let mut command = aiperf(&workspace, "http://127.0.0.1:1", nowhere);
    let finished = Finished(command.output().unwrap()).expect_code(1);
    assert!(finished.stderr().contains("Timed out after"), "{}", finished.stderr());
    assert_eq!(finished.stdout(), "");
}

#[test]
fn the_hint_about_the_prompt_cache_is_logged_beside_the_console() {
    const HINT: &str = "Token usage is reported but no prompt-cache read tokens were seen";
    let workspace = Workspace::new();
    for (profile, is_hidden) in [("fixed?ttft=1ms&itl=1ms", true), ("default?step=1ms&jitter=0", false)] {
        let mock = Mock::start(&workspace, profile);
        let stdout = run(aiperf(&workspace, &mock.url, "--request-count 2")).stdout();
        let told = warnings(&stdout).iter().filter(|message| message.starts_with(HINT)).count();
        // AIPerf says it twice there.
        assert_eq!(told, usize::from(is_hidden), "{stdout}");
        let console = workspace.results("out").text("profile_export_console.txt");
        assert_eq!(console.contains(HINT), is_hidden, "{console}");
        let in_logs = workspace.results("out").text("logs/aiperf.log").contains(HINT);
        assert_eq!(in_logs, is_hidden);
    }
}

#[test]
fn a_replay_whose_requests_left_too_late_is_warned_of() {
    let workspace = Workspace::new();
    // Each request holds the only place for longer than the whole schedule takes.
    let mock = Mock::start(&workspace, "fixed?ttft=300ms&itl=1ms");
    let rows: Vec<String> = (0..4)
        .map(|at| json!({ "timestamp": at, "input_length": 9, "output_length": 2 }).to_string())
        .collect();
    workspace.file("trace.jsonl", &rows.join("\n"));
    let mut command = workspace.called("aiperf");
    command.args(["profile", "-m", "demo", "--url", &mock.url, "--artifact-dir", "out"]);
    command
        .args(words("--tokenizer builtin --ui none --streaming --input-file trace.jsonl --fixed-schedule"));
    command.args(words("--custom-dataset-type mooncake_trace --concurrency 1"));
    let stdout = run(command).stdout();
    let summary = workspace.results("out").summary();
    assert_eq!(summary["replay_sched_degraded"]["avg"], 1.0);
    let p99 = summary["replay_sched_lag_p99"]["avg"].as_f64().unwrap();
    let warned = warnings(&stdout);
    let warned = warned.iter().find(|message| message.starts_with("Replay schedule degraded: ")).unwrap();
    assert!(warned.contains(&format!("p99={p99:.0} ms exceeds 500 ms")), "{warned}");
}

#[test]
fn more_is_said_where_more_is_asked_for_and_on_standard_output() {
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, "fixed?ttft=1ms&itl=1ms");
    let said = |more: &str| {
        let mut command = aiperf(&workspace, &mock.url, &format!("--request-count 1 {more}"));
        // Nobody is there, which is worth no more than a line for those who want all of them.
        command.env("AIPERF_GPU_DEFAULT_DCGM_ENDPOINTS", r#"["http://127.0.0.1:9/metrics"]"#);
        let finished = run(command);
        assert_eq!(finished.stderr(), "", "{more}");
        finished.stdout().lines().filter(|line| line.contains(" DEBUG    ")).count()
    };
    assert_eq!(said(""), 0);
    for more in ["-v", "-vv", "--verbose", "--extra-verbose", "--log-level DEBUG", "--log-level trace"] {
        assert!(said(more) > 0, "{more}");
    }
    let quiet = run(aiperf(&workspace, &mock.url, "--request-count 1 --log-level warning")).stdout();
    assert!(!quiet.contains(" INFO ") && !quiet.contains(" NOTICE "), "{quiet}");
}

#[test]
fn the_thresholds_of_the_environment_decide_what_is_warned_of() {
    // Two tokens where ten are asked for, and a count of the prompt that is not ours.
    let server = Scripted::chats(|asked| chat(asked, &[" a", " b"]));
    let workspace = Workspace::new();
    let panels = |variables: &[(&str, &str)]| {
        let mut command = aiperf(&workspace, &server.url(), "--request-count 2 --isl 20 --osl 10");
        for (name, value) in variables {
            command.env(name, value);
        }
        let stdout = run(command).stdout();
        ["Output Sequence Length Mismatch Warning", "Token Count Discrepancy Warning"]
            .map(|title| stdout.contains(title))
    };
    assert_eq!(panels(&[]), [true, true]);
    let lenient = [
        ("AIPERF_METRICS_OSL_MISMATCH_PCT_THRESHOLD", "90"),
        ("AIPERF_METRICS_USAGE_PCT_DIFF_THRESHOLD", "90"),
    ];
    assert_eq!(panels(&lenient), [false, false]);
    assert_eq!(panels(&lenient[1..]), [true, false]);
    // However great the share, so many tokens are too many.
    assert_eq!(panels(&[lenient[0], ("AIPERF_METRICS_OSL_MISMATCH_MAX_TOKEN_THRESHOLD", "3")]), [true, true]);
}

#[test]
fn the_consoles_file_is_plain_text_of_a_width_that_does_not_depend_on_the_terminal() {
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, "fixed?ttft=1ms&itl=1ms");
    let mut command = aiperf(&workspace, &mock.url, "--request-count 2");
    command.env("COLUMNS", "60").env("TERM", "xterm-256color");
    let stdout = run(command).stdout();
    let console = workspace.results("out").text("profile_export_console.txt");
    assert!(!console.contains('\u{1b}') && !stdout.contains('\u{1b}'), "colours are for terminals");
    let widest = console.lines().map(|line| line.chars().count()).max().unwrap();
    assert!((61..=140).contains(&widest), "{widest}");
    let throughput = console.lines().find(|line| line.contains("Request Throughput (requests/sec)")).unwrap();
    assert_eq!(throughput.matches("N/A").count(), 6, "a rate of the whole run has no spread: {throughput}");
}

#[test]
fn answers_without_content_are_named_as_that_and_no_url_is_blamed() {
    let usage = json!({ "object": "chat.completion.chunk", "choices": [], "usage": { "prompt_tokens": 5 } });
    let server = Scripted::chats(move |_| Answer::events([&usage]));
    let workspace = Workspace::new();
    let mut command = aiperf(&workspace, &server.url(), "--request-count 2");
    let finished = Finished(command.output().unwrap()).expect_code(1);
    let stderr = finished.stderr();
    assert!(stderr.contains("No responses with actual content were received from the server"), "{stderr}");
    assert!(!stderr.contains("--url"), "{stderr}");
    // Where nobody answers, the address is the first thing to look at.
    let nobody = crate::support::closed_port();
    let finished =
        Finished(aiperf(&workspace, &nobody, "--request-count 1").output().unwrap()).expect_code(1);
    assert!(finished.stderr().contains("--url"), "{}", finished.stderr());
}

#[test]
fn the_transport_may_be_named_if_it_is_http() {
    let workspace = Workspace::new();
    let server = Scripted::chats(|asked| chat(asked, &[" a"]));
    for transport in ["--transport http", "--transport-type http", "--transport HTTP"] {
        run(aiperf(&workspace, &server.url(), &format!("--request-count 1 {transport}")));
        let echo = &workspace.results("out").summary()["input_config"]["endpoint"]["transport"];
        assert_eq!(*echo, "http", "{transport}");
    }
    let before = server.asked().len();
    let mut command = aiperf(&workspace, &server.url(), "--request-count 1 --transport grpc");
    let finished = Finished(command.output().unwrap()).expect_code(1);
    assert!(finished.stderr().contains("--transport: \"grpc\""), "{}", finished.stderr());
    assert_eq!(server.asked().len(), before, "nothing was sent");
}
