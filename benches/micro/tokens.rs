//! Counting tokens of answers: the whole of the CPU time that is not about the wire.

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use loadgen_core::CountTokens;
use loadgen_tokens::Tokenizer;

/// Prose, numbers and code in equal parts, as answers have them.
const TEXT: &str = "The quick brown fox jumps over the lazy dog, and nobody minds. In 2026 there were 1,234,567 of \
                    them. fn main() { println!(\"{}\", 6 * 7); } ";

pub(crate) fn benches(criterion: &mut Criterion) {
    let tokenizer = Tokenizer::builtin();
    let text = TEXT.repeat(8);
    let tokens = tokenizer.count(&text) as u64;
    let mut group = criterion.benchmark_group("tokens");
    group.throughput(Throughput::Elements(tokens));
    group.bench_function("count", |bencher| bencher.iter(|| tokenizer.count(black_box(&text))));
    let mut ends = Vec::new();
    group.bench_function("where each token ends", |bencher| {
        bencher.iter(|| {
            ends.clear();
            tokenizer.token_ends_into(black_box(&text), &mut ends);
            ends.len()
        });
    });
    group.finish();
}
