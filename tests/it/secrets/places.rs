//! A secret in every place that takes one: its name in every spelling, a tool's server, a ready body; and what a
//! server says back of it.

use serde_json::{Value, json};

use super::nowhere;
use crate::support::scripted::{Answer, Asked, Scripted, chat};
use crate::support::{Workspace, words};

/// One name in three spellings, and others that are secrets by one word.
const NAMES: [&str; 15] = [
    "private_key",
    "Private-Key",
    "privateKey",
    "access_key",
    "accessKey",
    "sas_key",
    "signing_key",
    "ssh_key",
    "openai_key",
    "azure_openai_key",
    "jwt",
    "bearer",
    "pass",
    "sig",
    "user-pwd",
];

/// What a run of two streams is asked for, all that shows requests among it.
const ALL_FILES: &str = "--streaming --concurrency 1 --request-count 2 --osl 3 --export-level raw \
                         --export-http-trace --export-outputs-json --no-gpu-telemetry -v";

#[test]
fn every_spelling_of_a_name_hides_its_secret_in_every_place() {
    let server = Scripted::chats(|asked| chat(asked, &[" a", " b"]));
    let workspace = Workspace::new();
    let query = |place: &str| NAMES.map(|name| format!("{name}=hidden-in-{place}-{name}")).join("&");
    let url = format!("{}/?{}", server.url(), query("url"));
    let endpoint = format!("/v1/chat/completions?{}&plain=shown-in-path", query("path"));
    let mut arguments = words(ALL_FILES);
    arguments.extend(["--isl", "10", "--endpoint", &endpoint]);
    let headers = NAMES.map(|name| format!("{name}: hidden-in-header-{name}"));
    arguments.extend(headers.iter().flat_map(|header| ["-H", header]));
    let extra = NAMES.map(|name| format!("{name}:hidden-in-extra-{name}"));
    arguments.extend(extra.iter().flat_map(|extra| ["--extra-inputs", extra]));
    let open = "top_k:5,min_tokens:1,prompt_cache_key:shown-key,cache_salt:shown-salt,eos_token:shown-word";
    arguments.extend(["--extra-inputs", open]);
    let finished = workspace.profile_at(&url, &arguments).expect_code(0);

    let asked = server.asked().into_iter().find(Asked::is_load).unwrap();
    for name in NAMES {
        assert_eq!(
            asked.header(name),
            Some(format!("hidden-in-header-{name}").as_str()),
            "the server gets it"
        );
        assert_eq!(asked.json()[name], format!("hidden-in-extra-{name}"));
        for place in ["url", "path"] {
            let sent = format!("{name}=hidden-in-{place}-{name}");
            assert!(asked.path.contains(&sent), "{sent} is not in {}", asked.path);
        }
    }
    let inputs: Value = serde_json::from_str(&workspace.results("out").text("inputs.json")).unwrap();
    let payload = &inputs["data"][0]["payloads"][0];
    assert_eq!(payload["private_key"], "<redacted>");
    for (name, kept) in [
        ("top_k", json!(5)),
        ("min_tokens", json!(1)),
        ("prompt_cache_key", json!("shown-key")),
        ("cache_salt", json!("shown-salt")),
        ("eos_token", json!("shown-word")),
    ] {
        assert_eq!(payload[name], kept, "{name} is no secret");
    }
    nowhere(&finished, &workspace.path("out"), &["hidden-in"]);
}

#[test]
fn tools_and_texts_of_extra_inputs_keep_their_credentials() {
    let server = Scripted::chats(|asked| chat(asked, &[" a", " b"]));
    let workspace = Workspace::new();
    let extra = json!({
        "tools": [
            {
                "type": "mcp", "server_label": "shown-label", "server_url": "http://u:hidden-in-tool-url@tools.test/",
                "authorization": "hidden-in-authorization",
                "headers": { "Authorization": "Bearer hidden-in-tool-header", "X-Team": "shown-team" },
            },
            {
                "type": "function",
                "function": {
                    "name": "login",
                    "parameters": { "properties": { "token": { "description": "shown-description" } } },
                },
            },
        ],
        "callback": "http://u:hidden-in-callback@back.test/",
        "h": "Bearer hidden-in-text",
        "mcp_tools": [{ "server_url": "http://u:hidden-in-list@tools.test/" }],
    })
    .to_string();
    let mut arguments = words(ALL_FILES);
    arguments.extend(["--isl", "10", "--extra-inputs", &extra]);
    let finished = workspace.profile_at(&server.url(), &arguments).expect_code(0);

    let sent = server.asked().into_iter().find(Asked::is_load).unwrap().body;
    for secret in [
        "hidden-in-tool-url",
        "hidden-in-authorization",
        "hidden-in-tool-header",
        "hidden-in-callback",
        "hidden-in-text",
        "hidden-in-list",
    ] {
        assert!(sent.contains(secret), "{secret} is not sent: {sent}");
    }
    let results = workspace.results("out");
    for file in ["inputs.json", "profile_export_raw.jsonl"] {
        let text = results.text(file);
        for kept in ["shown-label", "shown-team", "shown-description", "<redacted>@back.test"] {
            assert!(text.contains(kept), "{kept} is not in {file}: {text}");
        }
    }
    nowhere(&finished, &workspace.path("out"), &["hidden-in"]);
}

#[test]
fn what_a_server_repeats_of_the_command_line_is_kept_nowhere() {
    // Every other answer is an error; all of them tell what was asked, in several ways.
    let mut answers = 0;
    let server = Scripted::start(move |asked| {
        let (_, query) = asked.path.split_once('?').unwrap_or_default();
        let values: Vec<&str> = query.split('&').filter_map(|pair| Some(pair.split_once('=')?.1)).collect();
        let told = json!({
            "object": "error",
            "error": { "message": format!("no {} ({}) for {}", asked.path, values.join(" or "), asked.body) },
        });
        answers += usize::from(asked.method == "POST");
        let answer = match answers % 3 {
            0 if asked.method == "POST" => chat(asked, &[" a", " b"]),
            1 => Answer::json(401, &told),
            _ => Answer::new(401, "text/plain", format!("{} {}", asked.path, values.join(" "))),
        };
        answer.with_header("X-Asked", asked.path.clone())
    });
    let workspace = Workspace::new();
    let endpoint = "/echo?sig=hidden-in-path&api_key=hidden-in-key&pass=hidden%2Din%2Descapes&plain=shown";
    let url =
        format!("{}/?jwt=hidden-in-query", server.url()).replace("http://", "http://u:hidden-in-userinfo@");
    let extra = r#"{"callback":"http://u:hidden-in-callback@x/","privateKey":"hidden-in-field"}"#;
    let mut arguments = words("--concurrency 1 --request-count 6 --osl 3 --isl 10 --export-level raw");
    arguments.extend(words("--export-http-trace --export-outputs-json --no-gpu-telemetry -v"));
    arguments.extend(["--endpoint", endpoint, "--extra-inputs", extra]);
    let finished = workspace.profile_at(&url, &arguments).expect_code(0);
    let errors = workspace.results("out").text("profile_export.jsonl");
    assert!(errors.contains("plain=shown"), "the server's words are kept: {errors}");
    nowhere(&finished, &workspace.path("out"), &["hidden-in", "hidden%2Din"]);
}

#[test]
fn ready_bodies_and_rows_are_sent_whole_and_kept_without_their_secrets() {
    let workspace = Workspace::new();
    let ask = json!([{ "role": "user", "content": "one two three" }]);
    let tools = json!([{
        "type": "mcp", "server_url": "http://x/", "authorization": "hidden-in-row",
        "name": "shown-tool", "description": "what it does",
    }]);
    let body = json!({ "messages": ask, "model": "demo", "api_key": "hidden-in-row", "tools": tools });
    for (format, row) in [
        ("raw_payload", body.clone()),
        ("mooncake_trace", json!({ "timestamp": 0, "payload": body })),
        ("mooncake_trace", json!({ "timestamp": 0, "messages": ask, "tools": tools })),
        (
            "mooncake_trace",
            json!({ "timestamp": 0, "text_input": "one", "extra": { "signingKey": "hidden-in-row" } }),
        ),
    ] {
        let server = Scripted::chats(|asked| chat(asked, &[" a", " b"]));
        workspace.file("rows.jsonl", &format!("{row}\n"));
        let mut arguments = words("--concurrency 1 --request-count 1 --export-level raw --no-gpu-telemetry");
        arguments.extend(["--input-file", "rows.jsonl", "--custom-dataset-type", format]);
        let finished = workspace.profile_at(&server.url(), &arguments).expect_code(0);
        let sent = server.asked().into_iter().find(Asked::is_load).unwrap().body;
        assert!(sent.contains("hidden-in-row"), "{sent}");
        nowhere(&finished, &workspace.path("out"), &["hidden-in-row"]);
        let results = workspace.results("out");
        let line: Value = serde_json::from_str(results.text("profile_export.jsonl").trim()).unwrap();
        let tokens = line["metrics"]["input_sequence_length"]["value"].as_i64();
        assert!(tokens.is_some_and(|tokens| tokens > 0), "its prompt is counted all the same: {line}");
        assert!(results.text("profile_export_raw.jsonl").contains("<redacted>"), "{format}");
    }
}
