//! A dataset: conversations, numbered, and the ways to walk through them.

use std::sync::Arc;

use loadgen_core::{RequestSource, Seed, Session, Turn};
use loadgen_tokens::Tokenizer;

use crate::config::WorkloadConfig;
use crate::error::WorkloadError;
use crate::library::Library;
use crate::sampler::Sampler;
use crate::session::Conversation;
use crate::trace::FileFacts;

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

/// A trace's own times: session `n` of the source, less those of earlier phases, is sent at offset `n`.
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
    /// Its turns, each with what the conversation begins with and its own part of the prompt, and no history.
    pub turns: Vec<Turn>,
}

impl Dataset {
    /// Loads or makes up the conversations, and finds everything that is wrong with them.
    ///
    /// `tokenizer` decides which words make exact lengths; the builtin one is not asked for it.
    /// `models` must not be empty.
    pub fn load(
        config: &WorkloadConfig,
        tokenizer: &Tokenizer,
        origin: Origin,
        models: &[Arc<str>],
    ) -> Result<Self, WorkloadError> {
        Library::load(config, tokenizer, origin, models).map(|library| Self(Arc::new(library)))
    }

    /// The same, its secrets known: `clean` gives a JSON object without them, and nothing for one that has none.
    /// Each row is looked at once, here; its turns say whether they have any, and what is kept of a prompt to be
    /// counted has none.
    ///
    /// # Panics
    ///
    /// If the dataset is shared already: it belongs between loading and use.
    #[must_use]
    pub fn without_secrets(mut self, clean: impl Fn(&[u8]) -> Option<Vec<u8>>) -> Self {
        let library = Arc::get_mut(&mut self.0).expect("a dataset is cleaned before it is shared");
        library.clean(clean);
        self
    }

    /// Conversations, sampled for as long as somebody asks.
    pub fn source(&self) -> Arc<dyn RequestSource> {
        Arc::new(Sampled { sampler: self.0.sampler(), library: self.0.clone() })
    }

    /// Every conversation once, in the order of the trace's own times. `after` is how many sessions
    /// earlier phases of the run take: ordinals below it are sampled, as [`source`](Self::source) does.
    ///
    /// Fails when a conversation has no time; for made-up conversations always.
    pub fn timetable(&self, after: u64) -> Result<Timetable, WorkloadError> {
        let trace = self.0.trace().ok_or_else(|| WorkloadError::Option {
            flag: "--fixed-schedule",
            value: String::new(),
            reason: "needs the times of a trace: give an --input-file with timestamps",
        })?;
        let times = trace.times()?;
        let source = Scheduled {
            library: self.0.clone(),
            sampler: self.0.sampler(),
            after,
            order: times.order,
            zero_ms: times.zero_ms,
        };
        Ok(Timetable { offsets_ns: times.offsets_ns, source: Arc::new(source) })
    }

    /// Whether the first request has a time, which makes a trace a schedule unless the user objects.
    pub fn has_times(&self) -> bool {
        self.0.trace().is_some_and(|trace| trace.rows.first().is_some_and(|row| row.timestamp_ms.is_some()))
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
        self.0.all_turns()
    }

    /// The first conversation with turns that are sent with what was said before them.
    pub fn remembering(&self) -> Option<Arc<str>> {
        let several = |number: &u32| self.0.turns(*number) > 1 && self.0.remembers(*number);
        (0..self.0.len()).find(several).map(|number| self.0.session_id(number))
    }

    /// What was accepted, but not quite as it stands, or will surprise.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = self.0.trace().map(|trace| trace.warnings.clone()).unwrap_or_default();
        if let Some((longest, corpus)) = self.0.repeated_run() {
            warnings.push(format!(
                "a prompt has {longest} tokens of made-up text, more than the prompt corpus ({corpus}), and \
                 repeats itself"
            ));
        }
        warnings
    }

    /// The file it came from.
    pub fn file(&self) -> Option<&FileFacts> {
        self.0.trace().map(|trace| &trace.facts)
    }

    /// SHA-256 in hex of the file it came from.
    pub fn sha256(&self) -> Option<&str> {
        self.file().map(|file| file.sha256.as_str())
    }

    /// All conversations as they stand, in their order.
    pub fn entries(&self) -> impl Iterator<Item = Entry> + '_ {
        (0..self.0.len()).map(|number| {
            let session_id = self.0.session_id(number);
            let opening = self.0.opening(number);
            let turns = (0..self.0.turns(number))
                .map(|turn| {
                    let mut asked = self.0.asked(number, turn);
                    let joined = self.0.join_system(&opening, &mut asked);
                    let prompt = Conversation::assemble(joined.as_ref().unwrap_or(&opening), asked, false);
                    self.0.turn(number, turn, &session_id, prompt, None)
                })
                .collect();
            Entry { session_id, turns }
        })
    }
}

impl std::fmt::Debug for Dataset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dataset").field("conversations", &self.len()).field("file", &self.file()).finish()
    }
}

/// Conversations, sampled without end.
struct Sampled {
    library: Arc<Library>,
    sampler: Sampler,
}

impl RequestSource for Sampled {
    fn session(&self, ordinal: u64) -> Option<Box<dyn Session>> {
        let number = self.sampler.pick(ordinal);
        Some(Box::new(Conversation::new(self.library.clone(), number, None)))
    }

    fn is_single_turn(&self) -> bool {
        self.library.all_turns() == u64::from(self.library.len())
    }
}

/// Conversations in the order of their times, after what earlier phases take.
struct Scheduled {
    library: Arc<Library>,
    sampler: Sampler,
    after: u64,
    order: Arc<[u32]>,
    /// Zero of the schedule, in ms after the speed-up.
    zero_ms: f64,
}

impl RequestSource for Scheduled {
    fn session(&self, ordinal: u64) -> Option<Box<dyn Session>> {
        let (number, zero_ms) = match ordinal.checked_sub(self.after) {
            None => (self.sampler.pick(ordinal), None),
            Some(at) => (*self.order.get(usize::try_from(at).ok()?)?, Some(self.zero_ms)),
        };
        Some(Box::new(Conversation::new(self.library.clone(), number, zero_ms)))
    }

    fn is_single_turn(&self) -> bool {
        self.library.all_turns() == u64::from(self.library.len())
    }
}
