//! Hash ids for prompts made of blocks: an id stands for a whole prefix.
//!
//! Ids count up from 0 in the order in which prefixes are first met. A block's id is settled by the id
//! before it, its own content and its own length, so two prompts share ids exactly as far as they share
//! text, and once they part they never meet again.
//!
//! The length is what Dynamo's generator leaves out. A prompt's last block is short when its length is
//! no multiple of the block size; a short block and a full one of the same content are different text,
//! and under one id the trace would ask for one block at two sizes, which no replay can give.

use std::collections::HashMap;

/// Numbers prefixes.
#[derive(Debug, Default)]
pub(super) struct PrefixIds {
    ids: HashMap<Block, u64>,
}

/// A block where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Block {
    /// The id of the prefix before it.
    after: Option<u64>,
    content: u64,
    /// In tokens.
    length: u32,
}

impl PrefixIds {
    /// The ids of a prompt of `input_tokens` tokens, given the contents of its blocks of `block_size`
    /// tokens. The last block takes what is left of the length.
    pub(super) fn ids_of(
        &mut self,
        contents: impl IntoIterator<Item = u64>,
        input_tokens: u32,
        block_size: u32,
    ) -> Vec<u64> {
        let mut left = input_tokens;
        let mut after = None;
        contents
            .into_iter()
            .map(|content| {
                let length = left.min(block_size);
                left -= length;
                let next = self.ids.len() as u64;
                let id = *self.ids.entry(Block { after, content, length }).or_insert(next);
                after = Some(id);
                id
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_count_up_and_shared_prefixes_share_them() {
        let mut prefixes = PrefixIds::default();
        assert_eq!(prefixes.ids_of([7, 8, 9], 1536, 512), [0, 1, 2]);
        assert_eq!(prefixes.ids_of([7, 8, 5], 1536, 512), [0, 1, 3]);
        assert_eq!(prefixes.ids_of([8, 8, 9], 1536, 512), [4, 5, 6], "same contents, other prefix");
        assert_eq!(prefixes.ids_of([7], 512, 512), [0]);
    }

    #[test]
    fn a_short_block_is_another_block_than_a_full_one() {
        let mut prefixes = PrefixIds::default();
        assert_eq!(prefixes.ids_of([7], 100, 512), [0]);
        assert_eq!(prefixes.ids_of([7, 7], 600, 512), [1, 2]);
        assert_eq!(prefixes.ids_of([7, 7], 700, 512), [1, 3]);
        assert_eq!(prefixes.ids_of([7], 100, 512), [0]);
    }
}
