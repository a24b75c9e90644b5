//! Per-request lines against AIPerf's own: its records are read back as ours, and the lines written
//! from them must say the same.

#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::BTreeMap;

mod aiperf_lines;

use aiperf_lines::{lines, record};
use loadgen_core::{ErrorDetail, Nanos, Outcome, Phase, RequestRecord, SpeculativeDecoding, Usage};
use loadgen_metrics::{
    Aggregator, MetricConfig, MetricValue, SloSet, Timeline, Window, Windows, request_metrics,
};
use loadgen_report::{RecordLines, Report, RunInfo, console, html, schemas, summary_json};
use serde_json::{Value, json};

const CHAT: &str = include_str!("data/chat_stream_goodput/profile_export.jsonl");
const FAILING: &str = include_str!("data/some_fail500/profile_export.jsonl");

const GOODPUT: &str = "time_to_first_token:34 inter_token_latency:20 output_token_throughput_per_user:50";

fn config(goodput: &str) -> MetricConfig {
    let config = MetricConfig::default();
    if goodput.is_empty() {
        return config;
    }
    MetricConfig { slos: SloSet::parse(goodput, &config).unwrap(), ..config }
}

fn written(line: &Value, config: &MetricConfig) -> Value {
    let record = record(line);
    let text = RecordLines::new("3fbf379833fd", 0).line(&record, &request_metrics(&record, config)).unwrap();
    assert!(text.ends_with("}\n") && text.matches('\n').count() == 1);
    serde_json::from_str(&text).unwrap()
}

/// Numbers equal to a few parts in 1e12 (AIPerf's ms were read back to whole ns), and of one kind.
fn same(ours: &Value, theirs: &Value) -> bool {
    match (ours, theirs) {
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Number(a), Value::Number(b)) => {
            let (x, y) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            a.is_i64() == b.is_i64() && (x - y).abs() <= 1e-12 * x.abs().max(y.abs())
        }
        _ => ours == theirs,
    }
}

/// The object is what AIPerf's own model prints of the same figures.
#[test]
fn what_became_of_drafts_stands_beside_the_metrics() {
    let mut record = record(&lines(CHAT)[0]);
    let line = |record: &RequestRecord| {
        let metrics = request_metrics(record, &config(""));
        RecordLines::new("3fbf379833fd", 0).line(record, &metrics).unwrap()
    };
    assert!(!line(&record).contains("spec_decode"));
    let told = SpeculativeDecoding {
        mean_acceptance_length: 2.5,
        draft_acceptance_rate: 0.75,
        histogram: vec![(0, 1), (2, 3)],
        accepted_draft_tokens: 6,
        draft_tokens: 8,
        steps: 4,
        most_drafts: Some(2),
        accepted_by_step: Some(vec![2, 0, 2, 2]),
        drafted_by_step: None,
    };
    let speculative = Some(Box::new(told));
    record.tokens.usage = Some(Usage { completion_tokens: Some(10), speculative, ..Usage::default() });
    let shown = line(&record);
    assert!(
        shown.ends_with(
            r#"},"spec_decode_acceptance":{"engine":"vllm","mean_acceptance_length":2.5,"draft_acceptance_rate":0.75,"acceptance_histogram":{"0":1,"2":3},"num_accepted_draft_tokens":6,"num_draft_tokens":8,"num_spec_steps":4,"num_spec_tokens":2,"completion_tokens":10,"per_step_accepted":[2,0,2,2]}}
"#
        ),
        "{shown}"
    );
    record.outcome = Outcome::Cancelled;
    assert!(!line(&record).contains("spec_decode"), "a request that failed has no such figures");
}

#[test]
fn lines_say_what_aiperfs_say() {
    for (text, config) in [(CHAT, config(GOODPUT)), (FAILING, config(""))] {
        for theirs in lines(text) {
            let ours = written(&theirs, &config);
            let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
            assert_eq!(keys(&ours), keys(&theirs));
            assert_eq!(keys(&ours["metadata"]), keys(&theirs["metadata"]));
            for (key, value) in theirs["metadata"].as_object().unwrap() {
                match key.as_str() {
                    // Names of processes: of the same look, by chance there, by the run's id here.
                    "worker_id" | "record_processor_id" => {
                        let (name, theirs) =
                            (ours["metadata"][key].as_str().unwrap(), value.as_str().unwrap());
                        assert_eq!(name.len(), theirs.len());
                        assert_eq!(name.rsplit_once('_').unwrap().0, theirs.rsplit_once('_').unwrap().0);
                    }
                    _ => assert_eq!(&ours["metadata"][key], value, "{key}"),
                }
            }
            let sorted = |value: &Value| {
                let pairs = value["metrics"].as_object().unwrap().clone();
                pairs.into_iter().collect::<BTreeMap<_, _>>()
            };
            let (our_metrics, their_metrics) = (sorted(&ours), sorted(&theirs));
            assert_eq!(our_metrics.keys().collect::<Vec<_>>(), their_metrics.keys().collect::<Vec<_>>());
            for (tag, value) in &their_metrics {
                assert_eq!(our_metrics[tag]["unit"], value["unit"], "{tag}");
                if !tag.starts_with("http_req_") {
                    let figure = &our_metrics[tag]["value"];
                    assert!(same(figure, &value["value"]), "{tag}: {figure} is not {}", value["value"]);
                }
            }
            assert_eq!(ours.get("error"), theirs.get("error"));
        }
    }
}

#[test]
fn lines_gather_in_one_buffer_and_hold_every_value_bit_for_bit() {
    let config = config(GOODPUT);
    let records: Vec<RequestRecord> = lines(CHAT).iter().map(record).collect();
    let writer = RecordLines::new("3fbf379833fd", 0);
    let mut out = b"kept\n".to_vec();
    let mut single = String::from("kept\n");
    for record in &records {
        let metrics = request_metrics(record, &config);
        assert!(writer.write(record, &metrics, &mut out));
        let line = writer.line(record, &metrics).unwrap();
        let read: Value = serde_json::from_str(&line).unwrap();
        for (metric, value) in metrics.iter() {
            let written = &read["metrics"][metric.tag]["value"];
            let same = match value {
                MetricValue::Int(value) => written.as_i64() == Some(value),
                MetricValue::Float(value) => written.as_f64() == Some(value),
                MetricValue::List(values) => *written == json!(values),
            };
            assert!(same, "{}: {written}", metric.tag);
        }
        assert!(read["metrics"].as_object().unwrap().keys().all(|tag| !tag.contains("_from_")));
        single.push_str(&line);
    }
    assert_eq!(String::from_utf8(out.clone()).unwrap(), single);

    let mut aborted = records[0].clone();
    aborted.outcome = Outcome::Aborted;
    assert!(!writer.write(&aborted, &request_metrics(&aborted, &config), &mut out));
    assert_eq!(out.len(), single.len(), "nothing is appended");
}

/// The whole way from records to files: the summary of AIPerf's records has AIPerf's figures.
#[test]
fn the_summary_of_aiperfs_records_is_aiperfs() {
    let cases = [
        (CHAT, GOODPUT, include_str!("data/chat_stream_goodput/profile_export_aiperf.json")),
        (FAILING, "", include_str!("data/some_fail500/profile_export_aiperf.json")),
    ];
    for (text, goodput, theirs) in cases {
        let (config, records) = (config(goodput), lines(text).iter().map(record).collect::<Vec<_>>());
        let start = records.iter().filter_map(|r| r.instants.request_start).min().unwrap();
        let end = records.iter().filter_map(|r| r.instants.end).max().unwrap();
        let mut aggregator = Aggregator::new(config.clone());
        let mut timeline = Timeline::new(start);
        for record in &records {
            let metrics = request_metrics(record, &config);
            aggregator.push(record, &metrics);
            timeline.push(record, &metrics);
        }
        let windows = Windows { profiling: Window { start, end }, warmup: None };
        let (summary, timeline) = (aggregator.finish(&windows), timeline.finish());
        let info = RunInfo::default();
        let ours: Value = serde_json::from_str(&summary_json(&summary, &info)).unwrap();
        let theirs: Value = serde_json::from_str(theirs).unwrap();
        assert_eq!(ours["error_summary"], theirs["error_summary"]);
        let mut compared = 0;
        for (tag, figures) in
            theirs.as_object().unwrap().iter().filter(|(_, value)| value.get("unit").is_some())
        {
            // Rates and curves depend on the phase's own start and end, HTTP timings on what we made up;
            // AIPerf's duration passes through instants rounded to 256 ns.
            let steady = !["http_", "effective_", "active_", "credit_", "tokens_in"]
                .iter()
                .any(|p| tag.starts_with(p))
                && !tag.ends_with("throughput")
                && tag != "goodput"
                && tag != "benchmark_duration";
            for (key, value) in
                figures.as_object().unwrap().iter().filter(|_| steady || tag.starts_with("e2e_"))
            {
                // A deviation of equal figures is 0 or a rounding error.
                let figure = ours[tag].get(key).unwrap_or_else(|| panic!("{tag} lacks {key}"));
                let close = same(figure, value)
                    || (figure.as_f64().unwrap_or(1.0) - value.as_f64().unwrap_or(0.0)).abs() < 1e-9;
                assert!(close, "{tag}.{key}: {figure} is not {value}");
                compared += 1;
            }
        }
        assert!(compared > 200, "{compared}");
        let report = Report {
            info: &info,
            summary: &summary,
            slos: &config.slos,
            quality: None,
            timeline: Some(&timeline),
            servers: None,
            slices: None,
            files: &[],
        };
        assert!(html::page(&report).matches("<svg").count() >= 6);
        assert!(console::render(&report, console::Options::file(false)).contains(" ok + "));
    }
}

#[test]
fn what_the_runs_end_cut_off_has_no_line() {
    let mut record = record(&lines(CHAT)[0]);
    let metrics = request_metrics(&record, &config(""));
    for (outcome, has_line) in Outcome::ALL.map(|o| (o, !matches!(o, Outcome::Aborted | Outcome::NotSent))) {
        record.outcome = outcome;
        assert_eq!(RecordLines::new("run", 0).line(&record, &metrics).is_some(), has_line, "{outcome:?}");
    }
}

#[test]
fn keys_that_do_not_apply_are_absent_not_null() {
    let mut record = record(&lines(CHAT)[0]);
    record.outcome = Outcome::Cancelled;
    record.cancelled_at = Some(Nanos(1_795_303_340_500_000_000));
    record.identity.phase = Phase::Warmup;
    record.error = Some(ErrorDetail {
        code: Some(499),
        error_type: "RequestCancellationError".to_owned(),
        message: "cancelled".to_owned(),
        cause: Some("a plan".to_owned()),
        cause_chain: vec!["a plan".to_owned()],
    });
    let text = RecordLines::new("run", 1).line(&record, &request_metrics(&record, &config(""))).unwrap();
    assert!(!text.contains("null"));
    let line: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(line["metadata"]["was_cancelled"], true);
    assert_eq!(line["metadata"]["cancellation_time_ns"], 1_795_303_340_500_000_000_i64);
    assert_eq!(line["metadata"]["benchmark_phase"], "warmup");
    assert!(line["metadata"].get("profiling_index").is_none());
    assert!(line["metadata"].get("request_ack_ns").is_none());
    assert_eq!(
        line["error"],
        json!({"code": 499, "type": "RequestCancellationError", "message": "cancelled", "cause": "a plan", "cause_chain": ["a plan"]})
    );
}

#[test]
fn aiperfs_files_and_ours_follow_the_schemas() {
    let schemas: BTreeMap<&str, Value> = schemas().into_iter().collect();
    let record = jsonschema::validator_for(&schemas["profile_export_record"]).unwrap();
    for line in lines(CHAT).iter().chain(&lines(FAILING)) {
        record.validate(line).unwrap();
        record.validate(&written(line, &config(""))).unwrap();
    }
    let mut broken = lines(CHAT).remove(0);
    broken["metrics"]["time_to_first_token"]["value"] = json!("fast");
    assert!(!record.is_valid(&broken));

    let summary = jsonschema::validator_for(&schemas["profile_export_aiperf"]).unwrap();
    for text in [
        include_str!("data/chat_stream_goodput/profile_export_aiperf.json"),
        include_str!("data/some_fail500/profile_export_aiperf.json"),
    ] {
        let mut file: Value = serde_json::from_str(text).unwrap();
        file["loadgen_version"] = json!("0.1.0");
        summary.validate(&file).unwrap();
        file["time_to_first_token"]["p99"] = json!("slow");
        assert!(!summary.is_valid(&file));
    }
}
