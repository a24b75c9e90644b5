//! Continuous batching with chunked prefill, a queue and a prefix cache.

use crate::units::{parse_duration, parse_ratio, show_duration};

/// The engine that the `default` profile imitates.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchConfig {
    /// Time of a step that does nothing else: launching it and reading the weights once, ns.
    pub step_ns: i64,
    /// Prompt tokens computed per second once a step's base is paid.
    pub prefill_tokens_per_s: u32,
    /// What each sequence that decodes adds to a step, ns.
    pub decode_ns: i64,
    /// Tokens a step may work on, prompt and decode together.
    pub budget_tokens: u32,
    /// Sequences that may run at once; the others queue, first come first served.
    pub max_sequences: u32,
    /// Tokens that the prefix cache holds; 0 turns it off.
    pub cache_tokens: u64,
    /// Standard deviation of a step's time, as a share of it.
    pub jitter: f64,
}

impl Default for BatchConfig {
    fn default() -> Self {
        Self {
            step_ns: 8_000_000,
            prefill_tokens_per_s: 100_000,
            decode_ns: 30_000,
            budget_tokens: 2048,
            max_sequences: 256,
            cache_tokens: 4_000_000,
            jitter: 0.03,
        }
    }
}

impl BatchConfig {
    pub(crate) const KEYS: &[&str] = &["step", "prefill", "decode", "budget", "sequences", "cache", "jitter"];

    /// Sets an option; `Ok(false)` when it is not one of [`Self::KEYS`].
    pub(crate) fn set(&mut self, key: &str, value: &str) -> Result<bool, String> {
        let duration = || parse_duration(value).ok_or_else(|| "expected a duration such as 8ms".to_owned());
        let positive = |what: &str| {
            let number = value.parse::<u32>().ok().filter(|number| *number > 0);
            number.ok_or_else(|| format!("expected a whole number of {what} above 0"))
        };
        match key {
            "step" => self.step_ns = duration()?,
            "prefill" => self.prefill_tokens_per_s = positive("prompt tokens per second")?,
            "decode" => self.decode_ns = duration()?,
            "budget" => self.budget_tokens = positive("tokens per step")?,
            "sequences" => self.max_sequences = positive("sequences")?,
            "cache" => self.cache_tokens = value.parse().map_err(|_| "expected a whole number of tokens")?,
            "jitter" => self.jitter = parse_ratio(value).ok_or("expected a share such as 0.03 or 3%")?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The options that differ from `usual`, as they parse.
    pub(crate) fn show(&self, usual: &Self) -> Vec<String> {
        let pairs = |config: &Self| {
            [
                format!("step={}", show_duration(config.step_ns)),
                format!("prefill={}", config.prefill_tokens_per_s),
                format!("decode={}", show_duration(config.decode_ns)),
                format!("budget={}", config.budget_tokens),
                format!("sequences={}", config.max_sequences),
                format!("cache={}", config.cache_tokens),
                format!("jitter={}", config.jitter),
            ]
        };
        pairs(self)
            .into_iter()
            .zip(pairs(usual))
            .filter(|(own, usual)| own != usual)
            .map(|(own, _)| own)
            .collect()
    }
}
