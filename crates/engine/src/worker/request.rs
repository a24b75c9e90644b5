//! One request: a connection, the exchange, and one record whatever becomes of it.
//!
//! Invariant: every request that enters [`PhaseRun::send`] or [`PhaseRun::leave_unsent`] hands
//! exactly one record to the sink and counts exactly one outcome.

use std::time::Duration;

use loadgen_core::{
    ErrorDetail, FailureKind, Identity, InputTokens, Nanos, Outcome, RawRecord, Reply, Started, Turn,
};
use loadgen_wire::{Connection, Observation, Request};

use super::session::{Leaving, PhaseRun};
use crate::cancellation::cancellation_error;
use crate::gate::Stage;
use crate::limits;
use crate::policy::ConnectionReuse;
use crate::prepare::Running;

/// What ended a request.
enum Ending {
    /// The exchange itself.
    Returned,
    /// The plan gave it up, at this instant.
    Cancelled(Nanos),
    /// The request timeout.
    TimedOut,
    /// The end of the phase.
    Cut,
}

/// What becomes of a connection after a request, if it can be used again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keeps {
    /// Any request may have it.
    ForAll,
    /// The next turn of its session has it.
    ForSession,
    /// It is closed.
    Not,
}

/// How a request goes.
#[derive(Clone, Copy)]
struct Way {
    /// The target it goes to.
    target: usize,
    /// The ordinal of its session.
    session: u64,
    /// What becomes of its connection.
    keeps: Keeps,
    /// How long after it was written in full it is given up, ns; `None` when it is not.
    cancel_after_ns: Option<i64>,
}

impl PhaseRun {
    /// Sends a request and records what became of it. Gives the reply to an answered one.
    pub(super) async fn send(&self, running: &Running, leaving: Leaving) -> Option<Reply> {
        let Leaving { ready, number, scheduled, released } = leaving;
        let turn = ready.turn;
        let identity = self.identity(running, &turn, number);
        let mut observation = Observation::starting_at(self.worker.now());
        observation.instants.scheduled = Some(scheduled);
        observation.instants.released = Some(released);

        let body = match ready.body {
            Ok(body) => body,
            Err(error) => {
                observation.instants.request_start = None;
                observation.outcome = Some(Outcome::NotSent);
                observation.error = Some(plain_error("EndpointError", &error.to_string()));
                self.finish(identity, turn, observation, None);
                return None;
            }
        };
        let target = &self.worker.shared.config.targets[running.url_index];
        let request = self.preparer.endpoint().request(target, &turn, &identity, body);
        let lottery = self.lottery.as_ref();
        let cancel_after_ns = lottery.and_then(|draw| draw.delay_ns(running.ordinal, turn.turn_index));
        let way = Way {
            target: running.url_index,
            session: running.ordinal,
            keeps: match self.worker.shared.config.policy.connection_reuse {
                ConnectionReuse::Pooled => Keeps::ForAll,
                ConnectionReuse::StickyUserSessions if !turn.is_last => Keeps::ForSession,
                ConnectionReuse::StickyUserSessions | ConnectionReuse::Never => Keeps::Not,
            },
            cancel_after_ns,
        };
        self.note_start(&identity, scheduled, &observation);

        let ending = tokio::select! {
            biased;
            ending = self.carry(request, way, &mut observation) => ending,
            () = self.gate.reached(Stage::Cut) => Ending::Cut,
            () = self.time_out() => Ending::TimedOut,
        };
        let mut cancelled_at = None;
        match ending {
            Ending::Returned => {}
            Ending::Cancelled(at) => {
                cancelled_at = Some(at);
                observation.instants.end = Some(at);
                observation.outcome = Some(Outcome::Cancelled);
                observation.error = cancel_after_ns.map(cancellation_error);
            }
            Ending::TimedOut => {
                observation.instants.end = Some(self.worker.now());
                observation.outcome = Some(Outcome::Failed(FailureKind::Timeout));
                let was_to_be_sent_first =
                    cancel_after_ns.is_some() && observation.instants.send_end.is_none();
                let error = if was_to_be_sent_first { send_timeout_error() } else { timeout_error() };
                observation.error = Some(error);
            }
            Ending::Cut => {
                observation.instants.end = Some(self.worker.now());
                observation.outcome = Some(Outcome::Aborted);
                observation.error = None;
            }
        }
        let reply = (observation.outcome == Some(Outcome::Ok) && !turn.is_last).then(|| observation.reply());
        self.finish(identity, turn, observation, cancelled_at);
        reply
    }

    /// Records an arrival whose time came, but whose turn to be sent did not.
    pub(super) fn leave_unsent(&self, running: &Running, mut turn: Turn, number: u64, scheduled: Nanos) {
        self.lane().scheduled();
        let identity = self.identity(running, &turn, number);
        let mut observation = Observation::default();
        observation.instants.scheduled = Some(scheduled);
        observation.outcome = Some(Outcome::NotSent);
        if !matches!(turn.input_tokens, InputTokens::Exact(_)) {
            // Nobody will ask, and keeping the text of what was not sent would cost memory.
            turn.input_tokens = InputTokens::Unknown;
        }
        self.finish(identity, turn, observation, None);
    }

    /// Gets a connection and carries the request over it: a kept one, or a new one when none is idle.
    /// A kept one that turns out closed before any byte of the response is not the request's fault:
    /// it goes out again on a new one.
    async fn carry(&self, request: Request, way: Way, observation: &mut Observation) -> Ending {
        let idle = self.idle_connection(way);
        if idle.is_none() {
            self.pass_to_connect().await;
        }
        let waited = observation.instants.request_start.map(|start| self.worker.now().since(start));
        observation.connection.blocked_ns = waited;
        if let Some(connection) = idle {
            let ending = self.exchange(connection, request.clone(), way, observation).await;
            if !observation.is_stale {
                return ending;
            }
            self.lane().retried_stale();
            observation.reset_for_retry();
        }
        self.lane().connection_opened();
        let connector = &self.worker.shared.connector;
        match connector.connect(request.target(), observation).await {
            Ok(connection) => self.exchange(connection, request, way, observation).await,
            // The failure is in the observation already.
            Err(failure) => {
                if limits::is_starved(&failure.0) {
                    self.lane().starved();
                }
                Ending::Returned
            }
        }
    }

    /// A kept connection that the request may use.
    fn idle_connection(&self, way: Way) -> Option<Connection> {
        match self.worker.shared.config.policy.connection_reuse {
            ConnectionReuse::Pooled => {
                self.worker.pool.borrow_mut().take(way.target, Connection::is_reusable)
            }
            ConnectionReuse::Never => None,
            ConnectionReuse::StickyUserSessions => {
                let own = self.own_connections.borrow_mut().remove(&way.session);
                own.and_then(|mut connection| connection.is_reusable().then_some(connection))
            }
        }
    }

    /// Carries the request over `connection`, and keeps it for the next one if it may: not when the
    /// request is given up, since a connection with half a response is of no further use.
    async fn exchange(
        &self,
        mut connection: Connection,
        request: Request,
        way: Way,
        observation: &mut Observation,
    ) -> Ending {
        let written = way.cancel_after_ns.map(|delay_ns| (connection.next_written(), delay_ns));
        let ending = tokio::select! {
            biased;
            () = connection.exchange(request, observation) => Ending::Returned,
            at = self.give_up(written) => Ending::Cancelled(at),
        };
        match way.keeps {
            Keeps::ForAll if connection.is_reusable() => {
                self.worker.pool.borrow_mut().put(way.target, connection);
            }
            Keeps::ForSession if connection.is_reusable() => {
                self.own_connections.borrow_mut().insert(way.session, connection);
            }
            Keeps::ForAll | Keeps::ForSession | Keeps::Not => {}
        }
        ending
    }

    /// Returns when a request that the plan gives up is: so long after it was written in full. Never
    /// for the others.
    async fn give_up(&self, planned: Option<(impl Future<Output = Nanos>, i64)>) -> Nanos {
        let Some((written, delay_ns)) = planned else { return std::future::pending().await };
        self.wait_in_flight(written.await + delay_ns).await;
        self.worker.now()
    }

    /// Returns when the request timeout is over. Tokio's millisecond timers will do: nothing is
    /// paced by it.
    async fn time_out(&self) {
        match self.worker.shared.config.request_timeout_ns {
            Some(limit_ns) => {
                tokio::time::sleep(Duration::from_nanos(u64::try_from(limit_ns).unwrap_or(0))).await;
            }
            None => std::future::pending().await,
        }
    }

    fn identity(&self, running: &Running, turn: &Turn, number: u64) -> Identity {
        let plan = &self.shared.plan;
        Identity {
            request_id: self.preparer.ids().request(running.ordinal, turn.turn_index),
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

    fn note_start(&self, identity: &Identity, scheduled: Nanos, observation: &Observation) {
        self.lane().sent();
        let request_start = observation.instants.request_start.unwrap_or(scheduled);
        let started = Started { identity: identity.clone(), scheduled, request_start };
        self.worker.sink.borrow_mut().started(&started);
    }

    fn finish(&self, identity: Identity, turn: Turn, observation: Observation, cancelled_at: Option<Nanos>) {
        self.shared.last_return.offer(self.worker.now().0);
        let (outcome, error) = match observation.outcome {
            Some(outcome) => (outcome, observation.error),
            None => (
                Outcome::Failed(FailureKind::InvalidResponse),
                Some(plain_error("InvalidInferenceResultError", "the exchange ended without a result")),
            ),
        };
        let facts = &observation.connection;
        self.lane().carried(observation.chunks.len(), facts.request_bytes, facts.response_bytes);
        self.lane().stamped(observation.unstamped_reads, observation.clock_steps);
        self.lane().finished(outcome);
        self.worker.sink.borrow_mut().finished(RawRecord {
            identity,
            instants: observation.instants,
            connection: observation.connection,
            status: observation.status,
            outcome,
            error,
            finish_reason: observation.finish_reason,
            requested_output_tokens: turn.max_output_tokens,
            input_tokens: turn.input_tokens,
            usage: observation.usage,
            stamps: observation.stamps,
            chunks: observation.chunks,
            degraded: false,
            cancelled_at,
            trail: observation.trail,
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
