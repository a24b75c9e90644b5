//! What can be wrong with one line of a trace. Each text names the field and says how to mend it.

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LineFault {
    /// Longer than any request.
    #[error("longer than {longest} bytes; a trace has one JSON object on each line")]
    TooLong {
        /// Bytes that a line may have.
        longest: usize,
    },
    /// Not a JSON object at all.
    #[error("not a JSON object: {0}; each line is one request")]
    NotJson(String),
    /// `NaN` or an infinity.
    #[error("{field}: {value} is not a finite number; write one, or leave the field out")]
    NotFinite {
        /// The field.
        field: String,
        /// What stands there.
        value: String,
    },
    /// A field of the wrong type.
    #[error("{field}: expected {expected}, found {found}")]
    Type {
        /// The field.
        field: &'static str,
        /// What it must be.
        expected: &'static str,
        /// What stands there, shortened.
        found: String,
    },
    /// What is wrong with a turn of a line that has several.
    #[error("turns[{turn}]: {fault}")]
    Turn {
        /// Which, from 0.
        turn: usize,
        /// What is wrong with it.
        fault: Box<LineFault>,
    },
    /// Nothing to send.
    #[error("exactly one of input_length, text_input, messages and payload must be given, found none")]
    NoMode,
    /// Several things to send.
    #[error("exactly one of input_length, text_input, messages and payload must be given, found {0}")]
    ManyModes(String),
    /// A prompt without tokens.
    #[error("input_length: {0} is not a prompt's length; it must be at least 1")]
    InputLength(i64),
    /// A field that needs another.
    #[error("{field}: only allowed together with {with}")]
    Needs {
        /// The field.
        field: &'static str,
        /// The other.
        with: &'static str,
    },
    /// Two fields that exclude each other.
    #[error("{one} and {other} cannot both be given: keep one of them")]
    Both {
        /// The one.
        one: &'static str,
        /// The other.
        other: &'static str,
    },
    /// A field that every line has.
    #[error("{field}: missing, and every line needs it")]
    Missing {
        /// The field.
        field: &'static str,
    },
    /// A field that is not read yet.
    #[error("{field}: not built yet in loadgen; leave it out")]
    NotBuilt {
        /// The field.
        field: &'static str,
    },
    /// A request without text and media.
    #[error("nothing to send: give text, image, audio or video (or a list: texts, images, audios, videos)")]
    NoContent,
    /// A request for a ranking endpoint without what it ranks.
    #[error(
        "a ranking endpoint needs texts named query (or queries) and passages, and this request has not both"
    )]
    NoRanking,
    /// An image, a sound or a film that cannot be had.
    #[error("{field}: {reason}")]
    Media {
        /// The field.
        field: &'static str,
        /// Why not.
        reason: String,
    },
    /// Ids without text to stand for.
    #[error(
        "hash_ids: {ids} ids, but an input_length of {input_length} needs only {blocks} at {block_size} tokens \
         each; correct the row, or set --isl-block-size to the trace's own"
    )]
    TooManyIds {
        /// Ids in the row.
        ids: usize,
        /// Tokens of the prompt.
        input_length: u32,
        /// Blocks of the prompt.
        blocks: u32,
        /// Tokens of a block.
        block_size: u32,
    },
    /// One id that would have to stand for two texts.
    #[error(
        "hash_ids: id {id} stands for {tokens} tokens here and for {other_tokens} in line {other_line}; an \
         id stands for one text: only the last block of a prompt may be short, and its id may not be used \
         at another size (is --isl-block-size {block_size} the trace's own?)"
    )]
    TwoSizes {
        /// The id.
        id: i64,
        /// Its size here.
        tokens: u32,
        /// Its size elsewhere.
        other_tokens: u32,
        /// Where that is, from 1.
        other_line: u64,
        /// Tokens of a whole block.
        block_size: u32,
    },
    /// A conversation of different kinds of turns.
    #[error(
        "session_id: session {session:?} mixes {here} with the {before} of line {before_line}; the turns \
         of a session must all be input_length or text_input, all messages, or all payload"
    )]
    MixedSession {
        /// The session.
        session: String,
        /// The kind of this turn.
        here: &'static str,
        /// The kind of an earlier turn.
        before: &'static str,
        /// Where that is, from 1.
        before_line: u64,
    },
    /// A schedule without a time.
    #[error(
        "timestamp: missing, and a fixed schedule needs one on the first request of every session; add it, \
         or use --no-fixed-schedule with --request-rate or --concurrency"
    )]
    NoTimestamp,
}

impl LineFault {
    /// What is wrong with a line that is no JSON object, by its field where a `NaN` spoils it.
    pub(super) fn not_json(text: &str, error: &serde_json::Error) -> Self {
        let at = error.column().saturating_sub(1).min(text.len());
        for start in [at, at.saturating_sub(1)] {
            let Some((before, rest)) = text.split_at_checked(start) else { continue };
            if let Some(value) = NOT_FINITE.iter().find(|word| rest.starts_with(**word))
                && let Some(field) = key_before(before)
            {
                return Self::NotFinite { field, value: (*value).to_owned() };
            }
        }
        // serde_json counts lines of its own; a line here is always its line 1.
        let reason = error.to_string();
        let reason = reason.split(" at line ").next().unwrap_or_default();
        if error.is_data() {
            return Self::NotJson(reason.to_owned());
        }
        Self::NotJson(format!("{reason} at column {}", error.column()))
    }
}

/// Words that are numbers to Python's JSON reader, and to no other.
const NOT_FINITE: [&str; 3] = ["NaN", "Infinity", "-Infinity"];

/// The key that `before` ends with, `"key":`.
fn key_before(before: &str) -> Option<String> {
    let before = before.trim_end().strip_suffix(':')?.trim_end().strip_suffix('"')?;
    Some(before.rsplit('"').next()?.to_owned())
}
