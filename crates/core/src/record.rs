//! The record of one request, twice: as a worker saw it, and as it is kept.
//!
//! A worker keeps instants and raw text and computes nothing ([`RawRecord`]). Counting tokens turns
//! it into a [`RequestRecord`], the row of `profile_export.parquet`.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::exchange::Exchange;
use crate::outcome::{ErrorDetail, Outcome};
use crate::phase::{Phase, PhaseIndex};
use crate::rope::Rope;
use crate::time::Nanos;
use crate::turn::Role;
use crate::usage::Usage;

/// Classes of a request, for SLOs and breakdowns.
pub type Labels = Vec<(Arc<str>, Arc<str>)>;

/// Who a request is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    /// One per request; sent as `X-Request-ID`.
    pub request_id: Uuid,
    /// One per session, shared by its turns; sent as `X-Correlation-ID`.
    pub correlation_id: Arc<str>,
    /// The conversation in the dataset.
    pub session_id: Arc<str>,
    /// The model asked.
    pub model: Arc<str>,
    /// Which of the given URLs, from 0.
    pub url_index: i32,
    /// Which worker sent it, from 0.
    pub worker_id: i32,
    /// Row of the input file, from 0.
    pub source_row: Option<i64>,
    /// Number of the request within its phase, from 0.
    pub session_num: i64,
    /// Position in its conversation, from 0.
    pub turn_index: i32,
    /// Warm-up or measured.
    pub phase: Phase,
    /// Position of the phase in the run, from 0.
    pub phase_index: PhaseIndex,
    /// Hash ids of the prompt's blocks, so that a recorded run can be replayed with its prefixes.
    pub hash_ids: Option<Arc<[i64]>>,
    /// Classes for breakdowns.
    pub labels: Labels,
}

/// When things happened; `None` where they did not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instants {
    /// When the schedule meant the request to leave.
    pub scheduled: Option<Nanos>,
    /// When the pacer let it go.
    pub released: Option<Nanos>,
    /// When work on it began, before waiting for a connection: AIPerf's start.
    pub request_start: Option<Nanos>,
    /// Just before the first byte was handed to the kernel.
    pub send_start: Option<Nanos>,
    /// When the last byte of the body had been handed to the kernel.
    pub send_end: Option<Nanos>,
    /// Arrival of the first byte of the response.
    pub first_byte: Option<Nanos>,
    /// Arrival of the bytes that completed the response's head.
    pub headers: Option<Nanos>,
    /// Arrival of the first content chunk, reasoning included.
    pub first_token: Option<Nanos>,
    /// Arrival of the first content chunk that carries more than reasoning.
    pub first_output_token: Option<Nanos>,
    /// Arrival of the last content chunk.
    pub last_token: Option<Nanos>,
    /// When it was over. For a complete response, good or bad: arrival of its last byte. For a request
    /// that got none (no connection, no answer, a stream that broke, a timeout, given up, cut off):
    /// when the client learned of it or gave up. `None` only for what was never sent.
    pub end: Option<Nanos>,
}

/// Facts of the connection that carried a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionFacts {
    /// Unique in the run.
    pub connection_id: Option<i64>,
    /// Whether an earlier request had used it.
    pub reused: bool,
    /// Waiting for a free connection, ns.
    pub blocked_ns: Option<i64>,
    /// Name resolution, ns.
    pub dns_ns: Option<i64>,
    /// TCP connect, ns.
    pub connect_ns: Option<i64>,
    /// TLS handshake, ns.
    pub tls_ns: Option<i64>,
    /// Bytes of the request's body.
    pub request_bytes: i64,
    /// Bytes of the response's body, transfer coding removed.
    pub response_bytes: i64,
    /// Reads from the socket that brought bytes of the response's body.
    pub reads: i32,
    /// Arrival of the first read that brought body bytes.
    pub first_body: Option<Nanos>,
    /// Arrival of the last read that brought body bytes.
    pub last_body: Option<Nanos>,
}

/// Where a chunk's arrival was stamped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StampSource {
    /// By the kernel when the very segment that completed it reached the host, seen by a packet socket.
    Packet,
    /// By the kernel when the bytes reached the host, as the connection's own socket tells.
    Kernel,
    /// By this process when it read them.
    #[default]
    User,
}

/// How many content chunks each source stamped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StampCounts {
    /// By the packet socket.
    pub packet: u32,
    /// By the kernel, on the connection's own socket.
    pub kernel: u32,
    /// By this process.
    pub user: u32,
}

impl StampCounts {
    /// Counts one chunk.
    pub fn add(&mut self, source: StampSource) {
        let count = match source {
            StampSource::Packet => &mut self.packet,
            StampSource::Kernel => &mut self.kernel,
            StampSource::User => &mut self.user,
        };
        *count = count.saturating_add(1);
    }

    /// Chunks over all sources.
    pub fn total(&self) -> u64 {
        u64::from(self.packet) + u64::from(self.kernel) + u64::from(self.user)
    }
}

/// Where in its connection's byte stream the stamped parts of a response ended, for whoever watches
/// the packets. A position is the number of bytes that the server had sent on the connection, as TCP
/// carries them (below TLS), up to and including the last byte of the part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamTrail {
    /// Our end of the connection.
    pub local: SocketAddr,
    /// The other end: the server, or a proxy.
    pub remote: SocketAddr,
    /// The first byte of the response.
    pub first_byte: Option<u64>,
    /// The response's head.
    pub headers: Option<u64>,
    /// The first and the last bytes of the body that were read.
    pub body: Option<(u64, u64)>,
    /// The last byte of a complete response.
    pub end: Option<u64>,
    /// Each content chunk; `None` where the position is not known.
    pub chunks: Vec<Option<u64>>,
    /// A read that left the socket empty: the position of its last byte, and the kernel's stamp of it
    /// as it came (wall clock, ns). The packet that ended there carries the very same stamp, so it ties
    /// positions to sequence numbers where the connection's opening was not seen.
    pub anchor: Option<(u64, i64)>,
}

/// What a content chunk carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChunkKind {
    /// Text of the answer (with or without reasoning beside it).
    Text,
    /// Reasoning alone.
    Reasoning,
    /// Names or arguments of tool calls (with or without text beside them).
    Tool,
}

impl ChunkKind {
    /// The name in the record's dictionary.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Reasoning => "reasoning",
            Self::Tool => "tool",
        }
    }
}

/// The content chunks of a response as they came: lists of equal length, and their text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RawChunks {
    /// Arrival minus `request_start`, ns.
    pub offset_ns: Vec<i64>,
    /// 0 when the arrival is exact; else the width in ns of the interval that ends at the offset.
    pub uncertainty_ns: Vec<i64>,
    /// Read minus arrival, ns: the client's own lag.
    pub read_lag_ns: Vec<i64>,
    /// What each chunk carries.
    pub kind: Vec<ChunkKind>,
    /// Bytes of the chunk's event on the wire.
    pub bytes: Vec<i32>,
    /// End of each chunk's slice in `reasoning`.
    pub reasoning_end: Vec<u32>,
    /// End of each chunk's slice in `output`.
    pub output_end: Vec<u32>,
    /// Reasoning text of all chunks, as JSON-escaped slices: joined, the inside of a JSON string.
    pub reasoning: Vec<u8>,
    /// Text and tool-call text of all chunks, likewise.
    pub output: Vec<u8>,
}

impl RawChunks {
    /// Number of chunks.
    pub fn len(&self) -> usize {
        self.offset_ns.len()
    }

    /// Whether no content came.
    pub fn is_empty(&self) -> bool {
        self.offset_ns.is_empty()
    }
}

/// Tokens of a prompt: known by construction, or to be counted from its text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum InputTokens {
    /// The prompt was built to have exactly this many.
    Exact(u32),
    /// To be counted: the text parts of the body, which are joined by one space.
    Count(Vec<Rope>),
    /// To be counted from a ready JSON value: its text parts, joined by one space.
    CountJson(Bytes),
    /// The body has no text.
    Unknown,
    /// To be counted in the model's chat template: who speaks, and what is said.
    Chat(Vec<(Role, Rope)>),
}

/// One request as a worker saw it: instants and raw text, nothing computed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RawRecord {
    /// Who.
    pub identity: Identity,
    /// When.
    pub instants: Instants,
    /// Over which connection.
    pub connection: ConnectionFacts,
    /// The HTTP status, if a head came.
    pub status: Option<i16>,
    /// What became of it.
    pub outcome: Outcome,
    /// Why it failed. Of a success: the error that the server told of inside the response, which AIPerf
    /// passes over.
    pub error: Option<ErrorDetail>,
    /// The reason the model gave for stopping.
    pub finish_reason: Option<String>,
    /// How many tokens were asked for.
    pub requested_output_tokens: Option<u32>,
    /// Tokens of the prompt.
    pub input_tokens: InputTokens,
    /// Token counts as the server reported them.
    pub usage: Option<Usage>,
    /// Where chunk arrivals were stamped.
    pub stamps: StampCounts,
    /// The content.
    pub chunks: RawChunks,
    /// Whether chunk lists were dropped because a buffer was full.
    pub degraded: bool,
    /// When a planned cancellation struck.
    pub cancelled_at: Option<Nanos>,
    /// Images that the request carried, those of its history included.
    pub images: u32,
    /// How long the first sound of the request plays, ns; `None` without a sound of known length.
    pub audio_ns: Option<u64>,
    /// Where the bytes were in their connection's stream, while arrivals may still be made more exact.
    /// Not kept: the arrivals are.
    #[serde(skip)]
    pub trail: Option<Box<StreamTrail>>,
    /// How it looked on the wire, where an output shows that.
    pub exchange: Option<Box<Exchange>>,
}

/// Token counts of a request; `None` is unknown.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TokenCounts {
    /// Tokens asked for.
    pub requested_output: Option<i64>,
    /// Tokens of the prompt.
    pub input: Option<i64>,
    /// Tokens of the answer, reasoning not included.
    pub output: Option<i64>,
    /// Reasoning tokens; `None` when no reasoning text came.
    pub reasoning: Option<i64>,
    /// As the server reported them.
    pub usage: Option<Usage>,
}

impl TokenCounts {
    /// Output sequence length: output plus reasoning; `None` when neither is known.
    pub fn output_sequence(&self) -> Option<i64> {
        match (self.output, self.reasoning) {
            (None, None) => None,
            (output, reasoning) => Some(output.unwrap_or(0) + reasoning.unwrap_or(0)),
        }
    }
}

/// The content chunks of a request: lists of equal length, one entry a chunk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chunks {
    /// Arrival minus `request_start`, ns; never decreasing.
    pub offset_ns: Vec<i64>,
    /// 0 when exact; else the width in ns of the interval that ends at the offset.
    pub uncertainty_ns: Vec<i64>,
    /// Read minus arrival, ns.
    pub read_lag_ns: Vec<i64>,
    /// Tokens whose last byte the chunk brought: they sum to output plus reasoning tokens.
    pub tokens: Vec<i32>,
    /// Bytes of the chunk's event on the wire.
    pub bytes: Vec<i32>,
    /// What each chunk carries.
    pub kind: Vec<ChunkKind>,
}

impl Chunks {
    /// Number of chunks.
    pub fn len(&self) -> usize {
        self.offset_ns.len()
    }

    /// Whether no content came.
    pub fn is_empty(&self) -> bool {
        self.offset_ns.is_empty()
    }
}

/// One request as it is kept: the row of `profile_export.parquet`, its metric columns aside.
#[derive(Debug, Clone, PartialEq)]
pub struct RequestRecord {
    /// Who.
    pub identity: Identity,
    /// When.
    pub instants: Instants,
    /// Over which connection.
    pub connection: ConnectionFacts,
    /// The HTTP status, if a head came.
    pub status: Option<i16>,
    /// What became of it.
    pub outcome: Outcome,
    /// Why it failed. Of a success: the error that the server told of inside the response, which AIPerf
    /// passes over.
    pub error: Option<ErrorDetail>,
    /// The reason the model gave for stopping.
    pub finish_reason: Option<String>,
    /// Token counts.
    pub tokens: TokenCounts,
    /// Where chunk arrivals were stamped.
    pub stamps: StampCounts,
    /// The content chunks.
    pub chunks: Chunks,
    /// Whether every SLO was met; `None` without SLOs.
    pub good: Option<bool>,
    /// Whether chunk lists were dropped because a buffer was full.
    pub degraded: bool,
    /// When a planned cancellation struck.
    pub cancelled_at: Option<Nanos>,
    /// Images that the request carried, those of its history included.
    pub images: u32,
    /// How long the first sound of the request plays, ns; `None` without a sound of known length.
    pub audio_ns: Option<u64>,
}

impl RequestRecord {
    /// The error that the server told of inside a response that still counts as a success, as AIPerf
    /// counts it.
    pub fn in_band_error(&self) -> Option<&ErrorDetail> {
        self.error.as_ref().filter(|_| self.outcome == Outcome::Ok)
    }
}
