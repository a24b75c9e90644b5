//! Numbers of one record, and statistics over many.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput};
use loadgen_metrics::{Aggregator, MetricConfig, Window, Windows, request_metrics};

use crate::samples::{self, CHUNKS};

const RECORDS: usize = 2_000;

pub(crate) fn benches(criterion: &mut Criterion) {
    let config = MetricConfig::default();
    let records: Vec<_> = (0..RECORDS as i64).map(samples::counted).collect();
    let metrics: Vec<_> = records.iter().map(|record| request_metrics(record, &config)).collect();
    let start = records[0].instants.request_start.expect("samples have all instants");
    let end = records[RECORDS - 1].instants.end.expect("samples have all instants");
    let windows = Windows { profiling: Window { start, end }, warmup: None };

    let mut group = criterion.benchmark_group("metrics");
    group.bench_function("metrics of a request of 64 chunks", |bencher| {
        bencher.iter(|| request_metrics(black_box(&records[7]), &config));
    });
    group.throughput(Throughput::Elements((RECORDS * CHUNKS) as u64));
    let filled = || {
        let mut aggregator = Aggregator::new(config.clone());
        records.iter().zip(&metrics).for_each(|(record, metrics)| aggregator.push(record, metrics));
        aggregator
    };
    group.bench_function("add requests to the statistics", |bencher| bencher.iter(filled));
    group.bench_function("exact percentiles of all metrics", |bencher| {
        bencher.iter_batched(filled, |aggregator| aggregator.finish(&windows), BatchSize::LargeInput);
    });
    group.finish();
}
