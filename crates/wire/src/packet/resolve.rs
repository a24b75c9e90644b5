//! A finished record's instants, made exact from the packets that brought it.
//!
//! A record comes with the instants that the connection's own socket told, and with the positions of
//! what they belong to. Where the packets say when the stream was complete up to a position, that is
//! the arrival; where they do not, the socket's word stands, within what the neighbours leave of it.
//!
//! Invariants: arrivals never decrease, none lies after the instant at which its bytes were read, and
//! an arrival that the socket's own word proves wrong is not used.

use loadgen_core::{BodyRead, ChunkKind, Nanos, RawRecord, StreamTrail};

use super::flow::Flow;

/// Two placements of one stamp on the timeline may differ by this while the wall clock is slewed, ns.
const SLACK_NS: i64 = 2_000_000;

/// What became of a record's chunks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Resolved {
    /// Chunks whose arrival the packets told.
    pub(super) by_packet: u64,
    /// Chunks whose arrival is the socket's.
    pub(super) by_socket: u64,
    /// The packets said something that cannot be.
    pub(super) is_contradicted: bool,
}

/// Makes a record's instants exact where its flow knows better; without a flow nothing changes.
pub(super) fn resolve(record: &mut RawRecord, trail: &StreamTrail, flow: Option<&mut Flow>) -> Resolved {
    let mut resolved = Resolved::default();
    if let Some(flow) = flow {
        if let Some((position, wall_ns)) = trail.anchor {
            flow.tie(position, wall_ns);
        }
        flow.is_missed |= !flow.is_anchored();
        let last = last_position(trail);
        if let Some(last) = last {
            flow.was_read_to(last);
        }
        if trail.anchor.is_some_and(|(position, _)| !flow.may_end_at(position)) {
            resolved.is_contradicted = true;
        } else {
            rewrite(record, trail, flow, &mut resolved);
        }
        if let Some(last) = last {
            flow.forget(last);
        }
    }
    resolved.by_socket = (record.chunks.len() as u64).saturating_sub(resolved.by_packet);
    let stamps = &mut record.stamps;
    let left = u32::try_from(resolved.by_socket).unwrap_or(u32::MAX);
    stamps.packet = u32::try_from(resolved.by_packet).unwrap_or(u32::MAX);
    stamps.user = stamps.user.min(left);
    stamps.kernel = left - stamps.user;
    resolved
}

/// The furthest position that the reader is known to have had.
fn last_position(trail: &StreamTrail) -> Option<u64> {
    let StreamTrail { first_byte, headers, body, end, chunks, anchor, .. } = trail;
    let chunk = chunks.iter().rev().find_map(|position| *position);
    let body = body.map(|(_, last)| last);
    let anchor = anchor.map(|(position, _)| position);
    [*first_byte, *headers, body, *end, chunk, anchor].into_iter().flatten().max()
}

/// What the packets say of one position, checked against what the socket said.
struct Witness<'a> {
    flow: &'a Flow,
    /// Nothing of a response comes before its request was begun to be sent.
    not_before: Nanos,
    is_contradicted: bool,
}

impl Witness<'_> {
    /// When the bytes up to `position` were there. The socket's stamp is that of the last bytes of a
    /// read, so what the read completed came no later: where the two tell of one segment, they may have
    /// been taken at two points of its way, and the earlier is nearer to its coming.
    fn arrival(&mut self, position: Option<u64>, by_socket: Nanos) -> Option<Nanos> {
        let at = self.flow.arrival(position?)?;
        let is_possible = at.since(by_socket) <= SLACK_NS && self.not_before.since(at) <= SLACK_NS;
        self.is_contradicted |= !is_possible;
        is_possible.then_some(at.min(by_socket).max(self.not_before))
    }

    /// Replaces an instant where it is known better.
    fn correct(&mut self, instant: &mut Option<Nanos>, position: Option<u64>) {
        if let Some(by_socket) = *instant {
            *instant = Some(self.arrival(position, by_socket).unwrap_or(by_socket));
        }
    }
}

fn rewrite(record: &mut RawRecord, trail: &StreamTrail, flow: &Flow, resolved: &mut Resolved) {
    let instants = &mut record.instants;
    let not_before = instants.send_start.or(instants.request_start).unwrap_or(flow.opened);
    let mut witness = Witness { flow, not_before, is_contradicted: false };
    witness.correct(&mut instants.first_byte, trail.first_byte);
    witness.correct(&mut instants.headers, trail.headers);
    let facts = &mut record.connection;
    witness.correct(&mut facts.first_body, trail.body.map(|(first, _)| first));
    witness.correct(&mut facts.last_body, trail.body.map(|(_, last)| last));
    if trail.end.is_some() {
        witness.correct(&mut instants.end, trail.end);
    }
    if let Some(exchange) = &mut record.exchange {
        rewrite_reads(&mut exchange.reads, &mut witness);
    }
    resolved.by_packet = rewrite_chunks(record, trail, &mut witness);
    resolved.is_contradicted = witness.is_contradicted;
    order(record, trail);
}

/// Gives each read the arrival of its last byte.
fn rewrite_reads(reads: &mut [BodyRead], witness: &mut Witness<'_>) {
    let mut latest = Nanos(i64::MIN);
    for read in reads {
        latest = latest.max(witness.arrival(read.ends_at, read.at).unwrap_or(read.at));
        read.at = latest;
    }
}

/// Gives each chunk its arrival. The answer: how many the packets told.
fn rewrite_chunks(record: &mut RawRecord, trail: &StreamTrail, witness: &mut Witness<'_>) -> u64 {
    let chunks = &mut record.chunks;
    let count = chunks.len();
    let Some(start) = record.instants.request_start.filter(|_| count > 0) else { return 0 };
    let told: Vec<Option<i64>> = (0..count)
        .map(|index| {
            let position = trail.chunks.get(index).copied().flatten();
            Some(witness.arrival(position, start + chunks.offset_ns[index])?.since(start))
        })
        .collect();

    // What was not told came no earlier than what is before it, and no later than what is told next.
    let mut ceilings = Vec::with_capacity(count);
    let mut ceiling = i64::MAX;
    for offset in told.iter().rev() {
        ceiling = ceiling.min(offset.unwrap_or(i64::MAX));
        ceilings.push(ceiling);
    }
    let (mut latest, mut earliest) = (i64::MIN, i64::MIN);
    for (index, ceiling) in ceilings.into_iter().rev().enumerate() {
        let by_socket = chunks.offset_ns[index];
        let read = by_socket + chunks.read_lag_ns[index];
        let width = chunks.uncertainty_ns[index];
        latest = latest.max(told[index].unwrap_or(by_socket.min(ceiling)));
        earliest = if told[index].is_some() || width == 0 {
            latest
        } else {
            earliest.max(by_socket.saturating_sub(width)).min(latest)
        };
        chunks.offset_ns[index] = latest;
        chunks.uncertainty_ns[index] = latest - earliest;
        chunks.read_lag_ns[index] = (read - latest).max(0);
    }

    let arrival = |index: usize| Some(start + chunks.offset_ns[index]);
    let instants = &mut record.instants;
    instants.first_token = arrival(0);
    instants.last_token = arrival(count - 1);
    if instants.first_output_token.is_some() {
        let first = chunks.kind.iter().position(|kind| *kind != ChunkKind::Reasoning);
        instants.first_output_token = first.and_then(arrival);
    }
    told.iter().flatten().count() as u64
}

/// Restores the order of the parts of a response where only some of them were made exact.
fn order(record: &mut RawRecord, trail: &StreamTrail) {
    let instants = &mut record.instants;
    let facts = &mut record.connection;
    // The first parts cannot have come after what follows them.
    let mut latest = instants.first_token;
    for part in [&mut facts.first_body, &mut instants.headers, &mut instants.first_byte] {
        if let (Some(at), Some(limit)) = (*part, latest) {
            *part = Some(at.min(limit));
        }
        latest = part.or(latest);
    }
    // Nor the last ones before what is ahead of them.
    facts.last_body = facts.last_body.map(|at| Some(at).max(instants.last_token).unwrap_or(at));
    if trail.end.is_some() {
        instants.end = instants.end.max(facts.last_body).max(instants.last_token);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use loadgen_core::{StampCounts, StreamTrail};
    use proptest::prelude::*;

    use super::*;
    use crate::packet::flow::Bytes;
    use crate::packet::testing::{record, trail};

    const START: i64 = 1_000_000_000;
    const MS: i64 = 1_000_000;

    /// A flow that brought ten bytes at each of these instants, ms after the start.
    fn flow(at_ms: &[Option<i64>]) -> Flow {
        let mut flow = Flow::opened(0, Nanos(START - MS));
        for (index, at_ms) in at_ms.iter().enumerate() {
            if let Some(at_ms) = at_ms {
                let at = START + at_ms * MS;
                let bytes =
                    Bytes { sequence: index as u32 * 10, count: 10, wall_ns: at, at: Some(Nanos(at)) };
                flow.take(bytes);
            }
        }
        flow
    }

    /// A record whose chunks, ten bytes each, were all read at once at this time.
    fn read_at_once(chunks: usize, read_ms: i64) -> (RawRecord, StreamTrail) {
        let mut record = record(START, chunks);
        let read = Nanos(START + read_ms * MS);
        let lists = &mut record.chunks;
        lists.offset_ns = vec![read_ms * MS; chunks];
        lists.uncertainty_ns = vec![read_ms * MS; chunks];
        lists.read_lag_ns = vec![5; chunks];
        record.stamps = StampCounts { kernel: chunks as u32, ..StampCounts::default() };
        let instants = &mut record.instants;
        for instant in [
            &mut instants.first_byte,
            &mut instants.headers,
            &mut instants.first_token,
            &mut instants.first_output_token,
            &mut instants.last_token,
            &mut instants.end,
            &mut record.connection.first_body,
            &mut record.connection.last_body,
        ] {
            *instant = Some(read);
        }
        (record, trail((1..=chunks as u64).map(|index| Some(index * 10)).collect()))
    }

    fn ms(list: &[i64]) -> Vec<i64> {
        list.iter().map(|ns| ns / MS).collect()
    }

    #[test]
    fn chunks_read_at_once_get_their_own_arrivals() {
        let (mut record, trail) = read_at_once(4, 100);
        let mut flow = flow(&[Some(10), Some(20), Some(30), Some(40)]);
        let resolved = resolve(&mut record, &trail, Some(&mut flow));
        assert_eq!(resolved, Resolved { by_packet: 4, ..Resolved::default() });
        assert_eq!(ms(&record.chunks.offset_ns), [10, 20, 30, 40]);
        assert_eq!(record.chunks.uncertainty_ns, [0; 4]);
        assert_eq!(ms(&record.chunks.read_lag_ns), [90, 80, 70, 60]);
        assert_eq!(record.stamps, StampCounts { packet: 4, ..StampCounts::default() });
        let at = |instant: Option<Nanos>| (instant.unwrap().0 - START) / MS;
        let instants = record.instants;
        assert_eq!(
            [at(instants.first_byte), at(instants.headers), at(record.connection.first_body)],
            [10; 3]
        );
        assert_eq!([at(instants.first_token), at(instants.first_output_token)], [10; 2]);
        assert_eq!([at(instants.last_token), at(record.connection.last_body), at(instants.end)], [40; 3]);
        assert_eq!(flow.kept(), 0, "nobody asks for these again");
    }

    #[test]
    fn a_missed_packet_leaves_the_sockets_word_within_its_neighbours() {
        let (mut record, trail) = read_at_once(4, 100);
        let mut flow = flow(&[Some(10), None, Some(30), None]);
        let resolved = resolve(&mut record, &trail, Some(&mut flow));
        assert_eq!((resolved.by_packet, resolved.by_socket, resolved.is_contradicted), (2, 2, false));
        assert_eq!(ms(&record.chunks.offset_ns), [10, 30, 30, 100]);
        assert_eq!(ms(&record.chunks.uncertainty_ns), [0, 20, 0, 70]);
        assert_eq!(record.stamps, StampCounts { packet: 2, kernel: 2, user: 0 });
        assert_eq!(record.instants.end, Some(Nanos(START + 100 * MS)));
    }

    #[test]
    fn without_a_flow_nothing_changes_but_the_count() {
        let (before, trail) = read_at_once(3, 100);
        let mut record = before.clone();
        record.stamps.user = 1;
        record.stamps.kernel = 2;
        let resolved = resolve(&mut record, &trail, None);
        assert_eq!((resolved.by_packet, resolved.by_socket), (0, 3));
        assert_eq!((record.chunks, record.instants), (before.chunks, before.instants));
        assert_eq!(record.stamps, StampCounts { packet: 0, kernel: 2, user: 1 });
    }

    #[test]
    fn positions_that_fit_no_packet_are_not_used() {
        let (before, mut trail) = read_at_once(3, 100);
        trail.anchor = Some((25, 0));
        let mut record = before.clone();
        let resolved = resolve(&mut record, &trail, Some(&mut flow(&[Some(10), Some(20), Some(30)])));
        assert!(resolved.is_contradicted);
        assert_eq!(record, before);
    }

    #[test]
    fn an_arrival_after_the_read_is_not_used() {
        let (mut record, trail) = read_at_once(3, 25);
        let resolved = resolve(&mut record, &trail, Some(&mut flow(&[Some(10), Some(20), Some(30)])));
        assert_eq!((resolved.by_packet, resolved.is_contradicted), (2, true));
        assert_eq!(ms(&record.chunks.offset_ns), [10, 20, 25]);
    }

    #[test]
    fn a_broken_response_keeps_the_instant_at_which_it_was_given_up() {
        let (mut record, mut trail) = read_at_once(2, 100);
        trail.end = None;
        resolve(&mut record, &trail, Some(&mut flow(&[Some(10), Some(20)])));
        assert_eq!(record.instants.end, Some(Nanos(START + 100 * MS)));
        assert_eq!(record.instants.last_token, Some(Nanos(START + 20 * MS)));
    }

    #[test]
    fn the_first_output_is_found_again_behind_the_reasoning() {
        let (mut record, trail) = read_at_once(3, 100);
        record.chunks.kind[0] = ChunkKind::Reasoning;
        resolve(&mut record, &trail, Some(&mut flow(&[Some(10), Some(20), Some(30)])));
        assert_eq!(record.instants.first_token, Some(Nanos(START + 10 * MS)));
        assert_eq!(record.instants.first_output_token, Some(Nanos(START + 20 * MS)));
    }

    proptest! {
        #[test]
        fn what_packets_cannot_tell_stays_true(
            gaps in prop::collection::vec((1_i64..50, any::<bool>(), any::<bool>()), 1..60),
        ) {
            // Chunks come at true instants; some reads are late and take several; some packets are missed.
            let mut at_ms = 0;
            let truth: Vec<i64> = gaps.iter().map(|(gap, ..)| { at_ms += gap; at_ms }).collect();
            let (mut record, trail) = read_at_once(truth.len(), at_ms);
            let mut from = 0;
            let mut empty_at = 0;
            for index in 0..truth.len() {
                if gaps[index].1 || index + 1 == truth.len() {
                    for merged in from..=index {
                        record.chunks.offset_ns[merged] = truth[index] * MS;
                        record.chunks.uncertainty_ns[merged] =
                            if from == index { 0 } else { (truth[index] - empty_at) * MS };
                        record.chunks.read_lag_ns[merged] = 7;
                    }
                    (from, empty_at) = (index + 1, truth[index]);
                }
            }
            let seen: Vec<Option<i64>> =
                truth.iter().zip(&gaps).map(|(at, (_, _, is_missed))| (!is_missed).then_some(*at)).collect();
            let resolved = resolve(&mut record, &trail, Some(&mut flow(&seen)));
            prop_assert!(!resolved.is_contradicted);
            let chunks = &record.chunks;
            prop_assert!(chunks.offset_ns.is_sorted());
            for (index, truth) in truth.iter().enumerate() {
                let (to, width) = (chunks.offset_ns[index], chunks.uncertainty_ns[index]);
                prop_assert!(to - width <= truth * MS && truth * MS <= to, "chunk {index}: {truth} ms, {to} - {width}");
                prop_assert!(seen[index].is_none() || width == 0);
                prop_assert!(chunks.read_lag_ns[index] >= 0);
            }
        }
    }
}
