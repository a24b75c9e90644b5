//! Traces: files of requests with their times, sizes and prefixes.
//!
//! [`parse_line`] reads one line; [`read`](read::read) streams a file through it; [`Trace`] is what is
//! kept of the file: the rows that are left after the filters, grouped into sessions, checked as a whole.
//! A row costs its numbers and its list of ids; prompt text is made when a turn is asked for.

mod fault;
mod line;
mod read;
mod row;
mod sessions;

pub use fault::LineFault;
pub(crate) use line::block_sizes;
pub use line::{Input, Line, parse_line};
pub use read::FileFacts;
pub use row::{TraceKind, TraceRow};
pub(crate) use sessions::{Trace, TraceSession, speed_up};
