//! What a tool says of each request in its per-request file: loadgen and AIPerf write the same lines.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::quantile::quantile;
use crate::timing::Written;
use crate::truth::Truth;

/// A run's requests, by their numbers in it.
#[derive(Debug, Default)]
pub(crate) struct Reported(BTreeMap<i64, Line>);

/// One request.
#[derive(Debug)]
struct Line {
    request_id: String,
    /// Input and output.
    tokens: (i64, i64),
    ttft_ms: f64,
    itl_ms: f64,
}

/// Mean and 99th percentile of a metric, ms.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Spread {
    pub(crate) mean: f64,
    pub(crate) p99: f64,
}

/// Two metrics of a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Latencies {
    /// Time to first token.
    pub(crate) ttft: Spread,
    /// Time between tokens, a mean each request.
    pub(crate) itl: Spread,
}

impl Reported {
    /// Reads the good requests of the measured phase.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("no {}", path.display()))?;
        let mut lines = BTreeMap::new();
        for line in text.lines() {
            let line: Value = serde_json::from_str(line)?;
            if line["metadata"]["benchmark_phase"] != "profiling" || line.get("error").is_some() {
                continue;
            }
            let metric = |tag: &str| &line["metrics"][tag]["value"];
            let read = || {
                Some(Line {
                    request_id: line["metadata"]["x_request_id"].as_str()?.to_owned(),
                    tokens: (
                        metric("input_sequence_length").as_i64()?,
                        metric("output_sequence_length").as_i64()?,
                    ),
                    ttft_ms: metric("time_to_first_token").as_f64()?,
                    itl_ms: metric("inter_token_latency").as_f64()?,
                })
            };
            let number = line["metadata"]["session_num"].as_i64().context("a line has no number")?;
            lines.insert(number, read().with_context(|| format!("request {number} lacks a metric"))?);
        }
        Ok(Self(lines))
    }

    /// Input and output tokens, request by request.
    pub(crate) fn tokens(&self) -> Vec<(i64, i64)> {
        self.0.values().map(|line| line.tokens).collect()
    }

    /// What the tool says.
    pub(crate) fn latencies(&self) -> Option<Latencies> {
        let ttft = self.0.values().map(|line| line.ttft_ms).collect();
        let itl = self.0.values().map(|line| line.itl_ms).collect();
        Some(Latencies { ttft: spread(ttft)?, itl: spread(itl)? })
    }

    /// What the server's log says of the same requests.
    pub(crate) fn truth(&self, truth: &Truth) -> Option<Latencies> {
        let written = || self.0.values().filter_map(|line| truth.by_id.get(&line.request_id));
        let ttft = written().filter_map(ttft_ms).collect();
        let itl = written().filter_map(itl_ms).collect();
        Some(Latencies { ttft: spread(ttft)?, itl: spread(itl)? })
    }
}

impl Latencies {
    /// How far each figure is from the other's: TTFT mean and p99, ITL mean and p99.
    pub(crate) fn off(&self, truth: &Self) -> [f64; 4] {
        [
            (self.ttft.mean - truth.ttft.mean).abs(),
            (self.ttft.p99 - truth.ttft.p99).abs(),
            (self.itl.mean - truth.itl.mean).abs(),
            (self.itl.p99 - truth.itl.p99).abs(),
        ]
    }
}

fn spread(mut values: Vec<f64>) -> Option<Spread> {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    quantile(&mut values, 0.99).map(|p99| Spread { mean, p99 })
}

fn ttft_ms(written: &Written) -> Option<f64> {
    Some((written.begin.first()? - written.body_read) as f64 / 1e6)
}

fn itl_ms(written: &Written) -> Option<f64> {
    let gaps = written.begin.len().checked_sub(1).filter(|gaps| *gaps > 0)?;
    Some((written.begin.last()? - written.begin.first()?) as f64 / 1e6 / gaps as f64)
}

#[cfg(test)]
#[allow(dead_code, unused_imports, reason = "a bench is built with cfg(test) and without its tests")]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_off_by_the_differences_of_its_figures() {
        let spread = |mean, p99| Spread { mean, p99 };
        let truth = Latencies { ttft: spread(50.0, 51.0), itl: spread(20.0, 20.5) };
        let said = Latencies { ttft: spread(50.5, 50.0), itl: spread(20.0, 21.0) };
        assert_eq!(said.off(&truth), [0.5, 1.0, 0.0, 0.5]);
    }

    #[test]
    fn the_log_gives_a_response_its_latencies() {
        let written =
            Written { body_read: 0, begin: vec![50_000_000, 70_000_000, 91_000_000], end: Vec::new() };
        assert_eq!((ttft_ms(&written), itl_ms(&written)), (Some(50.0), Some(20.5)));
        assert_eq!(itl_ms(&Written { begin: vec![1], ..Written::default() }), None);
    }
}
