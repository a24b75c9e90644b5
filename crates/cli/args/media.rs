//! Options about images and sounds in requests, and about what is ranked.

use clap::Args;

use super::values;

/// Images and sounds made up for each turn.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Images and audio")]
pub(crate) struct MediaArgs {
    /// Mean width of an image, pixels; images need both a width and a height
    #[arg(long, value_name = "PIXELS", value_parser = values::non_negative)]
    pub(crate) image_width_mean: Option<f64>,

    /// Spread of the width, pixels
    #[arg(long, value_name = "PIXELS", value_parser = values::non_negative)]
    pub(crate) image_width_stddev: Option<f64>,

    /// Mean height of an image, pixels
    #[arg(long, value_name = "PIXELS", value_parser = values::non_negative)]
    pub(crate) image_height_mean: Option<f64>,

    /// Spread of the height, pixels
    #[arg(long, value_name = "PIXELS", value_parser = values::non_negative)]
    pub(crate) image_height_stddev: Option<f64>,

    /// Images of a turn [default: 1]
    #[arg(long, visible_alias = "batch-size-image", value_name = "N", value_parser = values::integer)]
    pub(crate) image_batch_size: Option<u64>,

    /// How images are encoded: png, jpeg or random [default: jpeg, as AIPerf sends them, whatever its help says]
    #[arg(long, value_name = "FORMAT")]
    pub(crate) image_format: Option<String>,

    /// What images show: noise, assets (soft shapes), or the pictures of a folder [default: noise]
    #[arg(long, value_name = "SOURCE")]
    pub(crate) image_source: Option<String>,

    /// Which picture of a source comes next: random-with-replacement, shuffle-cycle or sequential-cycle
    #[arg(long, value_name = "ORDER")]
    pub(crate) image_source_sampling: Option<String>,

    /// Mean length of a sound, seconds; 0 sends none
    #[arg(long, value_name = "SECONDS", value_parser = values::non_negative)]
    pub(crate) audio_length_mean: Option<f64>,

    /// Spread of the length, seconds
    #[arg(long, value_name = "SECONDS", value_parser = values::non_negative)]
    pub(crate) audio_length_stddev: Option<f64>,

    /// Sounds of a turn [default: 1]
    #[arg(long, visible_alias = "batch-size-audio", value_name = "N", value_parser = values::integer)]
    pub(crate) audio_batch_size: Option<u64>,

    /// How sounds are encoded: wav
    #[arg(long, value_name = "FORMAT")]
    pub(crate) audio_format: Option<String>,

    /// Bits of a sample, one drawn for each sound: 8, 16, 24, 32 [default: 16]
    #[arg(long, value_name = "BITS[,BITS...]", value_delimiter = ',', value_parser = values::positive_integer)]
    pub(crate) audio_depths: Vec<u64>,

    /// Samples a second in thousands, one drawn for each sound; above 96 taken for Hz [default: 16]
    #[arg(long, value_name = "KHZ[,KHZ...]", value_delimiter = ',', value_parser = values::positive)]
    pub(crate) audio_sample_rates: Vec<f64>,

    /// Channels of a sound: 1 or 2 [default: 1]
    #[arg(long, value_name = "N", value_parser = values::positive_integer)]
    pub(crate) audio_num_channels: Option<u64>,
}

/// Queries and passages for ranking endpoints.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Rankings")]
#[expect(clippy::struct_field_names, reason = "a field is named by its option")]
pub(crate) struct RankingsArgs {
    /// Mean number of passages to rank [default: 10]
    #[arg(long, value_name = "N", value_parser = values::positive_integer)]
    pub(crate) rankings_passages_mean: Option<u64>,

    /// Spread of the number of passages
    #[arg(long, value_name = "N", value_parser = values::integer)]
    pub(crate) rankings_passages_stddev: Option<u64>,

    /// Mean length of a passage, tokens [default: 128]
    #[arg(long, value_name = "TOKENS", value_parser = values::positive_integer)]
    pub(crate) rankings_passages_prompt_token_mean: Option<u64>,

    /// Spread of a passage's length, tokens
    #[arg(long, value_name = "TOKENS", value_parser = values::integer)]
    pub(crate) rankings_passages_prompt_token_stddev: Option<u64>,

    /// Mean length of the query, tokens [default: 32]
    #[arg(long, value_name = "TOKENS", value_parser = values::positive_integer)]
    pub(crate) rankings_query_prompt_token_mean: Option<u64>,

    /// Spread of the query's length, tokens
    #[arg(long, value_name = "TOKENS", value_parser = values::integer)]
    pub(crate) rankings_query_prompt_token_stddev: Option<u64>,
}

impl RankingsArgs {
    /// The first of these options that was given.
    pub(crate) fn given(&self) -> Option<&'static str> {
        let given = [
            ("--rankings-passages-mean", self.rankings_passages_mean),
            ("--rankings-passages-stddev", self.rankings_passages_stddev),
            ("--rankings-passages-prompt-token-mean", self.rankings_passages_prompt_token_mean),
            ("--rankings-passages-prompt-token-stddev", self.rankings_passages_prompt_token_stddev),
            ("--rankings-query-prompt-token-mean", self.rankings_query_prompt_token_mean),
            ("--rankings-query-prompt-token-stddev", self.rankings_query_prompt_token_stddev),
        ];
        given.into_iter().find(|(_, value)| value.is_some()).map(|(flag, _)| flag)
    }
}
