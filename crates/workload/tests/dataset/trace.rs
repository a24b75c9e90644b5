//! Traces: lengths, prefixes, windows, output lengths.

use loadgen_core::{CountTokens, RequestSource, Seed, Turn};
use loadgen_tokens::Tokenizer;
use loadgen_workload::{Dataset, LengthDistribution, Origin, SyntheticConfig, TraceConfig};
use proptest::prelude::*;

use crate::support::{File, GIVEN, exact, first_turn, load_synthetic, load_trace, real, reply, text};

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

#[test]
fn a_block_is_of_its_file_and_id_and_of_no_place_or_order() {
    let row = |ids: &str| format!("{{\"input_length\":64,\"hash_ids\":[{ids}],\"output_length\":1}}\n");
    let texts = |lines: &str| -> Vec<String> {
        let dataset = load_trace(TraceConfig { block_size: 32, ..File::new(lines).config() }, GIVEN).unwrap();
        dataset.entries().map(|entry| text(&entry.turns[0])).collect()
    };
    // Each of two blocks stands first in one row and last in the other.
    let both = row("1,2") + &row("2,1");
    let [forward, backward] = &texts(&both)[..] else { panic!("two rows") };
    let cut = forward.rfind("<|endoftext|>").unwrap();
    let (one, two) = forward.split_at(cut);
    assert_eq!(*backward, format!("{two}{one}"));
    assert_eq!(texts(&both), texts(&both), "the same bytes in another file, the same blocks");
    let others = texts(&(both + "\n"));
    assert_ne!(others[0], *forward, "a file that differs in a byte shares no block");
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
    assert_eq!(
        outputs(&dataset),
        [Some(1), None, Some(3), None, None, None],
        "what nobody limits has no limit"
    );
    let warnings = dataset.warnings().join("\n").replace(&file.0.path().display().to_string(), "DIR");
    insta::assert_snapshot!(warnings, @r"
    DIR/trace.jsonl: 1 row with an output_length of 0 or less (first in line 1): 1 output token is asked for
    DIR/trace.jsonl: 2 rows with an input_length and no output_length (first in line 2): no limit is sent, and the server decides how long it answers; --osl fills it in
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
fn a_ready_body_takes_a_draw_of_the_output_lengths_as_in_aiperf() {
    let drawn = |second: &str| -> Vec<_> {
        let row = "{\"input_length\":5}\n";
        let file = File::new(&[row, second, row].concat());
        let osl = Some(LengthDistribution { mean: 100.0, stddev: 30.0 });
        let dataset = load_trace(TraceConfig { osl, ..file.config() }, GIVEN).unwrap();
        dataset.entries().map(|entry| entry.turns[0].max_output_tokens).collect()
    };
    let (all, ready) = (drawn("{\"input_length\":5}\n"), drawn("{\"payload\":{\"x\":1}}\n"));
    assert!(all[1] != all[2], "{all:?}");
    assert_eq!(ready, [all[0], None, all[2]]);
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
