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
mod tests;
