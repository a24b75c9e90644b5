//! Laws for intervals of mean 1, in operational time.
//!
//! Draws come from ChaCha8, a generator whose values are part of its definition, and go through `libm`:
//! the same seed gives the same intervals with any version of this program on any platform.

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::Smoothness;

/// Draws intervals.
#[derive(Debug, Clone)]
pub(crate) struct Intervals {
    law: Law,
    random: ChaCha8Rng,
}

/// The distribution of an interval; each has mean 1.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Law {
    /// Exponential.
    Exponential,
    /// Gamma of this shape, with scale 1/shape.
    Gamma(Smoothness),
}

impl Intervals {
    pub(crate) fn new(law: Law, key: [u8; 32]) -> Self {
        Self { law, random: ChaCha8Rng::from_seed(key) }
    }

    /// The next interval: 0 or more, 1 on average.
    pub(crate) fn draw(&mut self) -> f64 {
        match self.law {
            Law::Exponential => -libm::log(self.uniform()),
            Law::Gamma(smoothness) => self.gamma(smoothness.shape()) / smoothness.shape(),
        }
    }

    /// Uniform on (0, 1] in steps of 2⁻⁵³: never 0, so that its logarithm is finite.
    fn uniform(&mut self) -> f64 {
        ((self.random.next_u64() >> 11) + 1) as f64 * (1.0 / (1_u64 << 53) as f64)
    }

    /// Standard normal, by Marsaglia's polar method. The second value of each pair is left unused, so
    /// that no state outlives a draw.
    fn normal(&mut self) -> f64 {
        loop {
            let x = 2.0 * self.uniform() - 1.0;
            let y = 2.0 * self.uniform() - 1.0;
            let square = x * x + y * y;
            if square > 0.0 && square < 1.0 {
                return x * libm::sqrt(-2.0 * libm::log(square) / square);
            }
        }
    }

    /// Gamma of the given shape and scale 1: Marsaglia and Tsang, "A simple method for generating gamma
    /// variables" (2000). Below shape 1, a draw of shape + 1 times U^(1/shape).
    fn gamma(&mut self, shape: f64) -> f64 {
        if shape < 1.0 {
            let boost = libm::pow(self.uniform(), 1.0 / shape);
            return self.gamma(shape + 1.0) * boost;
        }
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / libm::sqrt(9.0 * d);
        loop {
            let x = self.normal();
            let v = 1.0 + c * x;
            if v <= 0.0 {
                continue;
            }
            let cube = v * v * v;
            if libm::log(self.uniform()) < 0.5 * x * x + d - d * cube + d * libm::log(cube) {
                return d * cube;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Mean and variance of many draws.
    fn moments(law: Law) -> (f64, f64) {
        let mut intervals = Intervals::new(law, [7; 32]);
        let draws: Vec<f64> = (0..200_000).map(|_| intervals.draw()).collect();
        assert!(draws.iter().all(|draw| draw.is_finite() && *draw >= 0.0));
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        let variance =
            draws.iter().map(|draw| (draw - mean) * (draw - mean)).sum::<f64>() / draws.len() as f64;
        (mean, variance)
    }

    #[test]
    fn every_law_has_mean_one_and_its_own_variance() {
        // Standard errors at 200,000 draws: the mean's is √(variance/n), at most 0.0045 here.
        for (law, variance) in [
            (Law::Exponential, 1.0),
            (Law::Gamma(Smoothness::new(0.25).unwrap()), 4.0),
            (Law::Gamma(Smoothness::new(1.0).unwrap()), 1.0),
            (Law::Gamma(Smoothness::new(16.0).unwrap()), 1.0 / 16.0),
        ] {
            let (mean, spread) = moments(law);
            assert!((mean - 1.0).abs() < 0.015, "{law:?}: mean {mean}");
            assert!((spread / variance - 1.0).abs() < 0.05, "{law:?}: variance {spread}");
        }
    }
}
