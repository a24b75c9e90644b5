//! What the conversations of a dataset are: a turn for every (conversation, turn) pair, from positions
//! and seeds alone.

use std::sync::Arc;

use bytes::Bytes;
use loadgen_core::{InputTokens, Prompt, Rope, Seed, Turn, TurnTiming};
use loadgen_tokens::Tokenizer;
use rand::Rng;
use uuid::Builder;

use crate::config::{LengthDistribution, ModelSelection, Sampling, WorkloadConfig};
use crate::corpus::{BlockKey, Corpus};
use crate::dataset::Origin;
use crate::draw::{Purpose, Streams, corpus_seed, index, length};
use crate::error::WorkloadError;
use crate::sampler::Sampler;
use crate::synthetic::Synthetic;
use crate::trace::{Input, Row, SessionName, Trace, block_sizes, nanoseconds};

/// The conversations of a dataset.
pub(crate) struct Library {
    content: Content,
    seed: Seed,
    /// `None` for a trace without prompts made up to measure, which no vocabulary has to suit.
    corpus: Option<Arc<Corpus>>,
    sampling: Sampling,
    models: Vec<Arc<str>>,
    model_selection: ModelSelection,
    model_draws: Streams,
    osl: Option<LengthDistribution>,
    osl_draws: Streams,
    text_draws: Streams,
    corpus_seed: Seed,
    /// `None` when the seed was given.
    name_draws: Option<Streams>,
}

enum Content {
    Synthetic(Synthetic),
    Trace(Trace),
}

/// One turn's own part of a prompt.
pub(crate) enum Part {
    /// A user message, and before the first one perhaps a system message.
    Text {
        /// The system message and its tokens.
        system: Option<(Rope, u32)>,
        /// The user message.
        text: Rope,
        /// Its tokens, when it was made to measure.
        tokens: Option<u32>,
    },
    /// Messages as they stand, as JSON.
    Messages { messages: Bytes, tools: Option<Bytes> },
    /// A body as it stands.
    Payload(Bytes),
}

impl Library {
    pub(crate) fn load(
        config: &WorkloadConfig,
        tokenizer: &Tokenizer,
        origin: Origin,
        models: &[Arc<str>],
    ) -> Result<Self, WorkloadError> {
        if models.is_empty() {
            return Err(WorkloadError::Option {
                flag: "--model",
                value: String::new(),
                reason: "name at least one model",
            });
        }
        let seed = origin.seed;
        let corpus = || Corpus::new(tokenizer).map(Arc::new);
        let (content, corpus, osl, sampling, model_selection) = match config {
            WorkloadConfig::Synthetic(config) => {
                let added = tokenizer.special_tokens_added();
                let corpus = corpus()?;
                let synthetic = Synthetic::new(config, corpus.clone(), added, seed)?;
                (
                    Content::Synthetic(synthetic),
                    Some(corpus),
                    config.osl,
                    config.sampling,
                    config.model_selection,
                )
            }
            WorkloadConfig::Trace(config) => {
                let trace = Trace::load(config)?;
                let is_made_up = trace.rows.iter().any(|row| matches!(row.input, Input::Length { .. }));
                let corpus = is_made_up.then(corpus).transpose()?;
                (Content::Trace(trace), corpus, config.osl, config.sampling, config.model_selection)
            }
        };
        osl.map_or(Ok(()), |osl| osl.check("--osl"))?;
        Ok(Self {
            content,
            seed,
            corpus,
            sampling,
            models: models.to_vec(),
            model_selection,
            model_draws: Streams::new(seed, Purpose::Model),
            osl,
            osl_draws: Streams::new(seed, Purpose::OutputLength),
            text_draws: Streams::new(seed, Purpose::Corpus),
            corpus_seed: corpus_seed(seed),
            name_draws: (!origin.is_given).then(|| Streams::new(seed, Purpose::SessionName)),
        })
    }

    pub(crate) fn trace(&self) -> Option<&Trace> {
        match &self.content {
            Content::Synthetic(_) => None,
            Content::Trace(trace) => Some(trace),
        }
    }

    pub(crate) fn sampler(&self) -> Sampler {
        Sampler::new(self.sampling, self.len(), self.seed)
    }

    /// Conversations in it; at least 1.
    pub(crate) fn len(&self) -> u32 {
        match &self.content {
            Content::Synthetic(synthetic) => synthetic.len(),
            Content::Trace(trace) => trace.sessions.len() as u32,
        }
    }

    /// Turns of a conversation.
    pub(crate) fn turns(&self, conversation: u32) -> u32 {
        self.trace().map_or(1, |trace| trace.sessions[conversation as usize].turns)
    }

    /// Turns of all conversations.
    pub(crate) fn all_turns(&self) -> u64 {
        self.trace().map_or_else(|| u64::from(self.len()), |trace| trace.rows.len() as u64)
    }

    /// A conversation's id.
    pub(crate) fn session_id(&self, conversation: u32) -> Arc<str> {
        let number = match self.trace().map(|trace| &trace.sessions[conversation as usize].name) {
            None => conversation,
            Some(SessionName::Numbered(number)) => *number,
            Some(SessionName::Given(name)) => return name.clone(),
        };
        let Some(draws) = &self.name_draws else { return format!("session_{number:06}").into() };
        let mut bytes = [0; 16];
        draws.at(u64::from(number)).fill_bytes(&mut bytes);
        Builder::from_random_bytes(bytes).into_uuid().to_string().into()
    }

    /// A turn around a prompt. `zero_ms` is the zero of the schedule, when the trace's times count.
    pub(crate) fn turn(
        &self,
        conversation: u32,
        turn: u32,
        session_id: &Arc<str>,
        prompt: (Prompt, InputTokens),
        zero_ms: Option<f64>,
    ) -> Turn {
        let position = self.position(conversation, turn);
        let row = self.trace().map(|trace| &trace.rows[position as usize]);
        let hash_ids = row.and_then(|row| match &row.input {
            Input::Length { hash_ids, .. } if !hash_ids.is_empty() => Some(hash_ids.clone()),
            _ => None,
        });
        let (prompt, input_tokens) = prompt;
        Turn {
            prompt,
            input_tokens,
            max_output_tokens: self.output_tokens(row, position),
            model: self.model(position),
            session_id: session_id.clone(),
            turn_index: turn as i32,
            is_last: turn + 1 == self.turns(conversation),
            timing: row.filter(|_| turn > 0).map_or(TurnTiming::Immediately, |row| timing(row, zero_ms)),
            extra: row.and_then(|row| row.extra.clone()),
            source_row: row.map(|row| row.index),
            hash_ids,
            labels: Vec::new(),
        }
    }

    /// Tokens to ask for: what the row says, else a draw, else nothing said.
    fn output_tokens(&self, row: Option<&Row>, position: u64) -> Option<u32> {
        match row {
            Some(Row { output_length: Some(tokens), .. }) => Some(*tokens),
            Some(Row { input: Input::Payload(_), .. }) => None,
            _ => Some(length(self.osl?, &mut self.osl_draws.at(position))),
        }
    }

    /// A turn's own part of the prompt.
    pub(crate) fn part(&self, conversation: u32, turn: u32) -> Part {
        let trace = match &self.content {
            Content::Synthetic(synthetic) => {
                let prompt = synthetic.prompt(conversation);
                return Part::Text { system: prompt.system, text: prompt.text, tokens: Some(prompt.tokens) };
            }
            Content::Trace(trace) => trace,
        };
        let row = &trace.rows[self.position(conversation, turn) as usize];
        match &row.input {
            Input::Length { tokens, hash_ids } => {
                let text = self.text(trace, row, *tokens, hash_ids);
                Part::Text { system: None, text, tokens: Some(*tokens) }
            }
            Input::Text(text) => Part::Text { system: None, text: Rope::from(text.clone()), tokens: None },
            Input::Messages { messages, tools } => {
                Part::Messages { messages: messages.clone(), tools: tools.clone() }
            }
            Input::Payload(payload) => Part::Payload(payload.clone()),
        }
    }

    /// The longest run of text that is cut from the corpus in one piece, and the corpus's length, where that
    /// is less: such a run repeats itself.
    pub(crate) fn repeated_run(&self) -> Option<(u32, usize)> {
        let corpus = self.corpus.as_ref()?.len();
        let longest = match &self.content {
            // Hardly any lengths come near it, and then none of them needs to be drawn here.
            Content::Synthetic(synthetic) if synthetic.longest() as usize <= corpus => None,
            Content::Synthetic(synthetic) => {
                (0..synthetic.len()).map(|conversation| synthetic.own_tokens(conversation)).max()
            }
            Content::Trace(trace) => {
                let block_size = trace.block_size as usize;
                let runs = trace.rows.iter().filter_map(|row| match &row.input {
                    Input::Length { tokens, hash_ids } => {
                        Some((*tokens as usize).saturating_sub(hash_ids.len() * block_size) as u32)
                    }
                    _ => None,
                });
                runs.max()
            }
        };
        longest.filter(|longest| *longest as usize > corpus).map(|longest| (longest, corpus))
    }

    /// The blocks of the row's ids, and text of its own for the tokens that they do not cover.
    fn text(&self, trace: &Trace, row: &Row, tokens: u32, hash_ids: &[i64]) -> Rope {
        let corpus = self.corpus.as_ref().expect("a trace with lengths has a corpus");
        let rng = &mut self.text_draws.at(row.index as u64);
        if hash_ids.is_empty() {
            return corpus.text(tokens, rng);
        }
        let mut rope = Rope::new();
        let mut left = tokens;
        for (id, size) in hash_ids.iter().zip(block_sizes(tokens, hash_ids.len(), trace.block_size)) {
            let key = BlockKey::new(self.corpus_seed, trace.facts.trace_id(), *id);
            corpus.block(&mut rope, key, size);
            left -= size;
        }
        if left > 0 {
            corpus.continue_text(&mut rope, left, rng);
        }
        rope
    }

    /// Position of a turn among all turns of the dataset.
    fn position(&self, conversation: u32, turn: u32) -> u64 {
        let position =
            self.trace().map_or(conversation, |trace| trace.sessions[conversation as usize].first + turn);
        u64::from(position)
    }

    fn model(&self, position: u64) -> Arc<str> {
        let at = match (self.models.len(), self.model_selection) {
            (1, _) => 0,
            (count, ModelSelection::RoundRobin) => (position % count as u64) as usize,
            (count, ModelSelection::Random) => index(&mut self.model_draws.at(position), count),
        };
        self.models[at].clone()
    }
}

/// When a turn after the first may be sent: at its own time where times count, else after its delay.
fn timing(row: &Row, zero_ms: Option<f64>) -> TurnTiming {
    match (zero_ms.zip(row.timestamp_ms), row.delay_ms) {
        (Some((zero, at)), _) => TurnTiming::AtOffset(nanoseconds(at - zero)),
        (None, Some(delay)) if delay > 0.0 => TurnTiming::AfterPrevious(nanoseconds(delay)),
        _ => TurnTiming::Immediately,
    }
}
