//! What follows from one record, and costs something for each: its metrics, its line of the per-request
//! file, and what it says about the client. A record has 64 chunks, as in the largest run promised.

#![allow(missing_docs)]

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use loadgen_core::{
    ChunkKind, Chunks, ConnectionFacts, Identity, Instants, Nanos, Outcome, Phase, RequestRecord,
    StampCounts, TokenCounts,
};
use loadgen_metrics::{MetricConfig, QualityInput, request_metrics};
use loadgen_report::RecordLines;

const CHUNKS: usize = 64;
/// Records that differ, so that neither branches nor caches learn one by heart.
const RECORDS: usize = 256;

/// About 20 ms apart, to the nanosecond, none of them round.
fn record(number: usize) -> RequestRecord {
    let start = Nanos(1_795_303_340_379_926_628 + number as i64 * 1_234_567);
    let at = |ns: i64| Some(start + ns);
    let jitter = |chunk: usize| ((number * 7919 + chunk * 104_729) % 1_999_993) as i64;
    let offset_ns: Vec<i64> =
        (0..CHUNKS).map(|chunk| 50_000_000 + chunk as i64 * 20_000_000 + jitter(chunk)).collect();
    let (first, last) = (offset_ns[0], offset_ns[CHUNKS - 1]);
    RequestRecord {
        identity: Identity {
            request_id: "3fbf3798-33fd-4a6b-8a55-0123456789ab".parse().expect("a UUID"),
            correlation_id: Arc::from("7d444840-9dc0-41d1-b245-5ffdce74fad2"),
            session_id: Arc::from("session_000123"),
            model: Arc::from("model"),
            url_index: 0,
            worker_id: 1,
            source_row: None,
            session_num: number as i64,
            turn_index: 0,
            phase: Phase::Profiling,
            phase_index: 0,
            hash_ids: None,
            labels: Vec::new(),
        },
        instants: Instants {
            scheduled: at(-30_123),
            released: at(-10_123),
            request_start: at(0),
            send_start: at(20_456),
            send_end: at(40_789),
            first_byte: at(first - 1000),
            headers: at(first - 1000),
            first_token: at(first),
            first_output_token: at(first),
            last_token: at(last),
            end: at(last + 5000),
        },
        connection: ConnectionFacts {
            connection_id: Some(1),
            reused: true,
            request_bytes: 2048,
            response_bytes: 16_384,
            reads: 65,
            first_body: at(first),
            last_body: at(last + 5000),
            ..ConnectionFacts::default()
        },
        status: Some(200),
        outcome: Outcome::Ok,
        error: None,
        finish_reason: Some("length".to_owned()),
        tokens: TokenCounts {
            requested_output: Some(CHUNKS as i64),
            input: Some(512),
            output: Some(CHUNKS as i64),
            ..TokenCounts::default()
        },
        stamps: StampCounts { kernel: CHUNKS as u32, ..StampCounts::default() },
        chunks: Chunks {
            offset_ns,
            uncertainty_ns: vec![0; CHUNKS],
            read_lag_ns: (0..CHUNKS).map(|chunk| 20_000 + jitter(chunk) / 100).collect(),
            tokens: vec![1; CHUNKS],
            bytes: vec![200; CHUNKS],
            kind: vec![ChunkKind::Text; CHUNKS],
        },
        good: None,
        degraded: false,
        cancelled_at: None,
    }
}

fn rows(criterion: &mut Criterion) {
    let config = MetricConfig::default();
    let records: Vec<RequestRecord> = (0..RECORDS).map(record).collect();
    let metrics: Vec<_> = records.iter().map(|record| request_metrics(record, &config)).collect();
    let lines = RecordLines::new("3fbf379833fd", 0);

    let mut group = criterion.benchmark_group("rows of 64 chunks");
    group.throughput(Throughput::Elements((RECORDS * CHUNKS) as u64));
    group.bench_function("request_metrics", |bencher| {
        bencher.iter(|| {
            for record in &records {
                black_box(request_metrics(black_box(record), &config));
            }
        });
    });
    group.bench_function("columns", |bencher| {
        bencher.iter(|| {
            for metrics in &metrics {
                black_box(black_box(metrics).columns());
            }
        });
    });
    group.bench_function("RecordLines::write", |bencher| {
        let mut out = Vec::new();
        bencher.iter(|| {
            out.clear();
            for (record, metrics) in records.iter().zip(&metrics) {
                lines.write(black_box(record), metrics, &mut out);
            }
            out.len()
        });
    });
    group.bench_function("QualityInput::push", |bencher| {
        let mut input = QualityInput::new(false);
        bencher.iter(|| {
            for record in &records {
                input.push(black_box(record));
            }
        });
    });
    group.finish();
}

criterion_group!(benches, rows);
criterion_main!(benches);
