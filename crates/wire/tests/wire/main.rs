//! The wire against sockets on the loopback: what is written, what is stamped, and what becomes of
//! every way a response can end.
#![allow(missing_docs, clippy::unwrap_used)]

mod captures;
mod client;
mod failures;
mod hostile;
mod packet;
mod protocol;
mod redirects;
mod requests;
mod server;
mod stamps;
mod tls;
mod trails;
