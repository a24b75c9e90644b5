//! The connection that a request goes over: a kept one or a new one, and what becomes of it.
//!
//! Invariant: a request whose kept connection turns out closed before any byte of the response goes out again,
//! on another one; any other failure is the request's own.

use std::pin::pin;
use std::task::Poll;

use loadgen_core::{Nanos, Turn};
use loadgen_wire::{Connection, Observation, Request};

use super::request::Ending;
use super::session::PhaseRun;
use crate::limits;
use crate::policy::ConnectionReuse;
use crate::prepare::Running;

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
pub(super) struct Way {
    /// The target it goes to.
    pub(super) target: usize,
    /// The ordinal of its session.
    session: u64,
    /// What becomes of its connection.
    keeps: Keeps,
    /// How long after it was written in full it is given up, ns; `None` when it is not.
    pub(super) cancel_after_ns: Option<i64>,
}

impl PhaseRun {
    /// How a request of this turn goes.
    pub(super) fn way(&self, running: &Running, turn: &Turn) -> Way {
        let lottery = self.lottery.as_ref();
        Way {
            target: running.url_index,
            session: running.ordinal,
            keeps: match self.worker.shared.config.policy.connection_reuse {
                ConnectionReuse::Pooled => Keeps::ForAll,
                ConnectionReuse::StickyUserSessions if !turn.is_last => Keeps::ForSession,
                ConnectionReuse::StickyUserSessions | ConnectionReuse::Never => Keeps::Not,
            },
            cancel_after_ns: lottery.and_then(|draw| draw.delay_ns(running.ordinal, turn.turn_index)),
        }
    }

    /// Gets a connection and carries the request over it, and keeps it for the next one if it may: a
    /// connection with half a response is of no further use. `request` makes the request, and is told
    /// when it will not be asked again.
    ///
    /// A kept connection that turns out closed before any byte of the response is not the request's
    /// fault: it goes out again on a new one.
    pub(super) async fn carry(
        &self,
        mut request: impl FnMut(bool) -> Request,
        way: Way,
        observation: &mut Observation,
    ) -> Ending {
        let mut kept = self.idle_connection(way);
        loop {
            let mut connection = match kept.take() {
                Some(connection) => {
                    self.note_blocked(observation);
                    connection
                }
                // A new connection is rare, and opening one takes much room.
                None => match Box::pin(self.connect(way.target, observation)).await {
                    Some(connection) => connection,
                    None => return Ending::Returned,
                },
            };
            let given_up = way.cancel_after_ns.map(|delay_ns| (connection.next_written(), delay_ns));
            let mut given_up = given_up.map(|(written, delay_ns)| Box::pin(self.give_up(written, delay_ns)));
            let request = request(!connection.is_used());
            let ending = {
                let mut exchange = pin!(connection.exchange(request, observation));
                std::future::poll_fn(|cx| match (exchange.as_mut().poll(cx), &mut given_up) {
                    (Poll::Ready(()), _) => Poll::Ready(Ending::Returned),
                    (Poll::Pending, Some(given_up)) => given_up.as_mut().poll(cx).map(Ending::Cancelled),
                    (Poll::Pending, None) => Poll::Pending,
                })
                .await
            };
            if !observation.is_stale {
                self.keep(connection, way);
                return ending;
            }
            if observation.instants.send_start.is_some() {
                self.lane().retried_stale();
            } else {
                // It was seen to be closed before anything was written: the next idle one will do.
                kept = self.idle_connection(way);
            }
            observation.reset_for_retry();
        }
    }

    /// Opens a connection; `None` when there is none to be had, which is in the observation then.
    async fn connect(&self, target: usize, observation: &mut Observation) -> Option<Connection> {
        self.pass_to_connect().await;
        self.note_blocked(observation);
        self.lane().connection_opened();
        let target = &self.worker.shared.config.targets[target];
        let opened = self.worker.shared.connector.connect(target, observation).await;
        if let Err(failure) = &opened
            && limits::is_starved(&failure.0)
        {
            self.lane().starved();
        }
        opened.ok()
    }

    /// Notes how long the request waited before there was a connection, or one could be opened.
    fn note_blocked(&self, observation: &mut Observation) {
        if observation.connection.blocked_ns.is_none() {
            let waited = observation.instants.request_start.map(|start| self.worker.now().since(start));
            observation.connection.blocked_ns = waited;
        }
    }

    fn keep(&self, connection: Connection, way: Way) {
        match way.keeps {
            Keeps::ForAll if connection.may_be_kept() => {
                self.worker.pool.borrow_mut().put(way.target, connection);
            }
            Keeps::ForSession if connection.may_be_kept() => {
                self.own_connections.borrow_mut().insert(way.session, connection);
            }
            Keeps::ForAll | Keeps::ForSession | Keeps::Not => {}
        }
    }

    /// A kept connection that the request may use. Whether it is still open shows when it is to be used.
    fn idle_connection(&self, way: Way) -> Option<Connection> {
        match self.worker.shared.config.policy.connection_reuse {
            ConnectionReuse::Pooled => self.worker.pool.borrow_mut().take(way.target),
            ConnectionReuse::Never => None,
            ConnectionReuse::StickyUserSessions => self.own_connections.borrow_mut().remove(&way.session),
        }
    }

    /// Returns when a request that the plan gives up is: so long after it was written in full.
    async fn give_up(&self, written: impl Future<Output = Nanos>, delay_ns: i64) -> Nanos {
        self.wait_in_flight(written.await + delay_ns).await;
        self.worker.now()
    }
}
