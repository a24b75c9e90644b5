//! One request: a connection, the exchange, and one record whatever becomes of it.
//!
//! Invariant: every request that enters [`PhaseRun::send`] or [`PhaseRun::leave_unsent`] hands
//! exactly one record to the sink and counts exactly one outcome.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Poll, Waker};
use std::time::Duration;

use loadgen_core::{
    ErrorDetail, Exchange, FailureKind, Identity, InputTokens, Nanos, Outcome, RawRecord, Reply, Started,
    Turn,
};
use loadgen_wire::{Body, Observation};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

use super::carry::Way;
use super::session::{Leaving, PhaseRun};
use crate::cancellation::cancellation_error;
use crate::gate::Stage;
use crate::phase::Place;
use crate::policy::ConnectionReuse;
use crate::prepare::Running;

/// What ended a request.
#[derive(Clone, Copy)]
pub(super) enum Ending {
    /// The exchange itself.
    Returned,
    /// The plan gave it up, at this instant.
    Cancelled(Nanos),
    /// The request timeout.
    TimedOut,
    /// The end of the phase.
    Cut,
}

/// What became of a request, for what follows it.
pub(super) struct Sent {
    /// What the server answered; `None` for a failure, and where nothing follows.
    pub(super) reply: Option<Reply>,
    /// When it was over: for a whole answer, the arrival of its last byte.
    pub(super) ended: Nanos,
}

/// A place before the first content, while a request has it.
struct Held {
    #[expect(dead_code, reason = "it is held, and falls free when it is dropped")]
    place: OwnedSemaphorePermit,
    /// Raised when the request has brought content.
    is_over: Arc<AtomicBool>,
}

impl PhaseRun {
    /// Sends a request and records what became of it.
    pub(super) async fn send(&self, running: &Running, leaving: Leaving) -> Sent {
        let Leaving { mut ready, number, scheduled, released, mut place } = leaving;
        let identity = self.identity(running, &ready.turn, ready.request_id, number);
        let mut may_begin = true;
        if let (Some(places), None) = (&self.shared.prefill, &place) {
            place = Box::pin(self.place(places)).await;
            may_begin = place.is_some();
        }
        let mut observation = Observation::starting_at(self.worker.now());
        observation.instants.scheduled = Some(scheduled);
        observation.instants.released = Some(released);
        let capture = self.worker.shared.config.capture;
        if capture.is_any() {
            observation.exchange = Some(Box::new(Exchange::new(capture)));
        }
        let mut body = match std::mem::replace(&mut ready.body, Ok(Body::default())) {
            Ok(body) => body,
            Err(error) => {
                observation.instants.request_start = None;
                observation.outcome = Some(Outcome::NotSent);
                observation.error = Some(plain_error("EndpointError", &error.to_string()));
                self.finish(identity, &mut ready.turn, observation, None);
                return Sent { reply: None, ended: released };
            }
        };
        if !may_begin {
            observation.instants.request_start = None;
            observation.outcome = Some(Outcome::NotSent);
            self.finish(identity, &mut ready.turn, observation, None);
            return Sent { reply: None, ended: self.worker.now() };
        }
        let mut held = place.map(|place| Held { place, is_over: Arc::default() });
        observation.first_content = held.as_ref().map(|held| Arc::clone(&held.is_over));
        let way = self.way(running, &ready.turn);
        let identity = self.note_start(identity, scheduled, &observation);

        let endpoint = self.preparer.endpoint();
        let target = &self.worker.shared.config.targets[way.target];
        let turn = &ready.turn;
        let is_alone = self.worker.shared.config.policy.connection_reuse == ConnectionReuse::Never;
        // Made anew for a second try, which is rare, rather than kept for one.
        let request = |is_last_try: bool| {
            let body = if is_last_try { std::mem::take(&mut body) } else { body.clone() };
            let request = endpoint.request(target, turn, &identity, body);
            if is_alone { request.alone() } else { request }
        };
        let ending = self.until_ended(pin!(self.carry(request, way, &mut observation)), &mut held).await;
        drop(held);
        let cancelled_at = self.note_ending(ending, way, &mut observation);
        let is_heard = observation.outcome == Some(Outcome::Ok) && !ready.turn.is_last;
        let reply = is_heard.then(|| observation.reply());
        let ended = observation.instants.end.unwrap_or_else(|| self.worker.now());
        self.finish(identity, &mut ready.turn, observation, cancelled_at);
        Sent { reply, ended }
    }

    /// Notes how a request ended that its exchange did not end; gives the instant at which the plan gave it up.
    fn note_ending(&self, ending: Ending, way: Way, observation: &mut Observation) -> Option<Nanos> {
        match ending {
            Ending::Returned => {}
            Ending::Cancelled(at) => {
                observation.instants.end = Some(at);
                observation.outcome = Some(Outcome::Cancelled);
                observation.error = way.cancel_after_ns.map(cancellation_error);
                return Some(at);
            }
            Ending::TimedOut => {
                observation.instants.end = Some(self.worker.now());
                observation.outcome = Some(Outcome::Failed(FailureKind::Timeout));
                let was_to_be_sent_first =
                    way.cancel_after_ns.is_some() && observation.instants.send_end.is_none();
                let error = if was_to_be_sent_first { send_timeout_error() } else { timeout_error() };
                observation.error = Some(error);
            }
            Ending::Cut => {
                observation.instants.end = Some(self.worker.now());
                observation.outcome = Some(Outcome::Aborted);
                observation.error = None;
            }
        }
        None
    }

    /// Records an arrival whose time came, but whose turn to be sent did not.
    pub(super) fn leave_unsent(&self, running: &Running, mut turn: Turn, number: u64, scheduled: Nanos) {
        self.lane().scheduled();
        let request_id = self.preparer.ids().request(running.ordinal, turn.turn_index);
        let identity = self.identity(running, &turn, request_id, number);
        let mut observation = Observation::default();
        observation.instants.scheduled = Some(scheduled);
        observation.outcome = Some(Outcome::NotSent);
        if !matches!(turn.input_tokens, InputTokens::Exact(_)) {
            // Nobody will ask, and keeping the text of what was not sent would cost memory.
            turn.input_tokens = InputTokens::Unknown;
        }
        self.finish(identity, &mut turn, observation, None);
    }

    /// Waits for a place before the first content; `None` when sending ended before there was one.
    async fn place(&self, places: &Arc<Semaphore>) -> Place {
        if let Ok(place) = Arc::clone(places).try_acquire_owned() {
            return Some(place);
        }
        self.lane().delayed();
        tokio::select! {
            biased;
            () = self.gate.reached(Stage::Closed) => None,
            place = Arc::clone(places).acquire_owned() => place.ok(),
        }
    }

    /// Polls `carried` until it ends, the phase's end cuts it off, or its time is over.
    ///
    /// A stream is polled for each of its chunks, and nothing else happens meanwhile: so whoever might
    /// end it from outside is asked to wake this task once, and then only looked at.
    /// A place that is `held` falls free as soon as its request has brought content.
    async fn until_ended(
        &self,
        mut carried: Pin<&mut impl Future<Output = Ending>>,
        held: &mut Option<Held>,
    ) -> Ending {
        let mut cut = pin!(self.gate.reached(Stage::Cut));
        // Tokio's millisecond timers will do: nothing is paced by them.
        let limit_ns = self.worker.shared.config.request_timeout_ns;
        let limit = limit_ns.map(|limit_ns| Duration::from_nanos(u64::try_from(limit_ns).unwrap_or(0)));
        let mut timeout = pin!(limit.map(tokio::time::sleep));
        let mut registered: Option<(Waker, Stage)> = None;
        std::future::poll_fn(|cx| {
            if let Poll::Ready(ending) = carried.as_mut().poll(cx) {
                return Poll::Ready(ending);
            }
            if held.as_ref().is_some_and(|held| held.is_over.load(Ordering::Relaxed)) {
                *held = None;
            }
            let stage = self.gate.stage();
            if stage == Stage::Cut {
                return Poll::Ready(Ending::Cut);
            }
            if timeout.as_ref().as_pin_ref().is_some_and(|timeout| timeout.is_elapsed()) {
                return Poll::Ready(Ending::TimedOut);
            }
            let is_registered =
                registered.as_ref().is_some_and(|(waker, at)| *at == stage && waker.will_wake(cx.waker()));
            if !is_registered {
                registered = Some((cx.waker().clone(), stage));
                if cut.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(Ending::Cut);
                }
                let timeout = timeout.as_mut().as_pin_mut();
                if timeout.is_some_and(|timeout| timeout.poll(cx).is_ready()) {
                    return Poll::Ready(Ending::TimedOut);
                }
            }
            Poll::Pending
        })
        .await
    }

    fn identity(&self, running: &Running, turn: &Turn, request_id: Uuid, number: u64) -> Identity {
        let plan = &self.shared.plan;
        Identity {
            request_id,
            correlation_id: running.correlation_id.clone(),
            session_id: turn.session_id.clone(),
            model: turn.model.clone(),
            url_index: i32::try_from(running.url_index).unwrap_or(i32::MAX),
            worker_id: i32::try_from(self.worker.id).unwrap_or(i32::MAX),
            source_row: turn.source_row,
            session_num: i64::try_from(number).unwrap_or(i64::MAX),
            turn_index: turn.turn_index,
            phase: plan.phase,
            phase_index: plan.index,
            hash_ids: turn.hash_ids.clone(),
            labels: turn.labels.clone(),
        }
    }

    /// Tells the sink that a request is in flight, and gives its identity back.
    fn note_start(&self, identity: Identity, scheduled: Nanos, observation: &Observation) -> Identity {
        self.lane().sent();
        if identity.turn_index == 0 {
            self.lane().session_began();
        }
        let request_start = observation.instants.request_start.unwrap_or(scheduled);
        let started = Started { identity, scheduled, request_start };
        self.worker.sink.borrow_mut().started(&started);
        started.identity
    }

    /// Records what became of a request; takes the turn's text for it.
    fn finish(
        &self,
        identity: Identity,
        turn: &mut Turn,
        mut observation: Observation,
        cancelled_at: Option<Nanos>,
    ) {
        // What never left did not return either: recording it may take long after the phase is over.
        if observation.outcome != Some(Outcome::NotSent) {
            let returned = observation.instants.end.unwrap_or_else(|| self.worker.now());
            self.shared.last_return.offer(returned.0);
        }
        let (outcome, error) = match observation.outcome {
            Some(outcome) => (outcome, observation.error),
            None => (
                Outcome::Failed(FailureKind::InvalidResponse),
                Some(plain_error("InvalidInferenceResultError", "the exchange ended without a result")),
            ),
        };
        let endpoint = self.preparer.endpoint();
        if let Some(exchange) = &mut observation.exchange
            && endpoint.may_show_secrets(turn)
            && let Some(shown) = endpoint.without_secrets(turn, &exchange.request_body.concat())
        {
            exchange.request_body = vec![shown.into()];
        }
        let facts = &observation.connection;
        self.lane().carried(observation.chunks.len(), facts.request_bytes, facts.response_bytes);
        self.lane().stamped(observation.unstamped_reads, observation.clock_steps);
        self.lane().finished(outcome);
        if turn.is_last {
            self.lane().session_ended(outcome);
        }
        self.worker.sink.borrow_mut().finished(RawRecord {
            identity,
            instants: observation.instants,
            connection: observation.connection,
            status: observation.status,
            outcome,
            error,
            finish_reason: observation.finish_reason,
            requested_output_tokens: turn.max_output_tokens,
            input_tokens: std::mem::replace(&mut turn.input_tokens, InputTokens::Unknown),
            usage: observation.usage,
            stamps: observation.stamps,
            chunks: observation.chunks,
            degraded: false,
            cancelled_at,
            images: turn.prompt.images(),
            audio_ns: turn.prompt.audio_ns(),
            trail: observation.trail,
            exchange: observation.exchange,
        });
    }
}

/// AIPerf's words for a request that took longer than allowed.
fn timeout_error() -> ErrorDetail {
    ErrorDetail {
        cause: Some("CancelledError()".to_owned()),
        cause_chain: vec!["TimeoutError".to_owned(), "CancelledError".to_owned()],
        ..plain_error("TimeoutError", "TimeoutError()")
    }
}

/// AIPerf's class for a request that was to be cancelled once it had been sent, and never was sent.
fn send_timeout_error() -> ErrorDetail {
    ErrorDetail {
        code: Some(0),
        ..plain_error("RequestSendTimeout", "the request was not written in full within the request timeout")
    }
}

fn plain_error(error_type: &str, message: &str) -> ErrorDetail {
    ErrorDetail {
        code: None,
        error_type: error_type.to_owned(),
        message: message.to_owned(),
        cause: None,
        cause_chain: Vec::new(),
    }
}
