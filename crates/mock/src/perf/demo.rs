//! What the default profile makes of a real trace, in virtual time.
//!
//! The README's first command replays the first minute of the Mooncake conversation trace at four
//! times its speed. Its goodput fraction is only worth printing when it lies well inside 0 and 1, so
//! the profile's constants are held to that here.

#![allow(clippy::unwrap_used)]

use loadgen_core::Seed;
use serde::Deserialize;

use super::batch::BatchScheduler;
use super::linear::{BatchConfig, LinearCost};
use super::sim::{Simulated, simulate, work};
use super::{Jitter, Work};

#[derive(Deserialize)]
struct Row {
    timestamp: i64,
    input_length: u32,
    output_length: u32,
    hash_ids: Vec<u64>,
}

const MS: i64 = 1_000_000;

/// Rows of one instant are sent together; of their bodies the shorter are read sooner.
fn trace(until_ms: i64, speedup: i64) -> Vec<(i64, Work)> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../traces/mooncake_conversation.jsonl");
    let text = std::fs::read_to_string(path).unwrap();
    let rows = text.lines().map(|line| serde_json::from_str::<Row>(line).unwrap());
    let mut rows: Vec<Row> = rows.take_while(|row| row.timestamp <= until_ms).collect();
    rows.sort_by_key(|row| (row.timestamp, row.input_length));
    rows.into_iter()
        .zip(0..)
        .map(|(row, id)| {
            let blocks = row.hash_ids;
            let work = Work { blocks, block_tokens: 512, ..work(id, row.input_length, row.output_length) };
            (row.timestamp * MS / speedup, work)
        })
        .collect()
}

fn run(config: &BatchConfig, arrivals: Vec<(i64, Work)>) -> Vec<Simulated> {
    let jitter = Jitter::new(Seed(0), "test");
    let cost = LinearCost::from(config);
    simulate(&mut BatchScheduler::new(config.limits.clone(), cost, config.jitter, jitter), arrivals)
}

fn good_share(seen: &[Simulated], ttft_ms: i64, itl_ms: i64) -> f64 {
    let good = seen.iter().filter(|answer| answer.ttft() <= ttft_ms * MS && answer.itl() <= itl_ms * MS);
    good.count() as f64 / seen.len() as f64
}

#[test]
fn the_demo_meets_its_slos_for_a_part_of_the_requests() {
    let seen = run(&BatchConfig::default(), trace(60_000, 4));
    assert_eq!(seen.len(), 166);
    let share = good_share(&seen, 500, 50);
    let end_s = seen.iter().filter_map(|answer| answer.finished).max().unwrap() / (1000 * MS);
    assert!((0.4..0.8).contains(&share), "{share}");
    assert!(end_s < 40, "{end_s}");
}

#[test]
fn the_more_load_the_less_is_good() {
    let config = BatchConfig::default();
    let share = |speedup| good_share(&run(&config, trace(60_000, speedup)), 500, 50);
    assert!(share(1) > share(4) && share(4) > share(8));
}
