//! `phases/<name>/server_metrics.json`: what the servers said during one phase of several.

use loadgen_core::Nanos;
use serde_json::{Map, Value, json};

use super::json::{endpoint_info, series_value};
use super::{ScrapedEndpoint, ScrapedSeries, by_family, place_of};

/// One phase of a run, for what was scraped during it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScrapedPhase<'a> {
    /// `warmup` or `profiling`.
    pub name: &'a str,
    /// Its place in the run.
    pub index: i32,
    /// Its place among the measured phases.
    pub profiling_index: Option<i32>,
    /// Its beginning.
    pub start: Nanos,
    /// The end of its last request.
    pub end: Nanos,
    /// Whether the user cut it short.
    pub was_cancelled: bool,
}

/// The text of a phase's file around `data`: keys sorted, two spaces a level.
pub fn phase_file(phase: ScrapedPhase<'_>, data: &Value) -> String {
    let file = json!({
        "data": data,
        "phase": {
            "end_ns": phase.end.0,
            "phase_index": phase.index,
            "phase_kind": phase.name,
            "phase_name": phase.name,
            "profiling_index": phase.profiling_index,
            "start_ns": phase.start.0,
            "was_cancelled": phase.was_cancelled,
        },
        "schema_version": 1,
        "warnings": [],
    });
    serde_json::to_string_pretty(&sorted(file)).expect("text keys and finite numbers always serialize")
}

/// The text of a phase's file; `endpoints` are as they were read during the phase.
pub fn server_metrics_phase(
    phase: ScrapedPhase<'_>,
    benchmark_id: &str,
    endpoints: &[ScrapedEndpoint],
    series: &[ScrapedSeries],
) -> String {
    let summaries = endpoints.iter().map(|endpoint| {
        let own: Vec<ScrapedSeries> =
            series.iter().filter(|series| series.url == endpoint.url).cloned().collect();
        let metrics = by_family(&own).into_iter().map(|(name, members)| {
            let first = &members[0].name;
            let members: Vec<Value> = members.iter().map(|series| series_value(series, false)).collect();
            (
                name.to_owned(),
                json!({ "description": first.help, "series": members, "type": first.kind.name() }),
            )
        });
        let summary = json!({
            "endpoint_url": endpoint.url,
            "info": endpoint_info(endpoint),
            "metrics": Value::Object(metrics.collect()),
        });
        (place_of(&endpoint.url).to_owned(), summary)
    });
    let urls: Vec<&str> = endpoints.iter().map(|endpoint| endpoint.url.as_str()).collect();
    let first = endpoints.iter().map(|endpoint| endpoint.fetched.0).min().unwrap_or(phase.start);
    let last = endpoints.iter().map(|endpoint| endpoint.fetched.1).max().unwrap_or(phase.end);
    let mut data = json!({
        "benchmark_id": benchmark_id,
        "end_ns": last.0,
        "endpoint_summaries": Value::Object(summaries.collect()),
        "endpoints_configured": urls,
        "endpoints_successful": urls,
        "error_summary": [],
        "phase": phase.name,
        "phase_index": phase.index,
        "phase_kind": phase.name,
        "phase_name": phase.name,
        "phase_results": [],
        "start_ns": first.0,
    });
    if let Some(index) = phase.profiling_index {
        data["profiling_index"] = json!(index);
    }
    phase_file(phase, &data)
}

/// The same value with the keys of every object sorted.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<(String, Value)> = fields.into_iter().collect();
            fields.sort_by(|(a, _), (b, _)| a.cmp(b));
            Value::Object(fields.into_iter().map(|(key, value)| (key, sorted(value))).collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}
