//! Arrivals a second of each process: drawing them must cost nothing beside sending.

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use loadgen_core::Seed;
use loadgen_schedule::{
    ArrivalProcess, FixedOffsets, Rate, RateFunction, Schedule, Sinusoid, Smoothness, StopCondition,
};

const ARRIVALS: u64 = 10_000;

pub(crate) fn benches(criterion: &mut Criterion) {
    let steady = RateFunction::Constant(Rate::new(2_000.0).expect("a rate"));
    let tide = RateFunction::Sinusoid(Sinusoid::new(500.0, 4_000.0, 60.0, 0.0).expect("a tide"));
    let smoothness = Smoothness::new(2.0).expect("a shape");
    let offsets: Vec<i64> = (0..ARRIVALS as i64).map(|index| index * 500_000).collect();
    let processes = [
        ("constant", ArrivalProcess::Constant(steady)),
        ("poisson", ArrivalProcess::Poisson(steady)),
        ("gamma", ArrivalProcess::Gamma { rate: steady, smoothness }),
        ("poisson with a tide", ArrivalProcess::Poisson(tide)),
        ("fixed", ArrivalProcess::FixedSchedule(FixedOffsets::new(offsets).expect("offsets in order"))),
    ];
    let mut group = criterion.benchmark_group("schedule");
    group.throughput(Throughput::Elements(ARRIVALS));
    for (name, process) in processes {
        let schedule = Schedule::new(process, StopCondition::after_requests(ARRIVALS), Seed(1));
        group.bench_function(name, |bencher| {
            bencher.iter(|| black_box(&schedule).arrivals().map(black_box).count());
        });
    }
    group.finish();
}
