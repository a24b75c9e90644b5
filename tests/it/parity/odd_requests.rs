//! What is rarely asked for and easily got wrong: limits of zero, several answers, raw bodies, rankings, sounds.

use serde_json::{Value, json};

use crate::support::scripted::{Answer, Asked, Scripted, chat, chunk};
use crate::support::{Mock, Results, Workspace, words};

/// Runs a few requests without reading anything beside them.
fn results(workspace: &Workspace, server: &Scripted, arguments: &str) -> Results {
    let common = words("--concurrency 1 --no-server-metrics --no-gpu-telemetry");
    workspace.profile_at(&server.url(), &[common, words(arguments)].concat()).expect_code(0);
    workspace.results("out")
}

fn value<'a>(record: &'a Value, tag: &str) -> &'a Value {
    &record["metrics"][tag]["value"]
}

fn bodies(server: &Scripted) -> Vec<Value> {
    server.asked().iter().filter(|asked| asked.is_load()).map(Asked::json).collect()
}

#[test]
fn a_limit_of_zero_tokens_is_sent_as_it_was_given() {
    for extra in ["max_tokens:0", "max_completion_tokens:0", r#"{"max_tokens":0}"#] {
        let server = Scripted::chats(|asked| chat(asked, &[" a"]));
        let workspace = Workspace::new();
        results(&workspace, &server, &format!("--request-count 1 --isl 9 --osl 3 --extra-inputs {extra}"));
        let body = bodies(&server).remove(0);
        let name = if extra.contains("completion") { "max_completion_tokens" } else { "max_tokens" };
        assert_eq!(body[name], json!(0), "{extra}: {body}");
    }
}

#[test]
fn of_several_answers_the_first_one_is_counted() {
    let server = Scripted::chats(|_| {
        let choice = |index: u32, text: &str| json!({ "index": index, "delta": { "content": text } });
        let both = |first: &str, second: &str| json!({ "object": "chat.completion.chunk", "choices": [choice(0, first), choice(1, second)] });
        Answer::events([both(" one", " three four five"), both(" two", " six"), chunk(&json!({}))])
    });
    let workspace = Workspace::new();
    let results = results(&workspace, &server, "--streaming --request-count 1 --isl 9 --extra-inputs n:2");
    assert_eq!(bodies(&server)[0]["n"], 2);
    assert_eq!(*value(&results.records()[0], "output_sequence_length"), 2);
}

#[test]
fn the_mark_of_a_streams_end_is_content_of_a_raw_answer_and_of_no_chat() {
    let answered = |endpoint: &str, rows: &str| {
        let server =
            Scripted::chats(|_| Answer::deltas([json!({ "content": " one" }), json!({ "content": " two" })]));
        let workspace = Workspace::new();
        workspace.file("rows.jsonl", rows);
        let arguments = format!(
            "--streaming --request-count 1 --input-file rows.jsonl --custom-dataset-type raw_payload {endpoint}"
        );
        let records = results(&workspace, &server, &arguments).records();
        let length = value(&records[0], "output_sequence_length").as_u64().unwrap();
        (length, value(&records[0], "inter_chunk_latency").as_array().unwrap().len())
    };
    let row = json!({ "model": "demo", "stream": true, "messages": [{ "role": "user", "content": "Hi" }] });
    let row = format!("{row}\n");
    assert_eq!(answered("--endpoint-type chat", &row), (2, 1));
    // Three more tokens, as many as `[DONE]` has, in a chunk of its own.
    assert_eq!(answered("--endpoint-type raw --endpoint /v1/chat/completions", &row), (5, 2));
}

#[test]
fn what_rankings_are_not_told_stays_at_its_own_default() {
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, "fixed?ttft=1ms");
    let tokenizer = loadgen_tokens::Tokenizer::builtin();
    let lengths = |option: &str| {
        let arguments = format!("--endpoint-type nim-rankings --request-count 1 --concurrency 1 {option}");
        workspace.profile(&mock, &words(&arguments)).expect_code(0);
        let payload = workspace.results("out").json("inputs.json")["data"][0]["payloads"][0].clone();
        let count = |text: &Value| tokenizer.encode(text["text"].as_str().unwrap()).len();
        let passages: Vec<_> = payload["passages"].as_array().unwrap().iter().map(count).collect();
        (count(&payload["query"]), passages)
    };
    // AIPerf 0.13 sends these, whatever its help says of 550 tokens.
    assert_eq!(lengths(""), (32, vec![128; 10]));
    assert_eq!(lengths("--rankings-passages-mean 3"), (32, vec![128; 3]));
    assert_eq!(lengths("--rankings-query-prompt-token-mean 7"), (7, vec![128; 10]));
    assert_eq!(lengths("--rankings-passages-prompt-token-mean 5"), (32, vec![5; 10]));
}

#[test]
fn sounds_are_sampled_in_kilohertz_up_to_96_and_there_are_none_by_default() {
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, "fixed?ttft=1ms&itl=1ms");
    let content = |options: &str| {
        let arguments = format!("--isl 5 --osl 2 --request-count 1 --concurrency 1 {options}");
        workspace.profile(&mock, &words(&arguments)).expect_code(0);
        workspace.results("out").json("inputs.json")["data"][0]["payloads"][0]["messages"][0]["content"]
            .clone()
    };
    let rate = |rate: &str| {
        let sound =
            content(&format!("--audio-length-mean 0.01 --audio-depths 16 --audio-sample-rates {rate}"));
        let data = sound[1]["input_audio"]["data"].as_str().unwrap();
        // Of a WAV file the bytes 24 to 27: eight groups of four letters are 24 bytes, and two more hold these.
        let bytes = data.as_bytes()[32..40].to_vec();
        decoded(&bytes)
    };
    assert_eq!(rate("16"), 16_000);
    assert_eq!(rate("16000"), 16_000);
    assert_eq!(rate("96"), 96_000);
    assert_eq!(rate("97"), 97);
    assert!(content("--audio-batch-size 2").is_string(), "a length of zero is no sound");
}

/// The first four bytes of some Base64, as a number, the lowest first.
fn decoded(letters: &[u8]) -> u32 {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let place = |letter: &u8| ALPHABET.iter().position(|known| known == letter).unwrap() as u64;
    let bits = letters.iter().fold(0_u64, |bits, letter| bits << 6 | place(letter));
    // 48 bits: six bytes, of which the first four count.
    let bytes = bits.to_be_bytes();
    u32::from_le_bytes([bytes[2], bytes[3], bytes[4], bytes[5]])
}
