//! Conversations made up to measure: turns of exact token length, with prefixes, opening messages, pauses
//! and media as configured; or queries with passages.
//!
//! Lengths are drawn once ([`tables`]); text and media are functions of (seed, position), made when a turn is
//! asked for.

mod tables;

use std::sync::Arc;

use loadgen_core::{Message, Part, Role, Rope, Seed};
use rand::Rng;

use crate::config::{LONGEST_PROMPT, LengthDistribution, PairedLengths, RankingsConfig, SyntheticConfig};
use crate::corpus::{Corpus, escape};
use crate::draw::{Purpose, PythonRandom, Streams, index, length, longest};
use crate::error::WorkloadError;
use crate::library::{Asked, Opening};
use crate::media::{Images, Sounds};
use tables::{Tables, whole};

/// Positions of the prefix purpose's streams beyond those of conversations: the prefixes' own text.
const PREFIX_TEXT: u64 = 1 << 32;
/// And the system message's.
const SYSTEM_TEXT: u64 = 1 << 33;
/// And the text that each conversation begins with.
const CONTEXT_TEXT: u64 = 1 << 34;

/// The made-up conversations of a run.
pub(crate) struct Synthetic {
    corpus: Arc<Corpus>,
    entries: u32,
    tables: Tables,
    /// Texts of a turn; 0 without text.
    batch: u32,
    delay_ratio: f64,
    text: Streams,
    prefix: Streams,
    /// The pool of prefixes, and the tokens of each; empty without one.
    prefixes: Vec<Rope>,
    prefix_tokens: u32,
    /// The system message, and its tokens where they are known.
    system: Option<(Rope, Option<u32>)>,
    context_tokens: Option<u32>,
    images: Option<Images>,
    sounds: Option<Sounds>,
    rankings: Option<Rankings>,
}

/// What is ranked: the lengths of each conversation's query and passages, one after the other.
struct Rankings {
    /// Where each conversation's lengths begin; the first is the query's.
    starts: Box<[u32]>,
    tokens: Box<[u32]>,
}

/// Tokens that a server puts around a prompt of its own accord.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Added {
    /// By its tokenizer, around every text.
    pub(crate) by_server: u32,
    /// By the chat template, once a request; where prompts are counted in it.
    pub(crate) once: u32,
    /// By the chat template, around each message.
    pub(crate) around: u32,
}

impl Added {
    /// By the chat template, to a turn's own length.
    fn to_turn(self, is_first: bool) -> u32 {
        if is_first { self.once + self.around } else { self.around }
    }
}

impl Synthetic {
    /// What is `added` is taken off the lengths, so that the server sees the wanted ones.
    pub(crate) fn new(
        config: &SyntheticConfig,
        corpus: Arc<Corpus>,
        added: Added,
        seed: Seed,
    ) -> Result<Self, WorkloadError> {
        check(config, added.by_server)?;
        let tables = Tables::draw(config, added, seed)?;
        let prefix = Streams::new(seed, Purpose::Prefix);
        let prefixes = (0..u64::from(config.prefix_prompts))
            .map(|at| corpus.text(config.prefix_length, &mut prefix.at(PREFIX_TEXT + at)))
            .collect();
        let given = config.common.system_prompt.as_deref();
        let system = match (given, config.shared_system_prompt_length) {
            (Some(prompt), _) => Some((Rope::from(bytes::Bytes::from(escape(prompt))), None)),
            (None, Some(tokens)) => Some((corpus.text(tokens, &mut prefix.at(SYSTEM_TEXT)), Some(tokens))),
            (None, None) => None,
        };
        let turns = u64::from(tables.turns);
        Ok(Self {
            entries: config.entries,
            batch: if has_text(config) { config.batch } else { 0 },
            delay_ratio: config.turn_delay.ratio,
            text: Streams::new(seed, Purpose::Corpus),
            prefix,
            prefixes,
            prefix_tokens: config.prefix_length,
            system,
            context_tokens: config.user_context_prompt_length,
            images: config.images.as_ref().map(|images| Images::new(images, turns, seed)).transpose()?,
            sounds: config.audio.as_ref().map(|audio| Sounds::new(audio, turns, seed)).transpose()?,
            rankings: config.rankings.map(|rankings| Rankings::draw(rankings, config.entries, seed)),
            tables,
            corpus,
        })
    }

    /// Distinct conversations.
    pub(crate) fn len(&self) -> u32 {
        self.entries
    }

    /// Turns of a conversation.
    pub(crate) fn turns(&self, conversation: u32) -> u32 {
        if self.rankings.is_some() { 1 } else { self.tables.starts.turns(conversation) }
    }

    /// Turns of all conversations.
    pub(crate) fn all_turns(&self) -> u32 {
        if self.rankings.is_some() { self.entries } else { self.tables.turns }
    }

    /// The position of a turn among all turns.
    pub(crate) fn position(&self, conversation: u32, turn: u32) -> u32 {
        if self.rankings.is_some() { conversation } else { self.tables.starts.first(conversation) + turn }
    }

    /// Tokens to ask for in a turn.
    pub(crate) fn output_tokens(&self, position: u32) -> Option<u32> {
        self.tables.osl.as_ref().map(|osl| osl.at(position as usize))
    }

    /// The pause before a turn after the first, in ms.
    pub(crate) fn delay_ms(&self, position: u32) -> Option<f64> {
        let drawn = self.tables.delay_ms.as_ref()?.at(position as usize);
        Some(f64::from(drawn) * self.delay_ratio)
    }

    /// What a conversation begins with, before its first turn.
    pub(crate) fn opening(&self, conversation: u32) -> Opening {
        let mut opening = Opening::default();
        if let Some((text, tokens)) = &self.system {
            opening.push(Message::leading(text.clone()), *tokens);
        }
        if let Some(tokens) = self.context_tokens {
            let rng = &mut self.prefix.at(CONTEXT_TEXT + u64::from(conversation));
            opening.push(Message::new(Role::User, self.corpus.text(tokens, rng)), Some(tokens));
        }
        opening
    }

    /// A turn's own part.
    pub(crate) fn asked(&self, conversation: u32, turn: u32) -> Asked {
        if let Some(rankings) = &self.rankings {
            return self.ranking(rankings, conversation);
        }
        let position = self.position(conversation, turn);
        let mut text_rng = self.text.at(u64::from(position));
        let mut choice = (turn == 0).then(|| self.prefix.at(u64::from(conversation)));
        let mut tokens = 0_u32;
        let mut texts = (0..self.batch).map(|text| {
            let own = self.tables.isl.at(position as usize * self.batch as usize + text as usize);
            let (text, length) = self.text(own, choice.as_mut(), &mut text_rng);
            tokens = tokens.saturating_add(length);
            text
        });
        let mut message = Message::new(Role::User, texts.next().unwrap_or_default());
        message.parts.extend(texts.map(Part::Text));
        let at = u64::from(position);
        message.parts.extend(self.images.iter().flat_map(|images| images.of(at)).map(Part::Image));
        message.parts.extend(self.sounds.iter().flat_map(|sounds| sounds.of(at)).map(Part::Audio));
        Asked::Message { message, tokens: Some(tokens) }
    }

    /// A bound on the tokens of a text, its prefix not included.
    pub(crate) fn longest(&self) -> u32 {
        match &self.rankings {
            Some(rankings) => rankings.tokens.iter().copied().max().unwrap_or(0),
            None => self.tables.isl.greatest().max(self.context_tokens.unwrap_or(0)),
        }
    }

    fn text(&self, tokens: u32, choice: Option<&mut impl Rng>, text_rng: &mut impl Rng) -> (Rope, u32) {
        match choice.filter(|_| !self.prefixes.is_empty() && self.prefix_tokens > 0) {
            None => (self.corpus.text(tokens, text_rng), tokens),
            // A prefix of the pool comes on top of the wanted length.
            Some(choice) => {
                let mut text = self.prefixes[index(choice, self.prefixes.len())].clone();
                self.corpus.continue_text(&mut text, tokens, text_rng);
                (text, self.prefix_tokens.saturating_add(tokens))
            }
        }
    }

    fn ranking(&self, rankings: &Rankings, conversation: u32) -> Asked {
        let (at, next) = (rankings.starts[conversation as usize], rankings.starts[conversation as usize + 1]);
        let lengths = &rankings.tokens[at as usize..next as usize];
        let rng = &mut self.text.at(u64::from(conversation));
        let mut texts: Vec<Rope> = lengths.iter().map(|tokens| self.corpus.text(*tokens, rng)).collect();
        let query = texts.remove(0);
        Asked::Ranking { query, passages: texts, tokens: Some(lengths.iter().sum()) }
    }
}

impl Rankings {
    /// In AIPerf's order: how many passages; then the query's tokens and each passage's, from the sequence
    /// of prompt lengths.
    fn draw(config: RankingsConfig, entries: u32, seed: Seed) -> Self {
        let mut passages = PythonRandom::derive(seed, Purpose::Passages.name());
        let mut lengths = PythonRandom::derive(seed, Purpose::PromptLength.name());
        let mut starts = Vec::with_capacity(entries as usize + 1);
        let mut tokens = Vec::new();
        for _ in 0..entries {
            starts.push(tokens.len() as u32);
            let count = length(whole(config.passages), &mut passages);
            tokens.push(length(whole(config.query_tokens), &mut lengths));
            tokens.extend((0..count).map(|_| length(whole(config.passage_tokens), &mut lengths)));
        }
        starts.push(tokens.len() as u32);
        Self { starts: starts.into(), tokens: tokens.into() }
    }
}

/// Whether turns have text.
fn has_text(config: &SyntheticConfig) -> bool {
    config.isl.mean >= 1.0 || config.pairs.is_some()
}

/// `added` is what a server adds to a prompt on its own.
fn check(config: &SyntheticConfig, added: u32) -> Result<(), WorkloadError> {
    config.isl.check("--isl")?;
    config.turns.check("--conversation-turn-mean")?;
    config.turn_delay.ms.check("--conversation-turn-delay-mean")?;
    let option = |flag, value: String, reason| Err(WorkloadError::Option { flag, value, reason });
    let (flag, longest_prompt) = match &config.pairs {
        Some(PairedLengths::Mix(mix)) => ("--seq-dist", mix.longest()),
        Some(PairedLengths::Range(range)) => {
            ("--random-range-ratio", range.input_window(config.isl.mean as u32, 0).1)
        }
        None => ("--isl", longest(config.isl)),
    };
    if longest_prompt > LONGEST_PROMPT {
        let LengthDistribution { mean, stddev } = config.isl;
        let value = if stddev > 0.0 { format!("{mean} (deviation {stddev})") } else { mean.to_string() };
        return option(flag, value, "a prompt has at most 16777216 tokens, its deviation included");
    }
    if let Some(PairedLengths::Range(range)) = &config.pairs
        && range.input_window(config.isl.mean as u32, added).0 + config.prefix_length == 0
    {
        let reason = "makes prompts of no tokens at all; lower it, or raise --isl";
        return option("--random-range-ratio", range.input.to_string(), reason);
    }
    for (flag, tokens) in [
        ("--prefix-prompt-length", config.prefix_length),
        ("--shared-system-prompt-length", config.shared_system_prompt_length.unwrap_or(0)),
        ("--user-context-prompt-length", config.user_context_prompt_length.unwrap_or(0)),
    ] {
        if tokens > LONGEST_PROMPT {
            return option(flag, tokens.to_string(), "a prompt has at most 16777216 tokens");
        }
    }
    if let Some(rankings) = &config.rankings {
        for (flag, distribution) in [
            ("--rankings-passages-mean", rankings.passages),
            ("--rankings-passages-prompt-token-mean", rankings.passage_tokens),
            ("--rankings-query-prompt-token-mean", rankings.query_tokens),
        ] {
            distribution.check(flag)?;
            if longest(distribution) > LONGEST_PROMPT {
                return option(flag, distribution.mean.to_string(), "at most 16777216");
            }
        }
    }
    if config.entries == 0 {
        return option("--num-dataset-entries", "0".to_owned(), "must be at least 1");
    }
    if config.batch == 0 && config.images.is_none() && config.audio.is_none() {
        return option("--prompt-batch-size", "0".to_owned(), "leaves requests without any content");
    }
    if !has_text(config) && config.images.is_none() && config.audio.is_none() && config.rankings.is_none() {
        return option("--isl", config.isl.mean.to_string(), "a prompt needs at least 1 token");
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
    if !(config.turn_delay.ratio.is_finite() && config.turn_delay.ratio >= 0.0) {
        let ratio = config.turn_delay.ratio.to_string();
        return option("--conversation-turn-delay-ratio", ratio, "a ratio is a number of at least 0");
    }
    Ok(())
}
