//! What one request will be answered with: how many tokens, in which shape, spoiled how.
//!
//! Decided in full before anything is sent, from the request, the profile and the seed.

use loadgen_core::Seed;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::faults::Fault;
use crate::perf::Timing;
use crate::profile::Profile;

/// Tokens of an answer for which no number was asked.
const USUAL_TOKENS: u32 = 128;

/// What one request will be answered with.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plan {
    /// Spoils the answer.
    pub(crate) fault: Option<Fault>,
    /// When its tokens come, for engines that take that.
    pub(crate) timing: Option<Timing>,
    /// Which of the mock's words comes first.
    pub(crate) first_word: u64,
    /// Tokens of content.
    pub(crate) output_tokens: u32,
    /// Tokens that usage reports.
    pub(crate) reported_tokens: u32,
    /// How many of the first tokens of a chat answer are reasoning.
    pub(crate) reasoning_tokens: u32,
    /// The function that a chat answer calls, in place of saying something: its tokens are the arguments.
    pub(crate) tool: Option<String>,
    /// What usage says beyond the totals.
    pub(crate) details: Details,
    /// Whether a chat stream begins with a chunk that names the role.
    pub(crate) role: bool,
    /// Before which token an empty chunk takes a gap of its own.
    pub(crate) hole: Option<u32>,
    /// Whether there is a usage object.
    pub(crate) usage: bool,
    /// Whether the stream ends with `[DONE]`.
    pub(crate) done: bool,
    /// Why the answer ends.
    pub(crate) finish_reason: &'static str,
}

/// What usage says beyond the totals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Details {
    /// Nothing.
    None,
    /// The prompt tokens that the prefix cache had.
    Cached,
    /// That half of the prompt was cached, and the reasoning tokens.
    HalfCached,
}

/// What a request asks of its answer's length.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LengthAsked {
    pub(crate) max_tokens: Option<u32>,
    pub(crate) min_tokens: u32,
    pub(crate) ignore_eos: bool,
}

impl Plan {
    /// What the `number`-th request gets from an ordinary profile.
    pub(crate) fn usual(
        profile: &Profile,
        seed: Seed,
        number: u64,
        asked: LengthAsked,
        fault: Option<Fault>,
    ) -> Self {
        let limit = asked.max_tokens.or(profile.output_tokens).unwrap_or(USUAL_TOKENS);
        let natural = profile.natural_tokens.filter(|_| !asked.ignore_eos);
        let ends_at = natural.map(|mean| natural_length(mean, seed, number).max(asked.min_tokens));
        let output_tokens = ends_at.unwrap_or(limit).min(limit);
        // A length that was not asked for is the model's own end.
        let is_cut = asked.max_tokens.is_some() && ends_at.is_none_or(|end| end > limit);
        Self {
            fault,
            timing: None,
            first_word: number,
            output_tokens,
            reported_tokens: output_tokens,
            reasoning_tokens: profile.reasoning_tokens.unwrap_or(0).min(output_tokens),
            tool: None,
            details: if profile.has_prefix_cache() { Details::Cached } else { Details::None },
            role: true,
            hole: None,
            usage: true,
            done: true,
            finish_reason: if is_cut { "length" } else { "stop" },
        }
    }
}

/// A geometric length of this mean, at least 1.
fn natural_length(mean: u32, seed: Seed, number: u64) -> u32 {
    if mean == 1 {
        return 1;
    }
    let uniform: f64 = ChaCha8Rng::from_seed(seed.child("natural").stream(&number.to_string())).random();
    // Inverse of the distribution function 1 - (1 - 1/mean)^n; `as` saturates far out.
    let length = libm::log(1.0 - uniform) / libm::log(1.0 - 1.0 / f64::from(mean));
    (length.ceil() as u32).max(1)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn plan(profile: &str, number: u64, asked: LengthAsked) -> Plan {
        Plan::usual(&profile.parse().unwrap(), Seed(1), number, asked, None)
    }

    const ASKED: LengthAsked = LengthAsked { max_tokens: Some(40), min_tokens: 0, ignore_eos: false };

    #[test]
    fn an_answer_has_the_length_asked_for() {
        let asked = plan("fixed", 0, ASKED);
        assert_eq!((asked.output_tokens, asked.finish_reason), (40, "length"));
        let open = LengthAsked { max_tokens: None, ..ASKED };
        assert_eq!(
            (plan("fixed", 0, open).output_tokens, plan("fixed", 0, open).finish_reason),
            (128, "stop")
        );
        assert_eq!(plan("fixed?output=9", 0, open).output_tokens, 9);
    }

    #[test]
    fn natural_lengths_obey_their_limits() {
        let lengths: Vec<u32> = (0..3000).map(|n| natural_length(50, Seed(1), n)).collect();
        let mean = lengths.iter().map(|length| f64::from(*length)).sum::<f64>() / 3000.0;
        // A geometric's deviation is about its mean: 50 / sqrt(3000) = 0.9; five of them.
        assert!((mean - 50.0).abs() < 4.6, "{mean}");
        assert!(lengths.iter().all(|length| *length >= 1));
        for number in 0..100 {
            let free = plan("fixed?natural=50", number, ASKED);
            assert!(free.output_tokens <= 40);
            assert_eq!(free.finish_reason == "stop", natural_length(50, Seed(1), number) <= 40);
            let floor = plan("fixed?natural=2", number, LengthAsked { min_tokens: 30, ..ASKED });
            assert!((30..=40).contains(&floor.output_tokens));
            let forced = plan("fixed?natural=2", number, LengthAsked { ignore_eos: true, ..ASKED });
            assert_eq!((forced.output_tokens, forced.finish_reason), (40, "length"));
        }
    }
}
