//! One trace with every shape of row, and what goes over the wire for it: order, bodies, headers, intended times.
//!
//! The shapes are those of a trace that AIPerf 0.13 was given; the rows and texts are made up here. Times are
//! those that requests were meant to leave at, never those at which they did.

use std::collections::BTreeMap;

use loadgen_core::{CountTokens, RequestRecord};
use loadgen_tokens::Tokenizer;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::{Mock, Workspace, words};

/// Not in the order of its times, of which some are no whole milliseconds. Blocks that are shared, that are not,
/// and that cover less than their prompt; a session whose turns wait, or do not; messages with tools and fields
/// of their own; a ready body; a text; rows that say nothing but their length.
const TRACE: &str = r#"{"timestamp": 9000, "input_length": 1024, "hash_ids": [0, 1], "output_length": 4}
{"timestamp": 5200, "session_id": "S1", "input_length": 20, "output_length": 3}
{"timestamp": 5000.5, "input_length": 1024, "hash_ids": [0, 7], "output_length": 6}
{"timestamp": 5400, "input_length": 900, "hash_ids": [0], "output_length": 5}
{"session_id": "S1", "input_length": 12, "delay": 500, "output_length": 2}

{"timestamp": 6000, "messages": [{"role": "system", "content": "Use tools."}, {"role": "user", "content": "How warm is it?"}], "tools": [{"type": "function", "function": {"name": "thermometer", "parameters": {"type": "object"}}}], "output_length": 7, "extra": {"temperature": 0.3}}
{"timestamp": 6100, "payload": {"model": "other", "prompt": "as it stands", "messages": [], "max_tokens": 3, "zz": 1}}
{"session_id": "S1", "input_length": 8, "output_length": 4}
{"timestamp": 6200, "text_input": "Say \"hello\" to the\nworld."}
{"timestamp": 6300, "input_length": 31}
{"timestamp": 6310.25, "input_length": 32}
{"timestamp": 6320, "input_length": 33}
{"timestamp": 6330, "input_length": 34}
"#;

const SEPARATOR: &str = "<|endoftext|>";

/// A request as it was recorded: its row in the Parquet file, and its line of the raw export.
struct Sent {
    row: RequestRecord,
    raw: Value,
}

impl Sent {
    fn body(&self) -> &Value {
        &self.raw["payload"]
    }

    /// The contents of its messages.
    fn said(&self) -> Vec<(&str, &str)> {
        let messages = self.body()["messages"].as_array().unwrap();
        messages.iter().map(|one| (one["role"].as_str().unwrap(), one["content"].as_str().unwrap())).collect()
    }

    fn keys(&self) -> Vec<&str> {
        self.body().as_object().unwrap().keys().map(String::as_str).collect()
    }

    /// What it was answered.
    fn answer(&self) -> String {
        let events = self.raw["responses"].as_array().unwrap().iter();
        let texts = events.filter_map(|event| {
            let event: Value = serde_json::from_str(event["packets"][0]["value"].as_str()?).ok()?;
            event["choices"][0]["delta"]["content"].as_str().map(str::to_owned)
        });
        texts.collect()
    }
}

/// Replays the trace, and gives its requests by session and turn.
fn replay() -> BTreeMap<(String, i32), Sent> {
    let workspace = Workspace::new();
    workspace.file("trace.jsonl", TRACE);
    let mock = Mock::start(&workspace, "fixed?ttft=200ms&itl=1ms&output=5");
    let arguments = words(
        "--streaming --input-file trace.jsonl --custom-dataset-type mooncake_trace --random-seed 7 \
         --export-level raw",
    );
    workspace.profile(&mock, &arguments).expect_code(0);
    let results = workspace.results("out");
    let mut raw: BTreeMap<String, Value> = BTreeMap::new();
    for line in results.text("profile_export_raw.jsonl").lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        raw.insert(line["metadata"]["x_request_id"].as_str().unwrap().to_owned(), line);
    }
    let truth = mock.truth();
    assert_eq!((truth.len(), raw.len()), (13, 13), "a blank line is no row");
    for seen in &truth {
        let raw = &raw[seen["request_id"].as_str().unwrap()];
        let bytes = serde_json::to_vec(&raw["payload"]).unwrap();
        let hash = format!("{:x}", Sha256::digest(&bytes));
        assert_eq!((&seen["body_sha256"], &seen["path"]), (&json!(hash), &json!("/v1/chat/completions")));
        assert_eq!(seen["correlation_id"], raw["metadata"]["x_correlation_id"]);
        assert_eq!(raw["request_headers"]["Accept"], "text/event-stream");
    }
    let rows = results.rows().into_iter();
    let sent = rows.map(|row| {
        let raw = raw.remove(&row.identity.request_id.to_string()).unwrap();
        assert_eq!(row.outcome.name(), "ok", "{:?}", row.error);
        ((row.identity.session_id.to_string(), row.identity.turn_index), Sent { row, raw })
    });
    sent.collect()
}

#[test]
fn every_shape_of_row_goes_out_as_it_does_from_aiperf() {
    let sent = replay();
    let of = |session: &str, turn| &sent[&(session.to_owned(), turn)];
    // Rows without a session are numbered in the order of the file.
    let unnamed = |number: u32| of(&format!("session_{number:06}"), 0);

    they_leave_in_the_order_of_their_times(&sent);
    blocks_of_one_id_are_one_text([unnamed(0), unnamed(1), unnamed(2)]);
    a_conversation_takes_its_answers_along([of("S1", 0), of("S1", 1), of("S1", 2)]);

    let tools = &json!([{ "type": "function", "function": { "name": "thermometer", "parameters": { "type": "object" } } }]);
    let asked = unnamed(3);
    assert_eq!(asked.said(), [("system", "Use tools."), ("user", "How warm is it?")]);
    assert_eq!(
        asked.keys(),
        words("messages model stream tools max_completion_tokens temperature stream_options")
    );
    let body = asked.body();
    assert_eq!((&body["model"], &body["stream"], &body["tools"]), (&json!("demo"), &json!(true), tools));
    assert_eq!((&body["max_completion_tokens"], &body["temperature"]), (&json!(7), &json!(0.3)));
    assert_eq!(body["stream_options"], json!({ "include_usage": true }));

    let ready =
        json!({ "model": "other", "prompt": "as it stands", "messages": [], "max_tokens": 3, "zz": 1 });
    assert_eq!(unnamed(4).body(), &ready, "nothing is added to a ready body");
    assert_eq!(unnamed(4).keys(), words("model prompt messages max_tokens zz"));

    assert_eq!(unnamed(5).said(), [("user", "Say \"hello\" to the\nworld.")]);
    let tokenizer = Tokenizer::builtin();
    for (number, tokens) in (6..10).zip(31..) {
        let text = unnamed(number).said()[0].1;
        assert_eq!(tokenizer.count(text), tokens);
        assert!(!text.contains(SEPARATOR), "only blocks have separators");
    }
    for number in 5..10 {
        assert_eq!(unnamed(number).keys(), words("messages model stream stream_options"), "no limit is sent");
    }
    for ((session, turn), sent) in &sent {
        let mut texts: Vec<&str> = sent.said().into_iter().map(|(_, text)| text).collect();
        match session.as_str() {
            "session_000004" => texts.push("as it stands"),
            // What tools are called and take counts behind the messages.
            "session_000003" => texts.extend(["thermometer", r#"{"type":"object"}"#]),
            _ => {}
        }
        let counted = tokenizer.count(&texts.join(" ")) as i64;
        assert_eq!(
            sent.row.tokens.input,
            Some(counted),
            "{session}, turn {turn}: its texts, joined by a blank"
        );
    }
}

fn they_leave_in_the_order_of_their_times(sent: &BTreeMap<(String, i32), Sent>) {
    let scheduled = |sent: &Sent| sent.row.instants.scheduled.unwrap();
    let start = sent.values().map(scheduled).min().unwrap();
    let mut first_turns: Vec<(i64, i64)> = sent
        .values()
        .filter(|sent| sent.row.identity.turn_index == 0)
        .map(|sent| (scheduled(sent).since(start), sent.row.identity.source_row.unwrap()))
        .collect();
    first_turns.sort_unstable();
    let offset = |ms: f64| (ms * 1e6) as i64;
    assert_eq!(
        first_turns,
        [
            (0, 2),
            (offset(199.5), 1),
            (offset(399.5), 3),
            (offset(999.5), 5),
            (offset(1099.5), 6),
            (offset(1199.5), 8),
            (offset(1299.5), 9),
            (offset(1309.75), 10),
            (offset(1319.5), 11),
            (offset(1329.5), 12),
            (offset(3999.5), 0),
        ]
    );
    for ((session, turn), sent) in sent {
        let identity = &sent.row.identity;
        assert_eq!(*identity.correlation_id, *format!("fixed-schedule-{session}"), "turn {turn}");
        assert_eq!(sent.raw["metadata"]["credit_issued_ns"], scheduled(sent).0, "as it was meant");
        assert_eq!(sent.raw["metadata"]["x_correlation_id"], *identity.correlation_id);
    }
}

/// The first one has blocks 0 and 1, the second 0 and 7, the third block 0 and 388 tokens that are nobody's.
fn blocks_of_one_id_are_one_text(sent: [&Sent; 3]) {
    let tokenizer = Tokenizer::builtin();
    let texts = sent.map(|sent| sent.said()[0].1);
    let tokens = texts.map(|text| tokenizer.encode(text));
    assert_eq!(tokens.each_ref().map(Vec::len), [1024, 1024, 900]);
    let block = |at: usize| tokens[at][..512].to_vec();
    assert_eq!((block(0), block(0)), (block(1), block(2)), "the same id, the same tokens");
    assert_ne!(tokens[0][512..], tokens[1][512..]);
    assert_eq!(texts.map(|text| text.matches(SEPARATOR).count()), [2, 2, 1], "one in front of each block");
    assert!(texts.iter().all(|text| text.starts_with(SEPARATOR)));
    let second = texts[0].rfind(SEPARATOR).unwrap();
    assert!(texts[1].starts_with(&texts[0][..second + SEPARATOR.len()]), "the texts agree as far as the ids");
    assert!(texts[2].starts_with(&texts[0][..second]));
    for (sent, limit) in sent.into_iter().zip([4, 6, 5]) {
        assert_eq!(sent.keys(), words("messages model stream max_completion_tokens stream_options"));
        assert_eq!(sent.body()["max_completion_tokens"], limit);
    }
}

fn a_conversation_takes_its_answers_along(turns: [&Sent; 3]) {
    let tokenizer = Tokenizer::builtin();
    let own = turns.map(|turn| turn.said().last().unwrap().1);
    assert_eq!(own.map(|text| tokenizer.count(text)), [20, 12, 8], "an input_length is what a turn adds");
    let answers = turns.map(Sent::answer);
    assert_eq!(answers.each_ref().map(|text| tokenizer.count(text)), [3, 2, 4]);
    let (first, second) = (answers[0].as_str(), answers[1].as_str());
    assert_eq!(turns[0].said(), [("user", own[0])]);
    assert_eq!(turns[1].said(), [("user", own[0]), ("assistant", first), ("user", own[1])]);
    assert_eq!(turns[2].said()[..3], turns[1].said());
    assert_eq!(turns[2].said()[3..], [("assistant", second), ("user", own[2])]);
    let limits = turns.map(|turn| turn.body()["max_completion_tokens"].as_i64().unwrap());
    assert_eq!(limits, [3, 2, 4]);

    let instants = turns.map(|turn| turn.row.instants);
    let after = |turn: usize| instants[turn].scheduled.unwrap().since(instants[turn - 1].end.unwrap());
    assert_eq!((after(1), after(2)), (500_000_000, 0), "its pause begins when the answer ends");
    let ids = turns.map(|turn| turn.row.identity.correlation_id.clone());
    assert!(ids.iter().all(|id| *id == ids[0]), "one session, one id");
}
