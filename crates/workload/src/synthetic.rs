//! Conversations made up to measure: one turn each, of exact token length.

use std::sync::Arc;

use loadgen_core::{Rope, Seed};
use rand::Rng;

use crate::config::{LONGEST_PROMPT, LengthDistribution, SyntheticConfig};
use crate::corpus::Corpus;
use crate::draw::{Purpose, Streams, index, length, longest};
use crate::error::WorkloadError;

/// Positions of the prefix purpose's streams beyond those of conversations: the prefixes' own text.
const PREFIX_TEXT: u64 = 1 << 32;
/// And the system message's.
const SYSTEM_TEXT: u64 = 1 << 33;

/// The made-up conversations of a run.
pub(crate) struct Synthetic {
    corpus: Arc<Corpus>,
    entries: u32,
    isl: LengthDistribution,
    lengths: Streams,
    text: Streams,
    prefix: Streams,
    /// The pool of prefixes, and the tokens of each; empty without one.
    prefixes: Vec<Rope>,
    prefix_tokens: u32,
    system: Option<(Rope, u32)>,
}

/// The prompt of a conversation.
pub(crate) struct SyntheticPrompt {
    /// The system message all conversations share, and its tokens.
    pub(crate) system: Option<(Rope, u32)>,
    /// The user message, prefix included.
    pub(crate) text: Rope,
    /// Its tokens.
    pub(crate) tokens: u32,
}

impl Synthetic {
    /// `added` is how many tokens a server puts around a prompt of its own accord; they are taken off
    /// the mean, so that the server sees the wanted length.
    pub(crate) fn new(
        config: &SyntheticConfig,
        corpus: Arc<Corpus>,
        added: u32,
        seed: Seed,
    ) -> Result<Self, WorkloadError> {
        check(config)?;
        let isl = LengthDistribution { mean: (config.isl.mean - f64::from(added)).max(0.0), ..config.isl };
        let prefix = Streams::new(seed, Purpose::Prefix);
        let prefixes = (0..u64::from(config.prefix_prompts))
            .map(|at| corpus.text(config.prefix_length, &mut prefix.at(PREFIX_TEXT + at)))
            .collect();
        let system = config
            .shared_system_prompt_length
            .map(|tokens| (corpus.text(tokens, &mut prefix.at(SYSTEM_TEXT)), tokens));
        Ok(Self {
            entries: config.entries,
            isl,
            lengths: Streams::new(seed, Purpose::PromptLength),
            text: Streams::new(seed, Purpose::Corpus),
            prefix,
            prefixes,
            prefix_tokens: config.prefix_length,
            system,
            corpus,
        })
    }

    /// Distinct conversations.
    pub(crate) fn len(&self) -> u32 {
        self.entries
    }

    /// The prompt of a conversation.
    pub(crate) fn prompt(&self, conversation: u32) -> SyntheticPrompt {
        let at = u64::from(conversation);
        let tokens = self.own_tokens(conversation);
        let mut text_rng = self.text.at(at);
        let (text, tokens) = if self.prefixes.is_empty() || self.prefix_tokens == 0 {
            (self.corpus.text(tokens, &mut text_rng), tokens)
        } else {
            self.prefixed(tokens, &mut self.prefix.at(at), &mut text_rng)
        };
        SyntheticPrompt { system: self.system.clone(), text, tokens }
    }

    /// Tokens of a conversation's prompt, its prefix not included.
    pub(crate) fn own_tokens(&self, conversation: u32) -> u32 {
        length(self.isl, &mut self.lengths.at(u64::from(conversation)))
    }

    /// A bound on [`own_tokens`](Self::own_tokens).
    pub(crate) fn longest(&self) -> u32 {
        longest(self.isl)
    }

    /// A prefix of the pool and `tokens` more: the prefix comes on top of the wanted length.
    fn prefixed(&self, tokens: u32, choice: &mut impl Rng, text_rng: &mut impl Rng) -> (Rope, u32) {
        let mut text = self.prefixes[index(choice, self.prefixes.len())].clone();
        self.corpus.continue_text(&mut text, tokens, text_rng);
        (text, self.prefix_tokens.saturating_add(tokens))
    }
}

fn check(config: &SyntheticConfig) -> Result<(), WorkloadError> {
    config.isl.check("--isl")?;
    let option = |flag, value: String, reason| Err(WorkloadError::Option { flag, value, reason });
    if longest(config.isl) > LONGEST_PROMPT {
        let LengthDistribution { mean, stddev } = config.isl;
        let value = if stddev > 0.0 { format!("{mean} (deviation {stddev})") } else { mean.to_string() };
        return option("--isl", value, "a prompt has at most 16777216 tokens, its deviation included");
    }
    for (flag, tokens) in [
        ("--prefix-prompt-length", config.prefix_length),
        ("--shared-system-prompt-length", config.shared_system_prompt_length.unwrap_or(0)),
    ] {
        if tokens > LONGEST_PROMPT {
            return option(flag, tokens.to_string(), "a prompt has at most 16777216 tokens");
        }
    }
    if config.entries == 0 {
        return option("--num-dataset-entries", "0".to_owned(), "must be at least 1");
    }
    if config.prefix_length > 0 && config.prefix_prompts == 0 {
        return option(
            "--prefix-prompt-length",
            config.prefix_length.to_string(),
            "needs --num-prefix-prompts, the number of prefixes to choose from",
        );
    }
    if config.shared_system_prompt_length.is_some() && config.prefix_prompts > 0 {
        return option(
            "--shared-system-prompt-length",
            config.shared_system_prompt_length.unwrap_or_default().to_string(),
            "cannot be combined with --num-prefix-prompts",
        );
    }
    Ok(())
}
