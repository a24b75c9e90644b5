//! What is seen of one request, filled as it happens.
//!
//! Invariant: at any moment the fields hold what was seen so far, so an exchange that is dropped
//! (cancelled, timed out, cut off by the end of the run) leaves a true partial record. The outcome
//! stays `None` until the exchange itself knows it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use loadgen_core::{
    ChunkKind, ConnectionFacts, ErrorDetail, Exchange, FailureKind, Instants, Nanos, Outcome, RawChunks,
    Reply, SpeculativeDecoding, StampCounts, StreamTrail, Usage,
};

use crate::decode::{Arrival, Blocks, OutputItems, ToolCalls};

/// Of each chunk its text, or its reasoning where it has no text.
fn chunk_by_chunk(chunks: &RawChunks) -> Vec<u8> {
    let RawChunks { output, reasoning, .. } = chunks;
    let mut said = Vec::with_capacity(output.len() + reasoning.len());
    let (mut output_from, mut reasoning_from) = (0, 0);
    for (output_end, reasoning_end) in chunks.output_end.iter().zip(&chunks.reasoning_end) {
        let (output_end, reasoning_end) = (*output_end as usize, *reasoning_end as usize);
        said.extend_from_slice(if output_end > output_from {
            &output[output_from..output_end]
        } else {
            &reasoning[reasoning_from..reasoning_end]
        });
        (output_from, reasoning_from) = (output_end, reasoning_end);
    }
    said
}

/// What was seen of one request so far.
#[derive(Debug, Clone, Default)]
pub struct Observation {
    /// When things happened. `scheduled`, `released` and `request_start` are the caller's to set.
    pub instants: Instants,
    /// The connection that carried it. `blocked_ns` is the caller's to set.
    pub connection: ConnectionFacts,
    /// The HTTP status, once a head came.
    pub status: Option<i16>,
    /// What became of it, once the exchange knows.
    pub outcome: Option<Outcome>,
    /// Why it failed; or, while the outcome is not known and of a success, what the server said inside its
    /// response.
    pub error: Option<ErrorDetail>,
    /// The reason the model gave for stopping.
    pub finish_reason: Option<String>,
    /// The id under which the server keeps the answer for what follows, where it was asked to.
    pub response_id: Option<Arc<str>>,
    /// The last non-empty usage the server sent.
    pub usage: Option<Usage>,
    /// Where chunk arrivals were stamped.
    pub stamps: StampCounts,
    /// Where the parts of the response were in the connection's stream, while packets are watched.
    pub trail: Option<Box<StreamTrail>>,
    /// Raised at the first content, where somebody waits for it: the caller puts a lowered one here.
    pub first_content: Option<Arc<AtomicBool>>,
    /// How it looks on the wire, where that is to be kept: the caller puts an empty one here.
    pub exchange: Option<Box<Exchange>>,
    /// The content.
    pub chunks: RawChunks,
    /// The connection had served an earlier request, and the server closed it without reading this
    /// one. Not an error: call [`Self::reset_for_retry`] and send the request again over a fresh
    /// connection.
    pub is_stale: bool,
    /// Redirects that were followed.
    pub redirects: u8,
    /// Reads of this response that should have had a kernel stamp and had none.
    pub unstamped_reads: u32,
    /// Times the wall clock was stepped while the response came.
    pub clock_steps: u32,
    /// A conversation goes on with reasoning too, where it came alone: a chat's, as with AIPerf.
    pub(crate) recalls_reasoning: bool,
    /// What a chat's answer called.
    pub(crate) calls: Option<Box<ToolCalls>>,
    /// The blocks of an Anthropic answer.
    pub(crate) blocks: Option<Box<Blocks>>,
    /// The items of an answer of the responses API.
    pub(crate) items: Option<Box<OutputItems>>,
    /// The server has said what became of its drafts.
    has_drafts: bool,
    /// The read that brought the latest chunk, and the first chunk it brought.
    last_chunk_read: Option<(u64, usize)>,
}

impl Observation {
    /// An observation of a request on which work begins at `request_start`.
    pub fn starting_at(request_start: Nanos) -> Self {
        Self {
            instants: Instants { request_start: Some(request_start), ..Instants::default() },
            ..Self::default()
        }
    }

    /// Forgets everything of a try on a stale connection but when work on the request began and how
    /// long it waited, so that the request can be sent again.
    pub fn reset_for_retry(&mut self) {
        let Instants { scheduled, released, request_start, .. } = self.instants;
        let blocked_ns = self.connection.blocked_ns;
        let exchange = self.exchange.take().map(|exchange| Box::new(Exchange::new(exchange.scope)));
        let first_content = self.first_content.take();
        *self = Self {
            instants: Instants { scheduled, released, request_start, ..Instants::default() },
            connection: ConnectionFacts { blocked_ns, ..ConnectionFacts::default() },
            exchange,
            first_content,
            ..Self::default()
        };
    }

    /// What the server answered: the answer's text, or the reasoning where there was nothing else. Of a chat
    /// that is decided chunk by chunk.
    pub fn reply(&self) -> Reply {
        let RawChunks { output, reasoning, .. } = &self.chunks;
        let text = if output.is_empty() {
            Bytes::copy_from_slice(reasoning)
        } else if self.recalls_reasoning && !reasoning.is_empty() {
            chunk_by_chunk(&self.chunks).into()
        } else {
            Bytes::copy_from_slice(output)
        };
        let called = self.calls.as_ref().and_then(|calls| calls.message(output));
        let called = called.or_else(|| self.blocks.as_ref()?.message(&self.chunks));
        let message = called.or_else(|| self.items.as_ref()?.message());
        Reply { text, message, response_id: self.response_id.clone() }
    }

    /// Ends the request as failed. The first failure stands: a later one is a consequence.
    pub(crate) fn fail(&mut self, kind: FailureKind, error: ErrorDetail) {
        if self.outcome.is_none() {
            self.outcome = Some(Outcome::Failed(kind));
            let told = self.error.take().map(|told| told.message);
            // What the server had to say is worth more than what its stream broke off with.
            self.error = Some(ErrorDetail { cause: told.or(error.cause), ..error });
        }
    }

    /// Notes an error that the server tells of inside the response. It is no failure by itself, as with
    /// AIPerf: the first one is kept, beside whatever becomes of the request.
    pub(crate) fn note_in_band_error(&mut self, error: ErrorDetail) {
        if self.outcome.is_none() {
            self.error.get_or_insert(error);
        }
    }

    /// Takes the usage that the server sent last. That of the first content is kept with it, where
    /// this one `may_be_first`.
    pub(crate) fn take_usage(&mut self, mut usage: Usage, may_be_first: bool) {
        let known = self.usage.take().unwrap_or_default();
        usage.first_chunk_tokens =
            known.first_chunk_tokens.or(usage.completion_tokens.filter(|_| may_be_first));
        usage.speculative = known.speculative;
        self.usage = Some(usage);
    }

    /// Takes what the server says became of its drafts. Figures that come more than once are those of several
    /// answers, and none of them is the request's: then it has none, as with AIPerf.
    pub(crate) fn take_drafts(&mut self, drafts: Option<Box<SpeculativeDecoding>>) {
        let is_first = !std::mem::replace(&mut self.has_drafts, true);
        let drafts = drafts.filter(|_| is_first);
        if self.usage.is_some() || drafts.is_some() {
            self.usage.get_or_insert_default().speculative = drafts;
        }
    }

    /// Notes an event without content, or the beginning of one. If it shares the read of the latest chunk, then
    /// the chunk may have come well before the stamp, which is the event's. A prompt read proves nothing: it may
    /// be late for the chunk and prompt for what came behind it. (Four busy loops on two cores: one last chunk
    /// in 10,000 had come 1.0 to 1.4 ms before a stamp that was read 0.2 to 0.9 ms after it.)
    pub(crate) fn note_contentless(&mut self, at: &Arrival) {
        if let Some((read, _)) = self.last_chunk_read
            && read == at.read
            && let Some(uncertainty_ns) = self.chunks.uncertainty_ns.last_mut()
        {
            *uncertainty_ns = at.width_ns();
        }
    }

    /// Keeps one content chunk. The texts of it are already in `chunks.reasoning` and
    /// `chunks.output`; this closes them. `ends_at` is where in the stream its last byte stands.
    ///
    /// A read that completed more than one content chunk says of none of them when exactly it came,
    /// so all of them get the interval in which they must lie.
    pub(crate) fn push_chunk(
        &mut self,
        kind: ChunkKind,
        carries_output: bool,
        wire_bytes: usize,
        ends_at: Option<u64>,
        at: &Arrival,
    ) {
        if let Some(trail) = &mut self.trail {
            trail.chunks.push(ends_at);
        }
        let start = *self.instants.request_start.get_or_insert(at.stamp);
        let is_first = self.chunks.is_empty();
        if is_first {
            self.instants.first_token = Some(at.stamp);
            if let Some(flag) = &self.first_content {
                flag.store(true, Ordering::Relaxed);
            }
        }
        self.stamps.add(at.source);
        if carries_output && self.instants.first_output_token.is_none() {
            self.instants.first_output_token = Some(at.stamp);
        }
        self.instants.last_token = Some(at.stamp);

        let index = self.chunks.len();
        let width = at.width_ns();
        let shares_read = match self.last_chunk_read {
            Some((read, first)) if read == at.read => {
                self.chunks.uncertainty_ns[first] = width;
                true
            }
            _ => {
                self.last_chunk_read = Some((at.read, index));
                false
            }
        };
        let chunks = &mut self.chunks;
        chunks.offset_ns.push(at.stamp.since(start));
        chunks.uncertainty_ns.push(if shares_read || !at.is_drained { width } else { 0 });
        chunks.read_lag_ns.push(at.read_at.since(at.stamp));
        chunks.kind.push(kind);
        chunks.bytes.push(i32::try_from(wire_bytes).unwrap_or(i32::MAX));
        chunks.reasoning_end.push(u32::try_from(chunks.reasoning.len()).unwrap_or(u32::MAX));
        chunks.output_end.push(u32::try_from(chunks.output.len()).unwrap_or(u32::MAX));
    }
}
