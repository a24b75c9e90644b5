//! Options about what is sent: files, lengths, prefixes, and a trace's own schedule.

use std::path::PathBuf;

use clap::Args;

use super::swept::Swept;
use super::values;

/// Where prompts come from.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Input")]
pub(crate) struct InputArgs {
    /// Configuration file (AIPerf's YAML, version 2.0), below the options given here
    #[arg(short = 'f', long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// File of requests, or folder of such (JSONL, also .gz); prompts are synthetic without one
    #[arg(long, value_name = "FILE")]
    pub(crate) input_file: Option<PathBuf>,

    /// Format of the input file: mooncake_trace, single_turn, multi_turn, random_pool, raw_payload or
    /// inputs_json [default: as its first line shows]
    #[arg(long, value_name = "TYPE")]
    pub(crate) custom_dataset_type: Option<String>,

    /// How many different prompts to make
    #[arg(long, visible_alias = "num-prompts", value_name = "N", value_parser = values::positive_integer)]
    pub(crate) num_dataset_entries: Option<u64>,

    /// How many conversations to run
    #[arg(long = "num-conversations", visible_aliases = ["num-sessions", "conversation-num"], value_name = "N[,N...]", value_parser = values::positive_integers)]
    pub(crate) num_conversations: Option<Swept<u64>>,

    /// Which conversation comes next: sequential, random or shuffle [default: sequential]
    #[arg(long, value_name = "ORDER")]
    pub(crate) dataset_sampling_strategy: Option<String>,

    /// Texts of a request: for embeddings, rankings and pools [default: 1]
    #[arg(short = 'b', long, visible_aliases = ["batch-size-text", "batch-size"], value_name = "N", value_parser = values::integer)]
    pub(crate) prompt_batch_size: Option<u64>,

    /// Seed of all generated data and timing: the same seed gives the same requests at the same times
    #[arg(long, value_name = "SEED", value_parser = values::integer)]
    pub(crate) random_seed: Option<u64>,

    /// Replay the trace this many times faster
    #[arg(long, value_name = "RATIO", value_parser = values::positive)]
    pub(crate) synthesis_speedup_ratio: Option<f64>,

    /// Leave out rows of the trace with more input tokens
    #[arg(long, value_name = "TOKENS", value_parser = values::positive_integer)]
    pub(crate) synthesis_max_isl: Option<u64>,

    /// Ask for at most this many output tokens
    #[arg(long, value_name = "TOKENS", value_parser = values::positive_integer)]
    pub(crate) synthesis_max_osl: Option<u64>,
}

/// Lengths of synthetic prompts and answers.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Lengths")]
pub(crate) struct LengthArgs {
    /// Mean input length, tokens [default: 550]
    #[arg(long, visible_aliases = ["synthetic-input-tokens-mean", "prompt-input-tokens-mean"], value_name = "TOKENS[,TOKENS...]", value_parser = values::integers)]
    pub(crate) isl: Option<Swept<u64>>,

    /// Spread of the input length, tokens
    #[arg(long, visible_aliases = ["synthetic-input-tokens-stddev", "prompt-input-tokens-stddev"], value_name = "TOKENS[,TOKENS...]", value_parser = values::non_negatives)]
    pub(crate) isl_stddev: Option<Swept<f64>>,

    /// A mix of lengths, in place of --isl and --osl: "ISL[|STDDEV],OSL[|STDDEV]:PERCENT;…"
    #[arg(long, visible_alias = "sequence-distribution", value_name = "MIX")]
    pub(crate) seq_dist: Option<String>,

    /// Lengths uniform around --isl and --osl: 0.3 for ± 30 %, or {"input":0.3,"output":0.5}
    #[arg(long, value_name = "RATIO")]
    pub(crate) random_range_ratio: Option<String>,

    /// What the ratio means: vllm (mean ± ratio) or sglang (ratio × mean to mean) [default: vllm]
    #[arg(long, value_name = "TOOL")]
    pub(crate) random_corpus_style: Option<String>,

    /// Tokens of a trace's block [default: 512]
    #[arg(long, visible_aliases = ["synthetic-input-tokens-block-size", "prompt-input-tokens-block-size"], value_name = "TOKENS", value_parser = values::positive_integer)]
    pub(crate) isl_block_size: Option<u64>,

    /// Mean output length to ask for, tokens; not asked for when absent
    #[arg(long, visible_aliases = ["output-tokens-mean", "prompt-output-tokens-mean"], value_name = "TOKENS[,TOKENS...]", value_parser = values::integers)]
    pub(crate) osl: Option<Swept<u64>>,

    /// Spread of the output length, tokens
    #[arg(long, visible_aliases = ["output-tokens-stddev", "prompt-output-tokens-stddev"], value_name = "TOKENS[,TOKENS...]", value_parser = values::non_negatives)]
    pub(crate) osl_stddev: Option<Swept<f64>>,
}

/// Text that prompts share.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Shared prefixes")]
pub(crate) struct PrefixArgs {
    /// Number of different prefixes; each prompt begins with one of them
    #[arg(long, visible_aliases = ["prefix-prompt-pool-size", "prompt-prefix-pool-size"], value_name = "N", value_parser = values::integer)]
    pub(crate) num_prefix_prompts: Option<u64>,

    /// Tokens of each prefix, on top of --isl
    #[arg(long, visible_alias = "prompt-prefix-length", value_name = "TOKENS", value_parser = values::integer)]
    pub(crate) prefix_prompt_length: Option<u64>,

    /// Tokens of one system prompt that all requests share
    #[arg(long, value_name = "TOKENS", value_parser = values::positive_integer)]
    pub(crate) shared_system_prompt_length: Option<u64>,

    /// Tokens of a message of its own that each conversation begins with
    #[arg(long, value_name = "TOKENS", value_parser = values::positive_integer)]
    pub(crate) user_context_prompt_length: Option<u64>,

    /// System message of every conversation, as it stands
    #[arg(long, value_name = "TEXT")]
    pub(crate) system_prompt: Option<String>,

    /// The same, from a file
    #[arg(long, value_name = "FILE")]
    pub(crate) system_prompt_file: Option<PathBuf>,
}

/// Replay at a trace's own times.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Fixed schedule")]
pub(crate) struct FixedScheduleArgs {
    /// Send at the trace's own times (the default for a trace whose type is named and has timestamps)
    #[arg(long)]
    pub(crate) fixed_schedule: bool,

    /// Ignore the trace's times
    #[arg(long)]
    pub(crate) no_fixed_schedule: bool,

    /// Let the first request's time be zero (the default without a start offset)
    #[arg(long)]
    pub(crate) fixed_schedule_auto_offset: bool,

    /// Begin at this time of the trace, ms, before any speed-up
    #[arg(long, value_name = "MS", value_parser = values::integer)]
    pub(crate) fixed_schedule_start_offset: Option<u64>,

    /// End at this time of the trace, ms, before any speed-up
    #[arg(long, value_name = "MS", value_parser = values::integer)]
    pub(crate) fixed_schedule_end_offset: Option<u64>,
}
