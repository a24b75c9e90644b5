//! Live quantiles for a progress view: approximate, and labelled so.
//!
//! A t-digest keeps a few hundred centroids whatever the length of the run. Nothing here reaches a
//! file of results; those are exact.

use tdigest::TDigest;

use crate::registry::id;
use crate::value::{Native, RequestMetrics};

/// Quantiles so far of the latencies that a progress view shows.
#[derive(Debug, Clone)]
pub struct Preview {
    time_to_first_token: TDigest,
    inter_token_latency: TDigest,
    request_latency: TDigest,
}

/// Approximate median and 99th percentile, in ms; `None` before the first sample.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct PreviewQuantiles {
    /// Median and p99 of the time to first token.
    pub time_to_first_token_ms: Option<(f64, f64)>,
    /// Median and p99 of the inter token latency.
    pub inter_token_latency_ms: Option<(f64, f64)>,
    /// Median and p99 of the request latency.
    pub request_latency_ms: Option<(f64, f64)>,
}

/// Centroids kept a metric.
const CENTROIDS: usize = 200;

impl Default for Preview {
    fn default() -> Self {
        let digest = || TDigest::new_with_size(CENTROIDS);
        Self { time_to_first_token: digest(), inter_token_latency: digest(), request_latency: digest() }
    }
}

impl Preview {
    /// Takes the metrics of one finished request.
    pub fn push(&mut self, metrics: &RequestMetrics) {
        for (id, native) in metrics.natives() {
            let digest = match *id {
                id if id == TTFT => &mut self.time_to_first_token,
                id if id == ITL => &mut self.inter_token_latency,
                id if id == LATENCY => &mut self.request_latency,
                _ => continue,
            };
            let native = match native {
                Native::Int(value) => *value as f64,
                Native::Float(value) => *value,
                Native::List(_) => continue,
            };
            digest.push(id.metric().unit.display(native));
        }
    }

    /// The quantiles so far.
    pub fn quantiles(&mut self) -> PreviewQuantiles {
        PreviewQuantiles {
            time_to_first_token_ms: median_and_p99(&mut self.time_to_first_token),
            inter_token_latency_ms: median_and_p99(&mut self.inter_token_latency),
            request_latency_ms: median_and_p99(&mut self.request_latency),
        }
    }
}

const TTFT: crate::MetricId = id("time_to_first_token");
const ITL: crate::MetricId = id("inter_token_latency");
const LATENCY: crate::MetricId = id("request_latency");

fn median_and_p99(digest: &mut TDigest) -> Option<(f64, f64)> {
    digest.flush();
    Some((digest.estimate_quantile(0.5)?, digest.estimate_quantile(0.99)?))
}
