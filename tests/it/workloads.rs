//! What is sent for each way of asking: conversations, files, media, warm-ups, caps before the first token,
//! counted as the server would.

use std::collections::BTreeMap;

use crate::support::{Mock, Workspace};

const FIXED: &str = "fixed?ttft=2ms&itl=1ms";

#[test]
fn conversations_go_on_until_their_last_turn_and_a_session_count_ends_the_run() {
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, FIXED);
    let arguments = [
        "--streaming",
        "--concurrency",
        "2",
        "--num-conversations",
        "4",
        "--conversation-turn-mean",
        "3",
        "--conversation-turn-delay-mean",
        "5",
        "--isl",
        "10",
        "--osl",
        "4",
        "--system-prompt",
        "Be brief.",
    ];
    workspace.profile(&mock, &arguments).expect_code(0);
    let rows = workspace.results("out").rows();
    let mut turns: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for row in &rows {
        turns.entry(row.identity.correlation_id.to_string()).or_default().push(row);
    }
    assert_eq!((rows.len(), turns.len()), (12, 4));
    for turns in turns.values_mut() {
        turns.sort_by_key(|row| row.identity.turn_index);
        for pair in turns.windows(2) {
            let pause = pair[1].instants.request_start.unwrap().since(pair[0].instants.end.unwrap());
            assert!(pause >= 5_000_000, "{pause}");
            // What was asked and answered before is sent again.
            let more = pair[1].tokens.input.unwrap() - pair[0].tokens.input.unwrap();
            assert!(more >= 10 + 4, "{more}");
        }
    }
}

#[test]
fn a_file_of_requests_is_sent_as_it_stands_and_a_warm_up_may_end_by_sessions() {
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, FIXED);
    let file = workspace.path("requests.jsonl");
    std::fs::write(
        &file,
        "{\"text\":\"one\",\"output_length\":3}\n{\"text\":\"two\",\"session_id\":\"a\"}\n{\"text\":\"three\",\"session_id\":\"a\"}\n",
    )
    .unwrap();
    let arguments = [
        "--streaming",
        "--input-file",
        file.to_str().unwrap(),
        "--custom-dataset-type",
        "single-turn",
        "--num-warmup-sessions",
        "1",
        "--num-conversations",
        "2",
        "--osl",
        "5",
    ];
    workspace.profile(&mock, &arguments).expect_code(0);
    let rows = workspace.results("out").rows();
    let asked: Vec<_> = rows
        .iter()
        .map(|row| {
            (row.identity.phase.name(), row.identity.session_id.to_string(), row.tokens.requested_output)
        })
        .collect();
    let mut counted: BTreeMap<_, u32> = BTreeMap::new();
    for (phase, _, requested) in &asked {
        *counted.entry((*phase, requested.unwrap())).or_default() += 1;
    }
    // The warm-up takes the first conversation, and the measured ones go on from there.
    let expected = BTreeMap::from([(("warmup", 3), 1), (("profiling", 5), 2), (("profiling", 3), 1)]);
    assert_eq!(counted, expected, "{asked:?}");
}

#[test]
fn prompts_are_counted_in_the_chat_template_where_asked() {
    let workspace = Workspace::new();
    let mock = Mock::start(&workspace, FIXED);
    let folder = workspace.path("tokenizer");
    std::fs::create_dir(&folder).unwrap();
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/crates/workload/tests/data/tokenizer/tokenizer.json");
    std::fs::copy(source, folder.join("tokenizer.json")).unwrap();
    std::fs::write(
        folder.join("chat_template.jinja"),
        "{% for m in messages %}a {{ m.role }}: {{ m.content }} b {% endfor %}c d e",
    )
    .unwrap();
    let tokens = |more: &[&str], out: &str| -> Vec<i64> {
        let text = workspace.path("requests.jsonl");
        std::fs::write(&text, "{\"text\":\"the same words\"}\n").unwrap();
        let mut arguments = vec![
            "profile",
            "--url",
            &mock.url,
            "--model",
            "m",
            "--input-file",
            text.to_str().unwrap(),
            "--tokenizer",
            folder.to_str().unwrap(),
            "--request-count",
            "2",
            "--artifact-dir",
            out,
        ];
        arguments.extend(more);
        workspace.run(&arguments).expect_code(0);
        workspace.results(out).rows().iter().map(|row| row.tokens.input.unwrap()).collect()
    };
    let (plain, wrapped) = (tokens(&[], "plain"), tokens(&["--apply-chat-template"], "wrapped"));
    assert!(plain.iter().zip(&wrapped).all(|(plain, wrapped)| wrapped > plain), "{plain:?} {wrapped:?}");
}
