//! The `default` profile's engine: what a step costs there, and where its figures come from.

use super::batch::StepCost;
use super::limits::{Limits, positive};
use crate::units::{parse_duration, parse_ratio, show_duration};

/// The engine that the `default` profile imitates.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchConfig {
    /// What it may hold at once.
    pub limits: Limits,
    /// Time of a step that does nothing else: launching it and reading the weights once, ns.
    pub step_ns: i64,
    /// Prompt tokens computed per second once a step's base is paid.
    pub prefill_tokens_per_s: u32,
    /// What each sequence that decodes adds to a step, ns.
    pub decode_ns: i64,
    /// Standard deviation of a step's time, as a share of it.
    pub jitter: f64,
}

impl Default for BatchConfig {
    /// A node of eight H100 that serves an 8B-class model in BF16, from public figures of the parts:
    ///
    /// * prefill: 16 GFLOP a token (two for each of 8 billion weights) against 8 × 989 TFLOPS dense, of
    ///   which 45 % is reached: 220,000 tokens/s;
    /// * a step's base: 16 GB of weights read at 3.35 TB/s are 4.8 ms, launching it all about 3 ms;
    /// * a decoding sequence: 131 kB of keys and values a token (32 layers, 8 heads of 128, K and V,
    ///   2 bytes) times 12,000 tokens of context, read at 8 × 3.35 TB/s: 60 µs;
    /// * [`Limits`]: vLLM's usual budget and batch on such a machine, and a cache of what is left of
    ///   8 × 80 GB after weights and working space (about 400 GB).
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            step_ns: 8_000_000,
            prefill_tokens_per_s: 220_000,
            decode_ns: 60_000,
            jitter: 0.03,
        }
    }
}

impl BatchConfig {
    pub(crate) const KEYS: &[&str] = &["step", "prefill", "decode", "budget", "sequences", "cache", "jitter"];

    /// Sets an option; `Ok(false)` when it is not one of [`Self::KEYS`].
    pub(crate) fn set(&mut self, key: &str, value: &str) -> Result<bool, String> {
        let duration = || parse_duration(value).ok_or_else(|| "expected a duration such as 8ms".to_owned());
        match key {
            "step" => self.step_ns = duration()?,
            "prefill" => self.prefill_tokens_per_s = positive(value, "prompt tokens per second")?,
            "decode" => self.decode_ns = duration()?,
            "jitter" => self.jitter = parse_ratio(value).ok_or("expected a share such as 0.03 or 3%")?,
            _ => return self.limits.set(key, value),
        }
        Ok(true)
    }

    /// The options that differ from the usual ones, as they parse.
    pub(crate) fn show(&self) -> Vec<String> {
        let pairs = |config: &Self| {
            let mut pairs = vec![
                format!("step={}", show_duration(config.step_ns)),
                format!("prefill={}", config.prefill_tokens_per_s),
                format!("decode={}", show_duration(config.decode_ns)),
                format!("jitter={}", config.jitter),
            ];
            pairs.extend(config.limits.pairs());
            pairs
        };
        let usual = pairs(&Self::default());
        pairs(self).into_iter().zip(usual).filter(|(own, usual)| own != usual).map(|(own, _)| own).collect()
    }
}

/// A base, plus a price for each prompt token and each decoding sequence.
#[derive(Debug, Clone, Copy)]
#[allow(clippy::struct_field_names, reason = "the unit is part of each name")]
pub(crate) struct LinearCost {
    base_ns: f64,
    prefill_token_ns: f64,
    decode_ns: f64,
}

impl LinearCost {
    /// Prices in ns.
    pub(super) const fn new(base_ns: f64, prefill_token_ns: f64, decode_ns: f64) -> Self {
        Self { base_ns, prefill_token_ns, decode_ns }
    }
}

impl From<&BatchConfig> for LinearCost {
    fn from(config: &BatchConfig) -> Self {
        let prefill_token_ns = 1e9 / f64::from(config.prefill_tokens_per_s);
        Self::new(config.step_ns as f64, prefill_token_ns, config.decode_ns as f64)
    }
}

impl StepCost for LinearCost {
    fn step_ns(&self, prefill_tokens: u32, decoding: u32) -> f64 {
        self.base_ns
            + self.prefill_token_ns * f64::from(prefill_tokens)
            + self.decode_ns * f64::from(decoding)
    }
}
