//! Options of experiments: repeats, sweeps, and when repeats agree.

use std::time::Duration;

use clap::Args;
use loadgen_study::Constraint;

use super::values;

/// How sure intervals are to be where nobody says.
pub(crate) const DEFAULT_CONFIDENCE: f64 = 0.95;

/// Repeats and sweeps.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Repeats and sweeps (a list such as --concurrency 1,2,4 sweeps)")]
pub(crate) struct StudyArgs {
    /// Run everything this many times, 1 to 10, and give confidence intervals
    #[arg(long, value_name = "N", default_value = "1", value_parser = repeats)]
    pub(crate) num_profile_runs: u32,

    /// Rest this many seconds between repeats [default: 0]
    #[arg(long, value_name = "SECONDS", value_parser = values::seconds)]
    pub(crate) profile_run_cooldown_seconds: Option<Duration>,

    /// How sure the intervals are to be, between 0 and 1
    #[arg(long, value_name = "SHARE", default_value_t = DEFAULT_CONFIDENCE, value_parser = share)]
    pub(crate) confidence_level: f64,

    /// Warm up before the first repeat only [default: true]
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = values::switch, value_name = "BOOL")]
    pub(crate) profile_run_disable_warmup_after_first: Option<bool>,

    /// Warm up before every repeat
    #[arg(long, conflicts_with = "profile_run_disable_warmup_after_first")]
    pub(crate) no_profile_run_disable_warmup_after_first: bool,

    /// Give all repeats one seed, 42 unless --random-seed says another [default: true]
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = values::switch, value_name = "BOOL")]
    pub(crate) set_consistent_seed: Option<bool>,

    /// Without --random-seed, leave the seed of each run to chance
    #[arg(long, conflicts_with = "set_consistent_seed")]
    pub(crate) no_set_consistent_seed: bool,

    /// Give each repeat a seed of its own, derived from the root seed
    #[arg(long)]
    pub(crate) vary_seed_per_trial: bool,

    /// One seed for all repeats
    #[arg(long, hide = true, conflicts_with = "vary_seed_per_trial")]
    pub(crate) no_vary_seed_per_trial: bool,

    /// Say when the repeats agree in this metric; in a sweep with --parameter-sweep-mode independent the
    /// next point then follows
    #[arg(long, value_name = "METRIC")]
    pub(crate) convergence_metric: Option<String>,

    /// Which of its statistics: avg, p50, p90, p95, p99, min or max [default: avg]
    #[arg(long, value_name = "STATISTIC")]
    pub(crate) convergence_stat: Option<String>,

    /// What counts as agreement, between 0 and 1 [default: 0.1 for ci-width, else 0.05]
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub(crate) convergence_threshold: Option<f64>,

    /// How repeats are compared: ci-width (interval over mean), cv (deviation over mean) or distribution
    /// (a Kolmogorov-Smirnov test of their requests) [default: ci-width]
    #[arg(long, value_name = "MODE")]
    pub(crate) convergence_mode: Option<String>,

    /// Fewest repeats before they can agree [default: 2]
    #[arg(long, hide = true, value_name = "N", value_parser = repeats)]
    pub(crate) convergence_min_runs: Option<u32>,

    /// Rest this many seconds between points of a sweep [default: 0]
    #[arg(long, value_name = "SECONDS", value_parser = values::seconds)]
    pub(crate) parameter_sweep_cooldown_seconds: Option<Duration>,

    /// Give all points of a sweep the same seed; else each has the root seed plus its number
    #[arg(long)]
    pub(crate) parameter_sweep_same_seed: bool,

    /// Give each point of a sweep a seed of its own
    #[arg(long, hide = true, conflicts_with = "parameter_sweep_same_seed")]
    pub(crate) no_parameter_sweep_same_seed: bool,

    /// Which goes round faster: repeated (all points, then all again) or independent (all repeats of a
    /// point, then the next) [default: repeated]
    #[arg(long, value_name = "MODE")]
    pub(crate) parameter_sweep_mode: Option<String>,

    /// How several lists combine: grid (every combination) or zip (first with first, second with second)
    #[arg(long, value_name = "TYPE", default_value = "grid")]
    pub(crate) sweep_type: String,

    /// Do not print the table of the sweep
    #[arg(long)]
    pub(crate) no_sweep_table: bool,

    /// A point of a sweep, by hand: "[NAME:] OPTION=VALUE, OPTION=VALUE"; give at least two
    #[arg(long, visible_alias = "sweep-variant", value_name = "SETTINGS")]
    pub(crate) variant: Vec<String>,

    /// A bound that the best points of a sweep have to meet: METRIC:STATISTIC:lt|le|gt|ge:THRESHOLD
    #[arg(long, hide = true, value_name = "BOUND")]
    pub(crate) sweep_sla: Vec<Constraint>,
}

/// A number of repeats.
fn repeats(text: &str) -> Result<u32, String> {
    match values::integer(text)? {
        count @ 1..=10 => Ok(count as u32),
        _ => Err("expected a whole number from 1 to 10".to_owned()),
    }
}

/// A share between 0 and 1, neither of them.
fn share(text: &str) -> Result<f64, String> {
    match values::non_negative(text)? {
        share if share > 0.0 && share < 1.0 => Ok(share),
        _ => Err("expected a number between 0 and 1, such as 0.95".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_and_shares_have_bounds() {
        assert_eq!(repeats("10"), Ok(10));
        assert!(repeats("0").is_err() && repeats("11").is_err() && repeats("1,2").is_err());
        assert_eq!(share("0.9"), Ok(0.9));
        assert!(share("0").is_err() && share("1").is_err() && share("x").is_err());
    }
}
