//! Live quantiles for a progress view: approximate, and labelled so.
//!
//! A t-digest keeps a few hundred centroids whatever the length of the run. Nothing here reaches a
//! file of results; those are exact.

use tdigest::TDigest;

use crate::metric::MetricId;
use crate::registry::id;
use crate::value::RequestMetrics;

const TTFT: MetricId = id!("time_to_first_token");
const ITL: MetricId = id!("inter_token_latency");
const LATENCY: MetricId = id!("request_latency");

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
        for (id, digest) in [
            (TTFT, &mut self.time_to_first_token),
            (ITL, &mut self.inter_token_latency),
            (LATENCY, &mut self.request_latency),
        ] {
            if let Some(native) = metrics.native(id) {
                digest.push(id.metric().unit.display(native));
            }
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

pub(crate) fn median_and_p99(digest: &mut TDigest) -> Option<(f64, f64)> {
    digest.flush();
    Some((digest.estimate_quantile(0.5)?, digest.estimate_quantile(0.99)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::MetricConfig;
    use crate::fixture;
    use crate::request::request_metrics;

    #[test]
    fn quantiles_are_close_to_the_exact_ones() {
        let mut preview = Preview::default();
        assert_eq!(preview.quantiles(), PreviewQuantiles::default());
        for ms in 1..=10_000 {
            let record = fixture::ok(&[ms, ms + 70]);
            preview.push(&request_metrics(&record, &MetricConfig::default()));
        }
        let quantiles = preview.quantiles();
        let (median, p99) = quantiles.time_to_first_token_ms.expect("samples came");
        assert!((median - 5000.0).abs() < 50.0 && (p99 - 9900.0).abs() < 30.0, "{median} {p99}");
        assert_eq!(quantiles.inter_token_latency_ms, Some((10.0, 10.0)));
        let (median, _) = quantiles.request_latency_ms.expect("samples came");
        assert!((median - 5070.0).abs() < 50.0, "{median}");
    }
}
