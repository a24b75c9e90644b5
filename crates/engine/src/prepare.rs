//! Makes requests ready before their time: session, turn, encoded body.
//!
//! Invariant: what is prepared depends on the ordinal alone, never on who prepares it or when.

use std::sync::Arc;

use loadgen_core::{InputTokens, Reply, RequestSource, Session, Turn};
use loadgen_wire::{Body, Endpoint, EndpointError};
use uuid::Uuid;

use crate::ids::Ids;

/// Prepares the requests of one phase. Every worker has one; they agree.
pub(crate) struct Preparer {
    source: Arc<dyn RequestSource>,
    endpoint: Arc<Endpoint>,
    ids: Ids,
    targets: usize,
}

/// A session under way.
pub(crate) struct Running {
    /// Its place among all sessions of the run.
    pub(crate) ordinal: u64,
    /// Shared by its turns.
    pub(crate) correlation_id: Arc<str>,
    /// The target all its turns go to.
    pub(crate) url_index: usize,
    session: Box<dyn Session>,
}

/// A request ready to leave.
pub(crate) struct Ready {
    pub(crate) turn: Turn,
    /// The body; an error where the endpoint cannot express the turn.
    pub(crate) body: Result<Body, EndpointError>,
    pub(crate) request_id: Uuid,
}

/// A session whose first request is ready to leave.
pub(crate) struct Opening {
    pub(crate) running: Running,
    pub(crate) first: Box<Ready>,
}

impl Preparer {
    pub(crate) fn new(
        source: Arc<dyn RequestSource>,
        endpoint: Arc<Endpoint>,
        ids: Ids,
        targets: usize,
    ) -> Self {
        Self { source, endpoint, ids, targets }
    }

    /// The session `ordinal` with its first request; `None` past the end of the source.
    pub(crate) fn open(&self, ordinal: u64) -> Option<Opening> {
        let (running, turn) = self.begin(ordinal)?;
        let first = self.ready(&running, turn);
        Some(Opening { running, first })
    }

    /// The session `ordinal` and its first turn, for one that will not be sent.
    pub(crate) fn begin(&self, ordinal: u64) -> Option<(Running, Turn)> {
        let mut session = self.source.session(ordinal)?;
        // A session without any turn ends the source: there is nothing to pace.
        let turn = session.next_turn(None)?;
        let correlation_id = self.ids.correlation(ordinal, &turn.session_id);
        let url_index = usize::try_from(ordinal % self.targets as u64).expect("an index of a list");
        Some((Running { ordinal, correlation_id, url_index, session }, turn))
    }

    /// The next request of a session, once the one before it has ended.
    pub(crate) fn next(&self, running: &mut Running, reply: Option<&Reply>) -> Option<Box<Ready>> {
        let turn = running.session.next_turn(reply)?;
        Some(self.ready(running, turn))
    }

    pub(crate) fn ids(&self) -> &Ids {
        &self.ids
    }

    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    fn ready(&self, running: &Running, mut turn: Turn) -> Box<Ready> {
        let body = self.endpoint.body(&turn);
        if let Some(texts) = body.as_ref().ok().and_then(|body| self.endpoint.counted(&turn, body)) {
            turn.input_tokens = InputTokens::CountJson(texts);
        }
        let request_id = self.ids.request(running.ordinal, turn.turn_index);
        Box::new(Ready { turn, body, request_id })
    }
}
