//! Bodies of responses: one piece, or events paced by the engine.
//!
//! Each event of a stream leaves in a write of its own. hyper collects what a body yields until the
//! body is pending, so after every event the body is pending once, which makes hyper flush.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use super::reply::{Reply, error_data, error_event, garbage};
use crate::connection::Watch;
use crate::faults::{Fault, FaultKind};
use crate::shard::{Progress, Shard};
use crate::truth_log::Finished;

/// The body ends here, without its end.
#[derive(Debug, thiserror::Error)]
#[error("cut in the middle of the body, as planned")]
pub(crate) struct Cut;

/// A response's body.
pub(crate) enum ReplyBody {
    /// In one piece.
    Whole {
        /// What there is to send; `None` once it is sent.
        bytes: Option<Bytes>,
        /// Told when it has been sent, where that is logged.
        watch: Option<Rc<Watch>>,
    },
    /// The first part of a piece, then the end of the connection.
    Torn {
        /// The part; `None` once it is sent.
        part: Option<Bytes>,
        /// Length of the whole, as the head promises it.
        promised: u64,
        /// Whether what was yielded has not been flushed yet.
        unflushed: bool,
    },
    /// Events, as the engine makes tokens.
    Stream(Box<StreamBody>),
}

impl ReplyBody {
    /// A body in one piece, of which nothing is logged.
    pub(super) fn whole(bytes: Bytes) -> Self {
        Self::Whole { bytes: Some(bytes), watch: None }
    }

    /// The first `share` of a piece, then the end of the connection.
    pub(super) fn torn(whole: &Bytes, share: f64) -> Self {
        let part = whole.slice(..(whole.len() as f64 * share.clamp(0.0, 1.0)) as usize);
        // One byte more than there is, so that even a whole part is too short; the head goes out first.
        Self::Torn { part: Some(part), promised: whole.len() as u64 + 1, unflushed: true }
    }
}

type Polled = Poll<Option<Result<Frame<Bytes>, Cut>>>;

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Polled {
        match self.get_mut() {
            Self::Whole { bytes, watch } => {
                if let Some(watch) = watch.take() {
                    watch.end(Finished::Complete);
                }
                Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes))))
            }
            Self::Torn { part, unflushed, .. } => {
                if std::mem::take(unflushed) {
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
                match part.take().filter(|part| !part.is_empty()) {
                    Some(part) => {
                        *unflushed = true;
                        Poll::Ready(Some(Ok(Frame::data(part))))
                    }
                    None => Poll::Ready(Some(Err(Cut))),
                }
            }
            Self::Stream(stream) => stream.poll_event(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole { bytes, .. } => bytes.is_none(),
            Self::Torn { .. } => false,
            Self::Stream(stream) => stream.ended,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole { bytes, .. } => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Self::Torn { promised, .. } => SizeHint::with_exact(*promised),
            Self::Stream(_) => SizeHint::default(),
        }
    }
}

/// The events of an answer, each when the engine has it.
pub(crate) struct StreamBody {
    pub(super) shard: Rc<Shard>,
    pub(super) watch: Rc<Watch>,
    pub(super) number: u64,
    pub(super) progress: Rc<Progress>,
    pub(super) reply: Reply,
    /// Strikes after its number of tokens.
    pub(super) fault: Option<Fault>,
    state: State,
    ended: bool,
}

#[derive(Debug, Default)]
struct State {
    steps_sent: u32,
    tokens_sent: u32,
    role_sent: bool,
    unflushed: bool,
    stalled: bool,
}

impl StreamBody {
    pub(super) fn new(
        shard: Rc<Shard>,
        watch: Rc<Watch>,
        number: u64,
        progress: Rc<Progress>,
        reply: Reply,
        fault: Option<Fault>,
    ) -> Self {
        let state = State { role_sent: !reply.has_role_event(), ..State::default() };
        Self { shard, watch, number, progress, reply, fault, state, ended: false }
    }

    /// Prompt tokens that the prefix cache had; 0 before the engine has begun.
    pub(super) fn cached_tokens(&self) -> u32 {
        self.progress.admitted().unwrap_or(0)
    }

    /// Logs what the engine said when it began.
    pub(super) fn note_admission(&self) {
        self.watch.describe(|entry| entry.cached_tokens = self.cached_tokens());
    }

    /// Whether something can be sent now.
    fn is_due(&self) -> bool {
        if self.state.stalled {
            return false;
        }
        if !self.state.role_sent {
            return self.progress.admitted().is_some();
        }
        self.progress.tokens() > self.state.steps_sent || self.progress.is_finished()
    }

    fn poll_event(&mut self, context: &mut Context<'_>) -> Polled {
        if self.ended {
            return Poll::Ready(None);
        }
        let unflushed = std::mem::take(&mut self.state.unflushed);
        if !self.is_due() {
            self.progress.wake_at_change(context);
            return Poll::Pending;
        }
        if unflushed {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.state.steps_sent == 0 {
            self.note_admission();
        }
        if !self.state.role_sent {
            self.state.role_sent = true;
            self.watch.other_next();
            return self.send(self.reply.role_event());
        }
        let is_last = self.state.steps_sent == self.reply.steps();
        if let Some(fault) = self.fault.take_if(|fault| is_last || fault.after <= self.state.tokens_sent) {
            return self.strike(&fault, context);
        }
        if is_last {
            self.watch.answered();
            return self.send_last(self.reply.trailer(self.cached_tokens()));
        }
        let step = self.state.steps_sent;
        self.state.steps_sent += 1;
        if self.reply.is_token(step) {
            self.state.tokens_sent += 1;
            self.shard.report().tokens += 1;
            self.watch.token_next();
        } else {
            self.watch.other_next();
        }
        self.send(self.reply.step_event(step))
    }

    fn send(&mut self, event: Bytes) -> Polled {
        self.state.unflushed = true;
        Poll::Ready(Some(Ok(Frame::data(event))))
    }

    fn send_last(&mut self, event: Bytes) -> Polled {
        self.ended = true;
        self.watch.other_next();
        self.watch.end(Finished::Complete);
        Poll::Ready(Some(Ok(Frame::data(event))))
    }

    fn strike(&mut self, fault: &Fault, context: &mut Context<'_>) -> Polled {
        let name = fault.kind.name();
        self.shard.count_fault(&name);
        self.watch.describe(|entry| entry.fault = Some(name));
        self.shard.cancel(self.number);
        let error = || super::error_object(500, "the mock's engine died here, as planned");
        match &fault.kind {
            FaultKind::Garbage => self.send_last(garbage()),
            FaultKind::ErrorData => self.send_last(error_data(&error())),
            FaultKind::ErrorEvent => self.send_last(error_event(&error())),
            FaultKind::Stall => {
                // hyper still watches the socket, and drops this body when the client leaves.
                self.state.stalled = true;
                self.progress.wake_at_change(context);
                Poll::Pending
            }
            FaultKind::Reset | FaultKind::Cut => {
                self.watch.describe(|entry| entry.finished = Finished::Cut);
                if fault.kind == FaultKind::Reset {
                    self.watch.reset_on_close();
                }
                Poll::Ready(Some(Err(Cut)))
            }
            // The others never get as far as a stream.
            FaultKind::Status { .. } | FaultKind::Refuse | FaultKind::Close | FaultKind::Slow { .. } => {
                Poll::Ready(None)
            }
        }
    }
}

impl Drop for StreamBody {
    fn drop(&mut self) {
        self.shard.cancel(self.number);
    }
}
