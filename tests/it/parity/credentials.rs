//! Which headers and parts of a URL are credentials: the server gets them, and no file shows them.

use serde_json::Value;

use crate::secrets::nowhere;
use crate::support::scripted::{Scripted, chat};
use crate::support::{Workspace, words};

/// AIPerf's list of headers: what a name may contain, and whole names.
const SECRET_HEADERS: [&str; 20] = [
    "X-My-Auth",
    "X-My-Token",
    "X-My-Secret-1",
    "X-My-Password",
    "X-My-Passwd",
    "X-My-Credential",
    "X-My-Cookie",
    "X-My-ApiKey",
    "X-My-Api-Key",
    "X-My-Api_Key",
    "X-My-Session",
    "X-My-Signature",
    "Aeg-Sas-Key",
    "X-My-Access-Key",
    "X-My-Private-Key",
    "Ocp-Apim-Subscription-Key",
    "X-Goog-Api-Key",
    "X-Functions-Key",
    "X-Csrf-Token",
    "X-Xsrf-Token",
];

/// Parameters of a URL that are credentials.
const SECRET_PARAMETERS: [&str; 9] = [
    "key",
    "api_key",
    "token",
    "secret",
    "password",
    "sig",
    "signature",
    "X-Amz-Signature",
    "X-Amz-Credential",
];

/// A header in a JSON object, its name in any case.
fn header<'a>(headers: &'a Value, name: &str) -> &'a Value {
    let headers = headers.as_object().unwrap_or_else(|| panic!("no headers: {headers}"));
    let found = headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    found.unwrap_or_else(|| panic!("no {name} in {headers:?}")).1
}

#[test]
fn credentials_in_headers_and_urls_reach_the_server_and_no_file() {
    let server = Scripted::chats(|asked| chat(asked, &[" a", " b"]));
    let workspace = Workspace::new();
    let value = |name: &str| format!("hidden-{}", name.to_ascii_lowercase());
    let query: Vec<String> = SECRET_PARAMETERS.map(|name| format!("{name}={}", value(name))).to_vec();
    let url = format!("http://user:hidden-in-userinfo@{}/?{}&plain=shown", server.address(), query.join("&"));
    let mut arguments = words(
        "--streaming --concurrency 1 --request-count 2 --isl 10 --osl 3 --export-level raw --export-http-trace \
         --api-key hidden-key -H X-Team:blue --no-gpu-telemetry -v",
    );
    let headers = SECRET_HEADERS.map(|name| format!("{name}: {}", value(name)));
    for header in &headers {
        arguments.extend(["-H", header]);
    }
    let finished = workspace.profile_at(&url, &arguments).expect_code(0);

    let asked = server.asked().into_iter().find(|asked| asked.path.contains("/v1/chat/completions")).unwrap();
    for name in SECRET_HEADERS {
        assert_eq!(asked.header(name), Some(value(name).as_str()), "the server gets it");
    }
    assert_eq!(asked.header("authorization"), Some("Bearer hidden-key"));
    assert!(asked.path.contains("api_key=hidden-api_key"), "{}", asked.path);

    let results = workspace.results("out");
    let raw = results.text("profile_export_raw.jsonl");
    let endpoint = &results.summary()["input_config"]["endpoint"];
    assert_eq!(endpoint["api_key"], "<redacted>");
    for line in raw.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        for name in SECRET_HEADERS {
            assert_eq!(header(&line["request_headers"], name), "<redacted>");
            assert_eq!(header(&endpoint["headers"], name), "<redacted>");
        }
        assert_eq!(header(&line["request_headers"], "authorization"), "<redacted>");
        assert_eq!(header(&line["request_headers"], "x-team"), "blue");
        assert_eq!(header(&endpoint["headers"], "x-team"), "blue");
    }
    assert!(finished.stdout().contains("--api-key '<redacted>'"), "{}", finished.stdout());
    nowhere(&finished, &workspace.path("out"), &["hidden-"]);
}
