//! What runs came to, metric by metric, and the same over all of them.

use super::interval::Interval;

/// The statistics of a metric that are compared between runs, in AIPerf's order. The number of samples
/// is not among them.
pub const STATISTICS: [&str; 14] =
    ["avg", "min", "max", "sum", "p1", "p5", "p10", "p25", "p50", "p75", "p90", "p95", "p99", "std"];

/// What one run came to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RunFigures {
    /// Its metrics, in the order of its summary.
    pub metrics: Vec<MetricFigures>,
}

/// One metric of a run, in its display unit.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricFigures {
    /// Its tag.
    pub tag: String,
    /// Its display unit.
    pub unit: String,
    /// What there is of [`STATISTICS`], in that order.
    pub statistics: Vec<(&'static str, f64)>,
    /// Number of samples, where it is known.
    pub count: Option<u64>,
}

/// One statistic of one metric over several runs.
#[derive(Debug, Clone, PartialEq)]
pub struct RepeatedFigure {
    /// The metric's tag and the statistic: `time_to_first_token_p99`.
    pub key: String,
    /// The display unit.
    pub unit: String,
    /// The figure.
    pub interval: Interval,
}

impl RunFigures {
    /// The metric of this tag.
    pub fn get(&self, tag: &str) -> Option<&MetricFigures> {
        self.metrics.iter().find(|metric| metric.tag == tag)
    }

    /// One statistic of one metric.
    pub fn figure(&self, tag: &str, statistic: &str) -> Option<f64> {
        self.get(tag)?.statistic(statistic)
    }
}

impl MetricFigures {
    /// One of its statistics.
    pub fn statistic(&self, name: &str) -> Option<f64> {
        self.statistics.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }
}

/// Every statistic that any of these runs has, over the runs that have it: metrics in the order in which
/// runs first have them, statistics in the order of [`STATISTICS`]. A percentile over runs is the mean
/// of their percentiles, not that of the pooled samples.
pub fn over_runs(runs: &[&RunFigures], level: f64) -> Vec<RepeatedFigure> {
    let mut tags: Vec<&str> = Vec::new();
    for metric in runs.iter().flat_map(|run| &run.metrics) {
        if !tags.contains(&metric.tag.as_str()) {
            tags.push(&metric.tag);
        }
    }
    let mut figures = Vec::new();
    for tag in tags {
        let metrics: Vec<&MetricFigures> = runs.iter().filter_map(|run| run.get(tag)).collect();
        for statistic in STATISTICS {
            let values: Vec<f64> = metrics.iter().filter_map(|metric| metric.statistic(statistic)).collect();
            let Some(interval) = Interval::of(&values, level) else { continue };
            let unit = metrics.first().map_or_else(String::new, |metric| metric.unit.clone());
            figures.push(RepeatedFigure { key: format!("{tag}_{statistic}"), unit, interval });
        }
    }
    figures
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(metrics: &[(&str, &[(&'static str, f64)])]) -> RunFigures {
        let metrics = metrics.iter().map(|(tag, statistics)| MetricFigures {
            tag: (*tag).to_owned(),
            unit: "ms".to_owned(),
            statistics: statistics.to_vec(),
            count: None,
        });
        RunFigures { metrics: metrics.collect() }
    }

    #[test]
    fn a_percentile_over_runs_is_the_mean_of_theirs() {
        let runs = [4.0, 10.0].map(|p99| run(&[("latency", &[("p99", p99)])]));
        let figures = over_runs(&[&runs[0], &runs[1]], 0.95);
        assert_eq!((figures[0].key.as_str(), figures[0].interval.mean), ("latency_p99", 7.0));
    }

    #[test]
    fn a_statistic_that_only_some_runs_have_is_over_those() {
        let first = run(&[("latency", &[("avg", 1.0), ("p99", 4.0)])]);
        let second = run(&[("latency", &[("avg", 3.0)]), ("errors", &[("avg", 7.0)])]);
        let figures = over_runs(&[&first, &second], 0.95);
        let keys: Vec<&str> = figures.iter().map(|figure| figure.key.as_str()).collect();
        assert_eq!(keys, ["latency_avg", "latency_p99", "errors_avg"]);
        assert_eq!(figures[0].interval.mean, 2.0);
        assert_eq!(figures[1].interval, Interval::single(4.0));
        assert_eq!(first.figure("latency", "p99"), Some(4.0));
        assert_eq!(first.figure("latency", "p50"), None);
    }
}
