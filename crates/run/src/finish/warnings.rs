//! What the figures of a run give reason to warn of, line by line, as AIPerf does. The tables and the verdict
//! on the client say more; a log that is read without them should not keep silent.

use loadgen_metrics::Summary;
use loadgen_report::console::{CACHE_HINT, hides_its_cache};

use crate::plan::ReportPlan;
use crate::progress::{Level, Progress};

/// Says them. `is_aiperfs`: whether the log is read as AIPerf's, which repeats the console's hints.
pub(super) fn say(summary: &Summary, plan: &ReportPlan, is_aiperfs: bool, progress: &dyn Progress) {
    if is_aiperfs && hides_its_cache(summary) {
        progress.note(Level::Warning, CACHE_HINT);
    }
    if let Some(warning) = degraded(summary) {
        progress.note(Level::Warning, &warning);
    }
    if plan.server_token_counts
        && let Some(warning) = uncounted(summary, plan.endpoint.facts().produces_tokens)
    {
        progress.note(Level::Warning, &warning);
    }
}

/// Responses whose tokens the server did not count, where its counts are to be believed.
fn uncounted(summary: &Summary, produces_tokens: bool) -> Option<String> {
    let lacking = |tag| {
        let counted = summary.get(tag).and_then(|stats| stats.count).unwrap_or(0);
        summary.counts.ok.saturating_sub(counted)
    };
    let prompts = lacking("input_sequence_length");
    let completions = if produces_tokens { lacking("output_sequence_length") } else { 0 };
    (prompts.max(completions) > 0).then(|| {
        format!(
            "--use-server-token-count: of {} responses {prompts} have no usable count of the prompt's tokens and \
             {completions} none of the completion's (not sent, below zero or absurdly large): their figures are \
             left out; without the option loadgen counts for itself",
            summary.counts.ok
        )
    })
}

/// A replay whose requests left too long after their times.
fn degraded(summary: &Summary) -> Option<String> {
    let figure = |tag| summary.get(tag)?.avg;
    figure("replay_sched_degraded").filter(|degraded| *degraded > 0.0)?;
    let [p50, p90, p99] =
        ["replay_sched_lag_p50", "replay_sched_lag_p90", "replay_sched_lag_p99"].map(figure);
    Some(format!(
        "Replay schedule degraded: anchored send lag p50={:.0} ms, p90={:.0} ms, p99={:.0} ms exceeds 500 ms. \
         Requests did not leave when the schedule says; lower the load, or see measurement_quality.json for why",
        p50?, p90?, p99?
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use loadgen_core::Nanos;
    use loadgen_metrics::{Aggregator, Metric, MetricConfig, MetricSummary, Stats, Window, Windows};

    use super::{degraded, uncounted};

    #[test]
    fn responses_without_a_servers_count_are_told_of() {
        let windows = Windows { profiling: Window { start: Nanos(0), end: Nanos(1) }, warmup: None };
        let mut summary = Aggregator::new(MetricConfig::default()).finish(&windows);
        summary.counts.ok = 3;
        summary.metrics.clear();
        for (tag, count) in [("input_sequence_length", 3), ("output_sequence_length", 1)] {
            let stats = Stats { count: Some(count), ..Stats::scalar(8.0) };
            summary.metrics.push(MetricSummary { metric: Metric::of(tag).unwrap(), stats });
        }
        let said = uncounted(&summary, true).unwrap();
        assert!(
            said.contains("of 3 responses 0 have no usable count of the prompt's tokens and 2 none"),
            "{said}"
        );
        assert_eq!(uncounted(&summary, false), None, "vectors have no tokens");
    }

    #[test]
    fn only_a_degraded_replay_is_warned_of() {
        let profiling = Window { start: Nanos(0), end: Nanos(1) };
        let with = |flag: f64| {
            let windows = Windows { profiling, warmup: None };
            let mut summary = Aggregator::new(MetricConfig::default()).finish(&windows);
            for (tag, figure) in [
                ("replay_sched_degraded", flag),
                ("replay_sched_lag_p50", 12.4),
                ("replay_sched_lag_p90", 400.0),
                ("replay_sched_lag_p99", 612.0),
            ] {
                let metric = Metric::of(tag).unwrap();
                summary.metrics.push(MetricSummary { metric, stats: Stats::scalar(figure) });
            }
            degraded(&summary)
        };
        assert_eq!(with(0.0), None);
        let said = with(1.0).unwrap();
        assert!(said.contains("p50=12 ms, p90=400 ms, p99=612 ms exceeds 500 ms"), "{said}");
    }
}
