//! placeholder
pub(crate) const BLOCK_TOKENS: u32 = 64;
