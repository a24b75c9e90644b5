#![allow(clippy::unwrap_used)]
use std::sync::Arc;

use loadgen_core::{InputTokens, Media, Role, TurnTiming};
use serde_json::json;

use super::*;

fn turn(prompt: Prompt, limit: Option<u32>, extra: Option<&str>) -> Turn {
    Turn {
        prompt,
        input_tokens: InputTokens::Unknown,
        max_output_tokens: limit,
        model: "m".into(),
        session_id: "s".into(),
        turn_index: 0,
        is_last: true,
        timing: TurnTiming::Immediately,
        extra: extra.map(Arc::from),
        holds_secrets: false,
        source_row: None,
        hash_ids: None,
        labels: Vec::new(),
    }
}

fn says(role: Role, pieces: &[&'static str]) -> Message {
    let text = pieces.iter().map(|piece| Bytes::from_static(piece.as_bytes())).collect();
    Message::new(role, text)
}

fn hello() -> Prompt {
    Prompt::Messages(vec![says(Role::User, &["hel", "lo"])])
}

fn body(kind: EndpointKind, streaming: bool, extras: &Value, turn: &Turn) -> String {
    let mut config = EndpointConfig::new(kind, streaming);
    config.extra_inputs = extras.as_object().unwrap().clone();
    let body = BodyPlan::new(&config).unwrap().render(turn).unwrap();
    assert_eq!(body.len(), body.to_bytes().len());
    String::from_utf8(body.to_bytes().to_vec()).unwrap()
}

#[test]
fn chat_fields_come_in_the_known_order() {
    let prompt = Prompt::Messages(vec![says(Role::System, &["be"]), says(Role::User, &["a", "b"])]);
    assert_eq!(
        body(EndpointKind::Chat, true, &json!({"ignore_eos": true}), &turn(prompt, Some(7), None)),
        r#"{"messages":[{"role":"system","content":"be"},{"role":"user","content":"ab"}],"model":"m","stream":true,"max_completion_tokens":7,"ignore_eos":true,"stream_options":{"include_usage":true}}"#
    );
    assert_eq!(
        body(EndpointKind::Chat, false, &json!({}), &turn(hello(), None, None)),
        r#"{"messages":[{"role":"user","content":"hello"}],"model":"m","stream":false}"#
    );
}

#[test]
fn later_layers_replace_values_where_they_stand() {
    let extras = json!({"model": "n", "max_completion_tokens": 0, "temperature": 0.5});
    let turn = turn(hello(), Some(7), Some(r#""temperature":1,"stream":false,"x":[1]"#));
    assert_eq!(
        body(EndpointKind::Chat, true, &extras, &turn),
        r#"{"messages":[{"role":"user","content":"hello"}],"model":"n","stream":false,"max_completion_tokens":0,"temperature":1,"x":[1]}"#
    );
}

#[test]
fn usage_is_asked_for_unless_the_user_said_otherwise() {
    let ends = |extras: &Value, end: &str| {
        let body = body(EndpointKind::Chat, true, extras, &turn(hello(), None, None));
        assert!(body.ends_with(end), "{body}");
    };
    ends(
        &json!({"stream_options": {"include_usage": false}}),
        r#""stream_options":{"include_usage":false}}"#,
    );
    ends(
        &json!({"stream_options": {"a": 1}, "b": 2}),
        r#""stream_options":{"a":1,"include_usage":true},"b":2}"#,
    );
    ends(&json!({"stream_options": null}), r#""stream_options":{"include_usage":true}}"#);
    ends(&json!({"stream": 0}), r#""stream":0}"#);
    let mut config = EndpointConfig::new(EndpointKind::Chat, true);
    config.per_chunk_usage = true;
    let body = BodyPlan::new(&config).unwrap().render(&turn(hello(), None, None)).unwrap().to_bytes();
    assert!(body.ends_with(br#""stream_options":{"include_usage":true,"continuous_usage_stats":true}}"#));
}

#[test]
fn completions_send_one_prompt() {
    assert_eq!(
        body(EndpointKind::Completions, true, &json!({}), &turn(hello(), Some(3), None)),
        r#"{"prompt":"hello","model":"m","stream":true,"max_tokens":3,"stream_options":{"include_usage":true}}"#
    );
    let two = Prompt::Messages(vec![says(Role::User, &["a"]), says(Role::Assistant, &["b"])]);
    let plan = BodyPlan::new(&EndpointConfig::new(EndpointKind::Completions, true)).unwrap();
    let error = plan.render(&turn(two, None, None)).unwrap_err().to_string();
    assert!(error.contains("2 messages"), "{error}");
}

#[test]
fn ready_messages_and_ready_bodies_go_out_as_they_are() {
    let prompt = Prompt::RawMessages {
        messages: Bytes::from_static(br#"[{"role":"user","content":[]}]"#),
        tools: Some(Bytes::from_static(b"[{}]")),
        system: None,
    };
    assert_eq!(
        body(EndpointKind::Chat, false, &json!({}), &turn(prompt, None, None)),
        r#"{"messages":[{"role":"user","content":[]}],"model":"m","stream":false,"tools":[{}]}"#
    );
    let payload = Prompt::Payload(Bytes::from_static(b"{ }"));
    assert_eq!(body(EndpointKind::Chat, true, &json!({"a": 1}), &turn(payload, Some(1), None)), "{ }");
}

#[test]
fn a_system_message_beside_ready_messages_stands_in_its_own_field() {
    let ready = || Prompt::RawMessages {
        messages: Bytes::from_static(br#"[{"role":"system","content":"own"}]"#),
        tools: None,
        system: Some(Rope::from(Bytes::from_static(b"be"))),
    };
    assert_eq!(
        plain(EndpointKind::Responses, &turn(ready(), Some(6), None)),
        r#"{"input":[{"role":"system","content":"own"}],"model":"m","stream":false,"instructions":"be","max_output_tokens":6}"#
    );
    assert_eq!(
        body(EndpointKind::Messages, true, &json!({}), &turn(ready(), None, None)),
        r#"{"model":"m","messages":[{"role":"system","content":"own"}],"max_tokens":1024,"stream":true,"system":"be"}"#
    );
}

#[test]
fn long_pieces_are_shared_and_not_copied() {
    let block = Bytes::from(vec![b'x'; 4096]);
    let text: Rope = [block.clone(), block.clone()].into_iter().collect();
    let prompt = Prompt::Messages(vec![Message::new(Role::User, text)]);
    let plan = BodyPlan::new(&EndpointConfig::new(EndpointKind::Chat, true)).unwrap();
    let body = plan.render(&turn(prompt, None, None)).unwrap();
    assert_eq!(body.pieces().iter().filter(|piece| piece.as_ptr() == block.as_ptr()).count(), 2);
    assert_eq!(body.pieces().len(), 4);
}

#[test]
fn extra_fields_that_are_no_json_name_their_session() {
    let plan = BodyPlan::new(&EndpointConfig::new(EndpointKind::Chat, true)).unwrap();
    let error = plan.render(&turn(hello(), None, Some("x:1"))).unwrap_err().to_string();
    assert!(error.starts_with("the extra fields of session s are not"), "{error}");
}

fn with_parts(text: &'static str, parts: Vec<Part>) -> Prompt {
    let mut message = says(Role::User, &[text]);
    message.parts = parts;
    Prompt::Messages(vec![Message::leading(Rope::from(Bytes::from_static(b"be"))), message])
}

fn png() -> Part {
    Part::Image(Media::Encoded { format: "png".into(), base64: Bytes::from_static(b"QUJD"), plays_ns: None })
}

fn plain(kind: EndpointKind, turn: &Turn) -> String {
    body(kind, false, &json!({}), turn)
}

fn refusal(kind: EndpointKind, prompt: Prompt) -> String {
    let plan = BodyPlan::new(&EndpointConfig::new(kind, false)).unwrap();
    plan.render(&turn(prompt, None, None)).unwrap_err().to_string()
}

#[test]
fn chat_messages_with_media_are_lists_of_parts() {
    let sound = Media::Url(Bytes::from_static(b"data:audio/mp3;base64,R0hJ"));
    let film = Media::Url(Bytes::from_static(b"https://x/y.mp4"));
    let parts = vec![
        Part::Text(Rope::from(Bytes::from_static(b"more"))),
        png(),
        Part::Audio(sound),
        Part::Video(film),
    ];
    let said = plain(EndpointKind::Chat, &turn(with_parts("see", parts), None, None));
    assert_eq!(
        said,
        concat!(
            r#"{"messages":[{"role":"system","content":"be"},{"role":"user","content":["#,
            r#"{"type":"text","text":"see"},{"type":"text","text":"more"},"#,
            r#"{"type":"image_url","image_url":{"url":"data:image/png;base64,QUJD"}},"#,
            r#"{"type":"input_audio","input_audio":{"data":"R0hJ","format":"mp3"}},"#,
            r#"{"type":"video_url","video_url":{"url":"https://x/y.mp4"}}"#,
            r#"]}],"model":"m","stream":false}"#
        )
    );
    let alone =
        Prompt::Messages(vec![Message { parts: vec![png()], ..Message::new(Role::User, Rope::new()) }]);
    let said = plain(EndpointKind::Chat, &turn(alone, None, None));
    assert!(said.starts_with(r#"{"messages":[{"role":"user","content":[{"type":"image_url""#), "{said}");
    let ready =
        Message { ready: Some(Bytes::from_static(b"{\"a\":1}")), ..says(Role::Assistant, &["not this"]) };
    let said = plain(EndpointKind::Chat, &turn(Prompt::Messages(vec![ready]), None, None));
    assert!(said.starts_with(r#"{"messages":[{"a":1}],"model""#), "{said}");
    let far = Part::Audio(Media::Url(Bytes::from_static(b"http://x/y.wav")));
    assert!(refusal(EndpointKind::Chat, with_parts("a", vec![far])).starts_with("audio is sent as its data"));
}

#[test]
fn a_message_of_one_text_is_a_list_of_parts_where_that_is_asked_for() {
    let mut config = EndpointConfig::new(EndpointKind::Chat, false);
    config.force_content_parts = true;
    let body = BodyPlan::new(&config).unwrap().render(&turn(hello(), None, None)).unwrap().to_bytes();
    assert!(body.starts_with(br#"{"messages":[{"role":"user","content":[{"type":"text","text":"hello"}]}]"#));
}

#[test]
fn responses_have_items_and_instructions() {
    let prompt = with_parts("see", vec![png()]);
    assert_eq!(
        body(EndpointKind::Responses, true, &json!({"store": false}), &turn(prompt, Some(9), None)),
        concat!(
            r#"{"input":[{"role":"user","content":[{"type":"input_text","text":"see"},"#,
            r#"{"type":"input_image","image_url":"data:image/png;base64,QUJD"}],"type":"message"}],"#,
            r#""model":"m","stream":true,"instructions":"be","max_output_tokens":9,"store":false}"#
        )
    );
    let film = Part::Video(Media::Url(Bytes::from_static(b"https://x/y.mp4")));
    assert!(refusal(EndpointKind::Responses, with_parts("a", vec![film])).contains("takes no video"));
    // Usage is asked for only where it is needed.
    let mut config = EndpointConfig::new(EndpointKind::Responses, true);
    config.use_server_token_count = true;
    let body = BodyPlan::new(&config).unwrap().render(&turn(hello(), None, None)).unwrap().to_bytes();
    assert!(body.ends_with(br#""stream":true,"stream_options":{"include_usage":true}}"#));
}

#[test]
fn a_response_that_follows_a_kept_one_names_it_behind_stream() {
    let followed = turn(hello(), None, Some(r#""previous_response_id":"resp_1""#));
    assert_eq!(
        body(EndpointKind::Responses, false, &json!({"store": true}), &followed),
        concat!(
            r#"{"input":[{"role":"user","content":"hello","type":"message"}],"model":"m","stream":false,"#,
            r#""previous_response_id":"resp_1","store":true}"#
        )
    );
}

#[test]
fn messages_have_a_limit_and_a_system_field() {
    let prompt =
        with_parts("see", vec![png(), Part::Image(Media::Url(Bytes::from_static(b"http://x/y.png")))]);
    assert_eq!(
        plain(EndpointKind::Messages, &turn(prompt, None, None)),
        concat!(
            r#"{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"see"},"#,
            r#"{"type":"image","source":{"type":"base64","media_type":"image/png","data":"QUJD"}},"#,
            r#"{"type":"image","source":{"type":"url","url":"http://x/y.png"}}]}],"max_tokens":1024,"system":"be"}"#
        )
    );
    assert_eq!(
        body(EndpointKind::Messages, true, &json!({"top_k": 1}), &turn(hello(), Some(5), None)),
        r#"{"model":"m","messages":[{"role":"user","content":"hello"}],"max_tokens":5,"stream":true,"top_k":1}"#
    );
    let sound = Part::Audio(Media::Encoded { format: "wav".into(), base64: Bytes::new(), plays_ns: None });
    assert!(
        refusal(EndpointKind::Messages, with_parts("a", vec![sound])).contains("messages takes no audio")
    );
}

#[test]
fn a_turn_that_a_system_message_is_stays_among_the_messages() {
    let alone = || turn(Prompt::Messages(vec![says(Role::System, &["be"])]), None, None);
    assert_eq!(
        plain(EndpointKind::Messages, &alone()),
        r#"{"model":"m","messages":[{"role":"system","content":"be"}],"max_tokens":1024}"#
    );
    assert_eq!(
        plain(EndpointKind::Responses, &alone()),
        r#"{"input":[{"role":"system","content":"be","type":"message"}],"model":"m","stream":false}"#
    );
    // Nor does it move once something follows it, whether the conversation has a system message or not.
    let (first, then) = (says(Role::System, &["be"]), says(Role::User, &["a"]));
    assert_eq!(
        plain(EndpointKind::Messages, &turn(Prompt::Messages(vec![first.clone(), then.clone()]), None, None)),
        r#"{"model":"m","messages":[{"role":"system","content":"be"},{"role":"user","content":"a"}],"max_tokens":1024}"#
    );
    let leading = Message::leading(Rope::from(Bytes::from_static(b"own")));
    assert_eq!(
        plain(EndpointKind::Messages, &turn(Prompt::Messages(vec![leading, first, then]), None, None)),
        concat!(
            r#"{"model":"m","messages":[{"role":"system","content":"be"},{"role":"user","content":"a"}],"#,
            r#""max_tokens":1024,"system":"own"}"#
        )
    );
}

#[test]
fn embeddings_send_a_list_of_texts_and_no_limit() {
    let mut message = says(Role::User, &["one"]);
    message.parts.push(Part::Text(Rope::from(Bytes::from_static(b"two"))));
    let several = turn(Prompt::Messages(vec![message]), Some(4), None);
    assert_eq!(plain(EndpointKind::Embeddings, &several), r#"{"model":"m","input":["one","two"]}"#);
    assert_eq!(
        body(EndpointKind::ChatEmbeddings, true, &json!({}), &turn(hello(), None, None)),
        r#"{"messages":[{"role":"user","content":"hello"}],"model":"m","stream":false}"#
    );
    assert!(refusal(EndpointKind::Embeddings, with_parts("a", vec![])).contains("2 messages"));
    let mut pair = says(Role::User, &["one"]);
    pair.parts.push(png());
    let pair = Prompt::Messages(vec![pair]);
    assert!(refusal(EndpointKind::Embeddings, pair.clone()).contains("embeddings takes no images"));
    assert_eq!(
        plain(EndpointKind::NimEmbeddings, &turn(pair, None, None)),
        r#"{"model":"m","input":["one data:image/png;base64,QUJD"]}"#
    );
}

#[test]
fn rankings_speak_the_words_of_their_servers() {
    let ranking = || Prompt::Ranking {
        query: Rope::from(Bytes::from_static(b"q")),
        passages: [&b"a"[..], b"b"].map(|text| Rope::from(Bytes::from_static(text))).to_vec(),
    };
    let said = |kind| body(kind, true, &json!({"top_n": 1}), &turn(ranking(), Some(3), None));
    assert_eq!(
        said(EndpointKind::NimRankings),
        r#"{"model":"m","query":{"text":"q"},"passages":[{"text":"a"},{"text":"b"}],"top_n":1}"#
    );
    assert_eq!(
        said(EndpointKind::CohereRankings),
        r#"{"model":"m","query":"q","documents":["a","b"],"top_n":1}"#
    );
    assert_eq!(said(EndpointKind::HfTeiRankings), r#"{"query":"q","texts":["a","b"],"top_n":1}"#);
    assert!(refusal(EndpointKind::NimRankings, hello()).contains("sends a query and passages"));
    assert!(refusal(EndpointKind::Chat, ranking()).contains("this turn has a query and passages"));
}

#[test]
fn extra_inputs_of_generate_are_parameters() {
    let extras = json!({"do_sample": true, "max_new_tokens": 9});
    assert_eq!(
        body(EndpointKind::HuggingfaceGenerate, true, &extras, &turn(hello(), Some(5), Some(r#""x":1"#))),
        r#"{"inputs":"hello","parameters":{"max_new_tokens":9,"do_sample":true},"x":1}"#
    );
    assert_eq!(
        plain(EndpointKind::HuggingfaceGenerate, &turn(hello(), None, None)),
        r#"{"inputs":"hello","parameters":{}}"#
    );
    assert_eq!(
        plain(EndpointKind::SolidoRag, &turn(hello(), None, None)),
        r#"{"query":["hello"],"filters":{"family":"Solido","tool":"SDE"},"inference_model":"m"}"#
    );
}

#[test]
fn a_template_renders_what_it_is_told() {
    let said = |template: &str, prompt: Prompt| {
        let extras = json!({"payload_template": template, "response_field": "a.b", "extra": [1]});
        body(EndpointKind::Template, true, &extras, &turn(prompt, Some(7), None))
    };
    assert_eq!(said("nv-embedqa", hello()), r#"{"text":["hello"],"extra":[1]}"#);
    assert_eq!(
        said(
            r#"{"t":{{text|tojson}},"n":{{max_tokens}},"s":{{stream|tojson}},"m":"{{model}}","q":{{query|tojson}},
                "r":"{{turn.texts[0].contents[0]}}","k":{{turns|length}},"none":"{{image}}","yes":"{{stream}}"}"#,
            hello()
        ),
        r#"{"t":"hello","n":7,"s":true,"m":"m","q":null,"r":"hello","k":1,"none":"None","yes":"True","extra":[1]}"#
    );
    // Text is escaped for HTML, as Jinja does with autoescape, unless it goes through tojson.
    let quoted = Prompt::Messages(vec![says(Role::User, &[r#"<a> \"it's\"/&"#])]);
    assert_eq!(
        said(r#"{"raw":"{{text}}","json":{{text|tojson}}}"#, quoted),
        r#"{"raw":"&lt;a&gt; &#34;it&#39;s&#34;/&amp;","json":"<a> \"it's\"/&","extra":[1]}"#
    );
    let ranking = Prompt::Ranking {
        query: Rope::from(Bytes::from_static(b"q")),
        passages: vec![Rope::from(Bytes::from_static(b"p"))],
    };
    assert_eq!(
        said(r#"{"q":{{query|tojson}},"p":{{passages|tojson}},"all":{{texts|tojson}}}"#, ranking),
        r#"{"q":"q","p":["p"],"all":["q","p"],"extra":[1]}"#
    );
}

#[test]
fn a_template_that_gives_no_body_says_so() {
    let made = |template: &str| {
        let mut config = EndpointConfig::new(EndpointKind::Template, false);
        config.extra_inputs = json!({"payload_template": template}).as_object().unwrap().clone();
        BodyPlan::new(&config)
    };
    let rendered =
        |template: &str| made(template).unwrap().render(&turn(hello(), None, None)).unwrap_err().to_string();
    assert!(rendered("[{{text|tojson}}]").contains("did not render a JSON object: [\"hello\"]"));
    assert!(rendered("{{text}}").contains("did not render valid JSON"));
    assert!(made("{% for %}").unwrap_err().to_string().starts_with("payload_template: "));
    let none = BodyPlan::new(&EndpointConfig::new(EndpointKind::Template, false)).unwrap_err().to_string();
    assert!(none.contains("needs its template"), "{none}");
}

#[test]
fn a_template_that_does_not_end_is_given_up_and_one_that_is_long_is_not() {
    let mut config = EndpointConfig::new(EndpointKind::Template, false);
    let mut rendered = |template: &str| {
        config.extra_inputs = json!({"payload_template": template}).as_object().unwrap().clone();
        BodyPlan::new(&config).unwrap().render(&turn(hello(), None, None))
    };
    for endless in [
        "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
        "{% macro m() %}{% for j in range(99999) %}{% endfor %}{% endmacro %}{% for i in range(99999) %}{{ m() }}{% endfor %}",
    ] {
        let refused = rendered(endless).unwrap_err().to_string();
        assert!(refused.starts_with("--extra-inputs payload_template: "), "{refused}");
        assert!(refused.contains("10000000 steps"), "{refused}");
    }
    let long = rendered(r#"{"n":[{% for i in range(99999) %}{{ i }},{% endfor %}0]}"#).unwrap();
    let long: Value = serde_json::from_slice(&long.to_bytes()).unwrap();
    assert_eq!(long["n"].as_array().map(Vec::len), Some(100_000));
}

#[test]
fn raw_sends_ready_bodies_alone() {
    assert!(refusal(EndpointKind::Raw, hello()).contains("use --custom-dataset-type raw_payload"));
    let payload = Prompt::Payload(Bytes::from_static(b"{ }"));
    assert_eq!(plain(EndpointKind::Raw, &turn(payload, None, None)), "{ }");
}
