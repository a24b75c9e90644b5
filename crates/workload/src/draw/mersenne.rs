//! The generator behind AIPerf's lengths: CPython's `random.Random`.
//!
//! Lengths, turn counts, delays and random choices are drawn from it in AIPerf's order, so that one seed asks
//! for the same tokens in both tools. Text, arrivals and everything else of ours come from [`Streams`](super::Streams).
//!
//! Sources: Matsumoto and Nishimura's MT19937 with `init_by_array`; CPython's `random.py` for what is made
//! of its bits. Logarithms and the like go through `libm`, which may differ from C's in the last bit: a
//! length would show it only where a draw lies within 1e-15 of a whole number.

use loadgen_core::Seed;

const N: usize = 624;
const M: usize = 397;

/// One stream of numbers.
#[derive(Debug, Clone)]
pub(crate) struct PythonRandom {
    state: Box<[u32; N]>,
    at: usize,
    /// The second of a pair of normal numbers.
    spare: Option<f64>,
}

impl PythonRandom {
    /// `random.Random(seed)` of the child seed that AIPerf derives for `name`.
    pub(crate) fn derive(root: Seed, name: &str) -> Self {
        Self::new(root.child(name).0)
    }

    /// `random.Random(seed)`.
    pub(crate) fn new(seed: u64) -> Self {
        let (low, high) = (seed as u32, (seed >> 32) as u32);
        let key = [low, high];
        let key = if high == 0 { &key[..1] } else { &key[..] };
        let mut state = Box::new([0_u32; N]);
        state[0] = 19_650_218;
        for at in 1..N {
            state[at] =
                1_812_433_253_u32.wrapping_mul(state[at - 1] ^ (state[at - 1] >> 30)).wrapping_add(at as u32);
        }
        let (mut at, mut key_at) = (1, 0);
        let step = |state: &mut [u32; N], at: usize, factor: u32| {
            state[at] ^ (state[at - 1] ^ (state[at - 1] >> 30)).wrapping_mul(factor)
        };
        let next = |state: &mut [u32; N], at: usize| {
            if at + 1 < N {
                return at + 1;
            }
            state[0] = state[N - 1];
            1
        };
        for _ in 0..N.max(key.len()) {
            state[at] = step(&mut state, at, 1_664_525).wrapping_add(key[key_at]).wrapping_add(key_at as u32);
            at = next(&mut state, at);
            key_at = (key_at + 1) % key.len();
        }
        for _ in 0..N - 1 {
            state[at] = step(&mut state, at, 1_566_083_941).wrapping_sub(at as u32);
            at = next(&mut state, at);
        }
        state[0] = 0x8000_0000;
        Self { state, at: N, spare: None }
    }

    fn next_u32(&mut self) -> u32 {
        if self.at == N {
            for at in 0..N {
                let joined = (self.state[at] & 0x8000_0000) | (self.state[(at + 1) % N] & 0x7fff_ffff);
                let twist = if joined & 1 == 1 { 0x9908_b0df } else { 0 };
                self.state[at] = self.state[(at + M) % N] ^ (joined >> 1) ^ twist;
            }
            self.at = 0;
        }
        let mut bits = self.state[self.at];
        self.at += 1;
        bits ^= bits >> 11;
        bits ^= (bits << 7) & 0x9d2c_5680;
        bits ^= (bits << 15) & 0xefc6_0000;
        bits ^ (bits >> 18)
    }

    /// `random()`: uniform in [0, 1).
    pub(crate) fn unit(&mut self) -> f64 {
        let (high, low) = (self.next_u32() >> 5, self.next_u32() >> 6);
        (f64::from(high) * 67_108_864.0 + f64::from(low)) / 9_007_199_254_740_992.0
    }

    /// `randrange(below)`, of at least 1: drawn again until it fits.
    pub(crate) fn below(&mut self, below: u32) -> u32 {
        let bits = u32::BITS - below.leading_zeros();
        loop {
            let drawn = self.next_u32() >> (u32::BITS - bits.max(1));
            if drawn < below {
                return drawn;
            }
        }
    }

    /// The index that `choices` draws from `len` elements, of at least 1.
    pub(crate) fn choice(&mut self, len: usize) -> usize {
        (self.unit() * len as f64) as usize
    }

    /// `gauss(mean, stddev)`.
    pub(crate) fn gauss(&mut self, mean: f64, stddev: f64) -> f64 {
        let normal = self.spare.take().unwrap_or_else(|| {
            let angle = self.unit() * std::f64::consts::TAU;
            let radius = libm::sqrt(-2.0 * libm::log(1.0 - self.unit()));
            self.spare = Some(libm::sin(angle) * radius);
            libm::cos(angle) * radius
        });
        mean + normal * stddev
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `random.Random(seed)` of CPython 3.12.
    #[test]
    fn numbers_are_those_of_cpython() {
        let mut small = PythonRandom::new(42);
        assert_eq!([small.unit(), small.unit()], [0.639_426_798_457_883_7, 0.025_010_755_222_666_936]);
        let mut large = PythonRandom::new(10_558_974_911_300_946_294);
        let starts: Vec<u32> = (0..5).map(|_| large.below(1_138_441)).collect();
        assert_eq!(starts, [504_156, 118_295, 634_005, 997_797, 530_246]);
        assert_eq!(PythonRandom::new(7).below(1), 0);
    }

    #[test]
    fn normal_numbers_come_in_pairs() {
        let mut python = PythonRandom::new(1);
        let drawn: Vec<f64> = (0..3).map(|_| python.gauss(0.0, 1.0)).collect();
        assert_eq!(drawn, [1.288_184_753_155_462_9, 1.449_445_608_699_771, 0.066_335_808_938_261_91]);
    }
}
