//! What the conversations of a dataset are: a turn for every (conversation, turn) pair, from positions
//! and seeds alone.

use std::sync::Arc;

use bytes::Bytes;
use loadgen_core::{InputTokens, Message, Prompt, Role, Rope, Seed, Turn, TurnTiming};
use loadgen_tokens::Tokenizer;
use rand::Rng;
use uuid::Builder;

use crate::config::{CommonConfig, ModelSelection, WorkloadConfig};
use crate::corpus::{BlockKey, Corpus, escape};
use crate::dataset::Origin;
use crate::draw::{Purpose, PythonRandom, Streams, corpus_seed};
use crate::error::WorkloadError;
use crate::sampler::Sampler;
use crate::secret_rows::SecretRows;
use crate::synthetic::{Added, Synthetic};
use crate::system_prompt::before_messages;
use crate::trace::{Input, Row, SessionName, Trace, block_sizes, nanoseconds};

/// The conversations of a dataset.
pub(crate) struct Library {
    content: Content,
    seed: Seed,
    /// `None` for a trace without prompts made up to measure, which no vocabulary has to suit.
    corpus: Option<Arc<Corpus>>,
    common: CommonConfig,
    models: Vec<Arc<str>>,
    /// Which model each turn asks, where they are drawn.
    drawn_models: Option<Box<[u16]>>,
    text_draws: Streams,
    corpus_seed: Seed,
    /// `None` when the seed was given.
    name_draws: Option<Streams>,
    /// The rows of a trace that hold secrets.
    secret_rows: SecretRows,
}

enum Content {
    Synthetic(Box<Synthetic>),
    Trace(Trace),
}

/// Messages, and how many tokens they have, where all of them were made to measure.
#[derive(Debug, Clone)]
pub(crate) struct Opening {
    pub(crate) messages: Vec<Message>,
    pub(crate) tokens: Option<u32>,
}

impl Default for Opening {
    fn default() -> Self {
        Self { messages: Vec::new(), tokens: Some(0) }
    }
}

impl Opening {
    /// What is still sent where the server keeps all that was said: the system message in front.
    pub(crate) fn kept_by_server(&self) -> Self {
        let system = self.messages.first().filter(|message| message.leads);
        let tokens = if system.is_some() { None } else { Some(0) };
        Self { messages: system.cloned().into_iter().collect(), tokens }
    }

    /// Appends a message, and its tokens if they are known.
    pub(crate) fn push(&mut self, message: Message, tokens: Option<u32>) {
        self.messages.push(message);
        self.tokens = self.tokens.zip(tokens).map(|(sum, tokens)| sum.saturating_add(tokens));
    }
}

/// One turn's own part of a prompt.
pub(crate) enum Asked {
    /// A message, and its tokens, when it was made to measure.
    Message { message: Message, tokens: Option<u32> },
    /// A query and passages, and their tokens together.
    Ranking { query: Rope, passages: Vec<Rope>, tokens: Option<u32> },
    /// Messages as they stand, as JSON; of the tools, what may be kept of them.
    Messages { messages: Bytes, tools: Option<Bytes>, shown_tools: Option<Bytes>, system: Option<Rope> },
    /// A body as it stands, and what may be kept of it.
    Payload { body: Bytes, shown: Bytes },
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
        let (content, corpus, common) = match config {
            WorkloadConfig::Synthetic(config) => {
                config.osl.map_or(Ok(()), |osl| osl.check("--osl"))?;
                let added = tokenizer.special_tokens_added();
                let corpus = corpus()?;
                let (once, around) = tokenizer.chat_overhead();
                let added = Added { by_server: added, once, around };
                let synthetic = Synthetic::new(config, corpus.clone(), added, seed)?;
                (Content::Synthetic(Box::new(synthetic)), Some(corpus), &config.common)
            }
            WorkloadConfig::Trace(config) => {
                config.osl.map_or(Ok(()), |osl| osl.check("--osl"))?;
                let trace = Trace::load(config, seed)?;
                let is_made_up = trace.rows.iter().any(|row| matches!(row.input, Input::Length { .. }));
                let corpus = is_made_up.then(corpus).transpose()?;
                (Content::Trace(trace), corpus, &config.common)
            }
        };
        let turns = match &content {
            Content::Synthetic(synthetic) => synthetic.all_turns() as usize,
            Content::Trace(trace) => trace.rows.len(),
        };
        let is_drawn = common.model_selection == ModelSelection::Random && models.len() > 1;
        Ok(Self {
            content,
            seed,
            corpus,
            drawn_models: is_drawn.then(|| {
                let mut random = PythonRandom::derive(seed, Purpose::Model.name());
                (0..turns).map(|_| random.below(models.len() as u32) as u16).collect()
            }),
            common: common.clone(),
            models: models.to_vec(),
            text_draws: Streams::new(seed, Purpose::Corpus),
            corpus_seed: corpus_seed(seed),
            name_draws: (!origin.is_given).then(|| Streams::new(seed, Purpose::SessionName)),
            secret_rows: SecretRows::default(),
        })
    }

    /// Finds the rows that hold secrets.
    pub(crate) fn clean(&mut self, clean: impl Fn(&[u8]) -> Option<Vec<u8>>) {
        if let Content::Trace(trace) = &self.content {
            self.secret_rows = SecretRows::among(&trace.rows, clean);
        }
    }

    pub(crate) fn trace(&self) -> Option<&Trace> {
        match &self.content {
            Content::Synthetic(_) => None,
            Content::Trace(trace) => Some(trace),
        }
    }

    pub(crate) fn sampler(&self) -> Sampler {
        Sampler::new(self.common.sampling, self.len(), self.seed)
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
        match &self.content {
            Content::Synthetic(synthetic) => synthetic.turns(conversation),
            Content::Trace(trace) => trace.sessions[conversation as usize].turns,
        }
    }

    /// Turns of all conversations.
    pub(crate) fn all_turns(&self) -> u64 {
        match &self.content {
            Content::Synthetic(synthetic) => u64::from(synthetic.all_turns()),
            Content::Trace(trace) => trace.rows.len() as u64,
        }
    }

    /// Whether prompts are counted in the chat template.
    pub(crate) fn counts_in_chat_template(&self) -> bool {
        self.common.in_chat_template
    }

    /// Whether a turn is sent with what was said before it.
    pub(crate) fn remembers(&self, conversation: u32) -> bool {
        self.trace().is_none_or(|trace| trace.sessions[conversation as usize].remembers)
    }

    /// What a conversation begins with, before its first turn.
    pub(crate) fn opening(&self, conversation: u32) -> Opening {
        let trace = match &self.content {
            Content::Synthetic(synthetic) => return synthetic.opening(conversation),
            Content::Trace(trace) => trace,
        };
        let own = trace.sessions[conversation as usize].system.clone();
        let given = self.common.system_prompt.as_deref().map(|prompt| Bytes::from(escape(prompt)));
        let mut opening = Opening::default();
        let text: Rope = match (given, own) {
            (None, None) => return opening,
            (Some(given), Some(own)) => {
                [given, Bytes::from_static(SYSTEM_SEPARATOR.as_bytes()), own].into_iter().collect()
            }
            (given, own) => given.into_iter().chain(own).collect(),
        };
        opening.push(Message::leading(text), None);
        opening
    }

    /// Puts what a conversation begins with into its first message, where both are system messages and the
    /// endpoint wants one; gives what is then left to begin with.
    pub(crate) fn join_system(&self, opening: &Opening, asked: &mut Asked) -> Option<Opening> {
        let [system] = opening.messages.as_slice() else { return None };
        let Asked::Message { message, tokens } = asked else { return None };
        if !self.common.joins_system || !system.leads || message.role != Role::System {
            return None;
        }
        let mut text = system.text.clone();
        text.push(Bytes::from_static(SYSTEM_SEPARATOR.as_bytes()));
        text.extend(&message.text);
        (message.text, *tokens) = (text, None);
        Some(Opening::default())
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
            max_output_tokens: self.output_tokens(position),
            model: self.model(position),
            session_id: session_id.clone(),
            turn_index: turn as i32,
            is_last: turn + 1 == self.turns(conversation),
            timing: if turn > 0 { self.timing(position, zero_ms) } else { TurnTiming::Immediately },
            extra: row.and_then(|row| row.extra.clone()),
            holds_secrets: self.secret_rows.has(position),
            source_row: row.map(|row| row.index),
            hash_ids,
            labels: Vec::new(),
        }
    }

    /// Tokens to ask for, if a limit is asked for.
    fn output_tokens(&self, position: u64) -> Option<u32> {
        match &self.content {
            Content::Synthetic(synthetic) => synthetic.output_tokens(position as u32),
            Content::Trace(trace) => trace.rows[position as usize].output_length,
        }
    }

    /// When a turn after the first may be sent: at its own time where times count, else after its pause.
    fn timing(&self, position: u64, zero_ms: Option<f64>) -> TurnTiming {
        let (at, pause) = match &self.content {
            Content::Synthetic(synthetic) => (None, synthetic.delay_ms(position as u32)),
            Content::Trace(trace) => {
                let row = &trace.rows[position as usize];
                (zero_ms.zip(row.timestamp_ms), row.delay_ms)
            }
        };
        match (at, pause) {
            (Some((zero, at)), _) => TurnTiming::AtOffset(nanoseconds(at - zero)),
            (None, Some(pause)) if pause > 0.0 => TurnTiming::AfterPrevious(nanoseconds(pause)),
            _ => TurnTiming::Immediately,
        }
    }

    /// A turn's own part of the prompt.
    pub(crate) fn asked(&self, conversation: u32, turn: u32) -> Asked {
        let trace = match &self.content {
            Content::Synthetic(synthetic) => return synthetic.asked(conversation, turn),
            Content::Trace(trace) => trace,
        };
        let position = self.position(conversation, turn);
        let row = &trace.rows[position as usize];
        match &row.input {
            Input::Length { tokens, hash_ids } => {
                let text = self.text(trace, row, *tokens, hash_ids);
                Asked::Message { message: Message::new(Role::User, text), tokens: Some(*tokens) }
            }
            Input::Text(text) => {
                let message = Message::new(Role::User, Rope::from(text.clone()));
                Asked::Message { message, tokens: None }
            }
            Input::Message(message) => Asked::Message { message: (**message).clone(), tokens: None },
            Input::Ranking { query, passages } => {
                Asked::Ranking { query: query.clone(), passages: passages.to_vec(), tokens: None }
            }
            Input::Messages { messages, tools } => {
                let (messages, tools) = (messages.clone(), tools.clone());
                let shown_tools = self.secret_rows.shown(position).or_else(|| tools.clone());
                match self.common.system_prompt.as_deref() {
                    Some(prompt) if self.common.joins_system => {
                        let messages = before_messages(prompt, &messages);
                        Asked::Messages { messages, tools, shown_tools, system: None }
                    }
                    prompt => {
                        let system = prompt.map(|prompt| Rope::from(Bytes::from(escape(prompt))));
                        Asked::Messages { messages, tools, shown_tools, system }
                    }
                }
            }
            Input::Payload(body) => {
                let shown = self.secret_rows.shown(position).unwrap_or_else(|| body.clone());
                Asked::Payload { body: body.clone(), shown }
            }
        }
    }

    /// The longest run of text that is cut from the corpus in one piece, and the corpus's length, where that
    /// is less: such a run repeats itself.
    pub(crate) fn repeated_run(&self) -> Option<(u32, usize)> {
        let corpus = self.corpus.as_ref()?.len();
        let longest = match &self.content {
            Content::Synthetic(synthetic) => Some(synthetic.longest()),
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
        u64::from(match &self.content {
            Content::Synthetic(synthetic) => synthetic.position(conversation, turn),
            Content::Trace(trace) => trace.sessions[conversation as usize].first + turn,
        })
    }

    fn model(&self, position: u64) -> Arc<str> {
        let at = match &self.drawn_models {
            Some(drawn) => usize::from(drawn[position as usize]),
            None => (position % self.models.len() as u64) as usize,
        };
        self.models[at].clone()
    }
}

/// Between the user's system message and the dataset's, JSON-escaped.
const SYSTEM_SEPARATOR: &str = "\\n\\n";
