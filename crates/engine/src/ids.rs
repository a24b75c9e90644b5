//! Ids of sessions and requests, drawn from a root of the run's own.
//!
//! Invariant: within a run a session has the same ids whichever worker carries it. They are random
//! UUIDs in form, so runs with different roots never collide. The root is not the run's seed: runs
//! that are to send the same load, at the same time perhaps, must not send the same ids.

use std::sync::Arc;

use loadgen_core::{PhaseIndex, Seed};
use uuid::Uuid;

/// Draws ids for one phase.
#[derive(Debug, Clone)]
pub(crate) struct Ids {
    root: Seed,
    phase: PhaseIndex,
    is_fixed_schedule: bool,
}

impl Ids {
    pub(crate) fn new(root: Seed, phase: PhaseIndex, is_fixed_schedule: bool) -> Self {
        Self { root: root.child("request_ids"), phase, is_fixed_schedule }
    }

    /// The id that the turns of a session share. In a fixed schedule it names the conversation, as
    /// AIPerf does.
    pub(crate) fn correlation(&self, ordinal: u64, session_id: &str) -> Arc<str> {
        if self.is_fixed_schedule {
            return format!("fixed-schedule-{session_id}").into();
        }
        self.draw(&format!("session:{}:{ordinal}", self.phase)).to_string().into()
    }

    /// The id of one request.
    pub(crate) fn request(&self, ordinal: u64, turn_index: i32) -> Uuid {
        self.draw(&format!("request:{}:{ordinal}:{turn_index}", self.phase))
    }

    fn draw(&self, name: &str) -> Uuid {
        let key = self.root.stream(name);
        let (head, _) = key.split_first_chunk::<16>().expect("a key has 32 bytes");
        uuid::Builder::from_random_bytes(*head).into_uuid()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_random_in_form_and_settled_by_their_root() {
        let ids = Ids::new(Seed(1), 0, false);
        assert_eq!(ids.request(3, 0), ids.clone().request(3, 0));
        assert_ne!(ids.request(3, 0), ids.request(3, 1));
        assert_ne!(ids.request(3, 0), Ids::new(Seed(1), 1, false).request(3, 0));
        assert_ne!(ids.request(3, 0), Ids::new(Seed(2), 0, false).request(3, 0));
        assert_ne!(ids.correlation(3, "s"), Ids::new(Seed(2), 0, false).correlation(3, "s"));
        assert_eq!(ids.request(3, 0).get_version_num(), 4);
        assert_eq!(&*Ids::new(Seed(1), 0, true).correlation(3, "s"), "fixed-schedule-s");
    }
}
