//! A streamed answer: each token's event leaves in a write of its own, when the engine has it.
//!
//! hyper writes the head, the first events and the end. In between it has nothing to write, and events go
//! past it to the socket, in chunks framed here: at the instant the engine has a token, without a task
//! being woken. What cannot leave that way (the kernel has no room, TLS is in between, a fault strikes)
//! goes through hyper, which collects what a body yields until the body is pending; so after every event
//! the body is pending once, which makes hyper flush.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::Frame;

use super::body::{Cut, Polled};
use super::reply::{Reply, error_data, error_event, garbage};
use crate::connection::Watch;
use crate::faults::{Fault, FaultKind};
use crate::shard::{Outlet, Progress, Shard};
use crate::truth_log::Finished;

/// Writes in a row before other connections get their turn.
const WRITES_AT_ONCE: u32 = 64;

/// Room for the length that goes before a chunk, and its line's end.
const CHUNK_HEAD: usize = 10;

/// The body of a streamed answer. Dropping it takes the answer from the engine.
pub(crate) struct StreamBody(Rc<Stream>);

/// A streamed answer, as its body and the engine share it.
struct Stream {
    shard: Rc<Shard>,
    watch: Rc<Watch>,
    number: u64,
    progress: Rc<Progress>,
    reply: Reply,
    /// Events that leave together.
    burst: u32,
    /// Whether the body is chunked, as it is for every client newer than HTTP/1.0.
    is_chunked: bool,
    /// Strikes after its number of tokens.
    fault: RefCell<Option<Fault>>,
    state: RefCell<State>,
    has_ended: Cell<bool>,
}

#[derive(Debug, Default)]
struct State {
    steps_sent: u32,
    tokens_sent: u32,
    role_sent: bool,
    /// Whether hyper has been handed something since the body was last pending.
    unflushed: bool,
    stalled: bool,
    /// What the kernel had no room for when a write went past hyper.
    rest: Vec<u8>,
}

/// What is to be sent next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// Nothing yet.
    Nothing,
    /// The event that names the role.
    Role,
    /// The events of so many steps.
    Steps(u32),
    /// What the fault makes of the answer.
    Fault,
    /// What follows the last token.
    Trailer,
}

impl StreamBody {
    pub(super) fn new(
        shard: Rc<Shard>,
        watch: Rc<Watch>,
        number: u64,
        progress: Rc<Progress>,
        reply: Reply,
        fault: Option<Fault>,
        is_chunked: bool,
    ) -> Self {
        let state = State { role_sent: !reply.has_role_event(), ..State::default() };
        // The head goes first.
        watch.hand_over(0);
        let burst = shard.common().profile.burst;
        let stream = Rc::new(Stream {
            shard,
            watch,
            number,
            progress,
            reply,
            burst,
            is_chunked,
            fault: RefCell::new(fault),
            state: RefCell::new(state),
            has_ended: Cell::new(false),
        });
        let outlet: Weak<Stream> = Rc::downgrade(&stream);
        stream.progress.offer_to(outlet);
        Self(stream)
    }

    pub(super) fn has_ended(&self) -> bool {
        self.0.has_ended.get()
    }

    /// The next event for hyper.
    pub(super) fn poll_event(&self, context: &mut Context<'_>) -> Polled {
        self.0.poll_event(context)
    }
}

impl Drop for StreamBody {
    fn drop(&mut self) {
        self.0.shard.cancel(self.0.number);
    }
}

impl Outlet for Stream {
    fn offer(&self) -> bool {
        let next = self.write_past_hyper();
        next == Next::Nothing && self.state.borrow().rest.is_empty()
    }
}

impl Stream {
    fn next(&self, state: &State) -> Next {
        if state.stalled {
            return Next::Nothing;
        }
        if !state.role_sent {
            return if self.progress.admitted().is_some() { Next::Role } else { Next::Nothing };
        }
        let steps = self.reply.steps();
        let ready = self.progress.tokens();
        let waiting = ready - state.steps_sent;
        let is_all = ready == steps;
        if waiting == 0 && !self.progress.is_finished() {
            return Next::Nothing;
        }
        let before_fault =
            self.fault.borrow().as_ref().map(|fault| fault.after.saturating_sub(state.tokens_sent));
        match before_fault {
            Some(0) => return Next::Fault,
            Some(_) if waiting == 0 => return Next::Fault,
            None if waiting == 0 => return Next::Trailer,
            _ => {}
        }
        if waiting < self.burst && !is_all {
            return Next::Nothing;
        }
        Next::Steps(waiting.min(self.burst).min(before_fault.unwrap_or(u32::MAX)))
    }

    /// Writes the events that are due to the socket itself, as far as that is possible now. Returns what
    /// is to be sent next.
    fn write_past_hyper(&self) -> Next {
        let mut state = self.state.borrow_mut();
        for _ in 0..WRITES_AT_ONCE {
            let next = self.next(&state);
            let Next::Steps(steps) = next else { return next };
            if !self.is_chunked || !state.rest.is_empty() || !self.watch.takes_writes() {
                return next;
            }
            let mut frame = self.shard.frame();
            let start = self.render_chunk(&mut frame, state.steps_sent, steps);
            let tokens = self.tokens(state.steps_sent, steps);
            self.note_begin(&state);
            let written = self.watch.write_now(&frame[start..], tokens);
            if written == 0 {
                return next;
            }
            state.rest.extend_from_slice(&frame[start + written..]);
            self.note_sent(&mut state, steps, tokens);
        }
        self.next(&state)
    }

    fn poll_event(&self, context: &mut Context<'_>) -> Polled {
        if self.has_ended.get() {
            return Poll::Ready(None);
        }
        self.progress.wake_at_change(context);
        let mut state = self.state.borrow_mut();
        if !state.rest.is_empty() {
            match self.watch.poll_write_rest(context, &mut state.rest) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => return Poll::Ready(Some(Err(Cut))),
                Poll::Pending => return Poll::Pending,
            }
        }
        let unflushed = std::mem::take(&mut state.unflushed);
        let sent_before = state.steps_sent;
        drop(state);
        let next = self.write_past_hyper();
        let mut state = self.state.borrow_mut();
        // hyper flushes, or others get their turn, before it goes on.
        let has_turn = !unflushed && state.steps_sent - sent_before < WRITES_AT_ONCE;
        if !state.rest.is_empty() || (next != Next::Nothing && !has_turn) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if next == Next::Nothing {
            return Poll::Pending;
        }
        self.note_begin(&state);
        match next {
            Next::Nothing => Poll::Pending,
            Next::Role => {
                state.role_sent = true;
                self.hand_over(&mut state, self.reply.role_event(), 0)
            }
            Next::Steps(steps) => {
                let mut events = Vec::new();
                for step in state.steps_sent..state.steps_sent + steps {
                    self.reply.write_step(step, &mut events);
                }
                let tokens = self.tokens(state.steps_sent, steps);
                self.note_sent(&mut state, steps, tokens);
                self.hand_over(&mut state, events.into(), tokens)
            }
            Next::Trailer => {
                self.watch.answered();
                self.shard.tallies().note_cached(self.cached_tokens());
                self.hand_over_last(&mut state, self.reply.trailer(self.cached_tokens()))
            }
            Next::Fault => {
                let fault = self.fault.take();
                fault.map_or(Poll::Pending, |fault| self.strike(&mut state, &fault))
            }
        }
    }

    /// Renders the events of `steps` steps from `first` as one chunk into `frame`; returns where in it the
    /// chunk begins.
    fn render_chunk(&self, frame: &mut Vec<u8>, first: u32, steps: u32) -> usize {
        frame.clear();
        frame.resize(CHUNK_HEAD, 0);
        for step in first..first + steps {
            self.reply.write_step(step, frame);
        }
        let mut length = frame.len() - CHUNK_HEAD;
        frame.extend_from_slice(b"\r\n");
        let mut start = CHUNK_HEAD - 2;
        frame[start..CHUNK_HEAD].copy_from_slice(b"\r\n");
        while length > 0 {
            start -= 1;
            frame[start] = b"0123456789abcdef"[length & 15];
            length >>= 4;
        }
        start
    }

    /// Tokens among `steps` steps from `first`.
    fn tokens(&self, first: u32, steps: u32) -> u32 {
        (first..first + steps).filter(|step| self.reply.is_token(*step)).count() as u32
    }

    fn note_begin(&self, state: &State) {
        if state.steps_sent == 0 {
            note_admission(&self.watch, &self.progress);
        }
    }

    fn note_sent(&self, state: &mut State, steps: u32, tokens: u32) {
        state.steps_sent += steps;
        state.tokens_sent += tokens;
        self.shard.report().tokens += u64::from(tokens);
    }

    fn hand_over(&self, state: &mut State, events: Bytes, tokens: u32) -> Polled {
        state.unflushed = true;
        self.watch.hand_over(tokens);
        Poll::Ready(Some(Ok(Frame::data(events))))
    }

    fn hand_over_last(&self, state: &mut State, events: Bytes) -> Polled {
        self.has_ended.set(true);
        self.watch.end(Finished::Complete);
        self.hand_over(state, events, 0)
    }

    /// Prompt tokens that the prefix cache had.
    fn cached_tokens(&self) -> u32 {
        self.progress.admitted().unwrap_or(0)
    }

    fn strike(&self, state: &mut State, fault: &Fault) -> Polled {
        let name = fault.kind.name();
        self.shard.count_fault(&name);
        self.watch.describe(|entry| entry.fault = Some(name));
        self.shard.cancel(self.number);
        let error = || super::error_object(500, "the mock's engine died here, as planned");
        match &fault.kind {
            FaultKind::Garbage => self.hand_over_last(state, garbage()),
            FaultKind::ErrorData => self.hand_over_last(state, error_data(&error())),
            FaultKind::ErrorEvent => self.hand_over_last(state, error_event(&error())),
            FaultKind::Stall => {
                // hyper still watches the socket, and drops this body when the client leaves.
                state.stalled = true;
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

/// Logs what the engine said when it began.
pub(super) fn note_admission(watch: &Watch, progress: &Progress) {
    watch.describe(|entry| entry.cached_tokens = progress.admitted().unwrap_or(0));
}
