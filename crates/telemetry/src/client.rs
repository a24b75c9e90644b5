//! One server, asked now and then over a connection of its own.
//!
//! The connection is kept between questions; one that the server gave up meanwhile is opened anew, and the
//! question is asked again, once. Nothing here is ever counted or measured as load.

use std::time::Duration;

use loadgen_core::{Clock, ErrorDetail, SystemClock};
use loadgen_wire::{Connection, Connector, Fetched, Observation, Request, Target};

/// Asks one target.
#[derive(Debug)]
pub(crate) struct Client {
    connector: Connector,
    target: Target,
    clock: SystemClock,
    connection: Option<Connection>,
}

impl Client {
    pub(crate) fn new(connector: Connector, target: Target, clock: SystemClock) -> Self {
        Self { connector, target, clock, connection: None }
    }

    /// Sends a request and gives the whole answer of at most `limit` bytes, if it comes in time.
    pub(crate) async fn ask(
        &mut self,
        request: &Request,
        limit: usize,
        patience: Duration,
    ) -> Result<Fetched, Unanswered> {
        match tokio::time::timeout(patience, self.ask_at_leisure(request, limit)).await {
            Ok(answer) => answer.map_err(Unanswered::Failed),
            Err(_elapsed) => {
                self.connection = None;
                Err(Unanswered::TimedOut(patience))
            }
        }
    }

    async fn ask_at_leisure(&mut self, request: &Request, limit: usize) -> Result<Fetched, ErrorDetail> {
        if let Some(mut kept) = self.connection.take().filter(Connection::may_be_kept)
            && kept.is_reusable()
            && let Ok(answer) = kept.fetch(request.clone(), limit).await
        {
            self.keep(kept);
            return Ok(answer);
        }
        let mut observation = Observation::starting_at(self.clock.now());
        let mut fresh =
            self.connector.connect(&self.target, &mut observation).await.map_err(|failure| failure.0)?;
        let answer = fresh.fetch(request.clone(), limit).await?;
        self.keep(fresh);
        Ok(answer)
    }

    fn keep(&mut self, connection: Connection) {
        self.connection = Some(connection).filter(Connection::may_be_kept);
    }
}

/// Why there is no answer.
#[derive(Debug, Clone)]
pub(crate) enum Unanswered {
    /// None came in time.
    TimedOut(Duration),
    /// The connection or the answer failed.
    Failed(ErrorDetail),
}

impl std::fmt::Display for Unanswered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TimedOut(patience) => write!(f, "no answer within {} s", patience.as_secs_f64()),
            Self::Failed(error) => f.write_str(&error.in_words()),
        }
    }
}
