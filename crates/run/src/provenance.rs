//! Where a result comes from: facts about the client, the inputs, the host, the network and the
//! server, each observed by us, declared by the user, or unknown. Never guessed.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// `provenance.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Provenance {
    /// Version of this file's shape.
    pub schema_version: u32,
    /// The facts, by dotted name. What every run tries to observe is there; declared facts may add others.
    pub facts: BTreeMap<String, Fact>,
}

/// One fact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Fact {
    /// How it is known.
    pub origin: Origin,
    /// What is known; absent when unknown.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub value: Option<Value>,
}

/// How a fact is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Read or measured by loadgen.
    Observed,
    /// Said by the user.
    Declared,
    /// Nobody said, and it could not be read.
    Unknown,
}

/// The facts that every run tries to observe.
pub(crate) const KNOWN: [&str; 28] = [
    "host.clock_source",
    "host.cores",
    "host.cpu",
    "host.kernel",
    "host.name",
    "host.open_files_limit",
    "inputs.bodies_sha256",
    "inputs.tokenizer",
    "inputs.tokenizer_sha256",
    "inputs.trace_file",
    "inputs.trace_sha256",
    "loadgen.target",
    "loadgen.version",
    "network.http_version",
    "network.round_trip_ms",
    "network.tls_version",
    "run.command_line",
    "run.ended",
    "run.plan",
    "run.seed",
    "run.started",
    "run.timestamp_source",
    "run.workers",
    "server.header",
    "server.kind",
    "server.models",
    "server.urls",
    "server.version",
];

impl Default for Provenance {
    fn default() -> Self {
        let unknown = Fact { origin: Origin::Unknown, value: None };
        let facts = KNOWN.iter().map(|name| ((*name).to_owned(), unknown.clone())).collect();
        Self { schema_version: 1, facts }
    }
}

impl Provenance {
    /// Notes what was read or measured; nothing is noted when it could not be.
    pub fn observe(&mut self, name: &str, value: Option<impl Into<Value>>) {
        let Some(value) = value else { return };
        self.facts.insert(name.to_owned(), Fact { origin: Origin::Observed, value: Some(value.into()) });
    }

    /// Notes what the user says. It never replaces what was observed: both are kept, the
    /// declaration under `declared.<name>`.
    pub fn declare(&mut self, name: &str, value: impl Into<Value>) {
        let observed = self.facts.get(name).is_some_and(|fact| fact.origin == Origin::Observed);
        let key = if observed { format!("declared.{name}") } else { name.to_owned() };
        self.facts.insert(key, Fact { origin: Origin::Declared, value: Some(value.into()) });
    }

    /// The file's text.
    pub fn render(&self) -> String {
        serde_json::to_string_pretty(self).expect("maps with text keys serialise") + "\n"
    }

    /// SHA-256 of the file's text, in hex.
    pub fn sha256(&self) -> String {
        format!("{:x}", Sha256::digest(self.render()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_known_fact_starts_unknown_and_the_names_are_sorted() {
        assert!(KNOWN.is_sorted());
        let provenance = Provenance::default();
        assert!(provenance.facts.values().all(|fact| fact.origin == Origin::Unknown && fact.value.is_none()));
        assert_eq!(provenance.facts.len(), KNOWN.len());
    }

    #[test]
    fn a_declaration_never_hides_an_observation() {
        let mut provenance = Provenance::default();
        provenance.observe("server.version", Some("0.9"));
        provenance.observe("server.header", None::<String>);
        provenance.declare("server.version", "1.0");
        provenance.declare("gpu", "H100");
        assert_eq!(provenance.facts["server.version"].value, Some("0.9".into()));
        assert_eq!(provenance.facts["declared.server.version"].origin, Origin::Declared);
        assert_eq!(provenance.facts["gpu"].origin, Origin::Declared);
        assert_eq!(provenance.facts["server.header"].origin, Origin::Unknown);
    }

    #[test]
    fn the_hash_is_of_the_text_as_written() {
        let provenance = Provenance::default();
        let again: Provenance = serde_json::from_str(&provenance.render()).unwrap();
        assert_eq!(provenance.sha256(), again.sha256());
        assert_eq!(provenance.sha256().len(), 64);
    }
}
