//! AIPerf's other input files.

use std::path::Path;

use loadgen_core::{InputTokens, Media, Part, Prompt, Role, Turn, TurnTiming};
use loadgen_tokens::Tokenizer;
use loadgen_workload::{Batches, CommonConfig, Dataset, TraceConfig, TraceFormat, WorkloadConfig};
use proptest::prelude::*;

use crate::support::{GIVEN, first_turn, messages, reply};

fn write(name: &str, text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    (folder, path)
}

fn load(config: TraceConfig) -> Result<Dataset, String> {
    let config = WorkloadConfig::Trace(config);
    Dataset::load(&config, &Tokenizer::builtin(), GIVEN, &["m".into()]).map_err(|error| error.to_string())
}

fn dataset(path: &Path, format: TraceFormat) -> Dataset {
    load(TraceConfig::new(path, format)).unwrap()
}

fn conversation(dataset: &Dataset, ordinal: u64) -> Vec<Turn> {
    let mut session = dataset.source().session(ordinal).unwrap();
    let mut turns: Vec<Turn> = session.next_turn(None).into_iter().collect();
    while let Some(turn) = session.next_turn(Some(&reply("ok"))) {
        turns.push(turn);
    }
    turns
}

/// Whether a turn's first message is the conversation's system message.
fn leads(turn: &Turn) -> bool {
    matches!(&turn.prompt, Prompt::Messages(said) if said[0].leads)
}

#[test]
fn single_turns_stand_each_for_itself_in_their_sessions_order() {
    let (_folder, path) = write(
        "requests.jsonl",
        concat!(
            "{\"text\":\"a \\\"b\\\"\",\"session_id\":\"s\",\"output_length\":5}\n",
            "{\"texts\":[\"c\",\"d\"],\"role\":\"system\",\"extra\":{\"temperature\":0}}\n",
            "\n{\"type\":\"single_turn\",\"text\":\"e\",\"session_id\":\"s\",\"delay\":20}\n",
        ),
    );
    let dataset = dataset(&path, TraceFormat::SingleTurn);
    assert_eq!((dataset.len(), dataset.turns()), (2, 3));
    let turns = conversation(&dataset, 0);
    assert_eq!(messages(&turns[0]), [(Role::User, "a \"b\"".to_owned())]);
    assert_eq!(messages(&turns[1]), [(Role::User, "e".to_owned())], "no history");
    assert_eq!(turns[1].timing, TurnTiming::AfterPrevious(20_000_000));
    assert_eq!((&*turns[0].session_id, turns[0].max_output_tokens), ("s", Some(5)));
    assert_eq!((turns[0].source_row, turns[1].source_row), (Some(0), Some(2)));
    let other = first_turn(&*dataset.source(), 1);
    let Prompt::Messages(list) = &other.prompt else { panic!("{other:?}") };
    assert_eq!((list[0].role, list[0].parts.len()), (Role::System, 1));
    assert_eq!((&*other.session_id, other.extra.as_deref()), ("session_000000", Some("\"temperature\":0")));
    assert!(matches!(&other.input_tokens, InputTokens::Count(texts) if texts.len() == 2));
}

#[test]
fn media_are_urls_data_or_files() {
    let (folder, path) = write("pictures.jsonl", "");
    let picture = folder.path().join("picture.png");
    std::fs::write(&picture, b"\x89PNG").unwrap();
    let line = serde_json::json!({
        "text": "what?",
        "images": ["https://host/a.jpg", picture, "data:image/gif;base64,AA=="],
        "audio": "wav,UklGRg==",
    });
    std::fs::write(&path, line.to_string()).unwrap();
    let dataset = dataset(&path, TraceFormat::SingleTurn);
    let turn = first_turn(&*dataset.source(), 0);
    let Prompt::Messages(list) = &turn.prompt else { panic!("{turn:?}") };
    let encoded = |format: &str, base64: &'static str| Media::Encoded {
        format: format.into(),
        base64: base64.into(),
        plays_ns: None,
    };
    assert_eq!(
        list[0].parts,
        [
            Part::Image(Media::Url("https://host/a.jpg".into())),
            Part::Image(encoded("png", "iVBORw==")),
            Part::Image(Media::Url("data:image/gif;base64,AA==".into())),
            Part::Audio(encoded("wav", "UklGRg==")),
        ]
    );
    std::fs::write(&path, "{\"image\":\"https://host/a.jpg\"}").unwrap();
    let only_image = load(TraceConfig::new(&path, TraceFormat::SingleTurn)).unwrap();
    assert_eq!(first_turn(&*only_image.source(), 0).input_tokens, InputTokens::Unknown, "no text, no tokens");
}

#[test]
fn multi_turns_go_on_with_the_answers_and_keep_their_system_message() {
    let (_folder, path) = write(
        "conversations.jsonl",
        concat!(
            "{\"session_id\":\"x\",\"turns\":[{\"role\":\"system\",\"text\":\"be brief\"},{\"text\":\"a\"}]}\n",
            "{\"turns\":[{\"text\":\"lone\"}]}\n",
            "{\"session_id\":\"x\",\"turns\":[{\"text\":\"b\",\"delay\":90000}]}\n",
        ),
    );
    let config = TraceConfig {
        delay_cap_ms: Some(1_000.0),
        common: CommonConfig { system_prompt: Some("be kind".to_owned()), ..CommonConfig::default() },
        ..TraceConfig::new(&path, TraceFormat::MultiTurn)
    };
    let dataset = load(config.clone()).unwrap();
    let turns = conversation(&dataset, 0);
    let system = (Role::System, "be kind\n\nbe brief".to_owned());
    let says = |role, text: &str| (role, text.to_owned());
    assert_eq!(messages(&turns[0]), [system.clone(), says(Role::User, "a")]);
    assert_eq!(
        messages(&turns[1]),
        [system, says(Role::User, "a"), says(Role::Assistant, "ok"), says(Role::User, "b")]
    );
    assert!(leads(&turns[0]) && leads(&turns[1]));
    assert_eq!(turns[1].timing, TurnTiming::AfterPrevious(1_000_000_000), "cut to the cap");
    assert!(dataset.warnings().is_empty());
    let uncapped = load(TraceConfig { delay_cap_ms: None, ..config.clone() }).unwrap();
    assert!(uncapped.warnings()[0].contains("between turns, 1 of them (first in line 3: 90 s)"));
    let lone = first_turn(&*dataset.source(), 1);
    assert_eq!(messages(&lone), [says(Role::System, "be kind"), says(Role::User, "lone")]);

    let plain = TraceConfig { hoists_system: false, common: CommonConfig::default(), ..config };
    let turns = conversation(&load(plain).unwrap(), 0);
    assert_eq!(turns.len(), 3, "without a place for it, the system message is a turn");
}

#[test]
fn a_lone_system_turn_and_two_of_them_stay_turns() {
    for turns in [
        "[{\"role\":\"system\",\"text\":\"a\"}]",
        "[{\"role\":\"system\",\"text\":\"a\"},{\"role\":\"system\",\"text\":\"b\"},{\"text\":\"c\"}]",
        "[{\"role\":\"system\",\"text\":\"a\",\"delay\":1},{\"text\":\"c\"}]",
    ] {
        let (_folder, path) = write("c.jsonl", &format!("{{\"turns\":{turns}}}"));
        let dataset = dataset(&path, TraceFormat::MultiTurn);
        assert_eq!(dataset.turns() as usize, turns.matches("text").count(), "{turns}");
        assert!(!conversation(&dataset, 0).iter().any(leads), "{turns}");
    }
}

#[test]
fn a_system_prompt_joins_a_leading_system_turn_where_the_endpoint_wants_one_system_message() {
    let turns =
        "[{\"role\":\"system\",\"text\":\"a\"},{\"role\":\"system\",\"text\":\"b\"},{\"text\":\"c\"}]";
    let (_folder, path) = write("c.jsonl", &format!("{{\"turns\":{turns}}}"));
    let load = |joins_system| {
        let system_prompt = Some("be kind".to_owned());
        let common = CommonConfig { system_prompt, joins_system, ..CommonConfig::default() };
        load(TraceConfig { common, ..TraceConfig::new(&path, TraceFormat::MultiTurn) }).unwrap()
    };
    let says = |role, text: &str| (role, text.to_owned());
    let (joined, ok) = (says(Role::System, "be kind\n\na"), says(Role::Assistant, "ok"));
    let dataset = load(true);
    let said: Vec<_> = conversation(&dataset, 0).iter().map(messages).collect();
    assert_eq!(said[0], std::slice::from_ref(&joined));
    assert_eq!(said[1], [joined.clone(), ok.clone(), says(Role::System, "b")]);
    assert_eq!(said[2][..2], [joined.clone(), ok]);
    let entry = dataset.entries().next().unwrap();
    assert_eq!(messages(&entry.turns[0]), [joined]);
    let apart = conversation(&load(false), 0);
    assert_eq!(messages(&apart[0]), [says(Role::System, "be kind"), says(Role::System, "a")]);
}

#[test]
fn a_pool_is_drawn_from_with_replacement() {
    let (_folder, path) = write("pool.jsonl", "{\"text\":\"a\"}\n{\"text\":\"b\"}\n{\"text\":\"c\"}\n");
    let config = TraceConfig { entries: 60, ..TraceConfig::new(&path, TraceFormat::RandomPool) };
    let drawn = |config: TraceConfig| -> Vec<String> {
        let dataset = load(config).unwrap();
        assert_eq!(dataset.len(), 60);
        dataset.entries().map(|entry| crate::support::text(&entry.turns[0])).collect()
    };
    let texts = drawn(config.clone());
    assert_eq!(drawn(config.clone()), texts, "settled by the seed");
    let distinct: std::collections::BTreeSet<_> = texts.iter().collect();
    assert_eq!(distinct.len(), 3);

    let batched = TraceConfig { batches: Batches { text: 2, ..Batches::default() }, ..config.clone() };
    let dataset = load(batched).unwrap();
    let turn = first_turn(&*dataset.source(), 0);
    let Prompt::Messages(list) = &turn.prompt else { panic!("{turn:?}") };
    assert!(matches!(list[0].parts[..], [Part::Text(_)]), "two texts");
    let none = TraceConfig { batches: Batches { text: 0, ..Batches::default() }, ..config };
    assert!(load(none).unwrap_err().contains("without any content"));
}

#[test]
fn a_folder_of_pools_gives_one_of_each_and_names_what_is_ranked() {
    let (folder, _) = write("queries.jsonl", "{\"text\":\"q1\"}\n{\"text\":\"q2\"}\n");
    std::fs::write(folder.path().join("passages.jsonl"), "{\"texts\":[\"p1\",\"p2\"]}\n").unwrap();
    let config = TraceConfig { entries: 4, ..TraceConfig::new(folder.path(), TraceFormat::RandomPool) };
    let ranking =
        TraceConfig { common: CommonConfig { ranks: true, ..CommonConfig::default() }, ..config.clone() };
    for entry in load(ranking).unwrap().entries() {
        let Prompt::Ranking { query, passages } = &entry.turns[0].prompt else { panic!("{entry:?}") };
        assert!(["q1", "q2"].contains(&crate::support::unescape(query).as_str()));
        let passages: Vec<String> = passages.iter().map(crate::support::unescape).collect();
        assert_eq!(passages, ["p1", "p2"]);
    }
    for entry in load(config.clone()).unwrap().entries() {
        let Prompt::Messages(list) = &entry.turns[0].prompt else { panic!("{entry:?}") };
        assert_eq!(list[0].parts.len(), 2, "three texts of one message");
    }
    let batched = TraceConfig { batches: Batches { text: 2, ..Batches::default() }, ..config };
    assert!(load(batched).unwrap_err().contains("several pools"));
}

#[test]
fn ready_bodies_are_sent_as_they_stand_but_for_blanks() {
    let spread = r#"{"messages": [{"role": "user", "content": "a b"}], "zz" : 1.50}"#;
    let body = r#"{"messages":[{"role":"user","content":"a b"}],"zz":1.50}"#;
    let (folder, path) = write("bodies.jsonl", &format!("{body}\n {spread}\n"));
    let payload = |turn: &Turn| {
        let Prompt::Payload(body) = &turn.prompt else { panic!("{turn:?}") };
        assert!(matches!(&turn.input_tokens, InputTokens::CountJson(_)));
        String::from_utf8(body.to_vec()).unwrap()
    };
    let alone = dataset(&path, TraceFormat::RawPayload);
    assert_eq!((alone.len(), alone.turns()), (2, 2));
    assert_eq!(payload(&first_turn(&*alone.source(), 0)), body);
    std::fs::write(folder.path().join("more.jsonl"), format!("{spread}\n")).unwrap();
    let sessions = dataset(folder.path(), TraceFormat::RawPayload);
    assert_eq!((sessions.len(), sessions.turns()), (2, 3), "a file is a session");
    assert_eq!(conversation(&sessions, 0).iter().map(payload).collect::<Vec<_>>(), [body, body]);

    let (_folder, path) = write(
        "inputs.json",
        "{\n \"data\": [\n  {\"session_id\": \"a\",\n   \"payloads\": [{\"x\": 1,\n \"messages\": []}, {\"x\": 2}]},\n  {\"session_id\": \"b\", \"payloads\": [{\"x\": 3}]}]}",
    );
    let inputs = dataset(&path, TraceFormat::InputsJson);
    assert_eq!((inputs.len(), inputs.turns()), (2, 3));
    let turns = conversation(&inputs, 0);
    assert_eq!(turns.iter().map(payload).collect::<Vec<_>>(), ["{\"x\":1,\"messages\":[]}", "{\"x\":2}"]);
    assert_eq!(&*turns[0].session_id, "a");
}

#[test]
fn faults_name_their_file_and_line() {
    let cases = [
        (
            TraceFormat::SingleTurn,
            "{\"text\":\"a\"}\n{\"text\":\"a\",\"texts\":[\"b\"]}",
            ":2: text and texts",
        ),
        (TraceFormat::SingleTurn, "{\"role\":\"user\"}", ":1: nothing to send"),
        (TraceFormat::SingleTurn, "{\"text\":7}", ":1: text: expected a string"),
        (TraceFormat::SingleTurn, "{\"text\":\"a\",\"timestamp\":1,\"delay\":2}", "timestamp and delay"),
        (TraceFormat::SingleTurn, "{\"text\":\"a\",\"role\":\"judge\"}", "role: expected user"),
        (TraceFormat::SingleTurn, "{\"text\":\"a\",\"output_length\":0}", "output_length: expected"),
        (TraceFormat::SingleTurn, "{\"image\":\"no/such.png\"}", ":1: image: no/such.png is neither"),
        (TraceFormat::SingleTurn, "{\"text\":\"a\",\"image_uuids\":[\"x\"]}", "image_uuids: not built"),
        (TraceFormat::SingleTurn, "{\"type\":\"multi_turn\",\"text\":\"a\"}", "type: expected single_turn"),
        (TraceFormat::MultiTurn, "{\"text\":\"a\"}", ":1: turns: missing"),
        (TraceFormat::MultiTurn, "{\"turns\":[]}", "turns: expected a list, not empty"),
        (
            TraceFormat::MultiTurn,
            "{\"turns\":[{\"text\":\"a\"},{\"texts\":3}]}",
            ":1: turns[1]: texts: expected a list",
        ),
        (TraceFormat::RandomPool, "{\"text\":", ":1: not a JSON object"),
        (TraceFormat::RawPayload, "{\"prompt\":\"a\"}", ":1: messages: missing"),
        (TraceFormat::RawPayload, "{\"messages\":{}}", "messages: expected a list"),
        (TraceFormat::InputsJson, "{\"data\":[{\"payloads\":[]}]}", "data[0] has no session_id"),
        (
            TraceFormat::InputsJson,
            "{\"data\":[{\"session_id\":\"a\",\"payloads\":[1]}]}",
            "data[0].payloads[0]",
        ),
        (
            TraceFormat::InputsJson,
            "{\"data\":[{\"session_id\":\"a\",\"payloads\":[]},{\"session_id\":\"a\",\"payloads\":[]}]}",
            "used before",
        ),
        (TraceFormat::InputsJson, "[]", "the file must be a JSON object"),
        (TraceFormat::SingleTurn, "\n", "no requests in it"),
    ];
    for (format, text, what) in cases {
        let (_folder, path) = write("file.jsonl", text);
        let error = load(TraceConfig::new(&path, format)).unwrap_err();
        assert!(error.contains(what) && error.contains("file.jsonl"), "{text}: {error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_file_makes_reading_panic(
        text in prop_oneof![
            "(\\{(\"(text|texts|image|turns|messages|data|session_id|payloads|delay|role|type)\":(null|7|\"x\"|\\[\\]|\\[\"a\"\\]|\\[\\{\\}\\]|\\[\\{\"text\":\"a\"\\}\\]|\\{\\}),?){0,3}\\}?\n){1,3}",
            ".{0,60}",
        ],
    ) {
        let (_folder, path) = write("file.jsonl", &text);
        let _ = TraceFormat::detect(&path);
        for format in TraceFormat::ALL {
            if let Ok(dataset) = load(TraceConfig::new(&path, format)) {
                prop_assert!(dataset.entries().all(|entry| !entry.turns.is_empty()));
            }
        }
    }
}
