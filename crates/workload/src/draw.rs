//! Drawing: named streams of the root seed, and token lengths from them.
//!
//! Every figure has a position (a turn, a row, an ordinal) and is drawn from a stream of its own, so
//! the order in which figures are asked for never matters.

use loadgen_core::Seed;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::config::LengthDistribution;

/// Draws before a truncated normal gives up and answers its mean.
const MAX_TRIES: u32 = 10_000;

/// The sub-streams of the root seed. Names are AIPerf's where it has the same purpose.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Purpose {
    /// Prompt lengths.
    PromptLength,
    /// Prompt text.
    Corpus,
    /// Which prefix a conversation takes, and the prefixes' text.
    Prefix,
    /// Output lengths.
    OutputLength,
    /// Which model a turn asks.
    Model,
    /// Random sampling.
    SampleRandom,
    /// Shuffled sampling.
    SampleShuffle,
    /// Names of sessions in a run without a given seed.
    SessionName,
}

impl Purpose {
    fn name(self) -> &'static str {
        match self {
            Self::PromptLength => "dataset.prompt.length",
            Self::Corpus => "dataset.prompt.corpus",
            Self::Prefix => "dataset.prompt.prefix",
            Self::OutputLength => "composer.turn.max_tokens",
            Self::Model => "composer.turn.model_selection",
            Self::SampleRandom => "dataset.sampler.random",
            Self::SampleShuffle => "dataset.sampler.shuffle",
            Self::SessionName => "dataset.session.name",
        }
    }
}

/// One purpose's streams.
#[derive(Debug, Clone)]
pub(crate) struct Streams {
    key: [u8; 32],
}

impl Streams {
    pub(crate) fn new(seed: Seed, purpose: Purpose) -> Self {
        Self { key: seed.stream(purpose.name()) }
    }

    /// The stream of one position.
    pub(crate) fn at(&self, position: u64) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::from_seed(self.key);
        rng.set_stream(position);
        rng
    }
}

/// The child seed under which the blocks of traces are named.
pub(crate) fn corpus_seed(seed: Seed) -> Seed {
    seed.child(Purpose::Corpus.name())
}

/// Scales 64 uniform bits to `0..len`: the high half of the product (bias below `len / 2^64`).
pub(crate) fn scale(bits: u64, len: usize) -> usize {
    ((u128::from(bits) * len as u128) >> 64) as usize
}

/// A uniform index below `len`.
pub(crate) fn index(rng: &mut impl Rng, len: usize) -> usize {
    scale(rng.next_u64(), len)
}

/// A uniform number in (0, 1].
fn unit(rng: &mut impl Rng) -> f64 {
    ((rng.next_u64() >> 11) + 1) as f64 / (1_u64 << 53) as f64
}

/// A standard normal number (Box and Muller's first of the pair), through `libm`, so that lengths are the
/// same on every platform.
fn normal(rng: &mut impl Rng) -> f64 {
    libm::sqrt(-2.0 * libm::log(unit(rng))) * libm::cos(std::f64::consts::TAU * unit(rng))
}

/// A token count of at least 1: the rounded mean without a deviation, else a normal draw, repeated
/// until it is not negative, rounded up (AIPerf's rule: rounding up shifts the mean by half a token).
pub(crate) fn length(distribution: LengthDistribution, rng: &mut impl Rng) -> u32 {
    let LengthDistribution { mean, stddev } = distribution;
    if stddev <= 0.0 {
        return at_least_one(mean.round_ties_even());
    }
    let drawn = (0..MAX_TRIES).map(|_| mean + stddev * normal(rng)).find(|length| *length >= 0.0);
    at_least_one(drawn.unwrap_or(mean).ceil())
}

/// No draw of [`length`] is longer than this: [`unit`] has 53 bits, so that no [`normal`] number lies
/// further out than √(2·53·ln 2) = 8.572 deviations.
pub(crate) fn longest(distribution: LengthDistribution) -> u32 {
    at_least_one((distribution.mean + 8.573 * distribution.stddev.max(0.0)).ceil())
}

fn at_least_one(tokens: f64) -> u32 {
    // `as` saturates, so lengths beyond u32 stay at its end.
    (tokens as u32).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn draws(mean: f64, stddev: f64) -> Vec<u32> {
        let streams = Streams::new(Seed(42), Purpose::PromptLength);
        (0..4000).map(|at| length(LengthDistribution { mean, stddev }, &mut streams.at(at))).collect()
    }

    #[test]
    fn a_constant_length_is_its_mean() {
        assert!(draws(550.0, 0.0).iter().all(|tokens| *tokens == 550));
        assert!(draws(0.0, 0.0).iter().all(|tokens| *tokens == 1));
    }

    #[test]
    fn lengths_have_the_wanted_mean_and_deviation() {
        let lengths = draws(550.0, 50.0);
        let mean = lengths.iter().map(|tokens| f64::from(*tokens)).sum::<f64>() / lengths.len() as f64;
        let variance = lengths.iter().map(|tokens| (f64::from(*tokens) - mean).powi(2)).sum::<f64>()
            / lengths.len() as f64;
        // The mean's own deviation is 50 / sqrt(4000) = 0.8; rounding up adds one half.
        assert!((mean - 550.5).abs() < 4.0, "{mean}");
        assert!((variance.sqrt() - 50.0).abs() < 3.0, "{}", variance.sqrt());
    }

    /// The same on every platform, and from version to version: they change only with a note in the
    /// changelog.
    #[test]
    fn the_first_lengths_of_a_seed_are_pinned() {
        assert_eq!(draws(550.0, 50.0)[..8], [452, 529, 468, 578, 580, 540, 427, 604]);
    }

    #[test]
    fn lengths_are_cut_at_zero_not_folded() {
        let lengths = draws(1.0, 100.0);
        assert!(lengths.iter().all(|tokens| *tokens >= 1));
        assert!(lengths.iter().any(|tokens| *tokens > 100));
    }

    #[test]
    fn the_longest_length_bounds_all() {
        /// The least number of [`unit`], and angle 0: the furthest that a normal number can lie out.
        struct Extreme(bool);
        impl rand::TryRng for Extreme {
            type Error = std::convert::Infallible;
            fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
                unreachable!("lengths draw 64 bits")
            }
            fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
                self.0 = !self.0;
                Ok(if self.0 { 0 } else { u64::MAX })
            }
            fn try_fill_bytes(&mut self, _: &mut [u8]) -> Result<(), Self::Error> {
                unreachable!("lengths draw 64 bits")
            }
        }
        for (mean, stddev) in [(550.0, 0.0), (550.0, 50.0), (0.0, 1000.0), (1e6, 1e5)] {
            let distribution = LengthDistribution { mean, stddev };
            let extreme = length(distribution, &mut Extreme(false));
            assert!(extreme <= longest(distribution), "{extreme} of {distribution:?}");
            assert!(f64::from(extreme) >= mean + 8.57 * stddev);
        }
    }

    #[test]
    fn child_seeds_are_those_of_aiperf() {
        assert_eq!(corpus_seed(Seed(42)).0, 10_558_974_911_300_946_294);
        assert_eq!(Seed(42).child(Purpose::PromptLength.name()).0, 7_521_479_737_366_565_015);
    }

    proptest! {
        #[test]
        fn a_scaled_index_is_in_range(bits: u64, len in 1_usize..1_000_000) {
            prop_assert!(scale(bits, len) < len);
        }
    }
}
