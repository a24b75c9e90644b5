//! When tokens come: performance models as pure state machines over virtual time.
//!
//! A model is told when requests arrive and leave, says when it next has something to do, and when
//! its time has come, which request gets what. It never reads a clock and never sleeps, so the same
//! code runs behind sockets and in a discrete-event simulation.

mod batch;
mod fixed;
mod splitwise;

pub use batch::BatchConfig;
pub use fixed::FixedConfig;
pub use splitwise::SplitwiseConfig;
