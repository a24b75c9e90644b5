//! `profile_export_aiperf_sweep.csv`: a row a point, then the best ones, the unbeaten ones, and facts.
//!
//! Columns are AIPerf's alone; what our own metrics say of a point stands in the JSON.

use std::collections::BTreeSet;

use loadgen_metrics::REGISTRY;

use super::{PointFigures, Standout, Sweep, SweepPoint};
use crate::python::python_text;
use crate::rows::{cell, csv_rows, decimals};

/// The columns of a figure.
const COLUMNS: [&str; 5] = ["mean", "std", "min", "max", "cv"];

/// The file's text: two decimals, four for cv; lines ended by CRLF, sections parted by a blank one.
pub fn sweep_csv(sweep: &Sweep) -> String {
    let sections = [points(sweep), best(sweep), pareto(sweep), facts(sweep)];
    sections.into_iter().map(csv_rows).collect::<Vec<_>>().join("\r\n")
}

fn names(sweep: &Sweep) -> Vec<String> {
    sweep.parameters.iter().map(|(name, _)| name.clone()).collect()
}

/// A point's parameters, in the order of the sweep's.
fn parameters(sweep: &Sweep, point: usize) -> Vec<String> {
    let values = sweep.parameters_of(point);
    sweep.parameters.iter().map(|(name, _)| values.get(name).map_or_else(String::new, python_text)).collect()
}

fn points(sweep: &Sweep) -> Vec<Vec<String>> {
    // AIPerf takes the first point's figures for all; those that only others have would be lost.
    let keys: BTreeSet<&str> = sweep.points.iter().flat_map(keys).collect();
    let columns = keys.iter().flat_map(|key| COLUMNS.map(|column| format!("{key}_{column}")));
    let mut rows = vec![names(sweep).into_iter().chain(columns).collect::<Vec<_>>()];
    for (place, point) in sweep.points.iter().enumerate() {
        let cells = keys.iter().flat_map(|key| cells(point, key));
        rows.push(parameters(sweep, place).into_iter().chain(cells).collect());
    }
    rows
}

/// The point's figures, but for those of our own metrics: readers of a wide table count its columns.
fn keys(point: &SweepPoint) -> Vec<&str> {
    match &point.figures {
        PointFigures::Single(run) => {
            run.metrics.iter().map(|metric| metric.tag.as_str()).filter(|tag| !is_ours(tag)).collect()
        }
        PointFigures::Repeated(figures) => figures
            .iter()
            .map(|figure| figure.key.as_str())
            .filter(|key| !key.rsplit_once('_').is_some_and(|(tag, _)| is_ours(tag)))
            .collect(),
    }
}

/// Whether AIPerf does not know a metric.
fn is_ours(tag: &str) -> bool {
    REGISTRY.iter().any(|metric| metric.tag == tag && metric.own)
}

fn cells(point: &SweepPoint, key: &str) -> [String; 5] {
    let figures = match &point.figures {
        PointFigures::Single(run) => run.get(key).map(|metric| {
            let avg = metric.statistic("avg").unwrap_or(0.0);
            let or_avg = |name| metric.statistic(name).unwrap_or(avg);
            ([avg, 0.0, or_avg("min"), or_avg("max")], Some(0.0))
        }),
        PointFigures::Repeated(figures) => figures.iter().find(|figure| figure.key == key).map(|figure| {
            let interval = &figure.interval;
            ([interval.mean, interval.std, interval.min, interval.max], interval.cv)
        }),
    };
    let Some((figures, cv)) = figures else { return Default::default() };
    let [mean, std, min, max] = figures.map(|figure| decimals(figure, 2));
    [mean, std, min, max, cell(cv, 4)]
}

fn best(sweep: &Sweep) -> Vec<Vec<String>> {
    let mut rows = vec![vec!["Best Configurations".to_owned()]];
    if sweep.is_of_single_runs() {
        return rows;
    }
    let standouts = &sweep.standouts;
    for (name, standout) in
        [("Best Throughput", &standouts.throughput), ("Best Latency P99", &standouts.latency)]
    {
        let Some(Standout { point, figure, unit }) = standout else { continue };
        if rows.len() == 1 {
            let head = ["Configuration".to_owned()].into_iter().chain(names(sweep));
            rows.push(head.chain(["Metric".to_owned(), "Unit".to_owned()]).collect());
        }
        let row = [name.to_owned()].into_iter().chain(parameters(sweep, *point));
        rows.push(row.chain([decimals(*figure, 2), unit.clone()]).collect());
    }
    rows
}

fn pareto(sweep: &Sweep) -> Vec<Vec<String>> {
    let mut rows = vec![vec!["Pareto Optimal Points".to_owned()]];
    if sweep.is_of_single_runs() || sweep.standouts.pareto.is_empty() {
        rows.push(vec!["None".to_owned()]);
        return rows;
    }
    rows.push(names(sweep));
    rows.extend(sweep.standouts.pareto.iter().map(|point| parameters(sweep, *point)));
    rows
}

fn facts(sweep: &Sweep) -> Vec<Vec<String>> {
    [
        ("Metadata", None),
        ("Field", Some("Value".to_owned())),
        ("Aggregation Type", Some("sweep".to_owned())),
        ("Sweep Parameters", Some(names(sweep).join(", "))),
        ("Number of Combinations", Some(sweep.points.len().to_string())),
        ("Number of Profile Runs", Some(sweep.made.to_string())),
        ("Number of Successful Runs", Some(sweep.succeeded.to_string())),
    ]
    .into_iter()
    .map(|(name, value)| [name.to_owned()].into_iter().chain(value).collect())
    .collect()
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn a_sweep_of_repeats_is_written_as_aiperf_writes_it() {
        let text = sweep_csv(&sample::repeated());
        let lines: Vec<&str> = text.split("\r\n").collect();
        assert!(
            lines[0].starts_with(
                "concurrency,request_throughput_avg_mean,request_throughput_avg_std,request_throughput_avg_min,\
                 request_throughput_avg_max,request_throughput_avg_cv,time_to_first_token_avg_mean"
            ),
            "{}",
            lines[0]
        );
        assert!(lines[1].starts_with("1,10.00,1.41,9.00,11.00,0.1414,20.00,2.83,"), "{}", lines[1]);
        assert!(lines[1].ends_with(",0.00,0.00,0.00,0.00,"), "a mean of 0 has no cv: {}", lines[1]);
        assert_eq!(
            lines[3..],
            [
                "",
                "Best Configurations",
                "Configuration,concurrency,Metric,Unit",
                "Best Throughput,2,20.00,requests/sec",
                "Best Latency P99,1,25.00,ms",
                "",
                "Pareto Optimal Points",
                "concurrency",
                "1",
                "2",
                "",
                "Metadata",
                "Field,Value",
                "Aggregation Type,sweep",
                "Sweep Parameters,concurrency",
                "Number of Combinations,2",
                "Number of Profile Runs,4",
                "Number of Successful Runs,4",
                ""
            ]
        );
    }

    #[test]
    fn a_sweep_of_single_runs_names_no_best_point_as_in_aiperf() {
        let text = sweep_csv(&sample::single());
        assert!(text.contains(
            "\r\n\r\nBest Configurations\r\n\r\nPareto Optimal Points\r\nNone\r\n\r\nMetadata\r\n"
        ));
        assert!(text.starts_with("concurrency,request_throughput_mean,request_throughput_std,"), "{text}");
        assert!(
            text.contains("\r\n1,10.00,0.00,10.00,10.00,0.0000,20.00,0.00,20.00,20.00,0.0000\r\n"),
            "{text}"
        );
    }
}
