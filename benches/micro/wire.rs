//! Splitting and decoding a streamed answer, one event a read.

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use loadgen_core::{Nanos, StampSource};
use loadgen_wire::{Appetite, Arrival, EndpointKind, Observation, ResponseDecoder, SseParser};

use crate::samples;

pub(crate) fn benches(criterion: &mut Criterion) {
    let events = samples::events();
    let mut group = criterion.benchmark_group("wire");
    group.throughput(Throughput::Elements(events.len() as u64));
    group.bench_function("split events", |bencher| {
        bencher.iter(|| {
            let mut parser = SseParser::default();
            let mut bytes = 0;
            for event in &events {
                parser.push(black_box(event), |event| bytes += event.data.len()).expect("events are short");
            }
            bytes
        });
    });
    group.bench_function("split and decode chat chunks", |bencher| {
        bencher.iter(|| {
            let mut observation = Observation::starting_at(Nanos(0));
            let mut decoder = ResponseDecoder::new(EndpointKind::Chat);
            let head = decoder.head(200, "OK", "text/event-stream", "", &mut observation);
            assert_eq!(head, Appetite::More);
            for (index, event) in events.iter().enumerate() {
                let at = arrival(index as i64);
                let _ = decoder.feed(black_box(event), &at, &mut observation);
            }
            decoder.finish(&arrival(events.len() as i64), &mut observation);
            assert_eq!(observation.chunks.len(), samples::CHUNKS);
            observation
        });
    });
    group.finish();
}

/// The read that brought the event numbered `index`, and nothing else.
fn arrival(index: i64) -> Arrival {
    let stamp = Nanos(1_000_000 * (index + 1));
    Arrival {
        stamp,
        source: StampSource::Kernel,
        read_at: stamp + 10_000,
        read: index.unsigned_abs() + 1,
        is_drained: true,
        not_before: Nanos(stamp.0 - 500_000),
        ..Arrival::default()
    }
}
