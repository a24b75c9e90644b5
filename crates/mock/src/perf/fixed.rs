//! Given times, whatever the load: the ruler that a client's timing is held against.

use crate::units::{parse_duration, parse_ratio, show_duration};

/// Times of the `fixed` profile.
#[derive(Debug, Clone, PartialEq)]
pub struct FixedConfig {
    /// From the request's arrival to its first token, ns.
    pub ttft_ns: i64,
    /// From one token to the next, ns.
    pub itl_ns: i64,
    /// Standard deviation of each of these times, as a share of it (normal, cut at three deviations).
    pub jitter: f64,
}

impl Default for FixedConfig {
    fn default() -> Self {
        Self { ttft_ns: 50_000_000, itl_ns: 20_000_000, jitter: 0.0 }
    }
}

impl FixedConfig {
    pub(crate) const KEYS: &[&str] = &["ttft", "itl", "jitter"];

    /// Sets an option; `Ok(false)` when it is not one of [`Self::KEYS`].
    pub(crate) fn set(&mut self, key: &str, value: &str) -> Result<bool, String> {
        let duration = || parse_duration(value).ok_or_else(|| "expected a duration such as 20ms".to_owned());
        match key {
            "ttft" => self.ttft_ns = duration()?,
            "itl" => self.itl_ns = duration()?,
            "jitter" => self.jitter = parse_ratio(value).ok_or("expected a share such as 0.1 or 10%")?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The options, as they parse.
    pub(crate) fn show(&self) -> Vec<String> {
        let mut options = vec![
            format!("ttft={}", show_duration(self.ttft_ns)),
            format!("itl={}", show_duration(self.itl_ns)),
        ];
        if self.jitter > 0.0 {
            options.push(format!("jitter={}", self.jitter));
        }
        options
    }
}
