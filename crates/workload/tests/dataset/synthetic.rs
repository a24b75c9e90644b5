//! Conversations made up to measure.

use std::sync::Arc;

use loadgen_core::{CountTokens, Role, Seed, Turn};
use loadgen_tokens::Tokenizer;
use loadgen_workload::{
    CommonConfig, Dataset, LengthDistribution, ModelSelection, Origin, Sampling, SyntheticConfig,
    WorkloadConfig,
};

use crate::support::{GIVEN, exact, first_turn, fixture, load_synthetic, messages, text};

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
        common: CommonConfig {
            sampling: Sampling::Shuffle,
            model_selection: ModelSelection::Random,
            ..CommonConfig::default()
        },
        ..SyntheticConfig::default()
    };
    let source = load_synthetic(config, &Tokenizer::builtin()).source();
    let mut pass: Vec<_> = (0..8).map(|at| first_turn(&*source, at).session_id.to_string()).collect();
    assert!(!pass.is_sorted());
    pass.sort();
    pass.dedup();
    assert_eq!(pass.len(), 8);
}
