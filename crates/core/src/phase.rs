//! The phases of a run.

use serde::{Deserialize, Serialize};

/// What a request was sent for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Sent to warm the server; kept on record, left out of every result.
    Warmup,
    /// Measured.
    Profiling,
}

impl Phase {
    /// The name at every surface.
    pub fn name(self) -> &'static str {
        match self {
            Self::Warmup => "warmup",
            Self::Profiling => "profiling",
        }
    }
}

/// Position of a phase in its run, from 0.
pub type PhaseIndex = i32;
