//! Input tokens of bodies that say more than their prompts, and the media beside them: the figures are
//! AIPerf 0.13's for the same commands.

use crate::support::{Mock, Workspace};

/// The input tokens of a request of twenty tokens with these extra inputs.
fn counted(extra: &str) -> u64 {
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, "fixed?ttft=1ms&itl=1ms");
    let arguments = ["--request-count", "1", "--isl", "20", "--random-seed", "7", "--extra-inputs", extra];
    workspace.profile(&mock, &arguments).expect_code(0);
    let records = workspace.results("out").records();
    records[0]["metrics"]["input_sequence_length"]["value"].as_u64().unwrap()
}

#[test]
fn tools_and_messages_of_extra_inputs_count_as_the_server_reads_them() {
    let tool = r#"{"name":"get weather now","description":"tells it","parameters":{"type":"object"}}"#;
    assert_eq!(counted("temperature:0.5"), 20);
    assert_eq!(counted(&format!(r#"{{"tools":[{{"type":"function","function":{tool}}}]}}"#)), 30);
    let instead = r#"{"messages":[{"role":"user","content":"replaced text here"}]}"#;
    assert_eq!(counted(instead), 4);
}

#[test]
fn tools_of_a_trace_count_beside_its_messages() {
    let workspace = Workspace::new();
    let messages = r#"[{"role":"system","content":"be kind"},{"role":"user","content":"hi"}]"#;
    let tools = r#"[{"type":"function","function":{"name":"f"}}]"#;
    let row = format!(r#"{{"messages": {messages}, "tools": {tools}, "output_length": 2}}"#);
    workspace.file("trace.jsonl", &row);
    let mock = Mock::start(&workspace, "fixed?ttft=1ms&itl=1ms");
    let arguments = ["--input-file", "trace.jsonl", "--custom-dataset-type", "mooncake_trace"];
    workspace.profile(&mock, &[&arguments[..], &["--request-count", "1"]].concat()).expect_code(0);
    let records = workspace.results("out").records();
    assert_eq!(records[0]["metrics"]["input_sequence_length"]["value"], 4);
}

#[test]
fn sounds_that_were_made_up_have_their_length_and_a_real_time_factor() {
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, "fixed?ttft=1ms&itl=1ms");
    let arguments = ["--request-count", "2", "--isl", "20", "--audio-length-mean", "0.2"];
    workspace.profile(&mock, &arguments).expect_code(0);
    let results = workspace.results("out");
    for record in results.records() {
        let metric = |tag: &str| record["metrics"][tag]["value"].as_f64().unwrap();
        assert_eq!(metric("audio_duration"), 0.2);
        let factor = 0.2 / (metric("request_latency") / 1e3);
        assert!((metric("rtfx") / factor - 1.0).abs() < 1e-9, "{record}");
    }
    let summary = results.summary();
    assert_eq!(
        (&summary["audio_duration"]["unit"], &summary["rtfx"]["unit"]),
        (&"sec".into(), &"ratio".into())
    );
}

#[test]
fn images_are_jpeg_where_no_format_is_named() {
    let sent = |option: &[&str]| {
        let workspace = Workspace::new();
        let mock = Mock::start(&workspace, "fixed?ttft=1ms&itl=1ms");
        let arguments =
            ["--request-count", "1", "--isl", "9", "--image-width-mean", "8", "--image-height-mean", "8"];
        workspace.profile(&mock, &[&arguments[..], option].concat()).expect_code(0);
        let inputs = workspace.results("out").json("inputs.json");
        let content = &inputs["data"][0]["payloads"][0]["messages"][0]["content"];
        content[1]["image_url"]["url"].as_str().unwrap()[..16].to_owned()
    };
    // What AIPerf 0.13 sends, whatever its help says of PNG.
    assert_eq!(sent(&[]), "data:image/jpeg;");
    assert_eq!(sent(&["--image-format", "png"]), "data:image/png;b");
}
