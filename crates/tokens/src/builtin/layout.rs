//! How the tables of the builtin vocabulary lie in the binary. Shared by `build.rs`, which writes them,
//! and by [`vocabulary`](super::vocabulary), which reads them; so it depends on nothing.
//!
//! Tokens are found through a table of open addressing: an entry is a token's id and some more bits of
//! its hash, so that bytes are compared about once a token found, and hardly ever for one that is not.

/// Tokens with bytes of their own. Their ids are their ranks, 0 to this.
pub(crate) const TOKENS: usize = 199_998;
/// Slots of the table: 38 % are taken.
pub(crate) const SLOTS: usize = 1 << SLOT_BITS;
/// A slot without an entry; no id has all its bits set.
pub(crate) const EMPTY: u32 = u32::MAX;
/// Characters in a block of the class table.
pub(crate) const BLOCK: usize = 256;

const SLOT_BITS: u32 = 19;
const ID_BITS: u32 = 18;

/// Hash of a token's bytes.
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    let mut hash = (bytes.len() as u64) ^ 0x9E37_79B9_7F4A_7C15;
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        hash = mix(hash, u64::from_le_bytes(*word));
    }
    let rest = rest.iter().rev().fold(0, |word, byte| (word << 8) | u64::from(*byte));
    mix(mix(hash, rest), 0xD6E8_FEB8_6659_FD93)
}

/// Both halves of a product, folded, so that each bit of the result depends on all of both factors.
fn mix(a: u64, b: u64) -> u64 {
    let product = u128::from(a ^ 0xA076_1D64_78BD_642F) * u128::from(b ^ 0xE703_7ED1_A0B4_28DB);
    (product as u64) ^ ((product >> 64) as u64)
}

/// Where the search for a hash begins; it goes on from slot to slot, and round at the end.
pub(crate) fn first_slot(hash: u64) -> usize {
    (hash >> (64 - SLOT_BITS)) as usize
}

/// The entry of a token.
pub(crate) fn entry(hash: u64, id: u32) -> u32 {
    ((hash as u32) << ID_BITS) | id
}

/// The id in an entry.
pub(crate) fn id(entry: u32) -> u32 {
    entry & ((1 << ID_BITS) - 1)
}
