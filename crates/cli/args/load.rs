//! Options about when and how much is sent.

use std::time::Duration;

use clap::Args;

use super::swept::Swept;
use super::values::{self, Patience};

/// The load.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Load")]
pub(crate) struct LoadArgs {
    /// Requests in flight: the load itself without a rate, a cap beside one
    #[arg(long, value_name = "N[,N...]", value_parser = values::positive_integers)]
    pub(crate) concurrency: Option<Swept<u64>>,

    /// Requests before their first token at once: what finds no place waits, and a tick of a rate is lost;
    /// needs --streaming
    #[arg(long, value_name = "N[,N...]", value_parser = values::positive_integers)]
    pub(crate) prefill_concurrency: Option<Swept<u64>>,

    /// Requests per second, open loop; `inf` sends all at once
    #[arg(long, value_name = "RATE[,RATE...]", value_parser = values::rates, conflicts_with = "request_rate_sinusoid")]
    pub(crate) request_rate: Option<Swept<f64>>,

    /// How arrivals scatter around the rate: poisson, constant or gamma [default: poisson]
    #[arg(long, visible_alias = "request-rate-mode", value_name = "PATTERN")]
    pub(crate) arrival_pattern: Option<String>,

    /// Shape of gamma arrivals: 1 is poisson, larger is smoother
    #[arg(long, visible_alias = "vllm-burstiness", value_name = "SHAPE", value_parser = values::positive)]
    pub(crate) arrival_smoothness: Option<f64>,

    /// A rate that swings, requests per second and seconds: min=5,max=45,period=600[,phase=RADIANS];
    /// it starts at its minimum
    #[arg(long, value_name = "SPEC")]
    pub(crate) request_rate_sinusoid: Option<String>,

    /// Never send more than this many requests per second, whatever the load asks for: a ceiling, not a
    /// pace. It delays and never drops; what it holds back is counted
    #[arg(long, value_name = "RATE", value_parser = values::positive)]
    pub(crate) max_request_rate: Option<f64>,

    /// What becomes of arrivals that the client is too late for (by 10 ms or a mean gap, whichever is more):
    /// burst (they leave at once), skip (they do not leave), or fail (the run ends); each is counted
    /// [default: burst]
    #[arg(long, value_name = "POLICY")]
    pub(crate) catch_up: Option<String>,

    /// Stop after this many requests
    #[arg(long, visible_alias = "num-requests", value_name = "N[,N...]", value_parser = values::positive_integers)]
    pub(crate) request_count: Option<Swept<u64>>,

    /// Stop sending after this many seconds
    #[arg(long, value_name = "SECONDS[,SECONDS...]", value_parser = values::all_positive_seconds)]
    pub(crate) benchmark_duration: Option<Swept<Duration>>,

    /// Then wait this many seconds for what is in flight; `inf` waits without end [default: 30]
    #[arg(long, value_name = "SECONDS", value_parser = values::seconds_or_forever)]
    pub(crate) benchmark_grace_period: Option<Patience>,

    /// Give up this percentage of the measured requests on purpose, to see how the server takes it: each is
    /// recorded as cancelled, with what came of it
    #[arg(long, value_name = "PERCENT", value_parser = values::percent)]
    pub(crate) request_cancellation_rate: Option<f64>,

    /// Give them up this many seconds after they were written in full; one that is answered sooner is not
    /// given up [default: 0]
    #[arg(long, value_name = "SECONDS", value_parser = values::seconds)]
    pub(crate) request_cancellation_delay: Option<Duration>,

    /// Targets a request must meet to count as good: "metric:value metric:value", in the metric's unit
    #[arg(long, value_name = "SLOS", num_args = 1.., action = clap::ArgAction::Set)]
    goodput: Vec<String>,
}

impl WarmupArgs {
    /// How many requests, if a count is given; none of them is no warm-up.
    pub(crate) fn requests(&self) -> Option<u64> {
        self.warmup_request_count.filter(|requests| *requests > 0)
    }

    /// Whether there is to be a warm-up.
    pub(crate) fn is_wanted(&self) -> bool {
        self.requests().is_some() || self.warmup_duration.is_some() || self.num_warmup_sessions.is_some()
    }
}

impl LoadArgs {
    /// The targets of `--goodput`, as one string whether they came as one or as several.
    pub(crate) fn goodput(&self) -> Option<String> {
        (!self.goodput.is_empty()).then(|| self.goodput.join(" "))
    }
}

/// Requests before the measured ones.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Warm-up")]
pub(crate) struct WarmupArgs {
    /// Send this many requests first and leave them out of the results; 0 sends none
    #[arg(long, visible_alias = "num-warmup-requests", value_name = "N", value_parser = values::integer)]
    pub(crate) warmup_request_count: Option<u64>,

    /// Warm up for this many seconds; with a count too, until the first of the two
    #[arg(long, value_name = "SECONDS", value_parser = values::positive_seconds)]
    pub(crate) warmup_duration: Option<Duration>,

    /// Warm up with this many conversations
    #[arg(long, value_name = "N", value_parser = values::positive_integer)]
    pub(crate) num_warmup_sessions: Option<u64>,

    /// After the warm-up's duration, wait this many seconds for what is in flight [default: without end]
    #[arg(long, value_name = "SECONDS", value_parser = values::seconds_or_forever)]
    pub(crate) warmup_grace_period: Option<Patience>,

    /// Requests in flight while warming up [default: as --concurrency]
    #[arg(long, value_name = "N", value_parser = values::positive_integer)]
    pub(crate) warmup_concurrency: Option<u64>,

    /// Requests before their first token at once while warming up [default: as --prefill-concurrency]
    #[arg(long, value_name = "N", value_parser = values::positive_integer)]
    pub(crate) warmup_prefill_concurrency: Option<u64>,

    /// Requests per second while warming up [default: as --request-rate]
    #[arg(long, value_name = "RATE", value_parser = values::positive)]
    pub(crate) warmup_request_rate: Option<f64>,

    /// How the warm-up's arrivals scatter: poisson, constant or gamma [default: as --arrival-pattern]
    #[arg(long, value_name = "PATTERN")]
    pub(crate) warmup_arrival_pattern: Option<String>,
}
