//! `server_metrics_export.json`, schema version 1.1.

use loadgen_core::Nanos;
use loadgen_metrics::{PERCENTILES, SeriesStats, Slice, SliceFigures, infer_unit};
use serde_json::{Map, Value, json};

use super::{ScrapedEndpoint, ScrapedSeries, ServerMetrics, by_family};
use crate::info::RunInfo;
use crate::summary_json::AIPERF_VERSION;

/// The file's text: two spaces a level, no newline at its end; what does not exist is left out.
pub fn server_metrics_json(metrics: &ServerMetrics, info: &RunInfo) -> String {
    let mut summary = Map::new();
    summary.insert("endpoints_configured".into(), json!(metrics.configured));
    summary.insert("endpoints_successful".into(), json!(metrics.successful));
    if let Some((start, end)) = metrics.profiling {
        summary.insert("start_time".into(), json!(info.local_time(start)));
        summary.insert("end_time".into(), json!(info.local_time(end)));
    }
    let endpoints = metrics.endpoints.iter().map(|endpoint| (endpoint.url.clone(), endpoint_info(endpoint)));
    summary.insert("endpoint_info".into(), Value::Object(endpoints.collect()));
    let mut ranges = Map::new();
    for (name, range) in [("profiling", metrics.profiling), ("warmup", metrics.warmup)] {
        if let Some((Nanos(start), Nanos(end))) = range {
            ranges.insert(name.to_owned(), json!({ "start_ns": start, "end_ns": end }));
        }
    }
    summary.insert("phase_time_ranges".into(), Value::Object(ranges));

    let mut file = Map::new();
    file.insert("schema_version".into(), json!("1.1"));
    file.insert("aiperf_version".into(), json!(AIPERF_VERSION));
    file.insert("benchmark_id".into(), json!(info.benchmark_id));
    file.insert("summary".into(), Value::Object(summary));
    file.insert("metrics_phase".into(), json!("profiling"));
    file.insert("metrics".into(), families(&metrics.metrics));
    if !metrics.warmup_metrics.is_empty() {
        file.insert("warmup_metrics".into(), families(&metrics.warmup_metrics));
    }
    file.insert("input_config".into(), Value::Object(info.input_config.clone()));
    serde_json::to_string_pretty(&file).expect("text keys and finite numbers always serialize")
}

/// How an endpoint was read.
pub(super) fn endpoint_info(endpoint: &ScrapedEndpoint) -> Value {
    let ((Nanos(first), Nanos(last)), (Nanos(first_update), Nanos(last_update))) =
        (endpoint.fetched, endpoint.updated);
    let mut info = json!({
        "total_fetches": endpoint.fetches,
        "first_fetch_ns": first,
        "last_fetch_ns": last,
        "avg_fetch_latency_ms": endpoint.avg_latency_ms,
        "unique_updates": endpoint.updates,
        "first_update_ns": first_update,
        "last_update_ns": last_update,
        "duration_seconds": endpoint.updated_for_ns() as f64 / 1e9,
        "avg_update_interval_ms": endpoint.avg_interval_ms(),
    });
    if let Some(median) = endpoint.median_interval_ms {
        info["median_update_interval_ms"] = json!(median);
    }
    info
}

fn families(series: &[ScrapedSeries]) -> Value {
    let families = by_family(series).into_iter().map(|(name, members)| {
        let first = &members[0].name;
        let mut family = Map::new();
        family.insert("type".into(), json!(first.kind.name()));
        family.insert("description".into(), json!(first.help));
        if let Some(unit) = infer_unit(name, &first.help) {
            family.insert("unit".into(), json!(unit));
        }
        let members = members.into_iter().map(|series| series_value(series, true));
        family.insert("series".into(), Value::Array(members.collect()));
        (name.to_owned(), Value::Object(family))
    });
    Value::Object(families.collect())
}

/// One series; `with_url` names its endpoint.
pub(super) fn series_value(series: &ScrapedSeries, with_url: bool) -> Value {
    let mut value = Map::new();
    if with_url {
        value.insert("endpoint_url".into(), json!(series.url));
    }
    if !series.name.labels.is_empty() {
        let labels = series.name.labels.iter().map(|(name, text)| (name.clone(), json!(text)));
        value.insert("labels".into(), Value::Object(labels.collect()));
    }
    value.insert("stats".into(), stats(&series.stats));
    if let SeriesStats::Histogram(histogram) = &series.stats
        && let Some(counts) = &histogram.buckets
    {
        value.insert("buckets".into(), buckets(&series.name.bounds, counts));
    }
    if !series.slices.is_empty() {
        let slices = series.slices.iter().map(|slice| slice_value(slice, &series.name.bounds));
        value.insert("timeslices".into(), Value::Array(slices.collect()));
    }
    Value::Object(value)
}

fn buckets(bounds: &[String], counts: &[i64]) -> Value {
    Value::Object(bounds.iter().zip(counts).map(|(bound, count)| (bound.clone(), json!(count))).collect())
}

fn stats(stats: &SeriesStats) -> Value {
    let mut value = Map::new();
    let mut set = |key: &str, figure: Option<f64>| {
        if let Some(figure) = figure.filter(|figure| figure.is_finite()) {
            value.insert(key.to_owned(), json!(figure));
        }
    };
    match stats {
        SeriesStats::Gauge(gauge) => {
            set("avg", Some(gauge.avg));
            set("min", Some(gauge.min));
            set("max", Some(gauge.max));
            set("std", Some(gauge.std));
            for (percent, figure) in PERCENTILES.iter().zip(gauge.percentiles) {
                set(&format!("p{percent}"), Some(figure));
            }
        }
        SeriesStats::Counter(counter) => {
            set("total", Some(counter.total));
            set("rate", counter.rate);
            if let Some((avg, min, max, std)) = counter.slice_rates {
                set("rate_avg", Some(avg));
                set("rate_min", Some(min));
                set("rate_max", Some(max));
                set("rate_std", Some(std));
            }
        }
        SeriesStats::Histogram(histogram) => {
            value.insert("count".into(), json!(histogram.count));
            let mut set = |key: &str, figure: Option<f64>| {
                if let Some(figure) = figure.filter(|figure| figure.is_finite() && histogram.count > 0) {
                    value.insert(key.to_owned(), json!(figure));
                }
            };
            set("sum", Some(histogram.sum));
            set("avg", histogram.avg());
            set("count_rate", histogram.count_rate);
            set("sum_rate", histogram.sum_rate);
            for (percent, figure) in PERCENTILES.iter().zip(histogram.percentiles.into_iter().flatten()) {
                set(&format!("p{percent}_estimate"), Some(figure));
            }
        }
    }
    Value::Object(value)
}

fn slice_value(slice: &Slice, bounds: &[String]) -> Value {
    let mut value = json!({ "start_ns": slice.start.0, "end_ns": slice.end.0 });
    if !slice.is_complete {
        value["is_complete"] = json!(false);
    }
    match &slice.figures {
        SliceFigures::Gauge { avg, min, max } => {
            value["avg"] = json!(avg);
            value["min"] = json!(min);
            value["max"] = json!(max);
        }
        SliceFigures::Counter { total, rate } => {
            value["total"] = json!(total);
            value["rate"] = json!(rate);
        }
        SliceFigures::Histogram { count, sum, buckets: counts } => {
            value["count"] = json!(count);
            value["sum"] = json!(sum);
            value["avg"] = json!(sum / *count as f64);
            value["buckets"] = buckets(bounds, counts);
        }
    }
    value
}
