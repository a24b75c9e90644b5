//! Why a run cannot start, or did not end as it should.

use thiserror::Error;

/// A run that could not be carried out. What single requests suffer is in their records instead.
#[derive(Debug, Error)]
pub enum EngineError {
    /// There is nowhere to send.
    #[error("no target: give at least one --url")]
    NoTarget,
    /// Sinks and workers do not match.
    #[error("{sinks} record sinks for {workers} workers: each worker needs one of its own")]
    Sinks {
        /// Sinks given.
        sinks: usize,
        /// Workers configured.
        workers: usize,
    },
    /// The counters are too few.
    #[error("the counters have no room for {phases} phases on {workers} workers")]
    Stats {
        /// Phases planned.
        phases: usize,
        /// Workers configured.
        workers: usize,
    },
    /// Everything at once, without an end.
    #[error("phase {index} sends everything at once and without end: give --request-count or --concurrency")]
    UnboundedBurst {
        /// The phase.
        index: i32,
    },
    /// Somebody objected to a phase. The phases before it are done, and their records are kept.
    #[error("phase {index} was not begun: {source}")]
    Objection {
        /// The phase.
        index: i32,
        /// Why.
        source: crate::attendant::Objection,
    },
    /// The connector does not take its configuration.
    #[error(transparent)]
    Connector(#[from] loadgen_wire::ConnectorError),
    /// The system refused a worker what it needs.
    #[error("worker {worker} cannot start: {source}")]
    Worker {
        /// The worker.
        worker: usize,
        /// Why.
        source: std::io::Error,
    },
    /// A worker panicked. The other workers finished their phase, and their records are kept.
    #[error(
        "worker {worker} panicked: {message}; its requests in flight are lost, all other records are kept"
    )]
    WorkerPanicked {
        /// The worker.
        worker: usize,
        /// What it said.
        message: String,
    },
}
