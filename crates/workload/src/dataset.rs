//! A dataset: conversations of turns, numbered, and the ways to walk through them.

use std::sync::Arc;

use bytes::Bytes;
use loadgen_core::{InputTokens, RequestSource, Rope, Seed, Session, Turn, TurnTiming};
use loadgen_tokens::Tokenizer;
use rand::Rng;
use uuid::Builder;

use crate::config::{LengthDistribution, ModelSelection, Sampling, WorkloadConfig};
use crate::corpus::{BlockKey, Corpus};
use crate::draw::{Purpose, Streams, corpus_seed, index, length};
use crate::error::WorkloadError;
use crate::sampler::Sampler;
use crate::session::Conversation;
use crate::synthetic::Synthetic;
pub use crate::trace::FileFacts;
use crate::trace::{Input, LineFault, Trace, TraceSession, block_sizes, speed_up};

/// Where a run's randomness comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// The root seed.
    pub seed: Seed,
    /// Whether the user gave it. Sessions without a name are then `session_000000` and so on; else
    /// they have random names, so that runs do not share them.
    pub is_given: bool,
}

/// What is sent. Clones share everything.
#[derive(Clone)]
pub struct Dataset(Arc<Library>);

/// The conversations of a dataset.
pub(crate) struct Library {
    content: Content,
    seed: Seed,
    corpus: Arc<Corpus>,
    sampling: Sampling,
    models: Vec<Arc<str>>,
    model_selection: ModelSelection,
    model_draws: Streams,
    osl: Option<LengthDistribution>,
    osl_draws: Streams,
    /// `None` when the seed was given.
    name_draws: Option<Streams>,
    warnings: Vec<String>,
}

enum Content {
    Synthetic(Synthetic),
    Trace { trace: Trace, names: Vec<u32>, text: Streams, corpus_seed: Seed, block_size: u32, zero_ms: Zero },
}

/// Where the schedule of a trace starts.
#[derive(Debug, Clone, Copy)]
enum Zero {
    Earliest,
    At(f64),
}

/// A trace's own times: session `n` of the source is sent at offset `n`.
#[derive(Clone)]
pub struct Timetable {
    /// Ascending, in ns from the start of the phase; negative for what lies before its zero.
    pub offsets_ns: Arc<[i64]>,
    /// Every conversation once, in that order.
    pub source: Arc<dyn RequestSource>,
}

/// A conversation as it stands in the dataset.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The conversation's id.
    pub session_id: Arc<str>,
    /// Its turns, each with its own part of the prompt and no history.
    pub turns: Vec<Turn>,
}

/// One turn's own part of a prompt.
pub(crate) enum Part {
    /// A user message, after a system message in the first turn.
    Text {
        system: Option<(Rope, u32)>,
        text: Rope,
        /// Known by construction.
        tokens: Option<u32>,
    },
    /// Messages as they stand.
    Messages { messages: Bytes, tools: Option<Bytes> },
    /// A body as it stands.
    Payload(Bytes),
}

impl Dataset {
    /// Loads or makes up the conversations, and finds everything that is wrong with them.
    ///
    /// `tokenizer` decides which words make exact lengths; the builtin one is not initialised for it.
    /// `models` must not be empty.
    pub fn load(
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
        let corpus = Arc::new(Corpus::new(tokenizer)?);
        let (content, osl, sampling, model_selection) = match config {
            WorkloadConfig::Synthetic(config) => {
                let added = tokenizer.special_tokens_added();
                let content = Content::Synthetic(Synthetic::new(config, corpus.clone(), added, seed)?);
                (content, config.osl, config.sampling, config.model_selection)
            }
            WorkloadConfig::Trace(config) => {
                let trace = Trace::load(config)?;
                let content = Content::Trace {
                    names: numbers(&trace.sessions),
                    trace,
                    text: Streams::new(seed, Purpose::Corpus),
                    corpus_seed: corpus_seed(seed),
                    block_size: config.block_size,
                    zero_ms: match config.start_offset_ms {
                        Some(start) => Zero::At(speed_up(start, config.speedup)),
                        None if config.auto_offset => Zero::Earliest,
                        None => Zero::At(0.0),
                    },
                };
                (content, config.osl, config.sampling, config.model_selection)
            }
        };
        let mut library = Library {
            content,
            seed,
            corpus,
            sampling,
            models: models.to_vec(),
            model_selection,
            model_draws: Streams::new(seed, Purpose::Model),
            osl,
            osl_draws: Streams::new(seed, Purpose::OutputLength),
            name_draws: (!origin.is_given).then(|| Streams::new(seed, Purpose::SessionName)),
            warnings: Vec::new(),
        };
        library.warnings = library.warn();
        Ok(Self(Arc::new(library)))
    }

    /// Conversations, sampled for as long as somebody asks.
    pub fn source(&self) -> Arc<dyn RequestSource> {
        let sampler = Sampler::new(self.0.sampling, self.0.len(), self.0.seed);
        Arc::new(Sampled { library: self.0.clone(), sampler })
    }

    /// Every conversation once, in the order of the trace's own times. `after` is how many sessions
    /// earlier phases of the run take: ordinals below it are sampled, as [`source`](Self::source) does.
    ///
    /// Fails when a conversation has no time; for made-up conversations always.
    pub fn timetable(&self, after: u64) -> Result<Timetable, WorkloadError> {
        let Content::Trace { trace, zero_ms, .. } = &self.0.content else {
            return Err(WorkloadError::Option {
                flag: "--fixed-schedule",
                value: String::new(),
                reason: "needs the times of a trace: give an --input-file with timestamps",
            });
        };
        let times = trace.first_times_ms().map_err(|line| WorkloadError::Line {
            path: trace.facts.path.clone(),
            line,
            fault: LineFault::NoTimestamp,
        })?;
        let mut order: Vec<u32> = (0..times.len() as u32).collect();
        order.sort_by(|a, b| times[*a as usize].total_cmp(&times[*b as usize]));
        let zero = match zero_ms {
            Zero::At(zero) => *zero,
            Zero::Earliest => order.first().map_or(0.0, |first| times[*first as usize]),
        };
        let offsets_ns = order.iter().map(|at| nanoseconds(times[*at as usize] - zero)).collect();
        let sampler = Sampler::new(self.0.sampling, self.0.len(), self.0.seed);
        let source = Scheduled { library: self.0.clone(), sampler, after, order: order.into(), zero };
        Ok(Timetable { offsets_ns, source: Arc::new(source) })
    }

    /// The offsets of [`timetable`](Self::timetable), `None` where there is none.
    pub fn arrival_offsets_ns(&self) -> Option<Arc<[i64]>> {
        self.timetable(0).ok().map(|timetable| timetable.offsets_ns)
    }

    /// Whether the first request has a time, which makes a trace a schedule unless the user objects.
    pub fn has_times(&self) -> bool {
        match &self.0.content {
            Content::Synthetic(_) => false,
            Content::Trace { trace, .. } => trace.rows.first().is_some_and(|row| row.timestamp_ms.is_some()),
        }
    }

    /// Conversations in it.
    pub fn len(&self) -> u64 {
        u64::from(self.0.len())
    }

    /// Never: a dataset without conversations does not load.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Turns of all its conversations.
    pub fn turns(&self) -> u64 {
        match &self.0.content {
            Content::Synthetic(synthetic) => u64::from(synthetic.len()),
            Content::Trace { trace, .. } => trace.rows.len() as u64,
        }
    }

    /// What was accepted, but not quite as it stands, or will surprise.
    pub fn warnings(&self) -> &[String] {
        &self.0.warnings
    }

    /// The file it came from.
    pub fn file(&self) -> Option<&FileFacts> {
        match &self.0.content {
            Content::Synthetic(_) => None,
            Content::Trace { trace, .. } => Some(&trace.facts),
        }
    }

    /// SHA-256 in hex of the file it came from.
    pub fn sha256(&self) -> Option<&str> {
        self.file().map(|file| file.sha256.as_str())
    }

    /// All conversations as they stand, in their order.
    pub fn entries(&self) -> impl Iterator<Item = Entry> + '_ {
        (0..self.0.len()).map(|at| {
            let session_id = self.0.session_id(at);
            let turns = (0..self.0.turns(at)).map(|turn| self.0.turn_alone(at, turn, &session_id)).collect();
            Entry { session_id, turns }
        })
    }
}

impl std::fmt::Debug for Dataset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dataset").field("conversations", &self.len()).field("file", &self.file()).finish()
    }
}

/// Numbers the sessions without a name.
fn numbers(sessions: &[TraceSession]) -> Vec<u32> {
    let mut next = 0;
    sessions
        .iter()
        .map(|session| {
            let number = next;
            next += u32::from(session.name.is_none());
            number
        })
        .collect()
}

/// Milliseconds of trace time in ns.
fn nanoseconds(ms: f64) -> i64 {
    // `as` saturates; times are within 292 years of zero.
    (ms * 1e6).round() as i64
}

impl Library {
    fn len(&self) -> u32 {
        match &self.content {
            Content::Synthetic(synthetic) => synthetic.len(),
            Content::Trace { trace, .. } => trace.sessions.len() as u32,
        }
    }

    /// Turns of a conversation.
    pub(crate) fn turns(&self, conversation: u32) -> u32 {
        match &self.content {
            Content::Synthetic(_) => 1,
            Content::Trace { trace, .. } => trace.sessions[conversation as usize].turns,
        }
    }

    /// A conversation's id.
    pub(crate) fn session_id(&self, conversation: u32) -> Arc<str> {
        let number = match &self.content {
            Content::Synthetic(_) => conversation,
            Content::Trace { trace, names, .. } => {
                if let Some(name) = &trace.sessions[conversation as usize].name {
                    return name.clone();
                }
                names[conversation as usize]
            }
        };
        match &self.name_draws {
            None => format!("session_{number:06}").into(),
            Some(draws) => {
                let mut bytes = [0; 16];
                draws.at(u64::from(number)).fill_bytes(&mut bytes);
                Builder::from_random_bytes(bytes).into_uuid().to_string().into()
            }
        }
    }

    /// Position of a turn among all turns of the dataset.
    fn position(&self, conversation: u32, turn: u32) -> u64 {
        match &self.content {
            Content::Synthetic(_) => u64::from(conversation),
            Content::Trace { trace, .. } => u64::from(trace.sessions[conversation as usize].first + turn),
        }
    }

    fn model(&self, position: u64) -> Arc<str> {
        let at = match (self.models.len(), self.model_selection) {
            (1, _) => 0,
            (count, ModelSelection::RoundRobin) => (position % count as u64) as usize,
            (count, ModelSelection::Random) => index(&mut self.model_draws.at(position), count),
        };
        self.models[at].clone()
    }

    /// A turn with its own part of the prompt and no history.
    pub(crate) fn turn_alone(&self, conversation: u32, turn: u32, session_id: &Arc<str>) -> Turn {
        let part = self.part(conversation, turn);
        let (prompt, input_tokens) = Conversation::assemble(&[], part);
        self.turn(conversation, turn, session_id, prompt, input_tokens, None)
    }

    /// A turn around a prompt. `zero_ms` is the zero of the schedule, when the trace's times count.
    pub(crate) fn turn(
        &self,
        conversation: u32,
        turn: u32,
        session_id: &Arc<str>,
        prompt: loadgen_core::Prompt,
        input_tokens: InputTokens,
        zero_ms: Option<f64>,
    ) -> Turn {
        let position = self.position(conversation, turn);
        let row = match &self.content {
            Content::Synthetic(_) => None,
            Content::Trace { trace, .. } => Some(&trace.rows[position as usize]),
        };
        let drawn = || self.osl.map(|osl| length(osl, &mut self.osl_draws.at(position)));
        let timing = match row {
            Some(row) if turn > 0 => match (zero_ms.zip(row.timestamp_ms), row.delay_ms) {
                (Some((zero, at)), _) => TurnTiming::AtOffset(nanoseconds(at - zero)),
                (None, Some(delay)) if delay > 0.0 => TurnTiming::AfterPrevious(nanoseconds(delay)),
                _ => TurnTiming::Immediately,
            },
            _ => TurnTiming::Immediately,
        };
        let hash_ids = row.and_then(|row| match &row.input {
            Input::Length { hash_ids, .. } if !hash_ids.is_empty() => Some(hash_ids.clone()),
            _ => None,
        });
        Turn {
            prompt,
            input_tokens,
            max_output_tokens: match row {
                Some(row) => row.output_length.or_else(drawn),
                None => drawn(),
            },
            model: self.model(position),
            session_id: session_id.clone(),
            turn_index: turn as i32,
            is_last: turn + 1 == self.turns(conversation),
            timing,
            extra: row.and_then(|row| row.extra.clone()),
            source_row: row.map(|row| row.source_row),
            hash_ids,
            labels: Vec::new(),
        }
    }

    /// A turn's own part of the prompt.
    pub(crate) fn part(&self, conversation: u32, turn: u32) -> Part {
        match &self.content {
            Content::Synthetic(synthetic) => {
                let prompt = synthetic.prompt(conversation);
                Part::Text { system: prompt.system, text: prompt.text, tokens: Some(prompt.tokens) }
            }
            Content::Trace { trace, text, corpus_seed, block_size, .. } => {
                let row = &trace.turns(&trace.sessions[conversation as usize])[turn as usize];
                match &row.input {
                    Input::Length { tokens, hash_ids } => {
                        let rng = &mut text.at(row.source_row as u64);
                        let rope = if hash_ids.is_empty() {
                            self.corpus.text(*tokens, rng)
                        } else {
                            let key = |id| BlockKey::new(*corpus_seed, trace.facts.trace_id(), id);
                            self.blocks(*tokens, hash_ids, *block_size, key, rng)
                        };
                        Part::Text { system: None, text: rope, tokens: Some(*tokens) }
                    }
                    Input::Text(text) => {
                        Part::Text { system: None, text: Rope::from(text.clone()), tokens: None }
                    }
                    Input::Messages { messages, tools } => {
                        Part::Messages { messages: messages.clone(), tools: tools.clone() }
                    }
                    Input::Payload(payload) => Part::Payload(payload.clone()),
                }
            }
        }
    }

    /// The text of the ids' blocks, and text of its own for the tokens that they do not cover.
    fn blocks(
        &self,
        tokens: u32,
        hash_ids: &[i64],
        block_size: u32,
        key: impl Fn(i64) -> BlockKey,
        rng: &mut impl Rng,
    ) -> Rope {
        let mut rope = Rope::new();
        let mut covered = 0;
        for (id, size) in hash_ids.iter().zip(block_sizes(tokens, hash_ids.len(), block_size)) {
            self.corpus.block(&mut rope, key(*id), size);
            covered += size;
        }
        if tokens > covered {
            self.corpus.continue_text(&mut rope, tokens - covered, rng);
        }
        rope
    }

    /// What a user should know before the run.
    fn warn(&self) -> Vec<String> {
        let (mut warnings, longest) = match &self.content {
            Content::Synthetic(synthetic) => {
                (Vec::new(), (0..synthetic.len()).map(|at| synthetic.own_tokens(at)).max())
            }
            Content::Trace { trace, .. } => {
                let made_up = trace.rows.iter().filter_map(|row| match &row.input {
                    Input::Length { tokens, hash_ids } if hash_ids.is_empty() => Some(*tokens),
                    _ => None,
                });
                (trace.warnings.clone(), made_up.max())
            }
        };
        if let Some(longest) = longest.filter(|longest| *longest as usize > self.corpus.len()) {
            warnings.push(format!(
                "a prompt of {longest} tokens is longer than the prompt corpus ({} tokens) and repeats itself",
                self.corpus.len()
            ));
        }
        warnings
    }
}

/// Conversations, sampled without end.
struct Sampled {
    library: Arc<Library>,
    sampler: Sampler,
}

impl RequestSource for Sampled {
    fn session(&self, ordinal: u64) -> Option<Box<dyn Session>> {
        let conversation = self.sampler.pick(ordinal);
        Some(Box::new(Conversation::new(self.library.clone(), conversation, None)))
    }

    fn is_single_turn(&self) -> bool {
        self.library.is_single_turn()
    }
}

/// Conversations in the order of their times, after what earlier phases take.
struct Scheduled {
    library: Arc<Library>,
    sampler: Sampler,
    after: u64,
    order: Arc<[u32]>,
    zero: f64,
}

impl RequestSource for Scheduled {
    fn session(&self, ordinal: u64) -> Option<Box<dyn Session>> {
        let (conversation, zero) = match ordinal.checked_sub(self.after) {
            None => (self.sampler.pick(ordinal), None),
            Some(at) => (*self.order.get(usize::try_from(at).ok()?)?, Some(self.zero)),
        };
        Some(Box::new(Conversation::new(self.library.clone(), conversation, zero)))
    }

    fn is_single_turn(&self) -> bool {
        self.library.is_single_turn()
    }
}

impl Library {
    fn is_single_turn(&self) -> bool {
        match &self.content {
            Content::Synthetic(_) => true,
            Content::Trace { trace, .. } => trace.sessions.len() == trace.rows.len(),
        }
    }
}
