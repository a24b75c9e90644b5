//! What a batching engine may hold at once.

/// What a batching engine may hold at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Tokens a step may work on, prompt and decode together; at least 1.
    pub budget_tokens: u32,
    /// Sequences that may run at once; the others queue. At least 1.
    pub max_sequences: u32,
    /// Tokens that the prefix cache holds; 0 turns it off.
    pub cache_tokens: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { budget_tokens: 8192, max_sequences: 256, cache_tokens: 3_000_000 }
    }
}

impl Limits {
    pub(super) fn set(&mut self, key: &str, value: &str) -> Result<bool, String> {
        match key {
            "budget" => self.budget_tokens = positive(value, "tokens per step")?,
            "sequences" => self.max_sequences = positive(value, "sequences")?,
            "cache" => self.cache_tokens = value.parse().map_err(|_| "expected a whole number of tokens")?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    pub(super) fn pairs(&self) -> [String; 3] {
        [
            format!("budget={}", self.budget_tokens),
            format!("sequences={}", self.max_sequences),
            format!("cache={}", self.cache_tokens),
        ]
    }
}

/// A whole number above 0.
pub(super) fn positive(value: &str, what: &str) -> Result<u32, String> {
    let number = value.parse::<u32>().ok().filter(|number| *number > 0);
    number.ok_or_else(|| format!("expected a whole number of {what} above 0"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_shown_sets_the_same_limits() {
        let limits = Limits { budget_tokens: 5, max_sequences: 6, cache_tokens: 0 };
        let mut again = Limits::default();
        for pair in limits.pairs() {
            let (key, value) = pair.split_once('=').unwrap();
            assert!(again.set(key, value).unwrap());
        }
        assert_eq!(again, limits);
        assert!(again.set("budget", "0").unwrap_err().contains("above 0"));
        assert!(!again.set("ttft", "1").unwrap());
    }
}
