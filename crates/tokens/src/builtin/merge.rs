//! Byte-pair encoding of one piece of text: the neighbours whose union has the lowest rank are joined,
//! the leftmost of equals first, until no two neighbours make a token.
//!
//! Short pieces, which nearly all are, go through an array on the stack that is searched from end to end
//! for each merge; long ones through a heap, so that no text takes quadratic time. Both give the same.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::vocabulary::find;

/// Longest piece, in bytes, for which a search from end to end is the faster way.
const SHORT: usize = 48;
/// No token.
const NONE: u32 = u32::MAX;

/// Calls `token` with the id and the length in bytes of each token of `piece`.
pub(super) fn tokens(piece: &[u8], token: &mut impl FnMut(u32, usize)) {
    if let Some(id) = find(piece) {
        token(id, piece.len());
    } else if piece.len() <= SHORT {
        merge_short(piece, token);
    } else {
        merge_long(piece, token);
    }
}

fn rank(bytes: &[u8]) -> u32 {
    find(bytes).unwrap_or(NONE)
}

/// The id of a token that is known to be one.
fn known(bytes: &[u8]) -> u32 {
    find(bytes).expect("every byte is a token, and so is what was merged")
}

/// What has been merged so far, from `start` to the next part's start.
#[derive(Clone, Copy, Default)]
struct Part {
    start: u32,
    /// Rank of the union with the next part.
    pair: u32,
}

fn merge_short(piece: &[u8], token: &mut impl FnMut(u32, usize)) {
    let mut parts = [Part::default(); SHORT + 1];
    let mut count = piece.len();
    for at in 0..=count {
        let pair = if at + 1 < count { rank(&piece[at..at + 2]) } else { NONE };
        parts[at] = Part { start: at as u32, pair };
    }
    loop {
        let mut lowest = (NONE, 0);
        for (at, part) in parts[..count].iter().enumerate() {
            if part.pair < lowest.0 {
                lowest = (part.pair, at);
            }
        }
        let (pair, at) = lowest;
        if pair == NONE {
            break;
        }
        parts.copy_within(at + 2..=count, at + 1);
        count -= 1;
        let union = |at: usize| {
            if at + 1 < count {
                rank(&piece[parts[at].start as usize..parts[at + 2].start as usize])
            } else {
                NONE
            }
        };
        let pair = union(at);
        if at > 0 {
            parts[at - 1].pair = union(at - 1);
        }
        parts[at].pair = pair;
    }
    for at in 0..count {
        let (start, end) = (parts[at].start as usize, parts[at + 1].start as usize);
        token(known(&piece[start..end]), end - start);
    }
}

/// A part of a long piece, kept at the place where it starts.
#[derive(Clone, Copy)]
struct Link {
    /// Where the part before it starts; means nothing for the first.
    before: usize,
    /// Where it ends.
    end: usize,
    /// Rank of the union with the next part; [`NONE`] also once it is part of another.
    pair: u32,
}

fn merge_long(piece: &[u8], token: &mut impl FnMut(u32, usize)) {
    let length = piece.len();
    let mut heap = BinaryHeap::with_capacity(length);
    let mut links: Vec<Link> = (0..length)
        .map(|at| {
            let pair = if at + 1 < length { rank(&piece[at..at + 2]) } else { NONE };
            if pair != NONE {
                heap.push(Reverse((pair, at)));
            }
            Link { before: at.wrapping_sub(1), end: at + 1, pair }
        })
        .collect();
    while let Some(Reverse((pair, at))) = heap.pop() {
        // A union that has changed since has another rank, for it has other bytes.
        if links[at].pair != pair {
            continue;
        }
        let next = links[at].end;
        let end = links[next].end;
        links[next].pair = NONE;
        links[at].end = end;
        if end < length {
            links[end].before = at;
        }
        // The unions that the new part has with its neighbours on either side.
        for at in [Some(at), at.checked_sub(1).map(|_| links[at].before)].into_iter().flatten() {
            let next = links[at].end;
            let pair = if next < length { rank(&piece[at..links[next].end]) } else { NONE };
            links[at].pair = pair;
            if pair != NONE {
                heap.push(Reverse((pair, at)));
            }
        }
    }
    let mut start = 0;
    while start < length {
        let end = links[start].end;
        token(known(&piece[start..end]), end - start);
        start = end;
    }
}
