//! The tokens of `o200k_base`, looked up in tables that lie in the binary as `build.rs` made them.
//!
//! Nothing is built when the process starts. The tables are clean pages of a file: the kernel loads what
//! is touched, and may drop it again.

use super::layout::{self, EMPTY, SLOTS, TOKENS};

/// The longest token: 128 blanks.
pub(super) const LONGEST: usize = 128;

static BYTES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/bytes"));
static STARTS: &[[u8; 4]] = numbers(include_bytes!(concat!(env!("OUT_DIR"), "/starts")));
static TABLE: &[[u8; 4]] = numbers(include_bytes!(concat!(env!("OUT_DIR"), "/slots")));

const fn numbers(bytes: &[u8]) -> &[[u8; 4]] {
    bytes.as_chunks().0
}

/// The token that is exactly these bytes. Its id is its rank: the lower, the earlier it is merged.
pub(super) fn find(bytes: &[u8]) -> Option<u32> {
    if bytes.len() > LONGEST {
        return None;
    }
    let hash = layout::hash(bytes);
    let mut slot = layout::first_slot(hash);
    loop {
        let entry = u32::from_le_bytes(TABLE[slot]);
        if entry == EMPTY {
            return None;
        }
        let id = layout::id(entry);
        if entry == layout::entry(hash, id) && bytes_of(id) == Some(bytes) {
            return Some(id);
        }
        slot = (slot + 1) % SLOTS;
    }
}

/// A token's bytes; `None` for an id that has none.
pub(super) fn bytes_of(id: u32) -> Option<&'static [u8]> {
    let id = id as usize;
    if id >= TOKENS {
        return None;
    }
    let [start, end] = [STARTS[id], STARTS[id + 1]].map(u32::from_le_bytes);
    Some(&BYTES[start as usize..end as usize])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_token_is_found_by_its_bytes() {
        for id in 0..TOKENS as u32 {
            let bytes = bytes_of(id).expect("ranks are dense");
            assert!((1..=LONGEST).contains(&bytes.len()));
            assert_eq!(find(bytes), Some(id));
        }
    }

    #[test]
    fn every_byte_is_a_token() {
        assert!((0..=255).all(|byte| find(&[byte]).is_some()));
    }

    #[test]
    fn what_is_no_token_is_not_found() {
        assert_eq!(bytes_of(TOKENS as u32), None);
        assert_eq!(bytes_of(u32::MAX), None);
        assert_eq!(find(b""), None);
        assert_eq!(find(b"qqqqqq"), None);
        assert_eq!(find(&[b' '; LONGEST + 1]), None);
    }
}
