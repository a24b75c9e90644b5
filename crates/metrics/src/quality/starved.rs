//! Telling a host that has run out from a server that refuses.
//!
//! Both end as a connect error. What the operating system says when this host, and not the server, is why
//! a connection cannot be made is the same text on every system that we run on; the numbers differ.

use loadgen_core::{FailureKind, Outcome, RequestRecord};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// No descriptor, in the process (EMFILE) or on the machine (ENFILE).
const FILES: &[&str] = &["Too many open files"];
/// No local port left towards the server (EADDRNOTAVAIL).
const PORTS: &[&str] = &["Cannot assign requested address", "Can't assign requested address"];
/// No memory for one more socket (ENOBUFS, ENOMEM).
const MEMORY: &[&str] = &["No buffer space available", "Cannot allocate memory"];

/// Requests that found no connection because this host had something no more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Starved {
    /// File descriptors.
    pub files: u64,
    /// Local ports.
    pub ports: u64,
    /// Memory for sockets.
    pub memory: u64,
}

impl Starved {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.files + self.ports + self.memory
    }

    /// Looks at one more request.
    pub(super) fn push(&mut self, record: &RequestRecord) {
        let (Outcome::Failed(FailureKind::ConnectError), Some(error)) = (record.outcome, &record.error)
        else {
            return;
        };
        let says = |phrases: &[&str]| {
            let said = |text: &String| phrases.iter().any(|phrase| text.contains(phrase));
            said(&error.message) || error.cause_chain.iter().any(said)
        };
        if says(FILES) {
            self.files += 1;
        } else if says(PORTS) {
            self.ports += 1;
        } else if says(MEMORY) {
            self.memory += 1;
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.files += other.files;
        self.ports += other.ports;
        self.memory += other.memory;
    }
}
