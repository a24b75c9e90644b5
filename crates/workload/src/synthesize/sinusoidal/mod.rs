//! A trace whose request rate and mix of lengths swing like sinusoids: Dynamo's sin_synth, with a seed
//! and with counts that follow the integral of the rate.
//!
//! Requests come in two classes, each with an input and an output length. The rate swings between two
//! values and starts at the lower; so does the probability that a request is of class 1. A request's
//! prompt is a list of blocks with contents drawn from a fixed range, and its `hash_ids` number the
//! prefixes met so far.
//!
//! ```
//! use loadgen_workload::synthesize::sinusoidal::Options;
//!
//! let workload = Options { time_duration_s: Some(10), seed: 7, ..Options::default() }.resolve()?;
//! let mut trace = Vec::new();
//! let written = workload.write(&mut trace)?;
//! assert_eq!(written.rows as usize, trace.iter().filter(|byte| **byte == b'\n').count());
//! println!("{}", workload.mix());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Rows depend on the options and the seed alone, and are written one by one. What is kept is an entry for
//! each distinct prefix, of which nearly every block is one unless `--total-blocks` is small.

mod arrivals;
mod blocks;
mod mix;
mod options;

use std::io::{self, Write};

use loadgen_core::Seed;
use loadgen_schedule::Sinusoid;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use blocks::PrefixIds;
pub use mix::{ClassMix, Mix};
pub use options::{Fault, Faults, Options};

/// How arrivals follow the rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RateMode {
    /// The exact Poisson process of the rate: counts in any window follow the rate's integral.
    #[default]
    Exact,
    /// Dynamo's: the rate is held over each process interval, a Poisson number of requests is drawn
    /// for it, and they are spaced evenly from its start.
    Step,
}

/// The lengths of a class of requests, in tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lengths {
    /// Input.
    pub input_tokens: u32,
    /// Output.
    pub output_tokens: u32,
}

/// A sinusoidal workload, resolved: every value in range.
#[derive(Debug, Clone)]
pub struct Sinusoidal {
    options: Options,
    rate: Sinusoid,
    /// Probability of class 1; `None` where it is 0 throughout.
    share: Option<Sinusoid>,
    classes: [Lengths; 2],
}

/// One line of the trace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// Milliseconds since the start, rounded down.
    pub timestamp: i64,
    /// Input length in tokens.
    pub input_length: u32,
    /// Output length in tokens.
    pub output_length: u32,
    /// One id for each block of the input; equal lists up to a place mean equal text up to there.
    pub hash_ids: Vec<u64>,
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Written {
    /// Lines.
    pub rows: u64,
    /// Their input lengths, summed.
    pub input_tokens: u64,
    /// Their output lengths, summed.
    pub output_tokens: u64,
}

impl Sinusoidal {
    /// The rows, in the order of time.
    pub fn rows(&self) -> impl Iterator<Item = Row> + '_ {
        let seed = Seed(self.options.seed);
        let mut class_draws = ChaCha8Rng::from_seed(seed.stream("synthesize.sinusoidal.class"));
        let mut block_draws = ChaCha8Rng::from_seed(seed.stream("synthesize.sinusoidal.blocks"));
        let mut prefixes = PrefixIds::default();
        self.arrivals_s().map(move |at_s| {
            let is_first = uniform(&mut class_draws) < self.share_at(at_s);
            let lengths = self.classes[usize::from(!is_first)];
            let contents = (0..self.blocks_of(lengths))
                .map(|_| below(&mut block_draws, self.options.total_blocks().saturating_add(1)));
            let hash_ids = prefixes.ids_of(contents, lengths.input_tokens, self.options.block_size());
            Row {
                timestamp: (at_s * 1e3) as i64,
                input_length: lengths.input_tokens,
                output_length: lengths.output_tokens,
                hash_ids,
            }
        })
    }

    /// Writes the rows as mooncake_trace lines, one by one. Buffering is the writer's business.
    pub fn write(&self, writer: &mut impl Write) -> io::Result<Written> {
        let mut written = Written::default();
        for row in self.rows() {
            serde_json::to_writer(&mut *writer, &row)?;
            writer.write_all(b"\n")?;
            written.rows += 1;
            written.input_tokens += u64::from(row.input_length);
            written.output_tokens += u64::from(row.output_length);
        }
        writer.flush()?;
        Ok(written)
    }

    /// The request rate.
    pub fn rate(&self) -> &Sinusoid {
        &self.rate
    }

    /// What the trace will amount to.
    pub fn mix(&self) -> Mix {
        Mix::of(self)
    }

    /// Probability of class 1 at `t_s`.
    fn share_at(&self, t_s: f64) -> f64 {
        self.share.map_or(0.0, |share| share.rate_at(t_s))
    }

    fn blocks_of(&self, lengths: Lengths) -> u32 {
        lengths.input_tokens.div_ceil(self.options.block_size())
    }
}

/// Uniform on [0, 1), in steps of 2⁻⁵³.
fn uniform(random: &mut ChaCha8Rng) -> f64 {
    (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

/// Uniform on 0..bound, by multiplying and shifting; uneven by less than bound/2⁶⁴.
fn below(random: &mut ChaCha8Rng, bound: u64) -> u64 {
    ((u128::from(random.next_u64()) * u128::from(bound)) >> 64) as u64
}

#[cfg(test)]
mod tests;
