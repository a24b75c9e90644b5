//! HTTP/1.1 as a client speaks it, without I/O: requests to bytes, bytes to responses.
//!
//! A response is read a piece at a time, in whatever pieces it comes, and what is found in a piece is
//! handed on before the next one is looked at. So whoever knows when, and where in the stream, a piece
//! came knows it of everything that the piece completed.
//!
//! What it does not do: requests with a coded body, upgrades, pipelining.

mod chunked;
mod head;
mod outgoing;
mod response;

pub use chunked::ChunkFault;
pub use head::{Head, HeadFault};
pub(crate) use outgoing::{MOST_SLICES, Outgoing};
pub use response::{Incomplete, Part, ResponseFault, ResponseReader};
