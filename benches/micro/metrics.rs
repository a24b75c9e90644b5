//! What follows from one record (its metrics, its line, what it says about the client), and statistics over
//! many.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput};
use loadgen_metrics::{Aggregator, MetricConfig, QualityInput, Window, Windows, request_metrics};
use loadgen_report::RecordLines;

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
    group.bench_function("columns", |bencher| {
        bencher.iter(|| metrics.iter().for_each(|metrics| drop(black_box(black_box(metrics).columns()))));
    });
    group.bench_function("lines of the per-request file", |bencher| {
        let lines = RecordLines::new("3fbf379833fd", 0);
        let mut out = Vec::new();
        bencher.iter(|| {
            out.clear();
            for (record, metrics) in records.iter().zip(&metrics) {
                lines.write(black_box(record), metrics, &mut out);
            }
            out.len()
        });
    });
    group.bench_function("what records say about the client", |bencher| {
        let mut input = QualityInput::new(false);
        bencher.iter(|| records.iter().for_each(|record| input.push(black_box(record))));
    });
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
