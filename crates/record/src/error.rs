//! What can go wrong between a record and its storage. A cause is told by `source`, never in the text
//! as well: whoever prints the chain would print it twice.

use std::path::{Path, PathBuf};

use parquet::errors::ParquetError;

/// A record could not be stored or read back.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The file system refused.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried, as a verb: `create`, `write`, `read`.
        action: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// The refusal.
        source: std::io::Error,
    },
    /// A folder holds no journal segments.
    #[error("no journal segments in {}: give the folder of a run that kept its journal", path.display())]
    NoJournal {
        /// The folder.
        path: PathBuf,
    },
    /// A thread could not be started.
    #[error("cannot start the journal's thread")]
    Thread {
        /// The refusal.
        source: std::io::Error,
    },
    /// The journal's thread died; what it had not written yet is lost.
    #[error("the journal's thread ended early; records after its last write are missing from {}", path.display())]
    WriterDied {
        /// The journal's folder.
        path: PathBuf,
    },
    /// The Parquet library refused.
    #[error("cannot {action} {}", path.display())]
    Parquet {
        /// What was tried, as a verb.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// The refusal.
        source: ParquetError,
    },
    /// Arrow refused the columns.
    #[error("cannot {action} {}", path.display())]
    Arrow {
        /// What was tried, as a verb.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// The refusal.
        source: arrow_schema::ArrowError,
    },
    /// A Parquet file is not a record of ours.
    #[error("{} is not a loadgen record: column {column} {problem}", path.display())]
    NotARecord {
        /// The file.
        path: PathBuf,
        /// The column at fault.
        column: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A row does not fit the columns.
    #[error("a row has {given} metric values where {expected} metric columns were declared")]
    MetricCount {
        /// Values handed over.
        given: usize,
        /// Columns declared.
        expected: usize,
    },
    /// A metric column's name is taken twice.
    #[error("metric column {name} is declared twice")]
    DuplicateMetric {
        /// The name.
        name: String,
    },
}

impl RecordError {
    /// An adapter for `map_err` on file operations.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }

    /// An adapter for `map_err` on Parquet operations.
    pub(crate) fn parquet(action: &'static str, path: &Path) -> impl FnOnce(ParquetError) -> Self {
        let path = path.to_owned();
        // What the file system refused is told as such, not as the library's.
        move |source| match source {
            ParquetError::External(refusal) => match refusal.downcast::<std::io::Error>() {
                Ok(source) => Self::Io { action, path, source: *source },
                Err(refusal) => Self::Parquet { action, path, source: ParquetError::External(refusal) },
            },
            source => Self::Parquet { action, path, source },
        }
    }
}
