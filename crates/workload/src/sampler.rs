//! Which conversation the n-th session takes: a pure function of the ordinal.

use std::sync::{Arc, Mutex, PoisonError};

use loadgen_core::Seed;

use crate::config::Sampling;
use crate::draw::{Purpose, Streams, index};

/// Maps ordinals to conversations. Has at least one conversation.
pub(crate) struct Sampler {
    len: u32,
    strategy: Strategy,
}

enum Strategy {
    Sequential,
    Random(Streams),
    /// The orders of the passes asked for last. A pass's order is a function of its number, so losing
    /// one only costs time.
    Shuffle(Streams, Mutex<Vec<(u64, Arc<[u32]>)>>),
}

/// Passes whose order is kept: workers are never more than a pass apart for long.
const PASSES_KEPT: usize = 2;

impl Sampler {
    pub(crate) fn new(sampling: Sampling, len: u32, seed: Seed) -> Self {
        let strategy = match sampling {
            Sampling::Sequential => Strategy::Sequential,
            Sampling::Random => Strategy::Random(Streams::new(seed, Purpose::SampleRandom)),
            Sampling::Shuffle => {
                Strategy::Shuffle(Streams::new(seed, Purpose::SampleShuffle), Mutex::default())
            }
        };
        Self { len, strategy }
    }

    /// The conversation of a session.
    pub(crate) fn pick(&self, ordinal: u64) -> u32 {
        let len = u64::from(self.len);
        match &self.strategy {
            Strategy::Sequential => (ordinal % len) as u32,
            Strategy::Random(streams) => index(&mut streams.at(ordinal), self.len as usize) as u32,
            Strategy::Shuffle(streams, passes) => {
                let mut passes = passes.lock().unwrap_or_else(PoisonError::into_inner);
                self.order_of(streams, &mut passes, ordinal / len)[(ordinal % len) as usize]
            }
        }
    }

    fn order_of(&self, streams: &Streams, passes: &mut Vec<(u64, Arc<[u32]>)>, pass: u64) -> Arc<[u32]> {
        if let Some((_, order)) = passes.iter().find(|(number, _)| *number == pass) {
            return order.clone();
        }
        let mut order: Vec<u32> = (0..self.len).collect();
        let mut rng = streams.at(pass);
        for last in (1..order.len()).rev() {
            order.swap(last, index(&mut rng, last + 1));
        }
        let order: Arc<[u32]> = order.into();
        if passes.len() == PASSES_KEPT {
            passes.remove(0);
        }
        passes.push((pass, order.clone()));
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picks(sampling: Sampling, ordinals: impl Iterator<Item = u64>) -> Vec<u32> {
        let sampler = Sampler::new(sampling, 10, Seed(7));
        ordinals.map(|ordinal| sampler.pick(ordinal)).collect()
    }

    #[test]
    fn sequential_wraps() {
        assert_eq!(picks(Sampling::Sequential, 8..13), [8, 9, 0, 1, 2]);
    }

    #[test]
    fn every_shuffled_pass_is_a_permutation_of_its_own() {
        let picks = picks(Sampling::Shuffle, 0..30);
        let passes: Vec<&[u32]> = picks.chunks(10).collect();
        for pass in &passes {
            let mut sorted = pass.to_vec();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..10).collect::<Vec<_>>());
        }
        assert_ne!(passes[0], passes[1]);
        assert_ne!(passes[1], passes[2]);
    }

    #[test]
    fn the_order_of_asking_does_not_matter() {
        for sampling in [Sampling::Sequential, Sampling::Random, Sampling::Shuffle] {
            let forward = picks(sampling, 0..50);
            let mut backward = picks(sampling, (0..50).rev());
            backward.reverse();
            assert_eq!(forward, backward, "{sampling:?}");
        }
    }
}
