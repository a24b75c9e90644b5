//! Keys and passwords go to the server and nowhere else.

mod places;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use crate::support::{Finished, Mock, Workspace, words};

#[test]
fn secrets_reach_the_server_but_no_file_and_no_log() {
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, "fixed?ttft=1ms&itl=1ms&fault=401&every=2");
    workspace.file("deploy.yaml", "image: vllm\nhf_token: secret-in-attachment\n");
    let url = mock.url.replace("http://", "http://user:secret-in-userinfo@") + "/?api_key=secret-in-query";
    let output = workspace
        .profiling(&url)
        .args(words("--streaming --concurrency 1 --request-count 4 --isl 10 --osl 3 -v"))
        .args(words("--export-level raw --export-http-trace --export-outputs-json"))
        .args(["--server-metrics", &mock.url.replace("http://", "http://user:secret-in-metrics@")])
        .args(["--gpu-telemetry", "http://user:secret-in-gpu@127.0.0.1:9"])
        .args(["--api-key", "secret-key", "-H", "X-Auth-Token: secret-in-header", "--attach", "deploy.yaml"])
        .output()
        .unwrap();
    let finished = Finished(output).expect_code(0);
    let secrets = [
        "secret-in-metrics",
        "secret-in-gpu",
        "secret-key",
        "secret-in-header",
        "secret-in-userinfo",
        "secret-in-query",
        "secret-in-attachment",
    ];
    nowhere(&finished, &workspace.path("out"), &secrets);
}

/// Looks for the secrets in what a run said and in every file that it left.
pub(crate) fn nowhere(finished: &Finished, folder: &Path, secrets: &[&str]) {
    let mut places = vec![
        ("stdout".to_owned(), finished.stdout().into_bytes()),
        ("stderr".to_owned(), finished.stderr().into_bytes()),
    ];
    files_below(folder, &mut places);
    assert!(places.len() > 8, "all files are looked at");
    for (place, bytes) in &places {
        let text = String::from_utf8_lossy(bytes);
        for secret in secrets {
            assert!(!text.contains(secret), "{secret} is in {place}");
        }
    }
}

/// The files of a folder and of those in it.
fn files_below(folder: &Path, files: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_below(&path, files);
        } else {
            files.push((path.display().to_string(), std::fs::read(&path).unwrap()));
        }
    }
}

#[test]
fn no_spelling_of_an_option_shows_its_secret() {
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, "fixed?ttft=1ms&itl=1ms");
    let url = mock.url.replace("http://", "http://user:secret-in-userinfo@");
    let finished = Finished(
        workspace
            .loadgen()
            .args(words("profile -m demo --tokenizer builtin --artifact-dir out -v"))
            .args(words("--streaming --concurrency 1 --request-count 2 --isl 10 --osl 3"))
            .args([&format!("-u{url}/?token=secret-in-query"), "-HX-Auth-Token: secret-in-header"])
            .args(["--header", "X-Trace:1,X-Other-Auth:secret-behind-a-comma"])
            .args(["--endpoint", "/v1/chat/completions?api_key=secret-in-path"])
            .args([
                "--extra-inputs",
                r#"{"nvext":{"auth":{"password":"secret-below"}},"password":83746583746}"#,
            ])
            .args(["--provenance", "note=api_key=secret-in-note", "--provenance", "api_key=secret-declared"])
            .output()
            .unwrap(),
    )
    .expect_code(0);
    let secrets = [
        "secret-in-userinfo",
        "secret-in-query",
        "secret-in-header",
        "secret-behind-a-comma",
        "secret-in-path",
        "secret-below",
        "83746583746",
        "secret-in-note",
        "secret-declared",
    ];
    nowhere(&finished, &workspace.path("out"), &secrets);
}

#[test]
fn secrets_in_bodies_reach_the_server_and_no_copy_of_a_body() {
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, "fixed?ttft=1ms&itl=1ms&fault=401&every=2");
    let (host, heard) = wiretap(mock.url.trim_start_matches("http://"));
    workspace.file(
        "rows.jsonl",
        concat!(
            "{\"text\":\"one\",\"extra\":{\"user_password\":\"secret-in-row\",\"top_k\":1.25}}\n",
            "{\"text\":\"two\"}\n"
        ),
    );
    let finished = Finished(
        workspace
            .profiling(&format!("http://{host}"))
            .args(words("--streaming --concurrency 1 --request-count 4 --osl 3 --export-level raw"))
            .args(words("--export-outputs-json --input-file rows.jsonl --custom-dataset-type single_turn"))
            .args(["--extra-inputs", "service_api_key:secret-in-extra", "max_tokens:3"])
            .output()
            .unwrap(),
    )
    .expect_code(0);
    let sent = String::from_utf8(std::mem::take(&mut *heard.lock().unwrap())).unwrap();
    assert!(sent.contains(r#""service_api_key":"secret-in-extra""#), "{sent}");
    assert!(sent.contains(r#""user_password":"secret-in-row""#), "{sent}");
    nowhere(&finished, &workspace.path("out"), &["secret-in-extra", "secret-in-row"]);
    let inputs = std::fs::read_to_string(workspace.path("out/inputs.json")).unwrap();
    for kept in [r#""service_api_key": "<redacted>""#, r#""top_k": 1.25"#, r#""max_tokens": 3"#] {
        assert!(inputs.contains(kept), "{kept} is not in {inputs}");
    }
    let raw = std::fs::read_to_string(workspace.path("out/profile_export_raw.jsonl")).unwrap();
    assert!(raw.contains(r#""user_password":"<redacted>""#), "{raw}");
}

#[test]
fn points_of_a_sweep_show_no_secret() {
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, "fixed?ttft=1ms&itl=1ms");
    let finished = Finished(
        workspace
            .profiling(&mock.url)
            .args(words("--streaming --concurrency 1 --request-count 2 --isl 10 --osl 3"))
            .args([
                "--variant",
                "a: endpoint=/v1/chat/completions?api_key=secret-in-point",
                "--variant",
                "b: isl=5",
            ])
            .output()
            .unwrap(),
    )
    .expect_code(0);
    nowhere(&finished, &workspace.path("out"), &["secret-in-point"]);

    let file = |sweep: &str| {
        format!(
            "benchmark:\n  model: m\n  endpoint: {{url: {}, streaming: true}}\n  \
             tokenizer: {{name: builtin}}\n  dataset: {{type: synthetic, prompts: {{isl: 10, osl: 3}}}}\n  \
             phases: {{type: concurrency, concurrency: 1, requests: 2}}\n  artifacts: {{dir: ./yaml}}\n{sweep}",
            mock.url
        )
    };
    let overlay = "benchmark: {endpoint: {extra: {password: secret-in-scenario}}}";
    workspace.file(
        "scenarios.yaml",
        &file(&format!(
            "sweep:\n  type: scenarios\n  runs:\n    - {{name: a, {overlay}}}\n    - {{name: b}}\n"
        )),
    );
    let finished = workspace.run(&["profile", "-f", "scenarios.yaml"]).expect_code(0);
    nowhere(&finished, &workspace.path("yaml"), &["secret-in-scenario"]);
    let swept = "sweep:\n  parameters: {endpoint.extra.password: [secret-in-grid, other]}\n";
    workspace.file("grid.yaml", &file(swept));
    let refused = workspace.run(&["profile", "-f", "grid.yaml"]).expect_code(1);
    assert!(
        refused.stderr().contains("endpoint.extra.password: a secret cannot be swept"),
        "{}",
        refused.stderr()
    );
    assert!(!refused.stderr().contains("secret-in-grid"), "{}", refused.stderr());
}

#[test]
fn the_paths_of_servers_hooks_keep_their_secrets() {
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, "fixed?ttft=1ms&itl=1ms");
    for (option, path) in [
        ("--reset-kv-cache-path", "/r?token=secret-in-reset"),
        ("--server-profiler-start-path", "/s?api_key=secret-in-start"),
        ("--server-profiler-stop-path", "/s?key=secret-in-stop"),
    ] {
        // The mock server has no such paths, and the refusal names them.
        let finished = workspace.profile(&mock, &["--request-count", "1", option, path]);
        let text = finished.stdout() + &finished.stderr();
        assert!(!text.contains("secret-in"), "{text}");
    }
}

#[test]
fn genai_perfs_words_send_their_secrets_and_show_none() {
    let workspace = Workspace::new();
    workspace.run(&["--install-aliases", "bin"]).expect_code(0);
    let mock = Mock::start(&workspace, "fixed?ttft=1ms&itl=1ms");
    let (host, heard) = wiretap(mock.url.trim_start_matches("http://"));
    for (index, header) in [
        &["--head", "Authorization: Bearer the-key"][..],
        &["-HAuthorization: Bearer the-key"],
        &["--header=Authorization: Bearer the-key"],
        &["--", "-H", "Authorization: Bearer the-key"],
        &["--", "-HAuthorization: Bearer the-key"],
    ]
    .into_iter()
    .enumerate()
    {
        let folder = format!("out{index}");
        let mut own = Command::new(workspace.path("bin/genai-perf"));
        own.current_dir(workspace.path("")).stdin(Stdio::null());
        own.env_remove("OPENAI_API_KEY").env("XDG_CACHE_HOME", workspace.path("cache"));
        own.args(words("profile -m demo --tokenizer builtin --endpoint-type chat --streaming"))
            .args(words("--synthetic-input-tokens-mean 10 --output-tokens-mean 3 --request-count 2"))
            .args([&format!("-uuser:secret-in-userinfo@{host}"), "--artifact-dir", &folder])
            .args(["--extra-in", "api_key:secret-in-body"])
            .args([
                "--server-metrics-url",
                "http://u:secret-in-metrics@127.0.0.1:9/metrics?token=secret-in-query",
            ])
            .args(header);
        if !header.contains(&"--") {
            own.arg("--");
        }
        own.args(["--ssl-x", "secret-in-unknown", "-v", "stray:secret-in-stray"]);
        let finished = Finished(own.output().unwrap()).expect_code(0);
        let secrets = [
            "the-key",
            "secret-in-userinfo",
            "secret-in-body",
            "secret-in-metrics",
            "secret-in-query",
            "secret-in-unknown",
            "secret-in-stray",
        ];
        assert!(finished.stderr().contains("behind --: --ssl-x"), "{}", finished.stderr());
        nowhere(&finished, &workspace.path(&folder), &secrets);
        let sent = std::mem::take(&mut *heard.lock().unwrap());
        let sent = String::from_utf8_lossy(&sent).to_ascii_lowercase();
        assert!(sent.contains("authorization: bearer the-key"), "{header:?}: {sent}");
    }
}

/// A port that passes on to a server what is sent to it, and keeps it.
fn wiretap(server: &str) -> (String, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let (server, kept) = (server.to_owned(), Arc::clone(&heard));
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let Ok(server) = TcpStream::connect(&server) else { return };
            let (mut answers, mut asker) = (server.try_clone().unwrap(), client.try_clone().unwrap());
            std::thread::spawn(move || drop(std::io::copy(&mut answers, &mut asker)));
            let kept = Arc::clone(&kept);
            std::thread::spawn(move || pass_on(client, server, &kept));
        }
    });
    (address, heard)
}

fn pass_on(mut from: TcpStream, mut to: TcpStream, kept: &Mutex<Vec<u8>>) {
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        kept.lock().unwrap().extend_from_slice(&buffer[..length]);
        if to.write_all(&buffer[..length]).is_err() {
            return;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Write);
}

#[test]
fn what_is_refused_does_not_show_what_it_held() {
    let workspace = Workspace::new();
    workspace.run(&["--install-aliases", "bin"]).expect_code(0);
    for typed in [
        &["profile", "-m", "x", "--endpoint-type", "chat", "--nope=S3CRET"][..],
        &["profile", "-m", "x", "--endpoint-type", "chat", "-ZS3CRET:x"],
        &["profile", "-m", "x", "--endpoint-type", "chat", "--header", "Bearer S3CRET"],
        &["profile", "-m", "x", "--endpoint-type", "chat", "--extra-inputs", ":S3CRET"],
        &["profile", "-m", "x", "--endpoint-type", "chat", "--streaming=S3CRET"],
        &["profile", "-m", "x", "--endpoint-type", "chat", "stray:S3CRET"],
    ] {
        let output = Command::new(workspace.path("bin/genai-perf")).args(typed).output().unwrap();
        let finished = Finished(output).expect_code(1);
        assert!(!finished.stderr().contains("S3CRET"), "{}", finished.stderr());
    }
    for typed in [
        &["profile", "-m", "x", "--url", "http://u:S3CRET@h:port"][..],
        &["profile", "-m", "x", "--extra-inputs", "password:a,S3CRET"],
        &["profile", "-m", "x", "--endpoint", "/v1 x?api_key=S3CRET"],
    ] {
        let finished = workspace.run(typed).expect_code(1);
        assert!(!finished.stderr().contains("S3CRET"), "{}", finished.stderr());
    }
}
