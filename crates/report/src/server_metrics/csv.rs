//! `server_metrics_export.csv`: a table a kind of metric, then what things are.

use std::collections::{BTreeMap, BTreeSet};

use loadgen_metrics::{SeriesKind, SeriesStats, infer_unit};

use super::{ScrapedSeries, ServerMetrics, labels_text, place_of};
use crate::info::RunInfo;
use crate::rows::{cell, csv_table};
use crate::summary_json::AIPERF_VERSION;

const GAUGE: [&str; 13] =
    ["avg", "min", "max", "std", "p1", "p5", "p10", "p25", "p50", "p75", "p90", "p95", "p99"];
const COUNTER: [&str; 6] = ["total", "rate", "rate_avg", "rate_min", "rate_max", "rate_std"];
const HISTOGRAM: [&str; 14] = [
    "count",
    "count_rate",
    "sum",
    "sum_rate",
    "avg",
    "p1_estimate",
    "p5_estimate",
    "p10_estimate",
    "p25_estimate",
    "p50_estimate",
    "p75_estimate",
    "p90_estimate",
    "p95_estimate",
    "p99_estimate",
];

/// The file's text. The comments end with LF and the rows with CRLF, as AIPerf's.
pub fn server_metrics_csv(metrics: &ServerMetrics, info: &RunInfo) -> String {
    let head = format!(
        "# AIPerf Server Metrics Export (CSV)\n# aiperf_version: {AIPERF_VERSION}\n# schema_version: 1.0\n\
         # benchmark_id: {}\n# Note: Same benchmark_id and version appear in JSON and Parquet exports\n#\n",
        info.benchmark_id
    );
    let (facts, figures): (Vec<_>, Vec<_>) = metrics.metrics.iter().partition(|series| series.name.is_info());
    let tables = [SeriesKind::Gauge, SeriesKind::Counter, SeriesKind::Histogram, SeriesKind::Unknown]
        .into_iter()
        .filter_map(|kind| {
            let of: Vec<&ScrapedSeries> =
                figures.iter().copied().filter(|series| series.name.kind == kind).collect();
            (!of.is_empty()).then(|| figures_table(kind, of))
        });
    let facts = (!facts.is_empty()).then(|| facts_table(facts));
    head + &tables.chain(facts).collect::<Vec<_>>().join("\r\n")
}

fn figures_table(kind: SeriesKind, mut of: Vec<&ScrapedSeries>) -> String {
    let columns: &[&str] = match kind {
        SeriesKind::Gauge | SeriesKind::Unknown => &GAUGE,
        SeriesKind::Counter => &COUNTER,
        SeriesKind::Histogram => &HISTOGRAM,
    };
    let labels = label_columns(&of);
    let start = ["Endpoint", "Type", "Metric", "Unit"];
    let mut head: Vec<&str> = start.into_iter().chain(columns.iter().copied()).collect();
    head.extend(&labels);
    head.push("Description");
    if kind == SeriesKind::Histogram {
        head.push("buckets");
    }
    of.sort_by_cached_key(|series| {
        let filled: String =
            labels.iter().map(|label| if label_of(series, label).is_some() { '1' } else { '0' }).collect();
        (filled, series.name.name.clone(), place_of(&series.url).to_owned(), labels_text(series))
    });
    let rows = of.into_iter().map(|series| {
        let name = &series.name;
        let mut row = vec![
            place_of(&series.url).to_owned(),
            kind.name().to_owned(),
            name.name.clone(),
            infer_unit(&name.name, &name.help).unwrap_or_default().to_owned(),
        ];
        row.extend(cells(&series.stats));
        row.extend(labels.iter().map(|label| label_of(series, label).unwrap_or_default().to_owned()));
        row.push(name.help.clone());
        if kind == SeriesKind::Histogram {
            row.push(buckets(series));
        }
        row
    });
    csv_table(&head, rows)
}

fn label_of<'a>(series: &'a ScrapedSeries, label: &str) -> Option<&'a str> {
    series.name.labels.iter().find(|(name, _)| name == label).map(|(_, text)| text.as_str())
}

/// The labels of a table's columns: those that occur together side by side, in each such group those of one
/// series alone first.
fn label_columns<'a>(of: &[&'a ScrapedSeries]) -> Vec<&'a str> {
    let sets: Vec<BTreeSet<&str>> = of
        .iter()
        .map(|series| series.name.labels.iter().map(|(name, _)| name.as_str()).collect::<BTreeSet<_>>())
        .filter(|labels| !labels.is_empty())
        .collect();
    let all: BTreeSet<&str> = sets.iter().flatten().copied().collect();
    // Every label begins as a group of its own; groups that share a series become the smaller one's.
    let mut group: BTreeMap<&str, &str> = all.iter().map(|label| (*label, *label)).collect();
    for labels in &sets {
        let least = labels.iter().map(|label| group[label]).min().unwrap_or_default();
        let joined: BTreeSet<&str> = labels.iter().map(|label| group[label]).collect();
        group.values_mut().filter(|of| joined.contains(*of)).for_each(|of| *of = least);
    }
    let is_shared = |label: &str| sets.iter().filter(|labels| labels.contains(label)).count() > 1;
    let mut columns: Vec<&str> = all.into_iter().collect();
    columns.sort_by_key(|label| (group[label], is_shared(label), *label));
    columns
}

fn cells(stats: &SeriesStats) -> Vec<String> {
    let cell = |figure| cell(figure, 4);
    match stats {
        SeriesStats::Gauge(gauge) => [gauge.avg, gauge.min, gauge.max, gauge.std]
            .into_iter()
            .chain(gauge.percentiles)
            .map(|figure| cell(Some(figure)))
            .collect(),
        SeriesStats::Counter(counter) => {
            let rates = counter.slice_rates;
            let figures = [
                Some(counter.total),
                counter.rate,
                rates.map(|rates| rates.0),
                rates.map(|rates| rates.1),
                rates.map(|rates| rates.2),
                rates.map(|rates| rates.3),
            ];
            figures.map(cell).into()
        }
        SeriesStats::Histogram(histogram) => {
            let seen = |figure: Option<f64>| cell(figure.filter(|_| histogram.count > 0));
            let figures =
                [histogram.count_rate, Some(histogram.sum), histogram.sum_rate, histogram.avg()].map(seen);
            let estimates = (0..9).map(|place| cell(histogram.percentiles.map(|all| all[place])));
            std::iter::once(histogram.count.to_string()).chain(figures).chain(estimates).collect()
        }
    }
}

fn buckets(series: &ScrapedSeries) -> String {
    let SeriesStats::Histogram(histogram) = &series.stats else { return String::new() };
    let counts = histogram.buckets.iter().flatten();
    series
        .name
        .bounds
        .iter()
        .zip(counts)
        .map(|(bound, count)| format!("{bound}={count}"))
        .collect::<Vec<_>>()
        .join(";")
}

fn facts_table(mut of: Vec<&ScrapedSeries>) -> String {
    of.sort_by_key(|series| (&series.name.name, place_of(&series.url)));
    let rows = of.into_iter().flat_map(|series| {
        let mut labels = series.name.labels.clone();
        labels.sort();
        labels.into_iter().map(|(key, value)| {
            let name = &series.name;
            vec![place_of(&series.url).to_owned(), name.name.clone(), key, value, name.help.clone()]
        })
    });
    csv_table(&["Endpoint", "Metric", "Key", "Value", "Description"], rows)
}
