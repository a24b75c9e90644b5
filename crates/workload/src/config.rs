//! What the user wants sent, as values. Each is composed once, by the plan, and stored with the run.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::error::WorkloadError;

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

/// Prompts of exact token length.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SyntheticConfig {
    /// Tokens of a prompt, prefixes not included (`--isl`, `--isl-stddev`).
    pub isl: LengthDistribution,
    /// Tokens to ask for (`--osl`, `--osl-stddev`); `None` leaves the limit out of the body.
    pub osl: Option<LengthDistribution>,
    /// Distinct conversations (`--num-dataset-entries`).
    pub entries: u32,
    /// Size of the pool of prefixes (`--num-prefix-prompts`); 0 for none.
    pub prefix_prompts: u32,
    /// Tokens of each prefix (`--prefix-prompt-length`).
    pub prefix_length: u32,
    /// Tokens of the system message that all conversations share (`--shared-system-prompt-length`).
    pub shared_system_prompt_length: Option<u32>,
    /// Which conversation a session takes.
    #[serde(default)]
    pub sampling: Sampling,
    /// Which model a turn asks.
    #[serde(default)]
    pub model_selection: ModelSelection,
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
            entries: Self::DEFAULT_ENTRIES,
            prefix_prompts: 0,
            prefix_length: 0,
            shared_system_prompt_length: None,
            sampling: Sampling::default(),
            model_selection: ModelSelection::default(),
        }
    }
}

/// The format of a trace.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TraceFormat {
    /// One JSON object a line, in the manner of Mooncake (`mooncake_trace`).
    #[default]
    Mooncake,
}

impl TraceFormat {
    /// Tokens behind one hash id, unless `--isl-block-size` says otherwise.
    pub fn default_block_size(self) -> u32 {
        match self {
            Self::Mooncake => 512,
        }
    }
}

/// Requests from a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TraceConfig {
    /// The file (`--input-file`); read through gzip when its name ends in `.gz`.
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
    /// Tokens to ask for where a row does not say (`--osl`, `--osl-stddev`). Without it such a row asks for
    /// 1, with a warning, when it gives an input length, and sets no limit when it gives text.
    pub osl: Option<LengthDistribution>,
    /// Which conversation a session takes, where the trace's own times are not used.
    #[serde(default)]
    pub sampling: Sampling,
    /// Which model a turn asks.
    #[serde(default)]
    pub model_selection: ModelSelection,
}

impl TraceConfig {
    /// The whole file at its own speed.
    pub fn mooncake(path: impl Into<PathBuf>) -> Self {
        let format = TraceFormat::Mooncake;
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
            sampling: Sampling::default(),
            model_selection: ModelSelection::default(),
        }
    }
}
