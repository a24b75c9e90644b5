//! Placeholder while the crate is laid out.
use loadgen_core::{Nanos, StampSource};

use crate::endpoint::EndpointKind;

/// When, and how surely, the bytes of one read arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Arrival {
    /// When the last byte of the read reached the host.
    pub stamp: Nanos,
    /// Who says so.
    pub source: StampSource,
    /// When the bytes were in our hands.
    pub read_at: Nanos,
    /// Number of the read on its connection, from 1.
    pub read: u64,
    /// Whether the read left the socket empty. If not, the stamp may be that of later bytes.
    pub is_drained: bool,
    /// No byte of the read arrived before this: the socket was empty then.
    pub not_before: Nanos,
}

impl Arrival {
    /// Width in ns of the interval that ends at the stamp and in which each byte of the read came;
    /// at least 1, since 0 would say exact.
    pub fn width_ns(&self) -> i64 {
        self.stamp.since(self.not_before).max(1)
    }
}

/// Finds the content in one response.
#[derive(Debug, Clone)]
pub struct ResponseDecoder {
    kind: Option<EndpointKind>,
}

impl ResponseDecoder {
    /// A decoder for one response of an endpoint.
    pub fn new(kind: EndpointKind) -> Self {
        Self { kind: Some(kind) }
    }

    /// A decoder that looks for nothing.
    pub(crate) fn opaque() -> Self {
        Self { kind: None }
    }
}
