//! Why a run could not be done or reported.

use std::io;
use std::path::PathBuf;

use loadgen_engine::EngineError;
use loadgen_engine::limits::LimitError;
use loadgen_metrics::SloError;
use loadgen_record::RecordError;
use loadgen_telemetry::{ControlError, NotReady};
use loadgen_tokens::TokenizerError;
use loadgen_wire::{ConnectorError, EndpointError, PacketError};
use loadgen_workload::WorkloadError;
use thiserror::Error;

/// Why a run could not be done or reported. Failures of requests are not among them: those are data.
#[derive(Debug, Error)]
pub enum RunError {
    /// The result folder, or a file in it, cannot be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The result folder cannot be made.
    #[error("cannot make the result folder {path}: give another with --artifact-dir")]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The folder holds no run.
    #[error("{dir} holds no journal: give the folder of a run, the one with the folder `journal` in it")]
    NoJournal {
        /// The folder.
        dir: PathBuf,
    },
    /// The journal lost its head.
    #[error("{journal} is too damaged: no copy of its header can be read")]
    NoHeader {
        /// The journal's folder.
        journal: PathBuf,
    },
    /// The journal was written by another version.
    #[error("the plan in {journal} cannot be read by this version of loadgen")]
    Plan {
        /// The journal's folder.
        journal: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// The load is over, but its results could not be written.
    #[error(
        "the run is over and what it measured is kept, but its results could not be written: \
         mend the cause, then `loadgen report {dir}`"
    )]
    Unfinished {
        /// The run's folder.
        dir: PathBuf,
        /// Why.
        source: Box<RunError>,
    },
    /// Some of the results' files could not be written; the others are there.
    #[error(
        "files of the results could not be written: {names}; what was measured is kept: mend the cause, then \
         `loadgen report {dir}`"
    )]
    Unwritten {
        /// Which, as they are called in the folder.
        names: String,
        /// The run's folder.
        dir: PathBuf,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The journal could not take all records, so the results lack some.
    #[error(
        "the journal could not take all records: the run stopped there, and the results in {} are of those \
         before{beside}",
        dir.display()
    )]
    RecordsLost {
        /// The run's folder.
        dir: PathBuf,
        /// What could not be written beside.
        beside: String,
        /// Why.
        source: Box<RecordError>,
    },
    /// The dataset has no times, and the schedule was to follow them.
    #[error(
        "--fixed-schedule: the trace has no timestamps to follow; leave it out, or add --no-fixed-schedule"
    )]
    NoTimestamps,
    /// The dataset is empty.
    #[error(
        "nothing is left to send: the trace has no rows within --fixed-schedule-start-offset, --fixed-schedule-end-offset and --synthesis-max-isl"
    )]
    NothingToSend,
    /// The dataset cannot be used.
    #[error(transparent)]
    Workload(#[from] WorkloadError),
    /// The tokenizer cannot be used.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// The endpoint cannot be used.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// Connections cannot be made as asked.
    #[error(transparent)]
    Connector(#[from] ConnectorError),
    /// This host lets no process have what the run needs.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// Packets cannot be watched.
    #[error(transparent)]
    Packet(#[from] PacketError),
    /// The user interrupted before the load began.
    #[error("interrupted while the prompts were made ready: no request was sent")]
    InterruptedWhilePreparing,
    /// The servers did not become ready.
    #[error(transparent)]
    NotReady(#[from] NotReady),
    /// A control call failed.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// Something that goes on beside the load kept it from beginning.
    #[error(transparent)]
    Objection(loadgen_engine::Objection),
    /// The engine failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// Records could not be kept.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The objectives cannot be used.
    #[error(transparent)]
    Slo(#[from] SloError),
}

impl RunError {
    /// Names the file that could not be written.
    pub(crate) fn write(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Write { path, source }
    }

    /// What lies at the bottom of it, as a text of its own.
    pub(crate) fn root_cause(&self) -> Box<dyn std::error::Error + Send + Sync> {
        let mut cause: &dyn std::error::Error = self;
        while let Some(deeper) = cause.source() {
            cause = deeper;
        }
        cause.to_string().into()
    }

    /// Names the file that could not be read.
    pub(crate) fn read(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Read { path, source }
    }
}
