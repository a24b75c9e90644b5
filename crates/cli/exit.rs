//! Exit codes, in one place.

use std::process::ExitCode;

/// How the program ends. When several hold, the earlier variant wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ExitStatus {
    /// 1: nothing succeeded, the command or its input is wrong, or too many requests failed.
    Failure,
    /// 4: the client was the limit, and --fail-if-client-limited or --catch-up fail was given.
    ClientLimited,
    /// 0: done; some requests may have failed.
    Success,
}

/// 130: left at once, on the second Ctrl-C.
pub(crate) const INTERRUPTED: i32 = 130;

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        match status {
            ExitStatus::Success => Self::SUCCESS,
            ExitStatus::Failure => Self::from(1),
            ExitStatus::ClientLimited => Self::from(4),
        }
    }
}
