//! Our writers against AIPerf's own output: figures are read from its summary JSON, and every file
//! written from them must equal what AIPerf wrote from the same figures.

#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::BTreeSet;

use loadgen_core::{ErrorDetail, Nanos};
use loadgen_metrics::{
    Aggregator, Metric, MetricConfig, MetricSummary, PERCENTILES, REGISTRY, SloSet, Stats, Summary, Window,
    Windows,
};
use loadgen_report::gpu::GpuTelemetry;
use loadgen_report::{Report, RunInfo, TimeZone, console, summary_csv, summary_json};
use serde_json::{Map, Value};

struct Case {
    json: &'static str,
    csv: &'static str,
    console: &'static str,
}

macro_rules! case {
    ($name:literal) => {
        Case {
            json: include_str!(concat!("data/", $name, "/profile_export_aiperf.json")),
            csv: include_str!(concat!("data/", $name, "/profile_export_aiperf.csv")),
            console: include_str!(concat!("data/", $name, "/profile_export_console.txt")),
        }
    };
}

const CASES: [Case; 2] = [case!("chat_stream_goodput"), case!("some_fail500")];

impl Case {
    fn value(&self) -> Map<String, Value> {
        serde_json::from_str(self.json).unwrap()
    }

    /// The summary that would have given this file.
    fn summary(&self) -> Summary {
        let file = self.value();
        let metrics = REGISTRY.iter().filter_map(|metric| {
            let figures = file.get(metric.tag)?.as_object()?;
            assert_eq!(figures["unit"], metric.unit.label(), "unit of {}", metric.tag);
            Some(MetricSummary { metric, stats: stats(figures) })
        });
        let errors = file["error_summary"].as_array().unwrap().iter().map(|group| {
            let detail = &group["error_details"];
            let error = ErrorDetail {
                code: detail["code"].as_i64().map(|code| code as i32),
                error_type: detail["type"].as_str().unwrap().to_owned(),
                message: detail["message"].as_str().unwrap().to_owned(),
                cause: None,
                cause_chain: Vec::new(),
            };
            (error, group["count"].as_u64().unwrap())
        });
        let window = Window { start: instant(&file, "start_time"), end: instant(&file, "end_time") };
        let windows = Windows { profiling: window, warmup: None };
        let mut summary = Aggregator::new(MetricConfig::default()).finish(&windows);
        summary.metrics = metrics.collect();
        summary.error_summary = errors.collect();
        summary
    }

    fn info(&self) -> RunInfo {
        let file = self.value();
        RunInfo {
            benchmark_id: file["benchmark_id"].as_str().unwrap().to_owned(),
            random_seed: file["run_info"]["random_seed"].as_u64(),
            cli_command: file["run_info"]["cli_command"].as_str().unwrap().to_owned(),
            input_config: file["input_config"].as_object().unwrap().clone(),
            time_zone: TimeZone::UTC,
            ..RunInfo::default()
        }
    }
}

fn stats(figures: &Map<String, Value>) -> Stats {
    let figure = |key: &str| figures.get(key).and_then(Value::as_f64);
    Stats {
        avg: figure("avg"),
        percentiles: PERCENTILES.map(|percent| figure(&format!("p{percent}"))),
        min: figure("min"),
        max: figure("max"),
        std: figure("std"),
        count: figures.get("count").and_then(Value::as_u64),
        sum: figure("sum"),
    }
}

fn instant(file: &Map<String, Value>, key: &str) -> Nanos {
    let at: jiff::civil::DateTime = file[key].as_str().unwrap().parse().unwrap();
    Nanos(at.to_zoned(TimeZone::UTC).unwrap().timestamp().as_nanosecond() as i64)
}

/// The keys up to the last fact of the run: behind it AIPerf's order is by chance.
fn declared_keys(file: &Map<String, Value>) -> Vec<&str> {
    let keys: Vec<&str> = file.keys().map(String::as_str).collect();
    let last = keys.iter().position(|key| *key == "end_time").unwrap();
    keys[..=last].iter().copied().filter(|key| *key != "loadgen_version").collect()
}

#[test]
fn the_summary_json_equals_aiperfs_key_for_key() {
    for case in CASES {
        let text = summary_json(&case.summary(), &case.info());
        let (ours, theirs): (Map<String, Value>, _) = (serde_json::from_str(&text).unwrap(), case.value());
        assert_eq!(declared_keys(&ours), declared_keys(&theirs));
        for (key, value) in &theirs {
            // The end of telemetry is another instant, which we have no need to know.
            if key != "telemetry_data" {
                assert_eq!(&ours[key], value, "{key}");
            }
        }
        let extra: Vec<&String> = ours.keys().filter(|key| !theirs.contains_key(*key)).collect();
        assert_eq!(extra, ["loadgen_version"]);
        assert_eq!(
            ours["telemetry_data"].as_object().unwrap().keys().collect::<Vec<_>>(),
            ["summary", "endpoints", "error_summary"]
        );
        assert!(text.starts_with("{\n  \"schema_version\": \"1.4\",\n") && text.ends_with("\n  }\n}"));
    }
}

#[test]
fn figures_stand_in_aiperfs_order_and_counts_are_floats() {
    let case = &CASES[0];
    let text = summary_json(&case.summary(), &case.info());
    let block = |text: &str| {
        let start = text.find("\"request_latency\": {").unwrap();
        text[start..start + text[start..].find('}').unwrap()].to_owned()
    };
    assert_eq!(block(&text), block(case.json));
    assert!(text.contains("\"request_count\": {\n    \"unit\": \"requests\",\n    \"avg\": 10.0\n  }"));
}

#[test]
fn the_csv_equals_aiperfs_byte_for_byte() {
    for case in CASES {
        let ours = summary_csv(&case.summary(), Some(&GpuTelemetry::default()));
        assert_eq!(ours.matches('\n').count(), ours.matches("\r\n").count(), "every line ends with CRLF");
        assert_eq!(ours.replace("\r\n", "\n"), case.csv.replace("\r\n", "\n"));
        let without = summary_csv(&case.summary(), None);
        assert!(!without.contains("GPU") && without.ends_with("\r\n"));
    }
}

/// The lines of each table by its title, our name or theirs cut off, rules and edges left out.
fn rows(text: &str, title: &str) -> Vec<String> {
    let mut lines = text.lines().skip_while(|line| !line.trim_end().ends_with(title));
    lines.next();
    let table: Vec<&str> = lines.take_while(|line| line.starts_with(['┏', '┃', '┡', '│', '└'])).collect();
    assert!(!table.is_empty(), "no table {title:?} in\n{text}");
    table.into_iter().map(str::to_owned).collect()
}

/// A report of these figures alone.
fn report<'a>(summary: &'a Summary, info: &'a RunInfo, slos: &'a SloSet) -> Report<'a> {
    Report { info, summary, slos, quality: None, timeline: None, servers: None, slices: None, files: &[] }
}

#[test]
fn the_console_tables_equal_aiperfs_line_for_line() {
    for case in CASES {
        let (summary, info, slos) = (case.summary(), case.info(), SloSet::default());
        let report = report(&summary, &info, &slos);
        let ours = console::blocks(&report, console::Options::file(false));
        for title in ["| LLM Metrics", "| LLM Metrics: Usage"] {
            assert_eq!(rows(&ours, title), rows(case.console, title));
        }
        // The order within these two follows the registry, not AIPerf's discovery of metrics.
        for title in ["| LLM Metrics: Effective", "| LLM Metrics: Active"] {
            let set = |text: &str| rows(text, title).into_iter().collect::<BTreeSet<_>>();
            assert_eq!(set(&ours), set(case.console));
        }
        if !summary.error_summary.is_empty() {
            assert_eq!(rows(&ours, "| Error Summary"), rows(case.console, "| Error Summary"));
        }
        assert!(ours.lines().all(|line| line.chars().count() <= console::FILE_WIDTH));
        assert!(!ours.contains('\u{1b}'));
    }
}

#[test]
fn every_metric_of_aiperfs_is_known_by_its_name() {
    for case in CASES {
        let file = case.value();
        let metrics = file.iter().filter(|(_, value)| value.get("unit").is_some());
        let unknown: Vec<&String> =
            metrics.map(|(tag, _)| tag).filter(|tag| Metric::of(tag).is_none()).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
    }
}

#[test]
fn what_is_not_finite_never_reaches_a_file() {
    let mut summary = CASES[0].summary();
    for (index, metric) in summary.metrics.iter_mut().enumerate() {
        let bad = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY][index % 3];
        let Stats { avg, percentiles, min, max, std, sum, .. } = &mut metric.stats;
        for figure in [avg, min, max, std, sum].into_iter().chain(percentiles) {
            *figure = figure.map(|_| bad);
        }
    }
    let info = CASES[0].info();
    let slos = SloSet::default();
    let report = report(&summary, &info, &slos);
    let texts = [
        summary_json(&summary, &info),
        summary_csv(&summary, Some(&GpuTelemetry::default())),
        console::render(&report, console::Options::file(true)),
        loadgen_report::html::page(&report),
    ];
    for text in texts {
        let words = text.split(|c: char| !c.is_ascii_alphabetic());
        let bad: Vec<&str> = words
            .filter(|word| ["nan", "inf", "infinity", "null"].contains(&word.to_lowercase().as_str()))
            .collect();
        assert!(bad.is_empty(), "{bad:?} in {text}");
    }
}
