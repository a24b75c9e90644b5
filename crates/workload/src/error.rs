//! Why a workload cannot be sent. All of these are found before the first request.

use std::path::PathBuf;

use crate::trace::LineFault;

/// Why a workload cannot be sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkloadError {
    /// The file could not be read.
    #[error("--input-file {}: cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A line of the file is wrong.
    #[error("{}:{line}: {fault}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What is wrong with it.
        fault: LineFault,
    },
    /// The file is wrong in no particular line.
    #[error("--input-file {}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Images cannot be made from this source.
    #[error("--image-source {}: {reason}", path.display())]
    ImageSource {
        /// The folder.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// Nothing is left to send.
    #[error("--input-file {}: no requests in it{}", path.display(), if *left_out == 0 { String::new() } else {
        format!(": all {left_out} rows are left out by --fixed-schedule-start-offset, \
                 --fixed-schedule-end-offset or --synthesis-max-isl") })]
    Empty {
        /// The file.
        path: PathBuf,
        /// Rows that were read and left out.
        left_out: u64,
    },
    /// An option's value is of no use.
    #[error("{flag} {value}: {reason}")]
    Option {
        /// The flag.
        flag: &'static str,
        /// Its value.
        value: String,
        /// What it must be.
        reason: &'static str,
    },
    /// The tokenizer's vocabulary does not suit prompts of exact length.
    #[error(
        "tokenizer {name:?}: only {words} words of the prompt corpus are one token each, too few to build \
         prompts of exact length; use --tokenizer builtin"
    )]
    Vocabulary {
        /// The tokenizer.
        name: String,
        /// Distinct words that would do.
        words: usize,
    },
}
