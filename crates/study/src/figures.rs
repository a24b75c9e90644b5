//! What a run came to, read from its summary file.
//!
//! An aggregate is a function of the summaries on disk, as AIPerf's is: it can be made again from the
//! folder alone, and whatever wrote a metric there, it is aggregated.

use loadgen_metrics::{MetricFigures, RunFigures, STATISTICS};
use serde_json::{Map, Value};

/// A summary that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SummaryError {
    /// It is no JSON.
    #[error("not a summary: {0}")]
    Syntax(#[from] serde_json::Error),
    /// It is no object.
    #[error("not a summary: expected a JSON object")]
    Shape,
}

/// Reads `profile_export_aiperf.json`: its metrics are the keys whose value has a unit.
pub fn read_summary(text: &str) -> Result<RunFigures, SummaryError> {
    let Value::Object(summary) = serde_json::from_str(text)? else { return Err(SummaryError::Shape) };
    let metrics = summary.iter().filter_map(|(tag, value)| metric(tag, value.as_object()?)).collect();
    Ok(RunFigures { metrics })
}

fn metric(tag: &str, figures: &Map<String, Value>) -> Option<MetricFigures> {
    let unit = figures.get("unit")?.as_str()?.to_owned();
    let statistics =
        STATISTICS.into_iter().filter_map(|name| Some((name, figures.get(name)?.as_f64()?))).collect();
    let count = figures.get("count").and_then(Value::as_u64);
    Some(MetricFigures { tag: tag.to_owned(), unit, statistics, count })
}

/// Whether a run counts: at least one request of it succeeded.
pub fn succeeded(run: &RunFigures) -> bool {
    run.figure("request_count", "avg").is_some_and(|requests| requests > 0.0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn metrics_are_what_has_a_unit() {
        let run = read_summary(
            r#"{"schema_version": "1.4", "request_count": {"unit": "requests", "avg": 3.0},
                "input_config": {"models": {}},
                "request_latency": {"unit": "ms", "avg": 2.5, "p99": 4.0, "std": 0.5, "count": 3, "sum": 7.5}}"#,
        )
        .unwrap();
        let tags: Vec<&str> = run.metrics.iter().map(|metric| metric.tag.as_str()).collect();
        assert_eq!(tags, ["request_count", "request_latency"]);
        assert_eq!(run.metrics[1].statistics, [("avg", 2.5), ("sum", 7.5), ("p99", 4.0), ("std", 0.5)]);
        assert_eq!(run.metrics[1].count, Some(3));
        assert!(succeeded(&run));
    }

    #[test]
    fn a_run_without_a_success_does_not_count() {
        assert!(!succeeded(&read_summary("{}").unwrap()));
        let none = r#"{"request_count": {"unit": "requests", "avg": 0.0}}"#;
        assert!(!succeeded(&read_summary(none).unwrap()));
        assert!(read_summary("[]").is_err() && read_summary("{").is_err());
    }
}
