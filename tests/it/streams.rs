//! Where output goes, and what becomes of a run when nobody listens any more.

use std::process::Stdio;

use crate::support::{Mock, Workspace, words};

#[test]
fn a_run_outlives_whoever_read_its_progress() {
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, "fixed?ttft=5ms&itl=1ms");
    let mut child = workspace
        .profiling(&mock.url)
        .arg("-v")
        .args(words("--streaming --concurrency 2 --request-count 10 --isl 10 --osl 3"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stderr.take());
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(workspace.results("out").summary()["request_count"]["avg"], 10.0);
}

#[test]
fn a_trace_goes_where_it_is_sent() {
    let workspace = Workspace::new();
    let synthesize = |file: &str| {
        workspace.run(&[
            "synthesize",
            "sinusoidal",
            "--time-duration",
            "3",
            "--seed",
            "4",
            "--output-file",
            file,
        ])
    };
    let on_stdout = synthesize("-").expect_code(0).stdout();
    synthesize("plain.jsonl").expect_code(0);
    assert_eq!(std::fs::read_to_string(workspace.path("plain.jsonl")).unwrap(), on_stdout);

    workspace.file("meant.jsonl", "old");
    std::os::unix::fs::symlink("meant.jsonl", workspace.path("link.jsonl")).unwrap();
    synthesize("link.jsonl").expect_code(0);
    assert_eq!(std::fs::read_to_string(workspace.path("meant.jsonl")).unwrap(), on_stdout);
    assert!(workspace.path("link.jsonl").is_symlink(), "the link stays");

    let refused = synthesize("missing/folder.jsonl").expect_code(1);
    assert!(refused.stderr().contains("--output-file"), "{}", refused.stderr());
}

#[test]
fn a_device_is_written_to_and_stays_one() {
    use std::os::unix::fs::FileTypeExt;

    let workspace = Workspace::new();
    let fifo = workspace.path("pipe");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let reader = {
        let fifo = fifo.clone();
        std::thread::spawn(move || std::fs::read_to_string(fifo).unwrap())
    };
    workspace.run(&words("synthesize sinusoidal --time-duration 2 --output-file pipe")).expect_code(0);
    assert!(reader.join().unwrap().starts_with("{\"timestamp\""));
    assert!(std::fs::metadata(&fifo).unwrap().file_type().is_fifo());
}
