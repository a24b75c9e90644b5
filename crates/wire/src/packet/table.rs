//! All connections that are watched, told apart by their ends and, where a port is used again, by
//! their openings.
//!
//! Invariant: what is kept is bounded. Arrivals go when the response they belong to is recorded, or
//! when no open request is old enough to need them; connections go when they are over and nothing
//! of theirs is kept.

use std::collections::hash_map::{Entry, HashMap};

use loadgen_core::Nanos;

use super::flow::{Bytes, Flow, Taken};
use super::header::{FlowKey, Segment};

/// Arrivals that may be kept: 24 bytes each. Beyond, the older half of the time they span is given up.
const MOST_KEPT: usize = 6_000_000;
/// Connections that may stay though nothing of theirs is kept.
const MOST_IDLE: usize = 65_536;

/// The connections that share their two ends: one after the other, the latest last.
#[derive(Debug)]
struct Lives {
    latest: Flow,
    earlier: Vec<Flow>,
}

/// The watched connections.
#[derive(Debug, Default)]
pub(super) struct FlowTable {
    lives: HashMap<FlowKey, Lives>,
    /// Connections that were seen.
    pub(super) seen: u64,
}

impl FlowTable {
    /// Takes a segment that came with this stamp; `at` is the stamp on the timeline, where it could be
    /// placed, `now` not before it.
    pub(super) fn take(&mut self, segment: &Segment, wall_ns: i64, at: Option<Nanos>, now: Nanos) {
        let first_byte = segment.first_byte();
        let bytes = Bytes { sequence: first_byte, count: segment.payload, wall_ns, at };
        let opens = segment.syn && segment.ack;
        let life = || {
            let begins = at.unwrap_or(now);
            if opens { Flow::opened(first_byte, begins) } else { Flow::joined(first_byte, begins) }
        };
        let lives = match self.lives.entry(segment.flow) {
            Entry::Vacant(_) if !opens && segment.payload == 0 => return,
            Entry::Vacant(entry) => {
                self.seen += 1;
                entry.insert(Lives { latest: life(), earlier: Vec::new() })
            }
            Entry::Occupied(entry) => entry.into_mut(),
        };
        if opens && !lives.latest.is_opening_of(first_byte) {
            self.seen += 1;
            lives.begin(life());
        }
        if segment.payload > 0 && lives.latest.take(bytes) == Taken::Foreign {
            // The ends are used again, and the opening was missed.
            self.seen += 1;
            lives.begin(life());
            lives.latest.take(bytes);
        }
        if segment.fin {
            lives.latest.finish(first_byte.wrapping_add(segment.payload));
        }
        if segment.rst {
            lives.latest.reset();
        }
    }

    /// The connection between these ends that was open at `when`.
    pub(super) fn flow(&mut self, key: &FlowKey, when: Nanos) -> Option<&mut Flow> {
        let Lives { latest, earlier } = self.lives.get_mut(key)?;
        if latest.opened <= when {
            return Some(latest);
        }
        earlier.iter_mut().rev().find(|flow| flow.opened <= when)
    }

    /// Forgets what is older than any open request could need, and connections of which nothing is
    /// kept and nothing will come.
    pub(super) fn sweep(&mut self, horizon: Nanos, now: Nanos) {
        let mut kept = self.forget_before(horizon);
        let mut horizon = horizon;
        while kept > MOST_KEPT && horizon < now {
            horizon = horizon + (now.since(horizon) / 2).max(1);
            kept = self.forget_before(horizon);
        }
        let is_crowded = self.lives.len() > MOST_IDLE;
        self.lives.retain(|_, Lives { latest, earlier }| {
            let is_idle = latest.kept() == 0 && earlier.is_empty();
            let is_over = latest.is_finished() || (is_crowded && latest.last_seen < horizon);
            !(is_idle && is_over && latest.last_seen < horizon)
        });
    }

    /// The answer: how many arrivals are kept.
    fn forget_before(&mut self, horizon: Nanos) -> usize {
        let mut kept = 0;
        for Lives { latest, earlier } in self.lives.values_mut() {
            latest.forget_before(horizon);
            earlier.retain(|flow| flow.last_seen >= horizon);
            kept += latest.kept() + earlier.iter().map(Flow::kept).sum::<usize>();
        }
        kept
    }
}

impl Lives {
    fn begin(&mut self, flow: Flow) {
        let before = std::mem::replace(&mut self.latest, flow);
        // A record of it may still be on its way.
        self.earlier.push(before);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::packet::header::tests::segment;

    fn send(table: &mut FlowTable, at: i64, sequence: u32, payload: u32) {
        let data = Segment { sequence, payload, ..segment(false) };
        table.take(&data, at, Some(Nanos(at)), Nanos(at));
    }

    fn open(table: &mut FlowTable, at: i64, sequence: u32) {
        let opening = Segment { sequence, payload: 0, syn: true, ..segment(false) };
        table.take(&opening, at, Some(Nanos(at)), Nanos(at));
    }

    fn end(table: &mut FlowTable, at: i64, sequence: u32, fin: bool) {
        let end = Segment { sequence, payload: 0, fin, rst: !fin, ..segment(false) };
        table.take(&end, at, Some(Nanos(at)), Nanos(at));
    }

    fn arrival(table: &mut FlowTable, when: i64, position: u64) -> Option<i64> {
        table.flow(&segment(false).flow, Nanos(when))?.arrival(position).map(|at| at.0)
    }

    #[test]
    fn the_syn_takes_a_number_and_may_bring_bytes() {
        let mut table = FlowTable::default();
        let opening = Segment { sequence: u32::MAX, payload: 5, syn: true, ..segment(false) };
        table.take(&opening, 1, Some(Nanos(1)), Nanos(1));
        send(&mut table, 3, 5, 10);
        assert_eq!((arrival(&mut table, 2, 5), arrival(&mut table, 2, 15)), (Some(1), Some(3)));
    }

    #[test]
    fn an_opening_seen_twice_is_one_connection() {
        let mut table = FlowTable::default();
        open(&mut table, 1, 99);
        open(&mut table, 2, 99);
        send(&mut table, 3, 100, 10);
        open(&mut table, 4, 99);
        assert_eq!((table.seen, arrival(&mut table, 3, 10)), (1, Some(3)));
    }

    #[test]
    fn a_port_used_again_is_another_connection() {
        let mut table = FlowTable::default();
        open(&mut table, 10, 99);
        send(&mut table, 11, 100, 10);
        end(&mut table, 12, 110, true);
        open(&mut table, 20, 7000);
        send(&mut table, 21, 7001, 10);
        assert_eq!(table.seen, 2);
        assert_eq!(arrival(&mut table, 11, 10), Some(11), "a record of the first comes late");
        assert_eq!(arrival(&mut table, 21, 10), Some(21));
        assert_eq!(arrival(&mut table, 9, 10), None);
    }

    #[test]
    fn a_port_used_again_unseen_is_told_by_its_numbers() {
        for fin in [true, false] {
            let mut table = FlowTable::default();
            open(&mut table, 10, 99);
            send(&mut table, 11, 100, 10);
            end(&mut table, 12, 110, fin);
            send(&mut table, 21, 5000, 10);
            assert_eq!(table.seen, 2);
            let flow = table.flow(&segment(false).flow, Nanos(21)).unwrap();
            assert!(!flow.is_anchored());
            flow.tie(10, 21);
            assert_eq!(arrival(&mut table, 21, 10), Some(21));
        }
    }

    #[test]
    fn ends_of_unknown_connections_open_none() {
        let mut table = FlowTable::default();
        end(&mut table, 12, 110, true);
        end(&mut table, 12, 110, false);
        assert_eq!((table.seen, table.lives.len()), (0, 0));
    }

    #[test]
    fn a_sweep_leaves_what_open_requests_need() {
        let mut table = FlowTable::default();
        open(&mut table, 10, 99);
        send(&mut table, 11, 100, 10);
        send(&mut table, 20, 110, 10);
        table.sweep(Nanos(15), Nanos(30));
        assert_eq!((arrival(&mut table, 12, 10), arrival(&mut table, 12, 20)), (None, Some(20)));
        end(&mut table, 21, 120, true);
        table.sweep(Nanos(15), Nanos(30));
        assert_eq!(table.lives.len(), 1, "a record may still ask");
        table.sweep(Nanos(25), Nanos(30));
        assert!(table.lives.is_empty(), "it is over, and nobody can ask any more");
    }

    #[test]
    fn an_open_connection_outlives_its_silence() {
        let mut table = FlowTable::default();
        open(&mut table, 10, 99);
        send(&mut table, 11, 100, 10);
        table.sweep(Nanos(1000), Nanos(1001));
        send(&mut table, 2000, 110, 10);
        assert_eq!(arrival(&mut table, 2000, 20), Some(2000));
    }
}
