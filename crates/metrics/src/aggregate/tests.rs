#![allow(clippy::unwrap_used)]

use loadgen_core::{ErrorDetail, FailureKind, Nanos, Outcome};
use proptest::prelude::*;

use super::*;
use crate::fixture::{self, shifted};
use crate::metric::Kind;
use crate::request::request_metrics;
use crate::slo::SloSet;
use crate::stats::{PERCENTILES, Stats};
use crate::summary::Window;

fn window(upto_ms: i64) -> Windows {
    let profiling = Window { start: fixture::START, end: fixture::START + upto_ms * 1_000_000 };
    Windows { profiling, warmup: None }
}

fn summarize(records: &[RequestRecord], config: &MetricConfig, windows: &Windows) -> Summary {
    let mut aggregator = Aggregator::new(config.clone());
    for record in records {
        aggregator.push(record, &request_metrics(record, config));
    }
    aggregator.finish(windows)
}

fn avg(summary: &Summary, tag: &str) -> Option<f64> {
    summary.get(tag).map(|stats| stats.avg.unwrap())
}

fn failed(message: &str) -> RequestRecord {
    let mut record = fixture::ok(&[]);
    record.outcome = Outcome::Failed(FailureKind::HttpError);
    record.error = Some(ErrorDetail {
        code: Some(500),
        error_type: "Internal Server Error".to_owned(),
        message: message.to_owned(),
        cause: None,
        cause_chain: Vec::new(),
    });
    record
}

#[test]
fn rates_divide_by_the_window_and_not_by_the_span_of_the_successes() {
    let records = [fixture::ok(&[40, 62]), shifted(fixture::ok(&[40, 62]), 100)];
    let summary = summarize(&records, &MetricConfig::default(), &window(500));
    assert_eq!(avg(&summary, "request_throughput"), Some(4.0));
    assert_eq!(avg(&summary, "output_token_throughput"), Some(32.0));
    assert_eq!(avg(&summary, "input_token_throughput"), Some(128.0));
    assert_eq!(avg(&summary, "total_token_throughput"), Some(160.0));
    assert_eq!(avg(&summary, "benchmark_duration"), Some(0.162));
    assert_eq!((avg(&summary, "total_isl"), avg(&summary, "total_osl")), (Some(64.0), Some(16.0)));
    assert_eq!(avg(&summary, "request_error_rate"), Some(0.0));
    for absent in ["error_request_count", "context_overflow_count", "goodput", "adj_request_latency"] {
        assert_eq!(summary.get(absent), None, "{absent}");
    }
}

/// Records enough for every part to be put aside.
#[test]
fn figures_from_disk_are_those_from_memory() {
    let config = MetricConfig {
        slos: SloSet::parse("time_to_first_token:1", &MetricConfig::default()).unwrap(),
        ..MetricConfig::default()
    };
    let folder = tempfile::tempdir().unwrap();
    let mut in_memory = Aggregator::new(config.clone());
    let mut on_disk = Aggregator::spilling(config.clone(), folder.path());
    for number in 0..70_000_i64 {
        let first = 300 + number * 7919 % 1000;
        let record = shifted(fixture::ok(&[first, first + 20 + number % 7, first + 60]), number * 31 % 5000);
        let metrics = request_metrics(&record, &config);
        in_memory.push(&record, &metrics);
        on_disk.push(&record, &metrics);
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "what is put aside has no name");
    let (on_disk, in_memory) = (on_disk.try_finish(&window(7000)).unwrap(), in_memory.finish(&window(7000)));
    for (left, right) in on_disk.metrics.iter().zip(&in_memory.metrics) {
        assert_eq!(left.stats, right.stats, "{}", left.metric.tag);
    }
    assert!(on_disk == in_memory, "what is drawn is the same");
}

#[test]
fn scalars_have_nothing_but_an_average() {
    let summary = summarize(&[fixture::ok(&[40, 62])], &MetricConfig::default(), &window(100));
    for summary in &summary.metrics {
        let is_scalar = matches!(summary.metric.kind, Kind::Aggregate | Kind::Derived);
        assert_eq!(summary.stats.is_distribution(), !is_scalar, "{}", summary.metric.tag);
        assert!(!is_scalar || (summary.stats.sum, summary.stats.count) == (None, None));
    }
}

#[test]
fn errors_are_counted_grouped_and_kept_out_of_latencies() {
    let records = [
        fixture::ok(&[40, 62]),
        failed("a"),
        failed("maximum CONTEXT length is 8"),
        failed("a"),
        failed("b"),
    ];
    let summary = summarize(&records, &MetricConfig::default(), &window(1000));
    assert_eq!(avg(&summary, "request_count"), Some(1.0));
    assert_eq!(avg(&summary, "error_request_count"), Some(4.0));
    assert_eq!(avg(&summary, "completed_request_count"), Some(5.0));
    assert_eq!(avg(&summary, "request_error_rate"), Some(80.0));
    assert_eq!(avg(&summary, "context_overflow_count"), Some(1.0));
    let other = summarize(&[fixture::ok(&[40]), failed("a")], &MetricConfig::default(), &window(1000));
    assert_eq!(avg(&other, "context_overflow_count"), Some(0.0), "an error, and no overflow");
    assert_eq!(avg(&summary, "total_error_isl"), Some(128.0));
    assert_eq!(summary.get("request_latency").unwrap().count, Some(1));
    assert_eq!(summary.get("adj_request_latency").unwrap().count, Some(5));
    assert_eq!(summary.get("effective_latency").unwrap().count, Some(5));
    let grouped: Vec<_> =
        summary.error_summary.iter().map(|(error, count)| (error.message.as_str(), *count)).collect();
    assert_eq!(grouped, [("a", 2), ("b", 1), ("maximum CONTEXT length is 8", 1)]);
}

#[test]
fn errors_of_one_message_are_told_apart_by_code_and_type() {
    let with = |code, error_type: &str| {
        let mut record = failed("same");
        record.error =
            record.error.map(|error| ErrorDetail { code, error_type: error_type.to_owned(), ..error });
        record
    };
    let records = [
        with(Some(500), "A"),
        with(Some(503), "A"),
        with(None, "A"),
        with(Some(500), "B"),
        with(Some(500), "A"),
    ];
    let summary = summarize(&records, &MetricConfig::default(), &window(1000));
    let counts: Vec<_> = summary.error_summary.iter().map(|(_, count)| *count).collect();
    assert_eq!(counts, [2, 1, 1, 1]);
    assert_eq!(summary.error_summary[0].0.error_type, "A");
}

#[test]
fn endless_distinct_errors_do_not_take_endless_memory() {
    let records: Vec<_> = (0..1500).map(|number| failed(&number.to_string())).collect();
    let summary = summarize(&records, &MetricConfig::default(), &window(1000));
    assert_eq!((summary.error_summary.len(), summary.ungrouped_errors), (1000, 500));
}

#[test]
fn every_outcome_is_counted_and_only_answers_are_summed_up() {
    let records: Vec<_> =
        Outcome::ALL.into_iter().map(|outcome| RequestRecord { outcome, ..fixture::ok(&[40, 62]) }).collect();
    let summary = summarize(&records, &MetricConfig::default(), &window(1000));
    let counts = summary.counts;
    assert_eq!((counts.scheduled(), counts.ok, counts.failed()), (9, 1, 5));
    assert_eq!((counts.cancelled, counts.aborted, counts.not_sent), (1, 1, 1));
    assert_eq!(avg(&summary, "completed_request_count"), Some(7.0));
}

#[test]
fn goodput_counts_good_requests_against_all_that_ended() {
    let slos = SloSet::parse("time_to_first_token:50", &MetricConfig::default()).unwrap();
    let config = MetricConfig { slos, ..MetricConfig::default() };
    let records = [fixture::ok(&[40, 62]), fixture::ok(&[51, 62]), fixture::ok(&[50, 62]), failed("a")];
    let summary = summarize(&records, &config, &window(500));
    assert_eq!(avg(&summary, "good_request_count"), Some(2.0));
    assert_eq!(avg(&summary, "good_request_fraction"), Some(0.5));
    assert_eq!(avg(&summary, "goodput"), Some(4.0));
    let curve = summary.goodput_curve.unwrap();
    assert_eq!(curve.points, [(40.0, 0.25), (50.0, 0.5), (51.0, 0.75)]);
    let none = summarize(&[failed("a")], &config, &window(500));
    assert_eq!((avg(&none, "goodput"), avg(&none, "good_request_fraction")), (Some(0.0), Some(0.0)));
}

#[test]
fn the_warm_up_is_summed_up_apart() {
    let mut warm = fixture::ok(&[400, 620]);
    warm.identity.phase = Phase::Warmup;
    let records = [warm, fixture::ok(&[40, 62])];
    let summary = summarize(&records, &MetricConfig::default(), &window(100));
    assert_eq!(avg(&summary, "time_to_first_token"), Some(40.0));
    assert_eq!(summary.warmup("time_to_first_token").unwrap().avg, Some(400.0));
    assert_eq!((summary.counts.ok, summary.warmup_counts.ok), (1, 1));
    // Without a window of its own the warm-up's is its records' span: 620 ms.
    let rate = summary.warmup("request_throughput").unwrap().avg.unwrap();
    assert!((rate - 1.0 / 0.62).abs() < 1e-9, "{rate}");
}

#[test]
fn lag_behind_a_schedule_counts_from_its_least() {
    let config = MetricConfig { fixed_schedule: true, ..MetricConfig::default() };
    let late = |ms: i64| {
        let mut record = fixture::ok(&[40, 62]);
        record.instants.scheduled = Some(fixture::START - ms * 1_000_000);
        record
    };
    let summary = summarize(&[late(7), late(3), late(5)], &config, &window(100));
    assert!((avg(&summary, "replay_sched_lag_p50").unwrap() - 2.0).abs() < 1e-9);
    assert!((avg(&summary, "replay_sched_lag_p90").unwrap() - 3.6).abs() < 1e-9);
    assert_eq!(avg(&summary, "replay_sched_degraded"), Some(0.0));
    let summary = summarize(&[late(0), late(600)], &config, &window(100));
    assert_eq!(avg(&summary, "replay_sched_degraded"), Some(1.0));
    let summary = summarize(&[late(7)], &MetricConfig::default(), &window(100));
    assert_eq!(summary.get("replay_sched_lag_p50"), None);
}

#[test]
fn nothing_at_all_still_gives_a_summary() {
    let windows = Windows { profiling: Window { start: Nanos(5), end: Nanos(5) }, warmup: None };
    let summary = summarize(&[], &MetricConfig::default(), &windows);
    assert_eq!(avg(&summary, "request_count"), Some(0.0));
    assert_eq!(summary.get("request_throughput"), None);
    assert!(summary.warmup_metrics.is_empty() && summary.distributions.is_empty());
}

proptest! {
    /// The statistics of every per-request metric follow from its values, whatever the order; sums to
    /// the last digit but one.
    #[test]
    fn summaries_follow_from_the_values(
        latencies in prop::collection::vec((1_i64..10_000, prop::collection::vec(0_i64..500, 0..6)), 1..40),
        turn in 0_usize..40,
    ) {
        let config = MetricConfig::default();
        let mut records: Vec<RequestRecord> = latencies
            .iter()
            .map(|(first, gaps)| {
                let mut chunks = vec![*first];
                chunks.extend(gaps.iter().scan(*first, |at, gap| { *at += gap; Some(*at) }));
                fixture::ok(&chunks)
            })
            .collect();
        let summary = summarize(&records, &config, &window(20_000));
        let turn = turn % records.len();
        records.rotate_left(turn);
        let turned = summarize(&records, &config, &window(20_000));
        for (left, right) in summary.metrics.iter().zip(&turned.metrics) {
            let rounded = Stats { avg: None, std: None, sum: None, ..left.stats };
            prop_assert_eq!(rounded, Stats { avg: None, std: None, sum: None, ..right.stats });
            for (left, right) in [(left.stats.avg, right.stats.avg), (left.stats.std, right.stats.std)] {
                let (left, right) = (left.unwrap_or(0.0), right.unwrap_or(0.0));
                prop_assert!((left - right).abs() <= 1e-12 * left.abs().max(1.0), "{} {}", left, right);
            }
        }
        prop_assert_eq!(summary.metrics.len(), turned.metrics.len());
        prop_assert_eq!(&summary.distributions, &turned.distributions);
        prop_assert_eq!(&summary.goodput_curve, &turned.goodput_curve);

        let mut values = std::collections::BTreeMap::<&str, Vec<f64>>::new();
        for record in &records {
            for (metric, value) in request_metrics(record, &config).iter() {
                let samples = values.entry(metric.tag).or_default();
                match value {
                    crate::MetricValue::Int(value) => samples.push(value as f64),
                    crate::MetricValue::Float(value) => samples.push(value),
                    crate::MetricValue::List(more) => samples.extend(more),
                }
            }
        }
        for (tag, mut samples) in values {
            let stats = summary.get(tag).unwrap();
            samples.sort_by(f64::total_cmp);
            let count = samples.len() as f64;
            let mean = samples.iter().sum::<f64>() / count;
            let near = |ours: Option<f64>, naive: f64| (ours.unwrap() - naive).abs() <= 1e-9 * naive.abs().max(1.0);
            prop_assert!(near(stats.avg, mean) && near(stats.sum, mean * count), "{}", tag);
            prop_assert_eq!(stats.count, Some(samples.len() as u64));
            let variance = samples.iter().map(|sample| (sample - mean).powi(2)).sum::<f64>() / count;
            prop_assert!((stats.std.unwrap() - variance.sqrt()).abs() <= 1e-6 * mean.abs().max(1.0), "{}", tag);
            for percent in PERCENTILES {
                let rank = (count - 1.0) * f64::from(percent) / 100.0;
                let below = samples[rank.floor() as usize];
                let above = samples[(rank.floor() as usize + 1).min(samples.len() - 1)];
                let naive = below + (above - below) * (rank - rank.floor());
                prop_assert!(near(stats.percentile(percent), naive), "{} p{}", tag, percent);
            }
        }
    }
}

/// What slices there are, of records in any order.
fn slices(records: &[RequestRecord], width_ms: i64, folder: Option<&Path>) -> Vec<SliceSummary> {
    let config = MetricConfig::default();
    let mut aggregator =
        folder.map_or_else(|| Aggregator::new(config.clone()), |at| Aggregator::spilling(config.clone(), at));
    aggregator = aggregator.sliced(width_ms * 1_000_000);
    for record in records {
        aggregator.push(record, &request_metrics(record, &config));
    }
    let mut slices = Vec::new();
    let mut keep = |slice: &SliceSummary| -> Result<(), SpillError> {
        slices.push(slice.clone());
        Ok(())
    };
    aggregator.try_finish_slices(&window(5000), &mut keep).unwrap();
    slices
}

fn of_slice(slice: &SliceSummary, tag: &str) -> Option<Stats> {
    slice.metrics.iter().find(|summary| summary.metric.tag == tag).map(|summary| summary.stats)
}

#[test]
fn a_request_belongs_to_the_slice_in_which_it_began() {
    // Two in the first 100 ms, none in the second, an error and a success in the third. A warm-up before.
    let mut warm = shifted(fixture::ok(&[40, 62]), -500);
    warm.identity.phase = Phase::Warmup;
    let mut error = failed("maximum context length");
    error.instants = shifted(error.clone(), 250).instants;
    let records = [
        warm,
        shifted(fixture::ok(&[20, 62]), 260),
        error,
        shifted(fixture::ok(&[30, 62]), 90),
        fixture::ok(&[40, 62]),
    ];
    let slices = slices(&records, 100, None);
    let bounds: Vec<_> = slices
        .iter()
        .map(|slice| ((slice.window.start - fixture::START.0).0 / 1_000_000, slice.window.seconds()))
        .collect();
    // The last request is over 63 ms after its start at 260 ms.
    assert_eq!(bounds, [(0, 0.1), (200, 0.1)]);
    assert_eq!(slices.iter().map(|slice| slice.is_complete).collect::<Vec<_>>(), [true, true]);
    let figure = |slice: usize, tag: &str| of_slice(&slices[slice], tag).and_then(|stats| stats.avg);
    assert_eq!((figure(0, "request_count"), figure(1, "request_count")), (Some(2.0), Some(1.0)));
    assert_eq!((figure(0, "request_throughput"), figure(1, "request_throughput")), (Some(20.0), Some(10.0)));
    assert_eq!(figure(0, "time_to_first_token"), Some(35.0));
    assert_eq!(figure(0, "benchmark_duration"), Some(0.152));
    assert_eq!((figure(0, "error_request_count"), figure(1, "error_request_count")), (None, Some(1.0)));
    assert_eq!(figure(1, "context_overflow_count"), Some(1.0));
    assert_eq!(of_slice(&slices[1], "adj_request_latency").unwrap().count, Some(2));
    assert_eq!(of_slice(&slices[0], "adj_request_latency"), None);
    // The first is under way for 63 ms of the slice, the second for the last 10 ms of it.
    let concurrency = figure(0, "effective_concurrency").unwrap();
    assert!((concurrency - 0.73).abs() < 1e-9, "{concurrency}");
    for run_only in ["effective_latency", "credit_to_start_latency", "replay_sched_lag_p50"] {
        assert_eq!(figure(0, run_only), None, "{run_only}");
    }
}

#[test]
fn slices_share_out_all_requests_and_the_last_one_ends_with_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let records: Vec<_> = (0..3000_i64)
        .map(|number| shifted(fixture::ok(&[20 + number % 30, 62]), number * 7919 % 3000))
        .collect();
    for folder in [None, Some(folder.path())] {
        let slices = slices(&records, 400, folder);
        assert_eq!(slices.len(), 8);
        let counts = slices.iter().map(|slice| of_slice(slice, "request_count").unwrap().avg.unwrap());
        assert_eq!(counts.sum::<f64>(), 3000.0);
        let (last, rest) = slices.split_last().unwrap();
        assert!(rest.iter().all(|slice| slice.is_complete && slice.window.seconds() == 0.4));
        // It ends 63 ms after the last start, at 2999 ms.
        assert_eq!((last.is_complete, last.window.seconds()), (false, 0.262));
        assert!(last.metrics.iter().all(|summary| summary.stats.avg.is_none_or(f64::is_finite)));
    }
}

#[test]
fn one_slice_over_everything_is_the_summary() {
    // In the order of their starts, in which slices take them: the last bit of a sum depends on it.
    let records: Vec<_> =
        (0..50_i64).map(|number| shifted(fixture::ok(&[20 + number % 9, 62]), number * 8)).collect();
    let all = slices(&records, 10_000, None);
    let [slice] = &all[..] else { panic!("{} slices", all.len()) };
    let windows = Windows { profiling: slice.window, warmup: None };
    let summary = summarize(&records, &MetricConfig::default(), &windows);
    let only_the_runs = ["effective_latency", "credit_to_start_latency"];
    let expected: Vec<_> =
        summary.metrics.into_iter().filter(|summary| !only_the_runs.contains(&summary.metric.tag)).collect();
    for (slice, run) in slice.metrics.iter().zip(&expected) {
        assert_eq!(slice, run);
    }
    assert_eq!(slice.metrics.len(), expected.len());
}

#[test]
fn latencies_without_the_network_lose_one_round_trip_and_do_not_go_below_zero() {
    let records = [fixture::ok(&[3, 62]), fixture::ok(&[40, 82])];
    let config = MetricConfig::default();
    let of = |rtt_ns| {
        let mut aggregator = Aggregator::new(config.clone());
        aggregator.set_network_rtt_ns(rtt_ns);
        for record in &records {
            aggregator.push(record, &request_metrics(record, &config));
        }
        aggregator.finish(&window(100))
    };
    let summary = of(Some(5e6));
    let ttft = summary.get("network_adjusted_time_to_first_token").unwrap();
    assert_eq!((ttft.min, ttft.max, ttft.avg, ttft.sum), (Some(0.0), Some(35.0), Some(17.5), Some(35.0)));
    assert_eq!((ttft.percentile(50), ttft.std, ttft.count), (Some(17.5), Some(17.5), None));
    assert_eq!(summary.get("network_adjusted_request_latency").unwrap().avg, Some(67.0));
    assert!(summary.get("network_adjusted_time_to_first_output_token").is_some());
    let rtt = summary.get("network_rtt").unwrap();
    assert_eq!((rtt.avg, rtt.percentile(99), rtt.std, rtt.count), (Some(5.0), Some(5.0), Some(0.0), None));
    for none in [None, Some(0.0)] {
        assert!(!of(none).metrics.iter().any(|summary| summary.metric.tag.starts_with("network_")));
    }
}

#[test]
fn an_error_inside_a_response_counts_beside_aiperfs_success() {
    let mut told = fixture::ok(&[40, 62]);
    told.error = failed("engine died").error;
    let mut aborted = fixture::ok(&[]);
    aborted.outcome = Outcome::Aborted;
    let records = [fixture::ok(&[40, 62]), told.clone(), told, aborted];
    let summary = summarize(&records, &MetricConfig::default(), &window(1000));
    assert_eq!(avg(&summary, "request_count"), Some(3.0));
    assert_eq!(
        (avg(&summary, "error_request_count"), avg(&summary, "request_error_rate")),
        (None, Some(0.0))
    );
    assert_eq!(avg(&summary, "in_band_error_count"), Some(2.0));
    assert_eq!(
        (avg(&summary, "aborted_request_count"), avg(&summary, "not_sent_request_count")),
        (Some(1.0), None)
    );
    assert!(summary.error_summary.is_empty());
    assert_eq!(summary.in_band_errors[0].1, 2);
    assert_eq!((summary.counts.ok, summary.counts.flawless(), summary.counts.scheduled()), (3, 1, 4));
}

#[test]
fn lag_behind_a_schedule_is_given_against_the_least_and_against_the_schedule() {
    let config = MetricConfig { fixed_schedule: true, ..MetricConfig::default() };
    let late = |ms: i64| {
        let mut record = fixture::ok(&[40, 62]);
        record.instants.scheduled = Some(fixture::START - ms * 1_000_000);
        record
    };
    let summary = summarize(&[late(100), late(700), late(300)], &config, &window(1000));
    assert_eq!(avg(&summary, "replay_sched_lag_p50"), Some(200.0));
    assert_eq!(avg(&summary, "replay_sched_lag_absolute_p50"), Some(300.0));
    assert_eq!(avg(&summary, "replay_sched_lag_absolute_p99"), Some(692.0));
    assert_eq!(avg(&summary, "replay_sched_degraded"), Some(1.0));
}

#[test]
fn the_warm_up_has_its_own_window_and_errors() {
    let mut warm = failed("not yet");
    warm.identity.phase = Phase::Warmup;
    let summary = summarize(&[warm, fixture::ok(&[40, 62])], &MetricConfig::default(), &window(1000));
    assert_eq!(summary.warmup_error_summary[0].0.message, "not yet");
    assert_eq!(summary.warmup_window.map(|window| window.start), Some(fixture::START));
    assert_eq!(summary.warmup("error_request_count").unwrap().avg, Some(1.0));
    let summary = summarize(&[fixture::ok(&[40, 62])], &MetricConfig::default(), &window(1000));
    assert_eq!((summary.warmup_window, summary.warmup_error_summary.len()), (None, 0));
}
