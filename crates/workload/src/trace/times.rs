//! When a trace's sessions begin: its own times as offsets of a schedule.

use std::sync::Arc;

use super::fault::LineFault;
use super::sessions::Trace;
use crate::config::TraceConfig;
use crate::error::WorkloadError;

/// Where the schedule of a trace starts, in ms after the speed-up.
#[derive(Debug, Clone, Copy)]
pub(super) enum Zero {
    /// At its earliest session.
    Earliest,
    /// At a point of its time.
    At(f64),
}

impl Zero {
    pub(super) fn new(config: &TraceConfig) -> Self {
        match config.start_offset_ms {
            Some(start) => Self::At(speed_up(start, config.speedup)),
            None if config.auto_offset => Self::Earliest,
            None => Self::At(0.0),
        }
    }
}

/// A trace's sessions in the order of their times.
pub(crate) struct Times {
    /// Sessions, by the time of their first request; equal times keep the order of the file.
    pub(crate) order: Arc<[u32]>,
    /// For each of them the offset of its first request in ns; ascending.
    pub(crate) offsets_ns: Arc<[i64]>,
    /// The zero of the offsets, in ms after the speed-up.
    pub(crate) zero_ms: f64,
}

impl Trace {
    /// When each session begins. Fails when one does not say.
    pub(crate) fn times(&self) -> Result<Times, WorkloadError> {
        let times_ms: Vec<f64> = self
            .sessions
            .iter()
            .map(|session| {
                let row = &self.rows[session.first as usize];
                row.timestamp_ms.ok_or_else(|| WorkloadError::Line {
                    path: self.facts.path.clone(),
                    line: row.line,
                    fault: LineFault::NoTimestamp,
                })
            })
            .collect::<Result<_, _>>()?;
        let at = |session: &u32| times_ms[*session as usize];
        let mut order: Vec<u32> = (0..times_ms.len() as u32).collect();
        order.sort_by(|a, b| at(a).total_cmp(&at(b)));
        let zero_ms = match self.zero {
            Zero::At(zero) => zero,
            Zero::Earliest => order.first().map_or(0.0, at),
        };
        let offsets_ns = order.iter().map(|session| nanoseconds(at(session) - zero_ms)).collect();
        Ok(Times { order: order.into(), offsets_ns, zero_ms })
    }
}

/// A time of the trace, replayed `speedup` times faster: cut to whole ms, as AIPerf cuts them. At the
/// trace's own speed times are kept as they are.
pub(super) fn speed_up(at_ms: f64, speedup: f64) -> f64 {
    if speedup == 1.0 { at_ms } else { (at_ms / speedup).trunc() }
}

/// Milliseconds of trace time in ns, to the nearest one.
pub(crate) fn nanoseconds(ms: f64) -> i64 {
    // `as` saturates; times are within 292 years of zero.
    (ms * 1e6).round() as i64
}
