//! The generator behind AIPerf's shuffles and windows of lengths: NumPy's `default_rng`.
//!
//! Only what AIPerf draws from it is here: a list's shuffle, and whole numbers of a range below 2³².
//!
//! Sources: O'Neill's PCG XSL RR 128/64; NumPy's `SeedSequence` (pool of four words), `random_interval` (masked
//! rejection) for shuffles, and Lemire's nearly divisionless method for ranges.

use loadgen_core::Seed;

/// The factor of a 128-bit linear congruential step.
const FACTOR: u128 = 0x2360_ED05_1FC6_5DA4_4385_DF64_9FCC_F645;

/// Words of a seed sequence's pool.
const POOL: usize = 4;

/// One stream of numbers.
#[derive(Debug, Clone)]
pub(crate) struct NumpyRandom {
    state: u128,
    increment: u128,
    /// The upper half of a number whose lower half was taken.
    spare: Option<u32>,
}

impl NumpyRandom {
    /// `default_rng(seed)` of the child seed that AIPerf derives for `name`.
    pub(crate) fn derive(root: Seed, name: &str) -> Self {
        Self::new(root.child(name).0)
    }

    /// `default_rng(seed)`.
    pub(crate) fn new(seed: u64) -> Self {
        let [state_high, state_low, stream_high, stream_low] = seeds(seed);
        let join = |high: u64, low: u64| (u128::from(high) << 64) | u128::from(low);
        let increment = (join(stream_high, stream_low) << 1) | 1;
        let mut random = Self { state: 0, increment, spare: None };
        random.step();
        random.state = random.state.wrapping_add(join(state_high, state_low));
        random.step();
        random
    }

    fn step(&mut self) {
        self.state = self.state.wrapping_mul(FACTOR).wrapping_add(self.increment);
    }

    fn next_u64(&mut self) -> u64 {
        self.step();
        let folded = (self.state >> 64) as u64 ^ self.state as u64;
        folded.rotate_right((self.state >> 122) as u32)
    }

    /// Halves of 64-bit numbers, the lower one first.
    fn next_u32(&mut self) -> u32 {
        if let Some(upper) = self.spare.take() {
            return upper;
        }
        let both = self.next_u64();
        self.spare = Some((both >> 32) as u32);
        both as u32
    }

    /// `integers(low, high + 1)`. A window of one number takes no draw.
    pub(crate) fn between(&mut self, low: u32, high: u32) -> u32 {
        let Some(count) = (high - low).checked_add(1) else { return self.next_u32() };
        if count == 1 {
            return low;
        }
        let uneven = count.wrapping_neg() % count;
        loop {
            let product = u64::from(self.next_u32()) * u64::from(count);
            if product as u32 >= uneven {
                return low + (product >> 32) as u32;
            }
        }
    }

    /// `shuffle(items)` of a list of fewer than 2³² items.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.up_to(last as u32) as usize);
        }
    }

    /// From 0 to `most`, of at least 1: bits that it may have, drawn again until they fit.
    fn up_to(&mut self, most: u32) -> u32 {
        let mask = u32::MAX >> most.leading_zeros();
        loop {
            let drawn = self.next_u32() & mask;
            if drawn <= most {
                return drawn;
            }
        }
    }
}

/// `SeedSequence(seed).generate_state(4, uint64)`.
fn seeds(seed: u64) -> [u64; 4] {
    let mut hashed = Hash { factor: 0x43b0_d7e5, step: 0x931e_8875 };
    let words = [seed as u32, (seed >> 32) as u32, 0, 0];
    let mut pool = words.map(|word| hashed.of(word));
    for from in 0..POOL {
        for to in (0..POOL).filter(|to| *to != from) {
            let other = hashed.of(pool[from]);
            let mixed = pool[to].wrapping_mul(0xca01_f9dd).wrapping_sub(other.wrapping_mul(0x4973_f715));
            pool[to] = mixed ^ (mixed >> 16);
        }
    }
    let mut hashed = Hash { factor: 0x8b51_f9dd, step: 0x58f3_8ded };
    let mut words = pool.iter().cycle().map(|word| u64::from(hashed.of(*word)));
    std::array::from_fn(|_| {
        let mut word = || words.next().expect("a cycle has no end");
        word() | (word() << 32)
    })
}

/// A hash that every use changes.
struct Hash {
    factor: u32,
    step: u32,
}

impl Hash {
    fn of(&mut self, word: u32) -> u32 {
        let word = word ^ self.factor;
        self.factor = self.factor.wrapping_mul(self.step);
        let word = word.wrapping_mul(self.factor);
        word ^ (word >> 16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `default_rng(seed).bit_generator.random_raw(3)` of NumPy 2.
    #[test]
    fn numbers_are_those_of_numpy() {
        for (seed, numbers) in [
            (0, [11_749_869_230_777_074_271, 4_976_686_463_289_251_617, 755_828_109_848_996_024]),
            (42, [14_276_969_152_011_380_360, 8_095_878_257_575_067_585, 15_838_336_090_824_644_132]),
            (
                10_558_974_911_300_946_294,
                [10_578_846_662_017_241_217, 17_542_058_459_087_283_196, 15_548_670_026_172_138_475],
            ),
        ] {
            let mut numpy = NumpyRandom::new(seed);
            assert_eq!([numpy.next_u64(), numpy.next_u64(), numpy.next_u64()], numbers, "{seed}");
        }
    }

    /// `integers(5, 9)` eight times, then `integers(0, 3_000_000_000)` four times, of `default_rng(42)`: the
    /// larger range draws again for more than a quarter of its numbers.
    #[test]
    fn ranges_are_those_of_numpy() {
        let mut numpy = NumpyRandom::new(42);
        assert_eq!(std::array::from_fn(|_| numpy.between(5, 8)), [5, 8, 7, 6, 6, 8, 5, 7]);
        let large = std::array::from_fn(|_| numpy.between(0, 2_999_999_999));
        assert_eq!(large, [282_532_043, 1_579_436_936, 2_926_867_054, 2_207_257_111]);
    }

    #[test]
    fn a_window_of_one_number_takes_no_draw() {
        let (mut numpy, mut other) = (NumpyRandom::new(1), NumpyRandom::new(1));
        assert_eq!(numpy.between(7, 7), 7);
        assert_eq!(numpy.next_u64(), other.next_u64());
    }
}
