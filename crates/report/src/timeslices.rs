//! `*_timeslices.json` and `*_timeslices.csv`: the metrics of each slice of time, as AIPerf writes them.
//!
//! Slices are written as they come, so that neither file is ever in memory. The JSON has an object a slice
//! (its bounds, and `is_complete: false` where it is shorter than the others) and the configuration at its
//! end; the CSV a line for each slice, metric and statistic. Bounds are exact: AIPerf's pass through a
//! floating-point number, and are off by up to 128 ns.

use std::io::{self, Write};

use loadgen_metrics::{SliceSummary, Stats};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::keyed::Keyed;
use crate::summary_json::{MetricFigures, by_tag};

/// The statistics of the CSV, in its order, before the percentiles and after them.
const FIRST: [&str; 4] = ["avg", "min", "max", "sum"];
const LAST: &str = "std";

/// Writes the JSON file.
#[derive(Debug)]
pub struct TimeslicesJson<W> {
    out: W,
    slices: usize,
}

/// One slice.
#[derive(Serialize)]
struct Slice {
    start_ns: i64,
    end_ns: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_complete: Option<bool>,
    #[serde(flatten)]
    metrics: Keyed<MetricFigures>,
}

impl<W: Write> TimeslicesJson<W> {
    /// Begins the file.
    pub fn new(mut out: W) -> io::Result<Self> {
        out.write_all(b"{\n  \"timeslices\": [")?;
        Ok(Self { out, slices: 0 })
    }

    /// Adds a slice.
    pub fn slice(&mut self, slice: &SliceSummary) -> io::Result<()> {
        let slice = Slice {
            start_ns: slice.window.start.0,
            end_ns: slice.window.end.0,
            is_complete: (!slice.is_complete).then_some(false),
            metrics: by_tag(&slice.metrics),
        };
        self.out.write_all(if self.slices == 0 { b"\n" } else { b",\n" })?;
        self.slices += 1;
        indented(&slice, "    ", &mut self.out)
    }

    /// Ends the file, and gives back where it was written.
    pub fn finish(mut self, input_config: &Map<String, Value>) -> io::Result<W> {
        self.out.write_all(if self.slices == 0 { b"]" } else { b"\n  ]" })?;
        self.out.write_all(b",\n  \"input_config\": ")?;
        let config = pretty(input_config).replace('\n', "\n  ");
        self.out.write_all(config.as_bytes())?;
        self.out.write_all(b"\n}")?;
        Ok(self.out)
    }

    /// How many slices there are so far.
    pub fn slices(&self) -> usize {
        self.slices
    }
}

/// Writes the CSV file.
#[derive(Debug)]
pub struct TimeslicesCsv<W> {
    out: W,
    slices: usize,
}

impl<W: Write> TimeslicesCsv<W> {
    /// Begins the file.
    pub fn new(mut out: W) -> io::Result<Self> {
        out.write_all(b"Timeslice,Start_NS,End_NS,Metric,Unit,Stat,Value\r\n")?;
        Ok(Self { out, slices: 0 })
    }

    /// Adds a slice: its metrics by their tags.
    pub fn slice(&mut self, slice: &SliceSummary) -> io::Result<()> {
        let mut sorted: Vec<_> = slice.metrics.iter().collect();
        sorted.sort_by_key(|summary| summary.metric.tag);
        let (number, start, end) = (self.slices, slice.window.start.0, slice.window.end.0);
        self.slices += 1;
        for summary in sorted {
            let (header, unit) = (quoted(summary.metric.header), summary.metric.unit.label());
            for (statistic, figure) in statistics(&summary.stats) {
                write!(self.out, "{number},{start},{end},{header},{unit},{statistic},{figure:.2}\r\n")?;
            }
        }
        Ok(())
    }

    /// Gives back where it was written.
    pub fn finish(self) -> W {
        self.out
    }
}

/// The statistics that exist, with their names.
fn statistics(stats: &Stats) -> impl Iterator<Item = (String, f64)> {
    let first = FIRST.map(str::to_owned).into_iter().zip([stats.avg, stats.min, stats.max, stats.sum]);
    let percentiles = loadgen_metrics::PERCENTILES.map(|percent| format!("p{percent}"));
    let percentiles = percentiles.into_iter().zip(stats.percentiles);
    first
        .chain(percentiles)
        .chain([(LAST.to_owned(), stats.std)])
        .filter_map(|(name, figure)| Some((name, figure.filter(|figure| figure.is_finite())?)))
}

/// A header as a cell; none has a quote in it.
fn quoted(header: &str) -> String {
    if header.contains(',') { format!("\"{header}\"") } else { header.to_owned() }
}

fn indented(value: &impl Serialize, indent: &str, out: &mut impl Write) -> io::Result<()> {
    let text = pretty(value).replace('\n', &format!("\n{indent}"));
    write!(out, "{indent}{text}")
}

fn pretty(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).expect("text keys and finite numbers always serialize")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use loadgen_core::Nanos;
    use loadgen_metrics::{Metric, MetricSummary, REGISTRY, Window};

    use super::*;

    fn slice(start: i64, is_complete: bool) -> SliceSummary {
        let of = |tag, stats| MetricSummary { metric: Metric::of(tag).unwrap(), stats };
        let latency = Stats {
            percentiles: [Some(1.25); 9],
            min: Some(1.0),
            std: Some(0.0),
            count: Some(3),
            sum: Some(f64::NAN),
            ..Stats::default()
        };
        SliceSummary {
            window: Window { start: Nanos(start), end: Nanos(start + 1_000) },
            is_complete,
            metrics: vec![
                of("request_throughput", Stats::scalar(2.0)),
                of("adj_request_latency", latency),
                of("completed_request_count", Stats::scalar(3.0)),
            ],
        }
    }

    #[test]
    fn the_json_is_as_aiperf_indents_it() {
        let mut json = TimeslicesJson::new(Vec::new()).unwrap();
        json.slice(&slice(5, true)).unwrap();
        json.slice(&slice(2000, false)).unwrap();
        assert_eq!(json.slices(), 2);
        let mut config = Map::new();
        config.insert("datasets".to_owned(), serde_json::json!([{"name": "main"}]));
        let text = String::from_utf8(json.finish(&config).unwrap()).unwrap();
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_string_pretty(&value).unwrap().len(), text.len(), "two spaces a level");
        let slices = value["timeslices"].as_array().unwrap();
        assert_eq!((&slices[0]["start_ns"], &slices[1]["end_ns"]), (&5.into(), &3000.into()));
        assert_eq!((slices[0].get("is_complete"), &slices[1]["is_complete"]), (None, &false.into()));
        assert_eq!(slices[0]["adj_request_latency"]["p99"], 1.25);
        assert_eq!(slices[0]["adj_request_latency"].get("sum"), None, "what is not finite is left out");
        assert_eq!(value["input_config"]["datasets"][0]["name"], "main");
        assert!(text.starts_with("{\n  \"timeslices\": [\n    {\n      \"start_ns\": 5,\n"));
    }

    #[test]
    fn no_slice_is_an_empty_list() {
        let json = TimeslicesJson::new(Vec::new()).unwrap().finish(&Map::new()).unwrap();
        assert_eq!(String::from_utf8(json).unwrap(), "{\n  \"timeslices\": [],\n  \"input_config\": {}\n}");
    }

    #[test]
    fn the_csv_has_a_line_for_each_statistic_by_tag() {
        let mut csv = TimeslicesCsv::new(Vec::new()).unwrap();
        csv.slice(&slice(5, true)).unwrap();
        csv.slice(&slice(2000, false)).unwrap();
        let text = String::from_utf8(csv.finish()).unwrap();
        let lines: Vec<_> = text.split("\r\n").collect();
        assert_eq!(lines[0], "Timeslice,Start_NS,End_NS,Metric,Unit,Stat,Value");
        assert_eq!(lines[1], "0,5,1005,Request Latency (error-adjusted),ms,min,1.00");
        assert_eq!(lines[2], "0,5,1005,Request Latency (error-adjusted),ms,p1,1.25");
        assert_eq!(lines[11], "0,5,1005,Request Latency (error-adjusted),ms,std,0.00");
        assert_eq!(lines[12], "0,5,1005,Completed Requests (Success + Error),requests,avg,3.00");
        assert_eq!(lines[13], "0,5,1005,Request Throughput,requests/sec,avg,2.00");
        assert!(lines[14].starts_with("1,2000,3000,"));
        assert_eq!((lines.len(), lines[27]), (28, ""));
    }

    #[test]
    fn no_header_needs_more_than_quotes() {
        assert!(REGISTRY.iter().all(|metric| !metric.header.contains(['"', '\r', '\n'])));
    }
}
