//! Configuration files, run: which files an export leaves, and where a system prompt may lie.

use std::collections::BTreeSet;

use crate::support::{Finished, Mock, Workspace};

/// A file for a small run against a server; `dataset` and `artifacts` are keys of these two.
fn config(url: &str, dataset: &str, artifacts: &str) -> String {
    format!(
        "benchmark:
  model: demo
  endpoint: {{url: {url}, streaming: true}}
  tokenizer: {{name: builtin}}
  dataset: {{type: synthetic, isl: 9, osl: 3{dataset}}}
  phases: {{type: CONCURRENCY, concurrency: 1, requests: 2}}
  artifacts: {{dir: ./out{artifacts}}}
  serverMetrics: {{enabled: false}}
  gpu_telemetry: {{enabled: false}}
  runtime: {{ui: None}}
"
    )
}

/// Runs a file.
fn run(workspace: &Workspace, text: &str) -> Finished {
    let _ = std::fs::remove_dir_all(workspace.path("out"));
    workspace.file("c.yaml", text);
    let mut command = workspace.called("aiperf");
    Finished(command.args(["profile", "-f", "c.yaml"]).output().unwrap())
}

#[test]
fn the_list_of_summaries_leaves_the_csv_and_records_can_be_left_out() {
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, "fixed?ttft=1ms&itl=1ms");
    let exports = |artifacts: &str| {
        run(&workspace, &config(&mock.url, "", artifacts)).expect_code(0);
        let names = workspace.results("out").files().into_iter().map(|(name, _)| name);
        // What AIPerf writes; ours comes beside it.
        let theirs = ["profile_export_aiperf.json", "profile_export_aiperf.csv", "profile_export.jsonl"];
        names.filter(|name| theirs.contains(&name.as_str())).collect::<BTreeSet<_>>()
    };
    let all = ["profile_export.jsonl", "profile_export_aiperf.csv", "profile_export_aiperf.json"];
    for artifacts in ["", ", summary: [json]", ", records: [jsonl]", ", summary: [json], records: [jsonl]"] {
        assert_eq!(exports(artifacts), all.map(str::to_owned).into(), "{artifacts}");
    }
    assert_eq!(exports(", records: false"), all[1..].iter().map(|name| (*name).to_owned()).collect());

    for (artifacts, says) in [
        (", summary: [csv]", "benchmark.artifacts.summary[0]: expected \"json\""),
        (", summary: false", "benchmark.artifacts.summary: false is not built yet"),
        (", records: [csv]", "benchmark.artifacts.records[0]: expected \"jsonl\""),
    ] {
        let said = run(&workspace, &config(&mock.url, "", artifacts)).expect_code(1).stderr();
        assert!(said.contains(says) && said.contains("c.yaml:7:"), "{artifacts}: {said}");
        assert!(!workspace.path("out").exists(), "{artifacts}");
    }
}

#[test]
fn a_system_prompt_is_read_from_a_file_and_through_no_link() {
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, "fixed?ttft=1ms&itl=1ms");
    workspace.file("prompt.txt", "Be brief.");
    workspace.file("blank.txt", " \n");
    std::os::unix::fs::symlink("prompt.txt", workspace.path("link.txt")).unwrap();
    let with = |path: &str| run(&workspace, &config(&mock.url, &format!(", system_prompt_file: {path}"), ""));
    let sent = || {
        let inputs = workspace.results("out").json("inputs.json");
        inputs["data"][0]["payloads"][0]["messages"][0].clone()
    };
    with("./prompt.txt").expect_code(0);
    let message = serde_json::json!({ "role": "system", "content": "Be brief." });
    assert_eq!(sent(), message);

    // The user's home is the workspace for once.
    workspace.file("c.yaml", &config(&mock.url, ", systemPromptFile: ~/prompt.txt", ""));
    let mut command = workspace.called("aiperf");
    command.env("HOME", workspace.path("")).args(["profile", "-f", "c.yaml"]);
    Finished(command.output().unwrap()).expect_code(0);
    assert_eq!(sent(), message);

    for (path, says) in
        [("./link.txt", "symbolic link"), ("./blank.txt", "holds no text"), ("./nowhere.txt", "No such file")]
    {
        let said = with(path).expect_code(1).stderr();
        assert!(said.contains("--system-prompt-file") && said.contains(says), "{path}: {said}");
        assert!(said.contains("c.yaml:5"), "{said}");
    }
}
