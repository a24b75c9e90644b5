//! Arrivals stamped by packets: exact however late the client reads, and refused with the cure where
//! packets may not be watched.

use std::collections::HashMap;
use std::time::Duration;

use crate::support::{Finished, Held, Mock, Workspace, words};

/// Whether this process may watch packets; says so when it may not.
fn may_watch() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let bits = effective.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok()).unwrap_or(0);
    // CAP_NET_RAW, from linux/capability.h.
    let may = bits & (1 << 13) != 0;
    if !may {
        eprintln!("skipped: CAP_NET_RAW is missing");
    }
    may
}

#[test]
fn packets_tell_arrivals_that_a_stopped_client_read_late() {
    if may_watch() {
        arrivals_are_right_though_read_late(&[]);
    }
}

#[test]
fn packets_tell_arrivals_of_what_is_encrypted_too() {
    if may_watch() {
        arrivals_are_right_though_read_late(&["--tls"]);
    }
}

/// Stops a client for a second of its run, and holds every arrival against the server's log.
fn arrivals_are_right_though_read_late(server: &[&str]) {
    let workspace = Workspace::new();
    let mock = Mock::start_with(&workspace, "fixed?ttft=50ms&itl=20ms", server);
    let mut command = workspace.profiling(&mock.url);
    command.args(words(
        "--streaming --concurrency 4 --request-count 4 --isl 10 --osl 100 --timestamps packet --insecure",
    ));
    let held = Held::start(command);
    std::thread::sleep(Duration::from_millis(400));
    held.hold(Duration::from_secs(1));
    held.finish().expect_code(0);

    let results = workspace.results("out");
    let quality = results.quality();
    assert_eq!(quality["timestamp_source"], "packet", "{quality}");
    assert_eq!(quality["stamps"]["packet"], 400, "{}", quality["stamps"]);
    assert_eq!(quality["uncertain_chunks"]["uncertain"], 0);
    assert!(quality["packets"]["packets"].as_u64().unwrap() >= 400, "{}", quality["packets"]);
    let written: HashMap<String, Vec<i64>> = mock
        .truth()
        .iter()
        .map(|request| {
            let begins = request["write_begin_ns"].as_array().unwrap();
            let begins = begins.iter().filter_map(serde_json::Value::as_i64).collect();
            (request["request_id"].as_str().unwrap().to_owned(), begins)
        })
        .collect();
    for row in results.rows() {
        let begins = &written[&row.identity.request_id.to_string()];
        let start = row.instants.request_start.unwrap().0;
        assert_eq!(row.chunks.len(), 100);
        for (offset, begin) in row.chunks.offset_ns.iter().zip(begins) {
            // A stamp taken when the client read would be off by up to the second that it was stopped.
            let off_ms = (start + offset - begin).abs() / 1_000_000;
            assert!(off_ms < 200, "a token's arrival is {off_ms} ms from when it was written");
        }
    }
    assert_eq!(results.json("provenance.json")["facts"]["run.timestamp_source"]["value"], "packet");
}

#[test]
fn without_the_right_the_cure_is_named_and_nothing_is_written() {
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, "fixed?ttft=1ms&itl=1ms");
    let mut command = if may_watch() {
        let wrapper = ["setpriv", "--bounding-set", "-net_raw", "--inh-caps", "-net_raw"];
        let refused = std::process::Command::new(wrapper[0]).args(&wrapper[1..]).arg("true").status();
        if !refused.is_ok_and(|status| status.success()) {
            eprintln!("skipped: setpriv cannot take the right away");
            return;
        }
        workspace.profiling_under(&wrapper, &mock.url)
    } else {
        workspace.profiling(&mock.url)
    };
    command.args(words("--streaming --request-count 2 --timestamps packet"));
    let finished = Finished(command.output().unwrap()).expect_code(1);
    let stderr = finished.stderr();
    for expected in ["CAP_NET_RAW", "setcap cap_net_raw+ep", "--timestamps socket"] {
        assert!(stderr.contains(expected), "{expected} is not in {stderr}");
    }
    assert!(!workspace.path("out").exists(), "nothing is written");
    assert_eq!(mock.truth().len(), 0, "nothing is sent");
}
