//! A generated trace keeps its promises: reproducible, sized as announced, replayable, and as many
//! requests a second as the rate's integral says.

#![allow(clippy::unwrap_used)]

use std::collections::HashMap;

use loadgen_schedule::RateFunction;
use loadgen_schedule::fit::ChiSquare;
use proptest::prelude::*;

use super::*;
use crate::config::TraceConfig;
use crate::trace::{Input, Trace, parse_line};

/// The significance of every fit; seeds are fixed, so nothing is left to chance.
const ALPHA: f64 = 0.001;

/// Rates from 5 to 45 over the default ten seconds, for half an hour.
fn half_hour(rate_mode: RateMode, seed: u64) -> Sinusoidal {
    Options {
        time_duration_s: Some(1800),
        request_rate_min: Some(5.0),
        request_rate_max: Some(45.0),
        isl1: Some(2048),
        osl1: Some(256),
        rate_mode,
        seed,
        ..Options::default()
    }
    .resolve()
    .unwrap()
}

fn per_second_fit(workload: &Sinusoidal) -> ChiSquare {
    let rate = RateFunction::Sinusoid(*workload.rate());
    // A row of second s carries a timestamp in [s, s + 1): shifted by less than a millisecond, so that
    // it is counted there.
    let offsets = workload.rows().map(|row| row.timestamp * 1_000_000 + 500_000);
    ChiSquare::of_arrivals(offsets, &rate, 1.0, 1800)
}

#[test]
fn exact_counts_fit_the_integral_and_counts_of_held_steps_do_not() {
    for seed in 0..3 {
        let exact = per_second_fit(&half_hour(RateMode::Exact, seed));
        let step = per_second_fit(&half_hour(RateMode::Step, seed));
        assert_eq!(exact.degrees_of_freedom, step.degrees_of_freedom);
        assert!(exact.fits(ALPHA), "seed {seed}: {exact:?}");
        assert!(exact.upper_tail() < 1.0 - ALPHA, "seed {seed}, too regular: {exact:?}");
        assert!(!step.fits(ALPHA), "seed {seed}: {step:?}");
    }
}

/// The step mode is Dynamo's, not merely wrong: its counts fit the held rate.
#[test]
fn held_steps_fit_the_rate_at_their_start() {
    let workload = half_hour(RateMode::Step, 1);
    let mut observed = vec![0; 1800];
    for row in workload.rows() {
        observed[(row.timestamp / 1000) as usize] += 1;
    }
    let held: Vec<f64> = (0..1800).map(|second| workload.rate().rate_at(f64::from(second))).collect();
    let fit = ChiSquare::of_counts(&observed, &held);
    assert!(fit.fits(ALPHA) && fit.upper_tail() < 1.0 - ALPHA, "{fit:?}");
}

#[test]
fn steps_are_spaced_evenly_from_their_start() {
    let options = Options {
        time_duration_s: Some(7),
        process_interval_s: Some(3),
        request_rate_min: Some(20.0),
        request_rate_max: Some(20.0),
        rate_mode: RateMode::Step,
        ..Options::default()
    };
    let workload = options.resolve().unwrap();
    assert_eq!(workload.steps().collect::<Vec<_>>(), [(0.0, 3.0), (3.0, 6.0), (6.0, 7.0)]);
    let last: Vec<f64> = workload.arrivals_s().filter(|at| *at >= 6.0).collect();
    let spacing = 1.0 / last.len() as f64;
    assert!(last.len() > 5);
    assert!(last.iter().enumerate().all(|(k, at)| (at - (6.0 + k as f64 * spacing)).abs() < 1e-9));
}

#[test]
fn class_shares_follow_their_wave() {
    let workload = half_hour(RateMode::Exact, 2);
    let mut observed = [0, 0];
    // Requests of class 1 by the part of the ten-second swing in which they fall.
    let mut low_and_high = [[0_u32; 2]; 2];
    for row in workload.rows() {
        let second_class = usize::from(row.input_length == 5000);
        observed[second_class] += 1;
        let is_high = (2500..7500).contains(&(row.timestamp % 10_000));
        low_and_high[usize::from(is_high)][second_class] += 1;
    }
    let mix = workload.mix();
    let expected = mix.classes.map(|class| class.expected_requests);
    let fit = ChiSquare::of_counts(&observed, &expected);
    assert!(fit.fits(ALPHA), "{observed:?} of {expected:?}");
    let share = |[one, two]: [u32; 2]| f64::from(one) / f64::from(one + two);
    assert!(share(low_and_high[0]) < 0.45 && share(low_and_high[1]) > 0.6, "{low_and_high:?}");
}

#[test]
fn the_mix_announces_what_is_written() {
    for rate_mode in [RateMode::Exact, RateMode::Step] {
        let workload = half_hour(rate_mode, 5);
        let (mix, mut trace) = (workload.mix(), Vec::new());
        let written = workload.write(&mut trace).unwrap();
        // Four standard deviations of a Poisson count.
        let slack = 4.0 * mix.expected_requests().sqrt();
        assert!((written.rows as f64 - mix.expected_requests()).abs() < slack, "{written:?}");
        assert!((written.input_tokens as f64 / mix.expected_input_tokens() - 1.0).abs() < 0.03);
        assert!((written.output_tokens as f64 / mix.expected_output_tokens() - 1.0).abs() < 0.03);
    }
}

#[test]
fn the_mix_reads_as_text() {
    let text = half_hour(RateMode::Exact, 0).mix().to_string();
    insta::assert_snapshot!(text, @r"
    sinusoidal trace of 1800 s, seed 0
      rate      5 to 45 requests/s, period 10 s, starting at its minimum; Poisson arrivals that follow the rate's integral
      share     class 1 takes 0.2 to 0.8 of the requests, period 10 s, starting at its minimum; class 2 the rest
      class 1   2048 tokens in (4 blocks of 512), 256 out; about 27900 requests
      class 2   5000 tokens in (10 blocks of 512), 100 out; about 17100 requests
      expected  45000 requests, 142639200 input tokens, 8852400 output tokens
      note: class 2 keeps its default lengths (5000 in, 100 out); set --isl2 and --osl2, or for class 1 alone --isl-osl-ratio-min 1 --isl-osl-ratio-max 1
      note: the rate swings every 10 s, the default; set --request-rate-period
    ");
    let coarse = Options {
        rate_mode: RateMode::Step,
        process_interval_s: Some(5),
        time_duration_s: Some(4),
        isl2: Some(300),
        ..Options::default()
    };
    insta::assert_snapshot!(coarse.resolve().unwrap().mix().to_string(), @r"
    sinusoidal trace of 4 s, seed 0
      rate      5 to 10 requests/s, period 10 s, starting at its minimum; held over steps of 5 s, even spacing within each
      share     class 1 takes 0.2 to 0.8 of the requests, period 10 s, starting at its minimum; class 2 the rest
      class 1   100 tokens in (1 block of 512), 2000 out; about 9 requests
      class 2   300 tokens in (1 block of 512), 100 out; about 11 requests
      expected  20 requests, 4281 input tokens, 18334 output tokens
      note: class 1 keeps its default lengths (100 in, 2000 out); set --isl1 and --osl1, or for class 2 alone --isl-osl-ratio-min 0 --isl-osl-ratio-max 0
      note: the rate peaks only after 5 s, when the trace is over; set --time-duration or --request-rate-period
      note: steps of 5 s are coarse for a period of 10 s; --rate-mode exact follows the rate itself
    ");
}

#[test]
fn every_fault_is_named_at_once() {
    let faults = Options {
        block_size: Some(0),
        isl2: Some(0),
        request_rate_min: Some(9.0),
        request_rate_max: Some(4.0),
        isl_osl_ratio_max: Some(1.5),
        isl_osl_ratio_period_s: Some(0.0),
        ..Options::default()
    }
    .resolve()
    .unwrap_err();
    insta::assert_snapshot!(faults.to_string(), @r"
    --block-size: 0 is too few; give at least 1
    --isl2: 0 is too few; give at least 1
    --request-rate-max: 4 is below --request-rate-min 9; raise it or lower that
    --isl-osl-ratio-max: 1.5 is no probability (of class 1); give 0 to 1
    --isl-osl-ratio-period: 0 is no period; give from 0.001 to 1e9 seconds
    ");
}

#[test]
fn the_default_file_name_is_dynamos() {
    assert_eq!(
        Options::default().default_file_name(),
        "sin_b512_t100_rr5-10-10_io1002000-5000100-0.2-0.8-10.jsonl"
    );
    let given = Options { request_rate_min: Some(5.0), isl_osl_ratio_max: Some(0.5), ..Options::default() };
    assert_eq!(given.default_file_name(), "sin_b512_t100_rr5.0-10-10_io1002000-5000100-0.2-0.5-10.jsonl");
}

#[test]
fn a_share_of_zero_leaves_only_class_two() {
    let options =
        Options { isl_osl_ratio_min: Some(0.0), isl_osl_ratio_max: Some(0.0), ..Options::default() };
    let workload = options.resolve().unwrap();
    assert!(workload.rows().all(|row| row.input_length == 5000));
    assert_eq!(workload.mix().classes[0].expected_requests, 0.0);
}

/// A trace in which one class's only block is short and the other's are full loads with the default block
/// size: no id is asked for at two sizes, and every row is as it was written.
#[test]
fn a_written_trace_is_read_back_as_it_is() {
    let options = Options { time_duration_s: Some(60), total_blocks: Some(3), ..Options::default() };
    let workload = options.resolve().unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    let written = workload.write(&mut file.as_file()).unwrap();

    let trace = Trace::load(&TraceConfig::mooncake(file.path()), Seed(1)).unwrap();
    assert_eq!(trace.sessions.len() as u64, written.rows);

    let lines = std::fs::read(file.path()).unwrap();
    for (row, line) in workload.rows().zip(lines.split(|byte| *byte == b'\n')) {
        let line = parse_line(line, 512).unwrap().unwrap();
        assert_eq!(line.timestamp_ms, Some(row.timestamp as f64));
        assert_eq!(line.output_length, Some(i64::from(row.output_length)));
        let ids: Vec<i64> = row.hash_ids.iter().map(|id| *id as i64).collect();
        assert_eq!(line.input, Input::Length { tokens: row.input_length, hash_ids: ids.into() });
    }
}

/// The first rows of a seed are pinned: they change only with a note in the changelog.
#[test]
fn the_first_rows_of_a_seed_are_pinned() {
    let options = Options { time_duration_s: Some(1), isl2: Some(1000), seed: 42, ..Options::default() };
    let mut trace = Vec::new();
    options.resolve().unwrap().write(&mut trace).unwrap();
    insta::assert_snapshot!(String::from_utf8(trace).unwrap(), @r#"
    {"timestamp":273,"input_length":1000,"output_length":100,"hash_ids":[0,1]}
    {"timestamp":331,"input_length":1000,"output_length":100,"hash_ids":[2,3]}
    {"timestamp":387,"input_length":100,"output_length":2000,"hash_ids":[4]}
    {"timestamp":663,"input_length":1000,"output_length":100,"hash_ids":[5,6]}
    "#);
}

prop_compose! {
    fn any_options()(
        block_size in 1..600_u32,
        total_blocks in 0..5_u64,
        lengths in prop::array::uniform4(1..1500_u32),
        swing in 0.0..30.0,
        seed in any::<u64>(),
        step in any::<bool>(),
        time_duration_s in 1..20_u32,
        process_interval_s in 1..5_u32,
    ) -> Options {
        Options {
            block_size: Some(block_size),
            total_blocks: Some(total_blocks),
            time_duration_s: Some(time_duration_s),
            process_interval_s: Some(process_interval_s),
            request_rate_max: Some(5.0 + swing),
            isl1: Some(lengths[0]),
            osl1: Some(lengths[1]),
            isl2: Some(lengths[2]),
            osl2: Some(lengths[3]),
            rate_mode: if step { RateMode::Step } else { RateMode::Exact },
            seed,
            ..Options::default()
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn rows_can_be_replayed(options in any_options()) {
        let block_size = options.block_size();
        let duration_ms = i64::from(options.time_duration_s()) * 1000;
        let workload = options.resolve().unwrap();
        let mut sizes: HashMap<u64, u32> = HashMap::new();
        let (mut last, mut next_id) = (0, 0);
        for row in workload.rows() {
            prop_assert!(row.timestamp >= last && row.timestamp <= duration_ms);
            last = row.timestamp;
            prop_assert_eq!(row.hash_ids.len() as u32, row.input_length.div_ceil(block_size));
            for (at, id) in row.hash_ids.iter().enumerate() {
                prop_assert!(*id <= next_id, "ids are consecutive");
                next_id = next_id.max(id + 1);
                let size = (row.input_length - at as u32 * block_size).min(block_size);
                prop_assert_eq!(*sizes.entry(*id).or_insert(size), size, "id {} at two sizes", id);
            }
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_rows(options in any_options()) {
        let workload = options.clone().resolve().unwrap();
        prop_assert!(workload.rows().eq(options.resolve().unwrap().rows()));
    }
}
