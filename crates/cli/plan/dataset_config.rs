//! The dataset as AIPerf echoes it: only what was set, in its words.

use loadgen_workload::{LengthDistribution, PairedLengths, SyntheticConfig, TraceConfig, WorkloadConfig};
use serde_json::{Map, Value, json};

use crate::args::ProfileArgs;
use crate::args::swept::Swept;
use crate::args::values::word;

/// Renders the echo.
pub(super) fn dataset(args: &ProfileArgs, workload: &WorkloadConfig) -> Value {
    let dataset = match workload {
        WorkloadConfig::Synthetic(config) => synthetic(args, config),
        WorkloadConfig::Trace(config) => file(args, config),
    };
    dataset.unwrap_or_default()
}

fn synthetic(args: &ProfileArgs, config: &SyntheticConfig) -> Option<Value> {
    let given = &args.conversation;
    let turns = given.conversation_turn_mean.is_some() || given.conversation_turn_stddev.is_some();
    let pauses =
        given.conversation_turn_delay_mean.is_some() || given.conversation_turn_delay_stddev.is_some();
    let [prompt, prompt_file] = system_prompt(args);
    // In AIPerf's order, as all that follows.
    fields([
        prompt,
        prompt_file,
        ("name", Some(json!("main"))),
        ("type", Some(json!("synthetic"))),
        ("entries", asks_for_entries(args).then(|| json!(config.entries))),
        ("random_seed", args.input.random_seed.map(Value::from)),
        ("sampling", sampling(args)),
        ("prompts", Some(prompts(args, config))),
        ("prefix_prompts", prefixes(args)),
        ("turns", turns.then(|| mean_and_stddev(config.turns))),
        ("turn_delay", pauses.then(|| mean_and_stddev(config.turn_delay.ms))),
        ("turn_delay_ratio", given.conversation_turn_delay_ratio.map(Value::from)),
        ("images", images(args)),
        ("audio", audio(args)),
        ("rankings", rankings(args)),
    ])
}

fn file(args: &ProfileArgs, config: &TraceConfig) -> Option<Value> {
    let given = &args.input;
    let synthesis = fields([
        ("speedup_ratio", given.synthesis_speedup_ratio.map(Value::from)),
        ("max_isl", given.synthesis_max_isl.map(Value::from)),
        ("max_osl", given.synthesis_max_osl.map(Value::from)),
    ]);
    let cap = args.conversation.inter_turn_delay_cap_seconds;
    let [prompt, prompt_file] = system_prompt(args);
    fields([
        prompt,
        prompt_file,
        ("name", Some(json!("main"))),
        ("type", Some(json!("file"))),
        ("path", Some(json!(config.path))),
        ("format", given.custom_dataset_type.is_some().then(|| json!(config.format.name()))),
        ("sampling", sampling(args)),
        ("synthesis", synthesis),
        ("entries", asks_for_entries(args).then(|| json!(config.entries))),
        ("random_seed", given.random_seed.map(Value::from)),
        ("inter_turn_delay_cap_seconds", cap.map(Value::from)),
        ("osl", osl(args)),
        ("prompt_batch_size", given.prompt_batch_size.map(Value::from)),
        ("image_batch_size", args.media.image_batch_size.map(Value::from)),
        ("audio_batch_size", args.media.audio_batch_size.map(Value::from)),
        ("block_size", args.lengths.isl_block_size.map(Value::from)),
    ])
}

/// Whether anything says how many conversations there are.
fn asks_for_entries(args: &ProfileArgs) -> bool {
    args.input.num_dataset_entries.is_some()
        || args.input.num_conversations.is_some()
        || args.load.request_count.is_some()
}

fn sampling(args: &ProfileArgs) -> Option<Value> {
    args.input.dataset_sampling_strategy.as_deref().map(word).map(Value::from)
}

fn system_prompt(args: &ProfileArgs) -> [(&'static str, Option<Value>); 2] {
    let given = &args.prefix;
    [
        ("system_prompt", given.system_prompt.as_deref().map(Value::from)),
        ("system_prompt_file", given.system_prompt_file.as_ref().map(|path| json!(path))),
    ]
}

/// The prompts' prefixes; a pool of none asks for nothing.
fn prefixes(args: &ProfileArgs) -> Option<Value> {
    let given = &args.prefix;
    let prefixes = fields([
        ("pool_size", given.num_prefix_prompts.map(Value::from)),
        ("length", given.prefix_prompt_length.map(Value::from)),
        ("shared_system_length", given.shared_system_prompt_length.map(Value::from)),
        ("user_context_length", given.user_context_prompt_length.map(Value::from)),
    ]);
    prefixes.filter(|value| value != &json!({ "pool_size": 0 }) && value != &json!({ "length": 0 }))
}

fn prompts(args: &ProfileArgs, config: &SyntheticConfig) -> Value {
    let given = &args.lengths;
    let stddev = given.isl_stddev.is_some().then(|| json!(config.isl.stddev));
    let mix = match &config.pairs {
        Some(PairedLengths::Mix(mix)) => Some(mix.classes().iter().map(|class| {
            json!({
                "isl": mean_and_stddev(class.isl),
                "osl": mean_and_stddev(class.osl),
                "probability": class.percent,
            })
        })),
        _ => None,
    };
    let prompts = fields([
        ("isl", fields([("mean", Some(json!(config.isl.mean))), ("stddev", stddev)])),
        ("osl", osl(args)),
        ("block_size", given.isl_block_size.map(Value::from)),
        ("batch_size", args.input.prompt_batch_size.map(Value::from)),
        ("sequence_distribution", mix.map(Iterator::collect)),
        ("random_range_ratio", given.random_range_ratio.clone().map(Value::from)),
        ("random_corpus_style", given.random_corpus_style.as_deref().map(word).map(Value::from)),
    ]);
    prompts.unwrap_or_default()
}

fn osl(args: &ProfileArgs) -> Option<Value> {
    let mean = args.lengths.osl.as_ref()?.first() as f64;
    let stddev = args.lengths.osl_stddev.as_ref().map(Swept::first);
    fields([("mean", Some(json!(mean))), ("stddev", stddev.map(Value::from))])
}

fn rankings(args: &ProfileArgs) -> Option<Value> {
    let given = &args.rankings;
    let pair = |mean: Option<u64>, stddev: Option<u64>| {
        let float = |value: u64| json!(value as f64);
        fields([("mean", mean.map(float)), ("stddev", stddev.map(float))])
    };
    fields([
        ("passages", pair(given.rankings_passages_mean, given.rankings_passages_stddev)),
        (
            "passage_tokens",
            pair(given.rankings_passages_prompt_token_mean, given.rankings_passages_prompt_token_stddev),
        ),
        (
            "query_tokens",
            pair(given.rankings_query_prompt_token_mean, given.rankings_query_prompt_token_stddev),
        ),
    ])
}

fn images(args: &ProfileArgs) -> Option<Value> {
    let given = &args.media;
    let pair = |mean: Option<f64>, stddev: Option<f64>| {
        fields([("mean", mean.map(Value::from)), ("stddev", stddev.map(Value::from))])
    };
    let height = pair(given.image_height_mean, given.image_height_stddev);
    let width = pair(given.image_width_mean, given.image_width_stddev);
    let is_shaped = height.is_some() || width.is_some() || given.image_source.is_some();
    let batch = given.image_batch_size.or(is_shaped.then_some(1));
    fields([
        ("batch_size", batch.map(Value::from)),
        ("width", width),
        ("height", height),
        ("format", given.image_format.as_deref().map(word).map(Value::from)),
        ("source", given.image_source.as_deref().map(Value::from)),
        ("source_sampling", given.image_source_sampling.as_deref().map(Value::from)),
    ])
}

fn audio(args: &ProfileArgs) -> Option<Value> {
    let given = &args.media;
    let length = fields([
        ("mean", given.audio_length_mean.map(Value::from)),
        ("stddev", given.audio_length_stddev.map(Value::from)),
    ]);
    let batch = given.audio_batch_size.or(length.is_some().then_some(1));
    let list = |values: Vec<Value>| (!values.is_empty()).then_some(Value::Array(values));
    fields([
        ("batch_size", batch.map(Value::from)),
        ("length", length),
        ("format", given.audio_format.as_deref().map(word).map(Value::from)),
        ("sample_rates", list(given.audio_sample_rates.iter().copied().map(Value::from).collect())),
        ("depths", list(given.audio_depths.iter().copied().map(Value::from).collect())),
        ("channels", given.audio_num_channels.map(Value::from)),
    ])
}

fn mean_and_stddev(LengthDistribution { mean, stddev }: LengthDistribution) -> Value {
    json!({ "mean": mean, "stddev": stddev })
}

/// An object of the fields that are there; `None` without any.
fn fields<const N: usize>(fields: [(&str, Option<Value>); N]) -> Option<Value> {
    let set: Map<String, Value> =
        fields.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect();
    (!set.is_empty()).then_some(Value::Object(set))
}
