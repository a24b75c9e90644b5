//! What the GPUs' power and energy came to for each request, token and user. AIPerf's metrics and formulas.

use crate::metric::{Metric, MetricId};
use crate::registry::id;
use crate::stats::Stats;
use crate::summary::{MetricSummary, Summary};

/// What was read of the GPUs of one vendor, all of them together.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct EnergyInput {
    /// What their energy counters grew by, J; 0 where none has one.
    pub energy_joules: f64,
    /// The sum of each GPU's mean power, W; 0 where none tells it.
    pub power_watts: f64,
    /// How many requests were kept in flight, where the load says so.
    pub concurrency: Option<f64>,
}

/// The energy metrics of a run; none where neither power nor energy was read.
///
/// With `E` the energy, `T` the measured phase, `P` the mean power: `P = E / T`; where there is no energy
/// counter, `E = P · T`.
pub fn energy_metrics(summary: &Summary, input: EnergyInput) -> Vec<MetricSummary> {
    let EnergyInput { energy_joules, power_watts, concurrency } = input;
    let seconds = summary.window.seconds();
    let avg = |tag: &str| summary.get(tag).and_then(|stats| stats.avg);
    let mut figures: Vec<(MetricId, Option<f64>)> =
        vec![(id!("nvidia_total_gpu_power"), (power_watts > 0.0).then_some(power_watts))];
    let (energy, power) = if energy_joules > 0.0 {
        (energy_joules, energy_joules / seconds)
    } else {
        (power_watts * seconds, power_watts)
    };
    if energy > 0.0 && power.is_finite() {
        let per = |total: Option<f64>| total.filter(|total| *total > 0.0).map(|total| energy / total);
        let over_power = |rate: Option<f64>| rate.map(|rate| rate / power);
        let requests = avg("request_count");
        // An endpoint that answers with no tokens has none to divide by; its input's count all the same.
        let output_tokens = avg("total_osl").filter(|tokens| *tokens > 0.0);
        let all_tokens = Some(avg("total_isl").unwrap_or(0.0) + output_tokens.unwrap_or(0.0));
        // request_latency is in ms.
        let delay = avg("request_latency").map(|latency| latency / 1e3);
        figures.extend([
            (id!("nvidia_average_gpu_power"), Some(power)),
            (id!("nvidia_total_gpu_energy"), Some(energy)),
            (id!("nvidia_output_tokens_per_joule"), output_tokens.map(|tokens| tokens / energy)),
            (id!("nvidia_energy_per_output_token"), per(output_tokens).map(|joules| joules * 1e3)),
            (id!("nvidia_energy_per_total_token"), per(all_tokens).map(|joules| joules * 1e3)),
            (id!("nvidia_energy_per_request"), per(requests)),
            (id!("nvidia_energy_per_user"), per(concurrency)),
            (
                id!("nvidia_energy_delay_product"),
                per(requests).zip(delay).map(|(joules, delay)| joules * delay),
            ),
            (id!("nvidia_performance_per_watt"), over_power(avg("request_throughput"))),
            (id!("nvidia_output_tps_per_watt"), over_power(avg("output_token_throughput"))),
            (id!("nvidia_goodput_per_watt"), over_power(avg("goodput"))),
        ]);
    }
    figures
        .into_iter()
        .filter_map(|(id, figure)| Some((id.metric(), figure.filter(|figure| figure.is_finite())?)))
        .map(|(metric, figure): (&'static Metric, f64)| MetricSummary {
            metric,
            stats: Stats::scalar(figure),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use loadgen_core::Nanos;

    use super::*;
    use crate::summary::{OutcomeCounts, Window};

    /// The figures of a run of AIPerf 0.13.0 against two scripted GPUs.
    fn summary() -> Summary {
        let of = |tag: &str, figure| MetricSummary {
            metric: Metric::of(tag).unwrap(),
            stats: Stats::scalar(figure),
        };
        Summary {
            metrics: vec![
                of("request_count", 80.0),
                of("request_latency", 97.891_522_8),
                of("request_throughput", 19.858_662),
                of("output_token_throughput", 317.738_59),
                of("total_isl", 2560.0),
                of("total_osl", 1280.0),
            ],
            warmup_metrics: Vec::new(),
            error_summary: Vec::new(),
            ungrouped_errors: 0,
            in_band_errors: Vec::new(),
            acceptance_histogram: std::collections::BTreeMap::new(),
            warmup_error_summary: Vec::new(),
            warmup_window: None,
            counts: OutcomeCounts::default(),
            warmup_counts: OutcomeCounts::default(),
            window: Window { start: Nanos(0), end: Nanos(4_028_468_805) },
            distributions: Vec::new(),
            goodput_curve: None,
        }
    }

    fn figure(metrics: &[MetricSummary], tag: &str) -> Option<f64> {
        metrics.iter().find(|metric| metric.metric.tag == tag)?.stats.avg
    }

    #[test]
    fn the_figures_are_aiperfs() {
        let input = EnergyInput { energy_joules: 4800.0, power_watts: 290.0, concurrency: Some(2.0) };
        let metrics = energy_metrics(&summary(), input);
        for (tag, expected) in [
            ("nvidia_total_gpu_power", 290.0),
            ("nvidia_average_gpu_power", 1_191.519_714),
            ("nvidia_total_gpu_energy", 4800.0),
            ("nvidia_output_tokens_per_joule", 0.266_666_67),
            ("nvidia_energy_per_output_token", 3750.0),
            ("nvidia_energy_per_total_token", 1250.0),
            ("nvidia_energy_per_request", 60.0),
            ("nvidia_energy_per_user", 2400.0),
            ("nvidia_energy_delay_product", 5.873_491_37),
            ("nvidia_performance_per_watt", 0.016_666_667),
            ("nvidia_output_tps_per_watt", 0.266_666_67),
        ] {
            let got = figure(&metrics, tag).unwrap();
            assert!((got - expected).abs() < 1e-6 * expected, "{tag}: {got}, expected {expected}");
        }
        assert_eq!(figure(&metrics, "nvidia_goodput_per_watt"), None);
    }

    #[test]
    fn an_endpoint_that_answers_with_no_tokens_has_energy_per_token_of_its_input() {
        let input = EnergyInput { energy_joules: 4800.0, power_watts: 290.0, concurrency: None };
        let without = |tag: &str, figure: Option<f64>| {
            let mut summary = summary();
            summary.metrics.retain(|metric| metric.metric.tag != tag);
            summary.metrics.extend(figure.map(|figure| MetricSummary {
                metric: Metric::of(tag).unwrap(),
                stats: Stats::scalar(figure),
            }));
            energy_metrics(&summary, input)
        };
        for metrics in [without("total_osl", None), without("total_osl", Some(0.0))] {
            assert_eq!(figure(&metrics, "nvidia_output_tokens_per_joule"), None);
            assert_eq!(figure(&metrics, "nvidia_energy_per_output_token"), None);
            assert_eq!(figure(&metrics, "nvidia_energy_per_total_token"), Some(4800.0 * 1e3 / 2560.0));
        }
    }

    #[test]
    fn without_an_energy_counter_energy_is_power_over_time() {
        let input = EnergyInput { energy_joules: 0.0, power_watts: 290.0, concurrency: None };
        let metrics = energy_metrics(&summary(), input);
        let energy = figure(&metrics, "nvidia_total_gpu_energy").unwrap();
        assert!((energy - 290.0 * 4.028_468_805).abs() < 1e-9);
        assert_eq!(figure(&metrics, "nvidia_energy_per_user"), None);
        assert!(energy_metrics(&summary(), EnergyInput::default()).is_empty());
    }
}
