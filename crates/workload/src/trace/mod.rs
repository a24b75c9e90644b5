//! Input files: traces of requests with their times, sizes and prefixes, and requests of text, media and
//! ready bodies (`custom`).
//!
//! [`parse_line`] reads one line; a file is streamed through it, and what is kept are the rows left after
//! the filters, grouped into sessions, checked as a whole, and their times. A row costs its numbers and
//! its list of ids; prompt text is made when a turn is asked for.

mod content;
mod custom;
mod detect;
mod fault;
mod line;
mod mooncake;
mod read;
mod row;
mod sessions;
mod times;
mod value;

pub use fault::LineFault;
pub(crate) use line::block_sizes;
pub use line::{Input, Line, parse_line};
pub use read::FileFacts;
pub use row::{TraceKind, TraceRow};
pub(crate) use sessions::{Row, SessionName, Trace};
pub(crate) use times::nanoseconds;
