//! Datasets as a run sees them: files in, turns out.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use loadgen_core::{
    CountTokens, InputTokens, Prompt, Reply, RequestSource, Role, Rope, Seed, Turn, TurnTiming,
};
use loadgen_tokens::{Tokenizer, TokenizerSource};
use loadgen_workload::{
    Dataset, LengthDistribution, ModelSelection, Origin, Sampling, SyntheticConfig, TraceConfig,
    WorkloadConfig, WorkloadError,
};
use proptest::prelude::*;

const GIVEN: Origin = Origin { seed: Seed(7), is_given: true };

fn models() -> Vec<Arc<str>> {
    vec!["m".into()]
}

fn load_trace(config: TraceConfig, origin: Origin) -> Result<Dataset, WorkloadError> {
    Dataset::load(&WorkloadConfig::Trace(config), &Tokenizer::builtin(), origin, &models())
}

fn load_synthetic(config: SyntheticConfig, tokenizer: &Tokenizer) -> Dataset {
    Dataset::load(&WorkloadConfig::Synthetic(config), tokenizer, GIVEN, &models()).unwrap()
}

/// A trace file that lives as long as the value.
struct File(tempfile::TempDir);

impl File {
    fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("trace.jsonl"), text).unwrap();
        Self(folder)
    }

    fn config(&self) -> TraceConfig {
        TraceConfig::mooncake(self.0.path().join("trace.jsonl"))
    }

    fn load(&self) -> Dataset {
        load_trace(self.config(), GIVEN).unwrap()
    }

    fn error(&self) -> String {
        let text = load_trace(self.config(), GIVEN).unwrap_err().to_string();
        text.replace(&self.0.path().display().to_string(), "DIR")
    }
}

fn real(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../traces").join(name)
}

fn first_turn(source: &dyn RequestSource, ordinal: u64) -> Turn {
    source.session(ordinal).unwrap().next_turn(None).unwrap()
}

fn unescape(rope: &Rope) -> String {
    let mut json = vec![b'"'];
    rope.pieces().iter().for_each(|piece| json.extend_from_slice(piece));
    json.push(b'"');
    serde_json::from_slice(&json).unwrap()
}

fn messages(turn: &Turn) -> Vec<(Role, String)> {
    match &turn.prompt {
        Prompt::Messages(messages) => {
            messages.iter().map(|message| (message.role, unescape(&message.text))).collect()
        }
        other => panic!("not a list of messages: {other:?}"),
    }
}

fn text(turn: &Turn) -> String {
    messages(turn).pop().unwrap().1
}

fn exact(turn: &Turn) -> usize {
    match &turn.input_tokens {
        InputTokens::Exact(tokens) => *tokens as usize,
        other => panic!("not exact: {other:?}"),
    }
}

fn reply(text: &'static str) -> Reply {
    Reply { text: text.into() }
}

#[test]
fn both_mooncake_traces_load_whole() {
    for (name, rows, ids, last_ms) in [
        ("mooncake_conversation.jsonl", 12_031, 288_500, 3_536_999_i64),
        ("mooncake_synthetic.jsonl", 3_993, 121_877, 1_022_000),
    ] {
        let dataset = load_trace(TraceConfig::mooncake(real(name)), GIVEN).unwrap();
        assert_eq!((dataset.len(), dataset.turns()), (rows, rows), "{name}");
        assert!(dataset.warnings().is_empty(), "{:?}", dataset.warnings());
        assert_eq!(dataset.file().unwrap().rows_left_out, 0);
        let timetable = dataset.timetable(0).unwrap();
        assert!(timetable.source.is_single_turn());
        assert!(timetable.offsets_ns.is_sorted());
        assert_eq!(timetable.offsets_ns[0], 0);
        let last = timetable.offsets_ns[timetable.offsets_ns.len() - 1] / 1_000_000;
        assert!((last - last_ms).abs() < 3000, "{name}: {last}");
        let mut seen = 0;
        for ordinal in 0..rows {
            let turn = first_turn(&*timetable.source, ordinal);
            let ids = turn.hash_ids.as_ref().unwrap().len();
            assert_eq!(exact(&turn).div_ceil(512), ids);
            seen += ids;
        }
        assert_eq!(seen, ids);
        assert!(timetable.source.session(rows).is_none());
    }
}

#[test]
fn prompts_of_a_real_trace_have_their_length_and_share_their_prefixes() {
    let dataset = load_trace(TraceConfig::mooncake(real("mooncake_conversation.jsonl")), GIVEN).unwrap();
    let tokenizer = Tokenizer::builtin();
    let source = dataset.source();
    let turns: Vec<Turn> = (0..12_031).step_by(600).map(|ordinal| first_turn(&*source, ordinal)).collect();
    for turn in &turns {
        assert_eq!(tokenizer.count(&text(turn)), exact(turn), "row {:?}", turn.source_row);
        assert!(text(turn).starts_with("<|endoftext|>"));
    }
    for pair in turns.windows(2) {
        let ids = |turn: &Turn| turn.hash_ids.clone().unwrap();
        let (a, b) = (ids(&pair[0]), ids(&pair[1]));
        let shared = a.iter().zip(b.iter()).take_while(|(a, b)| a == b).count();
        let (a, b) = (tokenizer.encode(&text(&pair[0])), tokenizer.encode(&text(&pair[1])));
        let same = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
        // The separator of the next block is the same in both.
        assert!((shared * 512..=shared * 512 + 1).contains(&same), "{shared} blocks, {same} tokens");
    }
}

#[test]
fn a_session_is_the_same_whoever_asks_and_whenever() {
    let path = real("mooncake_synthetic.jsonl");
    let prompt = |source: &dyn RequestSource, at| text(&first_turn(source, at));
    let forward: Vec<String> = {
        let source = load_trace(TraceConfig::mooncake(&path), GIVEN).unwrap().source();
        (0..40).map(|at| prompt(&*source, at)).collect()
    };
    let source = load_trace(TraceConfig::mooncake(&path), GIVEN).unwrap().source();
    std::thread::scope(|scope| {
        for worker in 0..4 {
            let (source, forward) = (&*source, &forward);
            scope.spawn(move || {
                for at in (worker..40).step_by(4).rev() {
                    assert_eq!(prompt(source, at as u64), forward[at]);
                }
            });
        }
    });
    let other = Origin { seed: Seed(8), is_given: true };
    let source = load_trace(TraceConfig::mooncake(&path), other).unwrap().source();
    assert!((0..40).all(|at| prompt(&*source, at as u64) != forward[at]));
}

/// Text is settled by the seed, on every platform and from version to version: these change only with a
/// note in the changelog.
#[test]
fn the_first_prompts_of_a_seed_are_pinned() {
    let opening = |dataset: &Dataset| {
        let text = text(&first_turn(&*dataset.source(), 0));
        text.chars().take(60).collect::<String>()
    };
    let trace = load_trace(TraceConfig::mooncake(real("mooncake_synthetic.jsonl")), GIVEN).unwrap();
    let synthetic = load_synthetic(SyntheticConfig::default(), &Tokenizer::builtin());
    assert_eq!(
        [opening(&trace), opening(&synthetic)],
        [
            "<|endoftext|>repair spirits or want of temper When the ladie",
            "call who lived in it the two cousins found a temptation from"
        ]
    );
}

#[test]
fn layouts_of_blocks() {
    let file = File::new(concat!(
        "{\"input_length\":1024,\"hash_ids\":[0,7],\"output_length\":1}\n", // all whole
        "{\"input_length\":900,\"hash_ids\":[0],\"output_length\":1}\n",    // fewer ids than blocks
        "{\"input_length\":700,\"hash_ids\":[0,8],\"output_length\":1}\n",  // a short last block
        "{\"input_length\":700,\"hash_ids\":[0,8],\"output_length\":1}\n",
        "{\"input_length\":900,\"hash_ids\":[0],\"output_length\":1}\n",
        "{\"input_length\":33,\"hash_ids\":[],\"output_length\":1}\n",
    ));
    let dataset = file.load();
    let tokenizer = Tokenizer::builtin();
    let turns: Vec<Turn> = dataset.entries().flat_map(|entry| entry.turns).collect();
    let tokens: Vec<Vec<u32>> = turns.iter().map(|turn| tokenizer.encode(&text(turn))).collect();
    for (turn, tokens) in turns.iter().zip(&tokens) {
        assert_eq!(tokens.len(), exact(turn));
    }
    assert!(tokens[..5].iter().all(|tokens| tokens[0] == 199_999));
    assert!(tokens[..5].windows(2).all(|pair| pair[0][..512] == pair[1][..512]));
    assert_eq!(tokens[0][512], 199_999, "every block has its separator");
    assert_eq!(tokens[2], tokens[3], "the same ids, the same text");
    assert_ne!(tokens[1][512..], tokens[4][512..], "text without an id is nobody else's");
    assert!(!tokens[1][512..].contains(&199_999));
    assert!(!tokens[5].contains(&199_999));
    assert_eq!(turns[5].hash_ids, None);
}

/// Unsorted float times, a session in pieces, every mode.
const MIXED: &str = concat!(
    "{\"timestamp\":5400,\"input_length\":20,\"session_id\":\"s\",\"output_length\":5}\n",
    "{\"timestamp\":5000.5,\"input_length\":30,\"output_length\":0}\n",
    "\n",
    "{\"input_length\":10,\"session_id\":\"s\",\"delay\":500,\"output_length\":6}\n",
    "{\"timestamp\":9000,\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"tools\":[{\"a\":1}],\"extra\":{\"temperature\":0.3},\"output_length\":7}\n",
    "{\"timestamp\":6000,\"payload\":{\"zz\":1}}\n",
    "{\"timestamp\":5400,\"text_input\":\"say \\\"x\\\"\"}\n",
    "{\"text_input\":\"more\",\"session_id\":\"s\",\"timestamp\":7000,\"delay\":1}\n",
);

#[test]
fn the_schedule_follows_the_times_and_a_session_its_own_rule() {
    let dataset = File::new(MIXED).load();
    assert_eq!((dataset.len(), dataset.turns()), (5, 7));
    assert!(dataset.has_times());
    let timetable = dataset.timetable(0).unwrap();
    assert_eq!(&*timetable.offsets_ns, [0, 399_500_000, 399_500_000, 999_500_000, 3_999_500_000]);
    assert!(!timetable.source.is_single_turn());
    let rows: Vec<_> = (0..5).map(|at| first_turn(&*timetable.source, at).source_row.unwrap()).collect();
    assert_eq!(rows, [1, 0, 5, 4, 3], "equal times keep the order of the file");

    let mut session = timetable.source.session(1).unwrap();
    let first = session.next_turn(None).unwrap();
    assert_eq!((&*first.session_id, first.turn_index, first.is_last), ("s", 0, false));
    assert_eq!((exact(&first), first.max_output_tokens), (20, Some(5)));
    let second = session.next_turn(Some(&reply("an \\\"answer\\\""))).unwrap();
    assert_eq!(second.timing, TurnTiming::AfterPrevious(500_000_000));
    let said = messages(&second);
    assert_eq!(
        said.iter().map(|(role, _)| *role).collect::<Vec<_>>(),
        [Role::User, Role::Assistant, Role::User]
    );
    assert_eq!(said[0].1, text(&first));
    assert_eq!(said[1].1, "an \"answer\"");
    assert!(matches!(&second.input_tokens, InputTokens::Count(ropes) if ropes.len() == 3));
    let third = session.next_turn(None).unwrap();
    assert_eq!(third.timing, TurnTiming::AtOffset(1_999_500_000));
    assert!(third.is_last);
    assert_eq!(messages(&third).len(), 4, "a failed turn leaves no answer behind");
    assert_eq!(third.max_output_tokens, None);
    assert!(session.next_turn(None).is_none());
}

#[test]
fn without_a_schedule_sessions_come_in_the_order_of_the_file_and_times_do_not_count() {
    let dataset = File::new(MIXED).load();
    let source = dataset.source();
    let rows: Vec<_> = (0..6).map(|at| first_turn(&*source, at).source_row.unwrap()).collect();
    assert_eq!(rows, [0, 1, 3, 4, 5, 0]);
    let mut session = source.session(0).unwrap();
    let timings: Vec<_> = std::iter::from_fn(|| session.next_turn(None)).map(|turn| turn.timing).collect();
    assert_eq!(
        timings,
        [
            TurnTiming::Immediately,
            TurnTiming::AfterPrevious(500_000_000),
            TurnTiming::AfterPrevious(1_000_000)
        ]
    );
}

#[test]
fn ready_messages_and_bodies_are_sent_as_they_stand() {
    let source = File::new(MIXED).load().source();
    let turn = first_turn(&*source, 2);
    assert_eq!(turn.extra.as_deref(), Some("\"temperature\":0.3"));
    assert_eq!(turn.max_output_tokens, Some(7));
    let Prompt::RawMessages { messages, tools } = &turn.prompt else { panic!("{turn:?}") };
    assert_eq!(&messages[..], b"[{\"role\":\"user\",\"content\":\"hi\"}]");
    assert_eq!(tools.as_deref(), Some(&b"[{\"a\":1}]"[..]));
    assert!(matches!(&turn.input_tokens, InputTokens::CountJson(json) if json == messages));
    let turn = first_turn(&*source, 3);
    assert!(matches!(&turn.prompt, Prompt::Payload(body) if &body[..] == b"{\"zz\":1}"));
    let turn = first_turn(&*source, 4);
    assert_eq!(text(&turn), "say \"x\"");
    assert_eq!(&*turn.session_id, "session_000003");
}

#[test]
fn after_a_warm_up_the_schedule_is_still_whole() {
    let dataset = File::new(MIXED).load();
    let timetable = dataset.timetable(2).unwrap();
    let rows: Vec<_> = (0..7).map(|at| first_turn(&*timetable.source, at).source_row.unwrap()).collect();
    assert_eq!(rows, [0, 1, 1, 0, 5, 4, 3]);
    assert!(timetable.source.session(7).is_none());
}

#[test]
fn windows_are_inclusive_and_in_the_traces_own_time() {
    let file = File::new(&(0..10).fold(String::new(), |text, at| {
        text + &format!("{{\"timestamp\":{},\"input_length\":{},\"output_length\":9}}\n", at * 1001, at + 1)
    }));
    let offsets_ms = |config: TraceConfig| -> Vec<f64> {
        let dataset = load_trace(config, GIVEN).unwrap();
        dataset.timetable(0).unwrap().offsets_ns.iter().map(|ns| *ns as f64 / 1e6).collect()
    };
    let end = TraceConfig { end_offset_ms: Some(3003.0), ..file.config() };
    assert_eq!(offsets_ms(end.clone()), [0.0, 1001.0, 2002.0, 3003.0]);
    let fast = TraceConfig { speedup: 4.0, ..end };
    assert_eq!(offsets_ms(fast.clone()), [0.0, 250.0, 500.0, 750.0], "cut to whole ms");
    let start = TraceConfig { start_offset_ms: Some(1500.0), ..fast };
    assert_eq!(offsets_ms(start.clone()), [125.0, 375.0], "the schedule starts at its start offset");
    let no_auto = TraceConfig { auto_offset: false, ..file.config() };
    let late = TraceConfig { max_isl: Some(2), max_osl: Some(4), ..no_auto };
    let dataset = load_trace(late, GIVEN).unwrap();
    assert_eq!(dataset.file().unwrap().rows_left_out, 8);
    assert!(dataset.entries().all(|entry| entry.turns[0].max_output_tokens == Some(4)));
    let slow = TraceConfig { speedup: 0.5, ..file.config() };
    assert_eq!(offsets_ms(slow)[1], 2002.0);
}

#[test]
fn output_lengths_come_from_the_row_then_the_option_then_a_warning() {
    let file = File::new(concat!(
        "{\"input_length\":5,\"output_length\":-2}\n{\"input_length\":5}\n{\"input_length\":5,\"output_length\":3}\n",
        "{\"text_input\":\"x\"}\n{\"input_length\":5}\n{\"messages\":[{\"role\":\"user\"}]}\n",
    ));
    let outputs = |dataset: &Dataset| -> Vec<_> {
        dataset.entries().map(|entry| entry.turns[0].max_output_tokens).collect()
    };
    let dataset = file.load();
    assert_eq!(outputs(&dataset), [Some(1), Some(1), Some(3), None, Some(1), None]);
    let warnings = dataset.warnings().join("\n").replace(&file.0.path().display().to_string(), "DIR");
    insta::assert_snapshot!(warnings, @r"
    DIR/trace.jsonl: 1 row with an output_length of 0 or less (first in line 1): 1 output token is asked for
    DIR/trace.jsonl: 2 rows with an input_length and no output_length, and no --osl to fill it in (first in line 2): 1 output token is asked for
    ");
    let config = TraceConfig { osl: Some(LengthDistribution::constant(40.0)), ..file.config() };
    let dataset = load_trace(config, GIVEN).unwrap();
    assert_eq!(outputs(&dataset), [Some(1), Some(40), Some(3), Some(40), Some(40), Some(40)]);
    assert_eq!(dataset.warnings().len(), 1);
}

#[test]
fn a_ready_body_says_for_itself_how_much_it_asks_for() {
    let file = File::new(concat!(
        "{\"payload\":{\"max_tokens\":9}}\n{\"payload\":{\"max_tokens\":9},\"output_length\":0}\n",
        "{\"payload\":{\"max_tokens\":9},\"output_length\":5}\n",
    ));
    for osl in [None, Some(LengthDistribution::constant(40.0))] {
        let dataset = load_trace(TraceConfig { osl, ..file.config() }, GIVEN).unwrap();
        assert!(dataset.entries().all(|entry| entry.turns[0].max_output_tokens.is_none()));
        assert_eq!(
            dataset.warnings(),
            Vec::<String>::new(),
            "nothing is mended in what is sent as it stands"
        );
    }
}

#[test]
fn faults_of_whole_files_name_file_line_and_field() {
    let files = [
        "",
        "\n\n",
        "{\"input_length\":1024,\"hash_ids\":[1,2]}\n\n{\"input_length\":1000,\"hash_ids\":[1,2]}\n",
        "{\"input_length\":700,\"hash_ids\":[1,2]}\n{\"input_length\":800,\"hash_ids\":[3,2]}\n",
        "{\"input_length\":700,\"hash_ids\":[1,2]}\n{\"input_length\":700,\"hash_ids\":[2,1]}\n",
        "{\"input_length\":5}\n{\"input_length\":5,\"hash_ids\":[1,2]}\n",
        "{\"input_length\":5,\"session_id\":\"a\"}\n{\"session_id\":\"a\",\"payload\":{\"a\":1}}\n",
        "{\"input_length\":5}\nnot json\n",
        "{\"timestamp\":NaN,\"input_length\":5}\n",
    ];
    let report: Vec<String> =
        files.iter().map(|text| format!("{}\n  {}", text.escape_debug(), File::new(text).error())).collect();
    insta::assert_snapshot!(report.join("\n"));
}

#[test]
fn faults_of_options_name_their_flag() {
    let file = File::new(
        "{\"timestamp\":5,\"input_length\":5,\"output_length\":1}\n{\"input_length\":6,\"output_length\":1}\n",
    );
    let config = file.config();
    let mut report: Vec<String> = [
        TraceConfig { block_size: 0, ..config.clone() },
        TraceConfig { speedup: 0.0, ..config.clone() },
        TraceConfig { start_offset_ms: Some(2.0), end_offset_ms: Some(1.0), ..config.clone() },
        TraceConfig { max_isl: Some(4), ..config.clone() },
        TraceConfig { max_osl: Some(0), ..config.clone() },
        TraceConfig::mooncake(file.0.path().join("absent.jsonl")),
    ]
    .into_iter()
    .map(|config| load_trace(config, GIVEN).unwrap_err().to_string())
    .collect();
    report.push(file.load().timetable(0).err().unwrap().to_string());
    let synthetic = |config| {
        Dataset::load(&WorkloadConfig::Synthetic(config), &Tokenizer::builtin(), GIVEN, &models())
            .unwrap_err()
    };
    let default = SyntheticConfig::default;
    for config in [
        SyntheticConfig { prefix_length: 10, ..default() },
        SyntheticConfig { entries: 0, ..default() },
        SyntheticConfig { isl: LengthDistribution::constant(f64::NAN), ..default() },
        SyntheticConfig { osl: Some(LengthDistribution { mean: 5.0, stddev: -1.0 }), ..default() },
        SyntheticConfig {
            shared_system_prompt_length: Some(9),
            prefix_prompts: 1,
            prefix_length: 3,
            ..default()
        },
    ] {
        report.push(synthetic(config).to_string());
    }
    let report = report.join("\n").replace(&file.0.path().display().to_string(), "DIR");
    insta::assert_snapshot!(report);
}

fn fixture() -> Tokenizer {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tokenizer");
    Tokenizer::load(&TokenizerSource::File(path.join("tokenizer.json"))).unwrap()
}

#[test]
fn made_up_prompts_have_their_length_with_any_tokenizer() {
    for tokenizer in [Tokenizer::builtin(), fixture()] {
        let config = SyntheticConfig {
            isl: LengthDistribution { mean: 120.0, stddev: 40.0 },
            osl: Some(LengthDistribution { mean: 20.0, stddev: 5.0 }),
            entries: 30,
            ..SyntheticConfig::default()
        };
        let dataset = load_synthetic(config, &tokenizer);
        let turns: Vec<Turn> = dataset.entries().flat_map(|entry| entry.turns).collect();
        let lengths: Vec<usize> = turns.iter().map(exact).collect();
        assert!(lengths.iter().any(|length| *length > 130) && lengths.iter().any(|length| *length < 110));
        for turn in &turns {
            assert_eq!(tokenizer.count(&text(turn)), exact(turn));
            assert!(!text(turn).starts_with(' '), "a template would trim it");
            assert!(turn.max_output_tokens.is_some_and(|tokens| (1..60).contains(&tokens)));
        }
    }
}

#[test]
fn a_prompt_longer_than_the_corpus_is_said_to_repeat_itself() {
    let warnings = |mean, stddev| {
        let isl = LengthDistribution { mean, stddev };
        load_synthetic(SyntheticConfig { isl, ..SyntheticConfig::default() }, &Tokenizer::builtin())
            .warnings()
    };
    assert!(warnings(100_000.0, 10_000.0).is_empty());
    assert!(warnings(250_000.0, 2_500.0).is_empty(), "possible, and did not happen");
    assert!(warnings(400_000.0, 0.0)[0].contains("400000 tokens"), "{:?}", warnings(400_000.0, 0.0));
    assert_eq!(warnings(270_000.0, 5_000.0).len(), 1, "some of a hundred");
}

#[test]
fn text_that_is_given_needs_no_vocabulary_to_make_text_from() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    let json = r#"{"version":"1.0","truncation":null,"padding":null,"added_tokens":[],"normalizer":null,
        "pre_tokenizer":null,"post_processor":null,"decoder":null,
        "model":{"type":"WordLevel","vocab":{"<unk>":0},"unk_token":"<unk>"}}"#;
    std::fs::write(&path, json).unwrap();
    let tokenizer = Tokenizer::load(&TokenizerSource::File(path)).unwrap();
    let given = File::new("{\"text_input\":\"x\"}\n{\"payload\":{\"a\":1}}");
    let load =
        |file: &File| Dataset::load(&WorkloadConfig::Trace(file.config()), &tokenizer, GIVEN, &models());
    assert_eq!(load(&given).unwrap().len(), 2);
    let made_up = File::new("{\"text_input\":\"x\"}\n{\"input_length\":5}");
    assert!(matches!(load(&made_up), Err(WorkloadError::Vocabulary { .. })));
}

#[test]
fn a_deviation_without_a_mean_varies_around_the_default() {
    let isl = LengthDistribution { mean: SyntheticConfig::DEFAULT_ISL, stddev: 100.0 };
    let dataset =
        load_synthetic(SyntheticConfig { isl, ..SyntheticConfig::default() }, &Tokenizer::builtin());
    let lengths: Vec<f64> = dataset.entries().map(|entry| exact(&entry.turns[0]) as f64).collect();
    let mean = lengths.iter().sum::<f64>() / lengths.len() as f64;
    assert_eq!(lengths.len(), 100);
    assert!((mean - 550.0).abs() < 40.0, "{mean}");
    assert!(lengths.iter().any(|length| *length != lengths[0]));
}

#[test]
fn prefixes_come_from_a_pool_on_top_of_the_prompt() {
    for tokenizer in [Tokenizer::builtin(), fixture()] {
        let config = SyntheticConfig {
            isl: LengthDistribution::constant(50.0),
            entries: 40,
            prefix_prompts: 3,
            prefix_length: 70,
            ..SyntheticConfig::default()
        };
        let dataset = load_synthetic(config, &tokenizer);
        let mut prefixes = std::collections::BTreeSet::new();
        let mut wholes = std::collections::BTreeSet::new();
        for entry in dataset.entries() {
            let turn = &entry.turns[0];
            let tokens = tokenizer.encode(&text(turn));
            assert_eq!((tokens.len(), exact(turn)), (120, 120));
            prefixes.insert(tokens[..70].to_vec());
            wholes.insert(tokens);
        }
        assert_eq!((prefixes.len(), wholes.len()), (3, 40));
    }
}

#[test]
fn a_shared_system_prompt_is_a_message_of_its_own() {
    for tokenizer in [Tokenizer::builtin(), fixture()] {
        let config = SyntheticConfig {
            isl: LengthDistribution::constant(50.0),
            shared_system_prompt_length: Some(33),
            ..SyntheticConfig::default()
        };
        let dataset = load_synthetic(config, &tokenizer);
        let all: Vec<_> = dataset.entries().map(|entry| messages(&entry.turns[0])).collect();
        for (said, entry) in all.iter().zip(dataset.entries()) {
            assert_eq!((said[0].0, said[1].0), (Role::System, Role::User));
            assert_eq!(said[0], all[0][0]);
            assert_eq!((tokenizer.count(&said[0].1), tokenizer.count(&said[1].1)), (33, 50));
            let joined = format!("{} {}", said[0].1, said[1].1);
            assert_eq!(tokenizer.count(&joined), exact(&entry.turns[0]));
        }
        assert_ne!(all[0][1], all[1][1]);
    }
}

#[test]
fn names_and_models_follow_the_origin_and_the_position() {
    let config = WorkloadConfig::Synthetic(SyntheticConfig { entries: 3, ..SyntheticConfig::default() });
    let models: Vec<Arc<str>> = vec!["a".into(), "b".into()];
    let load = |origin| Dataset::load(&config, &Tokenizer::builtin(), origin, &models).unwrap();
    let names = |dataset: &Dataset| -> Vec<String> {
        dataset.entries().map(|entry| entry.session_id.to_string()).collect()
    };
    let source = load(GIVEN).source();
    let asked: Vec<_> = (0..4).map(|at| first_turn(&*source, at).model.to_string()).collect();
    assert_eq!(asked, ["a", "b", "a", "a"], "by the position in the dataset, which wraps");
    assert_eq!(names(&load(GIVEN)), ["session_000000", "session_000001", "session_000002"]);
    let drawn = Origin { seed: Seed(1), is_given: false };
    assert_eq!(names(&load(drawn)), names(&load(drawn)));
    assert_ne!(names(&load(drawn)), names(&load(Origin { seed: Seed(2), is_given: false })));
    assert!(names(&load(drawn)).iter().all(|name| name.len() == 36 && name.as_bytes()[14] == b'4'));
}

#[test]
fn sampling_can_be_random() {
    let config = SyntheticConfig {
        entries: 8,
        sampling: Sampling::Shuffle,
        model_selection: ModelSelection::Random,
        ..SyntheticConfig::default()
    };
    let source = load_synthetic(config, &Tokenizer::builtin()).source();
    let mut pass: Vec<_> = (0..8).map(|at| first_turn(&*source, at).session_id.to_string()).collect();
    assert!(!pass.is_sorted());
    pass.sort();
    pass.dedup();
    assert_eq!(pass.len(), 8);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_row_is_sent_once_in_the_order_of_the_times(
        rows in prop::collection::vec((0_u32..100_000, 1_u32..2000, prop::option::of(0_u8..4)), 1..40),
        speedup in 0.1_f64..20.0,
    ) {
        let lines: Vec<String> = rows
            .iter()
            .map(|(at, tokens, session)| {
                let session = session.map_or(String::new(), |session| format!(",\"session_id\":\"{session}\""));
                format!("{{\"timestamp\":{at},\"input_length\":{tokens},\"output_length\":1{session}}}")
            })
            .collect();
        let file = File::new(&lines.join("\n"));
        let dataset = load_trace(TraceConfig { speedup, ..file.config() }, GIVEN).unwrap();
        let timetable = dataset.timetable(0).unwrap();
        prop_assert!(timetable.offsets_ns.is_sorted());
        prop_assert_eq!(timetable.offsets_ns.len() as u64, dataset.len());
        let mut seen = Vec::new();
        for ordinal in 0..dataset.len() {
            let mut session = timetable.source.session(ordinal).unwrap();
            while let Some(turn) = session.next_turn(Some(&reply("ok"))) {
                if turn.turn_index == 0 {
                    prop_assert_eq!(exact(&turn), rows[turn.source_row.unwrap() as usize].1 as usize);
                }
                seen.push(turn.source_row.unwrap());
            }
        }
        seen.sort_unstable();
        prop_assert_eq!(seen, (0..rows.len() as i64).collect::<Vec<_>>());
    }
}
