//! A summary computed again from its own per-request lines, by other code than the program's.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

/// Figures that do not follow from the lines, and how many were looked at.
pub(crate) struct Recomputed {
    pub(crate) looked_at: usize,
    pub(crate) differ: Vec<String>,
}

/// Looks at `PREFIX.jsonl` and the summary beside it.
pub(crate) fn recompute(lines: &Path, summary: &Path) -> Recomputed {
    let summary: Value = serde_json::from_str(&std::fs::read_to_string(summary).unwrap()).unwrap();
    let text = std::fs::read_to_string(lines).unwrap();
    let records: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let measured: Vec<&Value> =
        records.iter().filter(|record| record["metadata"]["benchmark_phase"] == "profiling").collect();
    let (failed, good): (Vec<&Value>, Vec<&Value>) =
        measured.iter().copied().partition(|record| record.get("error").is_some());

    let mut looked = Recomputed { looked_at: 0, differ: Vec::new() };
    for (tag, values) in values_of(&good) {
        let metric = &summary[&tag];
        if metric.get("p50").is_none() {
            continue;
        }
        for (key, expected) in statistics(values) {
            if let Some(figure) = metric.get(key).and_then(Value::as_f64) {
                looked.hold(&format!("{tag}.{key}"), figure, expected);
            }
        }
    }
    let counts = [
        ("request_count", good.len()),
        ("error_request_count", failed.len()),
        ("completed_request_count", measured.len()),
    ];
    for (tag, count) in counts {
        if let Some(figure) = summary[tag]["avg"].as_f64() {
            looked.hold(tag, figure, count as f64);
        }
    }
    looked
}

impl Recomputed {
    fn hold(&mut self, what: &str, figure: f64, expected: f64) {
        self.looked_at += 1;
        // A standard deviation of nearly equal values loses digits in any order of summing.
        let tolerance = 1e-9 * figure.abs().max(expected.abs()) + 1e-9;
        let is_deviation = what.rsplit('.').next() == Some("std");
        let tolerance = if is_deviation { tolerance.max(1e-6) } else { tolerance };
        if (figure - expected).abs() > tolerance {
            self.differ.push(format!("{what}: {figure}, the lines give {expected}"));
        }
    }
}

fn values_of(records: &[&Value]) -> BTreeMap<String, Vec<f64>> {
    let mut values: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for record in records {
        for (tag, metric) in record["metrics"].as_object().into_iter().flatten() {
            let of_tag = values.entry(tag.clone()).or_default();
            match &metric["value"] {
                Value::Array(list) => of_tag.extend(list.iter().filter_map(Value::as_f64)),
                value => of_tag.extend(value.as_f64()),
            }
        }
    }
    values
}

/// Mean, sum, extremes, count, population deviation, and percentiles interpolated between ranks.
fn statistics(mut values: Vec<f64>) -> Vec<(&'static str, f64)> {
    values.sort_by(f64::total_cmp);
    let count = values.len() as f64;
    let sum: f64 = values.iter().sum();
    let mean = sum / count;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
    let percentile = |rank: f64| {
        let at = (count - 1.0) * rank / 100.0;
        let (below, above) = (values[at.floor() as usize], values[at.ceil() as usize]);
        below + (above - below) * at.fract()
    };
    let percentiles = [1, 5, 10, 25, 50, 75, 90, 95, 99];
    let names = ["p1", "p5", "p10", "p25", "p50", "p75", "p90", "p95", "p99"];
    [("avg", mean), ("sum", sum), ("min", values[0]), ("max", values[values.len() - 1]), ("count", count)]
        .into_iter()
        .chain([("std", variance.sqrt())])
        .chain(names.into_iter().zip(percentiles.map(|rank| percentile(f64::from(rank)))))
        .collect()
}
