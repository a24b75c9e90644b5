//! Which prompt prefixes the engine still has the keys and values of.
//!
//! A prompt is cut into blocks; each block's hash covers everything before it, so equal hashes mean
//! equal prefixes. The cache holds a bounded number of blocks and forgets the least recently used
//! first; of one prompt it forgets the end before the beginning, since only a run of blocks from the
//! very start is a hit. Not here: how prompts are cut and hashed.

use std::collections::{BTreeMap, HashMap};

/// Hash of a block and of everything before it.
pub(crate) type BlockHash = u64;

/// A bounded set of prompt blocks.
#[derive(Debug)]
pub(crate) struct PrefixCache {
    capacity: usize,
    /// When each block was used last, in ticks of `clock`.
    used: HashMap<BlockHash, u64>,
    /// The same the other way round, oldest first.
    by_age: BTreeMap<u64, BlockHash>,
    clock: u64,
}

impl PrefixCache {
    /// An empty cache of so many blocks; 0 never holds anything.
    pub(crate) fn new(capacity: usize) -> Self {
        Self { capacity, used: HashMap::new(), by_age: BTreeMap::new(), clock: 0 }
    }

    /// How many blocks from the start of `chain` are held. They count as used now.
    pub(crate) fn hit(&mut self, chain: &[BlockHash]) -> usize {
        let held = chain.iter().take_while(|block| self.used.contains_key(block)).count();
        self.touch(&chain[..held]);
        held
    }

    /// Holds a prompt's blocks from now on. Of a prompt longer than the cache, the beginning.
    pub(crate) fn insert(&mut self, chain: &[BlockHash]) {
        self.touch(&chain[..chain.len().min(self.capacity)]);
        while self.used.len() > self.capacity {
            let Some((_, oldest)) = self.by_age.pop_first() else { return };
            self.used.remove(&oldest);
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.used.clear();
        self.by_age.clear();
    }

    /// Marks blocks as used, the last of them first, so that a chain's end is older than its start.
    fn touch(&mut self, chain: &[BlockHash]) {
        for block in chain.iter().rev() {
            self.clock += 1;
            if let Some(before) = self.used.insert(*block, self.clock) {
                self.by_age.remove(&before);
            }
            self.by_age.insert(self.clock, *block);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_hit_is_a_run_from_the_start() {
        let mut cache = PrefixCache::new(10);
        cache.insert(&[1, 2, 3]);
        assert_eq!(cache.hit(&[1, 2, 3, 4]), 3);
        assert_eq!(cache.hit(&[1, 9, 3]), 1);
        assert_eq!(cache.hit(&[2, 3]), 2);
        assert_eq!(cache.hit(&[9]), 0);
    }

    #[test]
    fn the_least_recently_used_goes_first_and_ends_before_starts() {
        let mut cache = PrefixCache::new(4);
        cache.insert(&[1, 2]);
        cache.insert(&[5, 6]);
        assert_eq!(cache.hit(&[1, 2]), 2);
        cache.insert(&[7]);
        assert_eq!(cache.hit(&[5, 6]), 1, "6 was the oldest");
        assert_eq!(cache.hit(&[1, 2]), 2);
    }

    #[test]
    fn no_capacity_no_hits() {
        let mut cache = PrefixCache::new(0);
        cache.insert(&[1]);
        assert_eq!(cache.hit(&[1]), 0);
    }

    #[test]
    fn cleared_is_empty() {
        let mut cache = PrefixCache::new(3);
        cache.insert(&[1]);
        cache.clear();
        assert_eq!(cache.hit(&[1]), 0);
    }

    proptest! {
        /// Against a model: a plain list of (block, last use).
        #[test]
        fn it_behaves_as_a_list_would(
            capacity in 0_usize..6,
            calls in proptest::collection::vec((any::<bool>(), proptest::collection::vec(0_u64..8, 0..5)), 0..40),
        ) {
            let mut cache = PrefixCache::new(capacity);
            let mut list: Vec<u64> = Vec::new(); // oldest first
            for (inserts, mut chain) in calls {
                // A chain never repeats a hash, since each covers all before it.
                let mut seen = std::collections::HashSet::new();
                chain.retain(|block| seen.insert(*block));
                let touched = if inserts {
                    cache.insert(&chain);
                    chain.len().min(capacity)
                } else {
                    let held = chain.iter().take_while(|block| list.contains(block)).count();
                    prop_assert_eq!(cache.hit(&chain), held);
                    held
                };
                for block in chain[..touched].iter().rev() {
                    list.retain(|other| other != block);
                    list.push(*block);
                }
                list.drain(..list.len().saturating_sub(capacity));
                prop_assert!(cache.used.len() <= capacity);
                prop_assert_eq!(cache.used.len(), cache.by_age.len());
                prop_assert_eq!(cache.by_age.values().copied().collect::<Vec<_>>(), list.clone());
            }
        }
    }
}
