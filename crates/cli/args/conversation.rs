//! Options about conversations: how many turns, and the pauses between them.

use clap::Args;

use super::swept::Swept;
use super::values;

/// Turns and pauses.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Conversations")]
pub(crate) struct ConversationArgs {
    /// Mean number of turns of a conversation: each is sent with all that was said before it [default: 1]
    #[arg(long, visible_alias = "session-turns-mean", value_name = "N[,N...]", value_parser = values::positive_integers)]
    pub(crate) conversation_turn_mean: Option<Swept<u64>>,

    /// Spread of the number of turns
    #[arg(long, visible_alias = "session-turns-stddev", value_name = "N", value_parser = values::integer)]
    pub(crate) conversation_turn_stddev: Option<u64>,

    /// Mean pause between an answer and the next turn, ms [default: 0]
    #[arg(long, visible_alias = "session-turn-delay-mean", value_name = "MS", value_parser = values::non_negative)]
    pub(crate) conversation_turn_delay_mean: Option<f64>,

    /// Spread of the pause, ms
    #[arg(long, visible_alias = "session-turn-delay-stddev", value_name = "MS", value_parser = values::non_negative)]
    pub(crate) conversation_turn_delay_stddev: Option<f64>,

    /// What every pause is multiplied by [default: 1]
    #[arg(long, visible_alias = "session-delay-ratio", value_name = "RATIO", value_parser = values::non_negative)]
    pub(crate) conversation_turn_delay_ratio: Option<f64>,

    /// Cut the pauses of a file to this, seconds
    #[arg(long, value_name = "SECONDS", value_parser = values::non_negative)]
    pub(crate) inter_turn_delay_cap_seconds: Option<f64>,
}
