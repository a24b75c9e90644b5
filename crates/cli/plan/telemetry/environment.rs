//! AIPerf's variables about what goes on beside the load, each with what holds without it.

use std::time::Duration;

use loadgen_telemetry::{RttProbe, ScrapeTiming};

use super::at_least_a_moment;
use crate::args::values::non_negative;
use crate::plan::Faults;

/// AIPerf's variables about what goes on beside the load.
#[derive(Debug, Clone)]
pub(crate) struct ScrapeEnvironment {
    /// When servers' metrics are read.
    pub(super) server: ScrapeTiming,
    /// When GPUs are read.
    pub(super) gpu: ScrapeTiming,
    /// How long after the load a reading of a GPU still belongs to it, ns.
    pub(super) gpu_grace_ns: i64,
    /// Where GPUs are looked for unasked, if not at the usual places.
    pub(super) gpu_urls: Option<Vec<String>>,
    /// How round trips are measured.
    pub(super) rtt: RttProbe,
}

impl Default for ScrapeEnvironment {
    fn default() -> Self {
        let server = ScrapeTiming {
            interval: Duration::from_millis(333),
            // AIPerf goes on reading for two seconds: here a run ends when its load does, with one last reading.
            flush: Duration::ZERO,
            patience: Duration::from_secs(30),
            first_patience: Duration::from_secs(10),
        };
        Self { server, gpu: server, gpu_grace_ns: 666_000_000, gpu_urls: None, rtt: RttProbe::default() }
    }
}

impl ScrapeEnvironment {
    /// Reads the variables through `value_of`.
    pub(in crate::plan) fn read(value_of: &dyn Fn(&str) -> Option<String>, faults: &mut Faults) -> Self {
        let by_itself = Self::default();
        let mut number = |name: &str| faults.take(name, non_negative(value_of(name)?.trim()));
        let mut seconds = |name: &str, by_itself: Duration| {
            number(name).and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).unwrap_or(by_itself)
        };
        let ScrapeTiming { interval, flush, patience, first_patience } = by_itself.server;
        let server = ScrapeTiming {
            flush: seconds("AIPERF_SERVER_METRICS_COLLECTION_FLUSH_PERIOD", flush),
            interval: at_least_a_moment(seconds("AIPERF_SERVER_METRICS_COLLECTION_INTERVAL", interval)),
            first_patience: seconds("AIPERF_SERVER_METRICS_REACHABILITY_TIMEOUT", first_patience),
            patience: seconds("AIPERF_SERVER_METRICS_SCRAPE_TIMEOUT", patience),
        };
        let gpu = ScrapeTiming {
            interval: at_least_a_moment(seconds("AIPERF_GPU_COLLECTION_INTERVAL", interval)),
            first_patience: seconds("AIPERF_GPU_REACHABILITY_TIMEOUT", first_patience),
            ..by_itself.gpu
        };
        let rtt = RttProbe {
            make_up_within: seconds(
                "AIPERF_NETWORK_LATENCY_COMPLETE_TOPUP_TIMEOUT",
                by_itself.rtt.make_up_within,
            ),
            patience: seconds("AIPERF_NETWORK_LATENCY_CONNECT_TIMEOUT", by_itself.rtt.patience),
            interval: at_least_a_moment(seconds(
                "AIPERF_NETWORK_LATENCY_DEFAULT_PROBE_INTERVAL",
                by_itself.rtt.interval,
            )),
            least: number("AIPERF_NETWORK_LATENCY_MIN_SAMPLES")
                .map_or(by_itself.rtt.least, |least| least as u32),
        };
        let gpu_grace_ns =
            number("AIPERF_GPU_FINAL_SCRAPE_GRACE_NS").map_or(by_itself.gpu_grace_ns, |grace| grace as i64);
        let gpu_urls = value_of("AIPERF_GPU_DEFAULT_DCGM_ENDPOINTS").map(|text| urls_of(&text));
        Self { server, gpu, gpu_grace_ns, gpu_urls, rtt }
    }
}

/// A JSON list of texts, or texts parted by commas.
fn urls_of(text: &str) -> Vec<String> {
    serde_json::from_str(text).unwrap_or_else(|_| {
        text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn aiperfs_variables_say_when() {
        let value_of = |name: &str| match name {
            "AIPERF_SERVER_METRICS_COLLECTION_INTERVAL" => Some("0".to_owned()),
            "AIPERF_SERVER_METRICS_COLLECTION_FLUSH_PERIOD" => Some("0.5".to_owned()),
            "AIPERF_GPU_FINAL_SCRAPE_GRACE_NS" => Some("7".to_owned()),
            "AIPERF_GPU_DEFAULT_DCGM_ENDPOINTS" => Some("[\"http://a:1\", \"http://b:2\"]".to_owned()),
            "AIPERF_NETWORK_LATENCY_MIN_SAMPLES" => Some("9".to_owned()),
            _ => None,
        };
        let mut faults = Faults::default();
        let read = ScrapeEnvironment::read(&value_of, &mut faults);
        faults.into_result(()).unwrap();
        assert_eq!(read.server.interval, Duration::from_millis(10), "asking without a pause would be load");
        assert_eq!(
            (read.server.flush, read.gpu_grace_ns, read.rtt.least),
            (Duration::from_millis(500), 7, 9)
        );
        assert_eq!(read.gpu_urls.unwrap(), ["http://a:1", "http://b:2"]);
    }
}
