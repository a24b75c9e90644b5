//! Several runs of one thing to numbers: what they say together, and how far they agree.
//!
//! * [`RunFigures`] is what one run came to, as its summary says it: for each metric its statistics;
//! * [`RepeatedFigure`] is one of those statistics over several runs, with its [`Interval`];
//! * [`Pool`] holds the samples of all runs as if they were of one.
//!
//! What this module does not know: how runs are made, named or stored.

mod figures;
mod interval;
mod pool;
mod student;

pub use figures::{MetricFigures, RepeatedFigure, RunFigures, STATISTICS, over_runs};
pub use interval::Interval;
pub use pool::{Pool, PooledFigures};
pub use student::t_critical;
