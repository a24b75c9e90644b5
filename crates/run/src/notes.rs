//! Facts of a run that stand in its journal beside the records.

use loadgen_engine::EngineReport;
use loadgen_metrics::{HostFacts, PacketFacts};
use serde::{Deserialize, Serialize};

use crate::provenance::Provenance;

/// The kinds of notes.
pub(crate) const PROVENANCE: &str = "provenance";
pub(crate) const ENDED: &str = "ended";

/// How a run ended: there only if it did so in order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Ended {
    /// What the engine did.
    pub(crate) engine: EngineReport,
    /// How the host was meanwhile.
    pub(crate) host: HostFacts,
    /// What the packet tap counted, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) packets: Option<PacketFacts>,
    /// Whether more requests failed than the user allows, so that the rest was not sent.
    #[serde(default)]
    pub(crate) too_many_failed: bool,
}

/// The notes of a journal, the last of each kind.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    pub(crate) provenance: Option<Provenance>,
    pub(crate) ended: Option<Ended>,
}

impl Notes {
    /// Takes a note. One that cannot be read is as good as none: the journal may be of another
    /// version, and records are worth more than notes.
    pub(crate) fn take(&mut self, kind: &str, json: &str) {
        match kind {
            PROVENANCE => self.provenance = serde_json::from_str(json).ok().or(self.provenance.take()),
            ENDED => self.ended = serde_json::from_str(json).ok().or(self.ended.take()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_last_readable_note_of_a_kind_counts() {
        let mut notes = Notes::default();
        let mut provenance = Provenance::default();
        provenance.declare("gpu", "H100");
        notes.take(PROVENANCE, &Provenance::default().render());
        notes.take(PROVENANCE, &provenance.render());
        notes.take(PROVENANCE, "{");
        notes.take("other", "1");
        assert_eq!(notes.provenance.unwrap(), provenance);
        assert!(notes.ended.is_none());
    }
}
