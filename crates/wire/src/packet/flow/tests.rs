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
