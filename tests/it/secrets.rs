//! Keys and passwords go to the server and nowhere else.

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
    let mut places = vec![
        ("stdout".to_owned(), finished.stdout().into_bytes()),
        ("stderr".to_owned(), finished.stderr().into_bytes()),
    ];
    places.extend(workspace.results("out").files());
    for entry in std::fs::read_dir(workspace.path("out/journal")).unwrap() {
        let path = entry.unwrap().path();
        places.push((path.display().to_string(), std::fs::read(&path).unwrap()));
    }
    assert!(places.len() > 8, "all files are looked at");
    for (place, bytes) in &places {
        let text = String::from_utf8_lossy(bytes);
        for secret in secrets {
            assert!(!text.contains(secret), "{secret} is in {place}");
        }
    }
}
