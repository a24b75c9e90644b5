//! Drawing: named streams of the root seed, and lengths from them.
//!
//! What is drawn while a run goes on has a position (a turn, a row) and a stream of its own, so that the order
//! in which figures are asked for never matters ([`Streams`]). Lengths and choices of conversations are drawn in
//! the dataset's order, from the generators that AIPerf draws them from ([`PythonRandom`], [`NumpyRandom`]).

mod mersenne;
mod numpy;

use loadgen_core::Seed;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::config::LengthDistribution;
pub(crate) use mersenne::PythonRandom;
pub(crate) use numpy::NumpyRandom;

/// Draws before a truncated normal gives up and answers its mean.
const MAX_TRIES: u32 = 10_000;

/// The sub-streams of the root seed. Names are AIPerf's where it has the same purpose.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Purpose {
    /// Prompt lengths.
    PromptLength,
    /// Pairs of prompt and output lengths.
    SequenceLength,
    /// Pairs of lengths from windows.
    RangeLength,
    /// Turns of a conversation.
    TurnCount,
    /// Pauses between turns.
    TurnDelay,
    /// Passages to rank.
    Passages,
    /// Files' pools.
    RandomPool,
    /// Widths and heights of images.
    ImageSize,
    /// Formats of images.
    ImageFormat,
    /// Which source an image is made from.
    ImageSource,
    /// Pixels.
    ImageNoise,
    /// Lengths of sounds.
    AudioLength,
    /// Sample rates and depths of sounds.
    AudioFormat,
    /// Samples.
    AudioNoise,
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
    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::PromptLength => "dataset.prompt.length",
            Self::SequenceLength => "models.sequence.distribution",
            Self::RangeLength => "models.range_ratio.distribution",
            Self::TurnCount => "composer.conversation.turn_count",
            Self::TurnDelay => "composer.conversation.turn_delay",
            Self::Passages => "dataset.rankings.passages",
            Self::RandomPool => "dataset.loader.random_pool",
            Self::ImageSize => "dataset.image.dimensions",
            Self::ImageFormat => "dataset.image.format",
            Self::ImageSource => "dataset.image.source",
            Self::ImageNoise => "dataset.image.noise",
            Self::AudioLength => "dataset.audio.duration",
            Self::AudioFormat => "dataset.audio.format",
            Self::AudioNoise => "dataset.audio.data",
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

/// A whole number of at least 1: the rounded mean without a deviation, else a normal draw, repeated until
/// it is not negative, rounded up (AIPerf's rule: rounding up shifts the mean by a half).
pub(crate) fn length(distribution: LengthDistribution, random: &mut PythonRandom) -> u32 {
    let LengthDistribution { mean, stddev } = distribution;
    if stddev <= 0.0 {
        return at_least_one(mean.round_ties_even());
    }
    let drawn = (0..MAX_TRIES).map(|_| random.gauss(mean, stddev)).find(|length| *length >= 0.0);
    at_least_one(drawn.unwrap_or(mean).ceil())
}

/// A normal number of at least `least`: drawn again until it is.
pub(crate) fn normal_from(least: f64, mean: f64, stddev: f64, random: &mut PythonRandom) -> f64 {
    let drawn = (0..MAX_TRIES).map(|_| random.gauss(mean, stddev)).find(|number| *number >= least);
    drawn.unwrap_or(mean).max(least)
}

/// No draw of [`length`] is longer than this: a uniform number has 53 bits, so that no normal one lies
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
        let mut random = PythonRandom::derive(Seed(42), Purpose::PromptLength.name());
        (0..4000).map(|_| length(LengthDistribution { mean, stddev }, &mut random)).collect()
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

    /// As AIPerf 0.13 draws them for the same seed; they change only with a note in the changelog.
    #[test]
    fn the_first_lengths_of_a_seed_are_aiperfs() {
        assert_eq!(draws(550.0, 50.0)[..8], [601, 558, 547, 636, 447, 492, 517, 590]);
    }

    #[test]
    fn lengths_are_cut_at_zero_not_folded() {
        let lengths = draws(1.0, 100.0);
        assert!(lengths.iter().all(|tokens| *tokens >= 1));
        assert!(lengths.iter().any(|tokens| *tokens > 100));
    }

    #[test]
    fn the_longest_length_bounds_all() {
        for (mean, stddev) in [(550.0, 0.0), (550.0, 50.0), (0.0, 1000.0), (1e6, 1e5)] {
            let bound = longest(LengthDistribution { mean, stddev });
            assert!(draws(mean, stddev).iter().all(|length| *length <= bound), "{mean} {stddev}");
            // The least number that the logarithm can meet is 2⁻⁵³.
            let furthest = mean + stddev * libm::sqrt(-2.0 * libm::log(1.0 / (1_u64 << 53) as f64));
            assert!(furthest.ceil() <= f64::from(bound));
        }
    }

    #[test]
    fn child_seeds_are_those_of_aiperf() {
        assert_eq!(corpus_seed(Seed(42)).0, 10_558_974_911_300_946_294);
        assert_eq!(Seed(42).child(Purpose::PromptLength.name()).0, 7_521_479_737_366_565_015);
        assert_eq!(Seed(42).child(Purpose::TurnCount.name()).0, 3_208_415_338_701_231_633);
    }

    proptest! {
        #[test]
        fn a_scaled_index_is_in_range(bits: u64, len in 1_usize..1_000_000) {
            prop_assert!(scale(bits, len) < len);
        }
    }
}
