//! The dataset as AIPerf echoes it: only what was set, in its words.

use loadgen_workload::{LengthDistribution, PairedLengths, SyntheticConfig, TraceConfig, WorkloadConfig};
use serde_json::{Map, Value, json};

use crate::args::ProfileArgs;
use crate::args::swept::Swept;
use crate::args::values::word;

/// Renders the echo.
pub(super) fn dataset(args: &ProfileArgs, workload: &WorkloadConfig) -> Value {
    let mut dataset = Map::new();
    dataset.insert("name".into(), json!("main"));
    match workload {
        WorkloadConfig::Synthetic(config) => synthetic(args, config, &mut dataset),
        WorkloadConfig::Trace(config) => file(args, config, &mut dataset),
    }
    Value::Object(dataset)
}

fn synthetic(args: &ProfileArgs, config: &SyntheticConfig, dataset: &mut Map<String, Value>) {
    dataset.insert("type".into(), json!("synthetic"));
    dataset.insert("entries".into(), json!(config.entries));
    both_kinds(args, dataset);
    dataset.insert("prompts".into(), prompts(args, config));
    let given = &args.prefix;
    let prefixes = fields([
        ("pool_size", given.num_prefix_prompts.map(Value::from)),
        ("length", given.prefix_prompt_length.map(Value::from)),
        ("shared_system_length", given.shared_system_prompt_length.map(Value::from)),
        ("user_context_length", given.user_context_prompt_length.map(Value::from)),
    ]);
    let is_used = |value: &Value| value != &json!({ "pool_size": 0 }) && value != &json!({ "length": 0 });
    add(dataset, "prefix_prompts", prefixes.filter(is_used));
    add(dataset, "rankings", rankings(args));
    add(dataset, "audio", audio(args));
    add(dataset, "images", images(args));
    let given = &args.conversation;
    if given.conversation_turn_mean.is_some() || given.conversation_turn_stddev.is_some() {
        dataset.insert("turns".into(), mean_and_stddev(config.turns));
    }
    if given.conversation_turn_delay_mean.is_some() || given.conversation_turn_delay_stddev.is_some() {
        dataset.insert("turn_delay".into(), mean_and_stddev(config.turn_delay.ms));
    }
    add(dataset, "turn_delay_ratio", given.conversation_turn_delay_ratio.map(Value::from));
}

fn file(args: &ProfileArgs, config: &TraceConfig, dataset: &mut Map<String, Value>) {
    dataset.insert("type".into(), json!("file"));
    dataset.insert("path".into(), json!(config.path));
    dataset.insert("format".into(), json!(config.format.name()));
    let asked_for = args.input.num_dataset_entries.is_some()
        || args.input.num_conversations.is_some()
        || args.load.request_count.is_some();
    add(dataset, "entries", asked_for.then(|| Value::from(config.entries)));
    both_kinds(args, dataset);
    add(dataset, "block_size", args.lengths.isl_block_size.map(Value::from));
    add(dataset, "osl", osl(args));
    add(
        dataset,
        "inter_turn_delay_cap_seconds",
        args.conversation.inter_turn_delay_cap_seconds.map(Value::from),
    );
    let given = &args.input;
    let synthesis = fields([
        ("speedup_ratio", given.synthesis_speedup_ratio.map(Value::from)),
        ("max_isl", given.synthesis_max_isl.map(Value::from)),
        ("max_osl", given.synthesis_max_osl.map(Value::from)),
    ]);
    add(dataset, "synthesis", synthesis);
}

/// What made-up prompts and files have in common.
fn both_kinds(args: &ProfileArgs, dataset: &mut Map<String, Value>) {
    add(dataset, "random_seed", args.input.random_seed.map(Value::from));
    add(dataset, "sampling", args.input.dataset_sampling_strategy.as_deref().map(word).map(Value::from));
    add(dataset, "system_prompt", args.prefix.system_prompt.as_deref().map(Value::from));
    add(dataset, "system_prompt_file", args.prefix.system_prompt_file.as_ref().map(|path| json!(path)));
}

fn prompts(args: &ProfileArgs, config: &SyntheticConfig) -> Value {
    let mut isl = json!({ "mean": config.isl.mean });
    if args.lengths.isl_stddev.is_some() {
        isl["stddev"] = json!(config.isl.stddev);
    }
    let mut prompts = Map::new();
    prompts.insert("isl".into(), isl);
    add(&mut prompts, "osl", osl(args));
    add(&mut prompts, "batch_size", args.input.prompt_batch_size.map(Value::from));
    match &config.pairs {
        Some(PairedLengths::Mix(mix)) => {
            let classes = mix.classes().iter().map(|class| {
                json!({
                    "isl": mean_and_stddev(class.isl),
                    "osl": mean_and_stddev(class.osl),
                    "probability": class.percent,
                })
            });
            prompts.insert("sequence_distribution".into(), classes.collect());
        }
        Some(PairedLengths::Range(_)) => {
            add(&mut prompts, "random_range_ratio", args.lengths.random_range_ratio.clone().map(Value::from));
        }
        None => {}
    }
    let style = args.lengths.random_corpus_style.as_deref().map(word);
    add(&mut prompts, "random_corpus_style", style.map(Value::from));
    Value::Object(prompts)
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
        ("height", height),
        ("width", width),
        ("batch_size", batch.map(Value::from)),
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
        ("length", length),
        ("batch_size", batch.map(Value::from)),
        ("format", given.audio_format.as_deref().map(word).map(Value::from)),
        ("depths", list(given.audio_depths.iter().copied().map(Value::from).collect())),
        ("sample_rates", list(given.audio_sample_rates.iter().copied().map(Value::from).collect())),
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

fn add(to: &mut Map<String, Value>, key: &str, value: Option<Value>) {
    if let Some(value) = value {
        to.insert(key.to_owned(), value);
    }
}
