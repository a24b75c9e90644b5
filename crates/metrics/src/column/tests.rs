#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

/// A column of which all but the last few samples are on disk.
fn spilled(samples: &[f64]) -> (Column, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let mut column = Column::new(Some(Arc::new(Scratch::new(folder.path()))));
    for sample in samples {
        column.push(*sample);
    }
    (column, folder)
}

/// As many samples as the blocks of a column, made of few by repetition and small changes.
fn stretched(seeds: &[f64], step: f64) -> Vec<f64> {
    (0..3 * BLOCK + 100)
        .map(|place| seeds[place % seeds.len()] + step * (place / seeds.len()) as f64)
        .collect()
}

fn assert_sorts(samples: &[f64], ranks: &[u64]) {
    let (column, _folder) = spilled(samples);
    assert!(column.in_memory().is_none(), "the samples are on disk");
    let mut sorted = samples.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let order = column.order(ranks.to_vec()).unwrap();
    for rank in ranks {
        let ranked = order.at(*rank).unwrap();
        let right = sorted[*rank as usize];
        assert_eq!(ranked.sample.to_bits(), right.to_bits(), "rank {rank}");
        let not_above = sorted.partition_point(|other| other.total_cmp(&right).is_le());
        assert_eq!(ranked.not_above, not_above as u64, "rank {rank}");
    }
}

fn every(step: usize, samples: &[f64]) -> Vec<u64> {
    (0..samples.len() as u64).step_by(step).chain([samples.len() as u64 - 1]).collect()
}

#[test]
fn ranks_are_those_of_sorting_whatever_the_samples() {
    let n = 3 * BLOCK + 7;
    let cases: [Vec<f64>; 6] = [
        vec![20e6; n],
        (0..n).map(|place| if place == 5 { 1e18 } else { (place % 1000) as f64 }).collect(),
        (0..n).map(|place| 20e6 + (place * 7919 % 50_000) as f64).collect(),
        (0..n).map(|place| (place as f64 - 9000.0) * 0.1).collect(),
        (0..n).map(|place| [f64::NEG_INFINITY, -0.0, 0.0, 1.5, f64::INFINITY][place % 5]).collect(),
        // Nearly all of the samples in one bucket of the first pass, told apart by the last bits alone.
        (0..n)
            .map(|place| if place == 0 { -1e300 } else { f64::from_bits(1.0_f64.to_bits() + place as u64) })
            .collect(),
    ];
    for samples in cases {
        assert_sorts(&samples, &every(997, &samples));
    }
}

#[test]
fn a_million_samples_in_few_buckets_are_cut_more_than_once() {
    // More than are ever sorted at once, within a hundredth of the range.
    let samples: Vec<f64> = (0..400_000_u64)
        .map(|place| if place == 0 { 1e9 } else { 2e7 + (place * 48_271 % 30_011) as f64 })
        .collect();
    assert_sorts(&samples, &every(1999, &samples));
}

#[test]
fn samples_come_back_at_any_place() {
    let samples: Vec<f64> = (0..5 * BLOCK + 33).map(|place| place as f64).collect();
    let (column, _folder) = spilled(&samples);
    let mut lookup = Lookup::new(&column);
    for (at, count) in [(0, 3), (BLOCK - 1, 2), (BLOCK * 5 - 10, 43), (17, BLOCK * 2), (samples.len(), 0)] {
        let mut read = Vec::new();
        lookup.read(at as u64, count, &mut read).unwrap();
        assert_eq!(read, samples[at..at + count]);
    }
}

#[test]
fn a_column_without_room_on_disk_keeps_its_samples() {
    let nowhere = Arc::new(Scratch::new(std::path::Path::new("/nowhere/at/all")));
    let mut column = Column::new(Some(nowhere));
    for place in 0..3 * BLOCK {
        column.push(place as f64);
    }
    assert_eq!(column.len(), 3 * BLOCK as u64);
    let middle = BLOCK as u64;
    assert_eq!(column.order(vec![middle]).unwrap().at(middle).unwrap().sample, middle as f64);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn spilled_figures_are_those_of_sorting(
        seeds in prop::collection::vec(prop_oneof![-1e12..1e12_f64, 0.0..1e3_f64, Just(7.0)], 1..40),
        step in prop_oneof![Just(0.0), 0.0..1.0_f64, 1.0..1e6_f64],
        ranks in prop::collection::vec(any::<prop::sample::Index>(), 1..300),
    ) {
        let samples = stretched(&seeds, step);
        let ranks: Vec<u64> = ranks.iter().map(|rank| rank.index(samples.len()) as u64).collect();
        assert_sorts(&samples, &ranks);

        let (column, _folder) = spilled(&samples);
        let mut sorted = samples.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        prop_assert_eq!(column.least(), sorted.first().copied());
        prop_assert_eq!(column.greatest(), sorted.last().copied());
        for share in [0.0, 0.01, 0.5, 0.995, 1.0] {
            let order = column.order(quantile_ranks(column.len(), share).to_vec()).unwrap();
            let rank = share * (sorted.len() - 1) as f64;
            let (low, high) = (sorted[rank.floor() as usize], sorted[rank.ceil() as usize]);
            let textbook = low + (high - low) * (rank - rank.floor());
            let ours = order.quantile(share).unwrap();
            prop_assert!((ours - textbook).abs() <= 1e-9 * textbook.abs().max(1e3), "{} {}", ours, textbook);
            prop_assert!(low <= ours && ours <= high);
        }
        let mean = column.sum() / samples.len() as f64;
        let naive = (samples.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / samples.len() as f64).sqrt();
        prop_assert!((column.deviation().unwrap().unwrap() - naive).abs() <= 1e-9 * naive.max(1e-3));
    }

    #[test]
    fn every_sample_falls_into_its_bin(
        seeds in prop::collection::vec(0.0..1e9_f64, 2..40),
        bins in 1_usize..70,
    ) {
        let samples = stretched(&seeds, 1.0);
        let (column, _folder) = spilled(&samples);
        let (from, upto) = (column.least().unwrap(), column.greatest().unwrap());
        let edges: Vec<f64> =
            (0..=bins).map(|bin| from + (upto - from) * bin as f64 / bins as f64).collect();
        let counts = column.histogram(&edges).unwrap();
        for (bin, count) in counts.iter().enumerate() {
            let is_last = bin + 1 == bins;
            let inside = |x: &&f64| **x >= edges[bin] && (is_last || **x < edges[bin + 1]);
            prop_assert_eq!(*count, samples.iter().filter(inside).count() as u64);
        }
    }
}
