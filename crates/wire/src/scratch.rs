//! Scratch space for reads, one a thread: bytes pass through it on their way from the kernel to
//! whoever takes them apart, so that ten thousand open connections need no read buffer of their own.
//!
//! Invariant: it is lent to one reader at a time, and never across a wait.

use std::cell::RefCell;

/// Room of the scratch space: what one read brings at most.
const SCRATCH_BYTES: usize = 64 * 1024;

thread_local! {
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; SCRATCH_BYTES].into_boxed_slice());
}

/// Lends the thread's scratch space. Not to be nested.
pub(crate) fn with_scratch<T>(use_it: impl FnOnce(&mut [u8]) -> T) -> T {
    SCRATCH.with_borrow_mut(|bytes| use_it(bytes))
}
