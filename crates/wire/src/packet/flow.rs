//! One connection's bytes as its packets brought them: when was the stream complete up to a position?
//!
//! Sequence numbers are unwrapped to *offsets*, 64 bits from the first byte that counts, so neither
//! their wrapping nor streams beyond 4 GiB matter. A byte can be delivered once all before it are
//! there: a segment that came early counts when the gap in front of it was filled, a segment sent
//! twice when it came first.
//!
//! A gap in front of bytes that the reader is known to have had is no gap in the stream: its packet
//! was missed (a full ring). The bytes in it have no arrival; what follows has its own.
//!
//! What it does not do: tell connections apart, or know what the bytes mean.

use std::collections::{BTreeMap, VecDeque};

use loadgen_core::Nanos;

/// A segment further than this from where the stream stands belongs to another connection: no TCP
/// window is larger (RFC 7323, 2.3).
const MOST_WINDOW: i64 = 1 << 30;
/// So many segments wait for a gap to be filled before it is taken for a missed packet.
const MOST_EARLY: usize = 1024;
/// The stamps that a packet socket and the connection's own socket give to one segment are the same for
/// what came over a network card; over the loopback each is taken where the segment is handed to that
/// socket, and they are apart by much less than this, ns.
const NEAR_NS: i64 = 500_000;
/// A list of arrivals with more room than this gives it back once it is empty.
const ROOM_KEPT: usize = 256;

/// A segment as a flow takes it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bytes {
    /// The sequence number of the first byte.
    pub(super) sequence: u32,
    /// How many.
    pub(super) count: u32,
    /// The kernel's stamp as it came: wall clock, ns.
    pub(super) wall_ns: i64,
    /// The same on the run's timeline; `None` where it could not be placed.
    pub(super) at: Option<Nanos>,
}

/// Up to here the stream was complete at that instant.
#[derive(Debug, Clone, Copy)]
struct Complete {
    /// An offset.
    end: u64,
    /// `None`: somebody's packet was missed, or its stamp makes no sense.
    at: Option<Nanos>,
}

/// Bytes that came before others in front of them.
#[derive(Debug, Clone, Copy)]
struct Early {
    end: u64,
    wall_ns: i64,
    at: Option<Nanos>,
}

/// How positions in the stream and offsets relate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Anchor {
    /// An offset is a position and so much more.
    At(i64),
    /// The connection's opening was not seen; no stamp has told yet.
    Unknown,
}

/// One connection, from its opening (or the first segment seen) on.
#[derive(Debug)]
pub(super) struct Flow {
    /// When it was first seen.
    pub(super) opened: Nanos,
    /// When it was last seen.
    pub(super) last_seen: Nanos,
    /// The sequence number at offset 0.
    origin: u32,
    anchor: Anchor,
    /// The offset up to which the stream is complete.
    complete: u64,
    /// What is known reaches back to this offset.
    forgotten: u64,
    arrivals: VecDeque<Complete>,
    /// The stamps of `arrivals` as they came, while they may be needed for anchoring.
    walls: VecDeque<i64>,
    early: BTreeMap<u64, Early>,
    /// The offset at which the server ended it.
    finished: Option<u64>,
    /// A record has asked for it in vain.
    pub(super) is_missed: bool,
}

/// What became of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// It is of this connection.
    Yes,
    /// Its number is of no stream that this one could be.
    Foreign,
}

impl Flow {
    /// A connection whose opening was seen: the first byte of its stream has this number.
    pub(super) fn opened(first_byte: u32, at: Nanos) -> Self {
        Self::new(first_byte, Anchor::At(0), at)
    }

    /// A connection that was there before it was watched: `first_byte` is the first that was seen.
    pub(super) fn joined(first_byte: u32, at: Nanos) -> Self {
        Self::new(first_byte, Anchor::Unknown, at)
    }

    fn new(origin: u32, anchor: Anchor, at: Nanos) -> Self {
        Self {
            opened: at,
            last_seen: at,
            origin,
            anchor,
            complete: 0,
            forgotten: 0,
            arrivals: VecDeque::new(),
            walls: VecDeque::new(),
            early: BTreeMap::new(),
            finished: None,
            is_missed: false,
        }
    }

    /// Whether an opening with this first byte is this connection's own, seen again.
    pub(super) fn is_opening_of(&self, first_byte: u32) -> bool {
        self.origin == first_byte && self.anchor == Anchor::At(0) && self.finished.is_none()
    }

    /// Whether the server has ended it.
    pub(super) fn is_finished(&self) -> bool {
        self.finished.is_some()
    }

    /// Whether positions can be told.
    pub(super) fn is_anchored(&self) -> bool {
        self.anchor != Anchor::Unknown
    }

    /// How many arrivals it keeps.
    pub(super) fn kept(&self) -> usize {
        self.arrivals.len() + self.early.len()
    }

    /// Takes a segment.
    pub(super) fn take(&mut self, bytes: Bytes) -> Taken {
        let ahead = self.ahead(bytes.sequence);
        let start = self.complete as i64 + ahead;
        let end = start + i64::from(bytes.count);
        let is_beyond_end = self.finished.is_some_and(|finished| end > finished as i64);
        if ahead.abs() > MOST_WINDOW || is_beyond_end {
            return Taken::Foreign;
        }
        if let Some(at) = bytes.at {
            self.last_seen = self.last_seen.max(at);
        }
        let Ok(end) = u64::try_from(end) else { return Taken::Yes };
        if end <= self.complete {
            // Sent again, or a keep-alive probe. The first arrival counts.
            return Taken::Yes;
        }
        match u64::try_from(start) {
            Ok(start) if start > self.complete => {
                self.keep_early(start, Early { end, wall_ns: bytes.wall_ns, at: bytes.at });
            }
            _ => {
                self.extend(end, bytes.at, bytes.wall_ns);
                self.join_early(bytes.at, bytes.wall_ns);
            }
        }
        Taken::Yes
    }

    /// Notes that the server ends the stream in front of this sequence number.
    pub(super) fn finish(&mut self, sequence: u32) {
        let end = self.complete as i64 + self.ahead(sequence);
        let is_possible = self.ahead(sequence).abs() <= MOST_WINDOW;
        if self.finished.is_none() && is_possible {
            self.finished = Some(u64::try_from(end).unwrap_or(0));
        }
    }

    /// Notes that the connection was reset: nothing follows.
    pub(super) fn reset(&mut self) {
        self.finished.get_or_insert(self.complete);
    }

    /// How far a number is ahead of where the stream stands.
    fn ahead(&self, sequence: u32) -> i64 {
        // The low half of the offset is what the packets' numbers count.
        let expected = self.origin.wrapping_add(self.complete as u32);
        i64::from(sequence.wrapping_sub(expected) as i32)
    }

    fn extend(&mut self, end: u64, at: Option<Nanos>, wall_ns: i64) {
        self.complete = end;
        self.arrivals.push_back(Complete { end, at });
        if self.anchor == Anchor::Unknown {
            self.walls.push_back(wall_ns);
        }
    }

    /// Joins what waited for bytes that have just come.
    fn join_early(&mut self, at: Option<Nanos>, wall_ns: i64) {
        let before = self.complete;
        let mut end = before;
        while let Some(first) = self.early.first_entry().filter(|first| *first.key() <= end) {
            end = end.max(first.remove().end);
        }
        if end > before {
            self.extend(end, at, wall_ns);
        }
    }

    fn keep_early(&mut self, start: u64, early: Early) {
        match self.early.get(&start).copied() {
            None => {
                self.early.insert(start, early);
            }
            // What was there first stays; only what reaches further is new.
            Some(first) if first.end < early.end => self.keep_early(first.end, early),
            Some(_) => {}
        }
        if self.early.len() > MOST_EARLY {
            self.pass_gap();
        }
    }

    /// Takes the gap at which the stream stands for a missed packet: what is behind it was delivered
    /// as it came.
    fn pass_gap(&mut self) {
        let Some(start) = self.early.first_key_value().map(|(start, _)| *start) else { return };
        if start > self.complete {
            self.extend(start, None, 0);
        }
        let mut latest = None;
        while let Some(first) = self.early.first_entry().filter(|first| *first.key() <= self.complete) {
            let Early { end, wall_ns, at } = first.remove();
            latest = latest.max(at);
            if end > self.complete {
                self.extend(end, at.and(latest), wall_ns);
            }
        }
    }

    /// Ties the flow to positions where its opening was not seen: the segment that ended at `position`
    /// was stamped `wall_ns` by its own socket. Nothing happens where that is known already, or where
    /// no segment or more than one could be meant.
    pub(super) fn tie(&mut self, position: u64, wall_ns: i64) {
        if self.anchor != Anchor::Unknown {
            return;
        }
        // Segments that one super-segment was cut into share its stamp; the read ended with the last.
        let same = self.walls.iter().rposition(|wall| *wall == wall_ns);
        let is_near = |index: &usize| (self.walls[*index] - wall_ns).abs() < NEAR_NS;
        let mut near = (0..self.walls.len()).filter(is_near);
        let only_near = || near.next().filter(|_| near.next().is_none());
        let Some(index) = same.or_else(only_near) else { return };
        self.anchor = Anchor::At(self.arrivals[index].end as i64 - position as i64);
        self.walls = VecDeque::new();
    }

    /// Says that the reader has had the stream up to `position`: whatever is missing below it was
    /// missed.
    pub(super) fn was_read_to(&mut self, position: u64) {
        let Some(offset) = self.offset(position) else { return };
        while self.complete < offset && self.early.first_key_value().is_some_and(|(start, _)| *start < offset)
        {
            self.pass_gap();
        }
    }

    /// Whether a segment may have ended at `position`, as one did where a read left the socket empty.
    /// False only where the packets say otherwise: then positions and packets do not belong together.
    pub(super) fn may_end_at(&self, position: u64) -> bool {
        let Some(offset) = self.offset(position) else { return true };
        match self.find(offset) {
            Some(complete) => complete.at.is_none() || complete.end == offset,
            None => true,
        }
    }

    /// When the stream was complete up to `position`; `None` where that is not known.
    pub(super) fn arrival(&self, position: u64) -> Option<Nanos> {
        self.find(self.offset(position)?)?.at
    }

    /// Forgets the arrivals up to `position`.
    pub(super) fn forget(&mut self, position: u64) {
        let Some(offset) = self.offset(position) else { return };
        self.forget_while(|arrival| arrival.end <= offset);
    }

    /// Forgets the arrivals before `horizon`.
    pub(super) fn forget_before(&mut self, horizon: Nanos) {
        self.forget_while(|arrival| arrival.at.is_none_or(|at| at < horizon));
    }

    fn forget_while(&mut self, is_old: impl Fn(&Complete) -> bool) {
        while let Some(first) = self.arrivals.front().filter(|first| is_old(first)) {
            self.forgotten = first.end;
            self.arrivals.pop_front();
            self.walls.pop_front();
        }
        if self.arrivals.is_empty() && self.arrivals.capacity() > ROOM_KEPT {
            self.arrivals = VecDeque::new();
        }
    }

    fn offset(&self, position: u64) -> Option<u64> {
        let Anchor::At(shift) = self.anchor else { return None };
        position.checked_add_signed(shift)
    }

    fn find(&self, offset: u64) -> Option<&Complete> {
        if offset <= self.forgotten {
            return None;
        }
        self.arrivals.get(self.arrivals.partition_point(|arrival| arrival.end < offset))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    /// A wall clock that is ahead of the timeline by this.
    const WALL_AHEAD_NS: i64 = 1_000_000;

    fn bytes(sequence: u32, count: u32, at: i64) -> Bytes {
        Bytes { sequence, count, wall_ns: at + WALL_AHEAD_NS, at: Some(Nanos(at)) }
    }

    fn arrivals(flow: &Flow, positions: impl IntoIterator<Item = u64>) -> Vec<Option<i64>> {
        positions.into_iter().map(|position| flow.arrival(position).map(|at| at.0)).collect()
    }

    #[test]
    fn each_byte_arrives_with_the_segment_that_brought_it() {
        let mut flow = Flow::opened(1000, Nanos(1));
        flow.take(bytes(1000, 10, 5));
        flow.take(bytes(1010, 5, 9));
        assert_eq!(arrivals(&flow, [1, 10, 11, 15, 16]), [Some(5), Some(5), Some(9), Some(9), None]);
        assert_eq!(arrivals(&flow, [0]), [None], "nothing is no part of the stream");
    }

    #[test]
    fn what_comes_early_counts_when_the_gap_is_filled() {
        let mut flow = Flow::opened(0, Nanos(1));
        flow.take(bytes(20, 10, 3));
        flow.take(bytes(10, 10, 4));
        assert_eq!(flow.arrival(15), None);
        flow.take(bytes(0, 10, 7));
        assert_eq!(arrivals(&flow, [1, 15, 30, 31]), [Some(7), Some(7), Some(7), None]);
        flow.take(bytes(30, 1, 8));
        assert_eq!(flow.arrival(31), Some(Nanos(8)));
    }

    #[test]
    fn what_is_sent_twice_counts_once() {
        let mut flow = Flow::opened(0, Nanos(1));
        flow.take(bytes(0, 10, 3));
        flow.take(bytes(0, 10, 4));
        // Sent again together with what is new.
        flow.take(bytes(5, 10, 6));
        flow.take(bytes(15, 5, 7));
        flow.take(bytes(u32::MAX, 1, 8));
        assert_eq!(arrivals(&flow, [10, 11, 15, 16]), [Some(3), Some(6), Some(6), Some(7)]);
    }

    #[test]
    fn a_gap_that_the_reader_did_not_see_is_a_missed_packet() {
        let mut flow = Flow::opened(0, Nanos(1));
        flow.take(bytes(0, 10, 3));
        flow.take(bytes(20, 10, 5));
        flow.take(bytes(30, 10, 6));
        flow.take(bytes(50, 10, 8));
        assert_eq!(flow.arrival(25), None);
        flow.was_read_to(60);
        assert_eq!(
            arrivals(&flow, [10, 11, 20, 21, 40, 41, 60]),
            [Some(3), None, None, Some(5), Some(6), None, Some(8)]
        );
        // And the stream goes on.
        flow.take(bytes(60, 10, 9));
        assert_eq!(flow.arrival(70), Some(Nanos(9)));
    }

    #[test]
    fn the_end_of_a_stream_may_be_missed_too() {
        let mut flow = Flow::opened(0, Nanos(1));
        flow.take(bytes(0, 10, 3));
        flow.was_read_to(30);
        assert_eq!(arrivals(&flow, [10, 11, 30]), [Some(3), None, None]);
        flow.take(bytes(30, 10, 9));
        flow.was_read_to(40);
        assert_eq!(arrivals(&flow, [30, 40]), [None, Some(9)]);
    }

    #[test]
    fn a_gap_with_too_much_behind_it_is_given_up() {
        let mut flow = Flow::opened(0, Nanos(1));
        for index in 0..=MOST_EARLY as u32 {
            flow.take(bytes(10 + 2 * index, 1, i64::from(index) + 5));
        }
        assert!(flow.early.len() <= MOST_EARLY);
        assert_eq!(arrivals(&flow, [1, 11]), [None, Some(5)]);
    }

    #[test]
    fn an_exact_stamp_ties_a_flow_whose_opening_was_missed() {
        let mut flow = Flow::joined(u32::MAX - 4, Nanos(1));
        flow.take(bytes(u32::MAX - 4, 10, 3));
        flow.take(bytes(5, 10, 4));
        flow.take(bytes(15, 10, 5));
        assert!(!flow.is_anchored());
        assert_eq!(flow.arrival(1010), None);
        flow.tie(1020, 5 + WALL_AHEAD_NS + NEAR_NS);
        assert!(!flow.is_anchored(), "no packet has that stamp");
        flow.tie(1020, 4 + WALL_AHEAD_NS);
        assert!(flow.is_anchored());
        assert_eq!(
            arrivals(&flow, [1000, 1001, 1010, 1011, 1030, 1031]),
            [None, Some(3), Some(3), Some(4), Some(5), None]
        );
    }

    #[test]
    fn a_stamp_nearby_ties_if_no_other_is_near() {
        let mut flow = Flow::joined(0, Nanos(1));
        flow.take(bytes(0, 10, 0));
        flow.take(bytes(10, 10, 3 * NEAR_NS));
        flow.take(bytes(20, 10, 5 * NEAR_NS));
        flow.take(bytes(30, 10, 5 * NEAR_NS + 10));
        flow.tie(130, WALL_AHEAD_NS + 5 * NEAR_NS - 1);
        assert!(!flow.is_anchored(), "two are as near");
        flow.tie(120, WALL_AHEAD_NS + 3 * NEAR_NS - 7000);
        assert_eq!(arrivals(&flow, [101, 120]), [Some(0), Some(3 * NEAR_NS)]);
    }

    #[test]
    fn segments_of_one_stamp_are_tied_by_the_last() {
        let mut flow = Flow::joined(0, Nanos(1));
        flow.take(bytes(0, 10, 3));
        flow.take(bytes(10, 10, 3));
        flow.tie(120, 3 + WALL_AHEAD_NS);
        assert_eq!(arrivals(&flow, [100, 101, 120, 121]), [None, Some(3), Some(3), None]);
    }

    #[test]
    fn a_read_that_ends_inside_a_segment_contradicts() {
        let mut flow = Flow::opened(0, Nanos(1));
        flow.take(bytes(0, 10, 3));
        flow.take(bytes(20, 10, 5));
        flow.was_read_to(30);
        assert!(flow.may_end_at(10) && flow.may_end_at(30));
        assert!(!flow.may_end_at(9) && !flow.may_end_at(25));
        assert!(flow.may_end_at(15) && flow.may_end_at(40), "where packets were missed nothing is known");
    }

    #[test]
    fn what_is_forgotten_is_unknown_and_takes_no_room() {
        let mut flow = Flow::opened(0, Nanos(1));
        for index in 0..1000 {
            flow.take(bytes(index * 10, 10, i64::from(index)));
        }
        flow.forget(5000);
        assert_eq!((flow.kept(), flow.arrival(5000), flow.arrival(5001)), (500, None, Some(Nanos(500))));
        flow.forget_before(Nanos(700));
        assert_eq!((flow.kept(), flow.arrival(7000), flow.arrival(7001)), (300, None, Some(Nanos(700))));
        flow.forget(10_000);
        assert_eq!((flow.kept(), flow.arrivals.capacity()), (0, 0));
        flow.take(bytes(10_000, 10, 2000));
        assert_eq!(flow.arrival(10_010), Some(Nanos(2000)));
    }

    #[test]
    fn numbers_of_another_stream_are_foreign() {
        let mut flow = Flow::opened(0, Nanos(1));
        assert_eq!(flow.take(bytes(0, 10, 3)), Taken::Yes);
        assert_eq!(flow.take(bytes(1 << 31, 10, 4)), Taken::Foreign);
        flow.finish(10);
        assert_eq!(flow.take(bytes(0, 10, 5)), Taken::Yes, "sent again");
        assert_eq!(flow.take(bytes(10, 10, 5)), Taken::Foreign, "behind the end");
    }

    #[test]
    fn a_stamp_that_could_not_be_placed_is_no_arrival() {
        let mut flow = Flow::opened(0, Nanos(1));
        flow.take(Bytes { at: None, ..bytes(0, 10, 3) });
        flow.take(bytes(10, 10, 4));
        assert_eq!(arrivals(&flow, [10, 11]), [None, Some(4)]);
    }

    /// A stream cut into segments, some sent twice, delivered in a shuffled order.
    fn any_delivery() -> impl Strategy<Value = (u32, Vec<u32>, Vec<(usize, u32)>)> {
        (any::<u32>(), prop::collection::vec(1_u32..2000, 1..40)).prop_flat_map(|(first, sizes)| {
            let count = sizes.len();
            let order = Just((0..count).collect::<Vec<_>>()).prop_shuffle();
            let again = prop::collection::vec((0..count, 0_u32..500), 0..count);
            (Just(first), Just(sizes), order, again).prop_map(|(first, sizes, order, again)| {
                let mut sent: Vec<(usize, u32)> = again;
                sent.extend(order.into_iter().map(|index| (index, 0)));
                (first, sizes, sent)
            })
        })
    }

    proptest! {
        #[test]
        fn arrivals_are_those_of_the_complete_prefix((first, sizes, sent) in any_delivery()) {
            let starts: Vec<u64> = sizes
                .iter()
                .scan(0_u64, |next, size| { let start = *next; *next += u64::from(*size); Some(start) })
                .collect();
            let total = starts.last().unwrap() + u64::from(*sizes.last().unwrap());
            // By brute force: when each byte came first, and the latest of those up to it.
            let mut came = vec![None; total as usize];
            let mut flow = Flow::opened(first, Nanos(0));
            for (at, (index, longer)) in sent.iter().enumerate() {
                let at = at as i64 + 1;
                // A segment sent again may bring more than it did.
                let count = (u64::from(sizes[*index]) + u64::from(*longer)).min(total - starts[*index]);
                let from = starts[*index] as usize;
                for byte in &mut came[from..from + count as usize] {
                    byte.get_or_insert(at);
                }
                let sequence = first.wrapping_add(starts[*index] as u32);
                prop_assert_eq!(flow.take(bytes(sequence, count as u32, at)), Taken::Yes);
            }
            let mut complete = 0;
            for (index, byte) in came.iter().enumerate() {
                complete = complete.max(byte.unwrap());
                prop_assert_eq!(flow.arrival(index as u64 + 1), Some(Nanos(complete)), "byte {}", index);
            }
            prop_assert_eq!(flow.arrival(total + 1), None);
        }

        #[test]
        fn a_stream_may_be_longer_than_its_numbers(first in any::<u32>(), sizes in prop::collection::vec(1_u32..(1 << 30), 10..40)) {
            let mut flow = Flow::opened(first, Nanos(0));
            let mut end = 0_u64;
            for (index, size) in sizes.iter().enumerate() {
                let sequence = first.wrapping_add(end as u32);
                prop_assert_eq!(flow.take(bytes(sequence, *size, index as i64)), Taken::Yes);
                end += u64::from(*size);
                prop_assert_eq!(flow.arrival(end), Some(Nanos(index as i64)));
            }
            prop_assert_eq!(flow.arrival(1), Some(Nanos(0)));
        }

        #[test]
        fn anything_is_survived(
            segments in prop::collection::vec((any::<u32>(), 0_u32..100_000, any::<u8>(), 0_i64..1000), 0..200),
            joined in any::<bool>(),
        ) {
            let mut flow = if joined { Flow::joined(7, Nanos(0)) } else { Flow::opened(7, Nanos(0)) };
            for (sequence, count, what, at) in segments {
                let near = if what & 1 == 0 { sequence % 5000 } else { sequence };
                match what % 11 {
                    0 => flow.finish(near),
                    1 => flow.was_read_to(u64::from(near)),
                    2 => flow.tie(u64::from(near), at + WALL_AHEAD_NS),
                    3 => flow.forget(u64::from(near)),
                    4 => flow.forget_before(Nanos(at)),
                    _ => { flow.take(bytes(near, count, at)); }
                }
                let _ = (flow.arrival(u64::from(near)), flow.may_end_at(u64::from(near)));
                let ends: Vec<u64> = flow.arrivals.iter().map(|arrival| arrival.end).collect();
                prop_assert!(ends.is_sorted());
                prop_assert!(ends.last().is_none_or(|end| *end == flow.complete));
            }
        }
    }
}
