//! What the servers said of themselves: the page's tables of their own metrics.
//!
//! A server has hundreds of series, most of which say nothing of a run. Those that stayed at nothing are
//! counted and left out; of the others as many are shown as somebody reads. The files have all.

use std::fmt::Write as _;

use loadgen_metrics::{SeriesStats, infer_unit};

use super::sheet::{Sheet, folded, significant};
use crate::console::{MISSING, grouped};
use crate::info::Report;
use crate::server_metrics::{ScrapedSeries, place_of};

/// Rows of a table; more makes a page nobody reads.
const MOST: usize = 60;

/// Heads of the three kinds, and what a series shows under them.
struct Kind {
    title: &'static str,
    heads: &'static [&'static str],
    cells: fn(&SeriesStats) -> Option<Vec<String>>,
}

const KINDS: [Kind; 3] = [
    Kind { title: "Gauges", heads: &["avg", "min", "max", "p50", "p99", "std"], cells: gauge },
    Kind { title: "Counters", heads: &["grew by", "a second"], cells: counter },
    Kind {
        title: "Histograms",
        heads: &["count", "a second", "avg", "p50 (estimate)", "p99 (estimate)"],
        cells: histogram,
    },
];

/// The section; empty where no server was read.
pub(super) fn servers(report: &Report<'_>) -> String {
    let Some(servers) = report.servers.filter(|servers| !servers.endpoints.is_empty()) else {
        return String::new();
    };
    let mut out = String::new();
    for endpoint in &servers.endpoints {
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "<p>{} was read {} times, {} ms for each; {} readings differed from the one before.</p>",
            crate::escape::Escaped(place_of(&endpoint.url)),
            endpoint.fetches,
            significant(endpoint.avg_latency_ms),
            endpoint.updates
        );
    }
    let several = servers.endpoints.len() > 1;
    let mut silent = 0;
    for Kind { title, heads, cells } in KINDS {
        let of_kind: Vec<(&ScrapedSeries, Vec<String>)> =
            servers.metrics.iter().filter_map(|series| Some((series, cells(&series.stats)?))).collect();
        let told: Vec<&(&ScrapedSeries, Vec<String>)> =
            of_kind.iter().filter(|(series, _)| says_something(series)).collect();
        silent += of_kind.len() - told.len();
        if told.is_empty() {
            continue;
        }
        let mut sheet = Sheet::new("Series", "", heads.iter().copied());
        for (series, cells) in told.iter().take(MOST) {
            let unit = infer_unit(&series.name.name, &series.name.help).unwrap_or_default();
            sheet.row(&name(series, several), unit, cells.iter().cloned());
        }
        let mut body = sheet.end();
        if let Some(more) = told.len().checked_sub(MOST + 1) {
            let _ = writeln!(body, "<p>{} more are in the file of server metrics.</p>", more + 1);
        }
        out.push_str(&folded(&format!("{title} ({})", told.len()), &body));
    }
    if silent > 0 {
        let _ = writeln!(out, "<p>{silent} series that stayed at nothing are left out here.</p>");
    }
    out
}

/// Whether a series moved, or stands at more than nothing.
fn says_something(series: &ScrapedSeries) -> bool {
    !series.name.is_info()
        && match &series.stats {
            SeriesStats::Gauge(gauge) => gauge.min != 0.0 || gauge.max != 0.0,
            SeriesStats::Counter(counter) => counter.total > 0.0,
            SeriesStats::Histogram(histogram) => histogram.count > 0,
        }
}

/// `name{label="value"}`, with its server where there are several.
fn name(series: &ScrapedSeries, with_server: bool) -> String {
    let labels: Vec<String> =
        series.name.labels.iter().map(|(label, value)| format!("{label}=\"{value}\"")).collect();
    let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
    let server = if with_server { format!(" · {}", place_of(&series.url)) } else { String::new() };
    format!("{}{labels}{server}", series.name.name)
}

fn shown(value: Option<f64>) -> String {
    value.map_or_else(|| MISSING.to_owned(), significant)
}

fn gauge(stats: &SeriesStats) -> Option<Vec<String>> {
    let SeriesStats::Gauge(gauge) = stats else { return None };
    // Of 1, 5, 10, 25, 50, 75, 90, 95 and 99 percent.
    let [.., p50, _, _, _, p99] = gauge.percentiles;
    Some([gauge.avg, gauge.min, gauge.max, p50, p99, gauge.std].map(significant).into())
}

fn counter(stats: &SeriesStats) -> Option<Vec<String>> {
    let SeriesStats::Counter(counter) = stats else { return None };
    // What is counted is mostly whole.
    let is_whole = counter.total.fract() == 0.0 && counter.total < 1e15;
    let total = if is_whole { grouped(&format!("{:.0}", counter.total)) } else { significant(counter.total) };
    Some(vec![total, shown(counter.rate)])
}

fn histogram(stats: &SeriesStats) -> Option<Vec<String>> {
    let SeriesStats::Histogram(histogram) = stats else { return None };
    let quantiles = histogram.percentiles.map(|[.., p50, _, _, _, p99]| (p50, p99));
    let count = grouped(&histogram.count.to_string());
    let figures = [
        histogram.count_rate,
        histogram.avg(),
        quantiles.map(|quantiles| quantiles.0),
        quantiles.map(|quantiles| quantiles.1),
    ];
    Some(std::iter::once(count).chain(figures.map(shown)).collect())
}
