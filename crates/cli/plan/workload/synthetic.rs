//! From flags to conversations that are made up.

use loadgen_wire::EndpointKind;
use loadgen_workload::lengths::{RangeRatio, RangeStyle};
use loadgen_workload::{
    CommonConfig, LengthDistribution, PairedLengths, RankingsConfig, SyntheticConfig, TurnDelay,
};

use super::super::Faults;
use super::super::load::Load;
use super::{entries, media, needs_history, needs_system, one_of, osl, ranks, small};
use crate::args::ProfileArgs;
use crate::args::swept::Swept;

/// Resolves them.
pub(super) fn synthetic(
    args: &ProfileArgs,
    _load: &Load,
    endpoint: EndpointKind,
    common: CommonConfig,
    faults: &mut Faults,
) -> Option<SyntheticConfig> {
    check_files_own(args, faults);
    let lengths = &args.lengths;
    let isl = LengthDistribution {
        mean: lengths.isl.as_ref().map_or(SyntheticConfig::DEFAULT_ISL, |mean| mean.first() as f64),
        stddev: lengths.isl_stddev.as_ref().map_or(0.0, Swept::first),
    };
    let osl = osl(args, faults);
    let pairs = pairs(args, faults);
    let prefix = &args.prefix;
    let (pool, length) = (prefix.num_prefix_prompts.unwrap_or(0), prefix.prefix_prompt_length.unwrap_or(0));
    check_prefixes(args, pool, length, endpoint, faults);
    let images = media::images(args, endpoint, faults);
    let audio = media::audio(args, endpoint, faults);
    let rankings = rankings(args, endpoint, faults);
    let has_others = images.is_some() || audio.is_some() || rankings.is_some();
    if lengths.isl.as_ref().is_some_and(|mean| mean.first() == 0) && !has_others {
        faults.add("--isl", "a prompt needs at least 1 token");
    }
    let turns = turns(args, endpoint, faults);
    let optional = |value: Option<u64>, flag, faults: &mut Faults| match value {
        Some(value) => small(value, flag, faults).map(Some),
        None => Some(None),
    };
    let batch = args.input.prompt_batch_size.unwrap_or(1);
    if batch == 0 && !has_others {
        faults.add("--prompt-batch-size", "0 leaves requests without any content: expected at least 1");
    }
    Some(SyntheticConfig {
        isl,
        osl,
        pairs,
        entries: small(entries(args), "--num-dataset-entries", faults)?,
        turns,
        turn_delay: turn_delay(args),
        batch: small(batch, "--prompt-batch-size", faults)?,
        prefix_prompts: small(pool, "--num-prefix-prompts", faults)?,
        prefix_length: small(length, "--prefix-prompt-length", faults)?,
        shared_system_prompt_length: optional(
            prefix.shared_system_prompt_length,
            "--shared-system-prompt-length",
            faults,
        )?,
        user_context_prompt_length: optional(
            prefix.user_context_prompt_length,
            "--user-context-prompt-length",
            faults,
        )?,
        images,
        audio,
        rankings,
        common,
    })
}

/// Options that mean something for a file only.
fn check_files_own(args: &ProfileArgs, faults: &mut Faults) {
    if args.input.custom_dataset_type.is_some() {
        faults.add("--custom-dataset-type", "is the format of a file: give --input-file too");
    }
}

fn check_prefixes(args: &ProfileArgs, pool: u64, length: u64, endpoint: EndpointKind, faults: &mut Faults) {
    let prefix = &args.prefix;
    if prefix.shared_system_prompt_length.is_some() {
        needs_system("--shared-system-prompt-length", endpoint, faults);
    }
    if prefix.user_context_prompt_length.is_some() {
        needs_history("--user-context-prompt-length", endpoint, faults);
    }
    for (flag, given) in [
        ("--shared-system-prompt-length", prefix.shared_system_prompt_length),
        ("--user-context-prompt-length", prefix.user_context_prompt_length),
    ] {
        if given.is_some() && (pool > 0 || length > 0) {
            faults.exclude(flag, "--num-prefix-prompts with --prefix-prompt-length");
        }
    }
    if length > 0 && pool == 0 {
        faults.add("--prefix-prompt-length", "needs a pool to draw from: give --num-prefix-prompts");
    }
}

/// Lengths that are drawn in pairs.
fn pairs(args: &ProfileArgs, faults: &mut Faults) -> Option<PairedLengths> {
    let lengths = &args.lengths;
    let style = [("vllm", RangeStyle::Vllm), ("sglang", RangeStyle::Sglang)];
    let style = one_of("--random-corpus-style", lengths.random_corpus_style.as_deref(), &style, faults);
    match (&lengths.seq_dist, &lengths.random_range_ratio) {
        (None, None) => None,
        (Some(_), Some(_)) => {
            faults.exclude("--random-range-ratio", "--seq-dist");
            None
        }
        (Some(mix), None) => faults.take("--seq-dist", mix.parse()).map(PairedLengths::Mix),
        (None, Some(ratio)) => {
            // Without --isl it is a ratio of its default, as in AIPerf.
            if lengths.osl.is_none() {
                faults.add("--random-range-ratio", "is a ratio of a length: give --osl");
            }
            for (flag, stddev) in
                [("--isl-stddev", &lengths.isl_stddev), ("--osl-stddev", &lengths.osl_stddev)]
            {
                if stddev.as_ref().is_some_and(|stddev| stddev.first() != 0.0) {
                    faults.add("--random-range-ratio", format!("spreads lengths itself: leave out {flag}"));
                }
            }
            let ratio = RangeRatio::parse(ratio, style.unwrap_or_default());
            faults.take("--random-range-ratio", ratio).map(PairedLengths::Range)
        }
    }
}

fn turns(args: &ProfileArgs, endpoint: EndpointKind, faults: &mut Faults) -> LengthDistribution {
    let given = &args.conversation;
    let turns = LengthDistribution {
        mean: given.conversation_turn_mean.as_ref().map_or(1.0, |mean| mean.first() as f64),
        stddev: given.conversation_turn_stddev.unwrap_or(0) as f64,
    };
    if turns != LengthDistribution::constant(1.0) {
        needs_history("--conversation-turn-mean", endpoint, faults);
    }
    turns
}

fn turn_delay(args: &ProfileArgs) -> TurnDelay {
    let given = &args.conversation;
    TurnDelay {
        ms: LengthDistribution {
            mean: given.conversation_turn_delay_mean.unwrap_or(0.0),
            stddev: given.conversation_turn_delay_stddev.unwrap_or(0.0),
        },
        ratio: given.conversation_turn_delay_ratio.unwrap_or(1.0),
    }
}

/// What is ranked, for an endpoint that ranks.
fn rankings(args: &ProfileArgs, endpoint: EndpointKind, faults: &mut Faults) -> Option<RankingsConfig> {
    let given = &args.rankings;
    if !ranks(endpoint) {
        if let Some(flag) = given.given() {
            let name = endpoint.facts().name;
            faults.add(flag, format!("--endpoint-type {name} ranks nothing: give a rankings endpoint"));
        }
        return None;
    }
    let length = |mean: Option<u64>, default: LengthDistribution, stddev: Option<u64>| LengthDistribution {
        mean: mean.map_or(default.mean, |mean| mean as f64),
        stddev: stddev.unwrap_or(0) as f64,
    };
    let default = RankingsConfig::default();
    Some(RankingsConfig {
        passages: length(given.rankings_passages_mean, default.passages, given.rankings_passages_stddev),
        passage_tokens: length(
            given.rankings_passages_prompt_token_mean,
            default.passage_tokens,
            given.rankings_passages_prompt_token_stddev,
        ),
        query_tokens: length(
            given.rankings_query_prompt_token_mean,
            default.query_tokens,
            given.rankings_query_prompt_token_stddev,
        ),
    })
}
