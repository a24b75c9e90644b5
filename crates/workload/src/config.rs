//! What the user wants sent, as values. Each is composed once, by the plan, and stored with the run.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::error::WorkloadError;
use crate::lengths::{RangeRatio, SequenceMix};
use crate::media::{AudioConfig, ImageConfig};

/// The workload of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum WorkloadConfig {
    /// Prompts made up to measure.
    Synthetic(SyntheticConfig),
    /// Requests from a file.
    Trace(TraceConfig),
}

/// Tokens that the longest prompt may have: far more than any model takes, and few enough that a slip of
/// some zeros is found before its text, at some four bytes a token, fills the memory.
pub const LONGEST_PROMPT: u32 = 1 << 24;

/// A token length: normally distributed, constant without a deviation.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LengthDistribution {
    /// Mean, in tokens.
    pub mean: f64,
    /// Standard deviation, in tokens.
    pub stddev: f64,
}

impl LengthDistribution {
    /// Always `mean`.
    pub fn constant(mean: f64) -> Self {
        Self { mean, stddev: 0.0 }
    }

    /// Refuses what is no length; `flag` is named.
    pub(crate) fn check(self, flag: &'static str) -> Result<(), WorkloadError> {
        let is_length = |tokens: f64| tokens.is_finite() && tokens >= 0.0;
        if is_length(self.mean) && is_length(self.stddev) {
            return Ok(());
        }
        Err(WorkloadError::Option {
            flag,
            value: format!("{} (deviation {})", self.mean, self.stddev),
            reason: "a length and its deviation are numbers of at least 0",
        })
    }
}

/// Which conversation of the dataset a session takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sampling {
    /// In order, from the start again after the last.
    #[default]
    Sequential,
    /// Each draw independent of the others.
    Random,
    /// Each pass over the dataset in an order of its own.
    Shuffle,
}

/// Which of several models a turn asks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelSelection {
    /// One after the other, by the turn's position in the dataset.
    #[default]
    RoundRobin,
    /// Each draw independent of the others.
    Random,
}

/// Pairs of input and output lengths, in place of two lengths that know nothing of each other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PairedLengths {
    /// Classes with shares (`--seq-dist`).
    Mix(SequenceMix),
    /// Uniform windows around the means (`--random-range-ratio`).
    Range(RangeRatio),
}

/// Pauses between the turns of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TurnDelay {
    /// Mean and deviation, in ms, of which only whole ones count; no pauses at a mean of 0.
    pub ms: LengthDistribution,
    /// What a drawn pause is multiplied by.
    pub ratio: f64,
}

impl Default for TurnDelay {
    fn default() -> Self {
        Self { ms: LengthDistribution::constant(0.0), ratio: 1.0 }
    }
}

/// A query and passages to rank, in place of a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RankingsConfig {
    /// Passages of a request (`--rankings-passages-mean` and its deviation).
    pub passages: LengthDistribution,
    /// Tokens of a passage.
    pub passage_tokens: LengthDistribution,
    /// Tokens of the query.
    pub query_tokens: LengthDistribution,
}

impl Default for RankingsConfig {
    fn default() -> Self {
        Self {
            passages: LengthDistribution::constant(10.0),
            passage_tokens: LengthDistribution::constant(128.0),
            query_tokens: LengthDistribution::constant(32.0),
        }
    }
}

/// Prompts of exact token length.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SyntheticConfig {
    /// Tokens of a prompt, prefixes not included (`--isl`, `--isl-stddev`); without text at a mean of 0.
    pub isl: LengthDistribution,
    /// Tokens to ask for (`--osl`, `--osl-stddev`); `None` leaves the limit out of the body.
    pub osl: Option<LengthDistribution>,
    /// Pairs that replace both.
    #[serde(default)]
    pub pairs: Option<PairedLengths>,
    /// Distinct conversations (`--num-dataset-entries`).
    pub entries: u32,
    /// Turns of a conversation (`--conversation-turn-mean` and its deviation).
    pub turns: LengthDistribution,
    /// Pauses between them.
    pub turn_delay: TurnDelay,
    /// Texts of a turn (`--prompt-batch-size`).
    pub batch: u32,
    /// Size of the pool of prefixes (`--num-prefix-prompts`); 0 for none.
    pub prefix_prompts: u32,
    /// Tokens of each prefix (`--prefix-prompt-length`).
    pub prefix_length: u32,
    /// Tokens of the system message that all conversations share (`--shared-system-prompt-length`).
    pub shared_system_prompt_length: Option<u32>,
    /// Tokens of the message that each conversation begins with, one of its own
    /// (`--user-context-prompt-length`).
    pub user_context_prompt_length: Option<u32>,
    /// Images of a turn.
    #[serde(default)]
    pub images: Option<ImageConfig>,
    /// Sounds of a turn.
    #[serde(default)]
    pub audio: Option<AudioConfig>,
    /// A query and passages in place of all of that.
    #[serde(default)]
    pub rankings: Option<RankingsConfig>,
    /// What holds for files as well.
    #[serde(default)]
    pub common: CommonConfig,
}

impl SyntheticConfig {
    /// The mean of `--isl` where only `--isl-stddev` is given, or neither.
    pub const DEFAULT_ISL: f64 = 550.0;
    /// Conversations where no flag says how many.
    pub const DEFAULT_ENTRIES: u32 = 100;
}

impl Default for SyntheticConfig {
    fn default() -> Self {
        Self {
            isl: LengthDistribution::constant(Self::DEFAULT_ISL),
            osl: None,
            pairs: None,
            entries: Self::DEFAULT_ENTRIES,
            turns: LengthDistribution::constant(1.0),
            turn_delay: TurnDelay::default(),
            batch: 1,
            prefix_prompts: 0,
            prefix_length: 0,
            shared_system_prompt_length: None,
            user_context_prompt_length: None,
            images: None,
            audio: None,
            rankings: None,
            common: CommonConfig::default(),
        }
    }
}

/// What holds for every workload.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CommonConfig {
    /// Which conversation a session takes, where the workload's own times are not used.
    pub sampling: Sampling,
    /// Which model a turn asks.
    pub model_selection: ModelSelection,
    /// The system message, as the user wrote it, in front of any other (`--system-prompt`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system_prompt: Option<String>,
    /// Whether a system prompt is joined to a system message that the dataset's own messages begin with: where
    /// the endpoint has no field of its own for it.
    pub joins_system: bool,
    /// Whether the endpoint ranks passages: texts named `query` and `passages` are then what is ranked.
    pub ranks: bool,
    /// Whether prompts are counted in the model's chat template (`--apply-chat-template`).
    pub in_chat_template: bool,
}

/// The format of an input file (`--custom-dataset-type`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TraceFormat {
    /// One JSON object a line, in the manner of Mooncake (`mooncake_trace`).
    #[default]
    #[serde(rename = "mooncake_trace")]
    Mooncake,
    /// A request a line: text, images, audio (`single_turn`).
    SingleTurn,
    /// A conversation a line, or a part of one (`multi_turn`).
    MultiTurn,
    /// Requests drawn from one pool, or put together from several (`random_pool`).
    RandomPool,
    /// A request body a line; a folder of files has a session in each (`raw_payload`).
    RawPayload,
    /// Request bodies by session, as AIPerf writes them (`inputs_json`).
    InputsJson,
}

impl TraceFormat {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Mooncake,
        Self::SingleTurn,
        Self::MultiTurn,
        Self::RandomPool,
        Self::RawPayload,
        Self::InputsJson,
    ];

    /// AIPerf's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mooncake => "mooncake_trace",
            Self::SingleTurn => "single_turn",
            Self::MultiTurn => "multi_turn",
            Self::RandomPool => "random_pool",
            Self::RawPayload => "raw_payload",
            Self::InputsJson => "inputs_json",
        }
    }

    /// Whether its rows are bodies, which are sent as they stand.
    pub fn holds_bodies(self) -> bool {
        matches!(self, Self::RawPayload | Self::InputsJson)
    }

    /// Whether it is a record of what a server was asked, with the tools for such records: a schedule of its
    /// own accord, windows, speed-ups.
    pub fn is_trace(self) -> bool {
        self == Self::Mooncake
    }

    /// Tokens behind one hash id, unless `--isl-block-size` says otherwise.
    pub fn default_block_size(self) -> u32 {
        512
    }
}

/// Requests from a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TraceConfig {
    /// The file, or the folder (`--input-file`); a file is read through gzip when its name ends in `.gz`.
    pub path: PathBuf,
    /// Its format (`--custom-dataset-type`).
    pub format: TraceFormat,
    /// Tokens behind one hash id (`--isl-block-size`).
    pub block_size: u32,
    /// Rows before this many ms of trace time are left out, and the schedule starts there
    /// (`--fixed-schedule-start-offset`). Without it the schedule starts at the earliest row, or at 0
    /// where `auto_offset` is off.
    pub start_offset_ms: Option<f64>,
    /// Rows after this many ms of trace time are left out (`--fixed-schedule-end-offset`).
    pub end_offset_ms: Option<f64>,
    /// Whether a schedule without a start offset starts at its earliest row.
    pub auto_offset: bool,
    /// How many times faster than recorded (`--synthesis-speedup-ratio`).
    pub speedup: f64,
    /// Rows with a longer input are left out (`--synthesis-max-isl`).
    pub max_isl: Option<u32>,
    /// Longer outputs are cut to this (`--synthesis-max-osl`); at least 1.
    pub max_osl: Option<u32>,
    /// Tokens to ask for where a row does not say (`--osl`, `--osl-stddev`). Without it such a row sets no
    /// limit, which is said of rows that give an input length.
    pub osl: Option<LengthDistribution>,
    /// Longer pauses between turns are cut to this, in ms (`--inter-turn-delay-cap-seconds`).
    #[serde(default)]
    pub delay_cap_ms: Option<f64>,
    /// Conversations drawn from a pool (`--num-dataset-entries` and its kin); of no meaning elsewhere.
    pub entries: u32,
    /// Texts, images and sounds of a request drawn from a pool.
    pub batches: Batches,
    /// Whether a leading system turn becomes the conversation's system message: where the endpoint has one.
    pub hoists_system: bool,
    /// What holds for made-up prompts as well.
    #[serde(default)]
    pub common: CommonConfig,
}

/// How many of each kind a request has that is drawn from a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batches {
    /// Texts.
    pub text: u32,
    /// Images.
    pub image: u32,
    /// Sounds.
    pub audio: u32,
}

impl Default for Batches {
    fn default() -> Self {
        Self { text: 1, image: 1, audio: 1 }
    }
}

impl TraceConfig {
    /// The whole file at its own speed, as a Mooncake trace.
    pub fn mooncake(path: impl Into<PathBuf>) -> Self {
        Self::new(path, TraceFormat::Mooncake)
    }

    /// The whole file at its own speed.
    pub fn new(path: impl Into<PathBuf>, format: TraceFormat) -> Self {
        Self {
            path: path.into(),
            format,
            block_size: format.default_block_size(),
            start_offset_ms: None,
            end_offset_ms: None,
            auto_offset: true,
            speedup: 1.0,
            max_isl: None,
            max_osl: None,
            osl: None,
            delay_cap_ms: None,
            entries: SyntheticConfig::DEFAULT_ENTRIES,
            batches: Batches::default(),
            hoists_system: true,
            common: CommonConfig::default(),
        }
    }
}
