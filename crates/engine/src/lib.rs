//! Pace, dispatch, pool, cap, abort, and emit one record for every request.
//!
//! [`run`] carries out the phases of a plan on worker threads. Each worker is one current-thread
//! runtime with its own connections, timer and record sink; workers share a phase's counters, its
//! numbering and its slots, and nothing for a token.
//!
//! * Open loop: arrival `i` of the one schedule belongs to worker `i mod W`, which waits for it on a
//!   timerfd of its own. A late server or a full cap never moves an arrival silently: what waited,
//!   what was skipped and what was late are counted, and every instant is in the record.
//! * Rates with sessions, or with slots that skip: each arrival is a tick that carries a waiting turn
//!   first, else a new session, else nothing.
//! * Closed loop: exactly C slots, divided over the workers, take sessions in order.
//! * Fallen behind: arrivals that are overdue because the client was held up leave at once, are left
//!   out, or end the run, as [`CatchUp`] says; they are counted whichever it is. A ceiling of the
//!   request rate ([`Policy::max_request_rate`]) makes arrivals wait and moves none.
//! * Connections: any idle one, one a request, or one a session ([`ConnectionReuse`]); [`limits`] says
//!   before a run whether the host has files and ports for them.
//! * Planned cancellation: a share of a phase's requests, settled by the seed, is given up some time
//!   after it was written in full, by closing its connection.
//!
//! `scheduled = ok + failed + cancelled + aborted + not_sent` holds in [`PhaseCounts`] and in the
//! records, always.
//!
//! What this crate does not know: the command line, configuration files, file formats, percentiles,
//! where prompts come from.

mod alarms;
mod attendant;
mod cancellation;
mod ceiling;
mod config;
mod due;
mod error;
mod gate;
mod ids;
mod issuer;
pub mod limits;
mod pacer;
mod phase;
mod plan;
mod policy;
mod pool;
mod prepare;
mod report;
mod run;
mod stats;
mod stop;
mod worker;

pub use attendant::{Attendant, Company, Objection, Unattended};
pub use cancellation::{Cancellation, Share, ShareError};
pub use config::{EngineConfig, default_workers};
pub use error::EngineError;
pub use plan::{Cap, Load, OnFull, PhasePlan};
pub use policy::{BEHIND_AFTER_NS, CatchUp, ConnectionReuse, FellBehind, Policy};
pub use report::{EndReason, EngineReport, PhaseReport, WorkerReport};
pub use run::{run, run_attended};
pub use stats::{LATE_AFTER_NS, PhaseCounts, RunStats};
pub use stop::StopSignal;
