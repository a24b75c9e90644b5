//! The shared nouns of loadgen: time, seeds, text, turns and records.
//!
//! Every other crate speaks in these types, so this one stays small and free of opinions:
//!
//! * [`Nanos`] and [`Clock`]: instants on the run's one steady timeline;
//! * [`Seed`]: one root seed and named sub-streams of it;
//! * [`Rope`]: text as shared, already JSON-escaped pieces;
//! * [`Turn`], [`Session`] and [`RequestSource`]: what is sent;
//! * [`RawRecord`] (what a worker saw) and [`RequestRecord`] (what is kept): what came back;
//! * [`Exchange`]: how it looked on the wire, where an output shows that;
//! * [`RecordSink`] and [`CountTokens`]: where records go, and how their text is counted.
//!
//! What this crate does not know: any file format, any I/O, async, percentiles, the command line.

mod exchange;
mod outcome;
mod phase;
mod record;
mod rope;
mod seed;
mod source;
mod time;
mod turn;
mod usage;

pub use exchange::{BodyRead, CaptureScope, Exchange, Step};
pub use outcome::{ErrorDetail, FailureKind, Outcome};
pub use phase::{Phase, PhaseIndex};
pub use record::{
    ChunkKind, Chunks, ConnectionFacts, Identity, InputTokens, Instants, Labels, RawChunks, RawRecord,
    RequestRecord, StampCounts, StampSource, StreamTrail, TokenCounts,
};
pub use rope::Rope;
pub use seed::Seed;
pub use source::{CountTokens, ReadyMessage, RecordSink, Reply, RequestSource, Session, Started};
pub use time::{Clock, ManualClock, Nanos, SystemClock};
pub use turn::{Media, Message, Part, Prompt, Role, Turn, TurnTiming};
pub use usage::{SpeculativeDecoding, Usage};
