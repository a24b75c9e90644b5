//! Which conversation the n-th session takes: a pure function of the ordinal, and AIPerf's choice for the seed.
//!
//! AIPerf draws one after the other from one stream. So do we, in stretches of which the latest are kept, since
//! workers ask in any order, though never far apart. A stretch that was let go is drawn again from the start.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use loadgen_core::Seed;

use crate::config::Sampling;
use crate::draw::{NumpyRandom, Purpose, PythonRandom};

/// Random choices drawn at a time.
const STRETCH: u32 = 4096;

/// Stretches that are kept: workers are never more than one apart for long.
const KEPT: usize = 3;

/// Maps ordinals to conversations. Has at least one conversation.
pub(crate) struct Sampler {
    len: u32,
    /// `None` takes one after the other.
    drawn: Option<Mutex<Drawn>>,
}

impl Sampler {
    pub(crate) fn new(sampling: Sampling, len: u32, seed: Seed) -> Self {
        let drawn = (sampling != Sampling::Sequential).then(|| Mutex::new(Drawn::new(sampling, len, seed)));
        Self { len, drawn }
    }

    /// The conversation of a session.
    pub(crate) fn pick(&self, ordinal: u64) -> u32 {
        let Some(drawn) = &self.drawn else { return (ordinal % u64::from(self.len)) as u32 };
        drawn.lock().unwrap_or_else(PoisonError::into_inner).at(ordinal)
    }
}

/// A sequence of draws, as far as it was asked for.
struct Drawn {
    sampling: Sampling,
    len: u32,
    seed: Seed,
    stream: Stream,
    /// The number of the stretch that comes next.
    next: u64,
    /// The latest stretches, in order.
    kept: VecDeque<Arc<[u32]>>,
}

enum Stream {
    /// Each choice independent of the others.
    Random(PythonRandom),
    /// The order of the latest pass, which the next one shuffles further.
    Shuffle(NumpyRandom, Vec<u32>),
}

impl Stream {
    fn new(sampling: Sampling, len: u32, seed: Seed) -> Self {
        match sampling {
            Sampling::Shuffle => {
                let random = NumpyRandom::derive(seed, Purpose::SampleShuffle.name());
                Self::Shuffle(random, (0..len).collect())
            }
            _ => Self::Random(PythonRandom::derive(seed, Purpose::SampleRandom.name())),
        }
    }

    fn stretch(&mut self, len: u32) -> Arc<[u32]> {
        match self {
            Self::Random(random) => (0..STRETCH).map(|_| random.below(len)).collect(),
            Self::Shuffle(random, order) => {
                random.shuffle(order);
                order.as_slice().into()
            }
        }
    }
}

impl Drawn {
    fn new(sampling: Sampling, len: u32, seed: Seed) -> Self {
        let stream = Stream::new(sampling, len, seed);
        Self { sampling, len, seed, stream, next: 0, kept: VecDeque::new() }
    }

    fn at(&mut self, ordinal: u64) -> u32 {
        let size = match &self.stream {
            Stream::Random(_) => u64::from(STRETCH),
            Stream::Shuffle(..) => u64::from(self.len),
        };
        let number = ordinal / size;
        if number + (self.kept.len() as u64) < self.next {
            *self = Self::new(self.sampling, self.len, self.seed);
        }
        while self.next <= number {
            if self.kept.len() == KEPT {
                self.kept.pop_front();
            }
            self.kept.push_back(self.stream.stretch(self.len));
            self.next += 1;
        }
        let first = self.next - self.kept.len() as u64;
        self.kept[(number - first) as usize][(ordinal % size) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picks(sampling: Sampling, ordinals: impl Iterator<Item = u64>) -> Vec<u32> {
        let sampler = Sampler::new(sampling, 10, Seed(42));
        ordinals.map(|ordinal| sampler.pick(ordinal)).collect()
    }

    #[test]
    fn sequential_wraps() {
        assert_eq!(picks(Sampling::Sequential, 8..13), [8, 9, 0, 1, 2]);
    }

    /// What the samplers of AIPerf 0.13 choose from ten conversations with seed 42: three passes of each.
    #[test]
    fn choices_are_those_of_aiperf() {
        assert_eq!(
            picks(Sampling::Random, 0..30),
            [0, 9, 4, 1, 0, 0, 4, 0, 5, 7, 8, 9, 8, 2, 8, 6, 1, 4, 1, 3, 4, 2, 2, 9, 3, 2, 7, 5, 1, 9]
        );
        assert_eq!(
            picks(Sampling::Shuffle, 0..30),
            [7, 6, 0, 4, 9, 3, 5, 1, 8, 2, 0, 6, 3, 8, 9, 2, 1, 7, 5, 4, 3, 1, 4, 0, 6, 7, 8, 2, 5, 9]
        );
        let large = Sampler::new(Sampling::Shuffle, 70_000, Seed(42));
        let first: Vec<u32> = (0..5).map(|ordinal| large.pick(ordinal)).collect();
        assert_eq!(first, [62_698, 33_267, 68_591, 27_702, 6_618]);
        let second: Vec<u32> = (70_000..70_005).map(|ordinal| large.pick(ordinal)).collect();
        assert_eq!(second, [1_029, 24_704, 68_195, 24_602, 32_580]);
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
        let last = u64::from(STRETCH) * (KEPT as u64 + 2);
        let ordinals: Vec<u64> = (0..last).step_by(997).collect();
        for sampling in [Sampling::Sequential, Sampling::Random, Sampling::Shuffle] {
            let forward = picks(sampling, ordinals.iter().copied());
            let mut backward = picks(sampling, ordinals.iter().rev().copied());
            backward.reverse();
            assert_eq!(forward, backward, "{sampling:?}");
        }
    }
}
