//! What the parts cost, one at a time: the same work over and over, with nothing else in the way.
//!
//! Only public interfaces are called, so that a part can be rewritten and compared. What a part costs inside
//! a run, where caches are shared, is for the end-to-end bench to say.

mod metrics;
mod record;
mod samples;
mod schedule;
mod tokens;
mod wire;

use std::time::Duration;

use criterion::Criterion;

fn main() {
    // Differences of a few percent do not matter here; that all of it takes a minute does.
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    wire::benches(&mut criterion);
    schedule::benches(&mut criterion);
    record::benches(&mut criterion);
    metrics::benches(&mut criterion);
    tokens::benches(&mut criterion);
    criterion.final_summary();
}
