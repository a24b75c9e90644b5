//! `server_metrics_export.jsonl`: one scrape a line, as it stood.

use std::io::{self, Write};

use loadgen_core::Nanos;
use loadgen_metrics::{Reading, SeriesName};
use serde_json::{Map, Value, json};

/// The phase of a scrape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScrapePhase<'a> {
    /// `warmup` or `profiling`.
    pub name: &'a str,
    /// Its place in the run.
    pub index: i32,
    /// Its place among the measured phases.
    pub profiling_index: Option<i32>,
}

/// One scrape.
#[derive(Debug, Clone, Copy)]
pub struct ScrapeLine<'a> {
    /// Where, credentials removed.
    pub url: &'a str,
    /// When the first byte of the answer came.
    pub at: Nanos,
    /// When the first byte of the question left.
    pub sent_at: Nanos,
    /// From then to the last byte of the answer, ns.
    pub latency_ns: i64,
    /// The phase that it belongs to.
    pub phase: Option<ScrapePhase<'a>>,
}

impl ScrapeLine<'_> {
    /// Writes the line, with what the series stood at. Metrics that only say what something is are left out.
    pub fn write<'a>(
        &self,
        series: impl Iterator<Item = (&'a SeriesName, &'a Reading)>,
        out: &mut impl Write,
    ) -> io::Result<()> {
        let mut metrics: Map<String, Value> = Map::new();
        for (name, reading) in series.filter(|(name, _)| !name.is_info()) {
            let family = metrics.entry(name.name.clone()).or_insert_with(|| json!([]));
            if let Value::Array(samples) = family {
                samples.push(sample(name, reading));
            }
        }
        let mut line = json!({
            "endpoint_url": self.url,
            "timestamp_ns": self.at.0,
            "endpoint_latency_ns": self.latency_ns,
            "metrics": metrics,
            "request_sent_ns": self.sent_at.0,
            "first_byte_ns": self.at.0,
        });
        if let Some(phase) = self.phase {
            line["benchmark_phase"] = json!(phase.name);
            line["phase_index"] = json!(phase.index);
            if let Some(index) = phase.profiling_index {
                line["profiling_index"] = json!(index);
            }
            line["phase_name"] = json!(phase.name);
            line["phase_kind"] = json!(phase.name);
        }
        serde_json::to_writer(&mut *out, &line)?;
        out.write_all(b"\n")
    }
}

fn sample(name: &SeriesName, reading: &Reading) -> Value {
    let mut sample = Map::new();
    if !name.labels.is_empty() {
        let labels = name.labels.iter().map(|(name, text)| (name.clone(), json!(text)));
        sample.insert("labels".into(), Value::Object(labels.collect()));
    }
    match reading {
        Reading::Scalar(value) => {
            sample.insert("value".into(), json!(value));
        }
        Reading::Histogram { buckets, sum, count } => {
            let buckets = name.bounds.iter().zip(buckets).map(|(bound, count)| (bound.clone(), json!(count)));
            sample.insert("buckets".into(), Value::Object(buckets.collect()));
            sample.insert("sum".into(), json!(sum));
            sample.insert("count".into(), json!(count));
        }
    }
    Value::Object(sample)
}
